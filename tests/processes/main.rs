//! What reads processes, tested on this very process: alone in a program, since other tests would change what it sees.

mod sampler;
mod watch;
