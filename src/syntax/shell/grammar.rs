//! Commands of a shell script in the order they stand, with the blocks around them.
//!
//! The result is a flat list of [`Event`]s instead of a tree: blocks nest as deep as the text wants and the list costs no
//! stack. Only substitutions (`$(...)`) recurse, to a fixed depth.

use std::ops::Range;

use super::Region;
use super::command::{Assigned, Assignment, Command, Item, Pending};
use super::lexer::{Word, is_meta};

/// What happens next in a script.
#[derive(Debug)]
pub(super) enum Event<'a> {
    Command(Command<'a>),
    Open(Block),
    /// `else`, `elif`, the next pattern of a `case`.
    Branch,
    Close,
    /// A variable gets a value that nobody knows.
    Unknown(&'a str),
    /// `((...))`, which may assign.
    Arithmetic(Range<usize>),
    /// No variable is set any more.
    Forget,
}

/// What a block means for the variables assigned in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// One of several branches runs, or none.
    Branches,
    Loop,
    Function,
    /// Runs in a shell of its own.
    Subshell,
    /// `{ ...; }`
    Group,
}

/// A block that was opened in the list being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    If,
    Loop,
    Case { pattern: bool },
    Brace,
    Paren,
}

/// The list of commands being read: the file's, or a substitution's.
#[derive(Default)]
struct List<'a> {
    command: Command<'a>,
    blocks: Vec<Opened>,
    parens: usize,
    /// The next block is the body of a function.
    function: bool,
    guarded: bool,
    tested: bool,
}

/// Reads a script.
pub(super) struct Parser<'a> {
    pub text: &'a str,
    pub pos: usize,
    /// Where the text being read ends.
    pub end: usize,
    pub depth: usize,
    pub events: Vec<Event<'a>>,
    pub bodies: Vec<Word<'a>>,
    pub comments: Vec<Range<usize>>,
    pub errors: Vec<(Range<usize>, &'static str)>,
    pub pending: Vec<Pending>,
}

