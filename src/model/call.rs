//! A call of a library, and the ways in which the project starts the script around it.

use std::path::PathBuf;
use std::sync::Arc;

use super::Environment;
use crate::eval::{Argument, CallEvent, Const, Flag, FlagId, Trace};
use crate::source::Span;

/// One place in a script where a class or function of a known library is called, with everything that decides what it gets.
#[derive(Debug, Clone)]
pub struct LibraryCall {
    /// Whether it builds a trainer.
    pub trains: bool,
    /// The script that was evaluated.
    pub script: PathBuf,
    /// What the evaluation left behind; [`Self::call`] is one of its calls.
    pub trace: Arc<Trace>,
    /// Index of the call in [`Trace::calls`].
    pub call: usize,
    /// The call, where no script writes it: a parser makes it of what an argument file or a launch line sets.
    pub parsed: Option<Arc<CallEvent>>,
    /// The ways in which the project starts the script. Never empty: without a launch line or an argument file there is one
    /// variant, the defaults.
    pub variants: Arc<[Variant]>,
    /// Which releases the script gets.
    pub environment: Arc<Environment>,
}

/// One way to start a script.
#[derive(Debug, Clone, Default)]
pub struct Variant {
    /// The launch line or the argument file; `None`: nothing starts the script, the defaults hold.
    pub origin: Option<Span>,
    /// What it sets, argument file first, launch line last: the last one wins.
    pub settings: Vec<Setting>,
    /// Options of the launch line and keys of the argument file that no flag of the script answers to.
    pub strays: Vec<Stray>,
    /// Whether nothing but the path of the argument file says that it is for this script.
    pub is_guessed: bool,
    /// Whether it may set more than is known (`"$@"`, an argument file that is not there): what it does not set need not have
    /// its default.
    pub is_open: bool,
}

/// A value that a launch line, an argument file or a default decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The flag it sets.
    pub flag: FlagId,
    /// The value as the parser converts it; `None` when it cannot be told.
    pub value: Option<Const>,
    /// The items, where it is a list and all of them can be told.
    pub items: Option<Vec<Const>>,
    /// Where it stands.
    pub origin: Span,
}

/// A name that no flag of the script answers to.
#[derive(Debug, Clone, PartialEq)]
pub struct Stray {
    /// As it is written, without dashes before it.
    pub name: String,
    /// Whether it is a key of an argument file, and not an option on a launch line.
    pub is_key: bool,
    /// Where it stands.
    pub origin: Span,
}

impl LibraryCall {
    /// The call itself.
    pub fn call(&self) -> &CallEvent {
        self.parsed.as_deref().unwrap_or_else(|| &self.trace.calls[self.call])
    }

    /// Its arguments.
    pub fn arguments(&self) -> &[Argument] {
        &self.call().object.args
    }

    /// A flag of the script.
    pub fn flag(&self, id: FlagId) -> &Flag {
        &self.trace.flags[id.0 as usize]
    }
}

impl Variant {
    /// What this variant sets a flag to: the last setting wins.
    pub fn setting(&self, flag: FlagId) -> Option<&Setting> {
        self.settings.iter().rev().find(|setting| setting.flag == flag)
    }
}
