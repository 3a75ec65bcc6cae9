//! Edits of a command line that leave the command whole.

use crate::source::{SourceFile, Span};
use crate::syntax::{Edit, Entry, Node, NodeKind};

/// Takes a flag and its values away, together with the blank and the line continuation before them.
///
/// `None` where the flag and its value stand in different places (an array and the command that uses it), and at the start
/// of a line of a notebook.
pub fn remove_flag(source: &SourceFile, call: &Node, flag: &Entry) -> Option<Edit> {
    let in_one_place = call.span.contains(flag.span) || !call.span.touches(flag.span);
    if !flag.span.contains(flag.value.span) || !in_one_place {
        return None;
    }
    let text = source.text();
    let (start, end) = (flag.span.start as usize, flag.span.end as usize);
    let before = blanks_before(text, start);
    // At the start of a notebook's line the continuation stands in another JSON string, which would be left dangling.
    let is_notebook = source.path().extension().is_some_and(|extension| extension == "ipynb");
    if is_notebook && (text[..before.start].ends_with('"') || text[..before.start].ends_with("\\n")) {
        return None;
    }
    if is_in_array(source, flag) {
        return remove_from_array(source, start, end);
    }
    let rest_of_line = text.get(end..)?.split(['\n', '\r']).next().unwrap_or("").trim_end();
    let last_of_line = rest_of_line.is_empty();
    let range = if before.start < start && (before.whole || last_of_line) {
        before.start..end
    } else {
        // First of its array or string, or behind a comment line: the blanks after it go.
        let after = text[end..].len() - text[end..].trim_start_matches([' ', '\t']).len();
        start..end + after
    };
    Some(Edit { span: source.span(range), text: String::new() })
}

/// A flag of a command that is written as a JSON array, as a Dockerfile may: `CMD ["python", "train.py", "--flag", "1"]`. Its
/// comma goes with it, and the end of its line. `None` where a line continuation stands between.
fn remove_from_array(source: &SourceFile, start: usize, end: usize) -> Option<Edit> {
    const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];
    let text = source.text();
    let before = text[..start].trim_end_matches(BLANKS).len();
    let after = end + text[end..].len() - text[end..].trim_start_matches(BLANKS).len();
    let range = if text[after..].starts_with(',') && text[..before].ends_with([',', '[']) {
        let rest = &text[after + 1..];
        start..after + 1 + rest.len() - rest.trim_start_matches(BLANKS).len()
    } else if text[after..].starts_with(']') && text[..before].ends_with(',') {
        before - 1..end
    } else {
        return None;
    };
    Some(Edit { span: source.span(range), text: String::new() })
}

/// Sets the value of a flag. In a notebook the caller escapes what JSON needs escaped, in a Makefile `$`. `None` where the value would
/// need quotes inside an array of strings.
pub fn set_flag(source: &SourceFile, flag: &Entry, value: &str) -> Option<Edit> {
    let bare = flag.value.span.start == flag.value.span.end && matches!(flag.value.kind, NodeKind::Opaque);
    let text = if is_in_array(source, flag) {
        if quote(value) != value {
            return None;
        }
        match source.slice(flag.value.span) {
            _ if bare => format!(", \"{value}\""),
            written if written.starts_with('"') => format!("\"{value}\""),
            _ => value.to_owned(),
        }
    } else {
        format!("{}{}", if bare { " " } else { "" }, quote(value))
    };
    Some(Edit { span: flag.value.span, text })
}

/// Whether a flag is a string of a JSON array, as in a Dockerfile or in VS Code.
fn is_in_array(source: &SourceFile, flag: &Entry) -> bool {
    let after = source.text()[flag.span.end as usize..].trim_start();
    source.slice(flag.span).starts_with('"') && after.starts_with([',', ']'])
}

/// Gives a flag another name; its dashes stay. `None` for a word that is no flag.
pub fn rename_flag(source: &SourceFile, flag: &Entry, name: &str) -> Option<Edit> {
    let key = flag.key.as_ref()?;
    let written = source.slice(key.span);
    let quote = u32::from(written.len() > 1 && written.starts_with('"') && written.ends_with('"'));
    let written = written.trim_start_matches('"');
    let dashes = written.len() - written.trim_start_matches('-').len();
    let span = Span { start: key.span.start + quote + dashes as u32, end: key.span.end - quote, ..key.span };
    Some(Edit { span, text: name.to_owned() })
}

/// A word as a shell reads it: quoted only where it must be.
pub fn quote(word: &str) -> String {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':' | b',' | b'=' | b'+' | b'@' | b'%')
    };
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

struct Before {
    start: usize,
    /// No newline without a backslash was crossed.
    whole: bool,
}

/// Blanks, continuations and newlines before `at`.
fn blanks_before(text: &str, at: usize) -> Before {
    let bytes = text.as_bytes();
    let mut before = Before { start: at, whole: true };
    loop {
        let (skipped, continues) = match &bytes[..before.start] {
            [.., b' ' | b'\t'] => (1, true),
            [.., b'\\', b'\r', b'\n'] => (3, true),
            [.., b'\\', b'\n'] => (2, true),
            [.., b'\r', b'\n'] => (2, false),
            [.., b'\n'] => (1, false),
            _ => return before,
        };
        // One newline without a backslash is enough: what stands above it is another line of an array.
        if !continues && !before.whole {
            return before;
        }
        before.whole &= continues;
        before.start -= skipped;
    }
}
