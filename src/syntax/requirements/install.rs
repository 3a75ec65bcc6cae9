//! Commands that install packages: `pip install`, `uv add`, `conda install`.

use std::ops::Range;

use super::pep508::{Locate, parse_conda_located, parse_located};
use super::{Requirement, Text, is_path};
use crate::source::{SourceFile, Span};
use crate::syntax::{Entry, Node, NodeKind, SyntaxError, shell};

/// Who installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installer {
    /// `pip install`, `python -m pip install`, `uv pip install`.
    Pip,
    /// `uv add`, `poetry add`, `pdm add`: writes to the project's own declaration as well.
    Project,
    /// `conda install`, `mamba install`, `conda create`.
    Conda,
}

/// What a command installs.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
#[derive(Debug, Clone)]
pub struct PipInstall {
    /// Who installs.
    pub installer: Installer,
    /// The whole command.
    pub span: Span,
    /// Packages, in order.
    pub requirements: Vec<Requirement>,
    /// `-r` files.
    pub files: Vec<Text>,
    /// `-c` files.
    pub constraints: Vec<Text>,
    /// Folders and files: `.`, `-e .[dev]`.
    pub paths: Vec<Text>,
    /// `-U`, `--upgrade`.
    pub upgrades: bool,
    /// `--pre`.
    pub allows_prereleases: bool,
    /// `--no-deps`.
    pub without_dependencies: bool,
    /// Whether some words are not known (`$PACKAGES`): more may be installed.
    pub is_open: bool,
    /// Words that are no requirement.
    pub errors: Vec<SyntaxError>,
}

/// Options of `pip`, `uv` and `conda` that take a value and say nothing about packages.
const VALUED: [&str; 41] = [
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "-t",
    "--target",
    "--platform",
    "--prefix",
    "--root",
    "--src",
    "--python-version",
    "--implementation",
    "--abi",
    "--no-binary",
    "--only-binary",
    "--trusted-host",
    "--cache-dir",
    "--log",
    "--proxy",
    "--retries",
    "--timeout",
    "--exists-action",
    "--cert",
    "--client-cert",
    "--upgrade-strategy",
    "--config-settings",
    "-C",
    "--global-option",
    "--use-feature",
    "--progress-bar",
    "--python",
    "-p",
    "-n",
    "--name",
    "--channel",
    "--index",
    "--index-strategy",
    "--torch-backend",
    "--group",
    "--report",
];

/// Reads an installation command; `None` for every other command. A leading `!` or `%` (notebooks) and `sudo` are skipped.
pub fn parse_pip_command(call: &Node, source: &SourceFile) -> Option<PipInstall> {
    let NodeKind::Call { callee, .. } = &call.kind else { return None };
    let words: Vec<&Entry> = shell::words(call).collect();
    let (installer, skipped) = installer(callee.trim_start_matches(['!', '%']), &words)?;
    let mut install = PipInstall {
        installer,
        span: call.span,
        requirements: Vec::new(),
        files: Vec::new(),
        constraints: Vec::new(),
        paths: Vec::new(),
        upgrades: false,
        allows_prereleases: false,
        without_dependencies: false,
        is_open: false,
        errors: Vec::new(),
    };
    let mut rest = words[skipped..].iter().copied();
    while let Some(word) = rest.next() {
        match (&word.key, word.value.as_str()) {
            (Some(key), _) => {
                let option = source.slice(key.span).trim_start_matches(['"', '\'']).to_owned();
                install.option(&option, Some(&word.value), source);
            }
            (None, None) => install.is_open = true,
            (None, Some(option)) if option.starts_with('-') => {
                let takes_value = TAKES_PACKAGES.contains(&option)
                    || VALUED.contains(&option)
                    || (installer == Installer::Conda && option == "-c");
                let value = if takes_value { rest.next().map(|word| &word.value) } else { None };
                install.option(option, value, source);
            }
            (None, Some(_)) => install.package(&word.value, source, false),
        }
    }
    Some(install)
}

/// Options whose value names what to install.
const TAKES_PACKAGES: [&str; 9] =
    ["-r", "--requirement", "--requirements", "-c", "--constraint", "--constraints", "-e", "--editable", "--file"];

