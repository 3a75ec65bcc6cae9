//! Libraries that change from release to release, and that nothing bounds.

use std::collections::BTreeMap;

use pep440_rs::{Operator, Version};

use super::declare::declare_rule;
use super::remedy::written;
use super::versions::enumerate;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Confidence, Diagnostic, Fix, Label, Severity};
use crate::lower::{Analysis, bound_pin, is_canonical};
use crate::model::{Evidence, PackageFacts};
use crate::source::FileId;

declare_rule! {
    /// ## What it does
    ///
    /// Reports known libraries that a script imports and that are declared without an upper bound, one finding for each file. It runs
    /// only where it is selected: a library must not bound what it uses, and many projects are meant to follow the newest release.
    ///
    /// ## Why it matters
    ///
    /// These libraries rename and remove arguments in minor releases. What is not bounded is installed in its newest release, and the
    /// code that worked when it was written fails on the next machine.
    ///
    /// ## Example
    ///
    /// ```requirements,bad
    /// trl>=0.24
    /// ```
    ///
    /// ```requirements,fixed
    /// trl>=0.24,<1.17
    /// ```
    ///
    /// ```requirements,good
    /// trl>=0.24,<1.17
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Safe: a bound is added above the series that an install gets today.
    ///
    /// ## Versions
    ///
    /// A project with a lock file is bounded by it.
    ///
    /// ## References
    ///
    /// - semantic-router issue 3925
    /// - smol-course issue 218
    UnpinnedCriticalDependency = "unpinned-critical-dependency", "DPL202", Info,
        "a library that the scripts import has no upper bound"; opt_in
}

impl Rule for UnpinnedCriticalDependency {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let mut by_file: BTreeMap<FileId, BTreeMap<&str, &PackageFacts>> = BTreeMap::new();
        for script in &analysis.scripts {
            let is_imported = |package: &str| {
                let mut modules = script.trace.imports.iter().map(|import| import.module.split('.').next());
                modules.any(|top| top == Some(package))
            };
            for facts in script.environment.packages.values().filter(|facts| is_open(facts)) {
                let Some(origin) = facts.origin() else { continue };
                if is_imported(&facts.package) && is_canonical(context.sources.get(origin.file).path()) {
                    by_file.entry(origin.file).or_default().insert(&facts.package, facts);
                }
            }
        }
        found.extend(by_file.values().filter_map(|open| report(&open.values().copied().collect::<Vec<_>>(), context)));
    }
}

/// Whether a package is installed in whatever release is the newest.
fn is_open(facts: &PackageFacts) -> bool {
    let bounds = |operator: &Operator| {
        !matches!(operator, Operator::GreaterThan | Operator::GreaterThanEqual | Operator::NotEqual)
    };
    let mut operators =
        facts.deciding().iter().flat_map(|one| one.specifiers.iter()).map(pep440_rs::VersionSpecifier::operator);
    facts.known
        && facts.evidence == Evidence::Range
        && !operators.any(bounds)
        && facts.deciding().iter().all(|one| one.direct.is_none() && one.condition.is_none())
}

fn report(open: &[&PackageFacts], context: &Context<'_>) -> Option<Diagnostic> {
    let meta = &UnpinnedCriticalDependency::META;
    let label = |facts: &&PackageFacts| {
        let version = facts.in_effect.as_ref()?;
        Some(Label {
            span: facts.origin()?,
            message: format!("{} {version} is what an install gets today", facts.package),
        })
    };
    let mut labels = open.iter().filter_map(label);
    let primary = labels.next()?;
    let names: Vec<String> = open.iter().map(|facts| facts.package.clone()).collect();
    let bounded = |facts: &&PackageFacts| {
        let bound = after(facts.in_effect.as_ref()?);
        written(facts, context.sources, |source, span, one| bound_pin(source, span, one, &bound).ok())
    };
    let edits: Vec<_> = open.iter().filter_map(bounded).flatten().collect();
    let fix = Fix { title: "bound what an install gets".to_owned(), applicability: Applicability::Safe, edits };
    Some(Diagnostic {
        rule: meta.name,
        code: meta.code,
        severity: Severity::Info,
        confidence: Confidence::High,
        message: format!("nothing bounds {} from above", enumerate(&names)),
        primary,
        related: labels.collect(),
        notes: Vec::new(),
        help: Some("bound them, or lock them".to_owned()),
        versions: open.iter().map(|facts| facts.scope(Vec::new())).collect(),
        fixes: Some(fix).filter(|fix| !fix.edits.is_empty()).into_iter().collect(),
        follows: None,
    })
}

/// The next series after a release: `1.17` after `1.16.0`.
fn after(release: &Version) -> String {
    let numbers = release.release();
    let (major, minor) = (numbers.first().copied().unwrap_or(0), numbers.get(1).copied().unwrap_or(0));
    format!("{major}.{}", minor + 1)
}
