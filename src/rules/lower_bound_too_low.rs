//! Ranges that begin with releases which lack what the code uses.
//!
//! That a name or an argument is missing in older releases is found by the rules about names and arguments. Where it is missing
//! only at the floor of a range, the range is the mistake: those findings follow from the one that is made here.

use pep440_rs::Version;

use super::ask::Call;
use super::declare::declare_rule;
use super::import_missing::{Missing, report_imports};
use super::misfit::report_unfit;
use super::misfit_settings::report_settings;
use super::remedy::written;
use super::versions::Versions;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label};
use crate::knowledge::{Knowledge, Package, ReleaseSet};
use crate::lower::{Analysis, Script, raise_pin};
use crate::model::{Environment, Evidence};
use crate::source::{Sources, Span};

declare_rule! {
    /// ## What it does
    ///
    /// Reports a range that lets in releases which lack a name, an argument or a setting that the code uses, while the release that
    /// an install gets today has it.
    ///
    /// ## Why it matters
    ///
    /// The declaration promises something that does not hold: next to another library that keeps it back, under an older Python, or
    /// in an environment that was built a year ago, the script stops with `ImportError` or `TypeError`.
    ///
    /// ## Example
    ///
    /// ```text,script
    /// from trl import DPOConfig
    ///
    /// args = DPOConfig(output_dir="out")
    /// ```
    ///
    /// ```requirements,bad
    /// trl>=0.8.6
    /// ```
    ///
    /// ```requirements,unsafe-fixed
    /// trl>=0.9.2
    /// ```
    ///
    /// ```requirements,good
    /// trl>=0.9.2
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Unsafe: who runs an older release on purpose cannot install the project any more.
    ///
    /// ## Versions
    ///
    /// What each release has is mined from the released wheels. A declaration without a floor (`trl`, `trl<1`) promises nothing. The
    /// rules about names and arguments (`import-missing`, `unknown-argument`, `renamed-argument`, ...) say nothing of what is reported
    /// here.
    ///
    /// ## References
    ///
    /// - `MedicalGPT` issue 444
    LowerBoundTooLow = "lower-bound-too-low", "DPL206", Warning, "a range begins with releases that lack what the code uses"
}

impl Rule for LowerBoundTooLow {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        if !script.environment.packages.values().any(crate::model::PackageFacts::has_floor) {
            return;
        }
        // What a function imports may be asked for only where another release is there.
        let is_reached = |missing: &[Missing<'_>]| missing.iter().any(|(import, ..)| !import.uncalled);
        let imports = report_imports(script, context, &Self::META, &|_, _| true).into_iter();
        let imports = imports.filter(|(_, missing)| is_reached(missing)).map(|(finding, _)| finding);
        let settings = report_settings(analysis, script, context, &Self::META, |_| true);
        let raise =
            |finding: Diagnostic| raised(analysis, &finding, &script.environment, context.knowledge, context.sources);
        found.extend(imports.chain(settings).filter_map(raise));
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let environment = &call.run.environment;
        let raise = |finding: Diagnostic| raised(analysis, &finding, environment, call.knowledge, call.sources);
        let unfit = call.unfit().iter().filter_map(|unfit| report_unfit(call, &Self::META, &[unfit]));
        found.extend(unfit.filter_map(raise));
    }
}

/// The declaration that is to blame for something that releases lack, and the oldest allowed release after all of those.
struct Floor<'a> {
    span: Span,
    lacking: ReleaseSet,
    needed: &'a Version,
}

/// `None` where the release in effect, or one after the first that will do, lacks it, too.
fn floor<'a>(versions: Versions<'a>, lacking: &ReleaseSet) -> Option<Floor<'a>> {
    let facts = versions.facts.filter(|facts| facts.has_floor())?;
    let allowed = versions.allowed();
    let lacking = lacking & &allowed;
    let last = lacking.iter().next_back()?;
    let in_effect = versions.in_effect().filter(|release| last < *release)?;
    let needed = allowed.iter().find(|release| *release > last).filter(|release| *release <= in_effect)?;
    let span = facts.deciding().iter().find(|one| one.has_floor())?.origin.span()?;
    Some(Floor { span, lacking, needed: &versions.package.versions()[needed] })
}

/// What a finding about releases that lack something follows from.
pub(super) fn cause(versions: Versions<'_>, lacking: &ReleaseSet) -> Option<(&'static str, Span)> {
    Some((LowerBoundTooLow::META.name, floor(versions, lacking)?.span))
}

/// The finding about the range instead of that about the code.
fn raised(
    analysis: &Analysis,
    finding: &Diagnostic,
    environment: &Environment,
    knowledge: &Knowledge,
    sources: &Sources,
) -> Option<Diagnostic> {
    finding.follows.filter(|(rule, _)| *rule == LowerBoundTooLow::META.name)?;
    let scope = finding.versions.first()?;
    let package = knowledge.package(&scope.package)?;
    let versions = Versions::new(package, environment);
    let floor = floor(versions, &package.releases_in(&scope.affected.join(", ")))?;
    let facts = versions.facts.filter(|facts| facts.evidence == Evidence::Range)?;
    let name = package.name();
    let oldest = versions.release(floor.lacking.iter().next()?);
    let what = shown(analysis, sources, finding.primary.span);
    let fix = || {
        let edits = written(facts, sources, |source, span, one| raise_pin(source, span, one, floor.needed).ok())?;
        Some(Fix { title: format!("ask for {name}>={}", floor.needed), applicability: Applicability::Unsafe, edits })
    };
    Some(Diagnostic {
        severity: LowerBoundTooLow::META.severity,
        message: format!("{what} needs {name}>={}, and {oldest} is allowed", floor.needed),
        primary: Label { span: floor.span, message: format!("{name} {} is the oldest that will do", floor.needed) },
        related: vec![Label { span: finding.primary.span, message: needs(package, floor.needed) }],
        notes: Vec::new(),
        help: Some(format!("ask for {name}>={}", floor.needed)),
        versions: vec![facts.scope(package.intervals(&floor.lacking))],
        fixes: fix().into_iter().collect(),
        follows: None,
        ..finding.clone()
    })
}

fn needs(package: &Package, version: &Version) -> String {
    format!("needs {}>={version}", package.name())
}

/// What stands at a place, in backquotes; of more than a line the beginning.
fn shown(analysis: &Analysis, sources: &Sources, span: Span) -> String {
    let text = match analysis.modules.get(&span.file) {
        Some(module) => module.text()[std::ops::Range::<usize>::from(module.range(span))].to_owned(),
        None => sources.get(span.file).slice(span).to_owned(),
    };
    let line = text.lines().next().unwrap_or_default().trim();
    let short: String = line.chars().take(SHOWN).collect();
    let is_whole = short.len() == text.trim().len();
    format!("`{short}{}`", if is_whole { "" } else { "..." })
}

/// So many characters of what needs a newer release are shown.
const SHOWN: usize = 48;

/// A finding points to so many places that need a newer release.
const PLACES: usize = 5;

/// Joins two findings about one range: that which needs the newer release speaks.
pub(super) fn merge(known: &mut Diagnostic, mut other: Diagnostic) {
    let newest = |finding: &Diagnostic| {
        let affected = finding.versions.first()?.affected.last()?;
        affected.rsplit(" - ").next()?.trim().parse::<Version>().ok()
    };
    if newest(&other) > newest(known) {
        std::mem::swap(known, &mut other);
    }
    for label in other.related {
        if known.related.len() < PLACES && !known.related.iter().any(|one| one.span == label.span) {
            known.related.push(label);
        }
    }
}
