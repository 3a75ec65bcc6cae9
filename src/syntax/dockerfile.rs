//! Dockerfiles: one call per instruction; what `RUN`, `CMD` and `ENTRYPOINT` run is read as shell.
//!
//! The root is a list of calls named by the instruction in capitals. The arguments of `RUN`, `CMD` and `ENTRYPOINT` are
//! commands as [`super::shell`] describes them, those of `ENV`, `ARG` and `LABEL` are entries with a key, those of `FROM` are
//! the image, `platform` and `as`, and those of every other instruction are its words.

use std::ops::Range;

use super::embedded::Embedded;
use super::shell::{self, Region};
use super::{Document, Entry, Format, Key, Node, NodeKind, Scalar, SyntaxError, strip_bom};
use crate::source::{SourceFile, Span};

/// Parses a Dockerfile.
pub fn parse(source: &SourceFile) -> Document {
    let mut reader = Reader::new(source);
    reader.read_lines();
    let regions = reader.regions();
    let mut document = shell::parse_regions(&reader.text, Format::Dockerfile, &regions);
    let mut found = match std::mem::replace(&mut document.root.kind, NodeKind::Opaque) {
        NodeKind::List(entries) => entries.into_iter().peekable(),
        _ => Vec::new().into_iter().peekable(),
    };
    let mut instructions = Vec::new();
    for instruction in &reader.instructions {
        let span = reader.text.span(instruction.range.clone());
        let mut inside = Vec::new();
        while let Some(entry) = found.next_if(|entry| entry.span.start < span.end) {
            inside.push(entry);
        }
        // An `ARG` that is repeated in a stage was read once more.
        inside.dedup_by_key(|entry| entry.span);
        instructions.push(reader.entry(instruction, span, inside));
    }
    document.root.kind = NodeKind::List(instructions);
    document.root.span = source.span(0..source.text().len());
    document.comments.extend(reader.comments);
    document.comments.sort_unstable();
    document.errors.extend(reader.errors);
    document
}

/// An instruction; ranges are of the joined text.
struct Instruction {
    keyword: Range<usize>,
    /// What follows the keyword, here-documents excluded.
    body: Range<usize>,
    /// The bodies of its here-documents.
    here_documents: Vec<Range<usize>>,
    range: Range<usize>,
}

struct Reader<'a> {
    source: &'a SourceFile,
    /// The file without comment lines, with `\` for whatever character continues a line.
    text: Embedded<'a>,
    instructions: Vec<Instruction>,
    comments: Vec<Span>,
    errors: Vec<SyntaxError>,
    at: usize,
    escape: char,
}

impl<'a> Reader<'a> {
    fn new(source: &'a SourceFile) -> Self {
        let (at, text) = strip_bom(source.text());
        // `# escape=` is a directive only above everything but other directives.
        let directives = text.lines().take_while(|line| line.starts_with('#') && line.contains('='));
        let escape = directives
            .filter_map(|line| line.trim_start_matches('#').trim().split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("escape"))
            .and_then(|(_, value)| value.trim().chars().next());
        Self {
            source,
            text: Embedded::empty(source.id(), at),
            instructions: Vec::new(),
            comments: Vec::new(),
            errors: Vec::new(),
            at,
            escape: escape.filter(|escape| *escape == '`').unwrap_or('\\'),
        }
    }

    fn read_lines(&mut self) {
        while let Some((start, line)) = self.next_line() {
            let indent = line.len() - line.trim_start().len();
            if line.trim().is_empty() {
                continue;
            }
            if line[indent..].starts_with('#') {
                self.comments.push(self.source.span(start + indent..start + line.trim_end().len()));
                continue;
            }
            self.instruction(start + indent, &line[indent..]);
        }
    }

    /// The next line without its newline.
    fn next_line(&mut self) -> Option<(usize, &'a str)> {
        let (start, text) = (self.at, self.source.text());
        let rest = &text[start..];
        if rest.is_empty() {
            return None;
        }
        let length = rest.find('\n').map_or(rest.len(), |length| length + 1);
        self.at += length;
        Some((start, rest[..length].trim_end_matches(['\n', '\r'])))
    }

