//! The command of a container's client: which one it is, what it would do, and the same with our words among its own.
//! Pure.

use std::collections::BTreeMap;

use super::engine::Engine;
use super::options::{BEFORE, Given, RUN, read};
use crate::server::TargetError;
use crate::server::command::base;
use crate::server::launch::MARK;
use crate::server::settings::Settings;

/// The label of containers that a run started; the launch's mark is its value.
pub const LABEL: &str = "profile-run";

/// Programs that are clients of containers.
const CLIENTS: [&str; 6] = ["docker", "podman", "nerdctl", "docker-compose", "podman-compose", "kubectl"];

/// The engines of those that can be used from outside.
const ENGINES: [&str; 2] = ["docker", "podman"];

/// A command that starts one container and stays with it: `docker run`, `docker compose run`, `podman run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The words by which its engine is asked: the client, what stands before it, and its own options.
    engine: Vec<String>,
    /// Up to `run`, that included.
    before: Vec<String>,
    given: Vec<Given>,
    /// Image or service, and what it is to run.
    rest: Vec<String>,
    compose: bool,
}

/// Where a command names a container's client, first or behind a wrapper.
pub fn find(argv: &[String], is_wrapper: impl Fn(&str) -> bool, is_program: impl Fn(&str) -> bool) -> Option<usize> {
    let is_client = |word: &str| CLIENTS.contains(&base(word));
    let first = argv.first()?;
    if is_client(first) {
        return Some(0);
    }
    if !is_wrapper(first) && !matches!(base(first), "sudo" | "doas") {
        return None;
    }
    // Before the program stand options, their values and assignments.
    let is_program = |word: &str| !word.starts_with('-') && !word.contains('=') && is_program(word);
    let at = argv.iter().skip(1).position(|word| is_client(word) || is_program(word))? + 1;
    is_client(&argv[at]).then_some(at)
}

impl Client {
    /// Understands a command whose word at `at` is a client.
    ///
    /// # Errors
    /// It does not start a container that it stays with; what to do instead.
    pub fn understand(argv: &[String], at: usize) -> Result<Self, TargetError> {
        let name = base(&argv[at]);
        let (given, read_words) = read(&argv[at + 1..], BEFORE);
        let mut run = at + 1 + read_words;
        let mut engine = argv[..run].to_vec();
        let mut compose = name == "docker-compose";
        if compose {
            // The containers are those of docker itself.
            engine.truncate(at);
            engine.push("docker".to_owned());
        }
        let refused = |what: &[&str], advice: String| {
            Err(TargetError::ContainerClient { command: [&[name], what].concat().join(" "), advice })
        };
        let word = |at: usize| argv.get(at).map(String::as_str).unwrap_or_default();
        match word(run) {
            "container" => run += 1,
            "compose" if name == "docker" => {
                compose = true;
                run += 1;
                run += read(&argv[run..], BEFORE).1;
            }
            _ => {}
        }
        let what = word(run);
        if !compose && !ENGINES.contains(&name) || name == "podman" && what == "compose" {
            return refused(
                &[],
                "only docker, docker compose and podman are known from outside. Run profile-run inside the container \
                 (docs/install.md has the lines)"
                    .to_owned(),
            );
        }
        let words = &argv[(run + 1).min(argv.len())..];
        match what {
            "run" => {}
            "exec" => {
                let inside = exec_inside(&argv[..=run], words);
                return refused(
                    &["exec"],
                    format!(
                        "what it starts would live in a container that is not this run's. Run profile-run inside: `{inside}`; \
                         or judge a server that runs there with `profile-run --attach CONTAINER`"
                    ),
                );
            }
            "start" | "attach" | "restart" | "up" | "create" => {
                let instead = if compose { "compose run SERVICE" } else { "run IMAGE" };
                return refused(
                    &[what],
                    format!(
                        "a container that is there already is not this run's to stop. Start it and judge it with \
                         `profile-run --attach CONTAINER`, or give `{instead}` as the command"
                    ),
                );
            }
            _ => {
                return refused(
                    &[what],
                    "it starts no server. Give `docker run IMAGE COMMAND`, `docker compose run SERVICE COMMAND` or \
                     `podman run IMAGE COMMAND`, or run profile-run inside the container"
                        .to_owned(),
                );
            }
        }
        let (run_given, read_words) = read(words, RUN);
        let client = Self {
            engine,
            before: argv[..=run].to_vec(),
            given: run_given,
            rest: words[read_words..].to_vec(),
            compose,
        };
        if client.rest.is_empty() {
            return refused(&["run"], "it names no image and no service".to_owned());
        }
        if client.given.iter().any(|option| option.is(&["-d", "--detach"]) && option.is_on()) {
            return refused(
                &["run", "--detach"],
                "the client would leave the container at once. Leave -d out, or start the container and judge it with \
                 `profile-run --attach CONTAINER`"
                    .to_owned(),
            );
        }
        if client
            .given
            .iter()
            .any(|option| option.is(&["--restart"]) && option.value.as_deref().is_some_and(|policy| policy != "no"))
        {
            return refused(
                &["run", "--restart"],
                "a server that is started again by the engine cannot be stopped, and its end would not be seen. Leave --restart out"
                    .to_owned(),
            );
        }
        if let Some(host) = remote(&given).or_else(remote_by_environment) {
            return Err(TargetError::ContainerElsewhere { place: format!("at {host}"), inside: client.inside() });
        }
        Ok(client)
    }

