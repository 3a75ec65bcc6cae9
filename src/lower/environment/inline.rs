//! The header of a script (PEP 723): TOML in a comment block `# /// script`.

use super::pyproject;
use super::statement::Statements;
use crate::source::{SourceFile, Sources};
use crate::syntax::{self, Format};

/// Reads the header of a script, if it has one.
pub(super) fn read(source: &SourceFile) -> Option<Statements> {
    if !source.text().contains("# /// script") {
        return None;
    }
    let masked = mask(source.text())?;
    // Everything but the TOML is blank, so that places in the masked text are places in the script.
    let toml = Sources::default().add(source.path().to_path_buf(), masked);
    Some(pyproject::read_header(source, &syntax::parse(Format::Toml, &toml)))
}

/// The text with everything blanked out that is not the header's TOML; lengths and line breaks stay.
fn mask(text: &str) -> Option<String> {
    let mut masked = String::with_capacity(text.len());
    let (mut inside, mut closed) = (false, false);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        let content = bare.strip_prefix("# ").or_else(|| bare.strip_prefix('#'));
        match content {
            Some("///") if inside => (inside, closed) = (false, true),
            Some(content) if inside => {
                blank(&mut masked, &line[..bare.len() - content.len()]);
                masked.push_str(content);
                blank(&mut masked, &line[bare.len()..]);
                continue;
            }
            None if inside => return None,
            _ => inside = !closed && bare == "# /// script",
        }
        blank(&mut masked, line);
    }
    closed.then_some(masked)
}

/// Blanks of the same length.
fn blank(masked: &mut String, text: &str) {
    masked.extend(text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { byte as char } else { ' ' }));
}
