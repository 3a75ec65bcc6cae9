//! From expanded words to [`Entry`]s.

use std::ops::Range;

use super::command::{Assigned, Assignment, Command, Item, Redirect, Target};
use super::expand::{Chunk, Expander, contiguous};
use super::grammar::Event;
use super::lexer::Word;
use crate::source::Span;
use crate::syntax::embedded::Embedded;
use crate::syntax::{Entry, Key, Node, NodeKind, Scalar};

/// A word after expansion.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    /// Its text; of an unknown field what is known of its beginning.
    pub chunks: Vec<Chunk<'a>>,
    /// The word as written, or where a variable defines this part of itself.
    pub range: Range<usize>,
    pub is_unknown: bool,
}

impl<'a> Field<'a> {
    pub fn known(chunks: Vec<Chunk<'a>>, range: Range<usize>) -> Self {
        Self { chunks, range, is_unknown: false }
    }

    pub fn unknown(range: Range<usize>) -> Self {
        Self { chunks: Vec::new(), range, is_unknown: true }
    }

    pub fn text(&self) -> String {
        self.chunks.iter().map(|chunk| chunk.text.as_ref()).collect()
    }

    /// Where its text stands, when that is one place.
    pub fn defined_at(&self) -> Option<Range<usize>> {
        if self.is_unknown { None } else { contiguous(&self.chunks) }
    }

    /// Where the byte `index` of its text stands inside its own range.
    fn place(&self, index: usize) -> Option<usize> {
        let mut before = 0;
        for chunk in &self.chunks {
            if index < before + chunk.text.len() {
                let at = chunk.at? + (index - before);
                return self.range.contains(&at).then_some(at);
            }
            before += chunk.text.len();
        }
        None
    }
}

/// Turns events into entries.
pub(super) struct Reader<'a, 'b> {
    pub embedded: &'b Embedded<'a>,
    pub text: &'b str,
    pub bodies: &'b [Word<'b>],
    pub expander: Expander<'b>,
}

