//! Words that the parser of a script makes no field of: `argparse` ends with exit code 2 at a word that is none of the choices, or no
//! number where one is needed.
//!
//! On a launch line every word is looked at. What an argument file says becomes a default of the same parser: only texts among the
//! defaults are converted, and none is compared with the choices.

use super::ask::Outcome;
use super::invalid_config_value::suggest;
use super::misfit::Receiver;
use super::misfit_settings::has_one_of;
use super::report::plain;
use super::stray_options::is_the_librarys;
use super::{Context, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Label, Severity};
use crate::eval::{Flag, FlagOwner, Parser, ParserKind};
use crate::knowledge::{Parameter, ParserName, Reading};
use crate::lower::configuration::{Key, Kind, kind_of, kind_of_words, read};
use crate::lower::{Analysis, Releases, Script};
use crate::model::{Setting, Variant};
use crate::source::Span;
use crate::syntax::{NodeKind, Scalar};

/// One finding for each setting that ends the parser.
pub(super) fn check(analysis: &Analysis, script: &Script, context: &Context<'_>, meta: &RuleMeta) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for variant in script.variants.iter() {
        for setting in &variant.settings {
            let is_told = found.iter().any(|other| other.primary.span == setting.origin);
            let word = Word::of(analysis, script, variant, setting).filter(|_| !is_told);
            found.extend(word.and_then(|word| word.check(analysis, script, context, meta)));
        }
    }
    found
}

/// What a launch line or an argument file gives to a field.
struct Word<'a> {
    flag: &'a Flag,
    parser: &'a Parser,
    key: Key,
    is_guessed: bool,
}

impl<'a> Word<'a> {
    fn of(analysis: &Analysis, script: &'a Script, variant: &Variant, setting: &Setting) -> Option<Self> {
        let flag = &script.trace.flags[setting.flag.0 as usize];
        let parser = script.trace.parsers.get(flag.parser.0 as usize)?;
        if !parser.reads_command_line || !is_the_librarys(analysis, parser) {
            return None;
        }
        let (entry, on_command_line) = match analysis.written.entry(setting) {
            // What the launch line says, too, is no default any more.
            Some(entry) if parser.kind == ParserKind::TrlParser && variant.setting(setting.flag) == Some(setting) => {
                (entry, false)
            }
            Some(_) => return None,
            None => (analysis.written.flag(variant, setting)?, true),
        };
        let name = entry.name()?.to_owned();
        // `--no_use_peft` takes no word.
        let is_it = name.replace('-', "_") == *flag.name;
        let key = Key { name, value: entry.value.clone(), span: setting.origin, on_command_line };
        is_it.then_some(Self { flag, parser, key, is_guessed: variant.is_guessed })
    }

    /// Why the parser makes no field of it.
    fn refusal(&self, field: &Parameter) -> Option<String> {
        let kinds = self.kinds(field);
        let is_meant = match &self.key.value.kind {
            // `<your model>`, `{{ value }}`: to be filled in.
            NodeKind::Scalar(Scalar::Str(word)) => !word.contains(['<', '{', '$']),
            NodeKind::List(_) => self.key.on_command_line && matches!(kinds[..], [Kind::List(_)]),
            _ => false,
        };
        let is_converted = |kind: &Kind| matches!(kind, Kind::Int | Kind::Float | Kind::Bool);
        let is_judged = self.key.on_command_line || kinds.iter().all(is_converted);
        let as_word = Key { on_command_line: true, ..self.key.clone() };
        if is_meant && is_judged { read(&as_word, &kinds, Reading::Words).err() } else { None }
    }

    /// Whether it says that a number is `None`, in a word that some parsers know.
    fn is_none(&self, field: &Parameter) -> bool {
        let word = self.key.value.as_str().unwrap_or_default();
        let may_be = field.annotation.as_deref().is_some_and(|text| text.contains("None") || text.contains("Optional"));
        let is_number = self.kinds(field).iter().all(|kind| matches!(kind, Kind::Int | Kind::Float));
        may_be && is_number && ["none", "null"].iter().any(|known| word.eq_ignore_ascii_case(known))
    }

    fn kinds(&self, field: &Parameter) -> Vec<Kind> {
        if self.key.on_command_line { kind_of_words(field) } else { kind_of(field) }
    }

