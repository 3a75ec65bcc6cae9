//! Where in a YAML text somebody is writing, however broken it is: told by lines and how far they are indented.

use crate::syntax::python_call::Part;

/// A place where a key or a value may be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct YamlPlace<'t> {
    /// What is there of it.
    pub part: Part,
    /// The keys that it stands below, outermost first.
    pub parents: Vec<&'t str>,
    /// The other keys of the same mapping.
    pub beside: Vec<&'t str>,
}

impl<'t> YamlPlace<'t> {
    /// The place of a byte; `None` inside of a comment, of text of several lines, or of brackets.
    pub fn at(text: &'t str, offset: usize) -> Option<Self> {
        let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let end = text[offset..].find(['\r', '\n']).map_or(text.len(), |at| offset + at);
        let mut line = Line::of(&text[start..end]);
        if text[start..end].trim().is_empty() {
            line.column = offset - start;
        }
        let part = part(&text[start..end], line.column, start, offset)?;
        let mut place = Self { part, parents: Vec::new(), beside: Vec::new() };
        place.look_up(&text[..start], line)?;
        // What follows up to the next item, or to the end of what is above.
        let below = text[end..].lines().skip(1).map(Line::of).filter(|below| below.is_code);
        let block = below.take_while(|below| below.column > line.column || below.is_in_block_of(line));
        place.beside.extend(block.filter(|below| below.column == line.column).filter_map(|below| below.key));
        Some(place)
    }

    /// Keys above a line: those beside it, and those that it stands below.
    fn look_up(&mut self, above: &'t str, line: Line<'t>) -> Option<()> {
        // How far a line is indented that belongs to the innermost mapping known so far, and less than how far one that it is in.
        let (mut level, mut bound) = line.bounds();
        let mut is_block = level.is_some();
        for line in above.lines().rev().map(Line::of).filter(|line| line.is_code) {
            if level == Some(line.column) {
                if is_block {
                    self.beside.extend(line.key);
                }
                (level, bound) = line.bounds();
            } else if line.column < bound {
                let key = line.key.filter(|_| line.opens)?;
                self.parents.push(key);
                is_block = false;
                (level, bound) = line.bounds();
            }
        }
        self.parents.reverse();
        (bound == 0 || level == Some(0)).then_some(())
    }
}

/// A line of a YAML text.
#[derive(Debug, Clone, Copy)]
struct Line<'t> {
    /// Where its key or value starts, behind the dashes of items.
    column: usize,
    /// Where the first dash is, if it starts an item.
    dash: Option<usize>,
    key: Option<&'t str>,
    /// Whether what the key stands for is on other lines, and no text.
    opens: bool,
    is_code: bool,
}

impl<'t> Line<'t> {
    fn of(line: &'t str) -> Self {
        let line = line.trim_end();
        let mut column = line.len() - line.trim_start_matches(' ').len();
        let mut dash = None;
        while let Some(rest) = line[column..].strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' '))
        {
            dash = dash.or(Some(column));
            column = line.len() - rest.trim_start_matches(' ').len();
        }
        let content = &line[column..];
        let (name, value) = content.split_at(key_end(content));
        let value = value.trim_start().strip_prefix(':').filter(|value| value.is_empty() || value.starts_with(' '));
        let opens = value.is_some_and(|value| {
            let value = value.trim_start();
            value.is_empty() || (value.starts_with(['#', '&', '!']) && !value.contains(['{', '[', '|', '>']))
        });
        let key = value.and(Some(name)).filter(|name| !name.is_empty());
        let is_code = dash.is_some() || !(content.is_empty() || content.starts_with('#'));
        Self { column, dash, key, opens, is_code }
    }

    /// Where other lines of its mapping start, and before which column those that it is in.
    fn bounds(self) -> (Option<usize>, usize) {
        match self.dash {
            // The list of an item may start where the key that it belongs to does.
            Some(dash) => (None, dash + 1),
            None => (Some(self.column), self.column),
        }
    }

    /// Whether it goes on with the mapping that another line above is in.
    fn is_in_block_of(self, other: Self) -> bool {
        self.column == other.column && self.dash.is_none()
    }
}

fn is_key_letter(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-')
}

