//! What the project says about the releases of one package, and how a finding tells it.

use crate::diagnostic::{Confidence, Diagnostic, Label, Severity, VersionScope};
use crate::knowledge::{Package, ReleaseSet};
use crate::model::{Environment, Evidence, PackageFacts};

use super::RuleMeta;
use super::ask::Outcome;

/// How near an outcome is to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// It happens only in releases that the project does not allow.
    Elsewhere,
    /// It happens in a release that the project allows, under flags that nothing in the project sets.
    Conditional,
    /// It happens in a release that the project allows, but not in the one in effect.
    Allowed,
    /// It happens in the release in effect.
    InEffect,
}

/// A package, and what one script's environment says about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Versions<'a> {
    pub(crate) package: &'a Package,
    /// `None` when the environment does not speak of the package.
    pub(crate) facts: Option<&'a PackageFacts>,
    environment: &'a Environment,
}

impl<'a> Versions<'a> {
    pub(crate) fn new(package: &'a Package, environment: &'a Environment) -> Self {
        Self { package, facts: environment.package(package.name()), environment }
    }

    /// The releases that the project allows; the one that is assumed if it says nothing.
    pub(crate) fn allowed(self) -> ReleaseSet {
        match self.facts.filter(|_| !self.is_assumed()) {
            // Nothing says which releases are meant: only the one that is assumed counts.
            None => self.in_effect().into_iter().collect(),
            Some(facts) => facts.allowed.iter().filter_map(|version| self.package.index_of(version)).collect(),
        }
    }

    /// The release in effect, if the tool knows that release.
    pub(crate) fn in_effect(self) -> Option<usize> {
        self.environment.in_effect(self.package)
    }

    /// The releases that decide how near an outcome is: those the project allows, and the one in effect.
    pub(crate) fn near(self) -> ReleaseSet {
        &self.allowed() | &self.in_effect().into_iter().collect()
    }

    /// Whether no file declares the package.
    pub(crate) fn is_assumed(self) -> bool {
        self.facts.is_none_or(|facts| facts.evidence == Evidence::Assumed)
    }

    /// Whether a finding about something that releases lack is worth making. Of the release in effect, always. Of older ones only
    /// where the project asks for them, by a floor that is too low: a bare `trl` is no promise to run under the first
    /// release, and two files that pin different releases are not both meant.
    pub(crate) fn speaks_of(self, reach: Reach) -> bool {
        match reach {
            Reach::Elsewhere => false,
            Reach::Conditional | Reach::InEffect => true,
            Reach::Allowed => self.facts.is_some_and(PackageFacts::has_floor),
        }
    }

    /// How near an outcome is if `release` is the one that counts.
    pub(crate) fn reach(self, outcome: &Outcome, release: usize) -> Reach {
        let allowed = self.allowed();
        // Two files that pin different releases are alternatives: which one counts is not known.
        let is_sure =
            self.facts.is_none_or(|facts| facts.evidence != Evidence::Pin) || allowed.is_subset(&outcome.certain);
        if outcome.certain.contains(release) && is_sure {
            Reach::InEffect
        } else if !(&outcome.certain & &allowed).is_empty() {
            Reach::Allowed
        } else if outcome.conditional.contains(release) {
            Reach::Conditional
        } else {
            Reach::Elsewhere
        }
    }

    /// `trl 0.7.11 - 0.12.2 and 0.14.0`.
    pub(crate) fn releases(self, set: &ReleaseSet) -> String {
        let intervals = self.package.intervals(set);
        let text = if intervals.is_empty() { String::from("no release") } else { enumerate(&intervals) };
        format!("{} {text}", self.package.name())
    }

    /// The releases that a headline names: the one that counts where something happens there, else those that the project allows
    /// among the affected ones.
    pub(crate) fn meant(self, reach: Reach, counts: usize, affected: &ReleaseSet) -> String {
        match reach {
            Reach::InEffect => self.release(counts),
            _ => self.releases(&(affected & &self.allowed())),
        }
    }

    /// `trl 0.12.2`.
    pub(crate) fn release(self, release: usize) -> String {
        format!("{} {}", self.package.name(), self.package.brief()[release].version)
    }

    /// The scope of a finding that speaks of these releases.
    pub(crate) fn scope(self, affected: &ReleaseSet) -> VersionScope {
        let affected = self.package.intervals(affected);
        match self.facts {
            Some(facts) => facts.scope(affected),
            None => VersionScope {
                package: self.package.name().to_owned(),
                affected,
                effect: None,
                in_effect: self.in_effect().map(|index| self.package.brief()[index].version.clone()),
                evidence: Evidence::Assumed.as_str().to_owned(),
                origin: None,
            },
        }
    }

    /// A finding with everything but its labels, notes, help and fixes.
    pub(crate) fn finding(
        self,
        meta: &RuleMeta,
        reach: Reach,
        affected: &ReleaseSet,
        message: String,
        primary: Label,
    ) -> Diagnostic {
        // Without a declaration the release is a guess, and a guess is no error.
        let is_error = reach == Reach::InEffect && !self.is_assumed();
        Diagnostic {
            rule: meta.name,
            code: meta.code,
            severity: if is_error { meta.severity } else { meta.severity.min(Severity::Warning) },
            confidence: if self.is_assumed() { Confidence::Medium } else { Confidence::High },
            message,
            primary,
            related: Vec::new(),
            notes: Vec::new(),
            help: None,
            versions: vec![self.scope(affected)],
            fixes: Vec::new(),
            follows: None,
        }
    }

    /// Says once which release counts and why: at the declaration, if one place in a file decides, else in a note.
    pub(crate) fn explain(self, finding: &mut Diagnostic) {
        let Some(facts) = self.facts else {
            if let Some(release) = self.in_effect() {
                finding.notes.push(format!("{} is assumed: no file declares it", self.release(release)));
            }
            return;
        };
        if let Some((span, message)) = facts.at_the_declaration() {
            finding.related.push(Label { span, message });
            return;
        }
        let mut spans: Vec<_> = facts.deciding().iter().filter_map(|one| one.origin.span()).collect();
        spans.dedup();
        let message = format!("{} is declared here", self.package.name());
        finding.related.extend(spans.into_iter().take(SHOWN).map(|span| Label { span, message: message.clone() }));
        finding.notes.push(facts.describe_briefly());
    }
}

/// Declarations that a finding points at; more would bury the rest of it.
const SHOWN: usize = 3;

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn enumerate(names: &[String]) -> String {
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
