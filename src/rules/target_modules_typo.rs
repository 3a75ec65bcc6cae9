//! Names of modules that no module has.

use super::ask::Call;
use super::declare::declare_rule;
use super::report::Reach;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label, Severity};
use crate::eval::{Argument, Cond, Const, Value};
use crate::knowledge::{ReleaseSet, TargetWord};
use crate::lower::Analysis;
use crate::source::did_you_mean;
use crate::syntax::python::PythonModule;
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports `target_modules` of an adapter's configuration that cannot match any module: a misspelt `all-linear`, that word in
    /// a list, a regular expression in a list, an empty list.
    ///
    /// ## Why it matters
    ///
    /// PEFT looks for these names when the model was loaded, and raises `ValueError` when it finds none. In a list every entry is
    /// the end of a module's name; only a string on its own is a regular expression.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// peft==0.18.0
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig
    ///
    /// config = LoraConfig(r=8, target_modules="all_linear")
    /// ```
    ///
    /// ```python,fixed
    /// from peft import LoraConfig
    ///
    /// config = LoraConfig(r=8, target_modules="all-linear")
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig
    ///
    /// config = LoraConfig(r=8, target_modules=["all-linear"])
    /// ```
    ///
    /// ```python,fixed
    /// from peft import LoraConfig
    ///
    /// config = LoraConfig(r=8, target_modules="all-linear")
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig
    ///
    /// config = LoraConfig(r=8, target_modules=[r".*\.(q|v)_proj"])
    /// ```
    ///
    /// ```python,good
    /// from peft import LoraConfig
    ///
    /// config = LoraConfig(r=8, target_modules=r".*\.(q|v)_proj")
    /// ```
    ///
    /// ## Fix safety
    ///
    /// The spelling is safe: with the other one the call cannot work. Unsafe for `all`, which is a guess, and for the only entry of
    /// a list that becomes an expression.
    ///
    /// ## Versions
    ///
    /// The word and the releases that know it are listed by hand, from the sources of PEFT.
    ///
    /// ## References
    ///
    /// - axolotl issue 2792, `MedicalGPT` issue 379
    TargetModulesTypo = "target-modules-typo", "DPL007", Error, "`target_modules` cannot match any module"
}

const MODULES: &str = "target_modules";

impl Rule for TargetModulesTypo {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let Some(word) = call.knowledge.curated().target_word(call.package.name()) else { return };
        let is_config =
            call.is_about_callee() && call.callee().ends_with("Config") && call.run.call().through.is_none();
        let Some(argument) = call.argument(MODULES).filter(|given| is_config && given.when == Cond::TRUE) else {
            return;
        };
        let Some(module) = analysis.modules.get(&argument.value.span.file) else { return };
        let written = &module.text()[std::ops::Range::<usize>::from(module.range(argument.value.span))];
        let Some(mistake) = mistake(call, word, argument, written) else { return };
        let Some(in_effect) = call.in_effect() else { return };
        let outcome = call.holds(&Cond::TRUE, &mistake.releases);
        let reach = call.reach_in(&outcome, in_effect);
        if !call.versions().speaks_of(reach) {
            return;
        }
        let primary = Label { span: argument.span, message: "ValueError: not found in the model".to_owned() };
        let mut finding = call.finding(&Self::META, reach, &mistake.releases, mistake.message, primary);
        if mistake.is_partial {
            finding.severity = finding.severity.min(Severity::Warning);
            "these entries do nothing".clone_into(&mut finding.primary.message);
        }
        if mistake.releases != call.package.all() || reach != Reach::InEffect {
            call.explain(&mut finding, &outcome);
        }
        finding
            .fixes
            .extend(mistake.meant.and_then(|(value, applicability)| respelt(module, argument, &value, applicability)));
        found.push(finding);
    }
}

/// What is wrong.
struct Mistake {
    message: String,
    /// Where it is.
    releases: ReleaseSet,
    /// Whether other entries may match.
    is_partial: bool,
    /// What is meant, as Python, and how sure that is.
    meant: Option<(String, Applicability)>,
}

fn mistake(call: &Call<'_>, word: &TargetWord, argument: &Argument, written: &str) -> Option<Mistake> {
    let all = call.package.all();
    let known = call.package.releases_in(&word.releases);
    let is_literal = written.starts_with(['"', '\'', '[', 'r']);
    let whole = |message: String, meant: Option<(String, Applicability)>| {
        Some(Mistake { message, releases: all.clone(), is_partial: false, meant: meant.filter(|_| is_literal) })
    };
    let word = &word.word;
    let spelt = || format!("\"{word}\"");
    match &argument.value.value {
        Value::Const(Const::Str(text)) if text.to_lowercase() == *word => Some(Mistake {
            message: format!("{} does not know `{word}` yet", call.releases(&(&(&all - &known) & call.near()))),
            releases: &all - &known,
            is_partial: false,
            meant: None,
        }),
        Value::Const(Const::Str(text)) if is_misspelt(text, word) => {
            whole(format!("`{text}` is no word for modules; `{word}` is"), Some((spelt(), Applicability::Safe)))
        }
        Value::Const(Const::Str(text)) if &**text == "all" => {
            whole(format!("`{text}` is no word for modules; `{word}` is"), Some((spelt(), Applicability::Unsafe)))
        }
        Value::List(items)
            if items.is_empty() && is_empty_list(written) && call.argument("target_parameters").is_none() =>
        {
            whole(format!("`{MODULES}` is empty, and an adapter needs modules"), None)
        }
        Value::List(items) => {
            let names: Option<Vec<&str>> = items
                .iter()
                .map(|item| match &item.value {
                    Value::Const(Const::Str(name)) => Some(&**name),
                    _ => None,
                })
                .collect();
            let names = names?;
            if let [only] = names[..]
                && (only.to_lowercase() == *word || is_misspelt(only, word))
            {
                let message = format!("`{only}` in a list is the name of a module; on its own it stands for modules");
                return whole(message, Some((spelt(), Applicability::Safe)));
            }
            let expressions: Vec<String> =
                names.iter().filter(|name| is_expression(name)).map(|name| format!("`{name}`")).collect();
            if expressions.is_empty() {
                return None;
            }
            let quoted = written.trim_start_matches('[').trim_end_matches(']').trim().trim_end_matches(',');
            let meant = (names.len() == 1 && written.starts_with('[') && !written.contains('#'))
                .then(|| (quoted.to_owned(), Applicability::Unsafe));
            Some(Mistake {
                message: format!(
                    "in a list {} cannot match: only a string on its own is a regular expression",
                    super::versions::enumerate(&expressions)
                ),
                is_partial: expressions.len() < names.len(),
                releases: all,
                meant,
            })
        }
        _ => None,
    }
}

/// Whether a text is nearly the word.
fn is_misspelt(text: &str, word: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(['_', ' ', '-'], "");
    text != word && (plain(text) == plain(word) || did_you_mean(text, [word]).is_some())
}

/// Whether a name has letters that no name of a module has.
fn is_expression(name: &str) -> bool {
    name.contains(['*', '?', '+', '(', ')', '[', ']', '|', '^', '$', '\\'])
}

/// Whether an empty list is written where it is used: what is filled later is written elsewhere.
fn is_empty_list(written: &str) -> bool {
    written.chars().filter(|letter| !letter.is_whitespace()).eq(['[', ']'])
}

fn respelt(module: &PythonModule, argument: &Argument, value: &str, applicability: Applicability) -> Option<Fix> {
    let edits = python_edit::set_value(module, argument.value.span, value).ok()?;
    Some(Fix { title: format!("pass `{MODULES}={value}`"), applicability, edits })
}
