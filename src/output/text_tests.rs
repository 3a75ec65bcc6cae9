//! Made-up findings in awkward files.

use std::fmt::Write as _;

use super::*;
use crate::diagnostic::{Confidence, Fix, Label};
use crate::source::Span;

/// A place: the file's name, the text to point at and the label.
type Place<'a> = (&'a str, &'a str, &'a str);

fn finding(sources: &Sources, places: &[Place<'_>]) -> Diagnostic {
    let mut labels = places.iter().map(|(name, needle, message)| {
        let file = sources.find(Path::new(name)).expect("a file of the test");
        let at = file.text().find(needle).expect("the text to point at");
        Label { span: file.span(at..at + needle.len()), message: (*message).to_owned() }
    });
    Diagnostic {
        rule: "ref-model-with-peft-config",
        code: "DPL001",
        severity: Severity::Error,
        confidence: Confidence::High,
        message: "`ref_model` and `peft_config` are both given".to_owned(),
        primary: labels.next().expect("a place"),
        related: labels.collect(),
        notes: Vec::new(),
        help: None,
        versions: Vec::new(),
        fixes: Vec::new(),
        follows: None,
    }
}

fn show(finding: Diagnostic, sources: &Sources, width: usize) -> String {
    let report = Report { findings: vec![finding], ..Report::default() };
    let mut out = Vec::new();
    write_text(&mut out, &report, sources, Path::new("/data"), Style { colored: false, width }).expect("memory");
    String::from_utf8(out).expect("UTF-8")
}

fn files(files: &[(&str, &str)]) -> Sources {
    let sources = Sources::default();
    for (name, text) in files {
        sources.add((*name).into(), *text);
    }
    sources
}

#[test]
fn one_finding_spans_files_and_ends_with_reasons_and_remedies() {
    let sources = files(&[
        (
            "train.py",
            "import trl\n\ntrainer = trl.DPOTrainer(\n    model,\n    ref_model=ref,\n    peft_config=lora,\n)\n",
        ),
        ("requirements.txt", "torch\ntrl==0.12.2\n"),
    ]);
    let mut finding = finding(
        &sources,
        &[
            ("train.py", "ref_model=ref", "a second model"),
            ("train.py", "peft_config=lora", "an adapter"),
            ("requirements.txt", "trl==0.12.2", "this release raises ValueError"),
        ],
    );
    finding.notes.push("the model without its adapter is the reference".to_owned());
    finding.versions.push(VersionScope {
        package: "trl".to_owned(),
        affected: vec!["0.7.11 - 0.27.2".to_owned()],
        effect: Some("raises ValueError: You passed both a ref_model and a peft_config".to_owned()),
        in_effect: Some("0.12.2".to_owned()),
        evidence: "pin".to_owned(),
        origin: Some(finding.related[1].span),
    });
    finding.help = Some("let the adapter's base be the reference".to_owned());
    finding.fixes.push(Fix {
        title: "pass `ref_model=None`".to_owned(),
        applicability: Applicability::Safe,
        edits: Vec::new(),
    });
    insta::assert_snapshot!(show(finding, &sources, 100));
}

#[test]
fn wide_characters_tabs_and_emoji_are_underlined_where_they_stand() {
    let sources = files(&[("中文.py", "\u{feff}\tx = f(\"中文🎉\", ref_model=ref)  # 注释\r\n")]);
    insta::assert_snapshot!(show(finding(&sources, &[("中文.py", "ref_model=ref", "参考模型")]), &sources, 80));
}

#[test]
fn of_a_very_long_line_the_labelled_part_is_shown() {
    let long = format!("{{{}\"ref_model\": \"x\"{}}}", "\"a\": 1, ".repeat(20_000), ", \"b\": 2".repeat(20_000));
    let sources = files(&[("a.json", &long)]);
    let shown = show(finding(&sources, &[("a.json", "\"ref_model\"", "here")]), &sources, 80);
    assert!(shown.contains("\"ref_model\""), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 200), "{shown}");
}

#[test]
fn places_at_the_very_end_and_in_empty_files_do_not_matter() {
    let mut all = String::new();
    for (text, start, end) in [("", 0, 0), ("x", 1, 1), ("x\n", 2, 2), ("x\r\n\r\n", 5, 5), ("中", 1, 2), ("x", 7, 9)]
    {
        let sources = files(&[("a.yaml", text)]);
        let file = sources.find(Path::new("a.yaml")).expect("just added").id();
        let mut finding = finding(&sources, &[("a.yaml", "", "here")]);
        finding.primary.span = Span { file, start, end };
        let _ = writeln!(all, "{text:?} {start}..{end}\n{}", show(finding, &sources, 80));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_narrow_terminal_and_colour_break_nothing() {
    let sources = files(&[("train.py", "trainer = DPOTrainer(model, ref_model=ref, peft_config=lora, args=args)\n")]);
    let place = [("train.py", "peft_config=lora", "an adapter, which makes the reference model superfluous")];
    assert!(show(finding(&sources, &place), &sources, 0).contains("peft_config=lora"));
    let report = Report { findings: vec![finding(&sources, &place)], ..Report::default() };
    let mut out = Vec::new();
    write_text(&mut out, &report, &sources, Path::new("/"), Style { colored: true, width: 80 }).expect("memory");
    assert!(String::from_utf8(out).expect("UTF-8").contains("\u{1b}["));
}

#[test]
fn notes_are_broken_at_words() {
    for (text, width, expected) in [
        ("", 4, ""),
        ("ab cd ef", 5, "ab cd\nef"),
        ("ab cd ef", 4, "ab\ncd\nef"),
        ("abcdefgh ij", 4, "abcdefgh\nij"),
        ("参考 模型", 5, "参考\n模型"),
        ("参考 模型", 9, "参考 模型"),
    ] {
        assert_eq!(wrap(text, width), expected, "{text} {width}");
    }
    let sources = files(&[("train.py", "x = 1\n")]);
    let mut finding = finding(&sources, &[("train.py", "x", "here")]);
    finding.notes.push("word ".repeat(40).trim_end().to_owned());
    let shown = show(finding, &sources, 50);
    let notes: Vec<_> = shown.lines().filter(|line| line.contains("word")).collect();
    assert!(notes.len() > 4 && notes.iter().all(|line| line.len() <= 50), "{shown}");
}
