//! One table: a file with a finding on `HERE`, and what is left of it.

use std::path::Path;

use super::*;
use crate::engine::config::Config;
use crate::engine::settings::Overrides;

/// A stand-in for a rule proper: the table must not depend on which rules exist.
const STAND_IN: &RuleMeta = &INVALID_SUPPRESSION;

struct Outcome {
    /// Whether the finding is suppressed.
    suppressed: bool,
    /// Rules of the findings about comments.
    own: Vec<Diagnostic>,
    text: String,
}

/// Puts a finding on every `HERE` of the text.
fn run(name: &str, text: &str, ignore: &[&str]) -> Outcome {
    let sources = Sources::default();
    let file = sources.add(name.into(), text);
    let places = text.match_indices("HERE").map(|(at, word)| file.span(at..at + word.len()));
    let mut findings: Vec<Diagnostic> = places
        .map(|span| report(STAND_IN, String::new(), Label { span, message: String::new() }, None, Vec::new()))
        .collect();
    let ignore = ignore.iter().map(|text| text.parse().expect("a selector")).collect();
    let overrides = Overrides { ignore, ..Overrides::default() };
    let settings = Settings::new(Path::new("/"), None::<&Config>, &overrides);
    let own = apply(&mut findings, &sources, &[(name.into(), file.id())], &settings, true);
    let edits = own.iter().flat_map(|finding| &finding.fixes).flat_map(|fix| &fix.edits);
    let mut text = text.to_owned();
    for edit in edits.collect::<Vec<_>>().into_iter().rev() {
        text.replace_range(edit.span.range(), &edit.text);
    }
    Outcome { suppressed: findings.is_empty(), own, text }
}

