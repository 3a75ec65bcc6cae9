//! Where the objects of a JSON file begin and end.

use std::cmp::Ordering;

/// An object of a file: its text and the line on which it begins.
pub(super) struct Element<'t> {
    pub text: &'t str,
    pub line: usize,
}

/// The elements of an array, or the values that follow one another as in JSON lines. What is no JSON is left to the parser, as an
/// element that it refuses.
pub(super) fn elements(text: &str) -> Vec<Element<'_>> {
    let is_array = text.trim_start().starts_with('[');
    let base = usize::from(is_array);
    let mut scan = Scan { found: Vec::new(), start: None, depth: 0, line: 1 };
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        let is_end = match byte {
            b'\n' => {
                scan.line += 1;
                // A line that is cut off in a string must not swallow the next one.
                let is_cut = in_string && !is_array;
                in_string &= !is_cut;
                is_cut || (!is_array && scan.depth == 0)
            }
            _ if in_string => {
                in_string = escaped || byte != b'"';
                escaped = byte == b'\\' && !escaped;
                false
            }
            b'"' => {
                scan.open(at, base);
                in_string = true;
                false
            }
            b'{' | b'[' => {
                if scan.depth >= base {
                    scan.open(at, base);
                }
                scan.depth += 1;
                false
            }
            b'}' | b']' => {
                scan.depth = scan.depth.saturating_sub(1);
                match scan.depth.cmp(&base) {
                    Ordering::Less => scan.close(text, at),
                    Ordering::Equal => scan.close(text, at + 1),
                    Ordering::Greater => {}
                }
                false
            }
            b',' => is_array && scan.depth == base,
            _ if byte.is_ascii_whitespace() => false,
            _ => {
                scan.open(at, base);
                false
            }
        };
        if is_end {
            scan.close(text, at);
            scan.depth = base;
        }
    }
    scan.close(text, text.len());
    scan.found
}

struct Scan<'t> {
    found: Vec<Element<'t>>,
    start: Option<(usize, usize)>,
    depth: usize,
    line: usize,
}

impl<'t> Scan<'t> {
    fn open(&mut self, at: usize, base: usize) {
        if self.start.is_none() && self.depth >= base {
            self.start = Some((at, self.line));
        }
    }

    fn close(&mut self, text: &'t str, end: usize) {
        if let Some((start, line)) = self.start.take() {
            self.found.push(Element { text: &text[start..end], line });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, usize)> {
        elements(text).iter().map(|element| (element.text, element.line)).collect()
    }

    #[test]
    fn lines_are_elements() {
        assert_eq!(found("{\"a\": 1}\n\n{\"b\": \"}\\\"{\"}\n"), [("{\"a\": 1}", 1), ("{\"b\": \"}\\\"{\"}", 3)]);
    }

    /// A backslash that is escaped itself escapes nothing.
    #[test]
    fn a_string_may_end_with_a_backslash() {
        let text = r#"{"a": "\\", "b": "}"}"#;
        assert_eq!(found(&format!("{text}\n{{}}")), [(text, 1), ("{}", 2)]);
    }

    #[test]
    fn values_may_take_several_lines() {
        assert_eq!(found("{\n\"a\": [1,\n2]}\n{}"), [("{\n\"a\": [1,\n2]}", 1), ("{}", 4)]);
    }

    #[test]
    fn elements_of_an_array_have_lines() {
        assert_eq!(found("[\n  {\"a\": 1},\n  {\"b\": [2]}\n]\n"), [("{\"a\": 1}", 2), ("{\"b\": [2]}", 3)]);
        assert_eq!(found("[]"), []);
        assert_eq!(found("[1, \"x\"]"), [("1", 1), ("\"x\"", 1)]);
    }

    #[test]
    fn a_broken_line_is_an_element_of_its_own() {
        assert_eq!(found("oops\n{\"a\": 1}"), [("oops", 1), ("{\"a\": 1}", 2)]);
        assert_eq!(found("{\"a\": \"1\n{\"b\": 2}"), [("{\"a\": \"1", 1), ("{\"b\": 2}", 2)]);
    }
}