impl PipInstall {
    fn option(&mut self, option: &str, value: Option<&Node>, source: &SourceFile) {
        let text = |node: &Node| node.as_str().map(|text| Text { text: text.to_owned(), span: node.span });
        match option {
            "-U" | "--upgrade" => self.upgrades = true,
            "--pre" => self.allows_prereleases = true,
            "--no-deps" | "--no-dependencies" => self.without_dependencies = true,
            "-c" if self.installer == Installer::Conda => {}
            "-r" | "--requirement" | "--requirements" | "--file" => match value.and_then(text) {
                Some(file) => self.files.push(file),
                None => self.is_open = true,
            },
            "-c" | "--constraint" | "--constraints" => match value.and_then(text) {
                Some(file) => self.constraints.push(file),
                None => self.is_open = true,
            },
            "-e" | "--editable" => match value {
                Some(value) if value.as_str().is_some() => self.package(value, source, true),
                _ => self.is_open = true,
            },
            _ => {}
        }
    }

    fn package(&mut self, word: &Node, source: &SourceFile, is_editable: bool) {
        let Some(text) = word.as_str() else { return };
        let base = content_span(word.span, text, source);
        let locate = |range: Range<usize>| match base {
            Some(base) => Span { start: base.start + range.start as u32, end: base.start + range.end as u32, ..base },
            None => word.span,
        };
        if self.installer != Installer::Conda && is_path(text) {
            self.paths.push(Text { text: text.to_owned(), span: word.span });
            return;
        }
        let parse: fn(&str, Locate<'_>) -> Result<Requirement, SyntaxError> =
            if self.installer == Installer::Conda { parse_conda_located } else { parse_located };
        match parse(text, &locate) {
            Ok(requirement) => self.requirements.push(Requirement { is_editable, ..requirement }),
            // IPython puts `{name}` into a command.
            Err(_) if text.contains('{') => self.is_open = true,
            Err(error) => self.errors.push(error),
        }
    }
}

/// The installer and the number of words that name it.
fn installer(callee: &str, words: &[&Entry]) -> Option<(Installer, usize)> {
    let word = |at: usize| words.get(at).and_then(|word| if word.key.is_none() { word.value.as_str() } else { None });
    let name = callee.rsplit('/').next().unwrap_or(callee);
    let is_numbered = |prefix: &str| {
        let version = name.strip_prefix(prefix);
        version.is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
    };
    // `install` after global options (`pip -q install`).
    let install_after = |from: usize, command: &str| {
        let options = (from..words.len()).take_while(|at| word(*at).is_some_and(|word| word.starts_with('-'))).count();
        (word(from + options) == Some(command)).then_some(from + options + 1)
    };
    match name {
        "sudo" | "time" | "exec" | "env" => {
            let skipped = words.iter().take_while(|entry| {
                entry.key.is_some()
                    || entry.value.as_str().is_some_and(|text| text.starts_with('-') || text.contains('='))
            });
            let skipped = skipped.count();
            let (found, more) = installer(word(skipped)?, &words[skipped + 1..])?;
            Some((found, skipped + 1 + more))
        }
        "uv" if word(0) == Some("pip") => install_after(1, "install").map(|skipped| (Installer::Pip, skipped)),
        "uv" | "poetry" | "pdm" | "rye" if word(0) == Some("add") => Some((Installer::Project, 1)),
        "conda" | "mamba" | "micromamba" if matches!(word(0), Some("install" | "create")) => {
            Some((Installer::Conda, 1))
        }
        _ if is_numbered("pip") => install_after(0, "install").map(|skipped| (Installer::Pip, skipped)),
        // Any interpreter, also one that is a variable: `$PYTHON -m pip install`.
        _ if word(0) == Some("-m") && word(1) == Some("pip") => {
            install_after(2, "install").map(|skipped| (Installer::Pip, skipped))
        }
        _ => None,
    }
}

/// The place of a word's text without its quotes, when it stands there unchanged.
fn content_span(span: Span, text: &str, source: &SourceFile) -> Option<Span> {
    let written = source.slice(span);
    let extra = written.len().checked_sub(text.len())?;
    let from = extra / 2;
    let unchanged = extra.is_multiple_of(2) && written.get(from..from + text.len()) == Some(text);
    unchanged.then(|| Span { start: span.start + from as u32, end: span.start + (from + text.len()) as u32, ..span })
}
