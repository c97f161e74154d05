//! Fifteen secrets, planted where people have them: none is in what a run hands on, all are there when that is asked for.

use std::fs;
use std::process::Command;

use super::support::{Count, Place, SERVER, port, text, words};

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1rwplanted12";

/// What was planted, as it would be found.
const PLANTED: [&str; 15] = [
    "planted-password-1",
    "planted-token-2",
    "planted-key-3",
    "planted-secret-4",
    "planted-dsn-5",
    "planted-before-6",
    "planted-after-7",
    "planted-login-8",
    "planted-option-9",
    "cGxhbnRlZC1iZWFyZXItMTA",
    "MIIplantedprivatekey11",
    JWT,
    "planted-by-program-15",
    // The login, as AUTH LOGIN and AUTH PLAIN send it.
    "cGxhbnRlZC1sb2dpbi04",
    "AG1lAHBsYW50ZWQtbG9naW4tOA",
];

const SHARED: [&str; 4] = ["report.html", "result.json", "summary.md", "load.json"];

/// The server, which prints some of them before it serves, and the login as often as it is kept.
fn server(port: &str) -> Vec<String> {
    let print = "echo 'Authorization: Bearer cGxhbnRlZC1iZWFyZXItMTA'; echo '-----BEGIN PRIVATE KEY-----'; \
                 echo MIIplantedprivatekey11; echo '-----END PRIVATE KEY-----'; echo pass is planted-password-1; \
                 for at in 1 2 3; do echo login me planted-login-8, me:planted-login-8; done; \
                 echo mysql -hdb -pplanted-by-program-15 shop; \
                 echo cGxhbnRlZC1sb2dpbi04 AG1lAHBsYW50ZWQtbG9naW4tOA==";
    let serve = format!("{print}; exec php {SERVER} plain {port} --password=planted-option-9 {JWT}");
    words(&["sh", "-c", &serve])
}

fn run(place: &Place, more: &[&str]) -> String {
    let options = [
        &[
            "--passes",
            "measure",
            "--load",
            "smoke",
            "--budget",
            "8s",
            "-v",
            "--env",
            "DB_PASSWORD=planted-password-1",
            "--env",
            "API_TOKEN=planted-token-2",
            "--env",
            "STRIPE_KEY=planted-key-3",
            "--env",
            "APP_SECRET=planted-secret-4",
            "--env",
            "DATABASE_URL=mysql://me:planted-dsn-5@127.0.0.1/db",
            "--before",
            "true mysql -pplanted-before-6",
            "--after",
            "true mysql -pplanted-after-7",
            "--auth",
            "me:planted-login-8",
        ],
        more,
    ]
    .concat();
    text(&place.run(&options, &server(&port())))
}

fn seen(place: &Place, console: &str) -> String {
    let files = SHARED.map(|name| fs::read_to_string(place.out().join(name)).unwrap_or_default());
    format!("{}{console}", files.concat())
}

#[test]
fn no_secret_is_handed_on_unless_that_was_asked() {
    let mut count = Count::new("secrets");
    for json in [false, true] {
        let place = Place::new();
        let console = run(&place, if json { &["--json"] } else { &[] });
        let again = Command::new(env!("CARGO_BIN_EXE_profile-run")).arg("report").arg(place.out()).output().unwrap();
        let all = format!("{}{}", seen(&place, &console), text(&again));
        assert!(fs::metadata(place.out().join("report.html")).is_ok(), "{console}");
        for secret in PLANTED {
            let around = all.find(secret).map(|at| all[..at].chars().rev().take(80).collect::<String>());
            let around = around.map(|text| text.chars().rev().collect::<String>());
            count.take(&format!("{secret}, json {json}"), around.map_or(Ok(()), |text| Err(format!("after {text:?}"))));
        }
        // A run that is to be made again needs them.
        assert!(place.journal().contains("planted-before-6"));
    }
    count.end();
    let place = Place::new();
    let console = run(&place, &["--no-redact"]);
    let all = seen(&place, &console);
    let missing: Vec<&str> = PLANTED.into_iter().filter(|secret| !all.contains(secret)).collect();
    assert!(missing.is_empty(), "with --no-redact: {missing:?}");
}

#[test]
fn the_doctor_keeps_them_too() {
    let place = Place::new();
    let doctor = |more: &[&str]| {
        let print = "echo mysql -pplanted-by-program-15 $DB_PASSWORD; exit 1";
        let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.arg("doctor").args(["--env", "DB_PASSWORD=planted-password-1"]).args(more);
        text(&command.args(["--", "sh", "-c", print]).current_dir(place.path()).output().unwrap())
    };
    let said = doctor(&[]);
    assert!(said.contains("mysql -p***") && !said.contains("planted"), "{said}");
    assert!(doctor(&["--no-redact"]).contains("mysql -pplanted-by-program-15 planted-password-1"));
}
