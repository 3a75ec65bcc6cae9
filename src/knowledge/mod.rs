//! What each release of each library accepts, rejects and exports. Data under `schemas/knowledge`, no I/O.
//!
//! A [`Package`] answers questions about one library. Facts hold for a [`ReleaseSet`]; conditions are Python expressions over
//! the parameters of a callable (`ref_model is not None and peft_config is not None`), which the evaluator reads.

mod alike;
mod bundled;
mod callables;
mod closure;
mod consumers;
mod curated;
mod exports;
mod imported;
mod imports;
mod intervals;
mod joined;
mod later;
mod learnt;
mod needs;
mod neighbours;
mod overrides;
mod pack;
mod package;
mod parts;
mod query;
#[cfg(test)]
mod query_tests;
mod refusal;
mod release_set;
mod runs;
mod stored;
mod trees;

pub use alike::{Alike, Aspect};
pub use bundled::Knowledge;
pub use closure::{Asked, Installed, Presence, Reason, Refusal, Verdict};
pub use consumers::{Consumer, DataKind, Pick, Pointless, Reading};
pub use curated::{
    AdapterReference, AdapterWaker, BaseCall, Curated, Effect, HeadRefusal, Instead, LostMethods, OwnArgument,
    ParserName, Passed, Rewrite, StartCheck, TargetWord,
};
pub use imported::{Act, Found, ImportLine, ImportedModule, ModuleLines, NameLine, When};
pub use imports::{Checks, ImportGraph, Imports, Minimum};
pub use later::{LaterCheck, LaterChoice};
pub use learnt::{Learnt, LearntError};
pub use needs::Need;
pub use neighbours::{Brings, Clash, Neighbours};
pub use package::{Package, write_intervals};
pub use query::{DefaultChange, Resolution, Signature, Takes};
pub use release_set::ReleaseSet;
pub use runs::{Case, Forced, Rejected, Runs};
pub use stored::{
    Callable, CallableKind, Export, Fact, Forward, Guard, Kind, Method, Module, Names, Parameter, Read, Release,
    Returns,
};
pub use trees::{RefusedTree, Tree};

/// Knowledge that cannot be read: a damaged bundled file or a user's own.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not the JSON that `schemas/knowledge.schema.json` describes.
    #[error("knowledge of {package}: {source}")]
    Json {
        /// The package.
        package: String,
        /// What and where.
        source: serde_json::Error,
    },
    /// A version or an interval that is none.
    #[error("knowledge of {package}: {what}")]
    Content {
        /// The package.
        package: String,
        /// What is wrong.
        what: String,
    },
}