    fn check(
        &self,
        analysis: &Analysis,
        script: &Script,
        context: &Context<'_>,
        meta: &RuleMeta,
    ) -> Option<Diagnostic> {
        let label = |span: Span, message: &str| Label { span, message: message.to_owned() };
        let primary = label(self.key.span, "the parser ends with exit code 2");
        let (mut finding, field) = match &self.flag.owner {
            FlagOwner::External(class) => {
                let receiver = Receiver::new(context.knowledge, &script.environment, class);
                let (versions, releases) = receiver.among(&self.flag.name, |field| self.refusal(field).is_some())?;
                let in_effect = versions.in_effect()?;
                let reach = versions.reach(&Outcome::certainly(releases.clone()), in_effect);
                if !versions.speaks_of(reach) {
                    return None;
                }
                let release = if releases.contains(in_effect) { in_effect } else { releases.iter().next_back()? };
                let at = Releases::new(context.knowledge, &script.environment, versions.package, release);
                let field = at.parameter(class, &self.flag.name)?.clone();
                if self.is_none(&field) && reads_none(self.parser, script, context) {
                    return None;
                }
                let message = self.message(&versions.meant(reach, in_effect, &releases), &field)?;
                let mut finding = versions.finding(meta, reach, &releases, message, primary);
                versions.explain(&mut finding);
                (finding, field)
            }
            FlagOwner::Class(_) => {
                let field = declared(analysis, self.flag)?;
                if self.is_none(&field) && reads_none(self.parser, script, context) {
                    return None;
                }
                let file = script.path.file_name().unwrap_or_default().to_string_lossy();
                let message = self.message(&format!("`{file}`"), &field)?;
                (plain(meta, Severity::Error, message, primary), field)
            }
            FlagOwner::Parser => return None,
        };
        if self.is_guessed {
            finding.severity = Severity::Warning;
            finding.confidence = Confidence::Medium;
            finding.notes.push("no launch line says that the script reads this file".to_owned());
        }
        finding.related.push(label(self.parser.span, "this parser reads it"));
        suggest(analysis, &self.key, &self.kinds(&field), &mut finding);
        Some(finding)
    }

    fn message(&self, reader: &str, field: &Parameter) -> Option<String> {
        let reason = self.refusal(field)?;
        let name = if self.key.on_command_line { format!("--{}", self.key.name) } else { self.key.name.clone() };
        Some(match (&self.kinds(field)[..], self.key.value.as_str()) {
            ([Kind::Choice(_)], Some(word)) => format!("{reader} knows no `{name} {word}`"),
            _ => format!("{reader} cannot read `{name}`: {reason}"),
        })
    }
}

/// Whether the parser of the release in effect reads `none` as `None`.
fn reads_none(parser: &Parser, script: &Script, context: &Context<'_>) -> bool {
    let found = context.knowledge.curated().reading_none(ParserName::Trl);
    parser.kind == ParserKind::TrlParser && has_one_of(script, found, context.knowledge)
}

/// A field of a dataclass of the project, as its declaration is written.
fn declared(analysis: &Analysis, flag: &Flag) -> Option<Parameter> {
    let span = flag.declared?;
    let module = analysis.modules.get(&span.file)?;
    let written = &module.text()[std::ops::Range::<usize>::from(module.range(span))];
    let (name, rest) = written.split_once(':')?;
    let annotation = annotation(rest).trim().to_owned();
    // `{"choices": ["a", "b"]}`.
    let listed = ["\"choices\"", "'choices'"].iter().find_map(|key| rest.split_once(key));
    let words = match listed {
        Some((_, list)) => words(list)?,
        None => Vec::new(),
    };
    let is_field = name.trim() == &*flag.name;
    is_field.then(|| Parameter { annotation: Some(annotation), words, ..Parameter::default() })
}

/// What stands before the `=` of a default.
fn annotation(rest: &str) -> &str {
    let mut depth = 0i32;
    for (at, letter) in rest.char_indices() {
        match letter {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            '=' | '#' if depth == 0 => return &rest[..at],
            _ => {}
        }
    }
    rest
}

