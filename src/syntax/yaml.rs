//! YAML, read by `granit-parser` and understood as `PyYAML` would.
//!
//! The parser reports events with byte spans; this module makes spans cover what an edit would replace (a block scalar
//! begins at its `|`, a block sequence at its first `-`, an empty value right after its colon) and follows aliases
//! without ever building more than a bounded tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, StrInput, StructureStyle, Tag};

use super::{Document, Entry, Format, Key, MAX_DEPTH, Node, NodeKind, Scalar, SyntaxError};
use crate::source::{SourceFile, Span};

mod scalar;

pub use scalar::{YamlLoader, resolve};

/// Nodes that aliases may add to one file. Real files stay below a thousand; nested aliases grow exponentially.
const MAX_ALIASED_NODES: usize = 100_000;

/// Reads a YAML stream.
pub fn parse(source: &SourceFile) -> Document {
    let mut builder = Builder {
        source,
        parser: Parser::new_from_str_with_options(source.text(), options()),
        open: Vec::new(),
        documents: Vec::new(),
        anchors: BTreeMap::new(),
        aliased_nodes: 0,
        cursor: 0,
        comments: Vec::new(),
        errors: Vec::new(),
    };
    builder.run();
    builder.finish()
}

/// The scalar as another loader reads it. Quoted and tagged text reads the same everywhere.
pub fn reread(source: &SourceFile, node: &Node, loader: YamlLoader) -> Option<Scalar> {
    if let NodeKind::Alias(target) = &node.kind {
        return reread(source, target, loader);
    }
    let scalar = node.scalar()?;
    let raw = source.slice(node.span);
    let before = source.text().get(..node.span.start as usize).unwrap_or("");
    let tagged = before.split_ascii_whitespace().next_back().is_some_and(|word| word.starts_with('!'));
    let plain = !raw.starts_with(['"', '\'', '|', '>']);
    Some(if plain && !tagged { resolve(raw, loader) } else { scalar.clone() })
}

fn options() -> Options {
    let mut options = Options::default();
    options.emit_anchor_events = true;
    options.emit_unresolved_aliases = true;
    options.block_scalar_eof_without_line_feed = true;
    // The default of 96 turns a licence header into a syntax error.
    options.max_buffered_comment_events = usize::MAX;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    options
}

struct Builder<'a> {
    source: &'a SourceFile,
    parser: Parser<'a, StrInput<'a>>,
    /// Collections that have not ended, outermost first.
    open: Vec<Collection>,
    documents: Vec<Entry>,
    anchors: BTreeMap<usize, Anchored>,
    aliased_nodes: usize,
    /// Everything before this offset belongs to nodes that were read.
    cursor: usize,
    comments: Vec<Span>,
    errors: Vec<SyntaxError>,
}

struct Collection {
    is_map: bool,
    is_flow: bool,
    start: usize,
    entries: Vec<Entry>,
    key: Option<Key>,
    anchor: Option<Anchor>,
    size: usize,
    height: usize,
}

/// A node that aliases can stand for.
struct Anchored {
    node: Arc<Node>,
    size: usize,
    height: usize,
}

#[derive(Clone, Copy)]
struct Anchor {
    id: usize,
    span: Span,
}

/// A finished node with the measures that keep aliases in bounds.
struct Built {
    node: Node,
    size: usize,
    height: usize,
}

type Spanned<'a> = (Event<'a>, granit_parser::Span);

impl<'a> Builder<'a> {
    fn run(&mut self) {
        loop {
            match self.parser.next_event() {
                None => return,
                Some(Ok(event)) => self.event(event),
                Some(Err(error)) => {
                    self.give_up(&error);
                    // Whatever stands after the next `---` is read as if nothing had happened.
                    if !matches!(self.parser.proceed_next_document(), Ok(true)) {
                        return;
                    }
                }
            }
        }
    }

    fn event(&mut self, (event, span): Spanned<'a>) {
        let range = byte_range(&span);
        match event {
            Event::Comment(..) => self.comments.push(self.source.span(range)),
            Event::DocumentStart(..) => self.cursor = self.cursor.max(range.end),
            Event::Scalar(text, style, anchor, tag) => {
                let anchor = self.anchor(anchor);
                let tag_end = span.tag_span().map_or(0, |tag| byte_range(&tag).end);
                self.scalar(&text, style, anchor, tag.as_deref(), tag_end, range);
            }
            Event::Alias(id) => self.alias(id, range),
            Event::UnresolvedAlias(name) => {
                self.start_of_item();
                self.error(range.clone(), format!("found undefined alias '{name}'"));
                self.place(opaque(self.source.span(range)));
            }
            Event::SequenceStart(style, anchor, _) => self.begin(false, style, anchor, range.start),
            Event::MappingStart(style, anchor, _) => self.begin(true, style, anchor, range.start),
            Event::SequenceEnd | Event::MappingEnd => self.end(Some(range.end)),
            _ => {}
        }
    }

