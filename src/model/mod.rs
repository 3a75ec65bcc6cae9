//! What a project means, free of syntax: the environment it gets and the runs it starts.

mod call;
mod environment;
mod report;

pub use call::{LibraryCall, Setting, Stray, Variant};
pub use environment::{Choice, Declaration, Environment, Evidence, Order, Origin, PackageFacts, Shown};
pub use report::{DeclarationReport, EnvironmentReport, PackageReport};
