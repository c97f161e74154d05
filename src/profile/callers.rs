//! Which calls lead from code of the program itself to functions of its libraries. Values, and what is asked.

/// What is looked for.
pub trait Sought: std::fmt::Debug {
    /// Whether a file belongs to a library. Built-in functions do: they hand calls on.
    fn is_library(&self, file: &str) -> bool;

    /// The number of a function whose callers are wanted.
    fn target(&self, file: &str, name: &str) -> Option<u32>;
}

/// A line outside all libraries that calls into one, by which a function there was reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caller {
    /// The function that was reached, as [`Sought::target`] counts.
    pub target: u32,
    /// Marks of the recording that stand before the calls.
    pub segment: u32,
    /// The file of the function that calls.
    pub file: String,
    /// That function.
    pub function: String,
    /// The line of its call; 0 where it is not known.
    pub line: u32,
    /// How often.
    pub calls: u64,
}