    fn instruction(&mut self, mut start: usize, mut line: &'a str) {
        let from = self.text.text().len();
        loop {
            let trimmed = line.trim_end();
            let Some(content) = trimmed.strip_suffix(self.escape) else {
                self.text.push(trimmed, start);
                break;
            };
            self.text.push(content, start);
            self.text.push_as("\\\n", start + content.len()..start + line.len());
            // Comment lines and empty lines do not end a continued instruction.
            let Some(next) = self.continued_line() else { break };
            (start, line) = next;
        }
        let end = self.text.text().len();
        let here_documents = self.here_documents(from..end);
        let text = self.text.text();
        let onbuild = if starts_with_word(&text[from..end], "ONBUILD") { "ONBUILD".len() } else { 0 };
        let keyword_start = skip_blanks(text, from + onbuild, end);
        let length = text[keyword_start..end].find(is_blank).unwrap_or(end - keyword_start);
        let body = skip_blanks(text, keyword_start + length, end)..end;
        let range = from..text.len();
        self.instructions.push(Instruction {
            keyword: keyword_start..keyword_start + length,
            body: body.start.min(end)..end,
            here_documents,
            range,
        });
        self.text.push_as("\n", self.at..self.at);
    }

    fn continued_line(&mut self) -> Option<(usize, &'a str)> {
        while let Some((start, line)) = self.next_line() {
            let content = line.trim_start();
            if content.starts_with('#') {
                let indent = line.len() - content.len();
                self.comments.push(self.source.span(start + indent..start + line.trim_end().len()));
            } else if !content.is_empty() {
                return Some((start, line));
            }
        }
        None
    }

    /// Reads the bodies of the here-documents that an instruction announces.
    fn here_documents(&mut self, instruction: Range<usize>) -> Vec<Range<usize>> {
        let line = self.text.text()[instruction].to_owned();
        let takes_them = ["RUN", "COPY", "ADD"].iter().any(|keyword| starts_with_word(&line, keyword));
        if !takes_them {
            return Vec::new();
        }
        let mut bodies = Vec::new();
        for (at, _) in line.match_indices("<<") {
            let Some((delimiter, strips_tabs)) = delimiter(&line, at) else { continue };
            self.text.push_as("\n", self.at..self.at);
            let from = self.text.text().len();
            let mut to = None;
            while let Some((start, content)) = self.next_line() {
                let end = self.text.text().len();
                self.text.push(content, start);
                let word = if strips_tabs { content.trim_start_matches('\t') } else { content };
                if word == delimiter {
                    to = Some(end);
                    break;
                }
                self.text.push_as("\n", start + content.len()..self.at);
            }
            if to.is_none() {
                let span = self.source.span(self.at..self.at);
                let message = format!("the here-document `{delimiter}` is not closed");
                self.errors.push(SyntaxError { span, message });
            }
            bodies.push(from..to.unwrap_or(self.text.text().len()));
        }
        bodies
    }

    fn keyword(&self, instruction: &Instruction) -> String {
        self.text.text()[instruction.keyword.clone()].to_ascii_uppercase()
    }

    /// What the shell parser shall read.
    fn regions(&self) -> Vec<Region> {
        let mut regions = Vec::new();
        let mut global_arguments: Vec<(&str, Region)> = Vec::new();
        let mut in_stage = false;
        for instruction in &self.instructions {
            match self.keyword(instruction).as_str() {
                "FROM" => {
                    in_stage = true;
                    regions.push(Region::Forget);
                }
                "RUN" | "CMD" | "ENTRYPOINT" if self.exec_form(instruction).is_none() => {
                    regions.push(Region::Script(self.script(instruction)));
                }
                "ENV" | "ARG" => {
                    for (name, value) in self.pairs(instruction) {
                        let written = &self.text.text()[name.clone()];
                        let global = global_arguments.iter().rev().find(|(global, _)| *global == written);
                        let region = match value {
                            Some(value) => Region::Variable { name, value, append: false },
                            // `ARG NAME` in a stage takes the value given above all stages.
                            None => global.map_or(Region::Unknown(name), |(_, region)| region.clone()),
                        };
                        if !in_stage {
                            global_arguments.push((written, region.clone()));
                        }
                        regions.push(region);
                    }
                }
                _ => {}
            }
        }
        regions
    }

