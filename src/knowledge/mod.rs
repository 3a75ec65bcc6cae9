//! What each release of each library accepts, rejects and exports. Data under `schemas/knowledge`, no I/O.
//!
//! A [`Package`] answers questions about one library. Facts hold for a [`ReleaseSet`]; conditions are Python expressions over
//! the parameters of a callable (`ref_model is not None and peft_config is not None`), which the evaluator reads.

mod data;
mod release_set;

pub use data::{
    Callable, CallableKind, Export, Fact, Guard, Knowledge, LoadError, Package, Parameter, Read, Release, Returns,
};
pub use release_set::ReleaseSet;
