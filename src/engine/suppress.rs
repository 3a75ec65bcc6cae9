//! Suppression comments: `# dpo-lint: ignore[rule] reason` and `# dpo-lint: ignore-file[rule] reason`.
//!
//! A comment behind code speaks of its line, a comment on a line of its own of the line below. A finding lies on the lines
//! where its primary label begins and ends and, since a comment cannot stand inside every statement, on the first and the
//! last line of the statement around it. A suppression that suppresses nothing is itself a finding, so that none outlives
//! its reason.

mod add;
mod directive;
mod view;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

use super::catalogue::{Selector, catalogue};
use super::settings::Settings;
use crate::diagnostic::{Applicability, Confidence, Diagnostic, Fix, Label, Severity};
use crate::rules::RuleMeta;
use crate::source::{FileId, Sources};
use crate::syntax::Edit;
pub use add::add_comments;

use directive::{Directive, Scope, parse};
use view::View;

/// A suppression that suppresses nothing.
pub static UNUSED_SUPPRESSION: RuleMeta = RuleMeta {
    name: "unused-suppression",
    code: "DPL901",
    summary: "A suppression comment that suppresses nothing",
    severity: Severity::Warning,
    aliases: &[],
    left_by: &[],
    is_opt_in: false,
    page: "\
## What it does

Reports `# dpo-lint: ignore[...]` comments, or single rules in them, that no finding needs any more.

## Why it matters

A comment that outlives its reason hides the next mistake on its line.

## Example

```python
beta = 0.1  # dpo-lint: ignore[ref-model-with-peft-config]
```

## Fix safety

Safe: only the comment changes.

## Versions

All.
",
};

/// A suppression comment that cannot be understood.
pub static INVALID_SUPPRESSION: RuleMeta = RuleMeta {
    name: "invalid-suppression",
    code: "DPL902",
    summary: "A suppression comment that names an unknown rule or is malformed",
    severity: Severity::Warning,
    aliases: &["unknown-rule-in-suppression"],
    left_by: &[],
    is_opt_in: false,
    page: "\
## What it does

Reports comments that begin with `# dpo-lint:` and are no suppression, and suppressions of rules that do not exist.

## Why it matters

The author believes that a finding is suppressed, or that a rule is obeyed, and neither is so.

## Example

```python
trainer = DPOTrainer(model, ref_model)  # dpo-lint: ignore[ref-model-with-peft]
```

## Fix safety

No fix: only the author knows which rule was meant.

## Versions

All.
",
};

/// Removes the findings that the comments of `files` suppress. Returns findings about the comments themselves.
///
/// `complete` says whether everything was analysed: if not, a suppression may only seem to be unused.
pub(super) fn apply(
    findings: &mut Vec<Diagnostic>,
    sources: &Sources,
    files: &[(PathBuf, FileId)],
    settings: &Settings,
    complete: bool,
) -> Vec<Diagnostic> {
    let mut own = Vec::new();
    for (path, file) in files {
        let source = sources.get(*file);
        for view in View::all(path, &source) {
            own.extend(apply_view(&view, findings, *file, settings, complete));
        }
    }
    own
}

/// The same for the comments of one text of a file.
fn apply_view(
    view: &View,
    findings: &mut Vec<Diagnostic>,
    file: FileId,
    settings: &Settings,
    complete: bool,
) -> Vec<Diagnostic> {
    let mut own = Vec::new();
    let mut suppressions = suppressions(view);
    if suppressions.is_empty() {
        return own;
    }
    findings.retain(|finding| finding.primary.span.file != file || !is_suppressed(finding, view, &mut suppressions));
    for suppression in &suppressions {
        own.extend(suppression.directive.mistakes.iter().map(|mistake| invalid(mistake, suppression, view)));
        if complete {
            own.extend(unused(suppression, view, settings));
        }
    }
    own
}

/// A comment with its reach and what it was good for.
struct Suppression {
    directive: Directive,
    /// Start of the comment in the view's text.
    at: usize,
    /// The line it speaks of; `None` for the whole file.
    line: Option<usize>,
    /// Indices into the directive's rules that suppressed something; for a bare directive index 0.
    used: BTreeSet<usize>,
}

fn suppressions(view: &View) -> Vec<Suppression> {
    let mut found = Vec::new();
    for comment in &view.comments {
        for directive in parse(&view.text[comment.clone()]) {
            let line = match directive.scope {
                Scope::File => None,
                Scope::Line => Some(view.line_spoken_of(comment)),
            };
            found.push(Suppression { directive, at: comment.start, line, used: BTreeSet::new() });
        }
    }
    found
}

