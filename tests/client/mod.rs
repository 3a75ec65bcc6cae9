//! An editor's side of the Language Server Protocol.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Nothing takes this long, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// What an editor says of itself.
pub struct Options {
    /// Those that it offers.
    pub encodings: Option<Value>,
    /// Whether edits of actions may come later.
    pub resolves: bool,
    /// Whether it wants to hear what the server does.
    pub is_tracing: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { encodings: None, resolves: true, is_tracing: false }
    }
}

/// An editor with a server.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// Received and not asked for yet.
    kept: VecDeque<Value>,
    /// Notifications that were asked for.
    old: Vec<Value>,
    folder: PathBuf,
    next: i64,
    /// What the server can do.
    pub capabilities: Value,
}

impl Client {
    /// A server that nothing was said to.
    pub fn spawn(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dpo-lint"));
        // What the user of this machine has learnt does not count.
        command.env("DPO_LINT_CACHE", env!("CARGO_TARGET_TMPDIR")).arg("server").current_dir(folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = receive(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        let folder = folder.canonicalize().expect("a folder");
        Self {
            child,
            input,
            messages,
            kept: VecDeque::new(),
            old: Vec::new(),
            folder,
            next: 1,
            capabilities: Value::Null,
        }
    }

    /// A server with one folder open.
    pub fn start(folder: &Path, options: Options) -> Self {
        let mut client = Self::spawn(folder);
        let mut capabilities = json!({
            "workspace": {
                "didChangeWatchedFiles": {"dynamicRegistration": true},
                "workspaceEdit": {"documentChanges": true},
            },
            "textDocument": {
                "publishDiagnostics": {"relatedInformation": true, "tagSupport": {"valueSet": [1, 2]}},
                "codeAction": {"codeActionLiteralSupport": {}},
            },
        });
        if let Some(encodings) = options.encodings {
            capabilities["general"] = json!({"positionEncodings": encodings});
        }
        if options.resolves {
            capabilities["textDocument"]["codeAction"]["resolveSupport"] = json!({"properties": ["edit"]});
        }
        let uri = client.uri("");
        let answer = client.ask(
            "initialize",
            json!({
                "processId": null, "rootUri": uri, "workspaceFolders": [{"uri": uri, "name": "x"}],
                "capabilities": capabilities, "trace": if options.is_tracing { "messages" } else { "off" },
            }),
        );
        client.capabilities = answer["capabilities"].clone();
        client.notify("initialized", json!({}));
        client
    }

    /// The URI of a file of the folder.
    pub fn uri(&self, name: &str) -> String {
        let path = if name.is_empty() { self.folder.clone() } else { self.folder.join(name) };
        format!("file://{}", path.display())
    }

    pub fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let input = self.input.as_mut().expect("it is connected");
        write!(input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("it listens");
        input.flush().expect("it listens");
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is made for the call")]
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request and returns its number.
    #[expect(clippy::needless_pass_by_value, reason = "it is made for the call")]
    pub fn request(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next;
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// The answer to a request.
    pub fn answer(&mut self, id: i64) -> Value {
        self.find(|message| message["id"] == id && message.get("method").is_none())
    }

    /// The result of a request.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        let answer = self.answer(id);
        assert_eq!(answer.get("error"), None, "{method}");
        answer["result"].clone()
    }

    pub fn open(&mut self, name: &str, text: &str) {
        let document = json!({"uri": self.uri(name), "languageId": "x", "version": 1, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": document}));
    }

    /// Replaces all of a text.
    pub fn change(&mut self, name: &str, version: i64, text: &str) {
        let document = json!({"uri": self.uri(name), "version": version});
        let params = json!({"textDocument": document, "contentChanges": [{"text": text}]});
        self.notify("textDocument/didChange", params);
    }

    pub fn change_range(&mut self, name: &str, version: i64, range: &Value, text: &str) {
        let document = json!({"uri": self.uri(name), "version": version});
        let params = json!({"textDocument": document, "contentChanges": [{"range": range, "text": text}]});
        self.notify("textDocument/didChange", params);
    }

    pub fn close(&mut self, name: &str) {
        self.notify("textDocument/didClose", json!({"textDocument": {"uri": self.uri(name)}}));
    }

    /// The next diagnostics of a file.
    pub fn diagnostics(&mut self, name: &str) -> Value {
        self.diagnostics_with(name, |_| true)
    }

    /// The next diagnostics of a file that are like this.
    pub fn diagnostics_with(&mut self, name: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        let uri = self.uri(name);
        self.diagnostics_where(&uri, is_meant)
    }

    /// The next diagnostics of a text, by its URI.
    pub fn diagnostics_of(&mut self, uri: &str) -> Value {
        self.diagnostics_where(uri, |_| true)
    }

    /// The next diagnostics of a text, by its URI, that are like this.
    pub fn diagnostics_where(&mut self, uri: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        let is_it = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && is_meant(&message["params"])
        };
        self.find(is_it)["params"].clone()
    }

    /// The versions for which diagnostics of a file came until now.
    pub fn seen(&mut self, name: &str) -> Vec<Value> {
        self.kept.extend(self.messages.try_iter());
        let uri = self.uri(name);
        let all = self.old.iter().chain(&self.kept);
        all.filter(|message| message["params"]["uri"] == uri.as_str())
            .map(|message| message["params"]["version"].clone())
            .collect()
    }

    /// Whether the server said that it did this, until now.
    pub fn traced(&mut self, what: &str) -> bool {
        self.kept.extend(self.messages.try_iter());
        self.kept.iter().any(|message| message["method"] == "$/logTrace" && message["params"]["message"] == what)
    }

    /// What the server asked to be told of.
    pub fn registered(&mut self) -> Vec<String> {
        let request = self.find(|message| message["method"] == "client/registerCapability");
        let list = request["params"]["registrations"].as_array().expect("a list").clone();
        list.iter().filter_map(|one| one["method"].as_str().map(str::to_owned)).collect()
    }

    /// Ends the server as an editor does; its exit code.
    pub fn end(mut self) -> Option<i32> {
        self.ask("shutdown", Value::Null);
        self.notify("exit", Value::Null);
        self.wait()
    }

    /// Closes the pipe.
    pub fn hang_up(&mut self) {
        self.input = None;
    }

    /// The exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("its own child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not end");
    }

    /// The first message like this, in the order in which they came; waits for it.
    fn find(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut checked = 0;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.kept.iter().skip(checked).position(&is_it) {
                let found = self.kept.remove(checked + at).expect("it was found there");
                self.old.push(found.clone());
                return found;
            }
            checked = self.kept.len();
            let left = deadline.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(message) => self.kept.push_back(message),
                Err(error) => panic!("{error} while waiting; received were {:#?}", self.kept),
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn receive(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            header => {
                if let Some(text) = header.strip_prefix("Content-Length: ") {
                    length = text.parse().ok()?;
                }
            }
        }
    }
    let mut text = vec![0; length];
    output.read_exact(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// A position.
pub fn at(line: usize, character: usize) -> Value {
    json!({"line": line, "character": character})
}

/// A range.
pub fn range(start: (usize, usize), end: (usize, usize)) -> Value {
    json!({"start": at(start.0, start.1), "end": at(end.0, end.1)})
}

/// The edits of an action in one file.
pub fn edits_of(action: &Value, uri: &str) -> Vec<Value> {
    let changes = action["edit"]["documentChanges"].as_array().unwrap_or_else(|| panic!("no edit: {action}"));
    let own = changes.iter().filter(|change| change["textDocument"]["uri"] == uri);
    own.flat_map(|change| change["edits"].as_array().expect("a list").clone()).collect()
}

/// An ASCII text after edits.
pub fn apply(text: &str, edits: &[Value]) -> String {
    let offset = |position: &Value| {
        let line = position["line"].as_u64().expect("a number") as usize;
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        start + position["character"].as_u64().expect("a number") as usize
    };
    let mut edits: Vec<_> = edits
        .iter()
        .map(|edit| (offset(&edit["range"]["start"]), offset(&edit["range"]["end"]), edit["newText"].as_str()))
        .collect();
    edits.sort_unstable();
    let mut after = text.to_owned();
    for (start, end, new) in edits.into_iter().rev() {
        after.replace_range(start..end, new.expect("a text"));
    }
    after
}
