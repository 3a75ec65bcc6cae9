//! Data of the project that lacks what the trainer reads.

use std::collections::BTreeSet;
use std::path::Path;

use super::declare::declare_rule;
use super::framework::{label, push_new};
use super::report::plain;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::eval::Cond;
use crate::lower::{Analysis, Script, loaded};
use crate::model::LibraryCall;
use crate::source::did_you_mean;

/// Of a data file so much is read.
const START: usize = 1 << 16;

/// And of that so many rows.
const ROWS: usize = 32;

/// The columns that trainers read, each set enough by itself.
const READ: [(&str, &[&[&str]]); 4] = [
    ("DPOTrainer", &[&["chosen", "rejected"]]),
    ("ORPOTrainer", &[&["chosen", "rejected"]]),
    ("CPOTrainer", &[&["chosen", "rejected"]]),
    ("KTOTrainer", &[&["completion", "label"], &["chosen", "rejected"]]),
];

declare_rule! {
    /// ## What it does
    ///
    /// Reports local data (`load_dataset("json", data_files=...)`, or `"csv"`) that goes to a trainer of preferences as it is, and whose
    /// first rows lack `chosen` and `rejected` (for `KTOTrainer`: `completion` and `label`).
    ///
    /// ## Why it matters
    ///
    /// The trainer ends with `KeyError: 'chosen'`, after the model was loaded and some of the data was prepared.
    ///
    /// ## Example
    ///
    /// ```json,beside:pairs.jsonl
    /// {"prompt": "2 + 2?", "better": "4", "worse": "5"}
    /// {"prompt": "3 + 3?", "better": "6", "worse": "5"}
    /// ```
    ///
    /// ```python,bad
    /// from datasets import load_dataset
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// data = load_dataset("json", data_files="pairs.jsonl", split="train")
    /// trainer = DPOTrainer("Qwen/Qwen2.5-0.5B", args=DPOConfig(output_dir="out"), train_dataset=data)
    /// ```
    ///
    /// ```python,good
    /// from datasets import load_dataset
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// data = load_dataset("json", data_files="pairs.jsonl", split="train")
    /// data = data.rename_columns({"better": "chosen", "worse": "rejected"})
    /// trainer = DPOTrainer("Qwen/Qwen2.5-0.5B", args=DPOConfig(output_dir="out"), train_dataset=data)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: which column is which cannot be told.
    ///
    /// ## Versions
    ///
    /// All releases. Nothing is said where the data is changed in any way before the trainer gets it, or a collator is passed.
    ///
    /// ## References
    ///
    /// - LLaMA-Factory issue 4717, axolotl issue 2415, `MedicalGPT` issue 342
    MissingPreferenceColumn = "missing-preference-column", "DPL601", Error, "local data lacks a column that the trainer reads"
}

impl Rule for MissingPreferenceColumn {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let calls = analysis.calls.iter().filter(|call| call.trains && call.script == script.path);
        for call in calls {
            let callee = call.call().object.callee.rsplit('.').next().unwrap_or_default();
            if let Some((_, read)) = READ.iter().find(|(trainer, _)| *trainer == callee) {
                push_new(found, check(analysis, call, read, context));
            }
        }
    }
}

