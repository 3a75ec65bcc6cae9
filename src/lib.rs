//! `dpo-lint` says, before a GPU is rented, what a preference-training project will do with the library versions it will
//! really get, and rewrites what is wrong. See `ARCHITECTURE.md` for the map.

#![cfg_attr(not(feature = "cuda"), forbid(unsafe_code))]

pub mod cli;
pub mod diagnostic;
pub mod engine;
pub mod eval;
pub mod knowledge;
pub mod lower;
pub mod mine;
pub mod model;
pub mod output;
pub mod rules;
#[cfg(feature = "runner")]
pub mod runner;
pub mod server;
pub mod source;
pub mod syntax;
