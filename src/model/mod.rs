//! What a project means, free of syntax: the environment it gets and the runs it starts.

mod environment;

pub use environment::{Declaration, Environment, Evidence, Origin, PackageFacts};
