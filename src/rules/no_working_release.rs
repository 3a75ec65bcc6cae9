//! Requirements that no set of releases meets.

use std::collections::BTreeSet;

use super::declare::declare_rule;
use super::failures::{declares, failures};
use super::framework_caps_library::caps;
use super::versions::enumerate;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Label};
use crate::lower::Analysis;
use crate::model::{Environment, Evidence, PackageFacts};
use crate::source::Span;

declare_rule! {
    /// ## What it does
    ///
    /// Reports declarations of one file that leave no set of releases: whatever is chosen, a release requires another one than the
    /// file allows, or cannot be imported next to it.
    ///
    /// ## Why it matters
    ///
    /// The install stops with a report of the conflict, or, without a resolver, builds an environment that its own libraries refuse.
    ///
    /// ## Example
    ///
    /// ```requirements,bad
    /// trl>=0.20,<0.21
    /// transformers<4.50
    /// ```
    ///
    /// ```requirements,good
    /// trl>=0.12,<0.21
    /// transformers<4.50
    /// ```
    ///
    /// Releases that can be installed and not imported:
    ///
    /// ```requirements,bad
    /// trl>=0.13,<0.18
    /// transformers>=5.3
    /// ```
    ///
    /// ```requirements,good
    /// trl>=0.13,<0.18
    /// transformers>=4.56,<6
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Which of the bounds is meant is a decision. Where one of the packages is pinned, an unsafe fix moves the pin.
    ///
    /// ## Versions
    ///
    /// Asked of the requirements in the metadata of every release, and of what each release imports of the others. Releases that are pinned and require each other in other releases
    /// are reported by `incompatible-pins`.
    ///
    /// ## References
    ///
    /// - trl pull requests 2446 and 2447
    NoWorkingRelease = "no-working-release", "DPL208", Error, "no set of releases that is allowed works"
}

impl Rule for NoWorkingRelease {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let mut reported: BTreeSet<Span> = BTreeSet::new();
        for script in &analysis.scripts {
            let conflict = conflict(&script.environment, context);
            found.extend(conflict.filter(|finding| reported.insert(finding.primary.span)));
        }
        let hopeless = failures(analysis, context).iter().filter(|failure| failure.is_hopeless);
        found
            .extend(hopeless.filter_map(|failure| failure.report(&Self::META, ", nor with any other release of them")));
    }
}

fn conflict(environment: &Environment, context: &Context<'_>) -> Option<Diagnostic> {
    let meta = &NoWorkingRelease::META;
    let lines = &environment.contradiction;
    // What a framework does not take is another rule's.
    if lines.is_empty() || !caps(environment, None, context).is_empty() {
        return None;
    }
    let is_named = |facts: &&PackageFacts| {
        let is_part_of_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        lines.iter().any(|line| line.split(|letter| !is_part_of_name(letter)).any(|word| word == facts.package))
    };
    let facts: Vec<&PackageFacts> =
        environment.packages.values().filter(|facts| facts.deciding > 0).filter(is_named).collect();
    // Pins that refuse each other are another rule's.
    if !facts.iter().any(|facts| facts.evidence == Evidence::Range) {
        return None;
    }
    let deciding = || facts.iter().flat_map(|facts| facts.deciding());
    // Files that say different things may be meant for different machines.
    let spans: Option<Vec<Span>> = deciding().map(|one| one.origin.span()).collect();
    let spans = spans?;
    let file = spans.first()?.file;
    let is_plain = deciding().all(|one| one.condition.is_none() && one.direct.is_none());
    if !is_plain || spans.iter().any(|span| span.file != file) || !declares(context.sources, file) {
        return None;
    }
    let names: Vec<String> = facts.iter().map(|facts| facts.package.clone()).collect();
    let mut labels = deciding()
        .zip(&spans)
        .map(|(one, span)| Label { span: *span, message: format!("{} is asked for here", one.requirement()) });
    let primary = labels.next()?;
    Some(Diagnostic {
        rule: meta.name,
        code: meta.code,
        severity: meta.severity,
        confidence: Confidence::High,
        message: format!("no releases of {} can be installed together", enumerate(&names)),
        primary,
        related: labels.collect(),
        notes: lines.clone(),
        help: Some(String::from("widen one of the bounds")),
        versions: facts.iter().map(|facts| facts.scope(Vec::new())).collect(),
        fixes: Vec::new(),
        follows: None,
    })
}
