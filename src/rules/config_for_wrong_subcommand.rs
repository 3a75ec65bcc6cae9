//! Configurations that are another command's of the same program.

use super::declare::declare_rule;
use super::framework::{Reader, label, push_of_each, readers};
use super::versions::enumerate;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::knowledge::Consumer;
use crate::lower::Analysis;
use crate::lower::configuration::Key;
use crate::lower::launch::Program;
use crate::source::Span;

declare_rule! {
    /// ## What it does
    ///
    /// Reports commands of a training framework that are given the configuration of another command of it: the file of
    /// `llamafactory-cli train` to `chat` or `export`, that of `trl dpo` to `trl sft`. At least two keys of the file are refused by the
    /// command that gets it, and the other command has every key of the file.
    ///
    /// ## Why it matters
    ///
    /// The parser refuses to start and lists all keys that are not its own, which looks like a file full of mistakes.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// llamafactory==0.9.3
    /// ```
    ///
    /// ```yaml,beside
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// dataset: dpo_en_demo
    /// template: qwen
    /// output_dir: out
    /// ```
    ///
    /// ```sh,bad
    /// llamafactory-cli chat config.yaml
    /// ```
    ///
    /// ```sh,good
    /// llamafactory-cli train config.yaml
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: either the command or the file is the wrong one.
    ///
    /// ## Versions
    ///
    /// The keys of each command are mined from the released wheels. The keys are not reported one by one as `unknown-config-key` then.
    ///
    /// ## References
    ///
    /// - LLaMA-Factory issues 5633, 6456 and 8301
    ConfigForWrongSubcommand = "config-for-wrong-subcommand", "DPL803", Error,
        "a command gets the configuration of another command"
}

/// Fewer keys than this may be leftovers of a file that is meant for the command.
const FEW: usize = 2;

impl Rule for ConfigForWrongSubcommand {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_of_each(found, readers(analysis, context), |reader| {
            Mistaken::of(analysis, reader).map(|mistaken| mistaken.report(reader))
        });
    }
}

/// A command and the commands whose file it got.
pub(super) struct Mistaken<'a> {
    /// The command on the launch line.
    place: Span,
    command: String,
    refused: Vec<&'a Key>,
    others: Vec<&'static Consumer>,
}

impl<'a> Mistaken<'a> {
    pub(super) fn of(analysis: &Analysis, reader: &Reader<'a>) -> Option<Self> {
        let configuration = reader.configuration;
        let consumer = configuration.consumer;
        let launch = analysis.written.launch_at(configuration.launch.filter(|_| consumer.unknown.is_some())?)?;
        let Program::Command { tool, command } = &launch.program else { return None };
        let keys: Vec<&Key> = configuration.keys.iter().filter(|key| !key.on_command_line).collect();
        let refused: Vec<&Key> = keys.iter().copied().filter(|key| reader.fate(key).is_some()).collect();
        if refused.len() < FEW {
            return None;
        }
        let is_whole = |other: &&Consumer| keys.iter().all(|key| reader.is_key_of(other, &key.name));
        let neighbours = Consumer::all().iter().filter(|one| one.package == consumer.package);
        let others: Vec<_> = neighbours.filter(|one| one.name != consumer.name).filter(is_whole).collect();
        let command_name = format!("{tool} {}", command.text.as_deref()?);
        (!others.is_empty()).then_some(Self { place: command.span, command: command_name, refused, others })
    }

    /// What a finding about one of the keys follows from.
    pub(super) fn cause(&self) -> (&'static str, Span) {
        (ConfigForWrongSubcommand::META.name, self.place)
    }

    fn report(&self, reader: &Reader<'_>) -> Diagnostic {
        let names = |consumers: &[&Consumer]| {
            let names: Vec<String> = consumers.iter().map(|one| format!("`{}`", one.name)).collect();
            names.join(" or ")
        };
        let others = names(&self.others);
        let message = format!("`{}` gets a configuration of {others}", self.command);
        let outcome = reader.configuration.consumer.unknown.as_deref().unwrap_or_default();
        let primary = label(self.place, outcome);
        let mut finding = reader.finding(&ConfigForWrongSubcommand::META, Severity::Error, message, primary);
        finding.related.extend(self.refused.first().map(|key| label(key.span, "the first key that it refuses")));
        let keys: Vec<String> = self.refused.iter().map(|key| format!("`{}`", key.name)).collect();
        finding.notes.push(format!("{} has no {}", reader.title(), enumerate(&keys)));
        finding.help = Some(format!("start it with {others}, or give it another file"));
        finding
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::lint;

    const TRAIN: &str = "\
model_name_or_path: a/b
stage: sft
do_train: true
finetuning_type: lora
dataset: data
template: qwen
output_dir: out
";

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let (_, found) = lint(files);
        let about = found.iter().filter(|one| matches!(one.code, "DPL105" | "DPL803"));
        about.map(|one| format!("{} {}", one.code, one.message)).collect()
    }

    #[test]
    fn a_file_of_another_command_is_one_finding() {
        let none: [&str; 0] = [];
        let of_train = "DPL803 `llamafactory-cli chat` gets a configuration of `llamafactory-cli train`";
        let of_infer =
            "model_name_or_path: a/b\nadapter_name_or_path: out\ntemplate: qwen\ninfer_backend: huggingface\n";
        for (run, yaml, expected) in [
            ("llamafactory-cli chat a.yaml", TRAIN, vec![of_train]),
            ("llamafactory-cli train a.yaml", TRAIN, vec![]),
            ("llamafactory-cli chat a.yaml", of_infer, vec![]),
            // One key is a leftover.
            (
                "llamafactory-cli chat a.yaml",
                "model_name_or_path: a/b\ntemplate: qwen\noutput_dir: out\n",
                vec!["DPL105 LLaMA-Factory 0.9.3 knows no `output_dir`"],
            ),
            ("ALLOW_EXTRA_ARGS=1 llamafactory-cli chat a.yaml", TRAIN, vec![]),
            ("llamafactory-cli chat $FILE", TRAIN, vec![]),
        ] {
            let files = [("requirements.txt", "llamafactory==0.9.3\n"), ("a.yaml", yaml), ("run.sh", run)];
            let found = found(&files);
            assert_eq!(found, expected, "{run} {yaml}");
        }
        // A key that neither has: what is wrong is not only the command.
        let other = format!("{TRAIN}nonsense: 1\n");
        let files = [
            ("requirements.txt", "llamafactory==0.9.3\n"),
            ("a.yaml", &*other),
            ("run.sh", "llamafactory-cli chat a.yaml"),
        ];
        assert!(found(&files).iter().all(|one| one.starts_with("DPL105")));
        let dpo = "model_name_or_path: a/b\ndataset_name: c/d\nbeta: 0.1\nloss_type: [sigmoid]\nlabel_smoothing: 0.1\noutput_dir: o\n";
        let files = [("requirements.txt", "trl==1.0.0\n"), ("a.yaml", dpo), ("run.sh", "trl sft --config a.yaml\n")];
        assert_eq!(found(&files), ["DPL803 `trl sft` gets a configuration of `trl dpo`"]);
        assert_eq!(found(&[files[0], files[1], ("run.sh", "trl dpo --config a.yaml\n")]), none);
    }
}
