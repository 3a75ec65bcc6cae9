//! Random documents whose entries are edited.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::syntax::Format::{Json, Jsonc, Toml, Yaml};
use crate::syntax::parse;
use crate::syntax::testing::file;

/// A random tree, to be written in any format.
#[derive(Debug, Clone)]
enum Tree {
    Scalar(&'static str),
    Map(Vec<Tree>),
    List(Vec<Tree>),
}

fn trees() -> impl Strategy<Value = Tree> {
    let scalar = prop::sample::select(vec!["1", "2.5", "true", "\"x\"", "\"中 # y\"", "'z'"]).prop_map(Tree::Scalar);
    let tree = scalar.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Tree::Map),
            prop::collection::vec(inner, 0..4).prop_map(Tree::List),
        ]
    });
    prop::collection::vec(tree, 1..4).prop_map(Tree::Map)
}

/// Where the layout of a random document is drawn from.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn comment(&mut self, marker: &str) -> String {
        if self.roll(3) == 0 { format!(" {marker} c{}", self.roll(100)) } else { String::new() }
    }
}

const NAMES: [&str; 4] = ["alpha", "b_2", "c-c", "delta"];

/// JSON with or without lines, or a YAML flow collection, or a TOML inline value.
fn flow(tree: &Tree, format: Format, indent: usize, dice: &mut Dice, out: &mut String) {
    let (open, close, items, named) = match tree {
        Tree::Scalar(text) => {
            let text = if format == Toml || format == Yaml { (*text).to_owned() } else { text.replace('\'', "\"") };
            return out.push_str(&text);
        }
        Tree::Map(items) => ('{', '}', items, true),
        Tree::List(items) => ('[', ']', items, false),
    };
    let lines = dice.roll(2) == 0 && !(format == Toml && named);
    let newline = |out: &mut String, indent: usize| *out = format!("{out}\n{}", " ".repeat(indent));
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if lines {
            newline(out, indent + 2);
        }
        if named {
            match format {
                Toml => _ = write!(out, "{} = ", NAMES[index]),
                Yaml => _ = write!(out, "{}: ", NAMES[index]),
                _ => _ = write!(out, "\"{}\": ", NAMES[index]),
            }
        }
        flow(item, format, indent + 2, dice, out);
        if index + 1 < items.len() {
            out.push_str(if lines { "," } else { ", " });
        }
        if lines {
            let marker = if matches!(format, Json | Jsonc) { "//" } else { "#" };
            out.push_str(&dice.comment(marker));
        }
    }
    if lines {
        newline(out, indent);
    }
    out.push(close);
}

/// A YAML block collection, from the start of a line.
fn block(tree: &Tree, indent: usize, dice: &mut Dice, out: &mut String) {
    let (items, named) = match tree {
        Tree::Map(items) => (items, true),
        Tree::List(items) => (items, false),
        Tree::Scalar(_) => unreachable!("collections only"),
    };
    for (index, item) in items.iter().enumerate() {
        let lead = if named { format!("{}:", NAMES[index]) } else { "-".to_owned() };
        let _ = write!(out, "{}{lead}", " ".repeat(indent));
        match item {
            Tree::Map(inner) | Tree::List(inner) if !inner.is_empty() && dice.roll(3) > 0 => {
                if !named && dice.roll(2) == 0 {
                    // `- a: 1`, `- - x`
                    let mut inner = String::new();
                    block(item, indent + 2, dice, &mut inner);
                    let _ = write!(out, " {}", inner.trim_start());
                } else {
                    let _ = writeln!(out, "{}", dice.comment("#"));
                    block(item, indent + 2, dice, out);
                }
            }
            _ => {
                out.push(' ');
                flow(item, Yaml, indent + 2, dice, out);
                let _ = writeln!(out, "{}", dice.comment("#"));
            }
        }
    }
}

fn written(tree: &Tree, format: Format, seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut out = String::new();
    match (format, tree) {
        (Yaml, _) => block(tree, 0, &mut dice, &mut out),
        (Toml, Tree::Map(items)) => {
            for (index, item) in items.iter().enumerate() {
                let _ = write!(out, "{} = ", NAMES[index]);
                flow(item, Toml, 0, &mut dice, &mut out);
                let _ = writeln!(out, "{}", dice.comment("#"));
            }
        }
        _ => flow(tree, format, 0, &mut dice, &mut out),
    }
    if dice.roll(2) == 0 {
        out = out.replace('\n', "\r\n");
    }
    if dice.roll(4) == 0 { format!("\u{feff}{}", out.trim_end()) } else { out }
}

fn all_entries<'a>(node: &'a Node, out: &mut Vec<(&'a Node, &'a Entry)>) {
    for entry in node.entries() {
        out.push((node, entry));
        all_entries(&entry.value, out);
    }
}

proptest! {
    /// The proof inside every edit compares trees and comments; here, that random entries can be edited, and that line
    /// endings, byte-order mark and the missing final line break stay.
    #[test]
    fn random_entries_can_be_edited(tree in trees(), seed: u64, pick: prop::sample::Index, what in 0..4) {
        for format in [Yaml, Jsonc, Toml] {
            let text = written(&tree, format, seed);
            let source = file(&text);
            let document = parse(format, &source);
            prop_assert!(document.errors.is_empty(), "{:?} {text:?}", document.errors);
            let mut entries = Vec::new();
            all_entries(&document.root, &mut entries);
            let (parent, entry) = entries[pick.index(entries.len())];
            let edit = match what {
                0 => set_value(&source, &document, entry, "7"),
                1 => remove_entry(&source, &document, entry),
                2 if entry.key.is_some() => rename_key(&source, &document, entry, "fresh"),
                _ => {
                    let key = entry.key.as_ref().map(|_| "fresh");
                    insert_entry(&source, &document, parent, Some(entry), key, "7")
                }
            };
            let edit = match edit {
                // A comment inside what would be replaced is a good reason; nothing else is.
                Err(EditError::Comment) => continue,
                Err(EditError::Unsupported("an entry that shares its line")) if format == Yaml => continue,
                edit => edit.map_err(|error| TestCaseError::fail(format!("{error}: {text:?} {entry:?}")))?,
            };
            let edited = apply(&text, &[edit]).expect("in range");
            prop_assert_eq!(edited.starts_with('\u{feff}'), text.starts_with('\u{feff}'));
            let (breaks, windows) = (edited.matches('\n').count(), edited.matches("\r\n").count());
            prop_assert!(windows == 0 || windows == breaks, "{edited:?}");
            prop_assert!(edited.trim_start_matches('\u{feff}').is_empty() || edited.ends_with('\n') == text.ends_with('\n'), "{edited:?}");
        }
    }
}
