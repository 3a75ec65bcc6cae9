//! Makefiles: the recipes are read as shell, with the variables of the file.
//!
//! The root is what [`super::shell`] gives: a list of commands, before them the variables as entries with a key. `$(NAME)`
//! is a variable of the file, `$$` is the shell's `$`, automatic variables and functions are not known.

use std::collections::BTreeSet;

use super::embedded::Embedded;
use super::shell::{self, Region};
use super::{Document, Format, strip_bom};
use crate::source::{SourceFile, Span};

/// Parses a Makefile.
pub fn parse(source: &SourceFile) -> Document {
    let mut reader = Reader {
        source,
        text: Embedded::empty(source.id(), 0),
        variables: Vec::new(),
        scripts: Vec::new(),
        comments: Vec::new(),
        at: strip_bom(source.text()).0,
        conditions: 0,
        in_define: false,
        target_specific: BTreeSet::new(),
    };
    reader.read_lines();
    // Variables are expanded when a recipe runs: after the whole file was read.
    let mut regions = reader.variables;
    regions.extend(reader.scripts);
    let mut document = shell::parse_regions(&reader.text, Format::Makefile, &regions);
    document.root.span = source.span(0..source.text().len());
    document.comments.extend(reader.comments);
    document.comments.sort_unstable();
    document
}

struct Reader<'a> {
    source: &'a SourceFile,
    /// Values and recipes as a shell would see them.
    text: Embedded<'a>,
    variables: Vec<Region>,
    scripts: Vec<Region>,
    comments: Vec<Span>,
    at: usize,
    /// `ifeq`, `ifdef` that are open.
    conditions: usize,
    in_define: bool,
    target_specific: BTreeSet<&'a str>,
}

impl<'a> Reader<'a> {
    fn read_lines(&mut self) {
        while let Some((start, line)) = self.next_line() {
            if line.starts_with('\t') && !self.in_define {
                self.recipe(start, line);
            } else {
                self.statement(start, line);
            }
        }
    }

    /// The next line without its newline.
    fn next_line(&mut self) -> Option<(usize, &'a str)> {
        let start = self.at;
        let rest = &self.source.text()[start..];
        if rest.is_empty() {
            return None;
        }
        let length = rest.find('\n').map_or(rest.len(), |length| length + 1);
        self.at += length;
        Some((start, rest[..length].trim_end_matches(['\n', '\r'])))
    }

    fn recipe(&mut self, start: usize, line: &'a str) {
        let prefix = line.len() - line.trim_start_matches(['\t', ' ', '@', '-', '+']).len();
        let from = self.text.text().len();
        self.shell_lines(start + prefix, &line[prefix..]);
        self.scripts.push(Region::Script(from..self.text.text().len()));
        self.text.push_as("\n", self.at..self.at);
    }

    /// Copies a recipe line and those it continues on.
    fn shell_lines(&mut self, mut start: usize, mut line: &'a str) {
        let mut in_quotes = false;
        loop {
            let continued = line.ends_with('\\');
            let content = line.strip_suffix('\\').unwrap_or(line);
            self.expand(start, content, &mut in_quotes);
            if !continued {
                return;
            }
            self.text.push_as("\\\n", start + content.len()..start + line.len());
            let Some((next, text)) = self.next_line() else { return };
            // Make takes the recipe's own tab away.
            let tab = usize::from(text.starts_with('\t'));
            (start, line) = (next + tab, &text[tab..]);
        }
    }

