//! A setting of an argument file or a launch line that several others take the place of.

use super::Written;
use super::launch::Launch;
use super::written::Rewrite;
use crate::eval::{Const, Value};
use crate::source::{SourceFile, Span};
use crate::syntax::{Document, Edit, Entry, Format, edit, shell};

/// A setting that says, with others, what another one said.
#[derive(Debug, Clone)]
pub struct Instead<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value: a constant, or a list of them.
    pub value: Value,
    /// Where it is set, if it is.
    pub there: Option<Span>,
}

impl Written {
    /// How to write several settings instead of the one at a place: those that are set in the same file or on the same line get
    /// another value, the first of the others stands where the old one stood. `None` where that cannot be done without changing
    /// more.
    pub fn instead(&self, place: Span, new: &[Instead<'_>]) -> Option<Rewrite> {
        let edits = if let Some(file) = self.file_at(place) {
            in_file(&file.source, &file.document, place, new)?
        } else {
            let (source, launch, _) = self.only_flag_at(place)?;
            // What is set on another line, too, may be meant otherwise there.
            let is_shared = |one: &Instead<'_>| {
                let there = one.there.filter(|there| launch.flags.iter().any(|flag| flag.span == *there));
                there.is_some_and(|there| self.only_flag_at(there).is_none())
            };
            if new.iter().any(is_shared) {
                return None;
            }
            on_line(source, launch, place, new)?
        };
        let names: Vec<String> = new.iter().map(|one| format!("`{}`", one.name)).collect();
        Some(Rewrite { title: format!("set {} instead", names.join(" and ")), edits, value: None })
    }
}

