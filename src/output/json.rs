//! The report for programs; `schemas/report.schema.json` describes it.
//!
//! The structs here mirror the core types, so that a change of those cannot silently change the format.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::place::Places;
use super::versions::outlook_of;
use super::{Summary, shown_path};
use crate::diagnostic::{Diagnostic, Fix, Label, VersionScope};
use crate::engine::driver::Report;
use crate::engine::outlook::{Outlook, Today};
use crate::model::{Declaration, Environment, Origin};
use crate::source::{Sources, Span};

/// Writes the report. `folder` is what paths are relative to.
pub fn write_json(out: &mut dyn Write, report: &Report, sources: &Sources, folder: &Path) -> io::Result<()> {
    let mirror = Mirror { places: Places::new(sources, folder), outlooks: &[] };
    serde_json::to_writer_pretty(&mut *out, &mirror.report(report))?;
    writeln!(out)
}

/// The same with what an install comes to.
pub fn write_versions_json(
    out: &mut dyn Write,
    report: &Report,
    outlooks: &[Outlook],
    sources: &Sources,
    folder: &Path,
) -> io::Result<()> {
    let mirror = Mirror { places: Places::new(sources, folder), outlooks };
    serde_json::to_writer_pretty(&mut *out, &mirror.report(report))?;
    writeln!(out)
}

#[derive(Serialize)]
struct JsonReport<'a> {
    version: &'static str,
    findings: Vec<JsonFinding<'a>>,
    environment: Vec<JsonEnvironment<'a>>,
    problems: Vec<JsonProblem<'a>>,
    summary: JsonSummary,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    rule: &'a str,
    code: &'a str,
    severity: &'a str,
    confidence: &'a str,
    message: &'a str,
    #[serde(flatten)]
    place: JsonPlace,
    label: &'a str,
    related: Vec<JsonLabel<'a>>,
    notes: &'a [String],
    help: Option<&'a str>,
    versions: Vec<JsonVersions<'a>>,
    fixes: Vec<JsonFix<'a>>,
}

/// A range of a file.
#[derive(Serialize)]
struct JsonPlace {
    path: String,
    start: JsonPosition,
    end: JsonPosition,
    #[serde(skip_serializing_if = "Option::is_none")]
    cell: Option<JsonCell>,
}

/// Where a place begins in a notebook as its reader sees it.
#[derive(Serialize)]
struct JsonCell {
    number: usize,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct JsonPosition {
    line: usize,
    column: usize,
    offset: u32,
}

#[derive(Serialize)]
struct JsonLabel<'a> {
    #[serde(flatten)]
    place: JsonPlace,
    message: &'a str,
}

#[derive(Serialize)]
struct JsonVersions<'a> {
    package: &'a str,
    affected: &'a [String],
    effect: Option<&'a str>,
    in_effect: Option<&'a str>,
    evidence: &'a str,
    origin: Option<JsonPlace>,
}

#[derive(Serialize)]
struct JsonFix<'a> {
    title: &'a str,
    applicability: &'static str,
    edits: Vec<JsonEdit<'a>>,
}

#[derive(Serialize)]
struct JsonEdit<'a> {
    #[serde(flatten)]
    place: JsonPlace,
    text: &'a str,
}

#[derive(Serialize)]
struct JsonEnvironment<'a> {
    path: String,
    python: Option<String>,
    packages: Vec<JsonPackage<'a>>,
    /// Of `dpo-lint versions` only.
    #[serde(flatten)]
    outlook: Option<JsonOutlook<'a>>,
}

#[derive(Serialize)]
struct JsonOutlook<'a> {
    contradiction: &'a [String],
    imports: JsonImports,
    working: Option<JsonWorking<'a>>,
}

#[derive(Serialize)]
struct JsonImports {
    verdict: &'static str,
    asked: Option<String>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct JsonWorking<'a> {
    releases: BTreeMap<&'a str, String>,
    is_allowed: bool,
    accepts: bool,
}

