//! Data sets of pairs in configurations of frameworks, which lack a column that the framework reads.

use std::collections::BTreeSet;

use super::configured::{Configured, configured};
use super::data_columns::{columns, format_of, start_in, start_of};
use super::dataset_not_registered::{is_ranking, list};
use super::framework::label;
use super::{Context, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::knowledge::Case;
use crate::lower::Analysis;
use crate::lower::configuration::Key;
use crate::source::{Span, did_you_mean};
use crate::syntax::{Entry, Node, NodeKind};

/// A column that a framework reads, and where it is named.
struct Column<'a> {
    name: &'a str,
    place: Span,
}

/// What all configurations of a project lack.
pub(super) fn of_configurations(analysis: &Analysis, context: &Context<'_>, meta: &RuleMeta) -> Vec<Diagnostic> {
    let of_each = |configured: Configured<'_>| {
        let (runs, is_listed) = (configured.runs, configured.reader.configuration.consumer.lists_data);
        if is_so(&configured, runs.labels.as_ref()) {
            return without_labels(&configured, context, meta);
        }
        if !is_so(&configured, runs.pairs.as_ref()) {
            return Vec::new();
        }
        let of = match runs.rejected {
            Some(_) => of_files,
            None if is_listed => of_list,
            None => of_entries,
        };
        of(analysis, &configured, context, meta)
    };
    configured(analysis, context).flat_map(of_each).collect()
}

fn is_so(configured: &Configured<'_>, case: Option<&Case>) -> bool {
    let package = configured.reader.versions.package;
    case.is_some_and(|case| configured.everywhere(&|release| case.is_in(package, release)) && configured.is(&case.when))
}

/// Data sets that a list of the project has: `dataset_info.json`.
fn of_list(
    analysis: &Analysis,
    configured: &Configured<'_>,
    context: &Context<'_>,
    meta: &RuleMeta,
) -> Vec<Diagnostic> {
    let Some((path, list)) = list(analysis, &configured.reader) else { return Vec::new() };
    let keys = ["dataset", "eval_dataset"].into_iter().filter_map(|name| configured.reader.configuration.get(name));
    let entries = keys.flat_map(|key| {
        let names = key.value.as_str().unwrap_or_default().split(',').map(str::trim);
        names.filter_map(move |name| Some((key, list.root.entry(name).filter(|entry| is_ranking(&entry.value))?)))
    });
    let judge = |(key, entry): (&Key, &Entry)| {
        let file = entry.value.entry("file_name").filter(|_| !is_elsewhere(&entry.value))?;
        let named = entry.value.get("columns");
        for wanted in ["chosen", "rejected"] {
            if named.and_then(|columns| columns.entry(wanted)).is_none() {
                let message = format!("the data set `{}` of pairs names no column for `{wanted}`", entry.name()?);
                let primary = label(entry.span, format!("there is no `\"{wanted}\"` in its `columns`: KeyError"));
                return Some(read_by(key, configured.reader.finding(meta, Severity::Error, message, primary)));
            }
        }
        let column = |wanted: &str| {
            let entry = named?.entry(wanted)?;
            Some(Column { name: entry.value.as_str()?, place: entry.span })
        };
        let wanted = [column("chosen")?, column("rejected")?];
        let start = start_in(path.parent()?, file.value.as_str()?, context)?;
        let found = lacking(configured, &wanted, file.value.as_str()?, &start, meta)?;
        Some(read_by(key, found))
    };
    entries.filter_map(judge).collect()
}

/// Whether the data of an entry comes from somewhere else than a file of the project.
fn is_elsewhere(entry: &Node) -> bool {
    ["hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"]
        .iter()
        .any(|key| entry.get(key).is_some())
}

/// Data sets in the configuration itself: `datasets` of axolotl.
fn of_entries(_: &Analysis, configured: &Configured<'_>, context: &Context<'_>, meta: &RuleMeta) -> Vec<Diagnostic> {
    let Some(key) = configured.reader.configuration.get("datasets") else { return Vec::new() };
    let NodeKind::List(items) = &key.value.target().kind else { return Vec::new() };
    let judge = |item: &Entry| {
        let set = item.value.target();
        let kind = set.entry("type")?;
        let (path, from) = (set.entry("path")?, configured.reader.configuration.path.parent()?);
        let read = configured.runs.pair_types.get(kind.value.as_str()?)?;
        // A mapping of fields of the entry's own.
        let column = |name: &'static str, usual| match set.entry(name) {
            Some(entry) => Some(Column { name: entry.value.as_str()?, place: entry.span }),
            None => Some(Column { name: usual, place: kind.span }),
        };
        let wanted = [column("field_chosen", &read[0])?, column("field_rejected", &read[1])?];
        let file = path.value.as_str()?;
        lacking(configured, &wanted, file, &start_of(file, from, context)?, meta)
    };
    items.iter().filter_map(judge).collect()
}