    /// The script of a shell form: after `--mount=...` options; of `RUN <<EOF` the here-document.
    fn script(&self, instruction: &Instruction) -> Range<usize> {
        let text = self.text.text();
        let mut start = instruction.body.start;
        while text[start..instruction.body.end].starts_with("--") {
            let rest = &text[start..instruction.body.end];
            start = skip_blanks(text, start + rest.find(is_blank).unwrap_or(rest.len()), instruction.body.end);
        }
        match instruction.here_documents.as_slice() {
            [body] if text[start..instruction.body.end].starts_with("<<") => body.clone(),
            _ => start..instruction.range.end,
        }
    }

    /// The strings of `["python", "train.py"]`: their ranges, quotes included, and their text.
    fn exec_form(&self, instruction: &Instruction) -> Option<Vec<(Range<usize>, String)>> {
        let body = self.text.text()[instruction.body.clone()].trim_end();
        if !body.starts_with('[') || !body.ends_with(']') {
            return None;
        }
        // Same length, so that offsets stay.
        let json = body.replace("\\\n", "  ");
        let from = instruction.body.start;
        let strings = super::json::strings(&json)?.into_iter();
        Some(strings.map(|(range, text)| (from + range.start..from + range.end, text)).collect())
    }

    /// `NAME=value ...`, `NAME value`, `NAME`; values without their quotes.
    fn pairs(&self, instruction: &Instruction) -> Vec<(Range<usize>, Option<Range<usize>>)> {
        let text = self.text.text();
        let words = words(text, instruction.body.clone());
        let Some(first) = words.first() else { return Vec::new() };
        let is_env = self.keyword(instruction) == "ENV";
        if is_env && !text[first.clone()].contains('=') {
            let value = words.get(1).map(|second| second.start..text[..instruction.body.end].trim_end().len());
            return vec![(first.clone(), value)];
        }
        let pair = |word: &Range<usize>| {
            let Some(equals) = text[word.clone()].find('=') else { return (word.clone(), None) };
            let (mut start, mut end) = (word.start + equals + 1, word.end);
            let quote = text[start..end].chars().next().filter(|quote| matches!(quote, '"' | '\''));
            if end - start >= 2 && quote.is_some_and(|quote| text[start..end].ends_with(quote)) {
                (start, end) = (start + 1, end - 1);
            }
            (word.start..word.start + equals, Some(start..end))
        };
        words.iter().map(pair).collect()
    }

    fn entry(&self, instruction: &Instruction, span: Span, inside: Vec<Entry>) -> Entry {
        let callee = self.keyword(instruction);
        let args = match callee.as_str() {
            "RUN" | "CMD" | "ENTRYPOINT" => match self.exec_form(instruction) {
                Some(strings) => self.exec_call(&strings),
                None => inside,
            },
            "ENV" | "ARG" => inside,
            "FROM" => self.image(instruction),
            _ => words(self.text.text(), instruction.body.clone()).into_iter().map(|word| self.word(word)).collect(),
        };
        let kind = NodeKind::Call { callee, callee_span: self.text.span(instruction.keyword.clone()), args };
        Entry { span, key: None, value: Node { span, kind, anchor: None } }
    }