/// Whether some comment suppresses the finding; marks every one that does.
fn is_suppressed(finding: &Diagnostic, view: &View, suppressions: &mut [Suppression]) -> bool {
    let Some(meta) = catalogue().into_iter().find(|meta| meta.name == finding.rule) else { return false };
    let lines = view.lines_of(finding.primary.span);
    let mut suppressed = false;
    for suppression in suppressions {
        if suppression.line.is_some_and(|line| !lines.contains(&line)) {
            continue;
        }
        let Some(rules) = &suppression.directive.rules else {
            suppression.used.insert(0);
            suppressed = true;
            continue;
        };
        for (index, rule) in rules.iter().enumerate() {
            if rule.selector.as_ref().is_some_and(|selector| selector.matches(meta)) {
                suppression.used.insert(index);
                suppressed = true;
            }
        }
    }
    suppressed
}

fn invalid(mistake: &directive::Mistake, suppression: &Suppression, view: &View) -> Diagnostic {
    let range = shift(&mistake.range, suppression.at);
    let label = Label { span: view.span(range), message: String::new() };
    report(&INVALID_SUPPRESSION, mistake.message.clone(), label, mistake.help.clone(), Vec::new())
}

/// What is left over of a suppression: all of it, or some of its rules.
fn unused(suppression: &Suppression, view: &View, settings: &Settings) -> Option<Diagnostic> {
    let Directive { range, rules, list, .. } = &suppression.directive;
    let comment = shift(range, suppression.at);
    let whole = |message: String| {
        let edit = Edit { span: view.span(view.removable(&comment)), text: String::new() };
        let label = Label { span: view.span(comment.clone()), message: "nothing to suppress here".to_owned() };
        let fix = Fix { title: "remove the comment".to_owned(), applicability: Applicability::Safe, edits: vec![edit] };
        report(&UNUSED_SUPPRESSION, message, label, None, vec![fix])
    };
    let Some(rules) = rules else {
        // A rule that did not run might have needed it.
        // A comment for everything is not written for a rule that nobody selected.
        let all_ran = catalogue().iter().all(|meta| meta.is_opt_in || settings.is_enabled(meta.name));
        let is_unused = suppression.used.is_empty() && all_ran && suppression.directive.mistakes.is_empty();
        return is_unused.then(|| whole("this comment suppresses nothing".to_owned()));
    };
    let is_unused = |index: usize| {
        let ran = |selector: &Selector| {
            let mut matching = catalogue().into_iter().filter(|meta| selector.matches(meta));
            let is_left_out = |meta: &RuleMeta| meta.is_opt_in && !matches!(selector, Selector::Rule(_));
            matching.all(|meta| settings.is_enabled(meta.name) || is_left_out(meta))
        };
        !suppression.used.contains(&index) && rules[index].selector.as_ref().is_some_and(ran)
    };
    let (gone, kept): (Vec<usize>, Vec<usize>) = (0..rules.len()).partition(|index| is_unused(*index));
    let names = |indices: &[usize], quote: &str| {
        let quoted = indices.iter().map(|index| format!("{quote}{}{quote}", rules[*index].text));
        quoted.collect::<Vec<_>>().join(", ")
    };
    if gone.is_empty() {
        return None;
    }
    let message = format!("this comment suppresses no {} here", names(&gone, "`"));
    if kept.is_empty() {
        return Some(whole(message));
    }
    let edit = Edit { span: view.span(shift(list, suppression.at)), text: names(&kept, "") };
    let first = view.span(shift(&rules[gone[0]].range, suppression.at));
    let title = format!("remove {}", names(&gone, "`"));
    let fix = Fix { title, applicability: Applicability::Safe, edits: vec![edit] };
    let label = Label { span: first, message: "nothing to suppress here".to_owned() };
    Some(report(&UNUSED_SUPPRESSION, message, label, None, vec![fix]))
}

fn report(meta: &RuleMeta, message: String, primary: Label, help: Option<String>, fixes: Vec<Fix>) -> Diagnostic {
    Diagnostic {
        rule: meta.name,
        code: meta.code,
        severity: meta.severity,
        confidence: Confidence::High,
        message,
        primary,
        related: Vec::new(),
        notes: Vec::new(),
        help,
        versions: Vec::new(),
        fixes,
        follows: None,
    }
}

fn shift(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

#[cfg(test)]
#[path = "suppress/tests.rs"]
mod tests;
