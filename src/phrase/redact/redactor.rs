//! What is hidden in a run, and the hiding itself.

use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::login;
use super::names::is_secret_name;
use super::programs;
use super::scan::secrets;
use super::text::printable;
use crate::model::Hidden;
use crate::model::plan::Plan;

/// What stands in a secret's place.
const MASK: &str = "***";

/// Shorter values are hidden behind their names alone: elsewhere they are words.
const SHORTEST: usize = 6;

/// Names of users and machines that tell nothing.
const COMMON: [&str; 12] =
    ["root", "user", "admin", "test", "php", "smtp", "mail", "server", "localhost", "nobody", "www-data", "runner"];

/// Hides what a run must not hand on.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    /// Nothing is hidden; terminals are safe all the same.
    off: bool,
    /// What to look for and what to put there, the longest first.
    literals: Vec<(String, String)>,
    home: Option<String>,
    /// Names of user and machine, and what to put there.
    names: Vec<(String, &'static str)>,
}

impl Redactor {
    /// For a run with this plan.
    pub fn new(hidden: &Hidden, plan: Option<&Plan>) -> Self {
        Self::knowing(hidden, |all| plan.into_iter().for_each(|plan| all.learn_plan(plan)))
    }

    /// For what is said of a command line of which no plan came.
    pub fn of_typed(hidden: &Hidden, words: &[String]) -> Self {
        Self::knowing(hidden, |all| all.learn_words(words))
    }

    fn knowing(hidden: &Hidden, learn: impl FnOnce(&mut Self)) -> Self {
        if hidden.nothing {
            return Self { off: true, ..Self::default() };
        }
        let mut all = Self { home: hidden.home.clone().filter(|home| home.len() > 1), ..Self::default() };
        let mut name = |name: &Option<String>, mask| {
            if let Some(name) = name.as_ref().filter(|name| name.len() > 2 && !COMMON.contains(&name.as_str())) {
                all.names.push((name.clone(), mask));
            }
        };
        name(&hidden.user, "USER");
        name(&hidden.host, "HOST");
        for value in &hidden.values {
            all.learn(value);
        }
        learn(&mut all);
        all.literals.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        all.literals.dedup();
        all
    }

    fn learn(&mut self, secret: &str) {
        if secret.len() >= SHORTEST {
            self.literals.push((secret.to_owned(), MASK.to_owned()));
        }
    }

    fn learn_text(&mut self, text: &str) {
        for range in secrets(text) {
            self.learn(&text[range]);
        }
    }

    fn learn_plan(&mut self, plan: &Plan) {
        for (name, value) in &plan.env {
            if is_secret_name(name) {
                self.learn(value);
            }
            self.learn_text(value);
        }
        self.learn_words(&plan.typed);
        self.learn_words(&plan.command);
        // A plan that was read from a journal has the login in `typed` alone.
        plan.mail.auth.iter().for_each(|auth| self.learn_login(auth));
        for hook in [&plan.before, &plan.after, &plan.load_command, &plan.settle].into_iter().flatten() {
            self.learn_text(hook);
            self.literals.push((hook.clone(), program(hook)));
        }
    }

    fn learn_words(&mut self, words: &[String]) {
        let named = |pair: &&[String]| pair[0].starts_with('-') && !pair[0].contains('=') && is_secret_name(&pair[0]);
        words.windows(2).filter(named).for_each(|pair| self.learn(&pair[1]));
        words.iter().for_each(|word| self.learn_text(word));
        by_program(words).into_iter().for_each(|(at, range)| self.learn(&words[at][range]));
        login::typed(words).for_each(|auth| self.learn_login(auth));
    }

    fn learn_login(&mut self, auth: &str) {
        login::forms(auth).iter().for_each(|form| self.learn(form));
    }

    /// A text with its secrets hidden.
    pub fn text(&self, text: &str) -> String {
        if self.off {
            return printable(text).into_owned();
        }
        let mut out = text.to_owned();
        for (secret, instead) in &self.literals {
            if out.contains(secret.as_str()) {
                out = out.replace(secret.as_str(), instead);
            }
        }
        let mut hidden = String::with_capacity(out.len());
        let mut from = 0;
        for range in secrets(&out) {
            hidden.push_str(&out[from..range.start]);
            hidden.push_str(MASK);
            from = range.end;
        }
        hidden.push_str(&out[from..]);
        printable(&self.place(&hidden)).into_owned()
    }

