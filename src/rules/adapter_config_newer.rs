//! A saved adapter with settings of which the release knows nothing.

use super::ask::Outcome;
use super::declare::declare_rule;
use super::versions::{Reach, Versions, enumerate};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label, Severity};
use crate::knowledge::{Knowledge, Package, ReleaseSet, Takes};
use crate::lower::{Analysis, Releases, SavedAdapter};
use crate::syntax::{Edit, Entry, NodeKind, Scalar, edit};

declare_rule! {
    /// ## What it does
    ///
    /// Reports an `adapter_config.json` with keys that the release of peft in effect does not know.
    ///
    /// ## Why it matters
    ///
    /// Every release of peft writes all its settings into this file, those that are not used included. Older releases pass each
    /// of them to the constructor of the configuration, which raises `TypeError`. Newer ones drop what they do not know: where it
    /// said something, the adapter is then another one.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// peft==0.12.0
    /// ```
    ///
    /// ```json,bad
    /// {
    ///   "peft_type": "LORA",
    ///   "base_model_name_or_path": "Qwen/Qwen2.5-0.5B",
    ///   "eva_config": null,
    ///   "exclude_modules": null,
    ///   "r": 8
    /// }
    /// ```
    ///
    /// ```json,unsafe-fixed
    /// {
    ///   "peft_type": "LORA",
    ///   "base_model_name_or_path": "Qwen/Qwen2.5-0.5B",
    ///   "r": 8
    /// }
    /// ```
    ///
    /// ```json,good
    /// {
    ///   "peft_type": "LORA",
    ///   "base_model_name_or_path": "Qwen/Qwen2.5-0.5B",
    ///   "use_dora": true,
    ///   "r": 8
    /// }
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Keys that say nothing (`null`, `false`, empty) are removed. Unsafe, since the file was not written by hand; a newer peft is
    /// the better way where that is possible. There is no fix where one of the keys says something.
    ///
    /// ## Versions
    ///
    /// The settings of each release are mined from the released wheels. Which releases stop at a key they do not know is listed by
    /// hand, from the sources of peft.
    ///
    /// ## References
    ///
    /// - peft issues 2275 and 2340
    AdapterConfigNewerThanPeft = "adapter-config-newer-than-peft", "DPL010", Error,
        "an adapter was saved by a newer release of peft"
}

const PACKAGE: &str = "peft";
/// The release that wrote the file; nothing depends on it.
const WRITTEN_BY: &str = "peft_version";

impl Rule for AdapterConfigNewerThanPeft {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let Some(package) = context.knowledge.package(PACKAGE) else { return };
        found.extend(analysis.adapters.iter().filter_map(|adapter| check(context.knowledge, package, adapter)));
    }
}

/// A key, and the releases that do not know it.
type Unknown<'a> = (&'a Entry, ReleaseSet);

fn check(knowledge: &Knowledge, package: &Package, adapter: &SavedAdapter) -> Option<Diagnostic> {
    let versions = Versions::new(package, &adapter.environment);
    let in_effect = versions.in_effect()?;
    let class = class(package, adapter)?;
    let lacking = |name: &str, wanted: &dyn Fn(&Takes<'_>) -> bool| -> ReleaseSet {
        let takes = |release| Releases::new(knowledge, &adapter.environment, package, release).takes(&class, name);
        package.all().iter().filter(|release| wanted(&takes(*release))).collect()
    };
    let unknown = adapter.document.root.entries().iter().filter_map(|entry| {
        let name = entry.name()?;
        // What no release is known to have is someone's own.
        let is_known = !lacking(name, &|takes| matches!(takes, Takes::Parameter(_))).is_empty();
        is_known.then(|| (entry, lacking(name, &|takes| *takes == Takes::Nothing)))
    });
    let unknown: Vec<Unknown<'_>> = unknown.filter(|(_, lacking)| !lacking.is_empty()).collect();
    let strict = package.releases_in(knowledge.curated().strict_adapter_files(PACKAGE)?);
    let all = unknown.iter().map(|(_, lacking)| lacking);
    let stopped = &all.fold(ReleaseSet::default(), |any, lacking| &any | lacking) & &strict;
    let reach = versions.reach(&Outcome::certainly(stopped.clone()), in_effect);
    if versions.speaks_of(reach) {
        let counted =
            if reach == Reach::InEffect { in_effect } else { (&stopped & &versions.allowed()).iter().next_back()? };
        let keys = unknown.iter().filter(|(_, lacking)| lacking.contains(counted)).collect::<Vec<_>>();
        let mut finding = report(versions, reach, &stopped, counted, &keys, "TypeError: an unknown setting")?;
        finding.fixes.extend(without(adapter, &keys));
        return Some(finding);
    }
    let says = |(entry, lacking): &&Unknown<'_>| {
        lacking.contains(in_effect) && entry.name() != Some(WRITTEN_BY) && !says_nothing(entry)
    };
    let dropped: Vec<&Unknown<'_>> = unknown.iter().filter(says).collect();
    let releases = dropped.first()?.1.clone();
    let mut finding = report(versions, Reach::InEffect, &releases, in_effect, &dropped, "dropped with a warning")?;
    finding.severity = finding.severity.min(Severity::Warning);
    Some(finding)
}

