//! Options on a launch line that a strict parser of the script does not know.

use super::RuleMeta;
use super::versions::enumerate;
use crate::diagnostic::{Confidence, Diagnostic, Label, Severity};
use crate::eval::{Flag, Parser, ParserKind, Value};
use crate::knowledge::Knowledge;
use crate::lower::{Analysis, Script, library_class};
use crate::source::{Span, did_you_mean};

/// Classes whose objects refuse what none of their dataclasses has; one of the project that derives from them may do otherwise.
const STRICT: [&str; 2] = ["HfArgumentParser", "TrlParser"];

/// One finding for each launch line.
pub(super) fn check(analysis: &Analysis, script: &Script, knowledge: &Knowledge, meta: &RuleMeta) -> Vec<Diagnostic> {
    let Some(parser) = strict_parser(analysis, script, knowledge) else { return Vec::new() };
    let lines = script.variants.iter().filter(|variant| !variant.is_open);
    let found = lines.filter_map(|variant| {
        let is_unknown = |(name, _): &&(String, Span)| !is_own(parser, name) && !is_short_for(script, name);
        let strays: Vec<_> = variant.strays.iter().filter(is_unknown).collect();
        report(script, parser, &strays, meta)
    });
    found.collect()
}

/// The parser that reads the whole command line, where all of its options are known.
fn strict_parser<'s>(analysis: &Analysis, script: &'s Script, knowledge: &Knowledge) -> Option<&'s Parser> {
    let [parser] = &script.trace.parsers[..] else { return None };
    let module = analysis.modules.get(&parser.span.file)?;
    let written = &module.text()[std::ops::Range::<usize>::from(module.range(parser.span))];
    let callee = written.split('(').next()?.trim_end().rsplit('.').next()?;
    let is_known = |class: &Value| match class {
        Value::External(_) => is_complete(class, script, knowledge),
        Value::Class(project) => {
            project.dataclass && project.bases.iter().all(|base| is_complete(base, script, knowledge))
        }
        _ => false,
    };
    // A field may have other names, which only its declaration tells.
    let has_other_names = || module.text().contains("aliases");
    let is_strict = matches!(parser.kind, ParserKind::HfArgumentParser | ParserKind::TrlParser)
        && STRICT.contains(&callee)
        && !parser.is_lenient
        && parser.reads_command_line;
    let is_all_known = !parser.classes.is_empty() && parser.classes.iter().all(is_known);
    (is_strict && is_all_known && !script.trace.exhausted && !has_other_names()).then_some(parser)
}

/// Whether the fields of a class are known, those that it inherits included.
fn is_complete(class: &Value, script: &Script, knowledge: &Knowledge) -> bool {
    match class {
        Value::Class(project) => {
            let is_plain = |base: &Value| matches!(base, Value::External(name) if name.starts_with("builtins."));
            project.dataclass && project.bases.iter().all(|base| is_plain(base) || is_complete(base, script, knowledge))
        }
        _ => library_class(class).is_some_and(|name| {
            let package = name.split('.').next().and_then(|top| knowledge.package(top));
            let in_effect = package.and_then(|package| Some((package, script.environment.in_effect(package)?)));
            in_effect.is_some_and(|(package, release)| {
                let at = crate::lower::Releases::new(knowledge, &script.environment, package, release);
                at.signature(&name).is_some_and(|signature| signature.complete)
            })
        }),
    }
}

/// Options that the parser itself has.
fn is_own(parser: &Parser, name: &str) -> bool {
    name == "help" || parser.kind == ParserKind::TrlParser && name == "config"
}

/// Whether a parser takes a name for the beginning of a longer one.
fn is_short_for(script: &Script, name: &str) -> bool {
    let name = name.replace('-', "_");
    script.trace.flags.iter().any(|flag| flag.name.starts_with(&name) || format!("no_{}", flag.name).starts_with(&name))
}

fn report(script: &Script, parser: &Parser, strays: &[&(String, Span)], meta: &RuleMeta) -> Option<Diagnostic> {
    let ((_, place), rest) = strays.split_first()?;
    let names: Vec<String> = strays.iter().map(|(name, _)| format!("`--{name}`")).collect();
    let (names, file) = (enumerate(&names), script.path.file_name()?.to_string_lossy());
    let label = |span: Span, message: &str| Label { span, message: message.to_owned() };
    let mut related: Vec<Label> = rest.iter().map(|(_, span)| label(*span, "this one too")).collect();
    related.push(label(parser.span, "no class of this parser has it"));
    let meant = strays.iter().filter_map(|(name, _)| {
        let flags = script.trace.flags.iter().filter(|flag: &&Flag| !flag.options.is_empty());
        let meant = did_you_mean(&name.replace('-', "_"), flags.map(|flag| &*flag.name))?;
        Some(format!("`--{meant}`"))
    });
    let meant: Vec<String> = meant.collect();
    Some(Diagnostic {
        rule: meta.name,
        code: meta.code,
        severity: Severity::Error,
        confidence: Confidence::High,
        message: format!("`{file}` has no option {names}"),
        primary: label(*place, "ValueError: not used by the parser"),
        related,
        notes: Vec::new(),
        help: (!meant.is_empty()).then(|| format!("did you mean {}?", enumerate(&meant))),
        versions: Vec::new(),
        fixes: Vec::new(),
        follows: None,
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::lint;

    const SCRIPT: &str = "\
from dataclasses import dataclass

from transformers import HfArgumentParser
from trl import DPOConfig


@dataclass
class Arguments:
    use_peft: bool = True


args, training_args = HfArgumentParser((Arguments, DPOConfig)).parse_args_into_dataclasses()
";

    fn found(script: &str, line: &str) -> Vec<String> {
        let files = [("dpo.py", script), ("requirements.txt", "trl==1.16.0\ntransformers==5.23.0\n"), ("run.sh", line)];
        let found = lint(&files).1.into_iter().filter(|finding| finding.rule == "unknown-argument");
        found.map(|finding| format!("{} {}", finding.message, finding.help.unwrap_or_default())).collect()
    }

    #[test]
    fn options_of_no_class_are_reported() {
        assert_eq!(
            found(SCRIPT, "python dpo.py --use_pefd True --beta 0.1 --flavour sweet\n"),
            ["`dpo.py` has no option `--use_pefd` and `--flavour` did you mean `--use_peft`?"]
        );
    }

    #[test]
    fn what_may_be_read_is_not() {
        let named = SCRIPT.replace("parse_args_into_dataclasses()", "parse_args_into_dataclasses(args=words)");
        let lenient = SCRIPT.replace("classes()", "classes(return_remaining_strings=True)");
        let own = SCRIPT
            .replace("HfArgumentParser((", "Mine((")
            .replace("@dataclass", "class Mine(HfArgumentParser):\n    pass\n\n\n@dataclass");
        let unknown = SCRIPT
            .replace("Arguments:", "Arguments(Other):")
            .replace("@dataclass", "from x import Other\n\n\n@dataclass");
        for (script, line) in [
            (SCRIPT, "python dpo.py --use_pe True --no_use_peft --learning-rate 1e-6 --help\n"),
            (SCRIPT, "python dpo.py --flavour sweet \"$@\"\n"),
            (&named, "python dpo.py --flavour sweet\n"),
            (&lenient, "python dpo.py --flavour sweet\n"),
            (&own, "python dpo.py --flavour sweet\n"),
            (&unknown, "python dpo.py --flavour sweet\n"),
        ] {
            assert_eq!(found(script, line), Vec::<String>::new(), "{script} {line}");
        }
    }
}