fn key_end(content: &str) -> usize {
    content.find(|letter| !is_key_letter(letter)).unwrap_or(content.len())
}

/// What of a key or value a place is in; the line's content starts at a column of it, and the line at a byte of the text.
fn part(line: &str, column: usize, start: usize, offset: usize) -> Option<Part> {
    let at = offset - start;
    let first = column.min(line.len());
    let key_end = first + key_end(&line[first..]);
    if at < first {
        return None;
    }
    if at <= key_end {
        let rest = line[key_end..].trim_start();
        let is_named = rest.starts_with(':');
        return (is_named || rest.is_empty()).then_some(Part::Name { range: start + first..start + key_end, is_named });
    }
    let colon = key_end + line[key_end..].find(':').filter(|at| line[key_end..key_end + at].trim().is_empty())?;
    if key_end == first || at <= colon {
        return None;
    }
    let name = line[first..key_end].to_owned();
    let rest = &line[colon + 1..];
    let value = rest.trim_start();
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
    let first = colon + 1 + (rest.len() - value.len()).min(at - colon - 1) + usize::from(quote.is_some());
    let word = line[first.min(line.len())..].find([' ', '#', '"', '\'']).map_or(line.len(), |length| first + length);
    (first <= at && at <= word).then_some(Part::Value { name, range: start + first..start + word, quote })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `|` marks the place.
    fn at(text: &str) -> String {
        let offset = text.find('|').expect("a place");
        let text = text.replacen('|', "", 1);
        let Some(place) = YamlPlace::at(&text, offset) else { return "-".to_owned() };
        let part = match place.part {
            Part::Name { range, is_named } => format!("key `{}` {is_named}", &text[range]),
            Part::Value { name, range, .. } => format!("{name}: `{}`", &text[range]),
        };
        let (parents, beside) = (place.parents.join("."), place.beside.join(" "));
        format!("{part} in {parents} with {beside}").replace(" in  with", " with").trim_end_matches(" with ").to_owned()
    }

    #[test]
    fn a_place_in_yaml_is_told_by_its_line() {
        for (text, expected) in [
            ("|", "key `` false"),
            ("a: 1\nbe|\nc: 2\n", "key `be` false with a c"),
            ("be|ta: 1", "key `beta` true"),
            ("kind:|", "kind: ``"),
            ("kind: |", "kind: ``"),
            ("kind: si|g  # why", "kind: `sig`"),
            ("kind: \"si|g\"", "kind: `sig`"),
            ("kind: a b|", "-"),
            ("# remark|", "-"),
        ] {
            assert_eq!(at(text), expected, "{text}");
        }
    }

    #[test]
    fn a_place_in_yaml_stands_below_what_is_indented_less() {
        for (text, expected) in [
            ("a:\n  b: 1\n  c|\n  d: 2\ne: 3\n", "key `c` false in a with b d"),
            ("a:\n  |\n", "key `` false in a"),
            ("a:\n  b:\n    c: 1\n  d|: x\n", "key `d` true in a with b"),
            ("a:\n  b:\n    kind: s|\n", "kind: `s` in a.b"),
            ("list:\n  - path: x\n    ty|\n  - path: y\n    type: z\n", "key `ty` false in list with path"),
            ("list:\n- path: x\n- ty|\n  b: 1\nc: 2\n", "key `ty` false in list with b"),
            ("list:\n- path: x\n  in:\n    a: 1\n    b|\n", "key `b` false in list.in with a"),
            ("top: 1\nlist:\n- a: 1\n\n# why\nb|", "key `b` false with list top"),
            ("a: &x\n  b: 1\n  c|", "key `c` false in a with b"),
            ("text: >\n  words |\n", "-"),
            ("text: >\n  word|\n", "-"),
            ("a: 1\n  b|", "-"),
            ("  b|", "-"),
        ] {
            assert_eq!(at(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "([ -~\\n\\ré]|- |: |  |a:\\n)*") {
            for (offset, _) in text.char_indices() {
                if let Some(Part::Name { range, .. } | Part::Value { range, .. }) =
                    YamlPlace::at(&text, offset).map(|place| place.part)
                {
                    prop_assert!(text.get(range).is_some());
                }
            }
        }
    }
}