    /// The engine that has the container of the launch marked so.
    pub fn engine(&self, mark: &str) -> Engine {
        Engine { words: self.engine.clone(), mark: mark.to_owned() }
    }

    /// The settings of a pass, and the plan's variables, as words of the client: what would have been set for a process is
    /// set for the container. `mounts` are folders of ours, and whether the container may write there.
    pub fn launched(
        &self,
        settings: Settings,
        variables: &[(String, String)],
        mounts: &[(String, bool)],
        mark: &str,
    ) -> Settings {
        let mut set: BTreeMap<String, String> = variables.iter().cloned().collect();
        // No client can take a variable away that an image has; an empty one says nothing.
        set.extend(settings.remove.iter().map(|name| (name.clone(), String::new())));
        set.extend(settings.set);
        let ours: Vec<String> = set.keys().cloned().collect();
        set.insert(MARK.to_owned(), mark.to_owned());
        let mut argv = self.before.clone();
        argv.push("--rm".to_owned());
        if self.compose {
            argv.push("-T".to_owned());
        }
        argv.extend(["--label".to_owned(), format!("{LABEL}={mark}")]);
        for (name, value) in set {
            argv.extend(["-e".to_owned(), format!("{name}={value}")]);
        }
        for (folder, writable) in mounts {
            let mode = if *writable { "rw" } else { "ro" };
            argv.extend(["-v".to_owned(), format!("{folder}:{folder}:{mode},z")]);
        }
        let kept = self.given.iter().filter(|option| !is_replaced(option, &ours)).cloned();
        argv.extend(kept.flat_map(Given::words));
        argv.extend(self.command(&settings.argv).iter().cloned());
        Settings { argv, set: BTreeMap::new(), remove: Vec::new(), ..settings }
    }

    /// Image or service and the server's own command, as they stand at the end of `argv`.
    fn command<'a>(&self, argv: &'a [String]) -> &'a [String] {
        &argv[argv.len().saturating_sub(self.rest.len())..]
    }

    /// The value that a variable has among the client's words.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let values = self.given.iter().filter(|option| option.is(&["-e", "--env"]));
        values.filter_map(|option| option.value.as_deref()?.split_once('=')).rfind(|(key, _)| *key == name).map(|v| v.1)
    }

    /// The line that runs profile-run inside such a container.
    pub fn inside(&self) -> String {
        let program = std::env::current_exe().map_or("profile-run".to_owned(), |path| path.display().to_string());
        let mut words = self.before.clone();
        words.extend(["-v".to_owned(), format!("{program}:/usr/local/bin/profile-run:ro")]);
        words.extend(self.given.iter().cloned().flat_map(Given::words));
        let (image, command) = self.rest.split_at(1);
        words.extend(image.iter().cloned());
        words.extend(["profile-run".to_owned(), "--".to_owned()]);
        match command {
            [] => words.push("COMMAND".to_owned()),
            command => words.extend(command.iter().cloned()),
        }
        line(&words)
    }
}