fn in_file(source: &SourceFile, document: &Document, place: Span, new: &[Instead<'_>]) -> Option<Vec<Edit>> {
    let entry = edit::entry_at(document, place)?;
    let mut edits = Vec::new();
    let mut rest = Vec::new();
    for one in new {
        // A setting of another file, or of a launch line, is not reached from here.
        let known = one.there.map(|there| edit::entry_at(document, there)).map(|known| known.ok_or(()));
        match known {
            Some(known) => {
                let known = known.ok()?;
                let raw = raw(document.format, &one.value, quote_of(source, known))?;
                edits.push(edit::set_value(source, document, known, &raw).ok()?);
            }
            None => rest.push(one),
        }
    }
    let (first, rest) = rest.split_first()?;
    edits.push(edit::rename_key(source, document, entry, first.name).ok()?);
    edits.push(edit::set_value(source, document, entry, &raw(document.format, &first.value, None)?).ok()?);
    match rest {
        [] => {}
        [last] => {
            let raw = raw(document.format, &last.value, None)?;
            let root = &document.root;
            edits.push(edit::insert_entry(source, document, root, Some(entry), Some(last.name), &raw).ok()?);
        }
        // Two insertions at one place have no order.
        _ => return None,
    }
    Some(edits)
}

fn on_line(source: &SourceFile, launch: &Launch, place: Span, new: &[Instead<'_>]) -> Option<Vec<Edit>> {
    let flag = |span: Span| launch.flags.iter().find(|flag| flag.span == span);
    let mut edits = Vec::new();
    let mut instead = Vec::new();
    for one in new {
        let option = format!("--{} {}", one.name, words(&one.value)?);
        match one.there.and_then(flag) {
            Some(known) => edits.push(whole(source, known, option)?),
            None => instead.push(option),
        }
    }
    let old = flag(place)?;
    // Each on a line of its own, where the old one has that.
    let before = &source.text()[..old.span.start as usize];
    let blanks = before.len() - before.trim_end_matches([' ', '\t']).len();
    let indent = &before[before.len() - blanks..];
    let line = before[..before.len() - blanks].strip_suffix('\n');
    let separator = match line.map(|line| line.strip_suffix('\r').unwrap_or(line)) {
        Some(line) if line.ends_with('\\') => format!(" \\\n{indent}"),
        Some(_) | None => " ".to_owned(),
    };
    if instead.is_empty() {
        return None;
    }
    edits.push(whole(source, old, instead.join(&separator))?);
    Some(edits)
}

/// Another option with its words instead of one that stands in one piece. `None` in an array of JSON, whose words are quoted each.
fn whole(source: &SourceFile, flag: &Entry, option: String) -> Option<Edit> {
    let is_whole = flag.span.contains(flag.value.span) && source.slice(flag.span).starts_with('-');
    is_whole.then_some(Edit { span: flag.span, text: option })
}

/// The quote of a text that is written in one.
fn quote_of(source: &SourceFile, entry: &Entry) -> Option<char> {
    source.slice(entry.value.span).chars().next().filter(|first| matches!(first, '"' | '\''))
}

/// The constants of a value.
fn items(value: &Value) -> Option<Vec<&Const>> {
    fn constant(value: &Value) -> Option<&Const> {
        if let Value::Const(constant) = value { Some(constant) } else { None }
    }
    match value {
        Value::List(items) => items.iter().map(|item| constant(&item.value)).collect(),
        one => constant(one).map(|one| vec![one]),
    }
}

/// A value as a format writes it, texts in a quote if there is one.
fn raw(format: Format, value: &Value, quote: Option<char>) -> Option<String> {
    let items = items(value)?.into_iter().map(|item| {
        Some(match (item, format) {
            (Const::None, _) => edit::null_value(format)?.to_owned(),
            (Const::Bool(value), _) => value.to_string(),
            (Const::Int(value), _) => value.to_string(),
            (Const::Float(bits), _) => number(f64::from_bits(*bits))?,
            (Const::Str(text), _) if !is_word(text) => return None,
            (Const::Str(text), Format::Yaml) if quote.is_none() && edit::is_plain_yaml_key(text) => text.to_string(),
            (Const::Str(text), _) => {
                let quote = quote.unwrap_or('"');
                format!("{quote}{text}{quote}")
            }
        })
    });
    let items: Vec<String> = items.collect::<Option<_>>()?;
    Some(if matches!(value, Value::List(_)) { format!("[{}]", items.join(", ")) } else { items.concat() })
}

/// The words of a command line that a parser reads as a value.
fn words(value: &Value) -> Option<String> {
    let words = items(value)?.into_iter().map(|item| {
        Some(match item {
            Const::None => return None,
            Const::Str(text) => shell::quote(text),
            Const::Float(bits) => number(f64::from_bits(*bits))?,
            other => other.to_string(),
        })
    });
    let words: Vec<String> = words.collect::<Option<_>>()?;
    Some(words.join(" "))
}

/// A setting as one would write it down: `cutoff_len: 1024` in YAML, `--cutoff_len 1024` on a launch line. `None` where that cannot be.
pub fn written_down(format: Format, name: &str, value: &Const) -> Option<String> {
    let value = Value::Const(value.clone());
    Some(match format {
        Format::Yaml => format!("{name}: {}", raw(format, &value, None)?),
        Format::Json | Format::Jsonc => format!("\"{name}\": {}", raw(format, &value, None)?),
        Format::Toml => format!("{name} = {}", raw(format, &value, None)?),
        _ => format!("--{name} {}", words(&value)?),
    })
}

/// A number that every format reads as one: `5.0e-7`, which `PyYAML` does not without the point.
fn number(value: f64) -> Option<String> {
    let text = format!("{value:?}");
    if text.contains('e') { super::configuration::as_float(&text) } else { value.is_finite().then_some(text) }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_to_every_reader() {
        for (value, text) in [(1.0, "1.0"), (0.05, "0.05"), (5e-7, "5.0e-7"), (2.5e17, "2.5e+17")] {
            assert_eq!(number(value).as_deref(), Some(text));
        }
        assert_eq!(number(f64::INFINITY), None);
    }
}
