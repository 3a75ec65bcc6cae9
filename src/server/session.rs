//! What the server knows of the editor and of the projects in it, and what it does with each message.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Ended;
use super::client::Client;
use super::diagnostics::Mirror;
use super::documents::{Documents, TextId};
use super::protocol::{
    CancelParams, ChangeNotebookParams, ChangeParams, ConfigurationParams, Diagnostic, DocumentParams, FoldersParams,
    NotebookParams, OpenNotebookParams, OpenParams, WatchedFilesParams,
};
use super::readers::Reader;
use super::uri;
use super::worker::{Checked, Outcome, Task, Wanted};
use crate::engine::collect::{self, Project};
use crate::engine::driver;

/// Who types pauses for longer than this.
const PAUSE: Duration = Duration::from_millis(150);

/// Files that count, for the editor to watch.
const WATCHED: &str = "**/*.{py,pyi,ipynb,yaml,yml,json,jsonc,toml,txt,in,cfg,ini,sh,bash,slurm,sbatch,mk,lock}";
const WATCHED_NAMES: &str = "**/{Dockerfile*,Containerfile*,Makefile,GNUmakefile,Pipfile,.python-version,.gitignore}";

pub(super) struct Session {
    pub client: Client,
    /// The working directory.
    pub folder: PathBuf,
    out: Sender<Message>,
    tasks: Sender<Task>,
    pub documents: Documents,
    /// By root.
    pub projects: BTreeMap<PathBuf, State>,
    /// What the worker does now.
    pub running: Option<Running>,
    /// When the next due project is checked.
    pub due: Option<Instant>,
    /// Questions about projects that are due or being checked.
    pub waiting: Vec<Request>,
    /// Texts whose files are to be fixed, with the questions that ask for it.
    pub fixes: Vec<(TextId, Request)>,
    is_shut_down: bool,
    requests: i32,
}

/// A project.
pub(super) struct State {
    pub project: Project,
    pub is_due: bool,
    /// Whether files may have come or gone.
    is_stale: bool,
    /// The last check that was not overtaken.
    pub checked: Option<Box<Checked>>,
    /// Who reads which file (path as it is shown): a file with a syntax error keeps its reader.
    pub readers: BTreeMap<PathBuf, Reader>,
    /// What the editor shows.
    pub shown: BTreeMap<TextId, (Option<i64>, Vec<Diagnostic>)>,
    pub problems: BTreeSet<String>,
}

pub(super) struct Running {
    pub root: PathBuf,
    stop: Arc<AtomicBool>,
    /// The question that a fix answers.
    pub fix: Option<(TextId, Request)>,
}

/// Why there is no answer.
pub(super) type Refusal = (ErrorCode, String);

impl Session {
    pub fn new(client: Client, folder: PathBuf, out: Sender<Message>, tasks: Sender<Task>) -> Self {
        Self {
            client,
            folder,
            out,
            tasks,
            documents: Documents::default(),
            projects: BTreeMap::new(),
            running: None,
            due: None,
            waiting: Vec::new(),
            fixes: Vec::new(),
            is_shut_down: false,
            requests: 0,
        }
    }

    pub fn ended(&self) -> Ended {
        if self.is_shut_down { Ended::Orderly } else { Ended::Abruptly }
    }

