//! Scripts are programs: an abstract interpreter for Python that knows no training library.
//!
//! It runs a module without running it: every value is a [`Value`] (known, symbolic, a choice under conditions or
//! unknown), every branch contributes a [`Cond`], and what happens on the way (calls of things outside the project,
//! raises, imports) is written to a [`Trace`]. Two users: the lowering layer runs a project's scripts, the miner runs the
//! constructors of released libraries and keeps the conditions under which they raise. What a library call means is asked
//! of a [`Host`].

mod arguments;
mod assignment;
mod branching;
mod builtins;
mod calls;
mod classes;
mod comprehensions;
mod condition;
mod control;
mod entry;
mod enumerations;
mod exceptions;
mod expressions;
mod functions;
mod imports;
mod interpreter;
mod memo;
mod names;
mod numbers;
mod order;
mod outside;
mod questions;
mod statements;
mod store;
mod trace;
mod truth;
mod value;
mod worlds;

pub use condition::{Assignment, Atom, Cond, Order, Tri};
pub use entry::{condition, expression, expression_with, run_configuration, run_function, run_script};
pub use trace::{
    Argument, AttributeRead, CallEvent, Caller, Flag, FlagId, FlagOwner, Host, ImportEvent, Parser, ParserId,
    ParserKind, RaiseEvent, Summary, Trace,
};
pub use truth::{is_none, same, truth};
pub use value::{Class, Const, Dict, Function, Instance, Object, Root, Symbol, Traced, Value};

#[cfg(test)]
mod tests;
