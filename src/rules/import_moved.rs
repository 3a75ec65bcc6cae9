//! Names that a release exports from another module.

use super::declare::declare_rule;
use super::import_missing::{Missing, relocated, report_imports};
use super::versions::{Versions, enumerate};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix};
use crate::knowledge::Resolution;
use crate::lower::{Analysis, Script};
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports an import of a name that the release in effect has in another module.
    ///
    /// ## Why it matters
    ///
    /// The script stops at its first lines with `ImportError`, after the environment was built. TRL moved most of its trainers
    /// to `trl.experimental`.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.0.0
    /// ```
    ///
    /// ```python,bad
    /// from trl import ModelConfig, ORPOConfig, ORPOTrainer
    /// ```
    ///
    /// ```python,fixed
    /// from trl import ModelConfig
    /// from trl.experimental.orpo import ORPOConfig, ORPOTrainer
    /// ```
    ///
    /// ```python,good
    /// from trl import ModelConfig
    /// from trl.experimental.orpo import ORPOConfig, ORPOTrainer
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Safe where every release that the project allows has the name in the new module, else unsafe.
    ///
    /// ## Versions
    ///
    /// The names that each release exports are mined from the released wheels. A name has moved where exactly one thing of that
    /// name can be imported from the release.
    ///
    /// ## References
    ///
    /// - trl issues 4470 and 4482
    ImportMoved = "import-moved", "DPL112", Error, "a name is imported from a module that no longer has it"
}

impl Rule for ImportMoved {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let has_moved = |versions: &Versions<'_>, full: &str| relocated(versions, full).is_some();
        for (mut finding, missing) in report_imports(script, context, &Self::META, &has_moved) {
            let package =
                missing.first().and_then(|(import, ..)| context.knowledge.package(import.module.split('.').next()?));
            let Some(package) = package else { continue };
            let versions = Versions::new(package, &script.environment);
            let targets: Vec<&str> = missing.iter().filter_map(|one| target(&versions, one)).collect();
            let mut modules: Vec<String> = targets.iter().map(|module| format!("`{module}`")).collect();
            modules.dedup();
            finding.help = Some(format!("import it from {}", enumerate(&modules)));
            finding.fixes.extend(moved(analysis, &versions, &missing, &targets));
            found.push(finding);
        }
    }
}

/// The module that has a missing name.
fn target<'a>(versions: &Versions<'a>, (import, name, _): &Missing<'_>) -> Option<&'a str> {
    relocated(versions, &format!("{}.{name}", import.module))
}

fn moved(analysis: &Analysis, versions: &Versions<'_>, missing: &[Missing<'_>], targets: &[&str]) -> Option<Fix> {
    let (first, ..) = missing.first()?;
    let module = analysis.modules.get(&first.span.file)?;
    let aliases: Vec<_> = missing.iter().zip(targets).map(|((import, ..), target)| (import.span, *target)).collect();
    let edits = python_edit::move_imports(module, &aliases).ok()?;
    let has_it = |release: usize, name: &str, target: &str| {
        matches!(versions.package.resolve(&format!("{target}.{name}"), release), Resolution::Definition(_))
    };
    let is_sure = missing
        .iter()
        .zip(targets)
        .all(|((_, name, _), target)| versions.allowed().iter().all(|release| has_it(release, name, target)));
    let applicability = if is_sure { Applicability::Safe } else { Applicability::Unsafe };
    Some(Fix { title: "import from the module that has it".to_owned(), applicability, edits })
}
