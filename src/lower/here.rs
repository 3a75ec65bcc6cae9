//! Files that a shell script writes itself, `cat > config.yaml <<EOF`, and then starts a program with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::ArgumentFile;
use super::launch::Launch;
use crate::source::SourceFile;
use crate::syntax::{Document, Entry, Format, Node, NodeKind, Scalar, shell};

/// A file that stands in a script.
#[derive(Debug)]
pub(super) struct HereDocument {
    script: PathBuf,
    /// Its path, as the script writes it.
    name: String,
    pub(super) file: ArgumentFile,
}

impl HereDocument {
    /// Whether a path in a file means this one.
    pub(super) fn is_called(&self, written: &str, from: &Path) -> bool {
        self.script == from && plain(written) == self.name
    }
}

/// The files that a script writes and names in a command. What it writes twice is not known.
pub(super) fn files(document: &Document, source: &Arc<SourceFile>, launches: &[Launch]) -> Vec<HereDocument> {
    let mut found: Vec<HereDocument> = Vec::new();
    if document.format != Format::Shell || !source.text().contains("<<") {
        return found;
    }
    let named: Vec<&str> =
        launches.iter().flat_map(|launch| &launch.configs).filter_map(|word| word.text.as_deref()).collect();
    let mut written: Vec<String> = Vec::new();
    for call in shell::commands(document) {
        let Some((name, body)) = written_by(call) else { continue };
        let is_named = named.iter().any(|text| plain(text) == name);
        let is_again = written.contains(&name);
        written.push(name.clone());
        found.retain(|one| one.name != name);
        if !is_named || is_again {
            continue;
        }
        let Some(format) = Format::of(Path::new(&name)) else { continue };
        if !matches!(format, Format::Yaml | Format::Json) {
            continue;
        }
        // Edits are made, and proved, in what the file's own parser sees.
        let part = Arc::new(source.only(body.span.range()));
        let document = crate::syntax::parse(format, &part);
        if !matches!(document.root.kind, NodeKind::Map(_)) || !document.errors.is_empty() {
            continue;
        }
        let path = source.path().with_file_name(Path::new(&name).file_name().unwrap_or_default());
        let file = ArgumentFile { path, source: part, document: Arc::new(document), within: Some(body.span) };
        found.push(HereDocument { script: source.path().to_path_buf(), name, file });
    }
    found
}

/// The file that a command writes, and its text: `cat > a.yaml <<EOF`, `tee a.yaml <<EOF`.
fn written_by(call: &Node) -> Option<(String, &Node)> {
    let NodeKind::Call { callee, .. } = &call.kind else { return None };
    let redirect = |operators: &[&str]| {
        shell::redirects(call).find(|entry| entry.name().is_some_and(|name| operators.contains(&name)))
    };
    let body = &redirect(&["<<", "<<-"])?.value;
    let target: &Entry = match callee.as_str() {
        "cat" => redirect(&[">", ">|"])?,
        "tee" => shell::words(call).next()?,
        _ => return None,
    };
    Some((plain(target.value.as_str()?).to_owned(), body))
}

fn plain(path: &str) -> &str {
    path.trim_start_matches("./")
}

/// A value that the shell still changes is not known.
pub(super) fn forget_expansions(node: &mut Node) {
    match &mut node.kind {
        NodeKind::Scalar(Scalar::Str(text)) if text.contains(['$', '`', '\\']) => node.kind = NodeKind::Opaque,
        NodeKind::Map(entries) | NodeKind::List(entries) => {
            for entry in entries {
                forget_expansions(&mut entry.value);
            }
        }
        _ => {}
    }
}
