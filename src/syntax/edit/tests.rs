//! Every edit is proved when it is made (see `proof`), so the tables here check layout, and `property_tests` that edits are made at all.

use super::*;
use crate::syntax::Format::{Ini, Json, Jsonc, Toml, Yaml};
use crate::syntax::testing::{file, show};
use crate::syntax::{Scalar, parse};

/// An edit of the entry at a path of names and numbers: `a.0.b`.
#[derive(Clone, Copy)]
enum Do<'a> {
    Set(&'a str),
    Rename(&'a str),
    Remove,
    /// Under the path, after an entry or at the end.
    Insert(Option<&'a str>, Option<&'a str>, &'a str),
}

/// The text after the edit, or the reason why there is none.
fn edited(format: Format, text: &str, path: &str, edit: Do<'_>) -> String {
    let source = file(text);
    let document = parse(format, &source);
    let (mut node, mut entry) = (&document.root, None);
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let found = match step.parse::<usize>() {
            Ok(index) => &node.entries()[index],
            Err(_) => node.entry(step).expect(step),
        };
        (node, entry) = (&found.value, Some(found));
    }
    let edit = match edit {
        Do::Set(raw) => set_value(&source, &document, entry.expect("an entry"), raw),
        Do::Rename(name) => rename_key(&source, &document, entry.expect("an entry"), name),
        Do::Remove => remove_entry(&source, &document, entry.expect("an entry")),
        Do::Insert(after, key, raw) => {
            insert_entry(&source, &document, node, after.map(|name| node.entry(name).expect(name)), key, raw)
        }
    };
    match edit.and_then(|edit| apply(text, &[edit])) {
        Ok(text) => text,
        Err(error) => format!("!{error}"),
    }
}

#[track_caller]
fn check(format: Format, table: &[(&str, &str, Do<'_>, &str)]) {
    let failures: Vec<_> = table
        .iter()
        .map(|(text, path, edit, expected)| (text, path, expected, edited(format, text, path, *edit)))
        .filter(|(_, _, expected, found)| *expected != found)
        .map(|(text, path, expected, found)| format!("{text:?} {path}\n  wanted {expected:?}\n  found  {found:?}"))
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

use Do::{Insert, Remove, Rename, Set};

const SHARED: &str = "!the value is shared through a YAML anchor";

#[test]
fn yaml_values_are_set() {
    check(
        Yaml,
        &[
            ("a: 1 # c\nb: 2\n", "a", Set("null"), "a: null # c\nb: 2\n"),
            ("a: 'x'", "a", Set("null"), "a: null"),
            ("a:\nb: 2\n", "a", Set("1"), "a: 1\nb: 2\n"),
            ("a: # c\nb: 2\n", "a", Set("1"), "a: 1 # c\nb: 2\n"),
            ("\u{feff}a: x\r\nb: 2\r\n", "a", Set("null"), "\u{feff}a: null\r\nb: 2\r\n"),
            ("a: !!float 1e-5\n", "a", Set("null"), "a: null\n"),
            ("a: &x !!str 1\n", "a", Set("null"), "a: &x null\n"),
            ("a: &x 1\nb: *x\n", "a", Set("null"), SHARED),
            ("a: &x 1\nb: *x\n", "b", Set("null"), "a: &x 1\nb: null\n"),
            ("a: &x {k: 1}\nb: {<<: *x}\n", "a.k", Set("2"), SHARED),
            ("a: 1\na: 2\n", "0", Set("3"), "!`a` is written more than once"),
            ("a: 1\na: 2\n", "a", Set("3"), "a: 1\na: 3\n"),
            ("a: {r: p, b: 0.1}\n", "a.r", Set("null"), "a: {r: null, b: 0.1}\n"),
            ("a: {r: , b: 0.1}\n", "a.r", Set("1"), "a: {r: 1 , b: 0.1}\n"),
            ("a: {r, b: 0.1}\n", "a.r", Set("1"), "a: {r: 1, b: 0.1}\n"),
            ("a:\n  b: 1\n  c: 2\nd: 3\n", "a", Set("null"), "a: null\nd: 3\n"),
            ("a:\n- 1\n- 2\nd: 3\n", "a", Set("null"), "a: null\nd: 3\n"),
            ("a: # c\n- 1\n- 2\nd: 3\n", "a", Set("null"), "a: # c\n  null\nd: 3\n"),
            ("a:\n  b: 1 # c\n  c: 2\n", "a", Set("null"), "!a comment would be lost"),
            ("a: |\n  x\n  y\nb: 1\n", "a", Set("z"), "a: z\nb: 1\n"),
            ("a: >- # c\n  x\nb: 1\n", "a", Set("z"), "!a comment would be lost"),
            ("a:\n  - x # c\n  - y\n", "a.0", Set("z"), "a:\n  - z # c\n  - y\n"),
            ("a: 1\n---\nb: 2\n", "1.b", Set("3"), "a: 1\n---\nb: 3\n"),
            ("a: 1\n", "a", Set("b: c"), "!the edit would change more than intended"),
            ("路: 模 # 注\n", "路", Set("null"), "路: null # 注\n"),
        ],
    );
}

#[test]
fn yaml_entries_are_removed() {
    check(
        Yaml,
        &[
            ("a: 1\nb: 2\nc: 3\n", "b", Remove, "a: 1\nc: 3\n"),
            ("a: 1\nb: 2", "b", Remove, "a: 1"),
            ("a: 1\r\nb: 2\r\n", "a", Remove, "b: 2\r\n"),
            ("\u{feff}a: 1\nb: 2\n", "a", Remove, "\u{feff}b: 2\n"),
            ("# h\na: 1 # c\nb: 2\n", "a", Remove, "# h\n# c\nb: 2\n"),
            ("x:\n  a: 1 # c\n  b: 2\n", "x.a", Remove, "x:\n  # c\n  b: 2\n"),
            ("a:\n  # in\n  k: 1 # c\nb: 2\n", "a", Remove, "# in\n# c\nb: 2\n"),
            ("a: |\n  x\n\nb: 2\n", "a", Remove, "\nb: 2\n"),
            ("x:\n  a: 1 # c\ny: 2\n", "x.a", Remove, "x: {} # c\ny: 2\n"),
            ("x: # c\n  a: 1\ny: 2\n", "x.a", Remove, "x: # c\n  {}\ny: 2\n"),
            ("a: 1 # c\n", "a", Remove, "{} # c\n"),
            ("x:\n- a\ny: 2\n", "x.0", Remove, "x: []\ny: 2\n"),
            ("- a: 1\n  b: 2\n", "0.a", Remove, "- b: 2\n"),
            ("- a: 1 # c\n  b: 2\n", "0.a", Remove, "- # c\n  b: 2\n"),
            ("- a: 1\n  b: 2\n", "0.b", Remove, "- a: 1\n"),
            ("- a: 1\n- b\n", "0.a", Remove, "- {}\n- b\n"),
            ("x:\n  - a\n  - b # c\n  -\n", "x.1", Remove, "x:\n  - a\n  # c\n  -\n"),
            ("x:\n  - a\n  - &k\n    b: 1\n", "x.1", Remove, "x:\n  - a\n"),
            ("- - a\n  - b\n", "0.0", Remove, "- - b\n"),
            ("{a: 1, b: 2}\n", "a", Remove, "{b: 2}\n"),
            ("x: [a, !t b, &k c]\n", "x.1", Remove, "x: [a, &k c]\n"),
            ("x: [a, !t b, &k c]\n", "x.2", Remove, "x: [a, !t b]\n"),
            ("x: {\n  a: 1, # c\n  b: 2\n}\n", "x.b", Remove, "x: {\n  a: 1 # c\n}\n"),
            ("a: 1\na: 2\n", "a", Remove, "!`a` is written more than once"),
            ("a: &x 1\nb: *x\n", "a", Remove, SHARED),
            ("? a\n: 1\nb: 2\n", "a", Remove, "!cannot edit an entry that shares its line"),
        ],
    );
}

#[test]
fn yaml_entries_are_inserted_and_renamed() {
    check(
        Yaml,
        &[
            ("a: 1\nb: 2\n", "", Insert(None, Some("c"), "3"), "a: 1\nb: 2\nc: 3\n"),
            ("a: 1 # c\nb: 2", "", Insert(Some("a"), Some("c"), "3"), "a: 1 # c\nc: 3\nb: 2"),
            ("b: 2", "", Insert(None, Some("c"), "3"), "b: 2\nc: 3"),
            (
                "x:\r\n  a: |\r\n    t\r\ny: 1\r\n",
                "x",
                Insert(None, Some("c"), "3"),
                "x:\r\n  a: |\r\n    t\r\n  c: 3\r\ny: 1\r\n",
            ),
            ("- a: 1\n- b\n", "0", Insert(None, Some("c"), "3"), "- a: 1\n  c: 3\n- b\n"),
            ("x:\n- a\ny: 1\n", "x", Insert(None, None, "b"), "x:\n- a\n- b\ny: 1\n"),
            ("x: {a: 1}\n", "x", Insert(None, Some("c"), "3"), "x: {a: 1, c: 3}\n"),
            ("x: {}\n", "x", Insert(None, Some("c"), "3"), "x: {c: 3}\n"),
            ("# c", "", Insert(None, Some("c"), "3"), "# c\nc: 3\n"),
            ("a: 1\n", "", Insert(None, Some("a"), "3"), "!`a` exists already"),
            ("a: 1\n", "", Insert(None, Some("yes"), "3"), "a: 1\n\"yes\": 3\n"),
            ("a: 1 # c\n", "a", Rename("b"), "b: 1 # c\n"),
            ("'a' : 1\n", "a", Rename("b"), "'b' : 1\n"),
            ("a: 1\nb: 2\n", "a", Rename("b"), "!`b` exists already"),
            ("x: {\"a\":1}\n", "x.a", Rename("b"), "x: {\"b\":1}\n"),
        ],
    );
}

#[test]
fn json_edits() {
    let object = "{\n  \"a\": 1,\n  \"b\": [1, 2],\n  \"c\": {}\n}\n";
    check(
        Json,
        &[
            (object, "a", Set("null"), "{\n  \"a\": null,\n  \"b\": [1, 2],\n  \"c\": {}\n}\n"),
            (object, "a", Remove, "{\n  \"b\": [1, 2],\n  \"c\": {}\n}\n"),
            (object, "c", Remove, "{\n  \"a\": 1,\n  \"b\": [1, 2]\n}\n"),
            (object, "b.0", Remove, "{\n  \"a\": 1,\n  \"b\": [2],\n  \"c\": {}\n}\n"),
            (
                object,
                "",
                Insert(None, Some("d"), "1"),
                "{\n  \"a\": 1,\n  \"b\": [1, 2],\n  \"c\": {},\n  \"d\": 1\n}\n",
            ),
            (
                object,
                "",
                Insert(Some("a"), Some("d"), "1"),
                "{\n  \"a\": 1,\n  \"d\": 1,\n  \"b\": [1, 2],\n  \"c\": {}\n}\n",
            ),
            (object, "b", Insert(None, None, "3"), "{\n  \"a\": 1,\n  \"b\": [1, 2, 3],\n  \"c\": {}\n}\n"),
            (object, "c", Insert(None, Some("x"), "3"), "{\n  \"a\": 1,\n  \"b\": [1, 2],\n  \"c\": {\"x\": 3}\n}\n"),
            ("\u{feff}{\"a\": 1}", "a", Remove, "\u{feff}{}"),
            ("{\"a\": 1}", "a", Rename("b\"c"), "{\"b\\\"c\": 1}"),
            ("{\r\n\t\"a\": 1,\r\n\t\"b\": 2\r\n}", "b", Remove, "{\r\n\t\"a\": 1\r\n}"),
            ("{\r\n\t\"a\": 1,\r\n\t\"b\": 2\r\n}", "a", Remove, "{\r\n\t\"b\": 2\r\n}"),
            ("{\r\n\t\"a\": 1\r\n}", "", Insert(None, Some("b"), "2"), "{\r\n\t\"a\": 1,\r\n\t\"b\": 2\r\n}"),
            ("{\"a\": 1, \"a\": 2}", "a", Remove, "!`a` is written more than once"),
            ("{\"a\": 1, \"a\": 2}", "a", Set("3"), "{\"a\": 1, \"a\": 3}"),
            ("[]", "", Insert(None, None, "1"), "[1]"),
        ],
    );
    check(
        Jsonc,
        &[
            ("{\n  \"a\": 1, // one\n  \"b\": 2 // two\n}", "a", Remove, "{\n  // one\n  \"b\": 2 // two\n}"),
            ("{\n  \"a\": 1, // one\n  \"b\": 2 // two\n}", "b", Remove, "{\n  \"a\": 1 // one\n  // two\n}"),
            (
                "{\n  \"a\": 1, // one\n  \"b\": 2 // two\n}",
                "",
                Insert(None, Some("c"), "3"),
                "{\n  \"a\": 1, // one\n  \"b\": 2, // two\n  \"c\": 3\n}",
            ),
            ("{\n  \"a\": 1, // one\n}", "", Insert(None, Some("c"), "3"), "{\n  \"a\": 1, // one\n  \"c\": 3,\n}"),
            ("{\"a\": 1 /* x */, \"b\": 2}", "a", Remove, "{/* x */ \"b\": 2}"),
            ("{\"a\": 1, // x\n \"b\": 2}", "b", Remove, "{\"a\": 1 // x\n }"),
            ("{\n  // only\n}", "", Insert(None, Some("c"), "3"), "{\n  // only\n  \"c\": 3\n}"),
            ("{\n  // one\n  \"a\": 1, // two\n}", "a", Remove, "{\n  // one\n  // two\n}"),
            ("{\"a\": [1, /* x */ 2]}", "a", Set("null"), "!a comment would be lost"),
        ],
    );
}

#[test]
fn toml_edits() {
    let tables = "# top\na = 1 # one\nb.c = 2\n\n[t]\nx = { k = 1, j.i = 2 }\ny = [1, 2]\n\n[t.u]\n";
    let with = |old: &str, new: &str| {
        assert!(tables.contains(old));
        tables.replacen(old, new, 1)
    };
    let table = [
        ("a", Set("2"), with("a = 1", "a = 2")),
        ("a", Remove, with("a = 1 #", "#")),
        ("a", Rename("z"), with("a = 1", "z = 1")),
        ("b.c", Remove, with("b.c = 2\n", "")),
        ("b.c", Rename("d e"), with("b.c", "b.\"d e\"")),
        ("b", Insert(None, Some("d"), "3"), with("b.c = 2\n", "b.c = 2\nb.d = 3\n")),
        ("", Insert(None, Some("d"), "3"), with("b.c = 2\n", "b.c = 2\nd = 3\n")),
        ("t", Insert(None, Some("d"), "3"), with("y = [1, 2]\n", "y = [1, 2]\nd = 3\n")),
        ("t", Insert(Some("x"), Some("d"), "3"), with("y = [1, 2]\n", "d = 3\ny = [1, 2]\n")),
        ("t.u", Insert(None, Some("d"), "3"), with("[t.u]\n", "[t.u]\nd = 3\n")),
        ("t.x.k", Remove, with("k = 1, ", "")),
        ("t.x.j.i", Remove, with(", j.i = 2", "")),
        ("t.x.j.i", Set("'s'"), with("j.i = 2", "j.i = 's'")),
        ("t.x", Insert(None, Some("d"), "3"), with("j.i = 2", "j.i = 2, d = 3")),
        ("t.y.1", Remove, with("[1, 2]", "[1]")),
        ("t.y", Insert(None, None, "3"), with("[1, 2]", "[1, 2, 3]")),
        ("t", Remove, "!cannot edit a table as a whole".into()),
        ("b", Set("1"), "!cannot edit a table as a whole".into()),
        ("t.x", Remove, with("x = { k = 1, j.i = 2 }\n", "")),
    ];
    for (path, edit, expected) in &table {
        check(Toml, &[(tables, path, *edit, expected)]);
        let (windows, expected) = (tables.replace('\n', "\r\n"), expected.replace('\n', "\r\n"));
        check(Toml, &[(&format!("\u{feff}{windows}"), path, *edit, &mark(&expected))]);
    }
    check(
        Toml,
        &[
            ("", "", Insert(None, Some("d"), "3"), "d = 3\n"),
            ("[t]\nx = 1\n", "", Insert(None, Some("d"), "3"), "d = 3\n\n[t]\nx = 1\n"),
            ("[t.u]\nx = 1\n", "t", Insert(None, Some("d"), "3"), "!cannot edit a table without a header"),
            ("l = [\n  1, # one\n  2, # two\n]\n", "l.1", Remove, "l = [\n  1, # one\n  # two\n]\n"),
            ("l = [\n  1, # one\n]\n", "l", Remove, "# one\n"),
            ("[[l]]\na = 1\n[[l]]\na = 2\n", "l.1.a", Set("3"), "[[l]]\na = 1\n[[l]]\na = 3\n"),
            (
                "[[l]]\na = 1\n[[l]]\na = 2\n",
                "l.0",
                Insert(None, Some("b"), "3"),
                "[[l]]\na = 1\nb = 3\n[[l]]\na = 2\n",
            ),
            ("[[l]]\na = 1\n", "l.0", Remove, "!cannot edit a table as a whole"),
        ],
    );
}

fn mark(text: &str) -> String {
    if text.starts_with('!') { text.to_owned() } else { format!("\u{feff}{text}") }
}

#[test]
fn ini_edits() {
    let text = "[o]\nA = 1\nr =\n    x\n    # c\n    y\n\n[p]\n";
    check(
        Ini,
        &[
            (text, "o.a", Set("2"), "[o]\nA = 2\nr =\n    x\n    # c\n    y\n\n[p]\n"),
            (text, "o.a", Remove, "[o]\nr =\n    x\n    # c\n    y\n\n[p]\n"),
            (text, "o.r", Remove, "[o]\nA = 1\n# c\n\n[p]\n"),
            (text, "p", Insert(None, Some("z"), "1"), "[o]\nA = 1\nr =\n    x\n    # c\n    y\n\n[p]\nz = 1\n"),
            (text, "o", Remove, "!cannot edit a table as a whole"),
        ],
    );
}

#[test]
fn apply_refuses_what_is_not_clear() {
    let source = file("a中b");
    let edit = |start, end, text: &str| Edit { span: source.span(start..end), text: text.into() };
    assert_eq!(apply("a中b", &[edit(4, 5, "y"), edit(0, 1, "x"), edit(1, 1, "-")]), Ok("x-中y".into()));
    assert_eq!(apply("a中b", &[edit(0, 4, ""), edit(1, 5, "")]), Err(EditError::Overlap));
    assert_eq!(apply("a中b", &[edit(1, 1, "x"), edit(1, 1, "y")]), Err(EditError::Overlap));
    assert_eq!(apply("a中b", &[edit(2, 4, "")]), Err(EditError::OutOfRange));
    assert_eq!(apply("a中b", &[edit(5, 9, "")]), Err(EditError::OutOfRange));
}

#[test]
fn entries_are_found_by_their_spans() {
    let source = file("a: {b: 1}\nl:\n- x\n");
    let document = parse(Yaml, &source);
    let at = |text: &str| {
        let start = source.text().find(text).expect("there");
        entry_at(&document, source.span(start..start + text.len())).map(|entry| show(&entry.value))
    };
    assert_eq!(at("b"), Some("1".into()));
    assert_eq!(at("1"), Some("1".into()));
    assert_eq!(at("a: {b: 1}"), Some("{b: 1}".into()));
    assert_eq!(at("x"), Some("\"x\"".into()));
    assert_eq!(at(":"), None);
}

#[test]
fn python_calls_use_the_same_commas() {
    let text = "f(\n    model,\n    ref_model=r,  # frozen\n    args=a,\n)";
    let at = |part: &str| {
        let start = text.find(part).expect(part);
        start..start + part.len()
    };
    let (items, comments) = ([at("model"), at("ref_model=r"), at("args=a")], [at("# frozen")]);
    let list = CommaList { text, inside: 2..text.len() - 1, items: &items, comments: &comments };
    let (range, new) = list.remove(1).expect("removed");
    let mut edited = text.to_owned();
    edited.replace_range(range, &new);
    assert_eq!(edited, "f(\n    model,\n    # frozen\n    args=a,\n)");
}

#[test]
fn null_is_written_in_the_words_of_the_format() {
    assert_eq!([Yaml, Json, Toml, Format::Python].map(null_value), [Some("null"), Some("null"), None, Some("None")]);
    let read = |format, text: &str| parse(format, &file(text)).root.scalar().cloned();
    assert_eq!(read(Yaml, "null"), Some(Scalar::Null));
}