/// Data that a key names by file: `--dataset pairs.jsonl#500` of ms-swift.
struct Named<'a> {
    file: &'a str,
    place: Span,
    columns: BTreeSet<String>,
}

/// The files that some keys name and whose columns can be told.
fn named<'a>(configured: &Configured<'a>, keys: &[&str], context: &Context<'_>) -> Vec<Named<'a>> {
    let configuration = configured.reader.configuration;
    let mut changing = configured.runs.rejected.iter().flat_map(|rejected| &rejected.unless);
    // What is not seen of a line may make columns of others.
    if configuration.is_open || changing.any(|key| configuration.get(key).is_some()) {
        return Vec::new();
    }
    let keys = keys.iter().filter_map(|name| configuration.get(name));
    let words = keys.flat_map(|key| match &key.value.target().kind {
        NodeKind::List(items) => items.iter().map(|item| item.value.target()).collect(),
        _ => vec![key.value.target()],
    });
    let read = |word: &'a Node| {
        let text = word.as_str()?;
        let count = text.rsplit_once('#').filter(|(_, count)| count.parse::<usize>().is_ok());
        let file = count.map_or(text, |(file, _)| file);
        let start = start_of(file, configuration.path.parent()?, context)?;
        Some(Named { file, place: word.span, columns: columns(&start, format_of(file)?)? })
    };
    words.filter_map(read).collect()
}

/// Pairs without a rejected answer.
fn of_files(_: &Analysis, configured: &Configured<'_>, context: &Context<'_>, meta: &RuleMeta) -> Vec<Diagnostic> {
    let Some(rejected) = &configured.runs.rejected else { return Vec::new() };
    let files = named(configured, &["dataset", "val_dataset"], context).into_iter();
    let without = files.filter(|one| !one.columns.iter().any(|column| column.starts_with(&rejected.begins)));
    let why = "each row is refused: it has no rejected answer";
    without.map(|one| without_column(configured, &one, (&rejected.column, "rejected"), why, meta)).collect()
}

/// Single answers of which nothing says whether they are wanted.
fn without_labels(configured: &Configured<'_>, context: &Context<'_>, meta: &RuleMeta) -> Vec<Diagnostic> {
    let files = named(configured, &["dataset"], context).into_iter();
    let without = files.filter(|one| !one.columns.contains(LABEL));
    without.map(|one| without_column(configured, &one, (LABEL, "labels"), "KeyError: 'label'", meta)).collect()
}

/// The column that says whether an answer is wanted.
const LABEL: &str = "label";

/// A file without a column, which others call in another way.
fn without_column(
    configured: &Configured<'_>,
    file: &Named<'_>,
    (wanted, elsewhere): (&str, &str),
    why: &str,
    meta: &RuleMeta,
) -> Diagnostic {
    let message = format!("the data in `{}` has no `{wanted}`", file.file);
    let mut finding = configured.reader.finding(meta, Severity::Error, message, label(file.place, why));
    let there: Vec<&str> = file.columns.iter().map(String::as_str).collect();
    finding.notes.push(format!("its first rows have {}", there.join(", ")));
    let meant = there.iter().find(|column| **column == elsewhere).copied();
    let meant = meant.or_else(|| did_you_mean(wanted, there.iter().copied()));
    finding.help = meant.map(|meant| format!("rename the column `{meant}` to `{wanted}`"));
    finding
}

/// The finding about the first column that a file does not have.
fn lacking(
    configured: &Configured<'_>,
    wanted: &[Column<'_>],
    file: &str,
    start: &[u8],
    meta: &RuleMeta,
) -> Option<Diagnostic> {
    let columns = columns(start, format_of(file)?)?;
    let there: Vec<&str> = columns.iter().map(String::as_str).collect();
    let lacking = wanted.iter().find(|column| !columns.contains(column.name))?;
    let message = format!("the data in `{file}` has no `{}`", lacking.name);
    let primary = label(lacking.place, format!("KeyError: '{}'", lacking.name));
    let mut finding = configured.reader.finding(meta, Severity::Error, message, primary);
    finding.notes.push(format!("its first rows have {}", there.join(", ")));
    let meant = did_you_mean(lacking.name, there.iter().copied());
    finding.help = meant.map(|meant| format!("did you mean `{meant}`?"));
    Some(finding)
}

/// The same finding with the key that asks for the data set.
fn read_by(key: &Key, mut finding: Diagnostic) -> Diagnostic {
    finding.related.push(label(key.span, "this reads it"));
    finding
}