    /// Copies text, `$(NAME)` as `${NAME}`; `in_quotes` says whether the shell is inside single quotes, where make expands
    /// and the shell would not.
    fn expand(&mut self, start: usize, text: &str, in_quotes: &mut bool) {
        let mut from = 0;
        let mut at = 0;
        let bytes = text.as_bytes();
        while at < bytes.len() {
            match bytes[at] {
                b'\'' => *in_quotes = !*in_quotes,
                b'\\' if !*in_quotes => at += 1,
                b'$' => {
                    self.text.push(&text[from..at], start + from);
                    let (length, shell) = reference(&text[at..]);
                    let shell = if *in_quotes && shell != "$" { format!("'\"{shell}\"'") } else { shell };
                    self.text.push_as(&shell, start + at..start + at + length);
                    at += length;
                    from = at;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        self.text.push(&text[from..], start + from);
    }

    fn statement(&mut self, start: usize, line: &'a str) {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        let word = content.split([' ', '\t', '(']).next().unwrap_or("");
        match word {
            "endef" => self.in_define = false,
            _ if self.in_define || content.is_empty() => {}
            "define" => self.in_define = true,
            "ifeq" | "ifneq" | "ifdef" | "ifndef" => self.conditions += 1,
            "endif" => self.conditions = self.conditions.saturating_sub(1),
            "else" | "include" | "-include" => {}
            _ if content.starts_with('#') => {
                self.comments.push(self.source.span(start + indent..start + line.trim_end().len()));
            }
            _ => self.assignment_or_rule(start + indent, content),
        }
    }

    fn assignment_or_rule(&mut self, start: usize, content: &'a str) {
        let mut from = 0;
        for modifier in ["export ", "override ", "private "] {
            from += content[from..].strip_prefix(modifier).map_or(0, |rest| content[from..].len() - rest.len());
        }
        if let Some(assignment) = Assignment::find(&content[from..]) {
            self.assignment(start + from, &content[from..], &assignment);
            return;
        }
        let Some(colon) = rule_colon(content) else {
            self.skip_continued(content);
            return;
        };
        let after = &content[colon + 1..];
        if let Some(assignment) = Assignment::find(after.trim_start()) {
            // `target: NAME = value` holds for one target only.
            self.target_specific.insert(after.trim_start()[..assignment.name_end].trim());
            let name_at = start + colon + 1 + after.len() - after.trim_start().len();
            self.unknown(name_at, &after.trim_start()[..assignment.name_end]);
            self.skip_continued(content);
            return;
        }
        match after.split_once(';') {
            Some((dependencies, _)) => {
                let at = colon + 1 + dependencies.len() + 1;
                self.recipe(start + at, &content[at..]);
            }
            None => self.skip_continued(content),
        }
    }

    /// Moves past the lines that a line continues on.
    fn skip_continued(&mut self, mut line: &'a str) {
        while line.ends_with('\\') {
            let Some((_, next)) = self.next_line() else { return };
            line = next;
        }
    }

    fn unknown(&mut self, start: usize, name: &str) {
        let from = self.text.text().len();
        self.text.push(name, start);
        self.variables.push(Region::Unknown(from..self.text.text().len()));
    }

    fn assignment(&mut self, start: usize, content: &'a str, found: &Assignment) {
        let name = content[..found.name_end].trim_end();
        if self.conditions > 0 || found.operator == "!=" || self.target_specific.contains(name) {
            self.unknown(start, name);
            self.skip_continued(content);
            return;
        }
        let name_from = self.text.text().len();
        self.text.push(name, start);
        let name_range = name_from..self.text.text().len();
        let from = self.text.text().len();
        self.value(start + found.value_start, &content[found.value_start..]);
        let value = from..self.text.text().len();
        // Quotes mean something to the shell after make has put the value in place, which a shell variable cannot show.
        let plain = !self.text.text()[value.clone()].contains(['"', '\'', '`']);
        self.variables.push(if plain {
            Region::Variable { name: name_range, value, append: found.operator == "+=" }
        } else {
            Region::Unknown(name_range)
        });
    }

    /// Copies a value up to its comment; continued lines are joined by a blank.
    fn value(&mut self, mut start: usize, mut line: &'a str) {
        loop {
            let continued = line.ends_with('\\');
            let content = line.strip_suffix('\\').unwrap_or(line);
            let hash = content.find('#');
            let end = hash.unwrap_or(content.len());
            if let Some(hash) = hash {
                self.comments.push(self.source.span(start + hash..start + content.trim_end().len()));
            }
            let trimmed = content[..end].trim_end();
            self.expand(start, trimmed, &mut false);
            if !continued || hash.is_some() {
                return;
            }
            let Some((next, text)) = self.next_line() else { return };
            let indent = text.len() - text.trim_start().len();
            self.text.push_as(" ", start + trimmed.len()..next + indent);
            (start, line) = (next + indent, &text[indent..]);
        }
    }
}

/// Where the parts of an assignment are.
struct Assignment {
    name_end: usize,
    operator: &'static str,
    value_start: usize,
}

impl Assignment {
    fn find(content: &str) -> Option<Self> {
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let name_end = content.find(|letter| !is_name(letter))?;
        if name_end == 0 {
            return None;
        }
        let after = content[name_end..].trim_start();
        let operator = [":::=", "::=", ":=", "?=", "+=", "!=", "="].into_iter().find(|it| after.starts_with(it))?;
        let value = after[operator.len()..].trim_start();
        Some(Self { name_end, operator, value_start: content.len() - value.len() })
    }
}

/// The colon of a rule, outside of `$(...)`.
fn rule_colon(content: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in content.bytes().enumerate() {
        match byte {
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth = depth.saturating_sub(1),
            b'#' if depth == 0 => return None,
            b':' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// Length of the reference at the start of `text`, and what a shell would have to read in its place.
fn reference(text: &str) -> (usize, String) {
    // What is not known is written as a shell variable that is never known.
    let unknown = "$?".to_owned();
    let mut letters = text.char_indices().skip(1);
    match letters.next() {
        None => (1, "$".to_owned()),
        Some((_, '$')) => (2, "$".to_owned()),
        Some((_, open @ ('(' | '{'))) => {
            let close = if open == '(' { ')' } else { '}' };
            let Some(end) = closing(text, open, close) else { return (text.len(), unknown) };
            let name = &text[2..end];
            let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            let is_simple = !name.is_empty() && name.chars().all(is_name);
            (end + 1, if is_simple { format!("${{{name}}}") } else { unknown })
        }
        Some((at, letter)) if letter.is_ascii_alphabetic() || letter == '_' => (at + 1, format!("${{{letter}}}")),
        Some((at, letter)) => (at + letter.len_utf8(), unknown),
    }
}

/// The bracket that closes the second character.
fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0usize;
    for (at, letter) in text.char_indices().skip(1) {
        if letter == open {
            depth += 1;
        } else if letter == close {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::syntax::testing::file;

    fn show(text: &str) -> String {
        let document = parse(&file(text));
        let mut lines: Vec<String> = document.root.entries().iter().map(shell::tests::entry).collect();
        lines.extend(document.errors.iter().map(|error| format!("error: {}", error.message)));
        lines.join("\n")
    }

    #[test]
    fn recipes() {
        for (text, expected) in [
            ("", ""),
            ("all: x\n\t@python t.py --a 1\n\t-ls", "python [t.py] [--a] [1]\nls"),
            (
                "A = 1\nB := $(A) 2\nx:\n\trun $(A) ${B} $A $$A $@ $(shell ls)\n",
                "A=[1]\nB=[1 2]\nrun [1] [1] [2] [1] [1] ? ?",
            ),
            ("A ?= 1\nA += 2 # c\nx: ; run $(A)\n", "A=[1]\nA=[2]\nrun [1] [2]"),
            ("A = --x \\\n\t1\nx:\n\trun $(A) \\\n\t  --b\n", "A=[--x 1]\nrun [--x] [1] [--b]"),
            ("x:\n\trun $(B)\nB = 2\n", "run [2]\nB=[2]"),
            ("ifdef X\nA = 1\nendif\nx:\n\trun $(A)\n", "A=?\nrun ?"),
            ("x: A = 1\nx:\n\trun $(A)\n", "A=?\nrun ?"),
            ("A = 'b c'\nx:\n\trun $(A)\n", "A=?\nrun ?"),
            ("A = b\nx:\n\trun '$(A)' '$$A'\n", "A=[b]\nrun [b] [$A]"),
            ("define X\nA = 1\n\trun\nendef\n# c\nexport B = 2\n", "B=[2]"),
            ("x:\n\tA=1; run $$A\n\trun $$A\n", "A=[1]\nrun [1]\nrun ?"),
            ("x:\r\n\trun a\r\n", "run [a]"),
        ] {
            assert_eq!(show(text), expected, "{text:?}");
        }
    }

    #[test]
    fn places_are_those_of_the_file() {
        let source = file("A = --b 1\nx:\n\t@run $(A) --c=$(A) $$H\n");
        let document = parse(&source);
        let call = shell::commands(&document)[0];
        let slices: Vec<&str> = shell::words(call).map(|word| source.slice(word.span)).collect();
        assert_eq!(source.slice(call.span), "run $(A) --c=$(A) $$H");
        assert_eq!(slices, ["--b", "1", "--c=$(A)", "--c=$(A)", "$$H"]);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in r"([ -~\n\r\t\x00-\x1fé]|\$\(|\$\$|\nx:\n\t|\nA = |\\\n|ifdef |define )*") {
            let source = file(&text);
            for call in shell::commands(&parse(&source)) {
                prop_assert!(text.get(call.span.range()).is_some());
            }
        }
    }
}
