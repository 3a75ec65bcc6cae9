//! Numbers in YAML that `PyYAML` reads as strings.

use super::declare::declare_rule;
use super::framework::{Reader, label, push_new, push_of_each, readers};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Severity};
use crate::eval::{Const, FlagOwner, ParserKind};
use crate::knowledge::Reading;
use crate::lower::configuration::{Key, Kind, as_float, kind_of};
use crate::lower::{Analysis, Releases, Script};
use crate::source::Span;

declare_rule! {
    /// ## What it does
    ///
    /// Reports numbers like `5e-7` and `1E5` in YAML where a number is needed and the reader is `PyYAML`: without a dot and a sign in the
    /// exponent they are strings there.
    ///
    /// ## Why it matters
    ///
    /// The string goes through the configuration unseen and fails in the optimizer, after the model was loaded: `'<=' not supported
    /// between instances of 'float' and 'str'`.
    ///
    /// Who reads a file decides: `OmegaConf` (LLaMA-Factory from 0.9.3), pydantic (axolotl), the parsers of TRL and of ms-swift make a
    /// number of it, and nothing is reported.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// llamafactory==0.9.2
    /// ```
    ///
    /// ```yaml,bad
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// dataset: dpo_en_demo
    /// template: qwen
    /// output_dir: out
    /// learning_rate: 5e-6
    /// ```
    ///
    /// ```yaml,fixed
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// dataset: dpo_en_demo
    /// template: qwen
    /// output_dir: out
    /// learning_rate: 5.0e-6
    /// ```
    ///
    /// ```yaml,good
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// dataset: dpo_en_demo
    /// template: qwen
    /// output_dir: out
    /// learning_rate: 0.000005
    /// ```
    ///
    /// ## Fix safety
    ///
    /// The number is written so that every reader of YAML takes it for one. Safe.
    ///
    /// ## Versions
    ///
    /// How a release reads its files is stored by release.
    ///
    /// ## References
    ///
    /// - LLaMA-Factory issues 4014 and 4149, trl issue 1450
    YamlFloatIsString = "yaml-float-is-string", "DPL801", Error, "a number in YAML is a string to its reader"
}

impl Rule for YamlFloatIsString {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_of_each(found, readers(analysis, context).filter(|reader| !reader.versions.is_assumed()), |reader| {
            reader.configuration.keys.iter().filter_map(|key| check(analysis, reader, key)).collect::<Vec<_>>()
        });
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for setting in script.variants.iter().flat_map(|variant| &variant.settings) {
            let flag = &script.trace.flags[setting.flag.0 as usize];
            let parser = script.trace.parsers.get(flag.parser.0 as usize);
            let (Some(Const::Str(text)), FlagOwner::External(class), Some(parser)) =
                (&setting.value, &flag.owner, parser)
            else {
                continue;
            };
            let is_in_yaml = analysis
                .written
                .document_at(setting.origin)
                .is_some_and(|(_, document)| document.format == crate::syntax::Format::Yaml);
            if parser.kind != ParserKind::HfArgumentParser || !is_in_yaml {
                continue;
            }
            let package = class.split('.').next().and_then(|top| context.knowledge.package(top));
            let Some((package, release)) =
                package.and_then(|package| Some((package, script.environment.in_effect(package)?)))
            else {
                continue;
            };
            let at = Releases::new(context.knowledge, &script.environment, package, release);
            let Some(number) = at.parameter(class, &flag.name).and_then(|field| misread(text, &kind_of(field))) else {
                continue;
            };
            let message = format!("`{text}` is a string to PyYAML, and `{}` is a number", flag.name);
            let mut finding = Diagnostic {
                rule: Self::META.name,
                code: Self::META.code,
                severity: Severity::Error,
                confidence: crate::diagnostic::Confidence::High,
                message,
                primary: label(setting.origin, "it fails in the optimizer"),
                related: vec![label(parser.span, "this parser does not convert it")],
                notes: Vec::new(),
                help: None,
                versions: Vec::new(),
                fixes: Vec::new(),
                follows: None,
            };
            mend(analysis, setting.origin, &number, &mut finding);
            push_new(found, [finding]);
        }
    }
}

fn check(analysis: &Analysis, reader: &Reader<'_>, key: &Key) -> Option<Diagnostic> {
    let text = key.value.as_str().filter(|_| reader.reading() == Some(Reading::SafeYaml) && !key.on_command_line)?;
    let number = misread(text, &kind_of(reader.parameter(&key.name)?))?;
    let message = format!("`{text}` is a string to {}, and `{}` is a number", reader.title(), key.name);
    let primary = label(key.span, "it fails in the optimizer");
    let mut finding = reader.finding(&YamlFloatIsString::META, Severity::Error, message, primary);
    mend(analysis, key.span, &number, &mut finding);
    Some(finding)
}

/// The number as every reader takes it for one, where a field holds nothing but numbers.
fn misread(text: &str, kinds: &[Kind]) -> Option<String> {
    (kinds == [Kind::Float]).then(|| as_float(text)).flatten()
}

fn mend(analysis: &Analysis, place: Span, number: &str, finding: &mut Diagnostic) {
    let edit = analysis.written.set_at(place, number);
    finding.fixes.extend(edit.map(|edit| Fix {
        title: format!("write `{number}`"),
        applicability: Applicability::Safe,
        edits: vec![edit],
    }));
}
