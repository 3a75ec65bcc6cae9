//! Where blanks count: they split the text of an unquoted variable into fields, and fall away around a text that is read whole.

use std::borrow::Cow;

use super::entries::Field;
use super::expand::Chunk;

/// Collects the fields of one word.
#[derive(Default)]
pub(super) struct Builder<'a> {
    done: Vec<Field<'a>>,
    open: Option<Field<'a>>,
}

impl<'a> Builder<'a> {
    /// The field that the next text belongs to.
    pub fn current(&mut self) -> &mut Field<'a> {
        self.open.get_or_insert_with(|| Field::known(Vec::new(), 0..0))
    }

    pub fn push(&mut self, chunk: Chunk<'a>) {
        let field = self.current();
        // After something unknown the rest has no place; what came before it is kept as the known beginning.
        if !field.is_unknown {
            field.chunks.push(chunk);
        }
    }

    pub fn unknown(&mut self) {
        self.current().is_unknown = true;
    }

    /// Adds the text of an unquoted variable, which blanks split.
    pub fn split(&mut self, chunk: &Chunk<'a>) {
        let text = chunk.text.as_ref();
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let blank = rest.starts_with([' ', '\t', '\n']);
            let length = rest.find(|next: char| matches!(next, ' ' | '\t' | '\n') != blank).unwrap_or(rest.len());
            if blank {
                self.done.extend(self.open.take());
            } else {
                let text = match &chunk.text {
                    Cow::Borrowed(text) => Cow::Borrowed(&text[at..at + length]),
                    Cow::Owned(text) => Cow::Owned(text[at..at + length].to_owned()),
                };
                self.push(Chunk { text, at: chunk.at.map(|start| start + at) });
            }
            at += length;
        }
    }

    pub fn finish(mut self) -> Vec<Field<'a>> {
        self.done.extend(self.open);
        self.done
    }
}

/// Takes away the blanks around a text.
pub(super) fn trim(chunks: &mut [Chunk<'_>]) {
    let is_blank = |letter: char| matches!(letter, ' ' | '\t' | '\n');
    for chunk in chunks.iter_mut() {
        let kept = chunk.text.trim_start_matches(is_blank).len();
        let cut = chunk.text.len() - kept;
        match &mut chunk.text {
            Cow::Borrowed(text) => *text = &text[cut..],
            Cow::Owned(text) => *text = text.split_off(cut),
        }
        chunk.at = chunk.at.map(|at| at + cut);
        if kept > 0 {
            break;
        }
    }
    for chunk in chunks.iter_mut().rev() {
        let kept = chunk.text.trim_end_matches(is_blank).len();
        match &mut chunk.text {
            Cow::Borrowed(text) => *text = &text[..kept],
            Cow::Owned(text) => text.truncate(kept),
        }
        if kept > 0 {
            break;
        }
    }
}
