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
mod device;
#[cfg(test)]
mod edge_tests;
mod error;
#[cfg(test)]
mod golden_tests;
#[cfg(all(test, feature = "cuda"))]
mod gpu_tests;
mod kernels;
pub mod loss;
pub mod made;
pub mod memory;
pub mod model;
mod open;
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

/// Does the work of a test on one thread: tests run beside each other already, and tasks as small as theirs take less time than to
/// hand them on. Numbers do not depend on the number of threads.
#[cfg(test)]
fn alone<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread").install(work)
}

pub use checks::{Check, Checker};
pub use device::Device;
pub use error::RunError;
pub use model::{Config, Family, Model};
pub use spec::{
    Accumulated, AccumulationEnd, BiasTraining, Divergence, Era, Likelihood, LoraSpec, LossKind, OptimizerSpec, Pair,
    Quirks, Reference, RunSpec, Schedule, Targets, Truncation, Weighting,
};
pub use trainer::{StepMetrics, Trainer};