/// What of the user's words ours stand for: terminals, as there is none; what is removed at the end, and that it is; what
/// can be done once only.
fn is_replaced(option: &Given, ours: &[String]) -> bool {
    if option.is(&["-e", "--env"]) {
        let name = option.value.as_deref().unwrap_or_default().split('=').next().unwrap_or_default();
        return ours.iter().any(|own| own == name);
    }
    option.is(&["-i", "--interactive", "-t", "--tty", "-T", "--no-TTY", "--rm", "--rmi", "--cidfile"])
}

/// `docker exec smtp php x` as `docker exec smtp profile-run -- php x`.
fn exec_inside(before: &[String], words: &[String]) -> String {
    let (given, at) = read(words, &["-d", "--detach", "-i", "--interactive", "--privileged", "-t", "--tty", "-T"]);
    let mut all = before.to_vec();
    all.extend(given.into_iter().flat_map(Given::words));
    let mut rest = words[at..].iter().cloned();
    all.push(rest.next().unwrap_or_else(|| "CONTAINER".to_owned()));
    all.extend(["profile-run".to_owned(), "--".to_owned()]);
    all.extend(rest);
    line(&all)
}

/// A host that is not this one, among the client's own options.
fn remote(given: &[Given]) -> Option<String> {
    let hosts = given.iter().filter(|option| option.is(&["-H", "--host", "--url"]));
    hosts.filter_map(|option| option.value.clone()).find(|host| is_remote(host))
}

/// The same in the environment.
fn remote_by_environment() -> Option<String> {
    ["DOCKER_HOST", "CONTAINER_HOST"].iter().filter_map(|name| std::env::var(name).ok()).find(|host| is_remote(host))
}

fn is_remote(host: &str) -> bool {
    let Some((scheme, place)) = host.split_once("://") else { return false };
    let is_here = ["localhost", "127.", "[::1]"].iter().any(|start| place.starts_with(start));
    matches!(scheme, "ssh") || matches!(scheme, "tcp" | "http" | "https") && !is_here
}

