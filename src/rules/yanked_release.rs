//! Pinned releases that were withdrawn.

use std::collections::BTreeSet;

use super::declare::declare_rule;
use super::remedy::{fine_near, moved};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Label};
use crate::lower::Analysis;
use crate::model::{Environment, Evidence, PackageFacts};
use crate::source::Span;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a pinned or locked release that its maintainers have withdrawn ("yanked") from the package index.
    ///
    /// ## Why it matters
    ///
    /// A release is withdrawn because something in it is broken. Installers leave it out wherever there is a choice, but a pin still
    /// gets it, with a warning that scrolls by.
    ///
    /// ## Example
    ///
    /// ```requirements,bad
    /// trl==0.23.1
    /// transformers==4.57.0
    /// ```
    ///
    /// ```requirements,unsafe-fixed
    /// trl==0.23.1
    /// transformers==4.57.1
    /// ```
    ///
    /// ```requirements,good
    /// trl==0.23.1
    /// transformers>=4.57.0,<5
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Unsafe: the pin is moved to the next release that was not withdrawn, which nobody has tried with the project.
    ///
    /// ## Versions
    ///
    /// Which releases are withdrawn, and why, is what the package index said when this version of the tool was made.
    ///
    /// ## References
    ///
    /// - PEP 592
    YankedRelease = "yanked-release", "DPL207", Warning, "a pinned release was withdrawn from the index"
}

impl Rule for YankedRelease {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let mut reported: BTreeSet<Span> = BTreeSet::new();
        for script in &analysis.scripts {
            let all = script.environment.packages.values();
            let findings = all.filter_map(|facts| yanked(facts, &script.environment, context));
            found.extend(findings.filter(|finding| reported.insert(finding.primary.span)));
        }
    }
}

fn yanked(facts: &PackageFacts, environment: &Environment, context: &Context<'_>) -> Option<Diagnostic> {
    if !matches!(facts.evidence, Evidence::Pin | Evidence::Lock) {
        return None;
    }
    let package = context.knowledge.distribution(&facts.package)?;
    let version = facts.in_effect.as_ref()?;
    let release = package.index_of(version)?;
    let brief = &package.brief()[release];
    // Files that pin different releases are alternatives.
    let is_sure = facts.deciding().iter().all(|one| one.names(version) && one.direct.is_none());
    if !brief.yanked || !is_sure {
        return None;
    }
    let meta = &YankedRelease::META;
    let verb = if facts.evidence == Evidence::Lock { "locked" } else { "pinned" };
    let near = fine_near(package, environment, release);
    let order = near.map(|near| format!("use {} {}", facts.package, package.versions()[near]));
    let fix = near.and_then(|near| moved(facts, context.sources, &package.versions()[near]));
    Some(Diagnostic {
        rule: meta.name,
        code: meta.code,
        severity: meta.severity,
        confidence: Confidence::High,
        message: format!("{} {version} was withdrawn from the package index", facts.package),
        primary: Label { span: facts.origin()?, message: format!("{} {version} is {verb} here", facts.package) },
        related: Vec::new(),
        notes: brief.because.iter().map(|reason| format!("its maintainers say: {reason}")).collect(),
        help: order,
        versions: vec![facts.scope(vec![version.to_string()])],
        fixes: fix.into_iter().collect(),
        follows: None,
    })
}
