//! What a mined guard says, whatever the call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::eval::{self, Cond, Root, Symbol, Tri, Value};

/// Whether a guard fires only where each of these conditions holds, for models that are objects (a path is loaded first, and
/// what it then is depends on the disk). The conditions may speak of the constructor's usual parameters.
pub(crate) fn requires(guard: &crate::knowledge::Guard, conditions: &[&str]) -> bool {
    const PARAMETERS: [&str; 4] = ["model", "ref_model", "peft_config", "args"];
    const OBJECTS: &str = "not isinstance(model, str) and not isinstance(ref_model, str) and args is not None";
    // Without the name of a parameter nothing is said about it; most guards are told apart by this alone.
    let says_less = |condition: &str| PARAMETERS.iter().any(|name| names(condition, name) && !names(&guard.when, name));
    if conditions.iter().any(|condition| says_less(condition)) {
        return false;
    }
    let read = |text: &str| {
        // Several rules ask about the same few guards, for every call.
        static KNOWN: Mutex<BTreeMap<String, Cond>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(text) {
            return known.clone();
        }
        let symbol =
            |name: &str| Value::Symbol(Arc::new(Symbol { root: Root::Parameter(name.into()), path: Vec::new() }));
        let condition = eval::condition(text, &PARAMETERS.map(|name| (name, symbol(name))), &NoHost);
        known.insert(text.to_owned(), condition.clone());
        condition
    };
    let fires = read(&guard.when).and(read(OBJECTS));
    // A guard that never fires implies anything; to tell takes longest.
    conditions.iter().all(|condition| fires.implies(&read(condition))) && fires.verdict() != Tri::No
}

/// Whether a name stands in an expression.
pub(super) fn names(expression: &str, name: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut found = expression.match_indices(name);
    found.any(|(at, _)| !expression[..at].ends_with(is_part) && !expression[at + name.len()..].starts_with(is_part))
}

/// Every name in an expression, attributes included, with words that stand in strings.
pub(super) fn words(expression: &str) -> BTreeSet<&str> {
    names_in(expression).map(|(_, name)| name).collect()
}

/// The same without attributes: `args` of `args.beta`.
pub(super) fn variables(expression: &str) -> BTreeSet<&str> {
    names_in(expression).filter(|(at, _)| !expression[..*at].ends_with('.')).map(|(_, name)| name).collect()
}

/// The same with the attributes behind them, what stands in quotes left out: `args.beta`.
pub(super) fn paths(expression: &str) -> BTreeSet<&str> {
    let mut quote = None;
    let mut found = BTreeSet::new();
    let mut start = None;
    for (at, letter) in expression.char_indices().chain([(expression.len(), ' ')]) {
        let is_part = quote.is_none() && (letter.is_alphanumeric() || matches!(letter, '_' | '.'));
        match (start, is_part) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                let path = expression[from..at].trim_end_matches('.');
                if is_variable(path.split('.').next().unwrap_or(path)) {
                    found.insert(path);
                }
                start = None;
            }
            _ => {}
        }
        match quote {
            Some(open) if letter == open => quote = None,
            None if matches!(letter, '"' | '\'') => quote = Some(letter),
            _ => {}
        }
    }
    found
}

/// An expression with another name for a dotted one.
pub(super) fn with_path(expression: &str, path: &str, name: &str) -> String {
    if path == name {
        return expression.to_owned();
    }
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
    let (mut text, mut at) = (String::new(), 0);
    for (found, _) in expression.match_indices(path) {
        let rest = &expression[found + path.len()..];
        let is_whole = !rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        if is_whole && !expression[..found].ends_with(is_part) {
            text.push_str(&expression[at..found]);
            text.push_str(name);
            at = found + path.len();
        }
    }
    text + &expression[at..]
}

fn is_variable(word: &str) -> bool {
    const KEYWORDS: [&str; 10] = ["and", "or", "not", "is", "in", "for", "None", "True", "False", "isinstance"];
    // Functions and variables of conditions, which name nothing of the program's.
    const OWN: [&str; 4] = ["any", "len", "int", "_"];
    !OWN.contains(&word)
        && word.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
        && !KEYWORDS.contains(&word)
}

/// Names and where they start.
fn names_in(expression: &str) -> impl Iterator<Item = (usize, &str)> {
    let words = expression.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let starting = words.scan(0, |next, word| {
        let at = *next;
        *next += word.len();
        *next += expression[*next..].chars().next().map_or(0, char::len_utf8);
        Some((at, word))
    });
    starting.filter(|(_, word)| is_variable(word))
}

/// A host that knows nothing.
struct NoHost;

impl eval::Host for NoHost {
    fn module(&self, _: crate::source::FileId, _: &str, _: u32) -> Option<Arc<crate::syntax::python::PythonModule>> {
        None
    }
    fn call(&self, _: &str) -> Option<eval::Summary> {
        None
    }
    fn attribute(&self, _: &eval::Object, _: &str) -> Option<Value> {
        None
    }
    fn is_instance(&self, _: &str, _: &str) -> Option<bool> {
        None
    }
}
