//! What the editor can do and wants, as it says when it starts the server.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::position::Encoding;
use super::uri;
use crate::engine::catalogue::Selector;
use crate::engine::settings::Overrides;

/// The action that applies all safe fixes of a file.
pub(super) const FIX_ALL: &str = "source.fixAll.dpo-lint";

/// The same, as VS Code asks for it when a notebook is saved: once, in its first cell.
pub(super) const FIX_NOTEBOOK: &str = "notebook.source.fixAll.dpo-lint";

/// The editor.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a capability")]
pub(super) struct Client {
    pub encoding: Encoding,
    /// Folders that are open.
    pub folders: Vec<PathBuf>,
    /// Whether it tells of files that change on the disk, once asked.
    pub watches_files: bool,
    /// Whether edits may name the version of a document.
    pub has_document_changes: bool,
    pub has_related: bool,
    pub has_tags: bool,
    /// Whether the edit of an action may come later.
    pub resolves_edits: bool,
    /// Whether it wants to hear what the server does.
    pub is_tracing: bool,
    /// Its settings over the configuration file, and what is wrong with them.
    pub options: Overrides,
    pub mistakes: Vec<String>,
}

impl Client {
    /// Reads the parameters of `initialize`.
    pub fn new(params: &Value) -> Self {
        let at = |pointer: &str| params.pointer(pointer);
        let is = |pointer: &str| at(pointer).and_then(Value::as_bool).unwrap_or(false);
        let texts = |value: Option<&Value>| -> Vec<String> {
            let items = value.and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let encodings = texts(at("/capabilities/general/positionEncodings"));
        let listed = at("/workspaceFolders").and_then(Value::as_array).into_iter().flatten();
        let listed: Vec<&str> = listed.filter_map(|folder| folder.get("uri")?.as_str()).collect();
        let root = at("/rootUri").and_then(Value::as_str);
        let uris = if listed.is_empty() { root.into_iter().collect() } else { listed };
        let (options, mistakes) = settings(at("/initializationOptions").unwrap_or(&Value::Null));
        let text_document = "/capabilities/textDocument";
        Self {
            encoding: Encoding::negotiated(encodings.iter().map(String::as_str)),
            folders: uris.into_iter().filter_map(uri::path_of).collect(),
            watches_files: is("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration"),
            has_document_changes: is("/capabilities/workspace/workspaceEdit/documentChanges"),
            has_related: is(&format!("{text_document}/publishDiagnostics/relatedInformation")),
            has_tags: at(&format!("{text_document}/publishDiagnostics/tagSupport")).is_some(),
            resolves_edits: texts(at(&format!("{text_document}/codeAction/resolveSupport/properties")))
                .iter()
                .any(|property| property == "edit"),
            is_tracing: at("/trace").and_then(Value::as_str).is_some_and(|trace| trace != "off"),
            options,
            mistakes,
        }
    }

    /// What the server can do for this editor.
    pub fn capabilities(&self) -> Value {
        json!({
            "capabilities": {
                "positionEncoding": self.encoding.name(),
                "textDocumentSync": { "openClose": true, "change": 2, "save": { "includeText": false } },
                // All cells: which of them are Python depends on more than the editor's name for their language.
                "notebookDocumentSync": {
                    "notebookSelector": [{ "notebook": { "scheme": "file", "notebookType": "jupyter-notebook" } }],
                    "save": true,
                },
                "hoverProvider": true,
                "completionProvider": { "triggerCharacters": ["(", ",", "=", "\"", "'", ":"] },
                "codeActionProvider": { "codeActionKinds": ["quickfix", FIX_ALL, FIX_NOTEBOOK], "resolveProvider": self.resolves_edits },
                "workspace": { "workspaceFolders": { "supported": true, "changeNotifications": true } },
            },
            "serverInfo": { "name": "dpo-lint", "version": env!("CARGO_PKG_VERSION") },
        })
    }

    /// The editor has other settings now.
    pub fn set_options(&mut self, settings_of_client: &Value) {
        (self.options, self.mistakes) = settings(settings_of_client);
    }
}

/// Settings of the editor: `select`, `extend-select`, `ignore`, `target` as in the configuration file, `python`. They may stand
/// below `dpo-lint`.
fn settings(value: &Value) -> (Overrides, Vec<String>) {
    let value = value.get("dpo-lint").unwrap_or(value);
    let mut mistakes = Vec::new();
    let words = |key: &str| -> Option<Vec<&str>> {
        let list = value.get(key)?;
        let items: Vec<&str> = match list {
            Value::String(text) => vec![text],
            _ => list.as_array()?.iter().filter_map(Value::as_str).collect(),
        };
        (!items.is_empty()).then_some(items)
    };
    let mut selectors = |key: &str| -> Option<Vec<Selector>> {
        let parsed = words(key)?.into_iter().filter_map(|word| match word.parse() {
            Ok(selector) => Some(selector),
            Err(error) => {
                mistakes.push(format!("setting `{key}`: {error}"));
                None
            }
        });
        Some(parsed.collect())
    };
    let (select, extend_select, ignore) = (selectors("select"), selectors("extend-select"), selectors("ignore"));
    let mut targets = Vec::new();
    for word in words("target").unwrap_or_default() {
        match word.parse() {
            Ok(target) => targets.push(target),
            Err(error) => mistakes.push(format!("setting `target`: {error}")),
        }
    }
    let overrides = Overrides {
        select,
        extend_select: extend_select.unwrap_or_default(),
        ignore: ignore.unwrap_or_default(),
        targets,
        python: value.get("python").and_then(Value::as_str).filter(|path| !path.is_empty()).map(PathBuf::from),
        ..Overrides::default()
    };
    (overrides, mistakes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_offers_the_settings_that_are_read() {
        let package: Value = serde_json::from_str(include_str!("../../editors/vscode/package.json")).expect("JSON");
        let settings = package["contributes"]["configuration"]["properties"].as_object().expect("an object");
        let mut own: Vec<&str> = settings.keys().filter_map(|name| name.strip_prefix("dpo-lint.")).collect();
        own.retain(|name| !matches!(*name, "path" | "trace.server"));
        own.sort_unstable();
        assert_eq!(own, ["extend-select", "ignore", "python", "select", "target"]);
        // Without it VS Code asks for nothing in a cell.
        assert!(include_str!("../../editors/vscode/extension.js").contains("scheme: \"vscode-notebook-cell\""));
    }

    #[test]
    fn settings_of_the_editor_are_read_and_mistakes_are_said() {
        let (options, mistakes) =
            settings(&json!({"dpo-lint": {"select": ["DPL0", "no-such"], "target": "trl==0.12", "python": ""}}));
        assert_eq!(options.select.map(|list| list.len()), Some(1));
        assert_eq!(options.targets.len(), 1);
        assert_eq!(options.python, None);
        assert_eq!(mistakes, ["setting `select`: unknown rule `no-such`"]);
        let (options, mistakes) = settings(&json!({"select": [], "target": ["trl"]}));
        assert!(options.select.is_none() && options.targets.is_empty() && mistakes.len() == 1, "{mistakes:?}");
    }
}
