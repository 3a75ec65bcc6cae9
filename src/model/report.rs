//! What `dpo-lint versions` tells, as plain data.

use std::path::{Path, PathBuf};

use super::{Declaration, Environment, Evidence, PackageFacts, Shown};
use crate::knowledge::Knowledge;
use crate::source::Span;

/// The releases that some scripts get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentReport {
    /// The scripts, sorted.
    pub scripts: Vec<PathBuf>,
    /// The Pythons the project admits: `>=3.10`.
    pub python: Option<String>,
    /// By name.
    pub packages: Vec<PackageReport>,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageReport {
    /// Normalised distribution name.
    pub package: String,
    /// Whether the tool knows its releases.
    pub known: bool,
    /// Every declaration, those that decide first.
    pub declared: Vec<DeclarationReport>,
    /// The known releases that are allowed, as intervals: `0.7.11 - 0.27.2`.
    pub allowed: Vec<String>,
    /// The release in effect.
    pub in_effect: Option<String>,
    /// How that is known.
    pub evidence: Evidence,
    /// The same for a reader: `pinned in requirements.txt:4`.
    pub reason: String,
}

/// One declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclarationReport {
    /// In one normal form: `trl>=0.9,<1`.
    pub requirement: String,
    /// Where: `requirements.txt:4`.
    pub place: String,
    /// The place in its file, if it has one.
    pub span: Option<Span>,
    /// How strong it is.
    pub evidence: Evidence,
    /// A marker or group under which it holds.
    pub condition: Option<String>,
    /// Whether it decides; the others are weaker or stand farther away.
    pub decides: bool,
}

impl EnvironmentReport {
    /// One report for each different environment, in the order of their first scripts.
    pub fn of(environments: &[(PathBuf, Environment)], knowledge: &Knowledge, shown: &Shown<'_>) -> Vec<Self> {
        let mut reports: Vec<Self> = Vec::new();
        for (script, environment) in environments {
            let report = environment.report(script, knowledge, shown);
            let same = reports.iter_mut().find(|one| one.python == report.python && one.packages == report.packages);
            match same {
                Some(one) => one.scripts.extend(report.scripts),
                None => reports.push(report),
            }
        }
        reports
    }
}

impl Environment {
    /// The environment of one script as plain data.
    pub fn report(&self, script: &Path, knowledge: &Knowledge, shown: &Shown<'_>) -> EnvironmentReport {
        let package = |facts: &PackageFacts| PackageReport {
            package: facts.package.clone(),
            known: facts.known,
            declared: facts
                .declarations
                .iter()
                .enumerate()
                .map(|(at, one)| DeclarationReport::new(one, at < facts.deciding, shown))
                .collect(),
            allowed: facts.intervals(knowledge),
            in_effect: facts.in_effect.as_ref().map(ToString::to_string),
            evidence: facts.evidence,
            reason: facts.reason(shown),
        };
        EnvironmentReport {
            scripts: vec![script.to_path_buf()],
            python: self.python.as_ref().map(|python| python.to_string().replace(", ", ",")),
            packages: self.packages.values().map(package).collect(),
        }
    }
}

impl PackageFacts {
    /// The allowed releases as intervals.
    pub fn intervals(&self, knowledge: &Knowledge) -> Vec<String> {
        let Some(package) = knowledge.distribution(&self.package) else { return Vec::new() };
        let set = self.allowed.iter().filter_map(|version| package.index_of(version)).collect();
        package.intervals(&set)
    }
}

impl DeclarationReport {
    fn new(declaration: &Declaration, decides: bool, shown: &Shown<'_>) -> Self {
        Self {
            requirement: declaration.requirement(),
            place: declaration.origin.place(shown),
            span: declaration.origin.span(),
            evidence: declaration.evidence,
            condition: declaration.condition.clone(),
            decides,
        }
    }
}