    /// How long until something is to be started; `None`: only a message or the end of what runs changes anything.
    pub fn due_in(&self) -> Option<Duration> {
        let due = self.due.filter(|_| self.running.is_none())?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// Handles a message. A panic in it is a mistake of ours, and the next message may fare better.
    pub fn message(&mut self, message: Message) {
        let id = match &message {
            Message::Request(request) => Some(request.id.clone()),
            Message::Notification(_) | Message::Response(_) => None,
        };
        let handled = catch_unwind(AssertUnwindSafe(|| match message {
            Message::Request(request) => self.request(request),
            Message::Notification(notification) => self.notification(notification),
            Message::Response(_) => {}
        }));
        if handled.is_err() {
            let said = driver::take_last_panic();
            let bug = driver::bug("an answer", said.as_deref().unwrap_or("panic"));
            self.log(1, &bug);
            if let Some(id) = id {
                self.send(Response::new_err(id, ErrorCode::InternalError as i32, bug));
            }
        }
    }

    fn request(&mut self, request: Request) {
        if self.is_shut_down {
            return self.refuse(request.id, (ErrorCode::InvalidRequest, "the server is shut down".to_owned()));
        }
        match request.method.as_str() {
            "shutdown" => {
                self.is_shut_down = true;
                self.stop_running(|_| true);
                self.send(Response::new_ok(request.id, Value::Null));
            }
            "textDocument/hover" | "textDocument/codeAction" | "textDocument/completion" | "codeAction/resolve" => {
                self.ask(request);
            }
            method => {
                let unknown = format!("no method `{method}`");
                self.refuse(request.id, (ErrorCode::MethodNotFound, unknown));
            }
        }
    }

    fn notification(&mut self, notification: Notification) {
        let Notification { method, params } = notification;
        match method.as_str() {
            "initialized" => self.initialized(),
            "textDocument/didOpen" => {
                let path = read::<OpenParams>(params).and_then(|params| self.documents.open(params.text_document));
                self.settle_projects();
                self.touch(path.as_deref(), false, Duration::ZERO);
            }
            "textDocument/didChange" => {
                let encoding = self.client.encoding;
                let path = read::<ChangeParams>(params).and_then(|params| self.documents.change(params, encoding));
                self.touch(path.as_deref(), false, PAUSE);
            }
            "textDocument/didSave" => {
                let path = read::<DocumentParams>(params).and_then(|params| uri::path_of(&params.text_document.uri));
                self.touch(path.as_deref(), true, Duration::ZERO);
            }
            "textDocument/didClose" => {
                let path =
                    read::<DocumentParams>(params).and_then(|params| self.documents.close(&params.text_document.uri));
                self.touch(path.as_deref(), true, Duration::ZERO);
                self.settle_projects();
            }
            "notebookDocument/didOpen" => {
                let path = read::<OpenNotebookParams>(params).and_then(|params| self.documents.open_notebook(params));
                self.settle_projects();
                self.touch(path.as_deref(), false, Duration::ZERO);
            }
            "notebookDocument/didChange" => {
                let encoding = self.client.encoding;
                let path = read::<ChangeNotebookParams>(params)
                    .and_then(|params| self.documents.change_notebook(params, encoding));
                self.touch(path.as_deref(), false, PAUSE);
            }
            "notebookDocument/didSave" => {
                let path =
                    read::<NotebookParams>(params).and_then(|params| uri::path_of(&params.notebook_document.uri));
                self.touch(path.as_deref(), true, Duration::ZERO);
            }
            "notebookDocument/didClose" => {
                let path = read::<NotebookParams>(params)
                    .and_then(|params| self.documents.close_notebook(&params.notebook_document.uri));
                self.touch(path.as_deref(), true, Duration::ZERO);
                self.settle_projects();
            }
            "workspace/didChangeWatchedFiles" => {
                let changes = read::<WatchedFilesParams>(params).map(|params| params.changes).unwrap_or_default();
                for path in changes.iter().filter_map(|change| uri::path_of(&change.uri)) {
                    // Of an open file the editor's text counts.
                    if self.documents.text(&path).is_none() {
                        self.touch(Some(&path), true, PAUSE);
                    }
                }
            }
            "workspace/didChangeWorkspaceFolders" => self.change_folders(params),
            "workspace/didChangeConfiguration" => {
                if let Some(ConfigurationParams { settings }) = read(params)
                    && !settings.is_null()
                {
                    self.client.set_options(&settings);
                }
                self.say_mistakes();
                self.touch_all();
            }
            "$/cancelRequest" => self.cancel(params),
            "$/setTrace" => self.client.is_tracing = params.get("value").is_some_and(|value| value != "off"),
            _ => {}
        }
    }

    fn initialized(&mut self) {
        if self.client.watches_files {
            let watchers = [WATCHED, WATCHED_NAMES].map(|pattern| json!({ "globPattern": pattern }));
            let registration = json!({ "registrations": [{
                "id": "files",
                "method": "workspace/didChangeWatchedFiles",
                "registerOptions": { "watchers": watchers },
            }] });
            self.requests += 1;
            self.send(Request::new(
                RequestId::from(self.requests),
                "client/registerCapability".to_owned(),
                registration,
            ));
        }
        self.say_mistakes();
        self.settle_projects();
    }

    fn say_mistakes(&self) {
        for mistake in &self.client.mistakes {
            self.log(2, mistake);
        }
    }

    fn change_folders(&mut self, params: Value) {
        let Some(FoldersParams { event }) = read(params) else { return };
        let removed: Vec<PathBuf> = event.removed.iter().filter_map(|folder| uri::path_of(&folder.uri)).collect();
        self.client.folders.retain(|folder| !removed.contains(folder));
        self.client.folders.extend(event.added.iter().filter_map(|folder| uri::path_of(&folder.uri)));
        self.settle_projects();
    }

    fn cancel(&mut self, params: Value) {
        let Some(CancelParams { id }) = read(params) else { return };
        let is_it = |request: &Request| request.id == id;
        let of_running = self.running.as_ref().and_then(|running| running.fix.as_ref());
        if of_running.is_some_and(|(_, request)| is_it(request)) {
            return self.stop_running(|_| true);
        }
        let (waiting, fixes) = (self.waiting.len(), self.fixes.len());
        self.waiting.retain(|request| !is_it(request));
        self.fixes.retain(|(_, request)| !is_it(request));
        if self.waiting.len() + self.fixes.len() < waiting + fixes {
            self.refuse(id, (ErrorCode::RequestCanceled, "cancelled".to_owned()));
        }
    }

    /// Finds the projects of the open folders, and of open files outside of them. What is gone shows nothing any more.
    fn settle_projects(&mut self) {
        let folders = &self.client.folders;
        let is_outside = |path: &Path| !folders.iter().any(|folder| path.starts_with(folder)) && path.is_file();
        let outside = self.documents.texts().map(|(path, _)| path.to_path_buf()).filter(|path| is_outside(path));
        let arguments: Vec<PathBuf> = folders.iter().filter(|folder| folder.is_dir()).cloned().chain(outside).collect();
        let found = if arguments.is_empty() { Vec::new() } else { collect::projects(&self.folder, &arguments).0 };
        let mut before = std::mem::take(&mut self.projects);
        for project in found {
            let state = match before.remove(&project.root) {
                Some(state) if state.project == project => state,
                Some(state) => State { project, is_due: true, is_stale: true, ..state },
                None => State::new(project),
            };
            if state.is_due {
                self.due.get_or_insert_with(Instant::now);
            }
            self.projects.insert(state.project.root.clone(), state);
        }
        for (root, state) in before {
            self.stop_running(|running| running == root);
            for text in state.shown.into_keys() {
                self.publish(&text, Vec::new());
            }
        }
    }

    /// A file is another one now.
    fn touch(&mut self, path: Option<&Path>, is_stale: bool, pause: Duration) {
        let Some(path) = path else { return };
        let mut touched = Vec::new();
        for (root, state) in self.projects.iter_mut().filter(|(root, _)| path.starts_with(root)) {
            state.is_due = true;
            state.is_stale |= is_stale;
            touched.push(root.clone());
        }
        self.schedule(&touched, pause);
    }

    fn touch_all(&mut self) {
        self.projects.values_mut().for_each(|state| (state.is_due, state.is_stale) = (true, true));
        let all: Vec<PathBuf> = self.projects.keys().cloned().collect();
        self.schedule(&all, Duration::ZERO);
    }

    fn schedule(&mut self, touched: &[PathBuf], pause: Duration) {
        if !touched.is_empty() {
            self.stop_running(|root| touched.iter().any(|one| one == root));
            // Whoever types puts it off.
            self.due = Some(Instant::now() + pause);
        }
    }

    fn stop_running(&self, is_meant: impl Fn(&Path) -> bool) {
        if let Some(running) = self.running.as_ref().filter(|running| is_meant(&running.root)) {
            running.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Starts what is due next: checks before fixes, which are made of what was checked.
    pub fn start(&mut self) {
        if self.running.is_some() || self.is_shut_down {
            return;
        }
        self.due = None;
        let always_stale = !self.client.watches_files;
        if let Some((root, state)) = self.projects.iter_mut().find(|(_, state)| state.is_due) {
            state.is_due = false;
            let is_stale = std::mem::take(&mut state.is_stale) || always_stale;
            let (root, project) = (root.clone(), state.project.clone());
            return self.send_task(root, project, is_stale, Wanted::Findings, None);
        }
        if let Some((text, request)) = self.fixes.pop() {
            match self.projects.values().find(|state| text.path.starts_with(&state.project.root)) {
                Some(state) => {
                    let (root, project) = (state.project.root.clone(), state.project.clone());
                    self.send_task(root, project, false, Wanted::Fixed(text.path.clone()), Some((text, request)));
                }
                None => self.refuse(request.id, (ErrorCode::RequestFailed, "the file is in no project".to_owned())),
            }
        }
    }

    fn send_task(
        &mut self,
        root: PathBuf,
        project: Project,
        is_stale: bool,
        wanted: Wanted,
        fix: Option<(TextId, Request)>,
    ) {
        let stop = Arc::new(AtomicBool::new(false));
        let texts = self.documents.texts().map(|(path, text)| (path.to_path_buf(), Arc::clone(text)));
        let task = Task {
            project,
            is_stale,
            texts: texts.collect(),
            notebooks: self.documents.layouts(),
            overrides: self.client.options.clone(),
            stop: Arc::clone(&stop),
            wanted,
        };
        self.running = Some(Running { root, stop, fix });
        // Its end is seen where outcomes are received.
        let _ = self.tasks.send(task);
    }

    /// Takes what came of the task that runs.
    pub fn done(&mut self, outcome: Outcome) {
        let Some(Running { root, fix, .. }) = self.running.take() else { return };
        if let Some((text, request)) = fix {
            self.fixed(&text, request, outcome);
        } else {
            match outcome {
                Outcome::Checked(checked) => self.show(&root, checked),
                Outcome::Misconfigured(error) => self.misconfigured(&root, &error),
                Outcome::Overtaken => self.trace("a check was overtaken"),
                Outcome::Failed(bug) => self.log(1, &bug),
                Outcome::Fixed(_) => {}
            }
        }
        if self.projects.values().any(|state| state.is_due) || !self.fixes.is_empty() {
            self.due.get_or_insert_with(Instant::now);
        }
        for request in std::mem::take(&mut self.waiting) {
            self.ask(request);
        }
    }

    pub fn refuse(&self, id: RequestId, (code, message): Refusal) {
        self.send(Response::new_err(id, code as i32, message));
    }

    /// A line in the editor's log: 1 is an error, 2 a warning.
    pub fn log(&self, kind: u8, message: &str) {
        self.send(Notification::new("window/logMessage".to_owned(), json!({ "type": kind, "message": message })));
    }

    /// For those who want to know what the server does.
    fn trace(&self, message: &str) {
        if self.client.is_tracing {
            self.send(Notification::new("$/logTrace".to_owned(), json!({ "message": message })));
        }
    }

    /// That nobody reads any more is seen where messages are received.
    pub fn send(&self, message: impl Into<Message>) {
        let _ = self.out.send(message.into());
    }
}

impl State {
    fn new(project: Project) -> Self {
        Self {
            project,
            is_due: true,
            is_stale: true,
            checked: None,
            readers: BTreeMap::new(),
            shown: BTreeMap::new(),
            problems: BTreeSet::new(),
        }
    }
}

pub(super) fn mirror<'a>(
    client: &'a Client,
    documents: &'a Documents,
    folder: &'a Path,
    checked: &'a Checked,
) -> Mirror<'a> {
    Mirror { client, documents, folder, sources: &checked.sources, notebooks: &checked.notebooks }
}

/// What a notification says; nothing where it cannot be understood.
fn read<T: DeserializeOwned>(params: Value) -> Option<T> {
    serde_json::from_value(params).ok()
}
