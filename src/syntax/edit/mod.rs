//! Edits of one entry: set, rename, remove, insert.
//!
//! An edit is the smallest change of bytes; nothing is ever printed anew, so layout, quoting, line endings and a
//! byte-order mark stay. Comments are never lost: where one stands in the way it moves to a line of its own or the edit
//! is refused. Every edit is proved before it is handed out: the result is parsed again and must differ from the
//! document by the wanted change and nothing else.

use std::ops::Range;

use super::{Document, Edit, Entry, Format, Node, NodeKind};
use crate::source::{SourceFile, Span};

mod apply;
mod comma;
mod lines;
mod place;
mod proof;
#[cfg(test)]
mod property_tests;
mod removal;
#[cfg(test)]
mod tests;
mod yaml;

pub use apply::apply;
pub use comma::CommaList;
use place::Place;

/// Why an edit cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The entry belongs to another document, or is seen through an alias.
    #[error("the entry does not stand in this document itself")]
    NotFound,
    /// The value, or a value around it, is anchored and used elsewhere.
    #[error("the value is shared through a YAML anchor")]
    Anchored,
    /// A duplicate key: taking the last one away brings back an earlier one, and changing an earlier one does nothing.
    #[error("`{0}` is written more than once")]
    Duplicate(String),
    /// The new key is taken.
    #[error("`{0}` exists already")]
    Exists(String),
    /// A comment inside what would go.
    #[error("a comment would be lost")]
    Comment,
    /// A form that is not edited.
    #[error("cannot edit {0}")]
    Unsupported(&'static str),
    /// The result would not read as intended.
    #[error("the edit would change more than intended")]
    Unproven,
    /// Edits that share bytes, or insert at the same place.
    #[error("edits overlap")]
    Overlap,
    /// A span outside the text or inside a character.
    #[error("an edit lies outside the text")]
    OutOfRange,
}

/// A change of bytes before it has a file.
type Change = (Range<usize>, String);

/// How "nothing" is written; `None` where the format has no null, so that the entry has to go.
pub fn null_value(format: Format) -> Option<&'static str> {
    match format {
        Format::Yaml | Format::Json | Format::Jsonc => Some("null"),
        Format::Python | Format::Notebook => Some("None"),
        _ => None,
    }
}

/// Gives an entry another value; `raw` is written as it is.
pub fn set_value(source: &SourceFile, document: &Document, entry: &Entry, raw: &str) -> Result<Edit, EditError> {
    let place = Place::of_entry(source, document, entry)?;
    place.check_shared(true)?;
    if !place.is_last_of_its_name() {
        return Err(EditError::Duplicate(entry.name().unwrap_or_default().to_owned()));
    }
    let change = match document.format {
        Format::Yaml => yaml::replace_value(&place, raw)?,
        Format::Json | Format::Jsonc if entry.value.span.range().is_empty() => {
            return Err(EditError::Unsupported("a missing value"));
        }
        Format::Toml if place::is_spread_table(source, &entry.value) => {
            return Err(EditError::Unsupported("a table as a whole"));
        }
        Format::Ini if !entry.value.entries().is_empty() => return Err(EditError::Unsupported("a section as a whole")),
        Format::Json | Format::Jsonc | Format::Toml | Format::Ini => {
            let space = if entry.value.span.range().is_empty() { " " } else { "" };
            (entry.value.span.range(), format!("{space}{raw}"))
        }
        _ => return Err(EditError::Unsupported("this format")),
    };
    place.check_comments(&change.0)?;
    proof::prove(&place, change, &proof::Wanted::Value(raw))
}

/// Gives a key another name, quoted as the old one was.
pub fn rename_key(source: &SourceFile, document: &Document, entry: &Entry, name: &str) -> Result<Edit, EditError> {
    let place = Place::of_entry(source, document, entry)?;
    place.check_shared(false)?;
    let key = entry.key.as_ref().ok_or(EditError::Unsupported("an item without a key"))?;
    place.check_only_of_its_name()?;
    if place.parent().entry(name).is_some() {
        return Err(EditError::Exists(name.to_owned()));
    }
    if document.format == Format::Toml && place::is_spread_table(source, &entry.value) {
        return Err(EditError::Unsupported("the name of a table"));
    }
    let change = (key.span.range(), spell_key(document.format, source.slice(key.span), name)?);
    proof::prove(&place, change, &proof::Wanted::Name(name))
}

