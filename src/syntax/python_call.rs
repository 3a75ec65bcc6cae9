//! What stands at a place inside a call, while it is being written: told by tokens, since what is unfinished has no tree worth reading.

use std::collections::BTreeMap;
use std::ops::Range;

use ruff_python_ast::token::{Token, TokenKind};
use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{self as ast};
use ruff_text_size::Ranged;

use super::python::PythonModule;

/// A place among the arguments of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPlace {
    /// What is called, as written: `trl.DPOConfig`.
    pub callee: String,
    /// The names of the other arguments.
    pub given: Vec<String>,
    /// What stands there.
    pub part: Part,
}

/// A part of an argument; ranges are bytes of the module's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The beginning of an argument: what may become its name, maybe nothing yet.
    Name {
        /// What is there.
        range: Range<usize>,
        /// Whether `=` follows.
        is_named: bool,
    },
    /// The value of a named argument.
    Value {
        /// The argument.
        name: String,
        /// The word there, without quotes, maybe nothing yet.
        range: Range<usize>,
        /// The quote that it stands in.
        quote: Option<char>,
    },
}

/// The call around a byte of the module's text, innermost; `None` outside of one, and inside of anything else that has brackets.
pub fn call_at(module: &PythonModule, offset: usize) -> Option<CallPlace> {
    let is_code = |token: &&Token| !matches!(token.kind(), TokenKind::Comment | TokenKind::NonLogicalNewline);
    let tokens: Vec<&Token> = module.tokens().iter().filter(is_code).collect();
    let before = tokens.partition_point(|token| usize::from(token.start()) < offset);
    let (open, callee) = innermost(module, &tokens[..before])?;
    let callee = callee?;
    let arguments = arguments(&tokens, open + 1);
    let name_of = |argument: &Range<usize>| match &tokens[argument.clone()] {
        [name, equal, ..] if name.kind() == TokenKind::Name && equal.kind() == TokenKind::Equal => {
            Some(module.slice(*name).to_owned())
        }
        _ => None,
    };
    // The comma behind an argument is not part of it, and a place on it still is.
    let current = arguments.iter().rposition(|argument| argument.start <= before)?;
    let given = arguments.iter().enumerate().filter(|(index, _)| *index != current);
    let given = given.filter_map(|(_, argument)| name_of(argument)).collect();
    let part = part(module, &tokens, &arguments[current], offset)?;
    Some(CallPlace { callee, given, part })
}

/// The full name of a dotted name as the module's imports say it: `T` is `trl.DPOTrainer` after `from trl import DPOTrainer as T`.
pub fn full_name(module: &PythonModule, written: &str) -> Option<String> {
    let mut imports = Imports::default();
    imports.visit_body(module.body());
    let (first, rest) = written.split_once('.').map_or((written, None), |(first, rest)| (first, Some(rest)));
    let full = imports.names.get(first)?;
    Some(rest.map_or_else(|| full.clone(), |rest| format!("{full}.{rest}")))
}

/// The bracket that is open at the end of these tokens, and what is called with it.
fn innermost(module: &PythonModule, tokens: &[&Token]) -> Option<(usize, Option<String>)> {
    let mut open: Vec<(usize, Option<String>)> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.kind() {
            TokenKind::Lpar => open.push((index, called(module, &tokens[..index]))),
            TokenKind::Lsqb | TokenKind::Lbrace => open.push((index, None)),
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => _ = open.pop(),
            // A statement begins: what is open above it was never closed.
            kind if begins_statement(kind) => open.clear(),
            _ => {}
        }
    }
    open.pop()
}

/// The dotted name that tokens end with; nothing for a definition.
fn called(module: &PythonModule, tokens: &[&Token]) -> Option<String> {
    let mut start = tokens.len();
    while let Some(name) = start.checked_sub(1).filter(|at| tokens[*at].kind() == TokenKind::Name) {
        start = name;
        match start.checked_sub(1).filter(|at| tokens[*at].kind() == TokenKind::Dot) {
            Some(dot) => start = dot,
            None => break,
        }
    }
    let names = &tokens[start..];
    let is_definition = start > 0 && matches!(tokens[start - 1].kind(), TokenKind::Def | TokenKind::Class);
    let is_name = names.first().is_some_and(|first| first.kind() == TokenKind::Name);
    (is_name && !is_definition).then(|| names.iter().map(|token| module.slice(**token)).collect())
}

