//! pip's requirements and constraints files.

use super::statement::{Statements, Writer};
use crate::source::SourceFile;

/// Reads a requirements file: requirements, `-r`, `-c`, `-e`; other options say nothing about releases.
pub(super) fn read(source: &SourceFile) -> Statements {
    let mut writer = Writer::new(source);
    let text = source.text();
    let mut start = 0;
    while start < text.len() {
        let end = logical_end(text, start);
        line(&mut writer, start, &text[start..end]);
        start = end;
    }
    writer.said
}

/// Where the line that starts at `start` ends, lines joined by a backslash counted as one.
fn logical_end(text: &str, start: usize) -> usize {
    let mut end = start;
    loop {
        end = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
        let line = text[start..end].trim_end_matches(['\n', '\r']);
        if end == text.len() || !line.ends_with('\\') {
            return end;
        }
    }
}

fn line(writer: &mut Writer<'_>, start: usize, line: &str) {
    let line = line.strip_prefix('\u{feff}').map_or((start, line), |rest| (start + 3, rest));
    let (start, line) = line;
    let mut content = if line.trim_start().starts_with('#') { "" } else { line.split(" #").next().unwrap_or(line) };
    // `--hash` and other options of one requirement.
    content = content.split(" --").next().unwrap_or(content).trim_end_matches(['\\', ' ', '\t', '\r', '\n']);
    let offset = start + content.len() - content.trim_start().len();
    let content = content.trim_start();
    let span = writer.source.span(offset..offset + content.len());
    let option = |names: &[&str]| {
        names.iter().find_map(|name| content.strip_prefix(name)).map(|rest| rest.trim_start_matches(['=', ' ']).trim())
    };
    if let Some(file) = option(&["-r", "--requirement", "-c", "--constraint"]) {
        writer.include(file, span, true, None);
    } else if let Some(editable) = option(&["-e ", "--editable"]) {
        if editable.contains("://") {
            writer.requirement(editable, span, None);
        }
    } else if !content.is_empty() && !content.starts_with(['-', '.', '/']) {
        writer.requirement(content, span, None);
    }
}
