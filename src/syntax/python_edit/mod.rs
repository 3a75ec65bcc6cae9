//! Edits of Python: the smallest change of text that makes one change of meaning.
//!
//! Every function is pure: it reads a module and returns [`Edit`]s of the file the module came from, a notebook included.
//! Two rules hold throughout. A comment is never lost: one that stands inside removed code moves to a line of its own, and
//! where no line can take it the edit is refused. And a layout is followed, never chosen: one item per line stays one item
//! per line, a trailing comma stays or stays away, new lines end as the file's lines do.

mod arguments;
mod comma;
mod imported;
mod imports;
mod layout;
mod parameters;
mod scopes;
mod statements;
mod unused;
mod usage;

use std::ops::Range;

use super::{Edit, python::PythonModule};

pub use arguments::{
    insert_keyword, insert_keywords, name_positional, remove_argument, remove_arguments, rename_argument, set_value,
};
pub use imported::{bring, move_imports, replace_class};
pub use parameters::{Method, add_parameters, methods};
pub use statements::insert_before;
pub use unused::{UnusedValue, remove_unused_after, remove_unused_reference, unused_value};

/// Why an edit cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// There is no place to keep a comment of the code that goes.
    #[error("the comment `{0}` would be lost")]
    Comment(String),
    /// Positional arguments find their parameter by place.
    #[error("the positional arguments after it would change their meaning")]
    WouldShift,
    /// The call has it already.
    #[error("`{0}` is passed already")]
    Duplicate(String),
    /// The span is not an argument, a dictionary's entry or a call.
    #[error("there is no such code")]
    NotFound,
    /// `f(x for x in xs)` takes no second argument.
    #[error("a generator that is the only argument needs parentheses first")]
    BareGenerator,
}

/// A change in a module's own text, before it is mapped to the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    range: Range<usize>,
    text: String,
}

impl Change {
    fn new(range: Range<usize>, text: impl Into<String>) -> Self {
        Self { range, text: text.into() }
    }

    fn delete(range: Range<usize>) -> Self {
        Self::new(range, "")
    }
}

/// The edits of the file. Changes that touch become one, so that what is left is well apart.
fn edits(module: &PythonModule, mut changes: Vec<Change>) -> Vec<Edit> {
    changes.sort_by_key(|change| (change.range.start, change.range.end));
    let mut joined: Vec<Change> = Vec::new();
    for change in changes {
        match joined.last_mut() {
            Some(last) if last.range.end >= change.range.start => {
                last.range.end = last.range.end.max(change.range.end);
                last.text.push_str(&change.text);
            }
            _ => joined.push(change),
        }
    }
    let edit = |change: Change| Edit {
        span: module.span(layout::text_range(&change.range)),
        text: module.escape(&change.text),
    };
    joined.into_iter().map(edit).collect()
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