/// The arguments from a token on, up to the bracket that closes them or to where a new statement seems to begin.
fn arguments(tokens: &[&Token], first: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut start, mut depth) = (first, 0usize);
    let mut end = tokens.len();
    for (index, token) in tokens.iter().enumerate().skip(first) {
        match token.kind() {
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => depth += 1,
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace if depth == 0 => {
                end = index;
                break;
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => depth -= 1,
            TokenKind::Comma if depth == 0 => {
                found.push(start..index);
                start = index + 1;
            }
            kind if kind == TokenKind::Newline || kind == TokenKind::EndOfFile || begins_statement(kind) => {
                end = index;
                break;
            }
            _ => {}
        }
    }
    found.push(start..end.max(start));
    found
}

fn begins_statement(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Def | TokenKind::Class | TokenKind::Import | TokenKind::Return | TokenKind::With | TokenKind::Raise
    )
}

/// What of an argument a place is in.
fn part(module: &PythonModule, tokens: &[&Token], argument: &Range<usize>, offset: usize) -> Option<Part> {
    let start = |token: &Token| usize::from(token.start());
    let end = |token: &Token| usize::from(token.end());
    let is_at = |token: &Token| start(token) <= offset && offset <= end(token);
    // What follows on another line may be the next statement.
    let line_end = module.text()[offset..].find('\n').map_or(module.text().len(), |at| offset + at);
    let own = &tokens[argument.clone()];
    let own = &own[..own.partition_point(|token| start(token) <= line_end)];
    let nothing = offset..offset;
    if own.first().is_some_and(|first| offset < start(first)) {
        return Some(Part::Name { range: nothing, is_named: false });
    }
    match own {
        [name, equal, rest @ ..] if name.kind() == TokenKind::Name && equal.kind() == TokenKind::Equal => {
            if is_at(name) {
                return Some(Part::Name { range: start(name)..end(name), is_named: true });
            }
            if offset < end(equal) {
                return None;
            }
            let name = module.slice(*name).to_owned();
            let value = |range, quote| Some(Part::Value { name: name.clone(), range, quote });
            match rest {
                [only] if is_at(only) && only.kind() == TokenKind::String => {
                    let (range, quote) = inside(module.slice(*only))?;
                    let range = start(only) + range.start..start(only) + range.end;
                    (range.start <= offset && offset <= range.end).then(|| value(range, Some(quote))).flatten()
                }
                [only] if is_at(only) && is_word(only.kind()) => value(start(only)..end(only), None),
                // A string without an end is no token.
                rest => match unfinished(&module.text()[end(equal)..offset]) {
                    Some((quote, word)) => value(offset - word.len()..offset, Some(quote)),
                    None => rest.iter().all(|token| offset <= start(token)).then(|| value(nothing, None)).flatten(),
                },
            }
        }
        [only] if is_at(only) && is_word(only.kind()) => {
            Some(Part::Name { range: start(only)..end(only), is_named: false })
        }
        all => all.is_empty().then_some(Part::Name { range: nothing, is_named: false }),
    }
}

/// A name, or a keyword that may be the beginning of one.
fn is_word(kind: TokenKind) -> bool {
    kind == TokenKind::Name || kind.is_keyword()
}

/// The content of a string on one line, and its quote.
fn inside(string: &str) -> Option<(Range<usize>, char)> {
    let start = string.find(['"', '\''])?;
    let quote = string[start..].chars().next()?;
    let is_long = string[start..].starts_with(&String::from(quote).repeat(3)) && string.len() > start + 3;
    let end = string[start + 1..].find(quote).map_or(string.len(), |at| start + 1 + at);
    (!is_long).then_some((start + 1..end, quote))
}