    /// A path or a text without the names of home, user and machine.
    pub fn place(&self, text: &str) -> String {
        let mut out = text.to_owned();
        if let Some(home) = &self.home {
            out = replace_word(&out, home, "~");
        }
        // A word alone is rather one of ours, as the name of a scenario.
        if out.contains(|c: char| !c.is_alphanumeric() && c != '_' && c != '-') {
            for (name, mask) in &self.names {
                out = replace_word(&out, name, mask);
            }
        }
        out
    }

    /// A value with its secrets hidden, whatever it is made of.
    pub fn redacted<T: Serialize + DeserializeOwned + Clone>(&self, value: &T) -> T {
        let hidden = serde_json::to_value(value).ok().and_then(|mut json| {
            self.value(&mut json);
            serde_json::from_value(json).ok()
        });
        // What cannot be read back was one of our own words that is somebody's password.
        hidden.unwrap_or_else(|| {
            let by_form = Self { literals: Vec::new(), ..self.clone() };
            let hidden = serde_json::to_value(value).ok().and_then(|mut json| {
                by_form.value(&mut json);
                serde_json::from_value(json).ok()
            });
            hidden.unwrap_or_else(|| value.clone())
        })
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => {
                self.list(items);
                items.iter_mut().for_each(|item| self.value(item));
            }
            Value::Object(fields) => {
                for (key, field) in fields.iter_mut() {
                    match field {
                        _ if key == "hidden" && !self.off => *field = Value::Object(serde_json::Map::default()),
                        Value::String(text) if !self.off && is_hook(key) => *text = program(text),
                        Value::String(text) if !self.off && key == "auth" => *text = login(text),
                        Value::String(text) if !self.off && is_variable(key) && is_secret_name(key) => {
                            *text = MASK.to_owned();
                        }
                        field => self.value(field),
                    }
                }
            }
            _ => {}
        }
    }

    /// What stands behind an option or a name in a list: `["--password", "x"]`, `["DB_PASSWORD", "x"]`.
    fn list(&self, items: &mut [Value]) {
        if self.off {
            return;
        }
        let pair = items.len() == 2;
        let words: Vec<String> = items.iter().map(|item| item.as_str().unwrap_or_default().to_owned()).collect();
        for (at, range) in by_program(&words) {
            if let Value::String(text) = &mut items[at] {
                text.replace_range(range, MASK);
            }
        }
        for at in 1..items.len() {
            let (before, rest) = items.split_at_mut(at);
            let (Some(Value::String(name)), Value::String(text)) = (before.last(), &mut rest[0]) else { continue };
            let option = name.strip_prefix("--").unwrap_or_default().replace('-', "_");
            if is_hook(&option) {
                *text = program(text);
            } else if name == "--auth" {
                *text = login(text);
            } else if is_secret_name(name)
                && (name.starts_with('-') && !name.contains('=') || pair && is_variable(name))
            {
                *text = MASK.to_owned();
            }
        }
        for item in items {
            let Value::String(word) = item else { continue };
            let Some((name, text)) = word.split_once('=') else { continue };
            let option = name.strip_prefix("--").unwrap_or_default().replace('-', "_");
            if is_hook(&option) {
                *word = format!("{name}={}", program(text));
            } else if name == "--auth" {
                *word = format!("{name}={}", login(text));
            }
        }
    }
}

/// What programs among these words take as passwords: in which word, and where.
fn by_program(words: &[String]) -> Vec<(usize, Range<usize>)> {
    let mut found = Vec::new();
    programs::passwords(&words.join(" "), &mut found);
    let mut begin = 0;
    let mut out = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let inside = found.iter().filter(|range| range.start >= begin && range.end <= begin + word.len());
        out.extend(inside.map(|range| (at, range.start - begin..range.end - begin)));
        begin += word.len() + 1;
    }
    // The last first, so that what is replaced moves nothing that is still to be.
    out.reverse();
    out
}

/// Options whose value is a command of the user's.
fn is_hook(key: &str) -> bool {
    matches!(key, "before" | "after" | "settle" | "prepare" | "load_command")
}

/// A key that is no key of ours: those are in lower case.
fn is_variable(key: &str) -> bool {
    key.contains(|c: char| c.is_ascii_uppercase())
}