impl<'a> Parser<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            pos: if text.starts_with('\u{feff}') { 3 } else { 0 },
            end: text.len(),
            depth: 0,
            events: Vec::new(),
            bodies: Vec::new(),
            comments: Vec::new(),
            errors: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// Reads the whole text.
    pub fn run(&mut self) {
        self.list(None, 0);
        // A here-document whose body never came.
        if !self.pending.is_empty() {
            self.pos = self.end;
            self.here_documents();
        }
    }

    /// Reads a part of the text.
    pub fn region(&mut self, region: &Region) {
        match region {
            Region::Script(range) => {
                let outer = std::mem::replace(&mut self.end, range.end);
                self.pos = range.start;
                self.events.push(Event::Open(Block::Subshell));
                self.run();
                self.events.push(Event::Close);
                self.end = outer;
            }
            Region::Variable { name, value, append } => {
                let mut parts = Vec::new();
                let outer = std::mem::replace(&mut self.end, value.end);
                self.pos = value.start;
                self.double_quotes(&mut parts, false);
                self.end = outer;
                self.variable(name, Assigned::Word(Word { range: value.clone(), parts }), append.then_some(" "));
            }
            Region::Unknown(name) => self.variable(name, Assigned::Unknown(name.end..name.end), None),
            Region::Forget => self.events.push(Event::Forget),
        }
    }

    fn variable(&mut self, name: &Range<usize>, value: Assigned<'a>, append: Option<&'static str>) {
        let range = name.start..value.range().end;
        let name_range = name.clone();
        let assignment = Assignment { range: range.clone(), name: &self.text[name.clone()], name_range, append, value };
        self.events.push(Event::Command(Command { range, assignments: vec![assignment], ..Command::default() }));
    }

    pub fn error(&mut self, range: Range<usize>, message: &'static str) {
        self.errors.push((range.start.min(self.text.len())..range.end.min(self.text.len()), message));
    }

    /// Reads commands that run in a shell of their own, up to `close` or the end.
    pub fn subshell(&mut self, close: Option<u8>, open: usize) {
        self.events.push(Event::Open(Block::Subshell));
        self.list(close, open);
        self.events.push(Event::Close);
    }

    fn list(&mut self, close: Option<u8>, open: usize) {
        let mut list = List::default();
        loop {
            self.blanks();
            if self.done() {
                self.flush(&mut list);
                if close.is_some() {
                    self.error(open..open + 1, "this substitution is not closed");
                }
                break;
            }
            if matches!(list.blocks.last(), Some(Opened::Case { pattern: true }))
                && !matches!(self.at(0), b'\n' | b'#' | b'\r')
            {
                self.case_pattern(&mut list);
                continue;
            }
            if self.at(0) == b')' && list.parens == 0 && close == Some(b')') {
                self.flush(&mut list);
                self.pos += 1;
                break;
            }
            self.token(&mut list);
        }
        if !list.blocks.is_empty() {
            self.error(self.pos..self.pos, "a block is not closed");
            self.events.extend(list.blocks.iter().map(|_| Event::Close));
        }
    }

    /// Reads an operator, a comment, or a word of the command.
    fn token(&mut self, list: &mut List<'a>) {
        match self.at(0) {
            b'\n' => {
                self.separate(list);
                self.newline();
            }
            b'#' => self.comment(),
            b';' => self.semicolon(list),
            b'&' if self.at(1) == b'>' => self.redirection(list, self.pos),
            b'&' if self.at(1) == b'&' => {
                self.flush(list);
                list.guarded |= list.tested;
                self.pos += 2;
            }
            b'|' if self.at(1) == b'|' => {
                self.flush(list);
                list.guarded = true;
                self.pos += 2;
            }
            b'|' => {
                self.flush(list);
                self.pos += if self.at(1) == b'&' { 2 } else { 1 };
            }
            b'&' => {
                self.separate(list);
                self.pos += 1;
            }
            b'(' => self.open_paren(list),
            b')' => self.close_paren(list),
            b'<' | b'>' if self.at(1) != b'(' && self.placeholder() == 0 => self.redirection(list, self.pos),
            b'0'..=b'9' if self.descriptor() > 0 => {
                let start = self.pos;
                self.pos += self.descriptor();
                self.redirection(list, start);
            }
            _ => self.operand(list),
        }
    }

    fn redirection(&mut self, list: &mut List<'a>, start: usize) {
        let redirect = self.redirect(start);
        extend(&mut list.command.range, &redirect.range);
        list.command.items.push(Item::Redirect(redirect));
    }

    /// Ends the command; the next one runs in any case.
    fn separate(&mut self, list: &mut List<'a>) {
        self.flush(list);
        (list.guarded, list.tested) = (false, false);
    }

    fn flush(&mut self, list: &mut List<'a>) {
        let mut command = std::mem::take(&mut list.command);
        if command.assignments.is_empty() && command.items.is_empty() {
            return;
        }
        command.guarded = list.guarded;
        if let Some(Item::Word(word)) = command.items.first() {
            list.tested |= matches!(&self.text[word.range.clone()], "[" | "test" | "grep" | "command" | "which");
        }
        self.events.push(Event::Command(command));
    }

    fn semicolon(&mut self, list: &mut List<'a>) {
        self.separate(list);
        self.pos += 1;
        if let (Some(Opened::Case { pattern }), b';' | b'&') = (list.blocks.last_mut(), self.at(0)) {
            *pattern = true;
            self.pos += 1;
            self.pos += usize::from(self.at(0) == b'&');
        }
    }

    fn open_paren(&mut self, list: &mut List<'a>) {
        let start = self.pos;
        if list.command.items.is_empty() && self.at(1) == b'(' {
            self.pos += 2;
            self.arithmetic();
            list.tested = true;
            return;
        }
        self.pos += 1;
        if let ([Item::Word(_)], true) = (list.command.items.as_slice(), list.command.assignments.is_empty()) {
            self.blanks();
            if self.at(0) == b')' {
                self.pos += 1;
                list.command = Command::default();
                list.function = true;
                return;
            }
        }
        if !list.command.items.is_empty() {
            self.error(start..start + 1, "a parenthesis is not expected here");
            self.flush(list);
        }
        self.open(list, Opened::Paren, Block::Subshell);
    }

    fn close_paren(&mut self, list: &mut List<'a>) {
        self.flush(list);
        if list.parens == 0 {
            self.error(self.pos..self.pos + 1, "a parenthesis is not expected here");
        }
        while list.parens > 0 {
            self.events.push(Event::Close);
            if list.blocks.pop() == Some(Opened::Paren) {
                list.parens -= 1;
                break;
            }
        }
        self.pos += 1;
    }

    fn open(&mut self, list: &mut List<'a>, opened: Opened, block: Block) {
        let block = match block {
            _ if std::mem::take(&mut list.function) => Block::Function,
            Block::Group if list.guarded => Block::Branches,
            other => other,
        };
        (list.guarded, list.tested) = (false, false);
        list.parens += usize::from(opened == Opened::Paren);
        list.blocks.push(opened);
        self.events.push(Event::Open(block));
    }

    fn close(&mut self, list: &mut List<'a>, range: Range<usize>, opened: impl Fn(Opened) -> bool) {
        if list.blocks.last().is_some_and(|last| opened(*last)) {
            list.blocks.pop();
            self.events.push(Event::Close);
        } else {
            self.error(range, "this closes nothing");
        }
    }

    /// Reads a word that may be a keyword, an assignment or an argument.
    fn operand(&mut self, list: &mut List<'a>) {
        let command_position = list.command.items.is_empty();
        let declares = matches!(list.command.items.first(), Some(Item::Word(word))
            if matches!(&self.text[word.range.clone()], "export" | "declare" | "local" | "readonly" | "typeset"));
        if (command_position || declares)
            && let Some(assignment) = self.assignment()
        {
            extend(&mut list.command.range, &assignment.range);
            if declares {
                list.command.items.push(Item::Assignment(assignment));
            } else {
                list.command.assignments.push(assignment);
            }
            return;
        }
        let start = self.pos;
        let word = self.word();
        if self.pos == start {
            self.error(start..start + 1, "this character is not expected here");
            self.pos += 1;
            return;
        }
        if word.parts.is_empty() {
            return;
        }
        if command_position && list.command.assignments.is_empty() && self.keyword(list, &word) {
            return;
        }
        extend(&mut list.command.range, &word.range);
        list.command.items.push(Item::Word(word));
    }

    /// Acts on a keyword; false for other words.
    fn keyword(&mut self, list: &mut List<'a>, word: &Word<'a>) -> bool {
        match &self.text[word.range.clone()] {
            "then" | "do" | "!" | "time" | "coproc" => {}
            "if" => self.open(list, Opened::If, Block::Branches),
            "elif" | "else" => self.events.push(Event::Branch),
            "fi" => self.close(list, word.range.clone(), |opened| opened == Opened::If),
            "while" | "until" => self.open(list, Opened::Loop, Block::Loop),
            "for" | "select" => self.for_loop(list),
            "done" => self.close(list, word.range.clone(), |opened| opened == Opened::Loop),
            "case" => self.case(list),
            "esac" => self.close(list, word.range.clone(), |opened| matches!(opened, Opened::Case { .. })),
            "{" => self.open(list, Opened::Brace, Block::Group),
            "}" => self.close(list, word.range.clone(), |opened| opened == Opened::Brace),
            "function" => {
                self.blanks();
                self.word();
                self.blanks();
                if self.at(0) == b'(' {
                    self.pos += 1;
                    self.blanks();
                    self.pos += usize::from(self.at(0) == b')');
                }
                list.function = true;
            }
            "[[" => {
                self.double_brackets(word.range.start);
                list.tested = true;
            }
            _ => return false,
        }
        true
    }

    fn for_loop(&mut self, list: &mut List<'a>) {
        self.open(list, Opened::Loop, Block::Loop);
        self.blanks();
        if self.at(0) == b'(' {
            return;
        }
        let name = self.word();
        self.events.push(Event::Unknown(&self.text[name.range]));
        self.blanks();
        if !(self.text[self.pos..self.end].starts_with("in") && (is_meta(self.at(2)) || self.pos + 2 >= self.end)) {
            return;
        }
        loop {
            self.blanks();
            let start = self.pos;
            if self.done() || self.at(0) == b'#' {
                return;
            }
            self.word();
            if self.pos == start {
                return;
            }
        }
    }

    fn case(&mut self, list: &mut List<'a>) {
        self.open(list, Opened::Case { pattern: true }, Block::Branches);
        self.blanks();
        self.word();
        self.blanks();
        while matches!(self.at(0), b'\n') {
            self.newline();
            self.blanks();
        }
        self.word();
    }

    fn case_pattern(&mut self, list: &mut List<'a>) {
        let rest = &self.text[self.pos..self.end];
        if rest.starts_with("esac") && rest.as_bytes().get(4).is_none_or(|byte| is_meta(*byte) || *byte == b'\r') {
            self.pos += 4;
            list.blocks.pop();
            self.events.push(Event::Close);
            return;
        }
        self.pos += usize::from(self.at(0) == b'(');
        while !self.done() && self.at(0) != b')' {
            let start = self.pos;
            self.blanks();
            self.word();
            self.pos += usize::from(self.pos == start);
        }
        self.pos = (self.pos + 1).min(self.end);
        if let Some(Opened::Case { pattern }) = list.blocks.last_mut() {
            *pattern = false;
        }
        self.events.push(Event::Branch);
    }

    fn double_brackets(&mut self, open: usize) {
        while !self.done() {
            self.blanks();
            let start = self.pos;
            let word = self.word();
            if &self.text[word.range] == "]]" {
                return;
            }
            self.pos += usize::from(self.pos == start && !self.done());
        }
        self.error(open..open + 2, "this test is not closed");
    }
}

fn extend(range: &mut Range<usize>, part: &Range<usize>) {
    if range.start == range.end {
        *range = part.clone();
    } else {
        range.end = range.end.max(part.end);
    }
}
