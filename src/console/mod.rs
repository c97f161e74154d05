//! Progress and closing table, drawn from journal events alone.

mod closing;
mod json;
mod progress;
mod style;

pub use closing::{Closing, closing};
pub use json::JsonLines;
pub use progress::{Console, Detail};
pub use style::Style;
