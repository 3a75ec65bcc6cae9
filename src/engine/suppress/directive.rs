//! The text of a suppression comment.

use std::ops::Range;

use crate::engine::catalogue::Selector;

/// What every comment of ours begins with.
const MARKER: &str = "dpo-lint:";

/// How far a suppression reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Line,
    File,
}

/// A rule in the brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedRule {
    pub text: String,
    pub range: Range<usize>,
    /// `None` for a rule that does not exist.
    pub selector: Option<Selector>,
}

/// Something that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub range: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

/// One suppression; ranges count from the start of the comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    pub scope: Scope,
    /// From its own `#` to its end.
    pub range: Range<usize>,
    /// What stands between the brackets.
    pub list: Range<usize>,
    /// `None`: every rule.
    pub rules: Option<Vec<NamedRule>>,
    pub mistakes: Vec<Mistake>,
}

/// The suppressions in a comment. Other remarks may stand before and behind them: `# noqa # dpo-lint: ignore[x] # why`.
pub(super) fn parse(comment: &str) -> Vec<Directive> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(marker) = comment[from..].find(MARKER).map(|at| at + from) {
        let body = marker + MARKER.len();
        let before = comment[..marker].trim_end();
        // The comment ends where another one seems to begin.
        let end = comment[body..].find(" # ").map_or(comment.len(), |at| body + at);
        if before.ends_with('#') {
            found.push(directive(comment, before.len() - 1, body, body + comment[body..end].trim_end().len()));
        }
        from = end;
    }
    found
}

fn directive(comment: &str, start: usize, body: usize, end: usize) -> Directive {
    let text = &comment[body..end];
    let word_start = body + (text.len() - text.trim_start().len());
    let rest = &comment[word_start..end];
    let word_len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(rest.len());
    let (word, after) = (&rest[..word_len], word_start + word_len);
    let scope = if word == "ignore-file" { Scope::File } else { Scope::Line };
    let mut found = Directive { scope, range: start..end, list: after..after, rules: None, mistakes: Vec::new() };
    if !matches!(word, "ignore" | "ignore-file") {
        let range = if word.is_empty() { start..end } else { word_start..after };
        let message = format!("`{word}` is no suppression");
        let help = Some("write `# dpo-lint: ignore[rule]` or `# dpo-lint: ignore-file[rule]`".to_owned());
        found.mistakes.push(Mistake { range, message, help });
        // It must suppress nothing.
        found.rules = Some(Vec::new());
        return found;
    }
    let Some(list) = comment[after..end].strip_prefix('[') else { return found };
    let Some(len) = list.find(']') else {
        let help = Some("close the list of rules with `]`".to_owned());
        found.mistakes.push(Mistake { range: after..end, message: "the list of rules has no end".to_owned(), help });
        found.rules = Some(Vec::new());
        return found;
    };
    found.list = after + 1..after + 1 + len;
    let mut rules = Vec::new();
    let mut at = found.list.start;
    for item in list[..len].split(',') {
        let name = item.trim();
        let start = at + (item.len() - item.trim_start().len());
        at += item.len() + 1;
        if name.is_empty() {
            continue;
        }
        let range = start..start + name.len();
        let selector = match name.parse::<Selector>() {
            Ok(selector) => Some(selector),
            Err(error) => {
                let help = error.similar.map(|similar| format!("did you mean `{similar}`?"));
                found.mistakes.push(Mistake { range: range.clone(), message: error.to_string(), help });
                None
            }
        };
        rules.push(NamedRule { text: name.to_owned(), range, selector });
    }
    if rules.is_empty() {
        let message = "the list of rules is empty".to_owned();
        let help = Some("name the rules, or leave the brackets out to suppress all".to_owned());
        found.mistakes.push(Mistake { range: after..found.list.end + 1, message, help });
    }
    found.rules = Some(rules);
    found
}
