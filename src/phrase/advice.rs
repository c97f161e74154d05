//! What went otherwise than it should, and what to do about it.

use super::{grouped, plural};

/// The option that gives a PHP server a longer accept queue.
const PHP_BACKLOG: &str = "stream_context_create(['socket' => ['backlog' => 511]])";

/// Connections that the kernel lost at the server's accept queue, which holds `backlog` (0: not known); none where none
/// was lost.
pub fn lost_connections(lost: u64, backlog: u32) -> Option<String> {
    let queue = match backlog {
        0 => "its accept queue was full".to_owned(),
        backlog => format!("its accept queue holds {}", grouped(u64::from(backlog))),
    };
    (lost > 0).then(|| {
        format!(
            "{} never reached the server ({queue}) and {} opened again; in PHP a longer queue is {PHP_BACKLOG}",
            plural(lost, "connection"),
            if lost == 1 { "was" } else { "were" }
        )
    })
}

/// How a server gets a longer accept queue.
pub fn longer_queue() -> String {
    format!(
        "Connections that come at once are lost beyond it, and opened again. In PHP a longer queue is {PHP_BACKLOG}."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_connections_name_the_queue_and_the_option() {
        assert_eq!(lost_connections(0, 32), None);
        let text = lost_connections(8, 32).expect("some were lost");
        assert!(
            text.starts_with("8 connections never reached the server (its accept queue holds 32) and were"),
            "{text}"
        );
        assert!(text.contains("'backlog' => 511"), "{text}");
        assert!(lost_connections(1, 0).expect("one").contains("was full) and was opened"));
    }
}
