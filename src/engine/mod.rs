//! From arguments to findings: which files, which settings, run, suppress.
//!
//! The engine alone applies suppressions, severity overrides and the choice of rules; rules know nothing of them.

pub mod baseline;
pub mod catalogue;
pub mod collect;
pub mod config;
pub mod content;
pub mod diff;
pub mod driver;
pub mod matrix;
pub mod migrate;
mod needles;
pub mod outlook;
pub mod planned;
pub mod repair;
pub mod schema;
pub mod settings;
pub mod suppress;
