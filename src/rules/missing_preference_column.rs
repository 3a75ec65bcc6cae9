//! Data of the project that lacks what the trainer reads.

use super::data_columns::{columns, start_of};
use super::data_files::{DataFile, data_files};
use super::declare::declare_rule;
use super::framework::{label, push_new};
use super::framework_data::of_configurations;
use super::report::plain;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::eval::Cond;
use crate::lower::{Analysis, Script};
use crate::model::LibraryCall;
use crate::source::did_you_mean;

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
    /// Reports local data (`load_dataset("json", data_files=...)`, or `"csv"`), named in the script, on the launch line or in an argument file
    /// (`data_files=args.train_file`), that goes to a trainer of preferences as it is, and whose first rows lack `chosen` and `rejected` (for `KTOTrainer`: `completion` and `label`). So do data sets of pairs in the
    /// `dataset_info.json` of LLaMA-Factory, local ones in configurations of axolotl, and files that `--dataset` of ms-swift names, which
    /// must have a `rejected_response` (or other columns that begin with `rejected_`), for `kto` a `label`.
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
    /// ```text,requirements
    /// llamafactory==0.9.3
    /// ```
    ///
    /// ```json,beside:data/pairs.jsonl
    /// {"instruction": "2 + 2?", "better": "4", "worse": "5"}
    /// ```
    ///
    /// ```json,list
    /// {
    ///   "pairs": {"file_name": "pairs.jsonl", "ranking": true, "columns": {"chosen": "chosen", "rejected": "worse"}},
    ///   "mapped": {"file_name": "pairs.jsonl", "ranking": true, "columns": {"chosen": "better", "rejected": "worse"}}
    /// }
    /// ```
    ///
    /// ```yaml,bad
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// dataset: pairs
    /// template: qwen
    /// output_dir: out
    /// ```
    ///
    /// ```yaml,good
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// dataset: mapped
    /// template: qwen
    /// output_dir: out
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

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_new(found, of_configurations(analysis, context, &Self::META));
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
    let judge = |DataFile { path, place, format, from, argument }: DataFile<'_>| {
        let columns = columns(&start_of(&path, &from, context)?, &format)?;
        let lacking = |wanted: &[&'static str]| -> Vec<&'static str> {
            wanted.iter().copied().filter(|column| !columns.contains(*column)).collect()
        };
        let lacking: Vec<&str> = read.iter().map(|wanted| lacking(wanted)).min_by_key(Vec::len)?;
        let first = lacking.first()?;
        let names: Vec<String> = lacking.iter().map(|column| format!("`{column}`")).collect();
        let message = format!("the data in `{path}` has no {}", names.join(" and no "));
        let there: Vec<&str> = columns.iter().map(String::as_str).collect();
        let primary = label(place, format!("its first rows have {}", there.join(", ")));
        let mut finding = plain(&MissingPreferenceColumn::META, Severity::Error, message, primary);
        finding.related.push(label(argument.span, format!("KeyError: '{first}'")));
        let meant = did_you_mean(first, there.iter().copied());
        finding.help = Some(match meant {
            Some(meant) => format!("rename the column `{meant}` to `{first}`"),
            None => "rename the columns, or build them with `map`".to_owned(),
        });
        Some(finding)
    };
    data_files(analysis, call, context.knowledge).into_iter().filter_map(judge).collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::lint_by;

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
            // What is not taken of the data set is not read.
            ("d = load_dataset('json', data_files={'train': 'data/kto.jsonl', 'test': 'data/pairs.jsonl'})\nKTOTrainer(m, train_dataset=d['train'])".into(), 0),
        ] {
            let script = format!("{head}{body}");
            let (_, found) = lint_by(&[("train.py", &script), rows, kto], &|rule| rule.meta().code == "DPL601");
            assert_eq!(found.len(), expected, "{body}");
        }
    }

    /// What is found of files that are named by flags: code and the text at the place.
    fn named(files: &[(&str, &str)]) -> Vec<String> {
        let is_asked = |rule: &dyn crate::rules::Rule| matches!(rule.meta().code, "DPL601" | "DPL807");
        let (sources, found) = lint_by(files, &is_asked);
        let text = |one: &crate::diagnostic::Diagnostic| {
            let span = one.primary.span;
            format!("{} {}", one.code, sources.get(span.file).slice(span))
        };
        found.iter().map(text).collect()
    }

    #[test]
    fn files_that_come_through_flags() {
        let rows = ("data/pairs.jsonl", "{\"question\": \"a\", \"choosen\": \"b\", \"rejected\": \"c\"}\n");
        let good = ("data/good.jsonl", "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}\n");
        let head = "import argparse\nfrom datasets import load_dataset\nfrom trl import DPOTrainer\n\nparser = argparse.ArgumentParser()\nparser.add_argument('--train_file')\nparser.add_argument('--test_file')\nargs = parser.parse_args()\n";
        let plain = "data = load_dataset('json', data_files=args.train_file, split='train')\n";
        let dict =
            "data = load_dataset('json', data_files={'train': args.train_file, 'test': args.test_file})['train']\n";
        let built = "files = {}\nif args.train_file is not None:\n    files['train'] = args.train_file\nif args.test_file is not None:\n    files['test'] = args.test_file\nraw = load_dataset('json', data_files=files)\ndata = raw['train']\n";
        for (load, line, expected) in [
            (plain, "--train_file data/pairs.jsonl", vec!["DPL601 --train_file data/pairs.jsonl"]),
            (plain, "--train_file data/good.jsonl", vec![]),
            (plain, "--train_file data/good.jsonl --test_file data/pairs.jsonl", vec![]),
            (dict, "--train_file data/pairs.jsonl", vec!["DPL601 --train_file data/pairs.jsonl"]),
            (dict, "--train_file data/good.jsonl --test_file data/pairs.jsonl", vec![]),
            (built, "--train_file data/pairs.jsonl", vec!["DPL601 --train_file data/pairs.jsonl"]),
            (built, "--test_file data/pairs.jsonl", vec![]),
            (plain, "--train_file data/pair.jsonl", vec!["DPL807 --train_file data/pair.jsonl"]),
            (plain, "--train_file data/something_else.jsonl", vec![]),
            (plain, "--train_file $DATA", vec![]),
            (plain, "--train_file /data/pair.jsonl", vec![]),
            (plain, "", vec![]),
        ] {
            let script = format!("{head}{load}DPOTrainer(m, train_dataset=data)\n");
            let run = format!("python train.py {line}\n");
            let found = named(&[("train.py", &script), ("run.sh", &run), rows, good]);
            assert_eq!(found, expected, "{load}{line}");
            // Of a data set that is made of it nothing is known.
            let mapped = script.replace("train_dataset=data", "train_dataset=data.map(f)");
            assert_eq!(named(&[("train.py", &mapped), ("run.sh", &run), rows, good]), [""; 0]);
        }
        let script = "from dataclasses import dataclass\nfrom datasets import load_dataset\nfrom transformers import HfArgumentParser\nfrom trl import DPOConfig, DPOTrainer\n\n@dataclass\nclass Data:\n    train_file: str = None\n\ndef main():\n    data_args, training_args = HfArgumentParser((Data, DPOConfig)).parse_args_into_dataclasses()\n    data = load_dataset('json', data_files={'train': data_args.train_file}, split='train')\n    DPOTrainer(m, args=training_args, train_dataset=data)\n\nmain()\n";
        let files = [
            ("src/train.py", script),
            ("run.sh", "python src/train.py conf/dpo.json\n"),
            ("conf/dpo.json", "{\"output_dir\": \"out\", \"train_file\": \"data/pairs.jsonl\"}\n"),
            rows,
        ];
        assert_eq!(named(&files), ["DPL601 \"train_file\": \"data/pairs.jsonl\""]);
    }
}
