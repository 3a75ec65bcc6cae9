//! Names that a release does not export.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::Outcome;
use super::declare::declare_rule;
use super::versions::{Reach, Versions, enumerate};
use super::{Context, Rule, RuleMeta, lower_bound_too_low, older_configuration};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::eval::ImportEvent;
use crate::knowledge::{Aspect, Knowledge, Package, ReleaseSet, Resolution};
use crate::lower::{Analysis, Script};
use crate::source::FileId;

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
    /// ```python,bad
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out", beta=0.2)
    /// trainer = DPOTrainer(model, args=args, train_dataset=data)
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// from trl import DPOTrainer
    /// from transformers import TrainingArguments
    ///
    /// args = TrainingArguments(output_dir="out")
    /// trainer = DPOTrainer(model, args=args, train_dataset=data, beta=0.2)
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
    /// What to use instead is a decision. Only where the configuration class of a trainer is missing, and the release takes its settings
    /// as arguments of the trainer, an unsafe fix builds `TrainingArguments` and hands the settings on: these have other defaults. Names
    /// that only moved are reported by `import-moved`.
    ///
    /// ## Versions
    ///
    /// The names that each release exports are mined from the released wheels.
    ///
    /// An import inside a function that nothing in the script calls is a warning.
    ///
    /// A release older than the one in effect counts only where a range lets it in by its floor (`trl>=0.8`).
    ///
    /// ## References
    ///
    /// - trl issues 4470 and 4482
    ImportMissing = "import-missing", "DPL111", Error, "a name is imported that the release does not export",
        aliases: ["import-removed"]
}

impl Rule for ImportMissing {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let is_gone = |versions: &Versions<'_>, full: &str| relocated(versions, full).is_none();
        let reported = report_imports(script, context, &Self::META, &is_gone);
        for (mut finding, missing) in reported {
            finding.fixes.extend(older_configuration::plain(analysis, script, context, &missing));
            found.push(finding);
        }
    }
}

/// Where the release in effect has what others have under this full name.
pub(super) fn relocated<'a>(versions: &Versions<'a>, full: &str) -> Option<&'a str> {
    versions.package.relocated(full, versions.in_effect()?).map(|(module, _)| module)
}

/// What a file misses of one module, as one finding: one mistake. Of the names that are missing, those that `select` picks.
pub(super) fn report_imports<'s>(
    script: &'s Script,
    context: &Context<'s>,
    meta: &RuleMeta,
    select: &dyn Fn(&Versions<'_>, &str) -> bool,
) -> Vec<(Diagnostic, Vec<Missing<'s>>)> {
    let mut by_module: BTreeMap<(FileId, &str), Vec<&ImportEvent>> = BTreeMap::new();
    for import in script.trace.imports.iter().filter(|import| import.is_certain()) {
        let imports = by_module.entry((import.span.file, &import.module)).or_default();
        if !imports.iter().any(|known| known.span == import.span) {
            imports.push(import);
        }
    }
    let check = |((_, module), imports): ((FileId, &'s str), Vec<&'s ImportEvent>)| {
        let package = context.knowledge.package(module.split('.').next().unwrap_or_default())?;
        let versions = Versions::new(package, &script.environment);
        let is_selected = |import: &&ImportEvent| {
            import.name.as_deref().is_some_and(|name| select(&versions, &format!("{module}.{name}")))
        };
        let imports: Vec<&ImportEvent> = imports.into_iter().filter(is_selected).collect();
        check(versions, module, &imports, (meta, context.knowledge))
    };
    by_module.into_iter().filter_map(check).collect()
}

/// The releases that lack a name, among those of a name that some release has. A name that no release is known to have
/// may be a submodule or something that mining does not see.
fn lacking(package: &Package, module: &str, name: &str, knowledge: &Knowledge) -> Option<ReleaseSet> {
    let full = format!("{module}.{name}");
    let alike = knowledge.alike(package, [full.as_str()], Aspect::Parameters(&BTreeSet::new()), &|_| None);
    let (mut having, mut lacking) = (false, ReleaseSet::default());
    for run in alike.cut(&package.all()) {
        match package.resolve(&full, run.iter().next()?) {
            Resolution::Definition(_) | Resolution::Other => having = true,
            Resolution::NotExported => lacking = &lacking | &run,
            Resolution::Unknown => {}
        }
    }
    let computing = knowledge.curated().computing(package.name(), name).map(|releases| package.releases_in(releases));
    having.then(|| computing.fold(lacking, |lacking, may_have| &lacking - &may_have))
}

/// An import, the name it asks for, and the releases that lack it.
pub(super) type Missing<'a> = (&'a ImportEvent, &'a str, ReleaseSet);

fn check<'i>(
    versions: Versions<'_>,
    module: &str,
    imports: &[&'i ImportEvent],
    (meta, knowledge): (&RuleMeta, &Knowledge),
) -> Option<(Diagnostic, Vec<Missing<'i>>)> {
    let in_effect = versions.in_effect()?;
    let names =
        imports.iter().filter_map(|import| Some((*import, import.name.as_deref().filter(|name| *name != "*")?)));
    let missing =
        names.filter_map(|(import, name)| Some((import, name, lacking(versions.package, module, name, knowledge)?)));
    let reached: Vec<(Missing<'_>, Reach)> = missing
        .map(|(import, name, lacking)| {
            let reach = versions.reach(&Outcome::certainly(lacking.clone()), in_effect);
            ((import, name, lacking), reach)
        })
        .filter(|(_, reach)| versions.speaks_of(*reach))
        .collect();
    let worst = reached.iter().map(|(_, reach)| *reach).max()?;
    let mut reported = reached.iter().filter(|(_, reach)| *reach == worst).map(|(missing, _)| missing);
    let found = reported.next()?;
    let (first, first_name, lacking) = found;
    let rest: Vec<&Missing<'_>> = reported.collect();

    let mut names = vec![format!("`{first_name}`")];
    for (_, name, _) in &rest {
        // Cells of a notebook import the same name again and again.
        let name = format!("`{name}`");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let releases = versions.meant(worst, in_effect, lacking);
    let message = format!("`{module}` of {releases} has no {}", enumerate(&names));
    let label = |import: &ImportEvent, message: &str| Label { span: import.span, message: message.to_owned() };
    let mut finding = versions.finding(meta, worst, lacking, message, label(first, "ImportError"));
    finding.related.extend(rest.iter().map(|(import, ..)| label(import, "this one too")));
    // Who calls the function may ask for another release first.
    if first.uncalled && rest.iter().all(|(import, ..)| import.uncalled) {
        finding.severity = finding.severity.min(Severity::Warning);
    }
    let having = &versions.package.all() - lacking;
    finding.notes.push(format!("{} has `{first_name}`", versions.releases(&having)));
    finding.follows = lower_bound_too_low::cause(versions, lacking);
    versions.explain(&mut finding);
    let missing = std::iter::once(found.clone()).chain(rest.into_iter().cloned()).collect();
    Some((finding, missing))
}
