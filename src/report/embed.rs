//! The result that a report carries: put into the page, and read back out of it.

use serde::Serialize;
use serde_json::Value;

use super::Error;

/// The `id` of the one script element that holds the result.
pub const RESULT_ID: &str = "profile-run-result";

/// JSON that may stand inside a script element: `<` is written `\u003c`, so nothing in it can close the
/// element or open another.
pub(super) fn script_json<T: Serialize>(value: &T) -> Result<String, Error> {
    Ok(serde_json::to_string(value)?.replace('<', "\\u003c"))
}

/// The result that a report carries, if `html` is a report.
pub fn read_result(html: &str) -> Option<Value> {
    let opening = format!("<script type=\"application/json\" id=\"{RESULT_ID}\">");
    let (_, rest) = html.split_once(&opening)?;
    let (json, _) = rest.split_once("</script>")?;
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_inside() {
        let value = serde_json::json!({"name": "</script><script>alert(1)</script><!--"});
        let json = script_json(&value).unwrap();
        assert!(!json.contains('<'));
        let html = format!("<p></p><script type=\"application/json\" id=\"profile-run-result\">{json}</script>");
        assert_eq!(read_result(&html), Some(value));
        assert_eq!(read_result("<html></html>"), None);
    }
}