#[derive(Serialize)]
struct JsonPackage<'a> {
    package: &'a str,
    in_effect: Option<String>,
    evidence: &'static str,
    allowed: Vec<String>,
    declarations: Vec<JsonDeclaration<'a>>,
}

#[derive(Serialize)]
struct JsonDeclaration<'a> {
    specifiers: String,
    evidence: &'static str,
    condition: Option<&'a str>,
    direct: Option<&'a str>,
    #[serde(flatten)]
    origin: JsonOrigin<'a>,
}

/// Where a declaration stands.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum JsonOrigin<'a> {
    Place(JsonPlace),
    CommandLine(&'a str),
    Installed(&'a str),
}

#[derive(Serialize)]
struct JsonProblem<'a> {
    message: &'a str,
    place: Option<JsonPlace>,
}

#[derive(Serialize)]
struct JsonSummary {
    files: usize,
    errors: usize,
    warnings: usize,
    infos: usize,
    fixed: usize,
    fixable: usize,
    unsafely_fixable: usize,
    in_baseline: usize,
}

/// What the mirror structs need to know.
struct Mirror<'a> {
    places: Places<'a>,
    outlooks: &'a [Outlook],
}

impl<'a> Mirror<'a> {
    fn report<'r>(&self, report: &'r Report) -> JsonReport<'r>
    where
        'a: 'r,
    {
        let summary = Summary::of(report);
        JsonReport {
            version: env!("CARGO_PKG_VERSION"),
            findings: report.findings.iter().map(|finding| self.finding(finding)).collect(),
            environment: report.environments.iter().map(|environment| self.environment(environment)).collect(),
            problems: report
                .problems
                .iter()
                .map(|problem| JsonProblem {
                    message: &problem.message,
                    place: problem.span.map(|span| self.place(span)),
                })
                .collect(),
            summary: JsonSummary {
                files: summary.files,
                errors: summary.errors,
                warnings: summary.warnings,
                infos: summary.infos,
                fixed: summary.fixed,
                fixable: summary.fixable,
                unsafely_fixable: summary.unsafely_fixable,
                in_baseline: summary.in_baseline,
            },
        }
    }

    fn finding<'r>(&self, finding: &'r Diagnostic) -> JsonFinding<'r> {
        JsonFinding {
            rule: finding.rule,
            code: finding.code,
            severity: finding.severity.as_str(),
            confidence: finding.confidence.as_str(),
            message: &finding.message,
            place: self.place(finding.primary.span),
            label: &finding.primary.message,
            related: finding.related.iter().map(|label| self.label(label)).collect(),
            notes: &finding.notes,
            help: finding.help.as_deref(),
            versions: finding.versions.iter().map(|scope| self.versions(scope)).collect(),
            fixes: finding.fixes.iter().map(|fix| self.fix(fix)).collect(),
        }
    }

    fn place(&self, span: Span) -> JsonPlace {
        let file = self.places.sources.get(span.file);
        let position = |offset: u32| {
            let at = file.position(offset);
            JsonPosition { line: at.line, column: at.column, offset }
        };
        let place = self.places.of(span);
        JsonPlace {
            path: self.places.path(span.file),
            start: position(span.start),
            end: position(span.end),
            cell: place.cell.map(|number| JsonCell { number, line: place.line, column: place.column }),
        }
    }

    fn label<'r>(&self, label: &'r Label) -> JsonLabel<'r> {
        JsonLabel { place: self.place(label.span), message: &label.message }
    }

    fn versions<'r>(&self, scope: &'r VersionScope) -> JsonVersions<'r> {
        JsonVersions {
            package: &scope.package,
            affected: &scope.affected,
            effect: scope.effect.as_deref(),
            in_effect: scope.in_effect.as_deref(),
            evidence: &scope.evidence,
            origin: scope.origin.map(|span| self.place(span)),
        }
    }

    fn fix<'r>(&self, fix: &'r Fix) -> JsonFix<'r> {
        let edits = fix.edits.iter().map(|edit| JsonEdit { place: self.place(edit.span), text: &edit.text });
        JsonFix { title: &fix.title, applicability: fix.applicability.as_str(), edits: edits.collect() }
    }

    fn environment<'r>(&self, (path, environment): &'r (PathBuf, Environment)) -> JsonEnvironment<'r>
    where
        'a: 'r,
    {
        let packages = environment.packages.iter().map(|(package, facts)| JsonPackage {
            package,
            in_effect: facts.in_effect.as_ref().map(ToString::to_string),
            evidence: facts.evidence.as_str(),
            allowed: facts.allowed.iter().map(ToString::to_string).collect(),
            declarations: facts.declarations.iter().map(|declaration| self.declaration(declaration)).collect(),
        });
        JsonEnvironment {
            path: shown_path(self.places.folder, path),
            python: environment.python.as_ref().map(ToString::to_string),
            packages: packages.collect(),
            outlook: outlook_of(self.outlooks, path).map(|outlook| JsonOutlook {
                contradiction: &environment.contradiction,
                imports: imports(&outlook.today),
                working: outlook.working.as_ref().map(|working| JsonWorking {
                    releases: working.releases.iter().map(|(name, one)| (name.as_str(), one.to_string())).collect(),
                    is_allowed: working.is_allowed,
                    accepts: working.accepts,
                }),
            }),
        }
    }

    fn declaration<'r>(&self, declaration: &'r Declaration) -> JsonDeclaration<'r> {
        JsonDeclaration {
            specifiers: declaration.specifiers.to_string(),
            evidence: declaration.evidence.as_str(),
            condition: declaration.condition.as_deref(),
            direct: declaration.direct.as_deref(),
            origin: match &declaration.origin {
                Origin::File(span) => JsonOrigin::Place(self.place(*span)),
                Origin::CommandLine(text) => JsonOrigin::CommandLine(text),
                Origin::Installed(path) => JsonOrigin::Installed(path),
            },
        }
    }
}

