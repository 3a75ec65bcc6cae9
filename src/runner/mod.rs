//! Trains a run as the linter read it, in this process: DPO with an adapter, by candle, on a small model or on the user's own.
//!
//! It gets a [`RunSpec`] and files, and gives a report. It never reads a configuration of the user's: what is set and where
//! is the linter's business.

#![allow(clippy::doc_markdown, clippy::similar_names, reason = "LoRA, DoRA and TRL are names, and so are q, k and v")]
#![allow(clippy::inline_always, reason = "only what is inlined is compiled for the vector instructions of the machine")]
#![expect(clippy::cast_precision_loss, reason = "counts of tokens and steps are far below what a float holds exactly")]

pub mod adapter;
pub mod checks;
pub mod data;
mod error;
#[cfg(test)]
mod golden_tests;
mod kernels;
pub mod loss;
pub mod made;
pub mod model;
mod optimizer;
pub mod rng;
mod schedule;
#[cfg(test)]
mod schedule_tests;
pub mod session;

mod spec;
mod template;
pub mod tiny;
pub mod tokenizer;
mod trainer;

pub use checks::{Check, Checker};
pub use error::RunError;
pub use model::{Config, Family, Model};
pub use spec::{
    Accumulated, AccumulationEnd, BiasTraining, Divergence, Era, Likelihood, LoraSpec, LossKind, OptimizerSpec, Pair,
    Quirks, Reference, RunSpec, Schedule, Targets, Truncation, Weighting,
};
pub use trainer::{StepMetrics, Trainer};
