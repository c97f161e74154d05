//! Links that open a line of a script in an editor.

use std::fmt::Write;

/// Schemes that would run something in the page.
const FORBIDDEN: [&str; 3] = ["javascript", "data", "vbscript"];

/// What a link to a line looks like, in the form of Xdebug's `xdebug.file_link_format`: `%f` stands for the file and `%l`
/// for the line, as in `phpstorm://open?file=%f&line=%l`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editor(String);

impl Editor {
    /// Of such a form.
    ///
    /// # Errors
    /// What it lacks.
    pub fn of(form: &str) -> Result<Editor, &'static str> {
        let scheme = form.split_once(':').map_or("", |(scheme, _)| scheme);
        let is_letter =
            |at: usize, c: char| c.is_ascii_alphabetic() || at > 0 && (c.is_ascii_digit() || "+-.".contains(c));
        if scheme.is_empty() || !scheme.chars().enumerate().all(|(at, c)| is_letter(at, c)) {
            return Err("it begins with no scheme, as \"phpstorm://\" is one");
        }
        if FORBIDDEN.contains(&scheme.to_ascii_lowercase().as_str()) {
            return Err("its scheme opens no editor");
        }
        if !form.contains("%f") {
            return Err("it has no %f, which stands for the file");
        }
        if form.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("it has blanks in it");
        }
        Ok(Editor(form.to_owned()))
    }

    /// The link to a line; none for what is no file of its own, as code that was evaluated.
    pub fn link(&self, file: &str, line: u32) -> Option<String> {
        let is_file = file.starts_with('/') && !file.contains("eval()") && !file.contains('\0');
        // Both at once: a file's name may hold `%l`.
        let with_line = |text: &str| text.replace("%l", &line.to_string());
        let parts: Vec<String> = self.0.split("%f").map(with_line).collect();
        is_file.then(|| parts.join(&encoded(file)))
    }
}

/// A path as a part of an address.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte as char),
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_the_file_and_the_line() {
        let link = |form: &str, file: &str| Editor::of(form).unwrap().link(file, 18);
        let phpstorm = "phpstorm://open?file=%f&line=%l";
        assert_eq!(link(phpstorm, "/srv/app/A.php").unwrap(), "phpstorm://open?file=/srv/app/A.php&line=18");
        assert_eq!(link("vscode://file/%f:%l", "/srv/a.php").unwrap(), "vscode://file//srv/a.php:18");
        let odd = link(phpstorm, "/srv/a b/\"><script>&%l%f#é.php").unwrap();
        assert_eq!(odd, "phpstorm://open?file=/srv/a%20b/%22%3E%3Cscript%3E%26%25l%25f%23%C3%A9.php&line=18");
        assert_eq!(link(phpstorm, "/srv/a.php(3) : eval()'d code"), None);
        assert_eq!(link(phpstorm, "relative.php"), None);
    }

    #[test]
    fn what_opens_no_editor_is_refused() {
        for form in
            ["", "%f", "javascript:alert('%f')", "JavaScript:%f", "data:text/html,%f", "1st://%f", "ed://x", "ed: %f"]
        {
            assert!(Editor::of(form).is_err(), "{form}");
        }
    }
}
