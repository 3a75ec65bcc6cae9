//! What findings about one call have in common: how bad, which releases, which flags, said the same way everywhere.

use std::fmt::Write as _;

use super::RuleMeta;
use super::ask::{Call, Outcome};
use super::training_arguments::missing_attribute;
use crate::diagnostic::{Confidence, Diagnostic, Label, Severity, VersionScope};
use crate::eval::{Argument, Cond, Const, FlagId, Value};
use crate::knowledge::ReleaseSet;
use crate::lower::ReleaseHost;
use crate::model::{Evidence, PackageFacts};

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

impl<'a> Call<'a> {
    /// What is known of the callee's package.
    pub(crate) fn facts(&self) -> Option<&'a PackageFacts> {
        self.run.environment.packages.get(self.package.name())
    }

    /// The releases that the project allows; the one that is assumed if it says nothing.
    pub(crate) fn allowed(&self) -> ReleaseSet {
        match self.facts().filter(|facts| facts.evidence > Evidence::Assumed) {
            // Nothing says which releases are meant: only the one that is assumed counts.
            None => self.in_effect().into_iter().collect(),
            Some(facts) => facts.allowed.iter().filter_map(|version| self.package.index_of(version)).collect(),
        }
    }

    /// The release in effect, if the tool knows that release.
    pub(crate) fn in_effect(&self) -> Option<usize> {
        match self.facts() {
            None => self.package.matching(&pep440_rs::VersionSpecifiers::empty()).iter().next_back(),
            Some(facts) => self.package.index_of(facts.in_effect.as_ref()?),
        }
    }

    /// The release by which the call is judged: the one in effect, or, where that does not take the arguments at all (code
    /// written for older releases, without an upper bound), the newest allowed one that does.
    pub(crate) fn judged(&self) -> Option<usize> {
        *self.judged.get_or_init(|| self.judge())
    }

    fn judge(&self) -> Option<usize> {
        let in_effect = self.in_effect()?;
        let takes = |release: &usize| {
            self.unknown_arguments(*release).is_empty() && missing_attribute(self, *release).is_none()
        };
        if takes(&in_effect) {
            return Some(in_effect);
        }
        self.allowed().iter().rev().filter(|release| *release < in_effect).find(takes).or(Some(in_effect))
    }

    /// How near an outcome is.
    pub(crate) fn reach(&self, outcome: &Outcome) -> Reach {
        self.judged().map_or(Reach::Elsewhere, |release| self.reach_in(outcome, release))
    }

    /// How near an outcome is if `in_effect` is the release that counts.
    pub(crate) fn reach_in(&self, outcome: &Outcome, in_effect: usize) -> Reach {
        let allowed = self.allowed();
        // Two files that pin different releases are alternatives: which one counts is not known.
        let is_sure =
            self.facts().is_none_or(|facts| facts.evidence != Evidence::Pin) || allowed.is_subset(&outcome.certain);
        if outcome.certain.contains(in_effect) && is_sure {
            Reach::InEffect
        } else if !(&outcome.certain & &allowed).is_empty() {
            Reach::Allowed
        } else if outcome.conditional.contains(in_effect) {
            Reach::Conditional
        } else {
            Reach::Elsewhere
        }
    }

    /// The scope of a finding that speaks of these releases.
    pub(crate) fn scope(&self, affected: &ReleaseSet) -> VersionScope {
        let affected = self.package.intervals(affected);
        match self.facts() {
            Some(facts) => facts.scope(affected),
            None => VersionScope {
                package: self.package.name().to_owned(),
                affected,
                in_effect: self.in_effect().map(|index| self.package.releases()[index].version.clone()),
                evidence: Evidence::Assumed.as_str().to_owned(),
                origin: None,
            },
        }
    }

    /// `trl 0.7.11 - 0.12.2 and 0.14.0`.
    pub(crate) fn releases(&self, set: &ReleaseSet) -> String {
        let intervals = self.package.intervals(set);
        let text = match intervals.split_last() {
            None => String::from("no release"),
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        };
        format!("{} {text}", self.package.name())
    }

    /// `trl 0.12.2`, the release by which the call is judged.
    pub(crate) fn release_judged(&self) -> String {
        self.judged().map_or_else(|| self.package.name().to_owned(), |release| self.release(release))
    }

    /// `trl 0.12.2`.
    pub(crate) fn release(&self, release: usize) -> String {
        format!("{} {}", self.package.name(), self.package.releases()[release].version)
    }

    /// A finding with everything but its labels, notes, help and fixes.
    pub(crate) fn finding(
        &self,
        meta: &RuleMeta,
        reach: Reach,
        affected: &ReleaseSet,
        message: String,
        primary: Label,
    ) -> Diagnostic {
        // Without a declaration the release is a guess, and a guess is no error.
        let assumed = self.facts().is_none_or(|facts| facts.evidence == Evidence::Assumed);
        Diagnostic {
            rule: meta.name,
            code: meta.code,
            severity: if reach == Reach::InEffect && !assumed {
                meta.severity
            } else {
                meta.severity.min(Severity::Warning)
            },
            confidence: if assumed { Confidence::Medium } else { Confidence::High },
            message,
            primary,
            related: Vec::new(),
            notes: Vec::new(),
            help: None,
            versions: vec![self.scope(affected)],
            fixes: Vec::new(),
        }
    }

    /// Labels for the flags that decide, the place that starts the script, and the declaration of the version; and the
    /// condition in words, if it depends.
    pub(crate) fn explain(&self, finding: &mut Diagnostic, outcome: &Outcome) {
        let release = self.in_effect().unwrap_or_default();
        let variant = outcome.variants.first().map(|index| &self.run.variants[*index]);
        for flag in &outcome.flags {
            let declared = self.run.flag(*flag);
            match variant.and_then(|variant| variant.setting(*flag)) {
                Some(setting) => {
                    let value = setting.value.as_ref().map_or_else(|| String::from("?"), Const::to_string);
                    let message = format!("`{}` is {value} here", declared.name);
                    finding.related.push(Label { span: setting.origin, message });
                }
                None => match (declared.declared, self.default(*flag, release)) {
                    (Some(span), Some(default)) => {
                        let message = format!("`{}` is {default} by default", declared.name);
                        finding.related.push(Label { span, message });
                    }
                    (None, Some(default)) => finding.notes.push(format!("`{}` is {default} by default", declared.name)),
                    (Some(span), None) => {
                        finding.related.push(Label { span, message: format!("`{}` decides", declared.name) });
                    }
                    (None, None) => {}
                },
            }
        }
        if let Some(condition) = outcome.condition.as_ref().filter(|_| outcome.certain.is_empty()) {
            finding
                .notes
                .push(format!("this happens when {}; nothing in the project decides it", self.in_words(condition)));
        }
        self.name_versions(finding);
    }

    /// Says which release counts and why, with a label at the declaration.
    fn name_versions(&self, finding: &mut Diagnostic) {
        let Some(facts) = self.facts() else {
            finding.notes.push(format!(
                "{} is assumed: no file declares {}",
                self.release_judged(),
                self.package.name()
            ));
            return;
        };
        finding.notes.push(facts.describe(self.sources));
        if let (Some(in_effect), Some(judged)) = (self.in_effect(), self.judged())
            && in_effect != judged
        {
            let (newer, older) = (self.release(in_effect), self.release(judged));
            finding.notes.push(format!(
                "{newer} does not take these arguments; {older} is the newest allowed release that does"
            ));
        }
        if let Some(origin) = finding.versions.first().and_then(|scope| scope.origin) {
            finding.related.push(Label { span: origin, message: format!("{} is declared here", self.package.name()) });
        }
    }

    /// A condition over flags as a reader would say it: "`use_peft` is true and `ref` is None".
    fn in_words(&self, condition: &Cond) -> String {
        let mut text = condition.to_string();
        let mut flags: Vec<FlagId> = (0..self.run.trace.flags.len() as u32).map(FlagId).collect();
        flags.reverse();
        for flag in flags {
            text = text.replace(&format!("flag#{}", flag.0), &self.run.flag(flag).name);
        }
        format!("`{text}`")
    }
}

