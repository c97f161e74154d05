//! SARIF 2.1.0, as code scanning reads it: what is wrong, on the line that leaks.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::findings::{Level, Place, Problem, problems};
use crate::analysis::view::RunView;
use crate::report::Error;

/// The log.
pub(super) fn sarif(view: &RunView) -> Result<String, Error> {
    let problems = problems(view);
    let rules: BTreeSet<&str> = problems.iter().map(|problem| problem.rule.as_str()).collect();
    let rules: Vec<Value> = rules.iter().map(|id| json!({ "id": id, "name": id })).collect();
    let mut run = json!({
        "tool": { "driver": { "name": "profile-run", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules } },
        "columnKind": "utf16CodeUnits",
        "results": problems.iter().map(result).collect::<Vec<_>>(),
    });
    if let Some(root) = &view.root {
        run["originalUriBaseIds"] =
            json!({ "SRCROOT": { "uri": format!("file://{}/", uri(root.trim_end_matches('/'))) } });
    }
    if let Some(commit) = &view.result.source.commit {
        run["properties"] = json!({ "commit": commit });
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    });
    Ok(serde_json::to_string_pretty(&log)? + "\n")
}

fn result(problem: &Problem) -> Value {
    let level = match problem.level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let mut result = json!({
        "ruleId": problem.rule,
        "level": level,
        "message": { "text": problem.message },
        "locations": problem.places.iter().take(1).map(place).collect::<Vec<_>>(),
    });
    if problem.places.len() > 1 {
        result["relatedLocations"] = problem.places[1..].iter().map(place).collect();
    }
    result
}

fn place(place: &Place) -> Value {
    // A path below the root is relative to it; any other is whole.
    let artifact = match place.file.starts_with('/') {
        true => json!({ "uri": format!("file://{}", uri(&place.file)) }),
        false => json!({ "uri": uri(&place.file), "uriBaseId": "SRCROOT" }),
    };
    json!({ "physicalLocation": { "artifactLocation": artifact, "region": { "startLine": place.line } } })
}

/// A path as it stands in a URI.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
