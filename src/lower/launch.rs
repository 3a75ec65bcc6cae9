//! Launch lines: which command starts which script, with which flags.
//!
//! A launch line is layered: `srun torchrun --nproc_per_node 8 train.py --beta 0.1`. Each layer is taken off with the flags
//! that are its own, since `--config_file` means one thing to `accelerate launch` and another to the script.

use std::sync::Arc;

use crate::source::{SourceFile, Span};
use crate::syntax::embedded::Embedded;
use crate::syntax::{Document, Entry, Format, Key, Node, NodeKind, Scalar, shell};

mod handed;
pub(super) mod hosted;
mod programs;

use programs::Start;

/// A command that starts a training script or a framework's command.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The whole command.
    pub span: Span,
    /// What is started.
    pub program: Program,
    /// What stands before it, outermost first: `srun`, `accelerate launch`, `python`.
    pub launchers: Vec<Launcher>,
    /// The flags of the script, as [`shell::flags`] groups them.
    pub flags: Vec<Entry>,
    /// Argument files: values of `--config`, or a `*.yaml` or `*.json` as the first argument.
    pub configs: Vec<Word>,
    /// Environment variables that the file sets, `export`ed ones first; the last of a name wins.
    pub environment: Vec<Entry>,
    /// The folder that a `cd` before it in the same file names.
    pub directory: Option<Word>,
    /// Whether more flags may come from what is not known (`"$@"`, `$EXTRA_ARGS`): an absent flag is not known to be absent.
    pub is_open: bool,
    /// Whether a blank behind a backslash cuts off what was meant to follow.
    pub is_cut: bool,
    /// The command itself, for edits.
    pub call: Node,
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A Python file.
    Script {
        /// Its path as written, variables resolved.
        path: Word,
        /// The end of the path that is known: `scripts/dpo.py` of `$ROOT/scripts/dpo.py`.
        known_end: String,
    },
    /// `python -m package.module`.
    Module(Word),
    /// A framework's own command: `trl dpo`, `llamafactory-cli train`.
    Command {
        /// The tool: `trl`.
        tool: String,
        /// Its command: `dpo`.
        command: Word,
    },
}

/// A word and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its text, when it is known.
    pub text: Option<String>,
    /// Where.
    pub span: Span,
}

/// A program that starts another.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// `python`, `torchrun`, `accelerate launch`, `deepspeed`, `srun`.
    pub name: String,
    /// Where it is named.
    pub span: Span,
    /// Its own flags.
    pub flags: Vec<Entry>,
}

impl Launch {
    /// The last flag of one of these names.
    pub fn flag(&self, names: &[&str]) -> Option<&Entry> {
        self.flags.iter().rev().find(|flag| flag.name().is_some_and(|name| names.contains(&name)))
    }

    /// The launcher of a name.
    pub fn launcher(&self, name: &str) -> Option<&Launcher> {
        self.launchers.iter().find(|launcher| launcher.name == name)
    }

    /// The value that an environment variable has for the script.
    pub fn variable(&self, name: &str) -> Option<&Entry> {
        self.environment.iter().rev().find(|entry| entry.name() == Some(name))
    }
}

/// The launch lines of a shell script, a Dockerfile, a Makefile or a notebook's commands, in order.
pub fn launches(document: &Document, source: &SourceFile) -> Vec<Launch> {
    let mut context = Context::new(source);
    context.entries(document.root.entries(), document.format, 0);
    context.found
}

/// Variables beyond this many are not followed.
const MAX_EXPORTED: usize = 256;

struct Context<'a> {
    source: &'a SourceFile,
    exported: Vec<Arc<Entry>>,
    directory: Option<Word>,
    found: Vec<Launch>,
}

impl<'a> Context<'a> {
    fn new(source: &'a SourceFile) -> Self {
        Self { source, exported: Vec::new(), directory: None, found: Vec::new() }
    }

