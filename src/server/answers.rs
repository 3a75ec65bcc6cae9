//! Questions of the editor: about a place in a file, and what can be done there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use lsp_server::{ErrorCode, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::actions;
use super::client::{FIX_ALL, FIX_NOTEBOOK};
use super::documents::TextId;
use super::places::{self, Place};
use super::protocol::{ActionParams, Hover, Markup, PlaceParams, Range};
use super::session::{Refusal, Session, State, mirror};
use super::worker::Outcome;
use crate::engine::collect;

impl Session {
    /// Answers a question, or lets it wait for the check of its project.
    pub fn ask(&mut self, request: Request) {
        let asked = request.params.pointer("/textDocument/uri").or_else(|| request.params.pointer("/data/uri"));
        let text = asked.and_then(Value::as_str).and_then(|uri| self.documents.id_of(uri));
        let state = text.as_ref().and_then(|text| self.state(&text.path));
        let Some((text, state)) = text.as_ref().zip(state) else {
            // Not a file of any project; an action that is whole already stays as it is.
            let is_whole = request.method == "codeAction/resolve";
            let answer = if is_whole { request.params } else { Value::Null };
            return self.send(Response::new_ok(request.id, answer));
        };
        let is_running = self.running.as_ref().is_some_and(|one| one.root == state.project.root && one.fix.is_none());
        let is_pending = state.is_due || is_running;
        // Who types does not wait for what was typed to be checked.
        let can_wait = request.method != "textDocument/completion" || state.checked.is_none();
        if is_pending && can_wait {
            return self.waiting.push(request);
        }
        let answer = match request.method.as_str() {
            "textDocument/hover" => self.hover(text, state, request.params.clone()),
            "textDocument/completion" => self.completion(text, state, request.params.clone()),
            "textDocument/codeAction" => match self.actions(text, state, request.params.clone()) {
                Ok(None) => return self.fix_later(text.clone(), request),
                Ok(Some(actions)) => Ok(actions),
                Err(refusal) => Err(refusal),
            },
            _ => return self.fix_later(text.clone(), request),
        };
        match answer {
            Ok(answer) => self.send(Response::new_ok(request.id, answer)),
            Err(refusal) => self.refuse(request.id, refusal),
        }
    }

    /// The project of a file.
    fn state(&self, path: &Path) -> Option<&State> {
        self.projects.values().find(|state| path.starts_with(&state.project.root))
    }

    fn fix_later(&mut self, text: TextId, request: Request) {
        self.fixes.push((text, request));
        self.due.get_or_insert_with(Instant::now);
    }

    /// What a place in a text is judged with. A cell is a part of its notebook's Python.
    fn place<'a>(&self, id: &'a TextId, state: &'a State) -> Option<Place<'a>> {
        let checked = state.checked.as_deref()?;
        let shown = self.shown(&id.path, state);
        let (text, first_line) = match &id.cell {
            Some(cell) => {
                let (text, first_line) = self.documents.layout(&id.path)?.python_around(cell)?;
                (text.into(), first_line)
            }
            None => (self.text(&id.path, state)?, 0),
        };
        let (encoding, reader) = (self.client.encoding, state.readers.get(&shown));
        let is_cell = id.cell.is_some();
        Some(Place { path: &id.path, shown, text, is_cell, first_line, encoding, checked, reader })
    }

    /// The path of a file as its project's check knows it.
    fn shown(&self, path: &Path, state: &State) -> PathBuf {
        collect::shown(&self.folder, &state.project, path)
    }

    /// The text in the editor, or that which was checked.
    fn text(&self, path: &Path, state: &State) -> Option<Arc<str>> {
        let read = || state.checked.as_ref()?.sources.find(&self.shown(path, state)).map(|file| file.text().into());
        self.documents.text(path).cloned().or_else(read)
    }

