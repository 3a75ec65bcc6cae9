//! Names that a release does not export.

use pep440_rs::VersionSpecifiers;

use super::declare::declare_rule;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Label, Severity, VersionScope};
use crate::eval::{Cond, ImportEvent, Tri};
use crate::knowledge::{Package, ReleaseSet, Resolution};
use crate::lower::{Analysis, Script};
use crate::model::Evidence;
use crate::source::Sources;

declare_rule! {
    /// ## What it does
    ///
    /// Reports an import of a name that a library does not have in a release that the project allows.
    ///
    /// ## Why it matters
    ///
    /// The script stops at its first lines with `ImportError`, after the environment was built. Names appear, move to
    /// `trl.experimental` and go away from release to release.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.8.6
    /// ```
    ///
    /// ```python,bad
    /// from trl import DPOConfig, DPOTrainer
    /// ```
    ///
    /// ```python,good
    /// from trl import DPOTrainer
    /// ```
    ///
    /// An import that may fail is fine:
    ///
    /// ```python,good
    /// try:
    ///     from trl import DPOConfig
    /// except ImportError:
    ///     DPOConfig = None
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix yet.
    ///
    /// ## Versions
    ///
    /// The names that each release exports are mined from the released wheels.
    ///
    /// ## References
    ///
    /// - trl issues 4470 and 4482
    ImportMissing = "import-missing", "DPL111", Error, "a name is imported that the release does not export"
}

impl Rule for ImportMissing {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_script(&self, _: &Analysis, script: &Script, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for import in &script.trace.imports {
            let top = import.module.split('.').next().unwrap_or_default();
            if let Some(package) = context.knowledge.package(top) {
                found.extend(check(script, import, package, context.sources));
            }
        }
    }
}

fn check(script: &Script, import: &ImportEvent, package: &Package, sources: &Sources) -> Option<Diagnostic> {
    let name = import.name.as_deref()?;
    let is_caught = import
        .caught
        .iter()
        .any(|caught| matches!(&**caught, "ImportError" | "ModuleNotFoundError" | "Exception" | "*"));
    // Under a condition a human decided when to import; only an unconditional import is certain.
    if is_caught || name == "*" || import.when.verdict() != Tri::Yes || import.when != Cond::TRUE {
        return None;
    }
    let full = format!("{}.{name}", import.module);
    let exports = |release: &usize| match package.resolve(&full, *release) {
        Resolution::Definition(_) | Resolution::Other => Some(true),
        Resolution::NotExported => Some(false),
        Resolution::Unknown => None,
    };
    let lacking: ReleaseSet = package.all().iter().filter(|release| exports(release) == Some(false)).collect();
    let having: ReleaseSet = package.all().iter().filter(|release| exports(release) == Some(true)).collect();
    // A name that no release is known to have may be a submodule or something that mining does not see.
    if having.is_empty() {
        return None;
    }
    let facts = script.environment.packages.get(package.name());
    let allowed: ReleaseSet = match facts {
        Some(facts) => facts.allowed.iter().filter_map(|version| package.index_of(version)).collect(),
        None => package.all(),
    };
    let in_effect = match facts {
        Some(facts) => package.index_of(facts.in_effect.as_ref()?)?,
        None => package.matching(&VersionSpecifiers::empty()).iter().next_back()?,
    };
    let declared = facts.is_some_and(|facts| facts.evidence > Evidence::Assumed);
    let fails = lacking.contains(in_effect);
    let affected = &lacking & &allowed;
    if !fails && (affected.is_empty() || !declared) {
        return None;
    }
    let shown = |set: &ReleaseSet| format!("{} {}", package.name(), package.intervals(set).join(", "));
    let release = format!("{} {}", package.name(), package.releases()[in_effect].version);
    let message = if fails {
        format!("`{}` of {release} has no `{name}`", import.module)
    } else {
        format!("`{}` of {} has no `{name}`", import.module, shown(&affected))
    };
    let intervals = package.intervals(&lacking);
    let scope = facts.map_or_else(
        || VersionScope {
            package: package.name().to_owned(),
            affected: intervals.clone(),
            in_effect: Some(package.releases()[in_effect].version.clone()),
            evidence: Evidence::Assumed.as_str().to_owned(),
            origin: None,
        },
        |facts| facts.scope(intervals.clone()),
    );
    let mut notes = vec![format!("{} has it", shown(&having))];
    notes.extend(facts.map(|facts| facts.describe(sources)));
    let related = scope.origin.map(|span| Label { span, message: format!("{} is declared here", package.name()) });
    Some(Diagnostic {
        rule: ImportMissing::META.name,
        code: ImportMissing::META.code,
        severity: if fails && declared { Severity::Error } else { Severity::Warning },
        confidence: if declared { Confidence::High } else { Confidence::Medium },
        message,
        primary: Label { span: import.span, message: "ImportError".to_owned() },
        related: related.into_iter().collect(),
        notes,
        help: None,
        versions: vec![scope],
        fixes: Vec::new(),
    })
}