    fn exec_call(&self, strings: &[(Range<usize>, String)]) -> Vec<Entry> {
        let ([(first, callee), rest @ ..], Some(last)) = (strings, strings.last()) else { return Vec::new() };
        let span = self.text.span(first.start..last.0.end);
        let callee_span = self.text.span(first.clone());
        let args = rest.iter().map(|(range, text)| shell::word_entry(text, self.text.span(range.clone()))).collect();
        let kind = NodeKind::Call { callee: callee.clone(), callee_span, args };
        vec![Entry { span, key: None, value: Node { span, kind, anchor: None } }]
    }

    fn word(&self, range: Range<usize>) -> Entry {
        let span = self.text.span(range.clone());
        let text = self.text.text()[range].to_owned();
        Entry { span, key: None, value: Node { span, kind: NodeKind::Scalar(Scalar::Str(text)), anchor: None } }
    }

    fn image(&self, instruction: &Instruction) -> Vec<Entry> {
        let text = self.text.text();
        let mut arguments = Vec::new();
        let mut name_follows: Option<Range<usize>> = None;
        for word in words(text, instruction.body.clone()) {
            let written = &text[word.clone()];
            if let Some(keyword) = name_follows.take() {
                arguments.push(self.keyed("as", keyword, word));
            } else if let Some(platform) = written.strip_prefix("--platform=") {
                let value = word.end - platform.len()..word.end;
                arguments.push(self.keyed("platform", word.start..value.start - 1, value));
            } else if written.eq_ignore_ascii_case("as") {
                name_follows = Some(word);
            } else {
                arguments.push(self.word(word));
            }
        }
        arguments
    }

    fn keyed(&self, name: &str, key: Range<usize>, value: Range<usize>) -> Entry {
        let entry = self.word(value);
        let key = Key { span: self.text.span(key), name: name.to_owned() };
        Entry { span: key.span.to(entry.span), key: Some(key), value: entry.value }
    }
}

/// The delimiter of a here-document announced at `at`, and whether leading tabs are dropped.
fn delimiter(line: &str, at: usize) -> Option<(&str, bool)> {
    let before = line[..at].chars().next_back();
    if before.is_some_and(|before| !before.is_whitespace() && !before.is_ascii_digit()) {
        return None;
    }
    let rest = &line[at + 2..];
    let (rest, strips_tabs) = rest.strip_prefix('-').map_or((rest, false), |rest| (rest, true));
    let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
    let length = rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(rest.len());
    (length > 0).then_some((&rest[..length], strips_tabs))
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        && text[word.len()..].starts_with(char::is_whitespace)
}

fn is_blank(letter: char) -> bool {
    letter.is_ascii_whitespace()
}

/// The first byte at or after `from` that is neither blank nor a continuation.
fn skip_blanks(text: &str, from: usize, end: usize) -> usize {
    let rest = &text[from..end];
    let length = rest.len() - rest.trim_start_matches(|letter| is_blank(letter) || letter == '\\').len();
    // A backslash counts only as part of a continuation.
    let skipped = &rest[..length];
    let stop = skipped.match_indices('\\').find(|(at, _)| !skipped[at + 1..].starts_with('\n'));
    from + stop.map_or(length, |(at, _)| at)
}

