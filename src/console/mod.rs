//! Progress and closing table, drawn from journal events alone.

mod closing;
mod json;
mod progress;
mod redacting;
mod style;

pub use closing::{Closing, closing};
pub use json::JsonLines;
pub use progress::{Console, Detail};
pub use redacting::Redacting;
pub use style::Style;
