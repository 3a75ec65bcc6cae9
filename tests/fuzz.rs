//! Properties of any text, tried on files that are broken in ways that depend on a number alone: every run of the tests sees the same.
//!
//! `FUZZ_CASES=100000 cargo test --release --test fuzz` tries more. The targets under `fuzz` try the same properties on what libFuzzer
//! comes by.

mod properties;

use std::path::Path;

use dpo_lint::syntax::Format;
use properties::seeds;

/// So many broken files for each parser, and a fortieth of that many projects.
const CASES: usize = 600;

fn cases() -> usize {
    std::env::var("FUZZ_CASES").ok().map_or(CASES, |cases| cases.parse().expect("FUZZ_CASES is a number"))
}

#[test]
fn any_python_is_read() {
    try_all(&seeds::of_format(Format::Python), cases() * 3, properties::python);
}

#[test]
fn any_notebook_is_read() {
    try_all(&seeds::of_format(Format::Notebook), cases(), properties::notebook);
}

#[test]
fn any_document_is_read() {
    let documents = seeds::FORMATS.into_iter().filter(|format| !matches!(format, Format::Python | Format::Notebook));
    for format in documents {
        try_all(&seeds::of_format(format), cases(), |text| properties::reads(format, text));
    }
}

#[test]
fn any_project_is_checked() {
    try_all(&seeds::projects(), cases() / 10, properties::checks);
}

#[test]
fn fixes_of_any_project_end_and_break_nothing() {
    try_all(&seeds::projects(), cases() / 20, properties::repairs);
}

/// No test: what the targets under `fuzz` begin with.
#[test]
#[ignore = "writes fuzz/corpus"]
fn seeds_are_written() {
    let write = |target: &str, texts: Vec<String>| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (number, text) in texts.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:03}")), text).expect("written");
        }
    };
    for format in seeds::FORMATS {
        write(&format!("{format:?}").to_lowercase(), seeds::of_format(format));
    }
    for target in ["checks", "repairs"] {
        write(target, seeds::projects());
    }
}

/// Tries as many files as there are cases.
#[expect(clippy::print_stderr, reason = "whoever reads the failure wants the file")]
fn try_all(seeds: &[String], cases: usize, property: impl Fn(&str) + std::panic::RefUnwindSafe) {
    assert!(!seeds.is_empty());
    for case in 0..cases {
        let text = broken(seeds, case as u64);
        if let Err(payload) = std::panic::catch_unwind(|| property(&text)) {
            eprintln!("case {case}:\n{text}");
            std::panic::resume_unwind(payload);
        }
    }
}

/// A seed with up to four parts missing, doubled, moved, or replaced by parts of another.
fn broken(seeds: &[String], case: u64) -> String {
    let mut dice = Dice(case);
    let mut text = seeds[dice.roll(seeds.len())].clone();
    for _ in 0..dice.roll(5) {
        let (start, end) = dice.part(&text);
        let other = &seeds[dice.roll(seeds.len())];
        let (from, to) = dice.part(other);
        let (part, foreign) = (text[start..end].to_owned(), &other[from..to]);
        match dice.roll(8) {
            0 => text.truncate(start),
            1 => text.replace_range(..end, ""),
            2 => text.replace_range(start..end, ""),
            3 => text.insert_str(end, &part),
            4 => text.replace_range(start..end, foreign),
            5 => text.insert_str(start, foreign),
            6 => text.insert_str(start, SPLINTERS[dice.roll(SPLINTERS.len())]),
            _ => text.replace_range(start..end, SPLINTERS[dice.roll(SPLINTERS.len())]),
        }
    }
    text
}

/// What parsers stumble over.
const SPLINTERS: &[&str] = &[
    "\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    "\\",
    "\\\n",
    "'",
    "\"",
    "'''",
    "\"\"\"",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "=",
    "#",
    "# ",
    "-",
    "--",
    "- ",
    "|",
    ">",
    "&",
    "*",
    "**",
    "@",
    "%",
    "$",
    "$(",
    "${",
    "`",
    ";",
    "!",
    "<<",
    "<<E\n",
    "\0",
    "中",
    "\u{feff}",
    "\u{2028}",
    "\u{85}",
    "null",
    "None",
    "1e-5",
    "~",
    "ref_model=None, ",
    "peft_config=",
    "# dpo-lint: ignore",
    "if x:\n    ",
];

/// Numbers that depend on the first alone.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64: neighbours have nothing in common.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides.max(1) as u64) as usize
    }

    /// A part of a text, most often a short one.
    fn part(&mut self, text: &str) -> (usize, usize) {
        let longest = if self.roll(4) == 0 { text.len() } else { 12 };
        let start = self.roll(text.len() + 1);
        let end = (start + self.roll(longest.max(1))).min(text.len());
        let boundary = |mut at: usize| {
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        (boundary(start), boundary(end))
    }
}