/// Takes an entry away. Comments stay: one on the entry's own line gets a line for itself.
pub fn remove_entry(source: &SourceFile, document: &Document, entry: &Entry) -> Result<Edit, EditError> {
    let place = Place::of_entry(source, document, entry)?;
    place.check_shared(true)?;
    if entry.key.is_some() {
        place.check_only_of_its_name()?;
    }
    let text = source.text();
    let change = match document.format {
        _ if place.is_comma_list() => {
            let items = place.items();
            let index = items.iter().position(|item| item.end == entry.span.end as usize).ok_or(EditError::NotFound)?;
            place.comma_list(&items).remove(index)?
        }
        Format::Yaml => yaml::remove_entry(&place)?,
        Format::Toml if !place::is_spread_table(source, &entry.value) => {
            lines::remove(text, entry.span.range(), &place.comments())?
        }
        Format::Ini if entry.value.entries().is_empty() => lines::remove(text, entry.span.range(), &place.comments())?,
        Format::Toml | Format::Ini => return Err(EditError::Unsupported("a table as a whole")),
        _ => return Err(EditError::Unsupported("this format")),
    };
    proof::prove(&place, change, &proof::Wanted::Gone)
}

/// Adds an entry to `parent`, after one of its entries or as the last; `key` is `None` for an item of a list.
pub fn insert_entry(
    source: &SourceFile,
    document: &Document,
    parent: &Node,
    after: Option<&Entry>,
    key: Option<&str>,
    raw: &str,
) -> Result<Edit, EditError> {
    let place = Place::of_parent(source, document, parent, after)?;
    place.check_shared(false)?;
    if place.is_in_foreign_brackets() {
        return Err(EditError::Unsupported("a map inside other brackets"));
    }
    let spelled = match key {
        Some(key) if parent.entry(key).is_some() => return Err(EditError::Exists(key.to_owned())),
        Some(key) => Some(spell_key(document.format, "", key)?),
        None => None,
    };
    let separator = match document.format {
        Format::Toml | Format::Ini => " = ",
        _ => ": ",
    };
    let statement = spelled.map_or_else(|| raw.to_owned(), |key| format!("{key}{separator}{raw}"));
    let change = match document.format {
        _ if place.is_comma_list() => {
            let items = place.items();
            let at = match after {
                Some(after) => items.iter().take_while(|item| item.start < after.span.end as usize).count(),
                None => items.len(),
            };
            place.comma_list(&items).insert(at, &statement)?
        }
        Format::Yaml => yaml::insert_entry(&place, &statement)?,
        Format::Toml | Format::Ini => lines::insert_statement(&place, &statement)?,
        _ => return Err(EditError::Unsupported("this format")),
    };
    proof::prove(&place, change, &proof::Wanted::New { key, raw })
}

/// A key as the format writes it, in the quotes of `old` if that has any.
fn spell_key(format: Format, old: &str, name: &str) -> Result<String, EditError> {
    let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let is_printable = !name.chars().any(char::is_control);
    match format {
        _ if !is_printable => Err(EditError::Unsupported("a key with control characters")),
        Format::Yaml if old.starts_with('*') => Err(EditError::Unsupported("an alias used as a key")),
        Format::Yaml | Format::Toml if old.starts_with('\'') && !name.contains('\'') => Ok(format!("'{name}'")),
        Format::Yaml if is_plain_yaml_key(name) && !old.starts_with('"') => Ok(name.to_owned()),
        Format::Toml if is_word && !old.starts_with('"') => Ok(name.to_owned()),
        Format::Yaml | Format::Toml | Format::Json | Format::Jsonc => {
            Ok(format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")))
        }
        Format::Ini if is_word => Ok(name.to_owned()),
        _ => Err(EditError::Unsupported("such a key")),
    }
}

/// Words that no loader could take for something else.
pub fn is_plain_yaml_key(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
        && matches!(super::yaml::resolve(name, super::yaml::YamlLoader::PyYaml), super::Scalar::Str(_))
}

/// The first entry whose own, key's or value's span is `span`, the innermost of several. Rules keep spans, edits want
/// entries.
pub fn entry_at(document: &Document, span: Span) -> Option<&Entry> {
    let mut node = &document.root;
    let mut found = None;
    loop {
        let inside = node.entries().iter().find(|entry| {
            let key = entry.key.as_ref().is_some_and(|key| key.span == span);
            key || entry.span.contains(span) || entry.value.span.contains(span)
        });
        let Some(entry) = inside else { return found };
        if matches!(node.kind, NodeKind::Alias(_)) {
            return found;
        }
        if entry.span == span || entry.value.span == span || entry.key.as_ref().is_some_and(|key| key.span == span) {
            found = Some(entry);
        }
        node = &entry.value;
    }
}
