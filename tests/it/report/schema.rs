//! The JSON Schema of result.json: made from the types, and held against results of real runs.

use std::path::Path;
use std::process::{Command, Stdio};

use profile_run::analysis::result::json_schema;
use serde_json::{Value, json};

use super::runs::{RUNS, view};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/result.schema.json");

fn document() -> Value {
    serde_json::from_str(&std::fs::read_to_string(DOCUMENT).expect("the document")).expect("it is JSON")
}

#[test]
fn the_document_is_that_of_the_types() {
    let text = serde_json::to_string_pretty(&json_schema()).expect("it is JSON") + "\n";
    if std::env::var_os("PROFILE_RUN_BLESS").is_some() {
        std::fs::write(Path::new(DOCUMENT), &text).expect("the folder is writable");
    }
    assert!(document() == json_schema().to_value(), "PROFILE_RUN_BLESS=1 writes {DOCUMENT} anew");
}

/// What Python's jsonschema says of each of these, in their order: no errors, or the places of some.
fn errors(instances: &[Value]) -> Vec<Vec<String>> {
    const SCRIPT: &str = "import json, sys, jsonschema\n\
        schema = json.load(open(sys.argv[1]))\n\
        jsonschema.Draft202012Validator.check_schema(schema)\n\
        validator = jsonschema.Draft202012Validator(schema)\n\
        print(json.dumps([[e.json_path + ': ' + e.message[:200] for e in validator.iter_errors(instance)]\n\
            for instance in json.load(sys.stdin)]))";
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", SCRIPT, DOCUMENT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs python3-jsonschema");
    serde_json::to_writer(python.stdin.take().expect("a pipe"), instances).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "is python3-jsonschema installed?");
    serde_json::from_slice(&output.stdout).expect("it answers in JSON")
}

#[test]
fn results_of_recorded_runs_are_as_it_says_and_broken_ones_are_not() {
    let sound: Vec<Value> = RUNS.map(|name| serde_json::to_value(&view(name).result).expect("a result")).into();
    for (name, errors) in RUNS.iter().zip(errors(&sound)) {
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
    let wrong = [
        ("verdict", json!("perhaps")),
        ("exit_code", json!(7)),
        ("findings", json!([{ "metric": "heap" }])),
        ("seconds", json!("12 s")),
    ];
    let broken = wrong.iter().flat_map(|(key, wrong)| {
        let (mut other, mut without) = (sound[0].clone(), sound[0].clone());
        other[key] = wrong.clone();
        without.as_object_mut().expect("an object").remove(*key);
        [other, without]
    });
    let broken: Vec<Value> = broken.collect();
    for (at, errors) in errors(&broken).iter().enumerate() {
        assert!(!errors.is_empty(), "{}", wrong[at / 2].0);
    }
}