/// A notebook of one cell with these source strings.
fn notebook(source: &str) -> String {
    format!(r#"{{"cells": [{{"cell_type": "code", "source": [{source}]}}], "nbformat": 4, "metadata": {{}}}}"#)
}

#[test]
fn a_comment_reaches_its_line_or_the_next_or_the_statement() {
    for (name, text, suppressed) in [
        ("a.py", "f(HERE)  # dpo-lint: ignore[DPL902] because\n", true),
        ("a.py", "f(HERE)  # dpo-lint: ignore[invalid-suppression]", true),
        ("a.py", "f(HERE)  # dpo-lint: ignore[unknown-rule-in-suppression]\n", true),
        ("a.py", "f(HERE)  # dpo-lint: ignore[DPL9]\n", true),
        ("a.py", "f(HERE)  # dpo-lint: ignore\n", true),
        ("a.py", "f(HERE)  #dpo-lint:ignore[DPL901, DPL902]\n", true),
        ("a.py", "f(HERE)  # noqa  # dpo-lint: ignore[DPL902]  # why\n", true),
        ("a.py", "f(HERE)  # dpo-lint: ignore[DPL901]\n", false),
        ("a.py", "# dpo-lint: ignore[DPL902]\nf(HERE)\n", true),
        ("a.py", "\u{feff}# dpo-lint: ignore[DPL902]\r\nf(HERE)\r\n", true),
        ("a.py", "# dpo-lint: ignore[DPL902]\n# and why\nf(HERE)\n", true),
        ("a.py", "# dpo-lint: ignore[DPL902]\n\nf(HERE)\n", false),
        ("a.py", "x = 1  # dpo-lint: ignore[DPL902]\nf(HERE)\n", false),
        ("a.py", "f(  # dpo-lint: ignore[DPL902]\n    1,\n    HERE,\n)\n", true),
        ("a.py", "# dpo-lint: ignore[DPL902]\nf(\n    1,\n    HERE,\n)\n", true),
        ("a.py", "f(\n    1,\n    HERE,\n)  # dpo-lint: ignore[DPL902]\n", true),
        ("a.py", "f(\n    1,  # dpo-lint: ignore[DPL902]\n    HERE,\n)\n", false),
        ("a.py", "f(\n    # dpo-lint: ignore[DPL902]\n    HERE,\n)\n", true),
        ("a.py", "if x:  # dpo-lint: ignore[DPL902]\n    f(HERE)\n", false),
        ("a.py", "if HERE:  # dpo-lint: ignore[DPL902]\n    f()\n", true),
        ("a.py", "x = '# dpo-lint: ignore[DPL902]', HERE\n", false),
        ("a.py", "f(HERE)\n\n# dpo-lint: ignore-file[DPL902]\n", true),
        ("a.py", "# dpo-lint: ignore-file\nf(HERE)\ng(HERE)\n", true),
        ("a.py", "# dpo-lint: ignore-file[DPL901]\nf(HERE)\n", false),
        ("a.yaml", "beta: HERE  # dpo-lint: ignore[DPL902]\n", true),
        ("a.yaml", "# dpo-lint: ignore[DPL902]\nbeta: HERE\n", true),
        ("a.yaml", "beta: 'HERE # dpo-lint: ignore[DPL902]'\n", false),
        ("a.toml", "beta = 'HERE'  # dpo-lint: ignore[DPL902]\n", true),
        ("a.sh", "run \\\n  --beta HERE\n", false),
        ("a.sh", "# dpo-lint: ignore[DPL902]\nrun \\\n  --beta HERE\n", true),
        ("a.sh", "run --beta HERE # dpo-lint: ignore[DPL902]\n", true),
        ("requirements.txt", "trl==HERE  # dpo-lint: ignore[DPL902]\n", true),
        ("Dockerfile", "# dpo-lint: ignore[DPL902]\nRUN pip install HERE\n", true),
        ("a.ipynb", &notebook(r#""x = 1\n","f(HERE)  # dpo-lint: ignore[DPL902]\n""#), true),
        ("a.ipynb", &notebook(r#""x = 1\n# dpo-lint: ignore[DPL902]\nf(\n  HERE)""#), true),
        ("a.ipynb", &notebook(r#""x = 1  # dpo-lint: ignore[DPL902]\nf(HERE)""#), false),
        ("a.ipynb", &notebook(r#""%%bash\n","run --beta HERE  # dpo-lint: ignore[DPL902]\n""#), true),
        ("a.ipynb", &notebook(r#""%%bash\n# dpo-lint: ignore[DPL902]\nrun \\\n --beta HERE""#), true),
        ("a.ipynb", &notebook(r#""%%bash\n","a  # dpo-lint: ignore[DPL902]\n","run HERE\n""#), false),
        ("a.ipynb", &notebook(r#""x = 1\n","!pip install HERE  # dpo-lint: ignore[DPL902]\n""#), true),
        ("a.ipynb", &notebook(r##""# dpo-lint: ignore[DPL902]\n","!pip install HERE\n""##), true),
        ("a.ipynb", &notebook(r#""!pip install a  # dpo-lint: ignore[DPL902]\n","!pip install HERE\n""#), false),
        ("a.json", "{\"a\": \"HERE # dpo-lint: ignore[DPL902]\"}\n", false),
    ] {
        assert_eq!(run(name, text, &[]).suppressed, suppressed, "{name}: {text}");
    }
}

#[test]
fn a_comment_that_is_not_needed_is_a_finding_with_a_fix() {
    for (name, text, fixed) in [
        ("a.py", "x = 1  # dpo-lint: ignore[DPL902] why\ny = 2\n", "x = 1\ny = 2\n"),
        ("a.py", "x = 1\n# dpo-lint: ignore[DPL902]\ny = 2\n", "x = 1\ny = 2\n"),
        ("a.py", "x = 1\n    # dpo-lint: ignore", "x = 1\n"),
        ("a.py", "x = 1  # noqa # dpo-lint: ignore[DPL902] # why\n", "x = 1  # noqa # why\n"),
        ("a.py", "f(HERE)  # dpo-lint: ignore[DPL901, DPL902] why\n", "f(HERE)  # dpo-lint: ignore[DPL902] why\n"),
        ("a.py", "# dpo-lint: ignore-file[DPL902]\r\nx = 1\r\n", "x = 1\r\n"),
        ("a.yaml", "beta: 0.1\t# dpo-lint: ignore[DPL902]\n", "beta: 0.1\n"),
        ("a.toml", "# dpo-lint: ignore[DPL902]\n", ""),
        ("a.ipynb", &notebook(r#""x = 1  # dpo-lint: ignore\n""#), &notebook(r#""x = 1\n""#)),
        ("a.ipynb", &notebook(r##""# dpo-lint: ignore\n","x""##), &notebook(r#""\n","x""#)),
    ] {
        let outcome = run(name, text, &[]);
        assert_eq!(outcome.text, fixed, "{name}: {text}");
        let rules: Vec<_> = outcome.own.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, ["unused-suppression"], "{name}: {text}");
    }
}

#[test]
fn a_rule_that_does_not_run_needs_its_comments_no_less() {
    for (text, ignore, unused) in [
        ("x = 1  # dpo-lint: ignore[DPL902]\n", "DPL902", 0),
        ("x = 1  # dpo-lint: ignore[DPL902]\n", "DPL901", 1),
        ("x = 1  # dpo-lint: ignore[DPL9]\n", "DPL902", 0),
        ("x = 1  # dpo-lint: ignore\n", "DPL902", 0),
    ] {
        assert_eq!(run("a.py", text, &[ignore]).own.len(), unused, "{text} without {ignore}");
    }
}

#[test]
fn a_comment_that_cannot_be_understood_is_a_finding() {
    for (comment, place, message) in [
        ("# dpo-lint: ignore[invalid-supression]", "invalid-supression", "unknown rule `invalid-supression`"),
        ("# dpo-lint: ignore[DPL902", "[DPL902", "the list of rules has no end"),
        ("# dpo-lint: ignore[]", "[]", "the list of rules is empty"),
        ("# dpo-lint: disable", "disable", "`disable` is no suppression"),
        ("# dpo-lint:", "# dpo-lint:", "`` is no suppression"),
    ] {
        let text = format!("中 = f(HERE)  {comment}\n");
        let outcome = run("a.py", &text, &[]);
        assert!(!outcome.suppressed, "{comment}");
        let found: Vec<_> =
            outcome.own.iter().map(|own| (&text[own.primary.span.range()], own.message.as_str())).collect();
        assert_eq!(found, [(place, message)]);
    }
    let help = run("a.py", "# dpo-lint: ignore[invalid-supression]\n", &[]).own.remove(0).help;
    assert_eq!(help.as_deref(), Some("did you mean `invalid-suppression`?"));
}
