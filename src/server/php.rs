//! What php says of itself before the run: version, Xdebug, limits. One short run of php.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// What was asked of php, and what it said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhpFacts {
    /// The binary.
    pub binary: PathBuf,
    /// `8.2.36`.
    pub version: String,
    /// Xdebug's version, if it is loaded.
    pub xdebug: Option<String>,
    /// Xdebug's modes where a configuration sets them; the extension's own default is not told.
    pub xdebug_mode: String,
    /// Both pcntl functions that the graceful stop needs are there.
    pub pcntl: bool,
    /// In bytes; negative without one.
    pub memory_limit: i64,
    /// A prepended file that is configured already.
    pub auto_prepend_file: String,
    /// Loaded php.ini.
    pub ini: String,
    /// Opcache is on for the command line.
    pub opcache_cli: bool,
    /// Thread-safe build.
    pub zts: bool,
    /// `xdebug.file_link_format`; empty where it is not set.
    pub editor: String,
}

const SCRIPT: &str = r#"
$limit = ini_get('memory_limit');
$factor = ['k' => 1024, 'm' => 1048576, 'g' => 1073741824][strtolower(substr($limit, -1))] ?? 1;
$off = array_map('trim', explode(',', (string) ini_get('disable_functions')));
echo "\n==profile-run==", json_encode([
    'version' => PHP_VERSION,
    'xdebug' => extension_loaded('xdebug') ? (string) phpversion('xdebug') : null,
    'xdebug_mode' => (string) get_cfg_var('xdebug.mode'),
    'pcntl' => function_exists('pcntl_async_signals') && function_exists('pcntl_signal') && !array_intersect(['pcntl_async_signals', 'pcntl_signal'], $off),
    'memory_limit' => (int) $limit * $factor,
    'auto_prepend_file' => (string) ini_get('auto_prepend_file'),
    'ini' => (string) php_ini_loaded_file(),
    'opcache_cli' => (bool) ini_get('opcache.enable_cli'),
    'zts' => (bool) PHP_ZTS,
    'editor' => (string) (ini_get('xdebug.file_link_format') ?: get_cfg_var('xdebug.file_link_format')),
]);
"#;

/// Asks `php`, with the options that the user typed before the script. `None` where it does not answer.
pub fn ask(php: &Path, options: &[String], cwd: &Path, env: &BTreeMap<String, String>) -> Option<PhpFacts> {
    let mut command = Command::new(php);
    command.current_dir(cwd).envs(env).env("XDEBUG_MODE", "off").env_remove("XDEBUG_CONFIG");
    answer(command, php, options)
}

/// The same in a container, whose engine runs programs there by the words `exec`.
pub fn ask_in_container(exec: &[String], php: &Path, options: &[String]) -> Option<PhpFacts> {
    let (engine, rest) = exec.split_first()?;
    let mut command = Command::new(engine);
    command.args(rest).arg(php);
    answer(command, php, options)
}

fn answer(mut command: Command, php: &Path, options: &[String]) -> Option<PhpFacts> {
    let output = command
        .args(options)
        // What the user's prepended file prints or does is not wanted here, only its name.
        .args(["-r", SCRIPT])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let json = text.rsplit("==profile-run==").next()?;
    let mut facts: PhpFacts = serde_json::from_str::<serde_json::Value>(json).ok().and_then(|mut value| {
        value.as_object_mut()?.insert("binary".to_owned(), serde_json::json!(php));
        serde_json::from_value(value).ok()
    })?;
    if facts.memory_limit <= 0 {
        facts.memory_limit = -1;
    }
    Some(facts)
}
