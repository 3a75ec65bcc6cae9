//! Text from a project as a terminal may show it: a name of a file must not move the cursor, forge a line or turn text around.

use std::borrow::Cow;

/// The text with control characters (line breaks included) and marks of direction written as escapes.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(|letter| !is_printable(letter)) {
        Cow::Owned(text.chars().fold(String::new(), |text, letter| {
            if is_printable(letter) {
                text + letter.encode_utf8(&mut [0; 4])
            } else {
                text + &letter.escape_default().to_string()
            }
        }))
    } else {
        Cow::Borrowed(text)
    }
}

/// The same for text of several lines.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

fn is_printable(letter: char) -> bool {
    let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !letter.is_control() && !turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert!(matches!(printable("träin 中.py"), Cow::Borrowed("träin 中.py")));
        assert_eq!(printable("a\u{1b}[31m\r\nb.py:1\u{202e}"), "a\\u{1b}[31m\\r\\nb.py:1\\u{202e}");
        assert_eq!(printable_lines("a\u{9b}b\nc"), "a\\u{9b}b\nc");
    }
}