fn check(
    analysis: &Analysis,
    call: &LibraryCall,
    read: &'static [&'static [&'static str]],
    context: &Context<'_>,
) -> Vec<Diagnostic> {
    let event = call.call();
    let argument = |name: &str| call.arguments().iter().find(|argument| argument.name.as_deref() == Some(name));
    // A subclass or a collator may read other columns.
    let is_usual = event.when == Cond::TRUE && event.caught.is_empty() && event.through.is_none() && !event.open;
    if !is_usual || argument("data_collator").is_some() {
        return Vec::new();
    }
    let sets = ["train_dataset", "eval_dataset"].into_iter().filter_map(argument);
    let sets = sets.filter_map(|argument| {
        let module = analysis.modules.get(&argument.span.file)?;
        Some((argument, loaded(module, argument.span)?))
    });
    let files =
        sets.flat_map(|(argument, set)| set.files.into_iter().map(move |file| (argument, set.format.clone(), file)));
    let judge = |(argument, format, (path, span)): (&crate::eval::Argument, String, (String, _))| {
        let columns = columns(&start_of(&path, &call.script, context)?, &format)?;
        let lacking = |wanted: &[&'static str]| -> Vec<&'static str> {
            wanted.iter().copied().filter(|column| !columns.contains(*column)).collect()
        };
        let lacking: Vec<&str> = read.iter().map(|wanted| lacking(wanted)).min_by_key(Vec::len)?;
        let first = lacking.first()?;
        let names: Vec<String> = lacking.iter().map(|column| format!("`{column}`")).collect();
        let message = format!("the data in `{path}` has no {}", names.join(" and no "));
        let there: Vec<&str> = columns.iter().map(String::as_str).collect();
        let primary = label(span, format!("its first rows have {}", there.join(", ")));
        let mut finding = plain(&MissingPreferenceColumn::META, Severity::Error, message, primary);
        finding.related.push(label(argument.span, format!("KeyError: '{first}'")));
        let meant = did_you_mean(first, there.iter().copied());
        finding.help = Some(match meant {
            Some(meant) => format!("rename the column `{meant}` to `{first}`"),
            None => "rename the columns, or build them with `map`".to_owned(),
        });
        Some(finding)
    };
    files.filter_map(judge).collect()
}

/// The first bytes of a data file, seen from the script's folder or from one above.
fn start_of(path: &str, script: &Path, context: &Context<'_>) -> Option<Vec<u8>> {
    if path.contains(['*', '?', '[', '{', ':']) || Path::new(path).is_absolute() {
        return None;
    }
    let folders = script.parent().into_iter().flat_map(Path::ancestors);
    folders.map(|folder| folder.join(path)).find_map(|file| context.disk.read_start(&file, START).ok())
}

/// The columns of the first rows; `None` where they cannot be told.
fn columns(start: &[u8], format: &str) -> Option<BTreeSet<String>> {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The end may be in the middle of a letter.
        Err(error) => std::str::from_utf8(&start[..error.valid_up_to()]).ok()?,
    };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if format == "csv" {
        let header = text.lines().next()?;
        let names = header.split(',').map(|name| name.trim().trim_matches('"').to_owned());
        return (header.contains(',') && start.len() < START || text.contains('\n')).then(|| names.collect());
    }
    let mut columns = BTreeSet::new();
    let mut rest = text.strip_prefix('[').unwrap_or(text);
    for _ in 0..ROWS {
        rest = rest.trim_start_matches([' ', '\n', '\r', '\t', ',']);
        let mut rows =
            serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Map<String, serde_json::Value>>();
        let Some(Ok(row)) = rows.next() else { break };
        columns.extend(row.into_iter().map(|(name, _)| name));
        let read = rows.byte_offset();
        rest = rest.get(read..)?;
    }
    (!columns.is_empty()).then_some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::lint_by;

    #[test]
    fn columns_of_the_first_rows() {
        for (text, format, expected) in [
            ("{\"a\": 1, \"b\": [1]}\n{\"a\": 2, \"c\": null}\n", "json", "a b c"),
            ("[\n {\"a\": 1},\n {\"b\": 2}\n]", "json", "a b"),
            ("\u{feff}{\"a\": {\"x\": 1}}\n{\"b\": \"cut of", "json", "a"),
            ("{\"a\": \"cut of", "json", ""),
            ("[1, 2]", "json", ""),
            ("a,\"b\",c\n1,2,3\n", "csv", "a b c"),
        ] {
            let found = columns(text.as_bytes(), format).unwrap_or_default();
            assert_eq!(found.into_iter().collect::<Vec<_>>().join(" "), expected, "{text}");
        }
    }

    #[test]
    fn data_that_a_trainer_gets_as_it_is() {
        let head = "import datasets\nfrom datasets import load_dataset\nfrom trl import *\nfrom trl import DPOTrainer, KTOTrainer\n";
        let rows = ("data/pairs.jsonl", "{\"question\": \"a\", \"choosen\": \"b\", \"rejected\": \"c\"}\n");
        let kto = ("data/kto.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\", \"label\": true}\n");
        let load = "data = load_dataset('json', data_files='data/pairs.jsonl', split='train')\n";
        for (body, expected) in [
            (format!("{load}DPOTrainer(m, train_dataset=data)"), 1),
            (format!("{load}DPOTrainer(m, train_dataset=data.shuffle(seed=1).select(range(9)))"), 1),
            ("d = datasets.load_dataset('json', data_files={'train': 'data/pairs.jsonl'})\nDPOTrainer(m, train_dataset=d['train'])".into(), 1),
            (format!("def main():\n    {load}    DPOTrainer(m, train_dataset=data)\nmain()\n"), 1),
            (format!("{load}data = data.map(f)\nDPOTrainer(m, train_dataset=data)"), 0),
            (format!("{load}DPOTrainer(m, train_dataset=data.map(f))"), 0),
            (format!("{load}data['train'] = f(data)\nDPOTrainer(m, train_dataset=data['train'])"), 0),
            (format!("{load}data.set_transform(f)\nDPOTrainer(m, train_dataset=data)"), 0),
            (format!("{load}if x:\n    data = other()\nDPOTrainer(m, train_dataset=data)"), 0),
            (format!("{load}DPOTrainer(m, train_dataset=data, data_collator=c)"), 0),
            (format!("{load}class T(DPOTrainer): pass\nT(m, train_dataset=data)"), 0),
            (format!("{load}KTOTrainer(m, train_dataset=data)"), 1),
            (format!("{load}DPOTrainer(m, train_dataset=data)").replace("pairs", "gone"), 0),
            (format!("{load}DPOTrainer(m, train_dataset=data)").replace("'data/", "root + 'data/"), 0),
            (format!("{load}DPOTrainer(m, train_dataset=data)").replace("split", "field='x', split"), 0),
            (format!("def load_dataset(*a, **k): ...\n{load}DPOTrainer(m, train_dataset=data)"), 0),
            (format!("{load}KTOTrainer(m, train_dataset=data)").replace("pairs", "kto"), 0),
            (format!("{load}DPOTrainer(m, train_dataset=data)").replace("pairs", "kto"), 1),
        ] {
            let script = format!("{head}{body}");
            let (_, found) = lint_by(&[("train.py", &script), rows, kto], &|rule| rule.meta().code == "DPL601");
            assert_eq!(found.len(), expected, "{body}");
        }
    }
}