fn imports(today: &Today) -> JsonImports {
    let (verdict, failure) = match today {
        Today::Imports => ("works", None),
        Today::Fails { asked, refusal } => {
            let verdict = if refusal.is_in_training() { "fails_in_training" } else { "fails" };
            (verdict, Some((asked, refusal)))
        }
        Today::Contradiction => ("contradiction", None),
        Today::Unknown => ("unknown", None),
    };
    JsonImports {
        verdict,
        asked: failure.map(|(asked, _)| format!("{}:{}", asked.module, asked.name)),
        reason: failure.map(|(_, refusal)| refusal.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::output::testing::{folder, full};

    fn schema() -> jsonschema::Validator {
        let schema: Value = serde_json::from_str(include_str!("../../schemas/report.schema.json")).expect("JSON");
        jsonschema::validator_for(&schema).expect("a schema")
    }

    fn written(report: &Report, sources: &Sources) -> Value {
        let mut out = Vec::new();
        write_json(&mut out, report, sources, folder()).expect("memory");
        serde_json::from_slice(&out).expect("JSON")
    }

    #[test]
    fn reports_are_what_their_schema_says() {
        let sources = Sources::default();
        let schema = schema();
        for report in [full(&sources), Report::default()] {
            let written = written(&report, &sources);
            let errors: Vec<String> = schema.iter_errors(&written).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "{written:#}");
        }
        let mut wrong = written(&full(&sources), &sources);
        wrong["findings"][0]["surprise"] = json!(1);
        assert!(!schema.is_valid(&wrong), "the schema is closed");
    }

    #[test]
    fn places_count_from_one_and_offsets_are_bytes() {
        let sources = Sources::default();
        let written = written(&full(&sources), &sources);
        let finding = &written["findings"][0];
        assert_eq!(finding["path"], "../a,b:/träin 1.py");
        assert_eq!(finding["start"], json!({"line": 2, "column": 5, "offset": 17}));
        assert_eq!(finding["end"], json!({"line": 2, "column": 8, "offset": 20}));
        assert_eq!(written["summary"]["fixable"], 1);
        assert_eq!(written["summary"]["in_baseline"], 3);
    }
}
