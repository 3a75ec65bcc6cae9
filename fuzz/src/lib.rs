//! The properties that `tests/fuzz.rs` tries, too.

#[path = "../../tests/properties/mod.rs"]
pub mod properties;
