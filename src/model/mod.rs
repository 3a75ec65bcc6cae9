//! What a project means, free of syntax: the environment it gets and the runs it starts.

mod environment;
mod report;
mod run;

pub use environment::{Declaration, Environment, Evidence, Origin, PackageFacts, Shown};
pub use report::{DeclarationReport, EnvironmentReport, PackageReport};
pub use run::{Setting, Surface, TrainingRun, Variant};
