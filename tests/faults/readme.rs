//! The list of what is held, and by which test.

use std::path::Path;

#[test]
fn the_list_names_tests_that_there_are() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let names = include_str!("README.md").split('`').filter(|name| name.contains("::"));
    let mut found = 0;
    for name in names.filter(|name| !name.ends_with("::")) {
        let mut parts: Vec<&str> = name.split("::").collect();
        let test = parts.pop().unwrap();
        if !["faults", "it", "processes"].contains(&parts[0]) {
            continue;
        }
        let path = tests.join(parts.join("/")).with_extension("rs");
        let source =
            std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{name}: there is no {}", path.display()));
        assert!(test == "*" || source.contains(&format!("fn {test}(")), "{name}: {} has no such test", path.display());
        found += 1;
    }
    assert!(found > 30, "{found}");
}