    /// The anchor event that follows every anchored node.
    fn anchor(&mut self, id: usize) -> Option<Anchor> {
        if id == 0 {
            return None;
        }
        match self.parser.next_event() {
            Some(Ok((Event::Anchor(id, _), span))) => Some(Anchor { id, span: self.source.span(byte_range(&span)) }),
            _ => None,
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: Option<Anchor>,
        tag: Option<&Tag>,
        tag_end: usize,
        range: std::ops::Range<usize>,
    ) {
        self.start_of_item();
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let is_empty = range.is_empty() && style == ScalarStyle::Plain;
        let range = if is_block {
            self.block_scalar(range)
        } else if is_empty {
            let at = self.empty_value(range.start).max(tag_end).max(anchor.map_or(0, |it| it.span.end as usize));
            at..at
        } else {
            range
        };
        let plain = if is_empty { "" } else { text };
        let kind = match tag {
            Some(tag) if tag.is_yaml_core_schema() => {
                // An empty node is `~` in events, but a tag is given the empty text.
                scalar::construct(tag.suffix(), plain).map_or(NodeKind::Opaque, NodeKind::Scalar)
            }
            Some(tag) if tag.original() != "!" => NodeKind::Opaque,
            None if style != ScalarStyle::Plain => NodeKind::Scalar(Scalar::Str(text.to_owned())),
            _ => NodeKind::Scalar(resolve(plain, YamlLoader::PyYaml)),
        };
        if tag.is_none() && style == ScalarStyle::Plain && text == "=" {
            self.error(range.clone(), "could not determine a constructor for the tag 'tag:yaml.org,2002:value'".into());
        }
        self.cursor = self.cursor.max(range.end);
        let node = Node { span: self.source.span(range), kind, anchor: anchor.map(|it| it.span) };
        let built = Built { node, size: 1, height: 1 };
        self.remember(anchor, &built);
        self.place(built);
    }

    fn alias(&mut self, id: usize, range: std::ops::Range<usize>) {
        self.start_of_item();
        self.cursor = self.cursor.max(range.end);
        let span = self.source.span(range.clone());
        // An alias inside its own anchor has no target yet: PyYAML builds a cycle, a tree cannot.
        let Some(target) = self.anchors.get(&id) else {
            return self.place(opaque(span));
        };
        let (size, height) = (target.size, target.height + 1);
        self.aliased_nodes += size;
        if self.aliased_nodes > MAX_ALIASED_NODES || self.open.len() + height > MAX_DEPTH {
            self.error(range, "aliases expand to more than can be read".into());
            return self.place(opaque(span));
        }
        let node = Node { span, kind: NodeKind::Alias(Arc::clone(&target.node)), anchor: None };
        self.place(Built { node, size, height });
    }

    fn begin(&mut self, is_map: bool, style: StructureStyle, anchor: usize, start: usize) {
        self.start_of_item();
        let anchor = self.anchor(anchor);
        let is_flow = style == StructureStyle::Flow;
        let start = if is_flow || is_map { start } else { self.skip_trivia(self.cursor).min(self.end_of_text()) };
        self.cursor = self.cursor.max(if is_flow { start + 1 } else { start });
        self.open.push(Collection {
            is_map,
            is_flow,
            start,
            entries: Vec::new(),
            key: None,
            anchor,
            size: 1,
            height: 1,
        });
    }

    /// Ends the innermost collection; `close` is where a flow collection's bracket ends.
    fn end(&mut self, close: Option<usize>) {
        let Some(mut it) = self.open.pop() else { return };
        if let Some(key) = it.key.take() {
            // Only after an error: a key whose value was not reached.
            let value = opaque(self.source.span(key.span.end as usize..key.span.end as usize)).node;
            it.entries.push(Entry { span: key.span, key: Some(key), value });
        }
        let last = it.entries.last().map_or(it.start, |entry| entry.span.end as usize);
        let end = match close {
            Some(close) if it.is_flow => close,
            _ => last,
        };
        // A block collection begins with its first entry, which may be an explicit `?` or an empty key before it.
        let first = it.entries.first().map_or(it.start, |entry| entry.span.start as usize);
        let start = if it.is_map && !it.is_flow { first.min(it.start) } else { it.start };
        self.cursor = self.cursor.max(end);
        let kind = if it.is_map { NodeKind::Map(it.entries) } else { NodeKind::List(it.entries) };
        let node =
            Node { span: self.source.span(start..end.max(start)), kind, anchor: it.anchor.map(|anchor| anchor.span) };
        let built = Built { node, size: it.size, height: it.height };
        self.remember(it.anchor, &built);
        self.place(built);
    }

    fn remember(&mut self, anchor: Option<Anchor>, built: &Built) {
        let Some(anchor) = anchor else { return };
        // The copy counts as well: anchors nested in anchors would be copied once per level.
        self.aliased_nodes += built.size;
        if self.aliased_nodes <= MAX_ALIASED_NODES {
            let node = Arc::new(built.node.clone());
            self.anchors.insert(anchor.id, Anchored { node, size: built.size, height: built.height });
        }
    }

    /// Puts a node where the innermost open collection expects one.
    fn place(&mut self, built: Built) {
        let Built { node, size, height } = built;
        let Some(parent) = self.open.last_mut() else {
            self.documents.push(Entry { span: node.span, key: None, value: node });
            return;
        };
        parent.size += size;
        parent.height = parent.height.max(height + 1);
        if !parent.is_map {
            parent.entries.push(Entry { span: node.span, key: None, value: node });
        } else if let Some(key) = parent.key.take() {
            parent.entries.push(Entry { span: key.span.to(node.span), key: Some(key), value: node });
        } else {
            let name = key_name(self.source, &node);
            parent.key = Some(Key { span: node.span, name });
            if matches!(node.kind, NodeKind::Map(_) | NodeKind::List(_)) {
                // `{{ name }}` without quotes is the usual way to write one.
                self.error(node.span.range(), "found unhashable key".into());
            }
        }
    }

    /// Steps over the `-` of a block sequence before the item that follows.
    fn start_of_item(&mut self) {
        if self.open.last().is_some_and(|it| !it.is_map && !it.is_flow) {
            let dash = self.skip_trivia(self.cursor);
            if self.bytes().get(dash) == Some(&b'-') {
                self.cursor = dash + 1;
            }
        }
    }

    /// From the `|` or `>` to the last character that is not a line break.
    fn block_scalar(&self, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let header = self.skip_trivia(self.cursor);
        let start = match self.bytes().get(header) {
            Some(b'|' | b'>') if header <= range.end => header,
            _ => range.start,
        };
        let text = self.source.text().get(start..range.end).unwrap_or("");
        start..start + text.trim_end_matches(['\n', '\r', ' ', '\t']).len()
    }

    /// Where a value would stand that is not there: after the colon, after the dash, or where the parser says.
    fn empty_value(&self, reported: usize) -> usize {
        match self.open.last() {
            Some(Collection { key: Some(key), .. }) => {
                let colon = self.skip_blank(key.span.end as usize);
                let explicit = self.skip_blank_lines(key.span.end as usize);
                [colon, explicit]
                    .into_iter()
                    .find(|at| self.bytes().get(*at) == Some(&b':'))
                    .map_or(key.span.end as usize, |at| at + 1)
            }
            Some(it) if !it.is_map && !it.is_flow => self.cursor,
            _ => reported,
        }
    }

    fn skip_blank(&self, from: usize) -> usize {
        from + self.bytes()[from..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }

    /// Blanks, line breaks and comments.
    fn skip_blank_lines(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            match self.bytes().get(at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => at += 1,
                Some(b'#') => at = self.end_of_line(at),
                _ => return at,
            }
        }
    }

    /// What may stand between two nodes besides dashes: blanks, comments, indicators, anchors and tags.
    fn skip_trivia(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            at = self.skip_blank_lines(at);
            match self.bytes().get(at) {
                Some(b':' | b'?' | b',') => at += 1,
                Some(b'&' | b'!') => {
                    at += self.bytes()[at..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
                }
                _ => return at,
            }
        }
    }

    fn end_of_line(&self, from: usize) -> usize {
        self.bytes()[from..].iter().position(|byte| *byte == b'\n').map_or(self.end_of_text(), |length| from + length)
    }

    fn bytes(&self) -> &'a [u8] {
        self.source.text().as_bytes()
    }

