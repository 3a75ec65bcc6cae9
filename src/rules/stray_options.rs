//! Options on a launch line, and keys of an argument file, that a strict parser of the script does not know.

use super::RuleMeta;
use super::misfit_settings::{is_own, is_strict};
use super::report::plain;
use super::versions::enumerate;
use crate::diagnostic::{Confidence, Diagnostic, Label, Severity};
use crate::eval::{Flag, Parser, ParserKind, Value};
use crate::knowledge::Knowledge;
use crate::lower::{Analysis, Script, library_class};
use crate::model::{Stray, Variant};
use crate::source::{Span, did_you_mean};

/// Classes whose objects refuse what none of their dataclasses has; one of the project that derives from them may do otherwise.
const STRICT: [&str; 2] = ["HfArgumentParser", "TrlParser"];

/// One finding for each launch line and each argument file.
pub(super) fn check(analysis: &Analysis, script: &Script, knowledge: &Knowledge, meta: &RuleMeta) -> Vec<Diagnostic> {
    let Some(parser) = strict_parser(analysis, script, knowledge) else { return Vec::new() };
    let mut found: Vec<Diagnostic> = Vec::new();
    for variant in &*script.variants {
        let is_unknown = |stray: &&Stray| {
            let is_refused = || is_strict(script, parser, variant, stray.origin, knowledge);
            // The rest of a line that is not known may say what an option is for; a key is refused whatever else there is.
            let is_told = stray.is_key || !variant.is_open && !is_short_for(script, &stray.name);
            is_told && !is_own(parser, &stray.name, stray.is_key) && is_refused()
        };
        let mut files: Vec<Vec<&Stray>> = Vec::new();
        for stray in variant.strays.iter().filter(is_unknown) {
            match files.iter_mut().find(|group| group[0].origin.file == stray.origin.file) {
                Some(group) => group.push(stray),
                None => files.push(vec![stray]),
            }
        }
        for strays in files {
            // Several lines may name the same file.
            if found.iter().all(|other| other.primary.span != strays[0].origin) {
                found.push(report(script, variant, parser, &strays, meta));
            }
        }
    }
    found
}

/// The parser that reads the whole command line, where all of its options are known.
fn strict_parser<'s>(analysis: &Analysis, script: &'s Script, knowledge: &Knowledge) -> Option<&'s Parser> {
    let [parser] = &script.trace.parsers[..] else { return None };
    let module = analysis.modules.get(&parser.span.file)?;
    let is_known = |class: &Value| match class {
        Value::External(_) => is_complete(class, script, knowledge),
        Value::Class(project) => {
            project.dataclass && project.bases.iter().all(|base| is_complete(base, script, knowledge))
        }
        _ => false,
    };
    // A field may have other names, which only its declaration tells.
    let has_other_names = || module.text().contains("aliases");
    let is_strict = is_the_librarys(analysis, parser) && !parser.is_lenient && parser.reads_command_line;
    let is_all_known = !parser.classes.is_empty() && parser.classes.iter().all(is_known);
    (is_strict && is_all_known && !script.trace.exhausted && !has_other_names()).then_some(parser)
}

/// Whether a parser is one of the libraries' own, and no class of the project that derives from it.
pub(super) fn is_the_librarys(analysis: &Analysis, parser: &Parser) -> bool {
    let Some(module) = analysis.modules.get(&parser.span.file) else { return false };
    let written = &module.text()[std::ops::Range::<usize>::from(module.range(parser.span))];
    let callee = written.split('(').next().and_then(|callee| callee.trim_end().rsplit('.').next());
    matches!(parser.kind, ParserKind::HfArgumentParser | ParserKind::TrlParser)
        && callee.is_some_and(|callee| STRICT.contains(&callee))
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

/// Whether a parser takes a name for the beginning of a longer one.
fn is_short_for(script: &Script, name: &str) -> bool {
    let name = name.replace('-', "_");
    script.trace.flags.iter().any(|flag| flag.name.starts_with(&name) || format!("no_{}", flag.name).starts_with(&name))
}

fn report(script: &Script, variant: &Variant, parser: &Parser, strays: &[&Stray], meta: &RuleMeta) -> Diagnostic {
    let (first, rest) = (strays[0], &strays[1..]);
    let (kind, dashes) = if first.is_key { ("argument", "") } else { ("option", "--") };
    let written = |name: &str| format!("`{dashes}{name}`");
    let names: Vec<String> = strays.iter().map(|stray| written(&stray.name)).collect();
    let (names, file) = (enumerate(&names), script.path.file_name().unwrap_or_default().to_string_lossy());
    let label = |span: Span, message: &str| Label { span, message: message.to_owned() };
    let mut related: Vec<Label> = rest.iter().map(|stray| label(stray.origin, "this one too")).collect();
    related.push(label(parser.span, "no class of this parser has it"));
    let meant = strays.iter().filter_map(|stray| {
        let flags = script.trace.flags.iter().filter(|flag: &&Flag| first.is_key || !flag.options.is_empty());
        Some(written(did_you_mean(&stray.name.replace('-', "_"), flags.map(|flag| &*flag.name))?))
    });
    let meant: Vec<String> = meant.collect();
    let is_guessed = first.is_key && variant.is_guessed;
    let severity = if is_guessed { Severity::Warning } else { Severity::Error };
    let primary = label(first.origin, "ValueError: not used by the parser");
    let mut finding = plain(meta, severity, format!("`{file}` has no {kind} {names}"), primary);
    if is_guessed {
        finding.confidence = Confidence::Medium;
        finding.notes.push(format!(
            "no launch line says so: the file is read as one of `{file}` for its path and its other keys"
        ));
    }
    finding.related = related;
    finding.help = (!meant.is_empty()).then(|| format!("did you mean {}?", enumerate(&meant)));
    finding
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
        told(&[("dpo.py", script), ("requirements.txt", "trl==1.16.0\ntransformers==5.23.0\n"), ("run.sh", line)])
    }

    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let found = lint(files).1.into_iter().filter(|finding| finding.rule == "unknown-argument");
        found
            .map(|finding| {
                let help = finding.help.map(|help| format!("; {help}")).unwrap_or_default();
                format!("{} {}{help}", finding.severity.as_str(), finding.message)
            })
            .collect()
    }

    #[test]
    fn options_of_no_class_are_reported() {
        assert_eq!(
            found(SCRIPT, "python dpo.py --use_pefd True --beta 0.1 --flavour sweet\n"),
            ["error `dpo.py` has no option `--use_pefd` and `--flavour`; did you mean `--use_peft`?"]
        );
    }

    const TRL: &str = "\
from dataclasses import dataclass

