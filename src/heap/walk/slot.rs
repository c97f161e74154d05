//! Containers as code names them: a property, a static one, a variable.

/// A named place that holds a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// A property of the class that first declares it; `None`: of an object whose class the code does not tell.
    Property(Option<String>, String),
    /// A static property of a class.
    Static(String, String),
    /// A static variable of a function, or a variable that a closure uses.
    StaticVariable(String, String),
    /// A global variable.
    Global(String),
    /// A list that the engine keeps, by the function that adds to it.
    Engine(String),
    /// A local variable of a function.
    Local(String, String),
}

/// What grows, told as code can name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// As the census writes it.
    pub path: String,
    /// The named place.
    pub slot: Slot,
    /// Where a chain of objects begins, each of which holds the next one in `slot`.
    pub head: Option<Slot>,
    /// `[]` behind it.
    pub depth: u32,
    /// Its elements lie in an object, which is the same wherever it is handed to.
    pub in_object: bool,
    /// What most of the elements are.
    pub element: String,
}
