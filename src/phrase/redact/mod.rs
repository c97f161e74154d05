//! Hiding secrets in what a run hands on: HTML, JSON, Markdown, console, exports, messages.
//!
//! A secret is known by the name that it stands behind (`DB_PASSWORD=`, `--token`, `"apiKey":`), by its form (a URL with
//! a password, a bearer token, a JWT, a private key), by the program that takes it (`mysql -p...`), or as a value that the plan was given under such a name and that
//! shows up again elsewhere. Pure: text in, text out.

mod login;
mod names;
mod programs;
mod redactor;
mod scan;
mod text;

pub use names::is_secret_name;
pub use redactor::Redactor;
pub use text::printable;