    fn entries(&mut self, entries: &[Entry], format: Format, depth: usize) {
        for entry in entries {
            match (&entry.key, &entry.value.kind) {
                (Some(key), _) if self.exported.iter().any(|known| known.name() == Some(&key.name)) => {
                    self.export(entry);
                }
                (_, NodeKind::Call { callee, .. }) if format == Format::Dockerfile && depth == 0 => {
                    match callee.as_str() {
                        "ENV" => entry.value.entries().iter().for_each(|variable| self.export(variable)),
                        "FROM" => (self.exported, self.directory) = (Vec::new(), None),
                        "WORKDIR" => self.directory = entry.value.entries().first().map(|word| plain(&word.value)),
                        "RUN" | "CMD" | "ENTRYPOINT" => {
                            let before = (self.exported.clone(), self.directory.clone());
                            self.entries(entry.value.entries(), format, 1);
                            (self.exported, self.directory) = before;
                        }
                        _ => {}
                    }
                }
                (_, NodeKind::Call { callee, .. }) => self.command(callee, &entry.value, depth),
                _ => {}
            }
        }
    }

    fn export(&mut self, entry: &Entry) {
        self.exported.retain(|known| known.name() != entry.name());
        if self.exported.len() < MAX_EXPORTED {
            self.exported.push(Arc::new(entry.clone()));
        }
    }

    fn command(&mut self, callee: &str, call: &Node, depth: usize) {
        match callee {
            "export" => call.entries().iter().filter(|entry| entry.key.is_some()).for_each(|entry| self.export(entry)),
            "cd" | "pushd" => self.directory = shell::words(call).next().map(|word| plain(&word.value)),
            _ => {
                if !self.inner_script(call, depth) {
                    self.found.extend(self.launch(call));
                }
            }
        }
    }

    /// `bash -c '...'`, `srun ... bash -c "..."`: the string is a script. False for other commands.
    fn inner_script(&mut self, call: &Node, depth: usize) -> bool {
        let words = Words::of(call, self.source);
        let is_shell = |at: usize| words.text(at).is_some_and(|text| matches!(programs::base(text), "bash" | "sh"));
        let Some(at) = (0..words.len()).find(|at| is_shell(*at)) else { return false };
        let flag = words.text(at + 1).unwrap_or("");
        let (Some(text), Some(span)) = (words.text(at + 2), words.span(at + 2)) else { return false };
        if depth > 2 || !flag.starts_with('-') || !flag.ends_with('c') {
            return false;
        }
        let written = self.source.slice(span);
        let quote = usize::from(written.starts_with(['"', '\'']));
        if written.get(quote..written.len() - quote) != Some(text) {
            return true;
        }
        let script = Embedded::verbatim(span.file, text, span.start as usize + quote);
        let document = shell::parse_embedded(&script, Format::Shell);
        self.entries(document.root.entries(), Format::Shell, depth + 1);
        true
    }

    fn launch(&self, call: &Node) -> Option<Launch> {
        let words = Words::of(call, self.source);
        let mut peeled = Peeled { launchers: Vec::new(), environment: Vec::new(), is_open: false };
        let (program, rest) = peeled.program(&words)?;
        let is_cut = rest < words.len() && words.ends_with_escaped_blank();
        let mut own = &words.entries[rest..words.len() - usize::from(is_cut)];
        if let Some((at, launcher)) = handed::handed_on(&program, own) {
            own = &own[..at];
            peeled.is_open |= launcher.flags.iter().any(|flag| self.may_hold_more(flag));
            peeled.launchers.push(launcher);
        }
        let flags = shell::group(own.iter());
        let is_open = peeled.is_open || flags.iter().any(|flag| self.may_hold_more(flag));
        let exported = self.exported.iter().map(|entry| Entry::clone(entry));
        let environment = exported.chain(shell::environment(call).iter().cloned()).chain(peeled.environment).collect();
        Some(Launch {
            span: call.span,
            configs: configs(&program, &flags),
            program,
            launchers: peeled.launchers,
            flags,
            environment,
            directory: self.directory.clone(),
            is_open,
            is_cut,
            call: call.clone(),
        })
    }

