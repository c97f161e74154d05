//! The prepended file that lets a server without signal handlers end its profile properly.
//!
//! Xdebug writes the open frames of a profile only when the request ends. SIGTERM without a handler
//! ends the process at once, and with it every frame that was still running: the event loop, `run`,
//! `{main}`. A handler that calls `exit` closes the file. An application that installs its own
//! handler later replaces this one, as it should.

/// Text of the file; `chained` is the user's own prepended file, which still runs.
pub fn text(chained: Option<&str>) -> String {
    let chain = chained
        .map_or_else(String::new, |path| format!("\nrequire '{}';\n", path.replace('\\', "\\\\").replace('\'', "\\'")));
    format!(
        r"<?php
// Written by profile-run: ends this process in order, so that its profile is complete.
(static function (): void {{
    if (PHP_SAPI !== 'cli' || !function_exists('pcntl_async_signals') || !function_exists('pcntl_signal')) {{
        return;
    }}
    $stop = static function (): void {{
        // Xdebug crashes when exit is called inside a fiber; the signal is sent again.
        if (class_exists('Fiber', false) && Fiber::getCurrent() !== null) {{
            return;
        }}
        exit(0);
    }};
    pcntl_async_signals(true);
    pcntl_signal(SIGTERM, $stop);
    pcntl_signal(SIGINT, $stop);
}})();
{chain}"
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_chained_file_is_quoted() {
        assert!(super::text(Some("/a'b.php")).contains(r"require '/a\'b.php';"));
        assert!(!super::text(None).contains("require '"));
    }
}
