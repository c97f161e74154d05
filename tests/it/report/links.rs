//! Links of the report into an editor.

use crate::support::views;
use profile_run::model::Editor;
use profile_run::report::html;

#[test]
fn places_open_in_an_editor_and_a_files_name_stays_in_its_link() {
    let mut view = views::full();
    let plain = html(&view).unwrap();
    view.editor = Some(Editor::of("ed://open?file=%f&line=%l").unwrap());
    let linked = html(&view).unwrap();
    let link = "<a href=\"ed://open?file=/srv/app/src/Server.php&#38;line=91\">";
    assert!(!plain.contains("ed://") && linked.contains(link));
    for finding in &mut view.result.findings {
        let held = finding.holders.iter_mut().flat_map(|holder| &mut holder.locations);
        finding
            .locations
            .iter_mut()
            .chain(held)
            .for_each(|at| at.file = "/srv/\"><img src=x>'&%l/Server.php".to_owned());
    }
    let hostile = html(&view).unwrap();
    assert!(hostile.contains("ed://open?file=/srv/%22%3E%3Cimg%20src%3Dx%3E%27%26%25l/Server.php&#38;line=91"));
    assert!(!hostile.contains("<img"));
    // Two files of one name: which one is meant is not known.
    view.result.findings[0].locations[0].file = "/srv/other/Server.php".to_owned();
    assert!(!html(&view).unwrap().contains("ed://"));
}