    fn hover(&self, text: &TextId, state: &State, params: Value) -> Result<Value, Refusal> {
        let PlaceParams { position, .. } = parse(params)?;
        let Some(checked) = state.checked.as_deref() else { return Ok(Value::Null) };
        let argument = self.place(text, state).and_then(|place| place.hover(position));
        let mirror = mirror(&self.client, &self.documents, &self.folder, checked);
        let own = checked.report.findings.iter().filter(|one| mirror.path(one.primary.span.file) == text.path);
        let places = own.map(|finding| (finding, mirror.place(finding.primary.span)));
        let is_here = |range: Range| range.start <= position && position <= range.end;
        let here = places.filter(|(_, (own, range))| own == text && is_here(*range));
        let here: Vec<_> = here.map(|(finding, (_, range))| (finding, range)).collect();
        let range = argument.as_ref().map(|hover| hover.range).or_else(|| here.first().map(|(_, range)| *range));
        let pages = places::pages(here.iter().map(|(finding, _)| finding.rule));
        let parts: Vec<String> = argument.into_iter().map(|hover| hover.contents.value).chain(pages).collect();
        match range {
            Some(range) => to_value(Hover { contents: Markup::markdown(parts.join("\n\n---\n\n")), range }),
            None => Ok(Value::Null),
        }
    }

    fn completion(&self, text: &TextId, state: &State, params: Value) -> Result<Value, Refusal> {
        let PlaceParams { position, .. } = parse(params)?;
        if self.text(&text.path, state).is_none() {
            return Ok(Value::Null);
        }
        let items = self.place(text, state).map(|place| place.completion(position)).unwrap_or_default();
        Ok(json!({ "isIncomplete": false, "items": to_value(items)? }))
    }

    /// What can be offered now; `None`: only what must be worked out first was asked for.
    fn actions(&self, text: &TextId, state: &State, params: Value) -> Result<Option<Value>, Refusal> {
        let ActionParams { range, context, .. } = parse(params)?;
        let Some(checked) = state.checked.as_deref() else { return Ok(Some(json!([]))) };
        let mirror = mirror(&self.client, &self.documents, &self.folder, checked);
        let wants = |kind: &str| context.only.as_ref().is_none_or(|only| only.iter().any(|one| is_below(kind, one)));
        let mut found = Vec::new();
        if wants("quickfix") {
            found.extend(actions::quick_fixes(checked, &mirror, text, range));
        }
        let fix_all = if wants(FIX_ALL) { Some(FIX_ALL) } else { None };
        let fix_all = fix_all.or_else(|| (text.cell.is_some() && wants(FIX_NOTEBOOK)).then_some(FIX_NOTEBOOK));
        if let Some(kind) = fix_all
            && let Some(action) = actions::fix_all(checked, &mirror, text, kind)
        {
            if self.client.resolves_edits {
                found.push(action);
            } else if context.only.is_some() && found.is_empty() {
                return Ok(None);
            }
        }
        to_value(found).map(Some)
    }

    /// Answers the question for a fixed file.
    pub fn fixed(&mut self, of: &TextId, request: Request, outcome: Outcome) {
        let text = match outcome {
            Outcome::Fixed(text) => text,
            Outcome::Failed(bug) => return self.refuse(request.id, (ErrorCode::InternalError, bug)),
            Outcome::Overtaken => {
                return self.refuse(request.id, (ErrorCode::ContentModified, "the text is another one now".to_owned()));
            }
            Outcome::Checked(_) | Outcome::Misconfigured(_) => None,
        };
        let is_resolve = request.method == "codeAction/resolve";
        let asked = request.params.get("kind").or_else(|| request.params.pointer("/context/only/0"));
        let is_notebook = asked.and_then(Value::as_str).is_some_and(|kind| is_below(FIX_NOTEBOOK, kind));
        let kind = if is_notebook { FIX_NOTEBOOK } else { FIX_ALL };
        let edit = self.state(&of.path).and_then(|state| {
            let checked = state.checked.as_deref()?;
            let mirror = mirror(&self.client, &self.documents, &self.folder, checked);
            let before = self.text(&of.path, state)?;
            let mut action = actions::fix_all(checked, &mirror, of, kind)?;
            action.edit = Some(actions::replacement(&mirror, &of.path, &before, text.as_deref()?)?);
            serde_json::to_value(action).ok()
        });
        let answer = match (edit, is_resolve) {
            (Some(action), true) => action,
            (Some(action), false) => json!([action]),
            (None, true) => request.params,
            (None, false) => json!([]),
        };
        self.send(Response::new_ok(request.id, answer));
    }
}

/// A kind of actions stands for all that begin with it.
fn is_below(kind: &str, asked: &str) -> bool {
    kind.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn parse<T: DeserializeOwned>(params: Value) -> Result<T, Refusal> {
    serde_json::from_value(params).map_err(|error| (ErrorCode::InvalidParams, error.to_string()))
}

fn to_value(value: impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(value).map_err(|error| (ErrorCode::InternalError, error.to_string()))
}
