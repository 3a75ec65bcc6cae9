//! Names that a release does not export.

use std::collections::BTreeMap;

use pep440_rs::VersionSpecifiers;

use super::declare::declare_rule;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Label, Severity, VersionScope};
use crate::eval::{Cond, ImportEvent};
use crate::knowledge::{Package, ReleaseSet, Resolution};
use crate::lower::{Analysis, Script};
use crate::model::Evidence;
use crate::source::{FileId, Sources};

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
        // One mistake, one finding: what a file misses of one module is said once.
        let mut by_module: BTreeMap<(FileId, &str), Vec<&ImportEvent>> = BTreeMap::new();
        for import in script.trace.imports.iter().filter(|import| is_certain(import)) {
            let imports = by_module.entry((import.span.file, &import.module)).or_default();
            if !imports.iter().any(|known| known.span == import.span) {
                imports.push(import);
            }
        }
        for ((_, module), imports) in by_module {
            let top = module.split('.').next().unwrap_or_default();
            if let Some(package) = context.knowledge.package(top) {
                found.extend(check(script, module, &imports, package, context.sources));
            }
        }
    }
}

/// Whether an import happens whenever the file is loaded, and stops it when it fails.
fn is_certain(import: &ImportEvent) -> bool {
    let catches = |caught: &str| matches!(caught, "ImportError" | "ModuleNotFoundError" | "Exception" | "*");
    import.when == Cond::TRUE && !import.caught.iter().any(|caught| catches(caught))
}

/// The releases that lack a name, among those of a name that some release has. A name that no release is known to have
/// may be a submodule or something that mining does not see.
fn lacking(package: &Package, module: &str, name: &str) -> Option<ReleaseSet> {
    let full = format!("{module}.{name}");
    let all = package.all();
    let having = all
        .iter()
        .any(|release| matches!(package.resolve(&full, release), Resolution::Definition(_) | Resolution::Other));
    having.then(|| all.iter().filter(|release| package.resolve(&full, *release) == Resolution::NotExported).collect())
}

fn check(
    script: &Script,
    module: &str,
    imports: &[&ImportEvent],
    package: &Package,
    sources: &Sources,
) -> Option<Diagnostic> {
    let facts = script.environment.packages.get(package.name());
    let in_effect = match facts {
        Some(facts) => package.index_of(facts.in_effect.as_ref()?)?,
        None => package.matching(&VersionSpecifiers::empty()).iter().next_back()?,
    };
    let declared = facts.filter(|facts| facts.evidence > Evidence::Assumed);
    let allowed: ReleaseSet = match declared {
        Some(facts) => facts.allowed.iter().filter_map(|version| package.index_of(version)).collect(),
        None => [in_effect].into_iter().collect(),
    };
    let names =
        imports.iter().filter_map(|import| Some((*import, import.name.as_deref().filter(|name| *name != "*")?)));
    let missing: Vec<(&ImportEvent, &str, ReleaseSet)> = names
        .filter_map(|(import, name)| Some((import, name, lacking(package, module, name)?)))
        .filter(|(_, _, lacking)| !(lacking & &allowed).is_empty() || lacking.contains(in_effect))
        .collect();
    // Two files that pin different releases are alternatives: which one counts is not known.
    let is_sure = declared.is_some_and(|facts| facts.evidence != Evidence::Pin || allowed.len() <= 1);
    let fails = |lacking: &ReleaseSet| lacking.contains(in_effect) && (is_sure || allowed.is_subset(lacking));
    let worst = missing.iter().any(|(_, _, lacking)| fails(lacking));
    let mut reported = missing.iter().filter(|(_, _, lacking)| !worst || fails(lacking));
    let (first, first_name, lacking) = reported.next()?;
    let rest: Vec<&(&ImportEvent, &str, ReleaseSet)> = reported.collect();

    let shown = |set: &ReleaseSet| format!("{} {}", package.name(), package.intervals(set).join(", "));
    let names = std::iter::once(*first_name).chain(rest.iter().map(|(_, name, _)| *name));
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let list = match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.concat(),
    };
    let releases = if worst {
        format!("{} {}", package.name(), package.releases()[in_effect].version)
    } else {
        shown(&(lacking & &allowed))
    };
    let label = |import: &ImportEvent, message: &str| Label { span: import.span, message: message.to_owned() };
    let scope = facts.map_or_else(
        || VersionScope {
            package: package.name().to_owned(),
            affected: package.intervals(lacking),
            in_effect: Some(package.releases()[in_effect].version.clone()),
            evidence: Evidence::Assumed.as_str().to_owned(),
            origin: None,
        },
        |facts| facts.scope(package.intervals(lacking)),
    );
    let declaration = scope.origin.map(|span| Label { span, message: format!("{} is declared here", package.name()) });
    let mut notes = vec![format!("{} has `{first_name}`", shown(&(&package.all() - lacking)))];
    notes.extend(facts.map(|facts| facts.describe(sources)));
    Some(Diagnostic {
        rule: ImportMissing::META.name,
        code: ImportMissing::META.code,
        severity: if worst && declared.is_some() { Severity::Error } else { Severity::Warning },
        confidence: if declared.is_some() { Confidence::High } else { Confidence::Medium },
        message: format!("`{module}` of {releases} has no {list}"),
        primary: label(first, "ImportError"),
        related: rest.iter().map(|(import, ..)| label(import, "this one too")).chain(declaration).collect(),
        notes,
        help: None,
        versions: vec![scope],
        fixes: Vec::new(),
    })
}