/// The texts of a list that is written out; `None` for anything else.
fn words(list: &str) -> Option<Vec<String>> {
    let inside =
        list.trim_start().strip_prefix(':')?.trim_start().strip_prefix(['[', '('])?.split([']', ')']).next()?;
    let parts = inside.split(',').map(str::trim).filter(|part| !part.is_empty());
    let word = |part: &str| {
        let quote = part.chars().next().filter(|first| matches!(first, '"' | '\''))?;
        Some(part.strip_prefix(quote)?.strip_suffix(quote)?.to_owned())
    };
    parts.map(word).collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::lint;

    const SCRIPT: &str = "\
from dataclasses import dataclass, field
from typing import Literal, Optional

from transformers import HfArgumentParser
from trl import DPOConfig, TrlParser


@dataclass
class Arguments:
    mode: Literal[\"fast\", \"slow\"] = \"fast\"
    kind: str = field(default=\"a\", metadata={\"help\": \"which\", \"choices\": [\"a\", \"b\"]})
    count: Optional[int] = None
    share: float = 0.1


args, training_args = TrlParser((Arguments, DPOConfig)).parse_args_and_config()
";

    fn told(script: &str, line: &str, file: &str) -> Vec<String> {
        told_with("trl==0.15.2\ntransformers==4.49.0\n", script, line, file)
    }

    fn told_with(pins: &str, script: &str, line: &str, file: &str) -> Vec<String> {
        let found = lint(&[("dpo.py", script), ("requirements.txt", pins), ("run.sh", line), ("c.yaml", file)]).1;
        let found = found.into_iter().filter(|finding| finding.rule == "invalid-choice");
        found
            .map(|finding| {
                let help = finding.help.map(|help| format!("; {help}")).unwrap_or_default();
                format!("{} {}{help}", finding.severity.as_str(), finding.message)
            })
            .collect()
    }

    #[test]
    fn words_of_a_launch_line_are_compared_with_the_choices() {
        for (words, wanted) in [
            (
                "--truncation_mode keep-end",
                "trl 0.15.2 knows no `--truncation_mode keep-end`; did you mean `keep_end`?",
            ),
            ("--log_level=warn", "transformers 4.49.0 knows no `--log_level warn`; did you mean `warning`?"),
            ("--ddp-backend ncl", "transformers 4.49.0 knows no `--ddp-backend ncl`; did you mean `nccl`?"),
            ("--max_steps 1e3", "transformers 4.49.0 cannot read `--max_steps`: `1e3` is no whole number"),
            ("--bf16 maybe", "transformers 4.49.0 cannot read `--bf16`: `maybe` is no truth value"),
            ("--mode fats", "`dpo.py` knows no `--mode fats`; did you mean `fast`?"),
            ("--kind c", "`dpo.py` knows no `--kind c`"),
            ("--count many", "`dpo.py` cannot read `--count`: `many` is no whole number"),
        ] {
            let line = format!("python dpo.py {words}\n");
            assert_eq!(told(SCRIPT, &line, ""), [format!("error {wanted}")], "{line}");
        }
    }

    #[test]
    fn texts_of_a_file_are_converted_and_not_compared() {
        let line = "python dpo.py --config c.yaml\n";
        let wanted = ["error transformers 4.49.0 cannot read `save_total_limit`: `None` is no whole number"];
        assert_eq!(told(SCRIPT, line, "save_total_limit: None\nlearning_rate: 1e-5\n"), wanted);
        for file in ["truncation_mode: other\n", "log_level: warn\n", "mode: x\nkind: c\n", "max_steps: 1.5\n"] {
            assert_eq!(told(SCRIPT, line, file), Vec::<String>::new(), "{file}");
        }
        let line = "python dpo.py --config c.yaml --save_total_limit 3\n";
        assert_eq!(told(SCRIPT, line, "save_total_limit: None\n"), Vec::<String>::new());
    }

    #[test]
    fn none_is_a_word_of_newer_releases() {
        let pins = "trl==1.16.0\ntransformers==5.24.0\n";
        let nothing = Vec::<String>::new();
        let file = "save_total_limit: None\ncount: \"null\"\n";
        assert_eq!(told_with(pins, SCRIPT, "python dpo.py --config c.yaml\n", file), nothing);
        assert_eq!(told_with(pins, SCRIPT, "python dpo.py --save_total_limit None\n", ""), nothing);
        let wanted = ["error `dpo.py` cannot read `--share`: `none` is no number"];
        assert_eq!(told_with(pins, SCRIPT, "python dpo.py --share none\n", ""), wanted);
        let script = SCRIPT
            .replace(", TrlParser", "")
            .replace("TrlParser", "HfArgumentParser")
            .replace("and_config", "into_dataclasses");
        let wanted = ["error transformers 5.24.0 cannot read `--save_total_limit`: `None` is no whole number"];
        assert_eq!(told_with(pins, &script, "python dpo.py --save_total_limit None\n", ""), wanted);
    }

    #[test]
    fn what_may_be_read_is_not_reported() {
        let own = SCRIPT
            .replace("TrlParser((", "Mine((")
            .replace("@dataclass", "class Mine(TrlParser):\n    pass\n\n\n@dataclass");
        let given = SCRIPT.replace("config()", "config([])");
        for (script, line) in [
            (
                SCRIPT,
                "python dpo.py --log_level $LEVEL --bf16 --seed -1 --no_remove_unused_columns --mode slow --kind b\n",
            ),
            (
                SCRIPT,
                "python dpo.py --report_to wandb tensorboard --learning_rate 1e-5 --save_steps 0.5 --fsdp full_shard\n",
            ),
            (SCRIPT, "python dpo.py --max_steps <steps> --save_total_limit {{ limit }}\n"),
            (&own, "python dpo.py --log_level warn\n"),
            (&given, "python dpo.py --log_level warn\n"),
        ] {
            assert_eq!(told(script, line, ""), Vec::<String>::new(), "{line}");
        }
    }
}
