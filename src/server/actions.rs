//! What the editor offers to do about a finding: its fixes, a comment that suppresses it, and all safe fixes at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::client::FIX_ALL;
use super::diagnostics::Mirror;
use super::position::Lines;
use super::protocol::{CodeAction, DocumentEdit, EditedDocument, Range, TextEdit, WorkspaceEdit};
use super::worker::Checked;
use crate::diagnostic::{Applicability, Diagnostic, Fix};
use crate::engine::{repair, suppress};

const QUICK_FIX: &str = "quickfix";

/// What a suppression comment says until somebody writes why.
const REASON: &str = "TODO: say why";

/// The actions for a range of a file (absolute path), of the kinds that are asked for.
pub(super) fn quick_fixes(checked: &Checked, mirror: &Mirror<'_>, path: &Path, range: Range) -> Vec<CodeAction> {
    let is_meant = |finding: &&Diagnostic| {
        let own = mirror.range(finding.primary.span);
        mirror.path(finding.primary.span.file) == path && own.start <= range.end && range.start <= own.end
    };
    let findings: Vec<&Diagnostic> = checked.report.findings.iter().filter(is_meant).collect();
    let fixes = findings.iter().flat_map(|finding| of_finding(finding, mirror));
    let comments = findings.iter().filter_map(|finding| comment(finding, mirror));
    fixes.chain(comments).collect()
}

/// The action that fixes all of a file; its edit comes later. `None` where nothing in the file has a safe fix.
pub(super) fn fix_all(checked: &Checked, mirror: &Mirror<'_>, path: &Path) -> Option<CodeAction> {
    let is_own = |fix: &Fix| {
        fix.applicability == Applicability::Safe
            && !fix.edits.is_empty()
            && fix.edits.iter().all(|edit| mirror.path(edit.span.file) == path)
    };
    let has_some = checked.report.findings.iter().flat_map(|finding| &finding.fixes).any(is_own);
    has_some.then(|| CodeAction {
        title: "Apply all safe fixes of dpo-lint".to_owned(),
        kind: FIX_ALL,
        diagnostics: Vec::new(),
        is_preferred: false,
        edit: None,
        data: Some(json!({ "uri": mirror.documents.uri(path) })),
    })
}

/// The edit that makes one text of another.
pub(super) fn replacement(mirror: &Mirror<'_>, path: &Path, before: &str, after: &str) -> WorkspaceEdit {
    let edits = vec![changed(mirror, before, after)];
    workspace_edit(mirror, [(path.to_path_buf(), edits)].into())
}

fn of_finding(finding: &Diagnostic, mirror: &Mirror<'_>) -> Vec<CodeAction> {
    let mut actions = Vec::new();
    for fix in finding.fixes.iter().filter(|fix| fix.applicability >= Applicability::Unsafe) {
        let Some(edit) = edit_of(fix, mirror) else { continue };
        let is_safe = fix.applicability == Applicability::Safe;
        let note = if is_safe { "" } else { " (may change what the program does)" };
        actions.push(CodeAction {
            title: format!("{}{note}", capitalised(&fix.title)),
            kind: QUICK_FIX,
            diagnostics: vec![mirror.diagnostic(finding)],
            is_preferred: is_safe && actions.is_empty(),
            edit: Some(edit),
            data: None,
        });
    }
    actions
}

/// Suppresses a finding by the same edit as `--add-ignore`.
fn comment(finding: &Diagnostic, mirror: &Mirror<'_>) -> Option<CodeAction> {
    let changed = suppress::add_comments(std::slice::from_ref(finding), mirror.sources, REASON).pop()?;
    let path = mirror.folder.join(&changed.path);
    is_current(mirror, &path, &changed.before).then_some(())?;
    Some(CodeAction {
        title: format!("Ignore `{}` here with a comment", finding.rule),
        kind: QUICK_FIX,
        diagnostics: vec![mirror.diagnostic(finding)],
        is_preferred: false,
        edit: Some(replacement(mirror, &path, &changed.before, &changed.after)),
        data: None,
    })
}

/// `None` when a text is not any more what was checked.
fn edit_of(fix: &Fix, mirror: &Mirror<'_>) -> Option<WorkspaceEdit> {
    let mut files: BTreeMap<PathBuf, Vec<TextEdit>> = BTreeMap::new();
    for edit in &fix.edits {
        let file = mirror.sources.get(edit.span.file);
        let path = mirror.folder.join(file.path());
        is_current(mirror, &path, file.text()).then_some(())?;
        let new_text = repair::as_its_lines_end(file.text(), &edit.text);
        files.entry(path).or_default().push(TextEdit { range: mirror.range(edit.span), new_text });
    }
    (!files.is_empty()).then(|| workspace_edit(mirror, files))
}

fn is_current(mirror: &Mirror<'_>, path: &Path, text: &str) -> bool {
    mirror.documents.get(path).is_none_or(|document| *document.text == *text)
}

fn workspace_edit(mirror: &Mirror<'_>, files: BTreeMap<PathBuf, Vec<TextEdit>>) -> WorkspaceEdit {
    let documents = mirror.documents;
    if !mirror.client.has_document_changes {
        return WorkspaceEdit::Changes(files.into_iter().map(|(path, edits)| (documents.uri(&path), edits)).collect());
    }
    let edit = |(path, edits): (PathBuf, Vec<TextEdit>)| {
        let version = documents.get(&path).map(|document| document.version);
        DocumentEdit { text_document: EditedDocument { uri: documents.uri(&path), version }, edits }
    };
    WorkspaceEdit::DocumentChanges(files.into_iter().map(edit).collect())
}

/// One edit, no longer than it must be.
fn changed(mirror: &Mirror<'_>, before: &str, after: &str) -> TextEdit {
    let same = |one: &mut dyn Iterator<Item = char>, other: &mut dyn Iterator<Item = char>| -> usize {
        one.zip(other).take_while(|(one, other)| one == other).map(|(letter, _)| letter.len_utf8()).sum()
    };
    let mut start = same(&mut before.chars(), &mut after.chars());
    // A line ending is not divided.
    if before[..start].ends_with('\r') {
        start -= 1;
    }
    let mut end = same(&mut before[start..].chars().rev(), &mut after[start..].chars().rev());
    if before[before.len() - end..].starts_with('\n') {
        end -= 1;
    }
    let range = Lines::new(before, mirror.client.encoding).range(start..before.len() - end);
    TextEdit { range, new_text: after[start..after.len() - end].to_owned() }
}

fn capitalised(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
