//! Variables of a script, followed through it, and the entries that come out.
//!
//! A value is known where the script alone decides it. What a branch assigns is not known after the branch, what a loop
//! assigns not inside it before, what a function assigns not outside of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use super::command::{Assigned, Assignment, Command, Item, Redirect, Target};
use super::entries::Field;
use super::grammar::{Block, Event};
use super::lexer::{Part, Word};
use super::names::{assigned_names, is_harmless, read_names};
use super::splitting::{Builder, trim};

/// Text of a value; `at` is where it stands unchanged.
#[derive(Debug, Clone)]
pub(super) struct Chunk<'a> {
    pub text: Cow<'a, str>,
    pub at: Option<usize>,
}

#[derive(Debug, Clone)]
enum Value<'a> {
    Text(Rc<[Chunk<'a>]>),
    Array(Rc<[Field<'a>]>),
    Unknown,
}

#[derive(Debug, Clone)]
struct Variable<'a> {
    value: Value<'a>,
    /// The event that assigned it.
    at: usize,
}

/// A block being walked.
struct Frame<'a> {
    block: Block,
    /// The event that opened it.
    at: usize,
    /// Length of the log when it (or its current branch) began.
    mark: usize,
    touched: BTreeSet<&'a str>,
    locals: BTreeSet<&'a str>,
}

/// Blocks nested deeper than this are not followed; what they assign is never known.
const MAX_FRAMES: usize = 64;

/// Walks the events of a script.
pub(super) struct Expander<'a> {
    pub text: &'a str,
    bodies: &'a [Word<'a>],
    variables: BTreeMap<&'a str, Variable<'a>>,
    /// What assignments replaced, to undo them when a branch ends.
    log: Vec<(&'a str, Option<Variable<'a>>)>,
    frames: Vec<Frame<'a>>,
    /// Blocks that were opened beyond [`MAX_FRAMES`].
    beyond: usize,
    never_known: BTreeSet<&'a str>,
    looped: BTreeSet<&'a str>,
    last_assigned: BTreeMap<&'a str, usize>,
    /// Another file was read into this shell: any variable may be set.
    sourced: bool,
    now: usize,
    /// Bytes that expansions may still produce: `A=$A$A` doubles with each line.
    budget: usize,
}