/// Words between blanks; quotes keep blanks together.
fn words(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = skip_blanks(text, range.start, range.end);
    while at < range.end {
        let mut quote: Option<u8> = None;
        let bytes = &text.as_bytes()[..range.end];
        let start = at;
        while at < range.end {
            let byte = bytes[at];
            let continues = byte == b'\\' && bytes.get(at + 1) == Some(&b'\n');
            match quote {
                Some(open) if byte == open => quote = None,
                None if continues || byte.is_ascii_whitespace() => break,
                None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
                _ => {}
            }
            at += 1;
        }
        words.push(start..at);
        at = skip_blanks(text, at, range.end);
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::syntax::testing::file;

    fn show(text: &str) -> String {
        let source = file(text);
        let document = parse(&source);
        let mut lines: Vec<String> = document.root.entries().iter().map(shell::tests::entry).collect();
        lines.extend(document.errors.iter().map(|error| format!("error: {}", error.message)));
        lines.extend(document.comments.iter().map(|comment| source.slice(*comment).to_owned()));
        lines.join("\n")
    }

    #[test]
    fn instructions() {
        for (text, expected) in [
            ("", ""),
            (
                "FROM --platform=linux/amd64 python:3.10 AS base\r\n",
                "FROM platform=[linux/amd64] [python:3.10] as=[base]",
            ),
            (
                "RUN pip install trl==0.9 && \\\n    # why\n\n    pip install peft\n",
                "RUN pip [install] [trl==0.9] pip [install] [peft]\n# why",
            ),
            ("run --mount=type=cache,target=/x pip install trl", "RUN pip [install] [trl]"),
            (
                "ENV A=1 B=\"x y\"\nENV C d e\nRUN x $A $B $C",
                "ENV A=[1] B=[x y]\nENV C=[d e]\nRUN x [1] [x] [y] [d] [e]",
            ),
            ("ARG V=0.9\nFROM a\nRUN x $V\nARG V\nRUN x $V", "ARG V=[0.9]\nFROM [a]\nRUN x ?\nARG\nRUN x [0.9]"),
            ("ENV A=1\nRUN A=2; x $A\nRUN x $A", "ENV A=[1]\nRUN A=[2] x [2]\nRUN x [1]"),
            ("ENV A=1\nFROM b\nRUN x $A", "ENV A=[1]\nFROM [b]\nRUN x ?"),
            ("CMD [\"python\", \"t.py\", \\\n \"--a=1\"]", "CMD python [t.py] a=[1]"),
            ("ENTRYPOINT [python t.py]", "ENTRYPOINT [python [t.py]]"),
            ("RUN <<EOF\npip install trl\n# c\nEOF\nRUN b", "RUN pip [install] [trl]\nRUN b\n# c"),
            ("RUN cat <<EOF > x\nRUN no\nEOF\nRUN b", "RUN cat <<=[RUN no\\n] >=[x]\nRUN b"),
            ("COPY <<EOF /x\nRUN no\nEOF\nCOPY a b", "COPY [<<EOF] [/x]\nCOPY [a] [b]"),
            ("# escape=`\nRUN a `\n  b\n", "RUN a [b]\n# escape=`"),
            ("ONBUILD RUN a", "RUN a"),
            ("RUN a 'b", "RUN a [b]\nerror: this quote is not closed"),
            ("RUN a 'b\nRUN c", "RUN a [b]\nRUN c\nerror: this quote is not closed"),
            ("RUN <<EOF\nx", "RUN x\nerror: the here-document `EOF` is not closed"),
            ("WORKDIR /a\nUNKNOWN x \\", "WORKDIR [/a]\nUNKNOWN [x]"),
        ] {
            assert_eq!(show(text), expected, "{text:?}");
        }
    }

    #[test]
    fn places_are_those_of_the_file() {
        let text = "\u{feff}FROM a\nRUN x && \\\n# c\n  pip install \"trl==1\" \\\n  peft\nCMD [\"p\", \"--b=é\"]\n";
        let source = file(text);
        let document = parse(&source);
        let commands = shell::commands(&document);
        let slices: Vec<&str> = commands.iter().map(|call| source.slice(call.span)).collect();
        assert_eq!(slices, ["x", "pip install \"trl==1\" \\\n  peft", "\"p\", \"--b=é\""]);
        let flag = &commands[2].entries()[0];
        assert_eq!((source.slice(flag.value.span), flag.value.as_str()), ("é", Some("é")));
        assert_eq!(source.slice(document.root.entries()[1].span), text[10..].split("\nCMD").next().expect("RUN"));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in r#"([ -~\n\r\t\x00-\x1fé]|RUN |ENV |FROM |ARG |CMD \["|<<E|\nE\n|\\\n|\n# )*"#) {
            let source = file(&text);
            for call in shell::commands(&parse(&source)) {
                prop_assert!(text.get(call.span.range()).is_some());
            }
        }
    }
}
