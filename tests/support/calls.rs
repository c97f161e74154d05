//! Random call trees.

use proptest::prelude::*;

/// A call that was made.
#[derive(Debug, Clone)]
pub struct Call {
    pub function: u8,
    pub time: i64,
    pub memory: i64,
    pub calls: Vec<Call>,
}

/// Trees of a few functions that call each other and themselves.
pub fn calls() -> impl Strategy<Value = Call> {
    let leaf = (0u8..5, 1i64..5000, 0i64..500).prop_map(|(function, time, memory)| Call {
        function,
        time,
        memory,
        calls: Vec::new(),
    });
    leaf.prop_recursive(6, 60, 5, |inner| {
        (0u8..5, 1i64..5000, 0i64..500, prop::collection::vec(inner, 0..5))
            .prop_map(|(function, time, memory, calls)| Call { function, time, memory, calls })
    })
}