/// The class of the configuration: `LORA` is that of `LoraConfig`.
fn class(package: &Package, adapter: &SavedAdapter) -> Option<String> {
    let kind = adapter.document.root.entries().iter().find(|entry| entry.name() == Some("peft_type"))?;
    let NodeKind::Scalar(Scalar::Str(kind)) = &kind.value.kind else { return None };
    let wanted = format!("{}config", kind.to_lowercase().replace('_', ""));
    let found = package.definitions_in(PACKAGE).find(|name| name.to_lowercase() == wanted)?;
    Some(format!("{PACKAGE}.{found}"))
}

fn report(
    versions: Versions<'_>,
    reach: Reach,
    affected: &ReleaseSet,
    counted: usize,
    keys: &[&Unknown<'_>],
    effect: &str,
) -> Option<Diagnostic> {
    let (first, rest) = keys.split_first()?;
    let names: Vec<String> =
        keys.iter().filter_map(|(entry, _)| entry.name()).map(|name| format!("`{name}`")).collect();
    let message = format!("{} does not know {} of this adapter", versions.release(counted), enumerate(&names));
    let label = |entry: &Entry, message: &str| Label { span: entry.span, message: message.to_owned() };
    let mut finding =
        versions.finding(&AdapterConfigNewerThanPeft::META, reach, affected, message, label(first.0, effect));
    finding.related.extend(rest.iter().map(|(entry, _)| label(entry, "this one too")));
    let lacking = keys.iter().fold(ReleaseSet::default(), |any, (_, lacking)| &any | lacking);
    let having = &versions.package.all() - &lacking;
    if let Some(oldest) = having.iter().find(|release| *release > counted) {
        finding.help = Some(format!("{} is the first release that knows all of it", versions.release(oldest)));
    }
    versions.explain(&mut finding);
    Some(finding)
}

/// Whether a value asks for nothing.
fn says_nothing(entry: &Entry) -> bool {
    match &entry.value.kind {
        NodeKind::Scalar(scalar) => matches!(scalar, Scalar::Null | Scalar::Bool(false)),
        _ => entry.value.entries().is_empty(),
    }
}

/// Removes keys that say nothing, if none of them says something.
fn without(adapter: &SavedAdapter, keys: &[&Unknown<'_>]) -> Option<Fix> {
    let is_idle = |entry: &Entry| says_nothing(entry) || entry.name() == Some(WRITTEN_BY);
    if !keys.iter().all(|(entry, _)| is_idle(entry)) {
        return None;
    }
    let removed = keys.iter().map(|(entry, _)| edit::remove_entry(&adapter.source, &adapter.document, entry).ok());
    let mut removed: Vec<Edit> = removed.collect::<Option<_>>()?;
    removed.sort_unstable();
    let mut edits: Vec<Edit> = Vec::new();
    for one in removed {
        match edits.last_mut() {
            // Neighbours go as one.
            Some(last) if last.span.end >= one.span.start => last.span.end = last.span.end.max(one.span.end),
            _ => edits.push(one),
        }
    }
    let after = edit::apply(adapter.source.text(), &edits).ok()?;
    serde_json::from_str::<serde_json::Value>(&after).ok()?;
    Some(Fix { title: "remove what the release does not know".to_owned(), applicability: Applicability::Unsafe, edits })
}
