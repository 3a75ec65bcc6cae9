//! One parser per format, one [`Document`] shape for all of them, and edits at the level of entries.
//!
//! Parsing never fails: a document comes back with what could be read and with [`SyntaxError`]s. This layer knows
//! nothing of training. Python is kept as its syntax tree ([`python::PythonModule`]), since the evaluator walks it;
//! its calls and dictionaries are shown as [`Entry`] lists to the edits, like every other format.

mod document;
pub mod python;

pub use document::{Document, Edit, Entry, Format, Key, Node, NodeKind, Scalar, SyntaxError};
