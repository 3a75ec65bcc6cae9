//! What the editor offers to do about a finding: its fixes, a comment that suppresses it, and all safe fixes at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::diagnostics::Mirror;
use super::documents::TextId;
use super::notebooks::Cell;
use super::position::Lines;
use super::protocol::{CodeAction, DocumentEdit, EditedDocument, Range, TextEdit, WorkspaceEdit};
use super::worker::Checked;
use crate::diagnostic::{Applicability, Diagnostic, Fix};
use crate::engine::{repair, suppress};
use crate::syntax::Edit;

const QUICK_FIX: &str = "quickfix";

/// What a suppression comment says until somebody writes why.
const REASON: &str = "TODO: say why";

/// The actions for a range of a text.
pub(super) fn quick_fixes(checked: &Checked, mirror: &Mirror<'_>, text: &TextId, range: Range) -> Vec<CodeAction> {
    let is_meant = |finding: &&Diagnostic| {
        let is_own = || {
            let (own_text, own) = mirror.place(finding.primary.span);
            own_text == *text && own.start <= range.end && range.start <= own.end
        };
        mirror.path(finding.primary.span.file) == text.path && is_own()
    };
    let findings: Vec<&Diagnostic> = checked.report.findings.iter().filter(is_meant).collect();
    let fixes = findings.iter().flat_map(|finding| of_finding(finding, mirror));
    let comments = findings.iter().filter_map(|finding| comment(finding, mirror));
    fixes.chain(comments).collect()
}

/// The action that fixes all of a file, which a text is or belongs to; its edit comes later. `None` where nothing in the file has a safe
/// fix.
pub(super) fn fix_all(checked: &Checked, mirror: &Mirror<'_>, text: &TextId, kind: &'static str) -> Option<CodeAction> {
    let path = &text.path;
    let is_own = |fix: &Fix| {
        fix.applicability == Applicability::Safe
            && !fix.edits.is_empty()
            && fix.edits.iter().all(|edit| mirror.path(edit.span.file) == *path)
    };
    let has_some = checked.report.findings.iter().flat_map(|finding| &finding.fixes).any(is_own);
    has_some.then(|| CodeAction {
        title: "Apply all safe fixes of dpo-lint".to_owned(),
        kind,
        diagnostics: Vec::new(),
        is_preferred: false,
        edit: None,
        data: Some(json!({ "uri": mirror.documents.uri(text) })),
    })
}

/// The edit that makes one text of a file another. `None`: the notebook has other cells now.
pub(super) fn replacement(mirror: &Mirror<'_>, path: &Path, before: &str, after: &str) -> Option<WorkspaceEdit> {
    Some(workspace_edit(mirror, edits_between(mirror, path, before, after)?))
}

/// The edits that make one text of a file another, in each text of the editor that changes.
fn edits_between(
    mirror: &Mirror<'_>,
    path: &Path,
    before: &str,
    after: &str,
) -> Option<BTreeMap<TextId, Vec<TextEdit>>> {
    let Some(notebook) = mirror.notebooks.get(path) else {
        return Some([(TextId::file(path), vec![changed(mirror, before, after)])].into());
    };
    let texts = notebook.texts_in(after).filter(|_| *notebook.text == *before)?;
    let pairs = notebook.cells.iter().zip(&texts).filter(|(cell, text)| *cell.text != **text);
    let edit = |(cell, text): (&Cell, &String)| {
        let id = TextId { path: path.to_path_buf(), cell: Some(Arc::clone(&cell.uri)) };
        (id, vec![changed(mirror, &cell.text, text)])
    };
    Some(pairs.map(edit).collect())
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
        edit: Some(replacement(mirror, &path, &changed.before, &changed.after)?),
        data: None,
    })
}

/// `None` when a text is not any more what was checked.
fn edit_of(fix: &Fix, mirror: &Mirror<'_>) -> Option<WorkspaceEdit> {
    let mut texts: BTreeMap<TextId, Vec<TextEdit>> = BTreeMap::new();
    for (id, edits) in repair::by_file(fix.edits.iter().cloned()) {
        let (file, path) = (mirror.sources.get(id), mirror.path(id));
        is_current(mirror, &path, file.text()).then_some(())?;
        if mirror.notebooks.contains_key(&path) {
            // Cells are JSON strings in the file, and plain in the editor.
            texts.extend(edits_between(mirror, &path, file.text(), &repair::splice(file.text(), edits)?)?);
            continue;
        }
        let edit = |edit: Edit| TextEdit {
            range: mirror.place(edit.span).1,
            new_text: repair::as_its_lines_end(file.text(), &edit.text),
        };
        texts.insert(TextId::file(path), edits.into_iter().map(edit).collect());
    }
    (!texts.is_empty()).then(|| workspace_edit(mirror, texts))
}

fn is_current(mirror: &Mirror<'_>, path: &Path, text: &str) -> bool {
    mirror.documents.text(path).is_none_or(|open| **open == *text)
}

fn workspace_edit(mirror: &Mirror<'_>, texts: BTreeMap<TextId, Vec<TextEdit>>) -> WorkspaceEdit {
    let documents = mirror.documents;
    if !mirror.client.has_document_changes {
        return WorkspaceEdit::Changes(texts.into_iter().map(|(text, edits)| (documents.uri(&text), edits)).collect());
    }
    let edit = |(text, edits): (TextId, Vec<TextEdit>)| {
        let (uri, version) = (documents.uri(&text), documents.version(&text));
        DocumentEdit { text_document: EditedDocument { uri, version }, edits }
    };
    WorkspaceEdit::DocumentChanges(texts.into_iter().map(edit).collect())
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
