//! Flags that are true whatever is passed.

use super::declare::declare_rule;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Confidence, Diagnostic, Fix, Label, Severity};
use crate::eval::{Flag, FlagId, Traced};
use crate::lower::{Analysis, Script, reads_any_word_as_true};
use crate::source::Span;
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports `add_argument(..., type=bool)`, and with it the launch line that passes `False` to such a flag.
    ///
    /// ## Why it matters
    ///
    /// `argparse` calls `bool` with the word from the command line, and every word but the empty one is true: `--load_in_4bit
    /// False` switches it on, without a word of warning.
    ///
    /// ## Example
    ///
    /// ```python,bad
    /// import argparse
    ///
    /// import trl
    ///
    /// parser = argparse.ArgumentParser()
    /// parser.add_argument("--load_in_4bit", type=bool, default=True)
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// import argparse
    ///
    /// import trl
    ///
    /// parser = argparse.ArgumentParser()
    /// parser.add_argument("--load_in_4bit", type=lambda word: word.lower() in ("1", "true", "yes", "y"), default=True)
    /// ```
    ///
    /// ```python,good
    /// import argparse
    ///
    /// import trl
    ///
    /// parser = argparse.ArgumentParser()
    /// parser.add_argument("--load_in_4bit", action=argparse.BooleanOptionalAction, default=True)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Unsafe: the flag starts to mean what is passed. The command lines that exist go on to work, which they would not with
    /// `BooleanOptionalAction` or `store_true`: these take no word.
    ///
    /// A launch line that passes a word for no is an error, a declaration on its own a warning.
    ///
    /// ## Versions
    ///
    /// Every release of Python. Fields of a dataclass that `HfArgumentParser` reads are converted as one expects, and so are the
    /// options of click and typer.
    ///
    /// ## References
    ///
    /// - the documentation of `argparse`, section `type`; transformers issue 9224
    ArgparseTypeBool = "argparse-type-bool", "DPL802", Error, "`type=bool` takes every word for true"
}

/// Words by which no is meant.
const NO: &[&str] = &["false", "f", "no", "n", "off", "0", "none"];

impl Rule for ArgparseTypeBool {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, _: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for (index, flag) in script.trace.flags.iter().enumerate() {
            let parser = script.trace.parsers.get(flag.parser.0 as usize);
            if let (Some(parser), Some(converter)) = (parser, &flag.converter)
                && reads_any_word_as_true(flag, parser.kind)
            {
                let said_no = said_no(analysis, script, FlagId(index as u32));
                found.push(report(analysis, flag, converter, &said_no));
            }
        }
    }
}

/// Where launch lines pass a word for no, and the word.
fn said_no<'a>(analysis: &'a Analysis, script: &Script, flag: FlagId) -> Vec<(Span, &'a str)> {
    let mut found = Vec::new();
    for variant in script.variants.iter() {
        if let Some(setting) = variant.setting(flag)
            && let Some(word) = analysis.written.word(variant, setting)
            && NO.contains(&word.to_ascii_lowercase().as_str())
            && !found.iter().any(|(place, _)| *place == setting.origin)
        {
            found.push((setting.origin, word));
        }
    }
    found
}

fn report(analysis: &Analysis, flag: &Flag, converter: &Traced, said_no: &[(Span, &str)]) -> Diagnostic {
    let option = flag.options.iter().find(|option| option.starts_with("--")).map_or(&*flag.name, String::as_str);
    let label = |span: Span, message: &str| Label { span, message: message.to_owned() };
    let (severity, message, primary, mut related) = match said_no {
        [] => (
            Severity::Warning,
            format!("`{option}` is true whatever is passed"),
            label(converter.span, "`bool(\"False\")` is `True`"),
            Vec::new(),
        ),
        [(place, word), ..] => (
            Severity::Error,
            format!("`{option} {word}` switches `{}` on", flag.name),
            label(*place, "every word but the empty one is true"),
            vec![label(converter.span, "`bool(\"False\")` is `True`")],
        ),
    };
    related.extend(said_no.iter().skip(1).map(|(place, _)| label(*place, "here, too")));
    Diagnostic {
        rule: ArgparseTypeBool::META.name,
        code: ArgparseTypeBool::META.code,
        severity,
        confidence: Confidence::High,
        message,
        primary,
        related,
        notes: Vec::new(),
        help: Some("convert the word, or declare it with `action=argparse.BooleanOptionalAction`".to_owned()),
        versions: Vec::new(),
        fixes: fix(analysis, converter).into_iter().collect(),
        follows: None,
    }
}

fn fix(analysis: &Analysis, converter: &Traced) -> Option<Fix> {
    let module = analysis.modules.get(&converter.span.file)?;
    let reads = r#"lambda word: word.lower() in ("1", "true", "yes", "y")"#;
    let edits = python_edit::set_value(module, converter.span, reads).ok()?;
    Some(Fix { title: "read the word".to_owned(), applicability: Applicability::Unsafe, edits })
}
