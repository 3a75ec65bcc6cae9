//! What tests of several formats share.

use std::io::{self, Write};
use std::path::Path;

use super::rooted::Rooted;
use crate::diagnostic::{Applicability, Confidence, Diagnostic, Fix, Label, Problem, Severity, VersionScope};
use crate::engine::driver::Report;
use crate::model::{Declaration, Environment, Evidence, Origin, PackageFacts};
use crate::source::Sources;
use crate::syntax::Edit;

/// The working directory of the report: a folder of the repository.
pub(super) fn folder() -> &'static Path {
    Path::new("/data/b")
}

/// The files of the report, seen from the repository.
pub(super) fn rooted(sources: &Sources) -> Rooted<'_> {
    Rooted { sources, folder: folder(), root: Path::new("/data") }
}

/// What is written, as text.
pub(super) fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("memory");
    String::from_utf8(out).expect("UTF-8")
}

/// A report in which every optional part is present.
pub(super) fn full(sources: &Sources) -> Report {
    let script = sources.add("/data/a,b:/träin 1.py".into(), "\u{feff}x = '中'\ny = ref\n");
    let pins = sources.add("requirements.txt".into(), "trl==0.12.2\n");
    let at = script.text().find("ref").expect("the place");
    let (place, origin) = (script.span(at..at + 3), pins.span(0..11));
    let label = |span| Label { span, message: "here".to_owned() };
    let finding = Diagnostic {
        rule: "ref-model-with-peft-config",
        code: "DPL001",
        severity: Severity::Warning,
        confidence: Confidence::Medium,
        message: "both are given".to_owned(),
        primary: label(place),
        related: vec![label(origin)],
        notes: vec!["why".to_owned()],
        help: Some("what to do".to_owned()),
        versions: vec![VersionScope {
            package: "trl".to_owned(),
            affected: vec!["0.7.11 - 0.27.2".to_owned()],
            effect: None,
            in_effect: Some("0.12.2".to_owned()),
            evidence: "pin".to_owned(),
            origin: Some(origin),
        }],
        fixes: vec![Fix {
            title: "pass nothing".to_owned(),
            applicability: Applicability::Safe,
            edits: vec![Edit { span: place, text: "None".to_owned() }],
        }],
        follows: None,
    };
    let declaration = |origin| Declaration {
        package: "trl".to_owned(),
        specifiers: "==0.12.2".parse().expect("a specifier"),
        evidence: Evidence::Pin,
        origin,
        condition: Some("extra: rlhf".to_owned()),
        direct: None,
        extras: std::collections::BTreeSet::new(),
    };
    let facts = PackageFacts {
        package: "trl".to_owned(),
        known: true,
        declarations: vec![
            declaration(Origin::File(origin)),
            declaration(Origin::CommandLine("--target trl==0.12.2".to_owned())),
            declaration(Origin::Installed("/venv".to_owned())),
        ],
        deciding: 1,
        evidence: Evidence::Pin,
        allowed: vec!["0.12.2".parse().expect("a version")],
        in_effect: None,
        limits: Vec::new(),
    };
    let packages = [("trl".to_owned(), facts)].into();
    Report {
        findings: vec![finding],
        environments: vec![(script.path().to_path_buf(), Environment { packages, ..Environment::default() })],
        problems: vec![
            Problem { message: "cannot read".to_owned(), span: Some(origin) },
            Problem { message: "bug".to_owned(), span: None },
        ],
        looked_at: 2,
        fixed: 1,
        known: 3,
        outdated: 0,
        failed: false,
    }
}
