//! speedscope's own page, as npm has it, given a file to import.

use std::path::{Path, PathBuf};

use super::chromium::{Browser, Screen};

/// The page, where `tests/install-tools.sh` puts it; none where missing tools are to be left out.
pub fn page() -> Option<PathBuf> {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/peers/package/dist/release/index.html");
    (!super::tools::missing(page.exists(), "speedscope", "npm, then npm's speedscope")).then_some(page)
}

/// Rows of the table that it shows of a file: total, own, name. It draws them when the file is read; those that do not fit
/// on the screen are not there.
pub fn rows(browser: &mut Browser, page: &Path, folder: &Path, file: &[u8]) -> Vec<[String; 3]> {
    let script = folder.join("file.js");
    let call = format!("speedscope.loadFileFromBase64('file', '{}')", base64(file));
    std::fs::write(&script, call).expect("the folder is writable");
    let fragment = format!("view=sandwich&localProfilePath={}", script.display());
    // A deep profile may be too deep for a browser whose code is not compiled yet: then it is opened again.
    let shown = (0..4).find_map(|_| {
        let rows = browser.open_at(page, &fragment, Screen::wide(1280)).eval(
            "new Promise((done) => { let left = 1000; const look = () => {
                const rows = [...document.querySelectorAll('tr')].map((row) => [...row.cells].map((cell) => cell.textContent));
                rows.length > 1 ? done(rows.slice(1)) : left-- ? setTimeout(look, 20) : done(null); }; look(); })",
        );
        (!rows.is_null()).then_some(rows)
    });
    serde_json::from_value(shown.expect("speedscope shows the profile")).expect("three cells a row")
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        let digit = |at: usize| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
        (0..4).for_each(|at| out.push(if at <= three.len() { digit(at) } else { '=' }));
    }
    out
}
