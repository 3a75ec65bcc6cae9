//! Tests of the parsers of data formats: many tiny inputs, then hostile ones.

use std::fmt::Write;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::Format::{self, Ini, Json, Jsonc, Toml, Yaml};
use super::testing::{read, shown, slices};
use super::{Node, NodeKind};

#[track_caller]
fn check(format: Format, table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(&shown(format, text), expected, "{text:?}");
    }
}

#[track_caller]
fn check_slices(format: Format, table: &[(&str, &[&str])]) {
    for (text, expected) in table {
        assert_eq!(&slices(format, text), expected, "{text:?}");
    }
}

#[test]
fn yaml_trees() {
    check(
        Yaml,
        &[
            ("", "null"),
            ("# only a comment\n", "null"),
            ("a: 1\nb: x # c\n", r#"{a: 1, b: "x"}"#),
            ("a: 1\r\nb:\r\n  - 1\r\n  - x\r\n", r#"{a: 1, b: [1, "x"]}"#),
            ("\u{feff}a: 1", "{a: 1}"),
            ("a: 1\na: 2\n", "{a: 1, a: 2}"),
            ("a: &x {k: 1}\nb: *x\n", "{a: {k: 1}, b: *{k: 1}}"),
            ("a: &x [1, *x]\n", "{a: [1, ?]}"),
            ("a: *no\nb: 1\n", "{a: ?, b: 1} !found undefined alias 'no'"),
            ("a: 1\n---\nb: 2\n", "[{a: 1}, {b: 2}]"),
            ("--- # c\n...\n---\n- x\n", r#"[null, ["x"]]"#),
            (
                "a: !!float 1e-5\nb: !!str 12\nc: !!int '7'\nd: !!str\ne: !env X\nf: ! 12",
                r#"{a: 1e-5, b: "12", c: 7, d: "", e: ?, f: 12}"#,
            ),
            ("a: '1e-5'\nb: \"yes\\n\"\n", r#"{a: "1e-5", b: "yes\n"}"#),
            ("a: |\n  x\n  y\nb: >-\n  z\n  w\n", r#"{a: "x\ny\n", b: "z w"}"#),
            ("a: |\n  x", r#"{a: "x"}"#),
            ("? a\n: b\n? c\n", r#"{a: "b", c: null}"#),
            ("1: x\nyes: y\n", r#"{1: "x", yes: "y"}"#),
            ("a: =\n", r#"{a: "="} !could not determine a constructor for the tag 'tag:yaml.org,2002:value'"#),
            ("a: {{ x }}\nb: 1\n", "{a: {{ x }: null}, b: 1} !found unhashable key"),
            (
                "a: {{ x }}/y\nb: 1\n",
                "{a: {{ x }: null}} !found unhashable key !while parsing a block mapping, did not find expected key",
            ),
            ("a: 1\nb: [1, 2\nc: 3\n---\nd: 4\n", "[{a: 1, b: [1]}, {d: 4}] !illegal placement of ':' indicator"),
            ("路径: 模型\n", r#"{路径: "模型"}"#),
        ],
    );
}

#[test]
fn yaml_places() {
    check_slices(
        Yaml,
        &[
            ("a: 1 # c\nb : 'x'  \n", &["a: 1|1", "b : 'x'|'x'"]),
            ("a:\nb: &x\nc: &y !!str # c\nd: &z 5\n", &["a:|", "b: &x|", "c: &y !!str|", "d: &z 5|5"]),
            ("f: {g, h: , i: 1}\n", &["f: {g, h: , i: 1}|{g, h: , i: 1}", "g|", "h:|", "i: 1|1"]),
            ("a: | # c\n\n  x\n\n# k\nb: >-\n  z\n", &["a: | # c\n\n  x|| # c\n\n  x", "b: >-\n  z|>-\n  z"]),
            ("a: |\nb: 1\n", &["a: |||", "b: 1|1"]),
            (
                "a:\n- x\n-\n- - y\n  - |\n    t\n",
                &[
                    "a:\n- x\n-\n- - y\n  - |\n    t|- x\n-\n- - y\n  - |\n    t",
                    "x",
                    "",
                    "- y\n  - |\n    t",
                    "y",
                    "|\n    t",
                ],
            ),
            (
                "a: # c\n  # d\n  - &k\n    b: 1\n",
                &["a: # c\n  # d\n  - &k\n    b: 1|- &k\n    b: 1", "b: 1", "b: 1|1"],
            ),
            ("? a\n: b\n", &["a\n: b|b"]),
            ("路: 模\n", &["路: 模|模"]),
        ],
    );
}

#[test]
fn yaml_comments_and_anchors_have_places() {
    let text = "# 头\na: &x 1 # c1\nb: *x\n";
    let source = super::testing::file(text);
    let document = super::parse(Yaml, &source);
    let comments: Vec<&str> = document.comments.iter().map(|span| source.slice(*span)).collect();
    assert_eq!(comments, ["# 头", "# c1"]);
    let anchor = document.root.get("a").and_then(|node| node.anchor).expect("an anchor");
    assert_eq!(source.slice(anchor), "&x");
    assert_eq!(source.slice(document.root.get("b").expect("b").span), "*x");
}

#[test]
fn yaml_merge_keys_are_read_as_pyyaml_flattens_them() {
    let text = "\
base: &base {a: 1, b: 2, c: 3}
more: &more {<<: *base, b: 20, d: 40}
one: {<<: *base, a: 10}
many: {<<: [*more, *base], c: 30}
quoted: {'<<': *base}
";
    let root = read(Yaml, text).root;
    let value = |map: &str, key: &str| root.get(map).and_then(|map| map.get(key)).map(super::testing::show);
    for (map, key, expected) in [
        ("one", "a", Some("10")),
        ("one", "b", Some("2")),
        ("more", "a", Some("1")),
        ("many", "b", Some("20")),
        ("many", "c", Some("30")),
        ("many", "d", Some("40")),
        ("many", "z", None),
        ("quoted", "a", None),
    ] {
        assert_eq!(value(map, key).as_deref(), expected, "{map}.{key}");
    }
    let names: Vec<_> = root.get("many").expect("many").effective_entries().iter().map(|it| it.name()).collect();
    assert_eq!(names, [Some("a"), Some("b"), Some("c"), Some("d")]);
}

#[test]
fn json_trees() {
    let strict = [
        (r#"{"a": 1, "b": [true, null, -2.5e3, "x\n"]}"#, r#"{a: 1, b: [true, null, -2500.0, "x\n"]}"#),
        ("\u{feff}{\"a\": NaN, \"b\": -Infinity}", "{a: NaN, b: -inf}"),
        (
            r#"{"a": 9223372036854775807, "b": 9223372036854775808}"#,
            "{a: 9223372036854775807, b: 9.223372036854776e18}",
        ),
        (r#"{"a": 1, "a": 2}"#, "{a: 1, a: 2}"),
        ("", "? !expected a value"),
        ("{\"a\": 1,}", "{a: 1} !trailing commas are not allowed in JSON"),
        ("// c\n[1, /* d */ 2]", "[1, 2] !comments are not allowed in JSON !comments are not allowed in JSON"),
        ("{\"a\": {\"b\": 1, \"c\"", "{a: {b: 1, c: ?}} !unterminated object"),
        ("{\"a\": 1 \"b\": 2}", "{a: 1} !expected a comma"),
        ("{\"a\": 1, \"b\": {{ x }}}", "{a: 1, b: {}} !expected a string as the key"),
        ("{'a': 1}", "{} !single-quoted strings are not allowed"),
        ("{a: 1}", "{} !unexpected word `a`"),
        ("[1] 2", "[1] !text cannot contain more than one JSON value"),
        ("[1, , 2]", "[1] !unexpected comma"),
        ("[1}", "[1] !unexpected `}`"),
        ("]", "? !unexpected `]`"),
    ];
    check(Json, &strict);
    check(Jsonc, &[("// c\n{\"a\": 1, /* d */\n \"b\": 2,\n}\n", "{a: 1, b: 2}")]);
    check_slices(
        Json,
        &[(r#"{"a" : [1, "é"], "b":{}}"#, &[r#""a" : [1, "é"]|[1, "é"]"#, "1", r#""é""#, r#""b":{}|{}"#])],
    );
}

#[test]
fn toml_trees() {
    check(
        Toml,
        &[
            ("", "{}"),
            ("a = 1\nb.c = 'x'\nb.d = [1, {e = 2}]\n", r#"{a: 1, b: {c: "x", d: [1, {e: 2}]}}"#),
            (
                "z = 1\na = 2\n[t.u]\nx = 0x1F\n[[l]]\nk = 1\n[[l]]\nk = 2\n[t]\ny = 1e-5\n",
                "{z: 1, a: 2, l: [{k: 1}, {k: 2}], t: {u: {x: 31}, y: 1e-5}}",
            ),
            ("a = 2024-01-02\nb = 99999999999999999999\n", "{a: @2024-01-02, b: 1e20}"),
            ("\u{feff}a = 1\r\nb = 2\r\n", "{a: 1, b: 2}"),
        ],
    );
    let broken = read(Toml, "a = 1\nb = = 2\nc = 3\n");
    assert!(!broken.errors.is_empty());
    assert_eq!(broken.root.get("a").map(super::testing::show).as_deref(), Some("1"));
    assert_eq!(broken.root.get("c").map(super::testing::show).as_deref(), Some("3"));
}

#[test]
fn toml_places() {
    check_slices(
        Toml,
        &[
            ("a = 1 # c\n'b' . c = \"x\"\n", &["a = 1|1", "'b' . c = \"x\"|'b' . c = \"x\"", "'b' . c = \"x\"|\"x\""]),
            ("a.b = 1\na.c = 2\n", &["a.b = 1\na.c = 2|a.b = 1\na.c = 2", "a.b = 1|1", "a.c = 2|2"]),
            (
                "[t]\nx = 1\n# c\ny = 2\n\n[u]\n",
                &["[t]\nx = 1\n# c\ny = 2|[t]\nx = 1\n# c\ny = 2", "x = 1|1", "y = 2|2", "[u]|[u]"],
            ),
            (
                "i = {a.b = 1, c = [2]}\n",
                &["i = {a.b = 1, c = [2]}|{a.b = 1, c = [2]}", "a.b = 1|a.b = 1", "a.b = 1|1", "c = [2]|[2]", "2"],
            ),
            ("\u{feff}a = 1\r\n", &["a = 1|1"]),
        ],
    );
    let text = "a = 1 # one\ns = '''\n# no'''  # two\r\nt = \"# \\\" no\"\n";
    let source = super::testing::file(text);
    let comments: Vec<_> = super::parse(Toml, &source).comments.iter().map(|span| source.slice(*span)).collect();
    assert_eq!(comments, ["# one", "# two"]);
}

#[test]
fn ini_trees() {
    check(
        Ini,
        &[
            ("[a]\nX = 1\ny: two\n\n[b]\n", r#"{a: {x: "1", y: "two"}, b: {}}"#),
            (
                "[options]\ninstall_requires =\n    trl==0.12\n    # comment\n    peft\n\nz=\n",
                r#"{options: {install_requires: "\ntrl==0.12\npeft", z: ""}}"#,
            ),
            ("a = 1\n[s]\nnonsense\n", "{s: {}} !file contains no section header !expected `key = value`"),
            ("\u{feff}[s]\r\na = b\r\n", r#"{s: {a: "b"}}"#),
        ],
    );
    check_slices(
        Ini,
        &[(
            "[o]\nr =\n  a\n  b\n\nz = 1\n",
            &["[o]\nr =\n  a\n  b\n\nz = 1|[o]\nr =\n  a\n  b\n\nz = 1", "r =\n  a\n  b|a\n  b", "z = 1|1"],
        )],
    );
}

/// Every span lies inside the text, on character boundaries, and inside its parent.
fn assert_sound(format: Format, text: &str) {
    fn walk(text: &str, node: &Node, depth: usize) {
        assert!(text.get(node.span.range()).is_some(), "{:?} of {text:?}", node.span);
        assert!(depth < 1000);
        for entry in node.entries() {
            assert!(text.get(entry.span.range()).is_some(), "{:?} of {text:?}", entry.span);
            if let Some(key) = &entry.key {
                assert!(text.get(key.span.range()).is_some(), "{:?} of {text:?}", key.span);
            }
            if !matches!(entry.value.kind, NodeKind::Alias(_)) {
                walk(text, &entry.value, depth + 1);
            }
        }
    }
    let document = read(format, text);
    walk(text, &document.root, 0);
    for span in document.comments.iter().chain(document.errors.iter().map(|error| &error.span)) {
        assert!(text.get(span.range()).is_some(), "{span:?} of {text:?}");
    }
}

const FORMATS: [Format; 5] = [Yaml, Json, Jsonc, Toml, Ini];

const SAMPLES: [&str; 4] = [
    "# 头\nmodel: &m \"中\\n\" # c\nlist:\n  - - a\n    - {x: [1, *m], y: }\n  -\nt: |+2\n    z\n\n? k\n: !!float 1e-5\n<<: *m\n--- >\n x\n...\n",
    "// c\n{\"a\\u00e9\": [1, -2.5e+3, {\"b\": null, /* 中 */}, NaN], \"é\": \"\\\"\\ud83d\\ude00\",}\n",
    "# c\r\na.'b c'.d = \"\"\"x\\\ny\"\"\" # 中\r\n[t . \"u\"]\r\nv = { w = 1, x.y = [1, # c\r\n 2] }\r\n[[l]]\r\nd = 2024-01-01T00:00:00Z\r\n",
    "[a]\n# c\nK = 1\n  é\n\n  b\n; d\n[b\n=x\nz\n",
];

#[test]
fn truncated_files_are_read() {
    for sample in SAMPLES {
        for (at, _) in sample.char_indices() {
            for format in FORMATS {
                assert_sound(format, &sample[..at]);
                assert_sound(format, &sample[at..]);
                assert_sound(format, &format!("\u{feff}{}", &sample[..at]));
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read(text in "\\PC{0,40}") {
        for format in FORMATS {
            assert_sound(format, &text);
        }
    }

    #[test]
    fn any_soup_of_syntax_is_read(parts in prop::collection::vec(prop::sample::select(SOUP), 0..40)) {
        let text = parts.concat();
        for format in FORMATS {
            assert_sound(format, &text);
        }
    }
}

const SOUP: &[&str] = &[
    "a", "b: ", "- ", "-", ":", ": ", "? ", "{", "}", "[", "]", ",", "\n", "\r\n", "\r", " ", "  ", "\t", "#", " # c",
    "&x ", "*x", "!t ", "!!str ", "|", ">-", "'", "\"", "\\", "\"\"\"", "'''", "=", ".", "[[", "]]", "//", "/*", "*/",
    "1e-5", "null", "中", "\u{feff}", "\u{2028}", "\u{85}", "---", "...", "%", "@", "`", "<<: ", "~", "\0",
];

#[test]
fn deep_nesting_is_an_error_and_nothing_worse() {
    let n = 100_000;
    let texts = [
        "[".repeat(n),
        "{".repeat(n),
        "- ".repeat(n),
        "{\"a\":".repeat(n),
        "{a: ".repeat(n),
        "? ".repeat(n),
        format!("a = {}", "[".repeat(n)),
        format!("a = {}", "{a = ".repeat(n)),
        format!("{}a = 1", "a.".repeat(n)),
        format!("[{}a]", "a.".repeat(n)),
        (0..400).fold(String::new(), |text, depth| text + &" ".repeat(depth) + "a:\n"),
    ];
    for text in &texts {
        for format in FORMATS {
            assert_sound(format, text);
        }
    }
    assert!(read(Yaml, &texts[0]).errors.len() == 1 && read(Json, &texts[3]).errors.len() == 1);
    assert!(
        shown(Toml, &texts[8]).contains("nested too deeply") && shown(Toml, &texts[9]).contains("nested too deeply")
    );
}

#[test]
fn aliases_cannot_explode() {
    let mut laughs = "a0: &a0 [x, x]\n".to_owned();
    for level in 1..60 {
        let _ = writeln!(laughs, "a{level}: &a{level} [*a{0}, *a{0}, *a{0}]", level - 1);
    }
    assert!(read(Yaml, &laughs).errors.iter().any(|error| error.message.starts_with("aliases expand")));
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for level in 1..5000 {
        let _ = writeln!(chain, "a{level}: &a{level} [*a{}]", level - 1);
    }
    assert!(!read(Yaml, &chain).errors.is_empty());
}

#[test]
fn large_files_are_read_in_linear_time() {
    let unit = 1_000_000;
    let fill = |line: &str| line.repeat(unit / line.len());
    let texts = [
        (Yaml, fill("key: {a: 1, b: [x, y]} # c\n")),
        (Yaml, fill("# comment\n")),
        (Yaml, fill("- a\n- |\n  text\n")),
        (Json, format!("[{}1]", fill("{\"a\": [1, 2.5], \"b\": \"text\"},\n"))),
        (Toml, format!("a = [\n{}]", fill("  {a = 1, b = 'x'}, # c\n"))),
        (Toml, fill("[[l]]\na.b = 1\n")),
        (Ini, format!("[s]\n{}", fill("a = 1\n  more\n"))),
    ];
    for (format, text) in texts {
        let start = Instant::now();
        read(format, &text);
        // A debug build reads these in half a second or so; quadratic time would take many minutes.
        assert!(start.elapsed() < Duration::from_mins(1), "{format:?} {:?} took {:?}", &text[..20], start.elapsed());
    }
}
