//! Which variables a command changes.

use super::command::{Command, Item};
use super::grammar::Event;
use super::lexer::is_name;

/// Names that an event assigns.
pub(super) fn assigned_names<'a>(event: &Event<'a>, text: &'a str) -> Vec<&'a str> {
    match event {
        Event::Unknown(name) => vec![name],
        Event::Arithmetic(range) => arithmetic_names(&text[range.clone()]),
        Event::Command(command) => {
            let declared = command.items.iter().filter_map(|item| match item {
                Item::Assignment(assignment) => Some(assignment.name),
                _ => None,
            });
            let statements = if command.items.iter().any(|item| matches!(item, Item::Word(_))) {
                &[][..]
            } else {
                command.assignments.as_slice()
            };
            let statements = statements.iter().map(|assignment| assignment.name);
            declared.chain(statements).chain(read_names(command, text)).collect()
        }
        Event::Open(_) | Event::Branch | Event::Close | Event::Forget => Vec::new(),
    }
}

/// Names that `read`, `mapfile`, `getopts`, `printf -v` fill.
pub(super) fn read_names<'a>(command: &Command<'a>, text: &'a str) -> Vec<&'a str> {
    let mut words = command.items.iter().filter_map(|item| match item {
        Item::Word(word) => Some(&text[word.range.clone()]),
        _ => None,
    });
    match words.next() {
        Some("read" | "mapfile" | "readarray" | "getopts" | "let" | "unset") => {
            words.map(|word| word.split(['=', '+', '-']).next().unwrap_or(word)).collect()
        }
        Some("printf") => words.skip_while(|word| *word != "-v").skip(1).take(1).collect(),
        _ => Vec::new(),
    }
}

/// Names in an arithmetic expression that changes something.
fn arithmetic_names(expression: &str) -> Vec<&str> {
    if !expression.contains(['=', '+', '-']) {
        return Vec::new();
    }
    let is_word = |part: &&str| part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    expression.split(|other: char| !other.is_ascii() || !is_name(other as u8)).filter(is_word).collect()
}

/// Files that set up a shell and no variable of a launch line.
pub(super) fn is_harmless(path: &str) -> bool {
    let path = path.trim_matches(['"', '\'']);
    path.ends_with("activate")
        || ["conda.sh", "bashrc", "profile", "bash_profile"].iter().any(|name| path.ends_with(name))
        || path.split('/').any(|part| part == "activate")
        || !path.contains(['/', '.', '$'])
}
