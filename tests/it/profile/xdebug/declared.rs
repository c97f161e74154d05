//! The time that a file's `summary:` declares, beside that of its calls: what is said is true, or it is not said.

use std::path::Path;

use profile_run::profile::{Options, read_bytes};

/// A run whose calls take 1,000 and whose summary declares another time, or that lacks it.
fn run(declared: Option<i64>) -> String {
    let end = declared.map(|time| format!("summary: {time} 0\n\n")).unwrap_or_default();
    format!(
        "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
         events: Time_(10ns) Memory_(bytes)\n\nfl=(1) /srv/a.php\nfn=(2) leaf\n3 400 0\n\nfl=(1)\nfn=(1) {{main}}\n1 600 0\n\
         cfl=(1)\ncfn=(2)\ncalls=1 0 0\n2 400 0\n\n{end}"
    )
}

fn is_said(text: &str, streamed: bool) -> bool {
    let options = Options { streamed, ..Options::default() };
    let profile = read_bytes(Path::new("declared"), text.as_bytes(), &options).unwrap();
    profile.files[0].warnings.iter().any(|said| said.contains("its summary declares a time of"))
}

#[test]
fn only_calls_that_take_more_than_their_process_are_said() {
    const NEXT: &str = "==== NEW PROFILING FILE ==============================================\n";
    for streamed in [false, true] {
        for declared in [995, 1000, 1020, 5000] {
            assert!(!is_said(&run(Some(declared)), streamed), "{declared}: PHP starts and ends outside of all calls");
        }
        assert!(is_said(&run(Some(900)), streamed));
        assert!(!is_said(&run(None), streamed));
        // One of two was stopped: it declares nothing, and its calls are more than what the other declares.
        assert!(!is_said(&format!("{}{NEXT}{}", run(None), run(Some(1000))), streamed));
        assert!(is_said(&format!("{}{NEXT}{}", run(Some(500)), run(Some(1000))), streamed));
    }
}