from trl import DPOConfig, TrlParser


@dataclass
class Arguments:
    use_peft: bool = True


args, training_args = TrlParser((Arguments, DPOConfig)).parse_args_and_config()
";
    const FILE: &str = "env: {A: b}\nuse_pefd: false\nbeta: 0.1\nflavour: sweet\n";

    /// What is said of an argument file under a release.
    fn of_file(release: &str, script: &str, path: &str, file: &str, line: &str) -> Vec<String> {
        let requirements = format!("trl=={release}\n");
        told(&[("dpo.py", script), ("requirements.txt", &requirements), (path, file), ("run.sh", line)])
    }

    #[test]
    fn keys_of_no_class_are_reported_where_the_parser_minds() {
        let line = "python dpo.py --config a.yaml \"$@\"\n python dpo.py --config a.yaml\n";
        let wanted = ["error `dpo.py` has no argument `use_pefd` and `flavour`; did you mean `use_peft`?"];
        for release in ["0.11.4", "0.19.1", "1.16.0"] {
            assert_eq!(of_file(release, TRL, "a.yaml", FILE, line), wanted, "{release}");
        }
        assert_eq!(of_file("0.15.2", TRL, "a.yaml", FILE, line), Vec::<String>::new(), "drops them");
        let kept = TRL.replace("config()", "config(return_remaining_strings=True)");
        assert_eq!(of_file("1.16.0", &kept, "a.yaml", FILE, line), Vec::<String>::new());
    }

    #[test]
    fn a_file_with_few_strays_is_joined_by_its_path() {
        let settings = "\
use_peft: true
beta: 0.1
max_length: 512
output_dir: out
learning_rate: 1.0e-6
num_train_epochs: 1
seed: 1
save_steps: 10
logging_steps: 10
lr_scheduler_type: cosine
";
        let one = format!("{settings}mixer: {{a: 1.0}}\n");
        let wanted = ["warning `dpo.py` has no argument `mixer`"];
        assert_eq!(of_file("1.16.0", TRL, "recipes/dpo/config.yaml", &one, ""), wanted);
        for (path, file) in [
            ("recipes/sft/config.yaml", &*one),
            ("recipes/dpo/config.yaml", &format!("{one}splits: [a]\n")),
            ("recipes/dpo/config.yaml", settings),
        ] {
            assert_eq!(of_file("1.16.0", TRL, path, file, ""), Vec::<String>::new(), "{path} {file}");
        }
    }

    #[test]
    fn a_file_that_another_script_knows_whole_is_that_ones() {
        let file = "use_peft: true\nbeta: 0.1\nmax_length: 512\noutput_dir: out\nlearning_rate: 1.0e-6\nseed: 1\n\
                    num_train_epochs: 1\nsave_steps: 10\nlogging_steps: 10\nlr_scheduler_type: cosine\nmixer: a\n";
        let other = TRL.replace("= True", "= True\n    mixer: str = 'b'");
        let files = [("dpo.py", TRL), ("old/dpo.py", &other), ("recipes/dpo/config.yaml", file)];
        let pinned = [&files[..], &[("requirements.txt", "trl==1.16.0\n")]].concat();
        assert_eq!(told(&pinned), Vec::<String>::new());
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
