//! What findings about one call have in common: how bad, which releases, which flags, said the same way everywhere.

use std::fmt::Write as _;

use super::RuleMeta;
use super::ask::{Call, Outcome};
use super::lower_bound_too_low::{self, LowerBoundTooLow};
use super::training_arguments::missing_attribute;
pub(crate) use super::versions::Reach;
use super::versions::Versions;
use crate::diagnostic::{Confidence, Diagnostic, Label, Severity, VersionScope};
use crate::eval::{Argument, Cond, Const, FlagId, Value};
use crate::knowledge::ReleaseSet;
use crate::lower::{Analysis, ReleaseHost};
use crate::model::PackageFacts;
use crate::source::Span;

impl<'a> Call<'a> {
    /// What the project says about the callee's package.
    pub(crate) fn versions(&self) -> Versions<'a> {
        Versions::new(self.package, &self.run.environment)
    }

    /// What is known of the callee's package.
    pub(crate) fn facts(&self) -> Option<&'a PackageFacts> {
        self.versions().facts
    }

    /// See [`Versions::allowed`].
    pub(crate) fn allowed(&self) -> ReleaseSet {
        self.versions().allowed()
    }

    /// See [`Versions::in_effect`].
    pub(crate) fn in_effect(&self) -> Option<usize> {
        self.versions().in_effect()
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

    /// See [`Versions::reach`]. What needs several flags to differ from their defaults is out of reach: that the flags can be
    /// combined so does not mean that anyone does.
    pub(crate) fn reach_in(&self, outcome: &Outcome, release: usize) -> Reach {
        match self.versions().reach(outcome, release) {
            Reach::Conditional if !self.is_one_flag_away(outcome, release) => Reach::Elsewhere,
            reach => reach,
        }
    }

    /// See [`Versions::releases`].
    pub(crate) fn releases(&self, set: &ReleaseSet) -> String {
        self.versions().releases(set)
    }

    /// `trl 0.12.2`, the release by which the call is judged.
    pub(crate) fn release_judged(&self) -> String {
        self.judged().map_or_else(|| self.package.name().to_owned(), |release| self.release(release))
    }

    /// See [`Versions::release`].
    pub(crate) fn release(&self, release: usize) -> String {
        self.versions().release(release)
    }

    /// See [`Versions::scope`].
    pub(crate) fn scope(&self, affected: &ReleaseSet) -> VersionScope {
        self.versions().scope(affected)
    }

    /// See [`Versions::finding`].
    pub(crate) fn finding(
        &self,
        meta: &RuleMeta,
        reach: Reach,
        affected: &ReleaseSet,
        message: String,
        primary: Label,
    ) -> Diagnostic {
        self.versions().finding(meta, reach, affected, message, primary)
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

    /// Says which release counts and why.
    fn name_versions(&self, finding: &mut Diagnostic) {
        self.versions().explain(finding);
        if let (Some(in_effect), Some(judged)) = (self.in_effect(), self.judged())
            && in_effect != judged
        {
            let (newer, older) = (self.release(in_effect), self.release(judged));
            finding.notes.push(format!(
                "{newer} does not take these arguments; {older} is the newest allowed release that does"
            ));
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

/// A finding that no release decides: it has nothing yet but its headline and its place.
pub(super) fn plain(meta: &RuleMeta, severity: Severity, message: String, primary: Label) -> Diagnostic {
    Diagnostic {
        rule: meta.name,
        code: meta.code,
        severity,
        confidence: Confidence::High,
        message,
        primary,
        related: Vec::new(),
        notes: Vec::new(),
        help: None,
        versions: Vec::new(),
        fixes: Vec::new(),
        follows: None,
    }
}

/// Shows the call that a finding is about, where all that the finding points to stands elsewhere.
pub(super) fn label_call(analysis: &Analysis, call: &Call<'_>, finding: &mut Diagnostic) {
    let whole = call.run.call().object.span;
    let is_inside = |span: &Span| span.file == whole.file && whole.start <= span.start && span.end <= whole.end;
    let mut shown = std::iter::once(&finding.primary).chain(&finding.related);
    if shown.any(|label| is_inside(&label.span)) {
        return;
    }
    let message = match finding.severity {
        _ if call.run.parsed.is_some() => "this parser reads it",
        Severity::Error => "this call fails",
        _ => "in this call",
    };
    // What a configuration names is no call that anyone writes.
    let span = called(analysis, whole).unwrap_or(whole);
    finding.related.push(Label { span, message: message.to_owned() });
}

/// Of a call, which may span many lines, what is called.
pub(super) fn called(analysis: &Analysis, call: Span) -> Option<Span> {
    let module = analysis.modules.get(&call.file)?;
    let written = &module.text()[std::ops::Range::<usize>::from(module.range(call))];
    let length = u32::try_from(written.find('(')?).ok()?;
    Some(Span { end: (call.start + length).min(call.end), ..call })
}

/// Joins findings about the same place by the same rule (one call, reached on several ways): the worst stays. What only informs is
/// said once in each file.
pub fn join(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut joined: Vec<Diagnostic> = Vec::new();
    for finding in found {
        let is_same =
            |other: &&mut Diagnostic| other.rule == finding.rule && other.primary.span == finding.primary.span;
        if let Some(other) = joined.iter_mut().find(is_same) {
            if finding.code == LowerBoundTooLow::META.code {
                lower_bound_too_low::merge(other, finding);
            } else if other.severity < finding.severity {
                *other = finding;
            }
            continue;
        }
        let is_alike = |other: &&mut Diagnostic| {
            finding.severity == Severity::Info
                && other.severity == Severity::Info
                && other.rule == finding.rule
                && other.message == finding.message
                && other.primary.span.file == finding.primary.span.file
        };
        match joined.iter_mut().find(is_alike) {
            None => joined.push(finding),
            Some(other) => add_alike(other, &finding),
        }
    }
    joined
}

/// Adds the place of another finding of the same words, and its edits to the fix.
fn add_alike(finding: &mut Diagnostic, other: &Diagnostic) {
    let is_known = finding.related.iter().any(|label| label.span == other.primary.span);
    if is_known {
        return;
    }
    finding.related.push(Label { span: other.primary.span, message: "here, too".to_owned() });
    match (&mut finding.fixes[..], &other.fixes[..]) {
        ([all], [one]) if all.title == one.title => {
            all.applicability = all.applicability.min(one.applicability);
            all.edits.extend(one.edits.iter().filter(|edit| !all.edits.contains(edit)).cloned().collect::<Vec<_>>());
            all.edits.sort_unstable();
        }
        _ => finding.fixes.clear(),
    }
}

/// Says what the affected releases do: raise this.
pub(crate) fn raises(finding: &mut Diagnostic, guard: &crate::knowledge::Guard) {
    if let Some(scope) = finding.versions.last_mut() {
        scope.effect = Some(format!("raises {}", exception(guard)));
    }
}

/// `ValueError` with the message the library gives, shortened.
fn exception(guard: &crate::knowledge::Guard) -> String {
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

/// Leaves out what is reported already by its cause, at least as severely.
pub fn without_consequences(findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let causes: Vec<_> = findings.iter().map(|one| ((one.rule, one.primary.span), one.severity)).collect();
    let is_told = |finding: &Diagnostic| {
        finding.follows.is_some_and(|cause| {
            causes.iter().any(|(reported, severity)| *reported == cause && *severity >= finding.severity)
        })
    };
    findings.into_iter().filter(|finding| !is_told(finding)).collect()
}