/// A label at an argument, unless the finding points there already.
pub(crate) fn label_argument(finding: &mut Diagnostic, argument: &Argument, message: &str) {
    if finding.primary.span != argument.span {
        finding.related.push(Label { span: argument.span, message: message.to_owned() });
    }
}

/// Joins findings about the same place by the same rule (one call, reached on several ways): the worst stays.
pub(crate) fn join(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut joined: Vec<Diagnostic> = Vec::new();
    for finding in found {
        match joined.iter_mut().find(|other| other.rule == finding.rule && other.primary.span == finding.primary.span) {
            None => joined.push(finding),
            Some(other) if other.severity < finding.severity => *other = finding,
            Some(_) => {}
        }
    }
    joined
}

/// `ValueError` with the message the library gives, shortened.
pub(crate) fn exception(guard: &crate::knowledge::Guard) -> String {
    let mut text = guard.raises.clone();
    if let Some(message) = &guard.message {
        let first = message.split(". ").next().unwrap_or(message);
        _ = write!(text, ": {first}");
    }
    text
}

/// The objects that a value may be.
pub(crate) fn objects(value: &Value) -> Vec<std::sync::Arc<crate::eval::Object>> {
    value
        .alternatives()
        .into_iter()
        .filter_map(|(_, value)| match ReleaseHost::as_library_object(&value) {
            Value::Object(object) => Some(object),
            _ => None,
        })
        .collect()
}