/// `mysql ...`, of a shell's text: its program alone.
fn program(text: &str) -> String {
    let word = text.split_whitespace().find(|word| !word.contains('=')).unwrap_or_default();
    let name = word.rsplit('/').next().unwrap_or_default().trim_matches(['"', '\'', '(', ';', '&', '|', '`', '$']);
    let whole = text.trim() == word;
    if whole { name.to_owned() } else { format!("{name} ...") }
}

fn login(text: &str) -> String {
    let user = text.split(':').next().unwrap_or_default();
    format!("{user}:{MASK}")
}

/// Replaces `word` where no letter or digit stands beside it.
fn replace_word(text: &str, word: &str, instead: &str) -> String {
    if !text.contains(word) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(word) {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '-');
        if apart(before) && apart(after) && at >= from {
            out.push_str(&text[from..at]);
            out.push_str(instead);
            from = at + word.len();
        }
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn redactor() -> Redactor {
        let hidden = Hidden {
            home: Some("/srv/people/alice".to_owned()),
            user: Some("alice".to_owned()),
            host: Some("build7".to_owned()),
            values: vec!["planted-in-environment".to_owned()],
            nothing: false,
        };
        Redactor::new(&hidden, None)
    }

    #[test]
    fn homes_users_and_machines() {
        let redactor = redactor();
        assert_eq!(
            redactor.text("/srv/people/alice/app/x.php on build7 as alice@build7"),
            "~/app/x.php on HOST as USER@HOST"
        );
        assert_eq!(redactor.text("malice, alice-in-chains"), "malice, alice-in-chains");
        assert_eq!(redactor.text("alice"), "alice");
        assert_eq!(redactor.text("it said planted-in-environment!"), "it said ***!");
    }

    #[test]
    fn values_by_their_keys() {
        let mut value = json!({
            "event": "plan", "pass": "measure",
            "before": "/usr/bin/mysql -pgeheim db",
            "environment": { "DB_PASSWORD": "x", "A": "b" },
            "env": [["API_TOKEN", "abc"], ["A", "b"]],
            "typed": ["--before", "A=1 mysql -pgeheim", "--after=psql x", "--auth", "me:geheim", "--", "php", "--password", "y"],
            "hidden": { "home": "/srv/people/alice" },
        });
        redactor().value(&mut value);
        assert_eq!(
            value,
            json!({
                "event": "plan", "pass": "measure",
                "before": "mysql ...",
                "environment": { "DB_PASSWORD": "***", "A": "b" },
                "env": [["API_TOKEN", "***"], ["A", "b"]],
                "typed": ["--before", "mysql ...", "--after=psql ...", "--auth", "me:***", "--", "php", "--password", "***"],
                "hidden": {},
            })
        );
    }

    #[test]
    fn passwords_by_the_program_that_takes_them() {
        let mut value = json!(["mysql", "-hdb", "-pab", "shop", "sh", "-c", "A=1 mysql -pcd; mysqldump -pef"]);
        redactor().value(&mut value);
        assert_eq!(value, json!(["mysql", "-hdb", "-p***", "shop", "sh", "-c", "A=1 mysql -p***; mysqldump -p***"]));
        let command = ["sshpass", "-p", "geheim77", "ssh"].map(str::to_owned);
        assert_eq!(Redactor::of_typed(&Hidden::default(), &command).text("it said geheim77"), "it said ***");
    }

    #[test]
    fn a_login_that_was_typed_wherever_a_server_prints_it() {
        let said = "bob:hunterAUTH3, (hunterAUTH3) aHVudGVyQVVUSDM= AGJvYgBodW50ZXJBVVRIMw== AGJvYgBodW50ZXJBVVRIMw.";
        for typed in [&["--auth", "bob:hunterAUTH3"][..], &["--auth=bob:hunterAUTH3"]] {
            let typed: Vec<String> = typed.iter().map(|word| (*word).to_owned()).collect();
            let redactor = Redactor::of_typed(&Hidden::default(), &typed);
            assert_eq!(redactor.text(said), "bob:***, (***) *** *** ***.");
        }
    }

    #[test]
    fn nothing_is_hidden_where_that_was_asked_but_terminals_are_safe() {
        let open = Redactor::new(&Hidden { nothing: true, ..Hidden::default() }, None);
        assert_eq!(open.text("DB_PASSWORD=hunter2 \u{1b}[2J"), "DB_PASSWORD=hunter2 \u{fffd}[2J");
    }
}
