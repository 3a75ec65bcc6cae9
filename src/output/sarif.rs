//! SARIF 2.1.0, which code scanning services and editors read.
//!
//! Paths are relative to the top of the repository (`%SRCROOT%`), lines and columns count from 1, columns are Unicode scalar
//! values (`columnKind`), the end of a region is one past its last character. Of a notebook the region is that of the file.

use std::io::{self, Write};

use serde::Serialize;

use super::rooted::Rooted;
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label, Severity};
use crate::engine::catalogue::catalogue;
use crate::engine::content::Contents;
use crate::engine::driver::Report;
use crate::rules::RuleMeta;
use crate::source::{FileId, Span};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const ROOT: &str = "%SRCROOT%";

/// Writes a log of one run.
pub fn write_sarif(out: &mut dyn Write, report: &Report, files: Rooted<'_>) -> io::Result<()> {
    let mirror = Mirror { files };
    serde_json::to_writer_pretty(&mut *out, &mirror.log(report))?;
    writeln!(out)
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    invocations: [Invocation<'a>; 1],
    original_uri_base_ids: OriginalUriBaseIds,
    column_kind: &'static str,
    results: Vec<SarifResult<'a>>,
}

/// The service knows where the repository is; a path of this machine would make every log another one.
#[derive(Serialize)]
struct OriginalUriBaseIds {
    #[serde(rename = "%SRCROOT%")]
    root: Described,
}

#[derive(Serialize)]
struct Described {
    description: Text<'static>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    version: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    name: &'static str,
    short_description: Text<'static>,
    full_description: Text<'static>,
    help: Help,
    default_configuration: Configuration,
    properties: RuleProperties,
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Help {
    text: &'static str,
    markdown: &'static str,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct RuleProperties {
    tags: [&'static str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Serialize)]
struct Notification<'a> {
    level: &'static str,
    message: Text<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Location<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: OwnedText,
    locations: [Location<'a>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location<'a>>,
    partial_fingerprints: Fingerprints,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<SarifFix<'a>>,
}

#[derive(Serialize)]
struct OwnedText {
    text: String,
}

#[derive(Serialize)]
struct Fingerprints {
    #[serde(rename = "dpoLint/v1")]
    content: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    #[serde(rename = "physicalLocation")]
    place: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text<'a>>,
}

/// Where something is in a file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifFix<'a> {
    description: Text<'a>,
    artifact_changes: Vec<ArtifactChange<'a>>,
    properties: FixProperties,
}

#[derive(Serialize)]
struct FixProperties {
    applicability: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactChange<'a> {
    artifact_location: ArtifactLocation,
    replacements: Vec<Replacement<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement<'a> {
    deleted_region: Region,
    inserted_content: Text<'a>,
}

/// What the mirror structs need to know.
struct Mirror<'a> {
    files: Rooted<'a>,
}

impl Mirror<'_> {
    fn log<'r>(&self, report: &'r Report) -> Log<'r> {
        let is_reported = |meta: &&'static RuleMeta| report.findings.iter().any(|finding| finding.rule == meta.name);
        let metas: Vec<_> = catalogue().into_iter().filter(is_reported).collect();
        let files = self.files;
        let contents = Contents::new(files.sources, files.folder, files.root).numbered(&report.findings);
        let fingerprints = contents.iter().map(|(content, number)| content.fingerprint(*number));
        let results = report.findings.iter().zip(fingerprints);
        let version = env!("CARGO_PKG_VERSION");
        let rules = metas.iter().map(|meta| rule(meta)).collect();
        let run = Run {
            tool: Tool { driver: Driver { name: "dpo-lint", version, semantic_version: version, rules } },
            invocations: [self.invocation(report)],
            original_uri_base_ids: OriginalUriBaseIds {
                root: Described { description: Text { text: "The top of the repository." } },
            },
            column_kind: "unicodeCodePoints",
            results: results.map(|(finding, fingerprint)| self.result(finding, fingerprint, &metas)).collect(),
        };
        Log { schema: SCHEMA, version: "2.1.0", runs: [run] }
    }

    fn invocation<'r>(&self, report: &'r Report) -> Invocation<'r> {
        let notification = |problem: &'r crate::diagnostic::Problem| Notification {
            level: "error",
            message: Text { text: &problem.message },
            locations: problem.span.map(|span| self.location(span, "", None)).into_iter().collect(),
        };
        Invocation {
            execution_successful: report.problems.is_empty(),
            tool_execution_notifications: report.problems.iter().map(notification).collect(),
        }
    }

    fn result<'r>(&self, finding: &'r Diagnostic, fingerprint: String, metas: &[&RuleMeta]) -> SarifResult<'r> {
        let related = |(index, label): (usize, &'r Label)| self.location(label.span, &label.message, Some(index));
        let is_applicable = |fix: &&Fix| fix.applicability > Applicability::Display;
        SarifResult {
            rule_id: finding.code,
            rule_index: metas.iter().position(|meta| meta.name == finding.rule).unwrap_or_default(),
            level: level(finding.severity),
            message: OwnedText { text: self.files.text(finding) },
            locations: [self.location(finding.primary.span, &finding.primary.message, None)],
            related_locations: finding.related.iter().enumerate().map(related).collect(),
            partial_fingerprints: Fingerprints { content: fingerprint },
            fixes: finding.fixes.iter().filter(is_applicable).map(|fix| self.fix(fix)).collect(),
        }
    }

    fn location<'r>(&self, span: Span, message: &'r str, id: Option<usize>) -> Location<'r> {
        Location {
            id,
            place: PhysicalLocation { artifact_location: self.artifact(span.file), region: self.region(span) },
            message: (!message.is_empty()).then_some(Text { text: message }),
        }
    }

    fn artifact(&self, file: FileId) -> ArtifactLocation {
        let path = self.files.path(file);
        if !path.starts_with("../") && !path.starts_with('/') {
            return ArtifactLocation { uri: encoded(&path), uri_base_id: Some(ROOT) };
        }
        // Outside the repository there is nothing to be relative to.
        let absolute = crate::source::slashed(&self.files.folder.join(self.files.sources.get(file).path()));
        ArtifactLocation { uri: format!("file:///{}", encoded(absolute.trim_start_matches('/'))), uri_base_id: None }
    }

    fn region(&self, span: Span) -> Region {
        let (start, end) = self.files.ends(span);
        Region { start_line: start.line, start_column: start.column, end_line: end.line, end_column: end.column }
    }

    /// Edits of the same file are one change.
    fn fix<'r>(&self, fix: &'r Fix) -> SarifFix<'r> {
        let mut edits: Vec<_> = fix.edits.iter().collect();
        edits.sort_by_key(|edit| (edit.span.file, edit.span.start, edit.span.end));
        let of_files = edits.chunk_by(|left, right| left.span.file == right.span.file);
        let change = |edits: &[&'r crate::syntax::Edit]| ArtifactChange {
            artifact_location: self.artifact(edits[0].span.file),
            replacements: edits
                .iter()
                .map(|edit| Replacement {
                    deleted_region: self.region(edit.span),
                    inserted_content: Text { text: &edit.text },
                })
                .collect(),
        };
        SarifFix {
            description: Text { text: &fix.title },
            artifact_changes: of_files.map(change).collect(),
            properties: FixProperties { applicability: fix.applicability.as_str() },
        }
    }
}

