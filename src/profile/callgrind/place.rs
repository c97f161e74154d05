//! Where the reader stands: whose costs the next lines are, and whom the next call calls.

use super::sums::{Explicit, Sums, Triple};

/// What the next cost line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Next {
    /// Self cost.
    #[default]
    Own,
    /// Inclusive cost of so many calls of a function.
    Call(u32, u64),
    /// Inclusive cost of calls of nobody.
    Nobody,
    /// The source of a jump.
    Jump,
}

/// Object, file, function; strings by their ids.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Id of the empty string.
    empty: u32,
    object: Option<u32>,
    /// What `fl=` said last: where the functions to come are, and where a function's lines begin.
    home: Option<u32>,
    /// Where the cost lines are: `fi=` and `fe=` move it inside a function.
    file: Option<u32>,
    /// A file was named behind the last cost line.
    fresh: bool,
    name: Option<u32>,
    function_file: Option<u32>,
    /// The function has lines.
    body: bool,
    /// What the above amount to.
    function: Option<u32>,
    share: Option<u32>,
    callee_object: Option<u32>,
    callee_file: Option<u32>,
    callee_name: Option<u32>,
    last_callee: Option<u32>,
}

impl Place {
    pub(super) fn new(empty: u32) -> Self {
        Place { empty, ..Place::default() }
    }

    /// `ob=`.
    pub(super) fn object(&mut self, object: u32) {
        self.object = Some(object);
        self.moved();
    }

    /// `fl=`.
    pub(super) fn home(&mut self, file: u32) {
        self.home = Some(file);
        if !self.body {
            self.function_file = Some(file);
            self.function = None;
        }
        self.inline(file);
    }

    /// `fi=`, `fe=`.
    pub(super) fn inline(&mut self, file: u32) {
        self.file = Some(file);
        self.fresh = true;
        self.share = None;
    }

    /// `fn=`. The function is in the file that was named since the last cost line (some writers have
    /// `fi=` there), otherwise in the last one of `fl=`, however far inlined code has led away from it.
    pub(super) fn name(&mut self, name: u32) {
        self.name = Some(name);
        self.function_file = if self.fresh { self.file } else { self.home.or(self.file) };
        self.file = self.function_file;
        self.body = false;
        self.last_callee = None;
        self.forget_callee();
        self.moved();
    }

    fn moved(&mut self) {
        self.function = None;
        self.share = None;
    }

    /// `cob=`.
    pub(super) fn callee_object(&mut self, object: u32) {
        self.callee_object = Some(object);
    }

    /// `cfi=`, `cfl=`.
    pub(super) fn callee_file(&mut self, file: u32) {
        self.callee_file = Some(file);
    }

    /// `cfn=`.
    pub(super) fn callee_name(&mut self, name: u32) {
        self.callee_name = Some(name);
    }

    fn forget_callee(&mut self) {
        (self.callee_object, self.callee_file, self.callee_name) = (None, None, None);
    }

    /// A name was given by `fn=`.
    pub(super) fn is_named(&self) -> bool {
        self.name.is_some()
    }

    /// The function whose lines are being read; `nameless` stands in where there was no `fn=`.
    pub(super) fn current(&mut self, sums: &mut Sums, nameless: u32) -> u32 {
        self.body = true;
        self.fresh = false;
        if let Some(function) = self.function {
            return function;
        }
        let file = self.function_file.or(self.file).unwrap_or(self.empty);
        let triple: Triple = (self.object.unwrap_or(self.empty), file, self.name.unwrap_or(nameless));
        let function = sums.function(triple, Explicit { object: true, file: true, body: true });
        self.function = Some(function);
        function
    }

    /// Where the next self cost is summed.
    pub(super) fn current_share(&mut self, sums: &mut Sums, nameless: u32) -> u32 {
        let function = self.current(sums, nameless);
        if let Some(share) = self.share {
            return share;
        }
        let share = sums.share(function, self.file.unwrap_or(self.empty));
        self.share = Some(share);
        share
    }

    /// The function that `calls=` calls: in the object and the file of the lines around it, unless they
    /// were named for this call.
    pub(super) fn callee(&mut self, sums: &mut Sums) -> Option<u32> {
        if let Some(name) = self.callee_name {
            let object = self.callee_object.or(self.object).unwrap_or(self.empty);
            let file = self.callee_file.or(self.file).unwrap_or(self.empty);
            let explicit =
                Explicit { object: self.callee_object.is_some(), file: self.callee_file.is_some(), body: false };
            self.last_callee = Some(sums.function((object, file, name), explicit));
        }
        self.forget_callee();
        self.last_callee
    }
}