/// The quote and the beginning of a string that has no end yet.
fn unfinished(text: &str) -> Option<(char, &str)> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let word = &text[1..];
    (!word.contains([quote, '\n'])).then_some((quote, word))
}

/// What names stand for, wherever in the module they are imported.
#[derive(Default)]
struct Imports {
    names: BTreeMap<String, String>,
}

impl<'a> Visitor<'a> for Imports {
    fn visit_stmt(&mut self, statement: &'a ast::Stmt) {
        match statement {
            ast::Stmt::Import(import) => {
                for alias in &import.names {
                    let full = alias.name.as_str();
                    let top = || full.split('.').next().map_or((full, full), |top| (top, top));
                    let (name, full) = alias.asname.as_ref().map_or_else(top, |name| (name.as_str(), full));
                    self.names.insert(name.to_owned(), full.to_owned());
                }
            }
            ast::Stmt::ImportFrom(import) if import.level == 0 => {
                let Some(module) = &import.module else { return };
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.names.insert(name.to_string(), format!("{module}.{}", alias.name));
                }
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, _: &'a ast::Expr) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    /// `|` marks the place.
    fn at(text: &str) -> String {
        let offset = text.find('|').expect("a place");
        let text = text.replacen('|', "", 1);
        let module = PythonModule::parse(&Sources::default().add("a.py".into(), text.as_str()));
        match call_at(&module, offset) {
            None => "-".to_owned(),
            Some(CallPlace { callee, given, part }) => {
                let part = match part {
                    Part::Name { range, is_named } => {
                        format!("name `{}`{}", &text[range], if is_named { "=" } else { "" })
                    }
                    Part::Value { name, range, quote } => {
                        let quote = quote.map_or(String::new(), String::from);
                        format!("value of {name} {quote}`{}`", &text[range])
                    }
                };
                format!("{callee}({}) {part}", given.join(","))
            }
        }
    }

    #[test]
    fn a_place_in_a_call_is_told_however_broken_the_rest_is() {
        for (text, expected) in [
            ("f(|)", "f() name ``"),
            ("x = a.F(be|)\n", "a.F() name `be`"),
            ("F(x, b=1, |\ny = 2\n", "F(b) name ``"),
            ("F(\n    a=1,\n    |\n    c=g(d=2),\n)\n", "F(a) name ``"),
            ("F(\n    a=1,\n    lo|\n", "F(a) name `lo`"),
            ("F(a=1, lo|\nb = 2\n", "F(a) name `lo`"),
            ("F(a=1, kind=s|\nb = 2\n", "F(a) value of kind `s`"),
            ("F(be|ta=0.1)", "F() name `beta`="),
            ("F(beta=|)", "F() value of beta ``"),
            ("F(beta=Tr|)", "F() value of beta `Tr`"),
            ("F(kind=\"si|g\", b=1)", "F(b) value of kind \"`sig`"),
            ("F(kind='|')", "F() value of kind '``"),
            ("F(kind=\"si|\nx = 1\n", "F() value of kind \"`si`"),
            ("F(a=g(|), b=2)", "g() name ``"),
            ("F(a=[|])", "-"),
            ("def f(a|): pass", "-"),
            ("F(a=1)|", "-"),
            ("F(a=1 + |)", "-"),
            ("F(a, 'x|')", "-"),
            ("F(a=1,\n\ndef g(x):\n    return H(|)\n", "H() name ``"),
        ] {
            assert_eq!(at(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_what_imports_say() {
        let text =
            "import trl\nimport trl.trainer as t\nfrom . import own\ndef f():\n    from trl import DPOConfig as C\n";
        let module = PythonModule::parse(&Sources::default().add("a.py".into(), text));
        for (written, full) in [
            ("trl.DPOConfig", Some("trl.DPOConfig")),
            ("t.DPOConfig", Some("trl.trainer.DPOConfig")),
            ("C", Some("trl.DPOConfig")),
            ("own.C", None),
            ("D", None),
        ] {
            assert_eq!(full_name(&module, written).as_deref(), full, "{written}");
        }
    }
}