fn rule(meta: &'static RuleMeta) -> Rule {
    let page = meta.page.trim();
    Rule {
        id: meta.code,
        name: meta.name,
        short_description: Text { text: meta.summary },
        full_description: Text { text: meta.summary },
        help: Help { text: page, markdown: page },
        default_configuration: Configuration { level: level(meta.severity) },
        properties: RuleProperties { tags: [meta.name] },
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// A path as a part of a URI: every byte that means something else there, or nothing, is encoded.
fn encoded(path: &str) -> String {
    use std::fmt::Write as _;
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => _ = write!(uri, "%{byte:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::output::testing::{full, rooted, written};
    use crate::source::Sources;

    fn run(report: &Report, sources: &Sources) -> Value {
        let text = written(|out| write_sarif(out, report, rooted(sources)));
        let log: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(log["version"], "2.1.0");
        log["runs"][0].clone()
    }

    #[test]
    fn a_result_stands_where_the_specification_says() {
        let sources = Sources::default();
        let run = run(&full(&sources), &sources);
        assert_eq!(run["columnKind"], "unicodeCodePoints");
        let artifact = json!({"uri": "a%2Cb%3A/tr%C3%A4in%201.py", "uriBaseId": "%SRCROOT%"});
        let region = json!({"startLine": 2, "startColumn": 5, "endLine": 2, "endColumn": 8});
        let result = json!({
            "ruleId": "DPL001",
            "ruleIndex": 0,
            "level": "warning",
            "message": {"text": "both are given\nwhy\nhelp: what to do"},
            "locations": [{
                "physicalLocation": {"artifactLocation": artifact, "region": region},
                "message": {"text": "here"},
            }],
            "relatedLocations": [{
                "id": 0,
                "physicalLocation": {
                    "artifactLocation": {"uri": "b/requirements.txt", "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 12},
                },
                "message": {"text": "here"},
            }],
            "partialFingerprints": {"dpoLint/v1": "58de60acef697155"},
            "fixes": [{
                "description": {"text": "pass nothing"},
                "artifactChanges": [{
                    "artifactLocation": artifact,
                    "replacements": [{"deletedRegion": region, "insertedContent": {"text": "None"}}],
                }],
                "properties": {"applicability": "safe"},
            }],
        });
        assert_eq!(run["results"], json!([result]));
    }

    #[test]
    fn reported_rules_have_help_and_problems_are_notifications() {
        let sources = Sources::default();
        let run = run(&full(&sources), &sources);
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        assert_eq!((rules.len(), &rules[0]["name"]), (1, &json!("ref-model-with-peft-config")));
        assert!(rules[0]["help"]["markdown"].as_str().is_some_and(|page| page.starts_with("## What it does")));
        assert_eq!(run["invocations"][0]["executionSuccessful"], false);
        let messages = &run["invocations"][0]["toolExecutionNotifications"];
        assert_eq!(
            (&messages[0]["message"]["text"], &messages[1]["message"]["text"]),
            (&json!("cannot read"), &json!("bug"))
        );
    }

    #[test]
    fn a_file_outside_the_repository_has_a_uri_of_its_own() {
        let sources = Sources::default();
        let mut report = full(&sources);
        let outside = sources.add("/elsewhere/a b.py".into(), "x\n");
        report.findings[0].primary.span = outside.span(0..1);
        let location = &run(&report, &sources)["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
        assert_eq!(*location, json!({"uri": "file:///elsewhere/a%20b.py"}));
    }
}
