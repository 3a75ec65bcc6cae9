//! What must hold of any text whatever. `tests/fuzz.rs` tries it on a fixed number of broken files in every run of the tests, the
//! targets under `fuzz` on as many as libFuzzer comes by in a minute.
//!
//! A property is a function of a text that panics where it does not hold.

mod parsers;
mod projects;
pub mod seeds;

pub use parsers::{notebook, python, reads};
pub use projects::{checks, repairs};