    /// Whether a flag's value, or a word without flag, may be several words that are not known.
    fn may_hold_more(&self, flag: &Entry) -> bool {
        let is_unknown = |node: &Node| matches!(node.kind, NodeKind::Opaque) && node.span.start < node.span.end;
        let is_many = |node: &Node| {
            let written = self.source.slice(node.span);
            is_unknown(node) && ["$@", "$*", "[@]", "[*]"].iter().any(|many| written.contains(many))
        };
        let is_one = |node: &Node| self.source.slice(node.span).starts_with('"') && !is_many(node);
        match (&flag.key, &flag.value.kind) {
            (None, _) => is_unknown(&flag.value) && !is_one(&flag.value),
            (Some(_), NodeKind::List(items)) => {
                items.iter().any(|item| is_unknown(&item.value) && !is_one(&item.value))
            }
            (Some(_), _) => is_many(&flag.value),
        }
    }
}

fn plain(node: &Node) -> Word {
    Word { text: node.as_str().map(str::to_owned), span: node.span }
}

/// Argument files of the script.
fn configs(program: &Program, flags: &[Entry]) -> Vec<Word> {
    let is_file = |text: &str| [".yaml", ".yml", ".json", ".toml"].iter().any(|ending| text.ends_with(ending));
    let named = flags.iter().filter(|flag| {
        let short = matches!(program, Program::Command { .. }) && flag.name() == Some("c");
        short
            || flag.name().is_some_and(|name| matches!(name, "config" | "config_file" | "config-file" | "config_path"))
    });
    let named = named.filter_map(|flag| match &flag.value.kind {
        NodeKind::Scalar(_) => Some(plain(&flag.value)),
        NodeKind::Opaque if flag.value.span.start < flag.value.span.end => Some(plain(&flag.value)),
        // `--config a.yaml extra`: the first is the file.
        NodeKind::List(items) => items.first().map(|item| plain(&item.value)),
        _ => None,
    });
    let first = flags.first().filter(|first| first.key.is_none() && first.value.as_str().is_some_and(is_file));
    first.map(|first| plain(&first.value)).into_iter().chain(named).collect()
}

/// The words of a command, its name included.
struct Words<'a> {
    entries: Vec<Entry>,
    source: &'a SourceFile,
}

impl<'a> Words<'a> {
    fn of(call: &Node, source: &'a SourceFile) -> Self {
        let mut entries = Vec::new();
        if let NodeKind::Call { callee, callee_span, .. } = &call.kind {
            // A name with a `$` left in it is one that is not known.
            let kind = if callee.contains(['$', '`']) {
                NodeKind::Opaque
            } else {
                NodeKind::Scalar(Scalar::Str(callee.clone()))
            };
            let value = Node { span: *callee_span, kind, anchor: None };
            entries.push(Entry { span: *callee_span, key: None, value });
        }
        entries.extend(shell::words(call).cloned());
        Self { entries, source }
    }