impl<'b> Reader<'_, 'b> {
    /// Walks a script; each command and each assignment is an entry, in the order they stand.
    pub fn read(mut self, events: &[Event<'b>]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (at, event) in events.iter().enumerate() {
            self.expander.step(at, event);
            if let Event::Command(command) = event {
                self.command(command, &mut entries);
            }
        }
        // Commands of a substitution ran, and were pushed, before the command that contains them.
        entries.sort_by_key(|entry| (entry.span.start, entry.span.end));
        entries
    }

    fn command(&mut self, command: &Command<'b>, entries: &mut Vec<Entry>) {
        let is_word = |item: &Item<'_>| matches!(item, Item::Word(_));
        if !command.items.iter().any(is_word) {
            for assignment in &command.assignments {
                entries.push(self.assignment(assignment));
                self.expander.assign(assignment, command.guarded, false);
            }
            return;
        }
        let span = self.embedded.span(command.range.clone());
        let local = command.items.iter().find(|item| is_word(item)).is_some_and(|item| {
            matches!(item, Item::Word(word) if matches!(&self.text[word.range.clone()], "local" | "declare" | "typeset"))
        });
        let mut args = self.environment(&command.assignments);
        let mut callee: Option<(String, Span)> = None;
        for item in &command.items {
            match item {
                Item::Word(word) => {
                    for field in self.expander.fields(word) {
                        if callee.is_none() {
                            let raw = &self.text[word.range.clone()];
                            let name = if field.is_unknown { raw.to_owned() } else { field.text() };
                            callee = Some((name, self.embedded.span(field.range.clone())));
                        } else {
                            args.push(self.argument(&field));
                        }
                    }
                }
                Item::Assignment(assignment) => {
                    args.push(self.assignment(assignment));
                    self.expander.assign(assignment, command.guarded, local);
                }
                Item::Redirect(redirect) => args.push(self.redirect(redirect)),
            }
        }
        self.expander.side_effects(command);
        if let Some((callee, callee_span)) = callee {
            let kind = NodeKind::Call { callee, callee_span, args };
            entries.push(Entry { span, key: None, value: Node { span, kind, anchor: None } });
        }
    }

    /// `A=1 B=2 command`: one leading entry whose value is a map.
    fn environment(&mut self, assignments: &[Assignment<'b>]) -> Vec<Entry> {
        let (Some(first), Some(last)) = (assignments.first(), assignments.last()) else { return Vec::new() };
        let span = self.embedded.span(first.range.start..last.range.end);
        let kind = NodeKind::Map(assignments.iter().map(|assignment| self.assignment(assignment)).collect());
        vec![Entry { span, key: None, value: Node { span, kind, anchor: None } }]
    }

    fn assignment(&mut self, assignment: &Assignment<'b>) -> Entry {
        let value = match &assignment.value {
            Assigned::Word(word) => {
                let mut field = self.expander.whole(word);
                if word.range.is_empty() {
                    field.range = assignment.range.end..assignment.range.end;
                }
                self.node(&field)
            }
            Assigned::Array(range, words) => {
                let fields: Vec<Field<'b>> = words.iter().flat_map(|word| self.expander.fields(word)).collect();
                let items = fields.iter().map(|field| self.argument(field)).collect();
                Node { span: self.embedded.span(range.clone()), kind: NodeKind::List(items), anchor: None }
            }
            Assigned::Unknown(range) => opaque(self.embedded.span(range.clone())),
        };
        let key = Key { span: self.embedded.span(assignment.name_range.clone()), name: assignment.name.to_owned() };
        Entry { span: self.embedded.span(assignment.range.clone()), key: Some(key), value }
    }

    fn redirect(&mut self, redirect: &Redirect<'b>) -> Entry {
        let value = match &redirect.target {
            Target::Word(word) => {
                let field = self.expander.whole(word);
                self.node(&field)
            }
            Target::HereDocument(body) => {
                let field = self.bodies.get(*body).map(|body| self.expander.whole(body));
                field.map_or_else(|| opaque(self.embedded.span(redirect.range.clone())), |field| self.node(&field))
            }
        };
        let key = Key {
            span: self.embedded.span(redirect.operator.clone()),
            name: self.text[redirect.operator.clone()].to_owned(),
        };
        Entry { span: self.embedded.span(redirect.range.clone()), key: Some(key), value }
    }

    fn node(&self, field: &Field<'_>) -> Node {
        let span = self.embedded.span(field.range.clone());
        let kind = if field.is_unknown { NodeKind::Opaque } else { NodeKind::Scalar(Scalar::Str(field.text())) };
        Node { span, kind, anchor: None }
    }

    /// An argument; `--name=value` has a key.
    fn argument(&self, field: &Field<'_>) -> Entry {
        let text = field.text();
        let split = text.find('=').filter(|_| text.starts_with('-')).and_then(|equals| {
            let place = field.place(equals)?;
            Some((equals, place))
        });
        let Some((equals, place)) = split else {
            let node = self.node(field);
            return Entry { span: node.span, key: None, value: node };
        };
        let quote = self.text[field.range.clone()].chars().next().filter(|first| matches!(first, '"' | '\''));
        let opened = usize::from(quote.is_some());
        let closed = usize::from(quote.is_some_and(|quote| self.text[place + 1..field.range.end].ends_with(quote)));
        let range = field.range.start + opened..field.range.end - closed;
        let key = Key {
            span: self.embedded.span(range.start..place),
            name: text[..equals].trim_start_matches('-').to_owned(),
        };
        let kind = if field.is_unknown {
            NodeKind::Opaque
        } else {
            NodeKind::Scalar(Scalar::Str(text[equals + 1..].to_owned()))
        };
        let value = Node { span: self.embedded.span(place + 1..range.end.max(place + 1)), kind, anchor: None };
        Entry { span: self.embedded.span(field.range.clone()), key: Some(key), value }
    }
}

/// Something present whose meaning is not known.
pub(super) fn opaque(span: Span) -> Node {
    Node { span, kind: NodeKind::Opaque, anchor: None }
}
