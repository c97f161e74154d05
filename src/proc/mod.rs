//! Pure readers of /proc, sock_diag, maps: text or bytes in, struct out.

pub mod elf;
pub mod maps;
pub mod remote;
