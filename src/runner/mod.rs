//! Trains a run as the linter read it, in this process: DPO with an adapter, by candle, on a small model or on the user's own.
//!
//! It gets a [`RunSpec`] and files, and gives a report. It never reads a configuration of the user's: what is set and where
//! is the linter's business.

mod spec;

pub use spec::{
    BiasTraining, Divergence, Era, LoraSpec, LossKind, OptimizerSpec, Pair, Precision, Reference, RunSpec, Schedule,
    Targets, Truncation,
};