    /// Whether the last word is the blank of a `\ ` at the end of the line: nobody means that, and what follows was meant to be part of
    /// the command.
    fn ends_with_escaped_blank(&self) -> bool {
        let is_blank = |entry: &Entry| entry.key.is_none() && matches!(self.source.slice(entry.span), "\\ " | "\\\t");
        self.entries.last().is_some_and(is_blank)
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    /// The text of a plain word; none of `--name=value`.
    fn text(&self, at: usize) -> Option<&str> {
        self.entries.get(at).filter(|entry| entry.key.is_none()).and_then(|entry| entry.value.as_str())
    }

    fn span(&self, at: usize) -> Option<Span> {
        self.entries.get(at).map(|entry| entry.span)
    }

    /// What the file says, without quotes.
    fn written(&self, at: usize) -> &str {
        self.span(at).map_or("", |span| self.source.slice(span)).trim_matches(['"', '\'', '\\'])
    }

    fn is_flag(&self, at: usize) -> bool {
        self.entries.get(at).is_some_and(|entry| entry.key.is_some()) || self.text(at).is_some_and(shell::is_flag)
    }

    /// Whether a word names a Python file, known or not.
    fn is_script(&self, at: usize) -> bool {
        let is_python = |text: &str| text.rsplit_once('.').is_some_and(|(_, extension)| extension == "py");
        match self.text(at) {
            // `bash -c "python train.py"` is no script.
            Some(text) => !shell::is_flag(text) && is_python(text) && !text.contains(' '),
            None => !self.is_flag(at) && is_python(self.written(at)),
        }
    }

    fn word(&self, at: usize) -> Option<Word> {
        self.entries.get(at).map(|entry| plain(&entry.value))
    }
}

/// What stood before the program.
struct Peeled {
    launchers: Vec<Launcher>,
    environment: Vec<Entry>,
    is_open: bool,
}

impl Peeled {
    /// Takes launchers off until a program is left; the place of its first argument comes with it.
    fn program(&mut self, words: &Words<'_>) -> Option<(Program, usize)> {
        let mut at = 0;
        // Each step moves on, so this ends; a limit guards against a step that would not.
        for _ in 0..words.len() {
            if at < words.len() && words.text(at).is_none() && !words.is_script(at) {
                return self.unknown_launcher(words, at);
            }
            let start = programs::start(words.text(at), words.text(at + 1), words.is_script(at))?;
            at = match start {
                Start::Script => return script(words, at),
                Start::Tool(name) => {
                    let command = words.word(at + 1)?;
                    return Some((Program::Command { tool: name.to_owned(), command }, at + 2));
                }
                Start::Wrapper { name, words: length } => self.wrapper(words, name, at, length)?,
                Start::Python => return self.python(words, at),
                Start::Launcher { name, words: length } => return self.launcher(words, name, at, at + length),
            };
        }
        None
    }

    /// `$PYTHON train.py`, `$LAUNCHER --flag -m package`: something starts a script or a module.
    fn unknown_launcher(&mut self, words: &Words<'_>, at: usize) -> Option<(Program, usize)> {
        let name = words.written(at).to_owned();
        self.launcher(words, &name, at, at + 1).filter(|(program, _)| match program {
            Program::Script { known_end, .. } => known_end.rsplit('.').next() == Some("py"),
            Program::Module(_) | Program::Command { .. } => true,
        })
    }

    /// `srun`, `sudo`, `uv run`: everything up to a program that is known.
    fn wrapper(&mut self, words: &Words<'_>, name: &str, at: usize, length: usize) -> Option<usize> {
        let from = at + length;
        let is_value = |at: usize| at > from && words.text(at - 1).is_some_and(programs::takes_program_name);
        let starts = |at: usize| programs::start(words.text(at), words.text(at + 1), words.is_script(at)).is_some();
        let next = (from..words.len()).find(|at| starts(*at) && !is_value(*at))?;
        for entry in &words.entries[from..next] {
            self.environment.extend(assignment(entry));
        }
        self.push(words, name, at, from..next);
        Some(next)
    }

    fn push(&mut self, words: &Words<'_>, name: &str, at: usize, flags: std::ops::Range<usize>) {
        let span = words.entries[at].span;
        let flags = shell::group(words.entries[flags].iter());
        self.launchers.push(Launcher { name: name.to_owned(), span, flags });
    }