/// Words as a shell takes them.
fn line(words: &[String]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+,@%:=".contains(c);
    let quoted = |word: &String| match word.chars().all(plain) && !word.is_empty() {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn argv(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn at(line: &str) -> Option<usize> {
        find(&argv(line), |word| matches!(word, "env" | "timeout" | "nice"), |word| matches!(word, "php" | "sh"))
    }

    fn understood(line: &str) -> Result<Client, TargetError> {
        Client::understand(&argv(line), at(line).expect("a client"))
    }

    fn launched(line: &str, set: &[(&str, &str)], variables: &[(&str, &str)], mounts: &[(&str, bool)]) -> String {
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let settings = Settings {
            argv: argv(line),
            set: owned(set).into_iter().collect(),
            remove: vec!["XDEBUG_CONFIG".to_owned()],
            files: Vec::new(),
            profile_folder: Some(PathBuf::from("/p")),
            notes: Vec::new(),
        };
        let mounts: Vec<_> = mounts.iter().map(|(folder, writable)| ((*folder).to_owned(), *writable)).collect();
        let launched = understood(line).unwrap().launched(settings, &owned(variables), &mounts, "7-a.1");
        assert!(launched.set.is_empty() && launched.remove.is_empty());
        launched.argv.join(" ")
    }

    #[test]
    fn a_client_behind_a_wrapper_and_words_that_only_name_one() {
        for (line, found) in [
            ("docker run x", Some(0)),
            ("env A=1 docker compose up", Some(2)),
            ("timeout 90 podman run x", Some(2)),
            ("sudo -E docker run x", Some(2)),
            ("env sh serve.sh docker", None),
            ("sh -c docker", None),
        ] {
            assert_eq!(at(line), found, "{line}");
        }
    }

    #[test]
    fn ours_stand_behind_run_and_the_server_keeps_its_own() {
        let ours = "--label profile-run=7-a.1 -e PROFILE_RUN_ID=7-a.1 -e XDEBUG_CONFIG= -e XDEBUG_MODE=off";
        let off = &[("XDEBUG_MODE", "off")];
        for (line, expected) in [
            ("docker run IMAGE php -d a=1 x", format!("docker run --rm {ours} IMAGE php -d a=1 x")),
            (
                "docker --context far container run --rm -it -p 25:25 -e XDEBUG_MODE=debug -e XDEBUG_CONFIG -e B=1 IMAGE",
                format!("docker --context far container run --rm {ours} -p 25:25 -e B=1 IMAGE"),
            ),
            (
                "docker compose -f a.yml --profile x run --service-ports smtp php x",
                format!("docker compose -f a.yml --profile x run --rm -T {ours} --service-ports smtp php x"),
            ),
            ("docker-compose -p x run -T smtp", format!("docker-compose -p x run --rm -T {ours} smtp")),
            (
                "sudo podman --runtime runc run --rmi --ulimit nofile=64:64 IMAGE php -t",
                format!("sudo podman --runtime runc run --rm {ours} --ulimit nofile=64:64 IMAGE php -t"),
            ),
        ] {
            assert_eq!(launched(line, off, &[], &[]), expected);
        }
    }

    #[test]
    fn variables_of_the_plan_and_folders_are_given_to_the_container() {
        let line = "podman run -e A=0 -e C=3 IMAGE";
        let mounts = &[("/t/php", false), ("/t/drop", true)];
        assert_eq!(
            launched(line, &[], &[("A", "1"), ("B", "b c")], mounts),
            "podman run --rm --label profile-run=7-a.1 -e A=1 -e B=b c -e PROFILE_RUN_ID=7-a.1 -e XDEBUG_CONFIG= \
             -v /t/php:/t/php:ro,z -v /t/drop:/t/drop:rw,z -e C=3 IMAGE"
        );
        assert_eq!(understood(line).unwrap().variable("C"), Some("3"));
    }

    #[test]
    fn how_the_engine_is_asked() {
        for (line, words) in [
            ("docker --context far compose -f a.yml run smtp", "docker --context far"),
            ("sudo -E docker run x", "sudo -E docker"),
            ("docker-compose -f a.yml run smtp", "docker"),
            ("podman --root /r run x", "podman --root /r"),
        ] {
            assert_eq!(understood(line).unwrap().engine("m").words, argv(words), "{line}");
        }
    }

    #[test]
    fn what_starts_no_container_of_ours_is_told_what_to_do() {
        for (line, part) in [
            ("docker exec -it smtp php x", "docker exec -i -t smtp profile-run -- php x"),
            ("docker start -a smtp", "--attach CONTAINER"),
            ("docker compose up", "compose run SERVICE"),
            ("docker-compose up smtp", "compose run SERVICE"),
            ("kubectl run x", "inside the container"),
            ("nerdctl run x", "inside the container"),
            ("docker build .", "it starts no server"),
            ("docker", "it starts no server"),
            ("docker run -itd x", "Leave -d out"),
            ("docker run --restart always x", "Leave --restart out"),
            ("docker run --rm", "names no image"),
            ("docker -H ssh://far run x php y", "run -v"),
            ("docker --host=tcp://10.0.0.1:2375 run x php y", "x profile-run -- php y"),
        ] {
            let why = understood(line).expect_err(line).to_string();
            assert!(why.contains(part), "{line}: {why}");
        }
        assert!(understood("docker -H tcp://localhost:2375 run x").is_ok());
        assert!(understood("docker run --restart no x").is_ok());
    }
}
