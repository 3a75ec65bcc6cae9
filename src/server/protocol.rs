//! What of the Language Server Protocol (3.17) is read and written.
//!
//! Incoming structs name only what is used, and URIs are texts until somebody needs the path.

use std::collections::BTreeMap;

use lsp_server::RequestId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A place in a document: line and character from 0; what a character is, is negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    pub line: u32,
    pub character: u32,
}

/// Half open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Range {
    pub start: Position,
    pub end: Position,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpenParams {
    pub text_document: OpenedDocument,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpenedDocument {
    pub uri: String,
    pub version: i64,
    #[serde(default)]
    pub language_id: Option<String>,
    pub text: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangeParams {
    pub text_document: VersionedDocument,
    pub content_changes: Vec<ContentChange>,
}

#[derive(Debug, Deserialize)]
pub(super) struct VersionedDocument {
    pub uri: String,
    pub version: i64,
}

/// A part of the text, or all of it.
#[derive(Debug, Deserialize)]
pub(super) struct ContentChange {
    pub range: Option<Range>,
    pub text: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpenNotebookParams {
    pub notebook_document: OpenedNotebook,
    #[serde(default)]
    pub cell_text_documents: Vec<OpenedDocument>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OpenedNotebook {
    pub uri: String,
    #[serde(default)]
    pub cells: Vec<NotebookCell>,
}

#[derive(Debug, Deserialize)]
pub(super) struct NotebookCell {
    /// 1: markup, 2: code.
    pub kind: u8,
    /// The URI of its text.
    pub document: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangeNotebookParams {
    pub notebook_document: DocumentName,
    pub change: NotebookChange,
}

#[derive(Debug, Deserialize)]
pub(super) struct NotebookChange {
    pub cells: Option<CellsChange>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CellsChange {
    pub structure: Option<StructureChange>,
    #[serde(default)]
    pub data: Vec<NotebookCell>,
    #[serde(default)]
    pub text_content: Vec<CellContentChange>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StructureChange {
    pub array: ArrayChange,
    #[serde(default)]
    pub did_open: Vec<OpenedDocument>,
    #[serde(default)]
    pub did_close: Vec<DocumentName>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArrayChange {
    pub start: usize,
    pub delete_count: usize,
    #[serde(default)]
    pub cells: Vec<NotebookCell>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CellContentChange {
    pub document: VersionedDocument,
    pub changes: Vec<ContentChange>,
}

/// `didSave`, `didClose` of a notebook.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotebookParams {
    pub notebook_document: DocumentName,
}

/// `didSave`, `didClose`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DocumentParams {
    pub text_document: DocumentName,
}

#[derive(Debug, Deserialize)]
pub(super) struct DocumentName {
    pub uri: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct WatchedFilesParams {
    pub changes: Vec<DocumentName>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FoldersParams {
    pub event: FoldersEvent,
}

#[derive(Debug, Deserialize)]
pub(super) struct FoldersEvent {
    pub added: Vec<DocumentName>,
    pub removed: Vec<DocumentName>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ConfigurationParams {
    #[serde(default)]
    pub settings: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct CancelParams {
    pub id: RequestId,
}

/// `hover`, `completion`; the document is read before.
#[derive(Debug, Deserialize)]
pub(super) struct PlaceParams {
    pub position: Position,
}

#[derive(Debug, Deserialize)]
pub(super) struct ActionParams {
    pub range: Range,
    pub context: ActionContext,
}

#[derive(Debug, Deserialize)]
pub(super) struct ActionContext {
    #[serde(default)]
    pub only: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
pub(super) struct PublishParams {
    pub uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    pub diagnostics: Vec<Diagnostic>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Diagnostic {
    pub range: Range,
    pub severity: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub source: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related_information: Vec<RelatedInformation>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RelatedInformation {
    pub location: Location,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Location {
    pub uri: String,
    pub range: Range,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CodeAction {
    pub title: String,
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_preferred: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit: Option<WorkspaceEdit>,
    /// What `codeAction/resolve` needs to make the edit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// One of the two: which one the client understands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum WorkspaceEdit {
    Changes(BTreeMap<String, Vec<TextEdit>>),
    DocumentChanges(Vec<DocumentEdit>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DocumentEdit {
    pub text_document: EditedDocument,
    pub edits: Vec<TextEdit>,
}

#[derive(Debug, Serialize)]
pub(super) struct EditedDocument {
    pub uri: String,
    /// `null`: not open.
    pub version: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TextEdit {
    pub range: Range,
    pub new_text: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Hover {
    pub contents: Markup,
    pub range: Range,
}

#[derive(Debug, Serialize)]
pub(super) struct Markup {
    pub kind: &'static str,
    pub value: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompletionItem {
    pub label: String,
    pub kind: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<u8>,
    pub text_edit: TextEdit,
}

impl Markup {
    pub fn markdown(value: String) -> Self {
        Self { kind: "markdown", value }
    }
}