impl<'a> Expander<'a> {
    pub fn new(text: &'a str, events: &[Event<'a>], bodies: &'a [Word<'a>]) -> Self {
        let mut expander = Self {
            text,
            bodies,
            variables: BTreeMap::new(),
            log: Vec::new(),
            frames: Vec::new(),
            beyond: 0,
            never_known: BTreeSet::new(),
            looped: BTreeSet::new(),
            last_assigned: BTreeMap::new(),
            sourced: false,
            now: 0,
            budget: (8 << 20) + 16 * text.len(),
        };
        expander.survey(events);
        expander
    }

    /// Notes which names are assigned in loops, and where each is assigned last.
    fn survey(&mut self, events: &[Event<'a>]) {
        let (mut blocks, mut loops) = (Vec::new(), 0usize);
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::Open(block) => {
                    loops += usize::from(*block == Block::Loop);
                    blocks.push(*block);
                }
                Event::Close => loops -= usize::from(blocks.pop() == Some(Block::Loop)),
                _ => {}
            }
            for name in assigned_names(event, self.text) {
                self.last_assigned.insert(name, at);
                if loops > 0 {
                    self.looped.insert(name);
                }
            }
        }
    }

    /// Applies what an event does to the variables, commands excepted.
    pub fn step(&mut self, at: usize, event: &Event<'a>) {
        self.now = at;
        match event {
            Event::Command(_) => {}
            Event::Open(_) if self.frames.len() >= MAX_FRAMES => self.beyond += 1,
            Event::Open(block) => self.frames.push(Frame {
                block: *block,
                at,
                mark: self.log.len(),
                touched: BTreeSet::new(),
                locals: BTreeSet::new(),
            }),
            Event::Close if self.beyond > 0 => self.beyond -= 1,
            Event::Close => self.close(),
            Event::Branch if self.beyond > 0 => {}
            Event::Branch => self.branch(),
            Event::Forget => self.variables.clear(),
            Event::Unknown(name) => self.set(name, Value::Unknown),
            Event::Arithmetic(_) => {
                for name in assigned_names(event, self.text) {
                    self.set(name, Value::Unknown);
                }
            }
        }
    }

    /// Takes back what the current branch assigned.
    fn branch(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        if frame.block != Block::Branches {
            return;
        }
        for (name, before) in self.log.drain(frame.mark..).rev() {
            frame.touched.insert(name);
            restore(&mut self.variables, name, before);
        }
    }

    fn close(&mut self) {
        let Some(mut frame) = self.frames.pop() else { return };
        if frame.block == Block::Group {
            if self.frames.is_empty() {
                self.log.clear();
            }
            return;
        }
        for (name, before) in self.log.drain(frame.mark..).rev() {
            frame.touched.insert(name);
            restore(&mut self.variables, name, before);
        }
        if frame.block != Block::Subshell {
            for name in frame.touched.difference(&frame.locals) {
                self.set(name, Value::Unknown);
            }
        }
    }

    fn set(&mut self, name: &'a str, value: Value<'a>) {
        if self.beyond > 0 {
            self.never_known.insert(name);
        }
        let before = self.variables.insert(name, Variable { value, at: self.now });
        if !self.frames.is_empty() {
            self.log.push((name, before));
        }
    }

    /// The value of a variable; `None` if nothing assigns it.
    fn lookup(&self, name: &str) -> Option<Value<'a>> {
        let found = self.variables.get(name);
        let assigned_after = |at: usize| found.is_some_and(|variable| variable.at >= at);
        let innermost = |block: Block| self.frames.iter().rev().find(|frame| frame.block == block);
        let changes_in_loop =
            innermost(Block::Loop).is_some_and(|frame| self.looped.contains(name) && !assigned_after(frame.at));
        let changes_before_call = innermost(Block::Function).is_some_and(|frame| {
            self.last_assigned.get(name).is_some_and(|last| *last > frame.at) && !assigned_after(frame.at)
        });
        if changes_in_loop || changes_before_call || self.never_known.contains(name) {
            return Some(Value::Unknown);
        }
        match found {
            None if self.sourced => Some(Value::Unknown),
            found => found.map(|variable| variable.value.clone()),
        }
    }

    /// Performs an assignment.
    pub fn assign(&mut self, assignment: &Assignment<'a>, guarded: bool, local: bool) {
        let value = match &assignment.value {
            Assigned::Word(word) => self.joined(&word.parts),
            Assigned::Array(_, words) => {
                let fields: Vec<Field<'a>> = words.iter().flat_map(|word| self.fields(word)).collect();
                Value::Array(fields.into())
            }
            Assigned::Unknown(_) => Value::Unknown,
        };
        let value = match assignment.append {
            Some(separator) => self.appended(assignment.name, separator, value),
            None => value,
        };
        if local && let Some(frame) = self.frames.iter_mut().rev().find(|frame| frame.block == Block::Function) {
            frame.locals.insert(assignment.name);
        }
        self.set(assignment.name, if guarded { Value::Unknown } else { value });
    }

    fn appended(&mut self, name: &'a str, separator: &'static str, value: Value<'a>) -> Value<'a> {
        match (self.lookup(name), value) {
            (None, value) => value,
            (Some(Value::Text(before)), Value::Text(after)) if self.afford(before.len() * 16) => {
                let separator = Chunk { text: Cow::Borrowed(separator), at: None };
                let separator = (!separator.text.is_empty()).then_some(&separator);
                Value::Text(before.iter().chain(separator).chain(after.iter()).cloned().collect())
            }
            (Some(Value::Array(before)), Value::Array(after)) if self.afford(before.len() * 64) => {
                Value::Array(before.iter().chain(after.iter()).cloned().collect())
            }
            _ => Value::Unknown,
        }
    }

    fn afford(&mut self, cost: usize) -> bool {
        let affordable = cost <= self.budget;
        self.budget = if affordable { self.budget - cost } else { 0 };
        affordable
    }

    /// Variables that a command sets or forgets.
    pub fn side_effects(&mut self, command: &Command<'a>) {
        let words: Vec<&Word<'a>> = command
            .items
            .iter()
            .filter_map(|item| if let Item::Word(word) = item { Some(word) } else { None })
            .collect();
        let Some((first, rest)) = words.split_first() else { return };
        match &self.text[first.range.clone()] {
            "unset" => rest.iter().for_each(|word| self.forget(&self.text[word.range.clone()], command.guarded)),
            "eval" => self.sourced_anything(),
            "source" | "." if !rest.iter().all(|word| is_harmless(&self.text[word.range.clone()])) => {
                self.sourced_anything();
            }
            first => {
                let names = read_names(command, self.text);
                let whole = if first == "read" { self.read_whole(command, &words) } else { None };
                for name in names {
                    let value = whole.clone().filter(|(read, _)| *read == name).map(|(_, value)| value);
                    self.set(name, value.unwrap_or(Value::Unknown));
                }
            }
        }
    }

    /// `read -r -d '' NAME <<EOF`: the variable gets the whole here-document, without the blanks around it.
    fn read_whole(&mut self, command: &Command<'a>, words: &[&Word<'a>]) -> Option<(&'a str, Value<'a>)> {
        let [_, options @ .., name] = words else { return None };
        let options: Option<Vec<Cow<'_, str>>> = options.iter().map(|word| word.literal()).collect();
        // Up to a byte that no text has; backslashes are kept.
        let options: Vec<Cow<'_, str>> = options?;
        let is_whole = match &options[..] {
            [raw, end, empty] => raw == "-r" && end == "-d" && empty.is_empty(),
            [both, empty] => both == "-rd" && empty.is_empty(),
            _ => false,
        };
        let body = command.items.iter().find_map(|item| match item {
            Item::Redirect(Redirect { target: Target::HereDocument(body), .. }) => self.bodies.get(*body),
            _ => None,
        });
        let body = body.filter(|_| is_whole && !command.guarded)?;
        let mut chunks = match self.joined(&body.parts) {
            Value::Text(chunks) => chunks.to_vec(),
            Value::Array(_) | Value::Unknown => return None,
        };
        trim(&mut chunks);
        Some((&self.text[name.range.clone()], Value::Text(chunks.into())))
    }

    fn forget(&mut self, name: &'a str, guarded: bool) {
        if guarded || !self.frames.is_empty() {
            self.set(name, Value::Unknown);
        } else {
            self.variables.remove(name);
        }
    }

    fn sourced_anything(&mut self) {
        self.sourced = true;
        let names: Vec<&'a str> = self.variables.keys().copied().collect();
        for name in names {
            self.set(name, Value::Unknown);
        }
    }

    /// The text of a word that is not split: the right side of an assignment, a redirection's target.
    pub fn whole(&mut self, word: &Word<'a>) -> Field<'a> {
        match self.joined(&word.parts) {
            Value::Text(chunks) => Field::known(chunks.to_vec(), word.range.clone()),
            Value::Array(_) | Value::Unknown => Field::unknown(word.range.clone()),
        }
    }

    fn joined(&mut self, parts: &[Part<'a>]) -> Value<'a> {
        let mut chunks = Vec::new();
        for part in parts {
            match part {
                Part::Text { at, text, .. } => chunks.push(chunk(*at, text)),
                Part::Variable { name, default, assigns, .. } => {
                    match self.variable(name, default.as_deref(), *assigns) {
                        Value::Text(more) => chunks.extend(more.iter().cloned()),
                        Value::Array(fields) => match fields.first() {
                            Some(first) if !first.is_unknown => chunks.extend(first.chunks.iter().cloned()),
                            Some(_) => return Value::Unknown,
                            None => {}
                        },
                        Value::Unknown => return Value::Unknown,
                    }
                }
                Part::Elements { name, .. } => match self.lookup(name) {
                    Some(Value::Array(fields)) if !fields.iter().any(|field| field.is_unknown) => {
                        for (index, field) in fields.iter().enumerate() {
                            if index > 0 {
                                chunks.push(Chunk { text: Cow::Borrowed(" "), at: None });
                            }
                            chunks.extend(field.chunks.iter().cloned());
                        }
                    }
                    _ => return Value::Unknown,
                },
                Part::Unknown => return Value::Unknown,
            }
        }
        let cost = chunks.iter().map(|chunk| chunk.text.len() + 16).sum();
        if self.afford(cost) { Value::Text(chunks.into()) } else { Value::Unknown }
    }

    fn variable(&mut self, name: &'a str, default: Option<&[Part<'a>]>, assigns: bool) -> Value<'a> {
        let found = self.lookup(name);
        let is_empty = |value: &Value<'_>| match value {
            Value::Text(chunks) => chunks.iter().all(|chunk| chunk.text.is_empty()),
            Value::Array(fields) => fields.is_empty(),
            Value::Unknown => false,
        };
        match (found, default) {
            (Some(value), Some(default)) if is_empty(&value) => self.joined(default),
            (Some(value), _) => value,
            (None, Some(default)) => {
                let value = self.joined(default);
                if assigns {
                    self.set(name, value.clone());
                }
                value
            }
            (None, None) => Value::Unknown,
        }
    }

    /// The words that a word becomes.
    pub fn fields(&mut self, word: &Word<'a>) -> Vec<Field<'a>> {
        if let [Part::Elements { name, joined: false, .. }] = word.parts.as_slice() {
            return match self.lookup(name) {
                Some(Value::Array(fields)) if self.afford(fields.len() * 64) => fields.to_vec(),
                Some(Value::Text(chunks)) => vec![Field::known(chunks.to_vec(), word.range.clone())],
                _ => vec![Field::unknown(word.range.clone())],
            };
        }
        let mut builder = Builder::default();
        for part in &word.parts {
            match part {
                Part::Text { at, text, .. } => builder.push(chunk(*at, text)),
                Part::Variable { quoted: false, name, default, assigns } => {
                    match self.variable(name, default.as_deref(), *assigns) {
                        Value::Text(chunks) => chunks.iter().for_each(|chunk| builder.split(chunk)),
                        Value::Array(_) | Value::Unknown => builder.unknown(),
                    }
                }
                quoted => match self.joined(std::slice::from_ref(quoted)) {
                    Value::Text(chunks) => {
                        builder.current();
                        chunks.iter().for_each(|chunk| builder.push(chunk.clone()));
                    }
                    Value::Array(_) | Value::Unknown => builder.unknown(),
                },
            }
        }
        let mut fields = builder.finish();
        if !self.afford(fields.iter().flat_map(|field| &field.chunks).map(|chunk| chunk.text.len() + 16).sum()) {
            return vec![Field::unknown(word.range.clone())];
        }
        let stands_for_several = fields.len() > 1 && word.parts.len() == 1;
        for field in &mut fields {
            let defined = if stands_for_several { field.defined_at() } else { None };
            field.range = defined.unwrap_or_else(|| word.range.clone());
        }
        fields
    }
}

fn chunk<'a>(at: usize, text: &Cow<'a, str>) -> Chunk<'a> {
    let verbatim = matches!(text, Cow::Borrowed(_));
    Chunk { text: text.clone(), at: verbatim.then_some(at) }
}

fn restore<'a>(variables: &mut BTreeMap<&'a str, Variable<'a>>, name: &'a str, before: Option<Variable<'a>>) {
    match before {
        Some(variable) => variables.insert(name, variable),
        None => variables.remove(name),
    };
}

/// The range of the chunks of a field where they stand one after the other in one place.
pub(super) fn contiguous(chunks: &[Chunk<'_>]) -> Option<Range<usize>> {
    let mut places = chunks.iter().map(|chunk| chunk.at.map(|at| (at, at + chunk.text.len())));
    let (start, mut end) = places.next()??;
    for place in places {
        let (next, next_end) = place?;
        // A backslash or a quote may stand between two chunks.
        if next < end || next > end + 4 {
            return None;
        }
        end = next_end;
    }
    Some(start..end)
}