    fn python(&mut self, words: &Words<'_>, at: usize) -> Option<(Program, usize)> {
        let mut next = at + 1;
        loop {
            match words.text(next) {
                Some("-m") => {
                    let module = words.word(next + 1)?;
                    let launcher = module.text.as_deref().and_then(programs::launcher_module);
                    self.push(words, "python", at, at + 1..next);
                    return match launcher {
                        Some(name) => self.launcher(words, name, next + 1, next + 2),
                        None => Some(module_or_tool(words, module, next + 2)),
                    };
                }
                Some("-c" | "-V" | "--version" | "-") => return None,
                Some("-X" | "-W") => next += 2,
                Some(flag) if flag.starts_with('-') => next += 1,
                _ => break,
            }
        }
        let (program, rest) = script(words, next)?;
        self.push(words, "python", at, at + 1..next);
        Some((program, rest))
    }

    /// `torchrun`, `accelerate launch`, `deepspeed`: flags of its own, then a script or a module.
    fn launcher(&mut self, words: &Words<'_>, name: &str, at: usize, from: usize) -> Option<(Program, usize)> {
        let mut next = from;
        let mut is_module = false;
        while next < words.len() {
            if words.entries[next].key.is_some() {
                next += 1;
            } else if let Some(flag) = words.text(next).filter(|text| shell::is_flag(text)) {
                is_module |= matches!(flag, "-m" | "--module");
                let is_bare = programs::is_bare(flag) || words.is_flag(next + 1) || words.is_script(next + 1);
                next += if is_bare { 1 } else { 2 };
            } else if words.text(next).is_none()
                && (next + 1..words.len()).any(|later| words.is_script(later))
                && !words.is_script(next)
            {
                // `$LAUNCHER_ARGS train.py`
                self.is_open = true;
                next += 1;
            } else {
                break;
            }
        }
        let word = words.word(next)?;
        self.push(words, name, at, from..next);
        if is_module {
            return Some(module_or_tool(words, word, next + 1));
        }
        let program = match words
            .text(next)
            .map(|text| (text, programs::start(Some(text), words.text(next + 1), false)))
        {
            // `accelerate launch python train.py` with `--no_python`, `deepspeed --no_python python ...`
            Some((_, Some(Start::Python))) => return self.python(words, next),
            // `accelerate launch trl dpo`
            Some((_, Some(Start::Tool(name)))) => {
                return Some((Program::Command { tool: name.to_owned(), command: words.word(next + 1)? }, next + 2));
            }
            _ => script(words, next)?.0,
        };
        Some((program, next + 1))
    }
}

/// The script at `at`.
fn script(words: &Words<'_>, at: usize) -> Option<(Program, usize)> {
    let path = words.word(at)?;
    let known_end = path.text.clone().unwrap_or_else(|| known_end(words.written(at)).to_owned());
    Some((Program::Script { path, known_end }, at + 1))
}

/// `-m package.train`, `-m oumi train`.
fn module_or_tool(words: &Words<'_>, module: Word, next: usize) -> (Program, usize) {
    let tool = module.text.clone().filter(|name| programs::is_tool(name));
    let command = words.word(next).filter(|word| word.text.as_deref().is_some_and(|text| !shell::is_flag(text)));
    match (tool, command) {
        (Some(tool), Some(command)) => (Program::Command { tool, command }, next + 1),
        _ => (Program::Module(module), next),
    }
}

/// The end of a path behind its last variable or substitution.
fn known_end(written: &str) -> &str {
    let rest = written.rfind(['}', ')', '`']).map_or(written, |at| &written[at + 1..]);
    let rest = rest.rfind('$').map_or(rest, |at| rest[at..].split_once('/').map_or("", |(_, end)| end));
    rest.trim_start_matches(['/', '"', '\''])
}

/// `NAME=value` as an argument of `env`.
fn assignment(entry: &Entry) -> Option<Entry> {
    let text = entry.value.as_str().filter(|_| entry.key.is_none())?;
    let (name, value) = text.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| {
        let kind = NodeKind::Scalar(Scalar::Str(value.to_owned()));
        let key = Key { span: entry.span, name: name.to_owned() };
        Entry { span: entry.span, key: Some(key), value: Node { span: entry.span, kind, anchor: None } }
    })
}

#[cfg(test)]
mod tests;