    fn end_of_text(&self) -> usize {
        self.source.text().len()
    }

    /// Keeps what was read of a document that cannot be read to its end.
    fn give_up(&mut self, error: &ScanError) {
        let at = error.marker().byte_offset().unwrap_or(self.cursor).min(self.end_of_text());
        let end = self.source.text()[at..].chars().next().map_or(at, |next| at + next.len_utf8());
        self.error(at..end, error.info());
        while !self.open.is_empty() {
            self.end(None);
        }
        self.anchors.clear();
    }

    fn error(&mut self, range: std::ops::Range<usize>, message: String) {
        self.errors.push(SyntaxError { span: self.source.span(range), message });
    }

    fn finish(self) -> Document {
        let mut documents = self.documents;
        let root = match documents.len() {
            0 => {
                let span = self.source.span(self.source.text().len()..self.source.text().len());
                Node { span, kind: NodeKind::Scalar(Scalar::Null), anchor: None }
            }
            1 => documents.remove(0).value,
            _ => {
                let span = documents[0].span.to(documents[documents.len() - 1].span);
                Node { span, kind: NodeKind::List(documents), anchor: None }
            }
        };
        let (mut comments, errors) = (self.comments, self.errors);
        comments.sort_unstable();
        comments.dedup();
        Document { file: self.source.id(), format: Format::Yaml, root, comments, errors }
    }
}

fn opaque(span: Span) -> Built {
    Built { node: Node { span, kind: NodeKind::Opaque, anchor: None }, size: 1, height: 1 }
}

/// A key as text: unquoted if it is a scalar, as written if it is anything else.
fn key_name(source: &SourceFile, key: &Node) -> String {
    match key.scalar() {
        Some(Scalar::Str(name)) => name.clone(),
        _ => source.slice(key.span).to_owned(),
    }
}

fn byte_range(span: &granit_parser::Span) -> std::ops::Range<usize> {
    span.byte_range().unwrap_or(0..0)
}
