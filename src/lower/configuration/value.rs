//! What becomes of a value on its way from a file or a command line into a field.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Key;
use crate::eval::{Const, Dict, Traced, Value};
use crate::knowledge::{Package, Parameter, Reading};
use crate::syntax::yaml::{YamlLoader, resolve};
use crate::syntax::{Entry, Node, NodeKind, Scalar};

/// What a field holds, as far as its annotation says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A truth value.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// A text.
    Str,
    /// One of several words.
    Choice(Vec<String>),
    /// Several of a kind.
    List(Box<Kind>),
    /// A mapping, and what its values are.
    Dict(Box<Kind>),
    /// An option that stands alone and takes no value.
    Switch,
    /// As many words as these, each of its kind.
    Tuple(Vec<Kind>),
    /// Anything else: nothing is said about it.
    Other,
}

/// The kinds of value that a field may hold beside `None`; empty: not known.
pub fn kind_of(parameter: &Parameter) -> Vec<Kind> {
    if !parameter.choices.is_empty() {
        return vec![Kind::Choice(parameter.choices.clone())];
    }
    parameter.annotation.as_deref().map(|annotation| kinds(annotation.trim_matches(['"', '\'']))).unwrap_or_default()
}

/// The classes that a field holds, by the full names in its annotation.
pub fn held<'a>(parameter: &'a Parameter, package: &Package) -> Vec<&'a str> {
    let annotation = parameter.annotation.as_deref().unwrap_or_default();
    let words = annotation.split(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '_' | '.'));
    words.filter(|word| word.contains('.') && package.callable(word).is_some()).collect()
}

/// The kinds of word that a parser of a command line takes for a field.
pub fn kind_of_words(parameter: &Parameter) -> Vec<Kind> {
    let kinds = kind_of(parameter);
    if parameter.words.is_empty() {
        return kinds;
    }
    let choice = Kind::Choice(parameter.words.clone());
    vec![if matches!(kinds[..], [Kind::List(_)]) { Kind::List(Box::new(choice)) } else { choice }]
}

fn kinds(annotation: &str) -> Vec<Kind> {
    let parts = split(annotation, '|');
    if parts.len() > 1 {
        return parts.into_iter().flat_map(kinds).collect();
    }
    let annotation = annotation.trim();
    let inside = |names: &[&str]| {
        let (name, rest) = annotation.split_once('[')?;
        let name = name.rsplit('.').next()?;
        names.contains(&name).then(|| rest.strip_suffix(']')).flatten()
    };
    if let Some(inner) = inside(&["Optional", "Union"]) {
        return split(inner, ',').into_iter().flat_map(kinds).collect();
    }
    if let Some(words) = inside(&["Literal"]) {
        let words: Option<Vec<String>> =
            split(words, ',').into_iter().filter(|word| *word != "None").map(quoted).collect();
        return vec![words.map_or(Kind::Other, Kind::Choice)];
    }
    if let Some(inner) = inside(&["list", "List"]) {
        let mut inner = kinds(inner);
        let item = if inner.len() == 1 { inner.remove(0) } else { Kind::Other };
        return vec![Kind::List(Box::new(item))];
    }
    // The rest of `Annotated` narrows what its first part is.
    if let Some(inner) = inside(&["Annotated"]) {
        return split(inner, ',').into_iter().take(1).flat_map(kinds).collect();
    }
    if let Some(inner) = inside(&["tuple"]).filter(|inner| !inner.contains('.')) {
        return vec![Kind::Tuple(split(inner, ',').into_iter().flat_map(kinds).collect())];
    }
    if let Some(inner) = inside(&["dict", "Dict"]) {
        let mut inner = split(inner, ',').into_iter().skip(1).flat_map(kinds).collect::<Vec<_>>();
        let value = if inner.len() == 1 { inner.remove(0) } else { Kind::Other };
        return vec![Kind::Dict(Box::new(value))];
    }
    match annotation {
        "None" | "NoneType" => Vec::new(),
        "bool" => vec![Kind::Bool],
        "switch" => vec![Kind::Switch],
        "int" => vec![Kind::Int],
        "float" => vec![Kind::Float],
        "str" => vec![Kind::Str],
        "dict" | "Dict" => vec![Kind::Dict(Box::new(Kind::Other))],
        "list" | "List" => vec![Kind::List(Box::new(Kind::Other))],
        _ => vec![Kind::Other],
    }
}

/// The parts between separators that stand outside of brackets and quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut quote, mut start) = (0i32, None, 0);
    let mut parts = Vec::new();
    for (at, letter) in text.char_indices() {
        match letter {
            '\'' | '"' if quote == Some(letter) => quote = None,
            '\'' | '"' if quote.is_none() => quote = Some(letter),
            '[' | '(' if quote.is_none() => depth += 1,
            ']' | ')' if quote.is_none() => depth -= 1,
            _ if letter == separator && depth == 0 && quote.is_none() => {
                parts.push(text[start..at].trim());
                start = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn quoted(word: &str) -> Option<String> {
    let quote = word.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    Some(word.strip_prefix(quote)?.strip_suffix(quote)?.to_owned())
}

/// The value that ends up in a field, or why there is none.
pub fn read(key: &Key, kinds: &[Kind], reading: Reading) -> Result<Value, String> {
    let is_strict = matches!(reading, Reading::Pydantic | Reading::Structured | Reading::Argparse);
    let reading = if key.on_command_line && !is_strict { Reading::Words } else { reading };
    if reading == Reading::Argparse {
        count(key, kinds)?;
    }
    if let (true, Reading::Structured, NodeKind::Scalar(Scalar::Str(word))) =
        (key.on_command_line, reading, &key.value.kind)
    {
        return merged_word(word, kinds);
    }
    match &key.value.kind {
        NodeKind::List(items) => list(items.iter().map(|item| &item.value), kinds, reading),
        // A flag without a value.
        NodeKind::Opaque if key.on_command_line && key.value.span.start == key.value.span.end => match kinds {
            [Kind::Bool | Kind::Switch] => Ok(Value::bool(true)),
            [Kind::Int | Kind::Float | Kind::Str | Kind::Choice(_)] => Err("there is no value".to_owned()),
            // `HfArgumentParser` lets only truth values stand alone.
            several if reading == Reading::Words && !several.is_empty() && !several.contains(&Kind::Bool) => {
                Err("there is no value".to_owned())
            }
            _ => Ok(Value::Unknown),
        },
        NodeKind::Map(_)
            if !kinds.is_empty() && !kinds.iter().any(|kind| matches!(kind, Kind::Dict(_) | Kind::Other)) =>
        {
            match reading {
                Reading::Pydantic | Reading::Structured => Err("a mapping".to_owned()),
                _ => Ok(Value::Unknown),
            }
        }
        NodeKind::Map(entries) => {
            if let ([Kind::Dict(inner)], Reading::Pydantic) = (kinds, reading) {
                let kinds = std::slice::from_ref(&**inner);
                for value in entries.iter().map(|entry| entry.value.target()) {
                    match value.scalar() {
                        Some(scalar) => _ = scalar_value(scalar, kinds, reading)?,
                        None if is_scalar(inner) => return Err("a value of it is no single one".to_owned()),
                        None => {}
                    }
                }
            }
            Ok(Value::Dict(Arc::new(dictionary(entries))))
        }
        _ => match key.value.scalar() {
            Some(scalar) => scalar_value(scalar, kinds, reading),
            None => Ok(Value::Unknown),
        },
    }
}

/// A word of a command line that `OmegaConf.from_cli` reads as YAML; of one that may be no plain value nothing is known.
fn merged_word(word: &str, kinds: &[Kind]) -> Result<Value, String> {
    if word.starts_with(['[', '{', '"', '\'', '-', '&', '*', '!', '|', '>']) || word.contains([':', '#', '\n']) {
        return match word.parse::<f64>() {
            Ok(_) => scalar_value(&resolve(word, YamlLoader::OmegaConf), kinds, Reading::Structured),
            Err(_) => Ok(Value::Unknown),
        };
    }
    scalar_value(&resolve(word, YamlLoader::OmegaConf), kinds, Reading::Structured)
}

/// Whether an option has as many values as its parser takes.
fn count(key: &Key, kinds: &[Kind]) -> Result<(), String> {
    let given = match &key.value.kind {
        NodeKind::List(items) => items.len(),
        // What is not known may be several words, or none.
        NodeKind::Opaque if key.value.span.start < key.value.span.end => return Ok(()),
        NodeKind::Opaque => 0,
        _ => 1,
    };
    match kinds {
        [Kind::Switch] if given > 0 => Err("it takes no value".to_owned()),
        [Kind::Tuple(parts)] if given != parts.len() => Err(format!("it takes {} values", parts.len())),
        _ => Ok(()),
    }
}

fn dictionary(entries: &[Entry]) -> Dict {
    let entry = |entry: &Entry| {
        let key = Const::Str(entry.name()?.into());
        let value = entry.value.scalar().map_or(Value::Unknown, constant);
        Some((key, Traced { value, span: entry.value.span }, Some(entry.span)))
    };
    let is_open = entries.iter().any(Entry::is_merge);
    Dict { id: 0, entries: entries.iter().filter_map(entry).collect(), open: is_open, maybe: BTreeMap::new() }
}

fn list<'n>(items: impl Iterator<Item = &'n Node>, kinds: &[Kind], reading: Reading) -> Result<Value, String> {
    let is_strict = !matches!(reading, Reading::SafeYaml | Reading::Omegaconf | Reading::Trl);
    let inner: &[Kind] = match kinds {
        [Kind::List(inner)] => std::slice::from_ref(inner),
        // All parts of a tuple are of the kind of the first one.
        [Kind::Tuple(parts)] if reading == Reading::Argparse => parts.get(..1).unwrap_or_default(),
        [Kind::Int | Kind::Float | Kind::Bool | Kind::Str | Kind::Choice(_)] if is_strict => {
            return Err("a list".to_owned());
        }
        several if reading == Reading::Words && takes_one_word(several) => return Err("a list".to_owned()),
        [Kind::Dict(_)] if matches!(reading, Reading::Structured | Reading::Pydantic) => {
            return Err("a list".to_owned());
        }
        several
            if matches!(reading, Reading::Structured | Reading::Pydantic)
                && several.len() > 1
                && several.iter().all(|kind| is_scalar(kind) || matches!(kind, Kind::Choice(_) | Kind::Dict(_))) =>
        {
            return Err("a list".to_owned());
        }
        _ => &[],
    };
    let mut values = Vec::new();
    for item in items {
        let value = match item.scalar() {
            Some(scalar) => scalar_value(scalar, inner, reading)?,
            None => Value::Unknown,
        };
        values.push(Traced { value, span: item.span });
    }
    Ok(Value::List(values.into()))
}

fn scalar_value(scalar: &Scalar, kinds: &[Kind], reading: Reading) -> Result<Value, String> {
    let plain = constant(scalar);
    // What a program makes of `null` where the field has no room for it is its own affair.
    if matches!(scalar, Scalar::Null) && reading != Reading::Words {
        return Ok(Value::Const(Const::None));
    }
    match reading {
        Reading::SafeYaml => Ok(plain),
        Reading::Omegaconf => Ok(number_of(scalar).map_or(plain, Value::Const)),
        Reading::Trl => match (kinds, scalar) {
            // What the file says becomes a default, and a default that is a string is read like a word of the command line. Its
            // choices are not looked at.
            ([kind @ (Kind::Int | Kind::Float | Kind::Bool)], Scalar::Str(word)) => from_word(word, kind),
            _ => Ok(plain),
        },
        Reading::Words | Reading::Argparse => match word_of(scalar) {
            Some(word) => best(kinds, |kind| from_word(&word, kind)),
            None => Ok(Value::Unknown),
        },
        Reading::Pydantic => best(kinds, |kind| from_value(scalar, kind)),
        Reading::Structured => {
            let is_one_of_several = kinds.len() > 1;
            best(kinds, |kind| {
                if is_one_of_several && !is_exactly(scalar, kind) {
                    return Err(format!("`{}` is of another type", word_of(scalar).unwrap_or_default()));
                }
                from_merged(scalar, kind)
            })
        }
    }
}

/// The first kind that takes a value; if none does, why the first one does not. Without kinds nothing is said.
fn best(kinds: &[Kind], take: impl Fn(&Kind) -> Result<Value, String>) -> Result<Value, String> {
    let mut first = None;
    for kind in kinds {
        match take(kind) {
            Ok(value) => return Ok(value),
            Err(reason) => first = first.or(Some(reason)),
        }
    }
    first.map_or(Ok(Value::Unknown), Err)
}

fn constant(scalar: &Scalar) -> Value {
    Value::Const(match scalar {
        Scalar::Null => Const::None,
        Scalar::Bool(value) => Const::Bool(*value),
        Scalar::Int(value) => Const::Int(*value),
        Scalar::Float(value) => Const::float(*value),
        Scalar::Str(text) => Const::Str(text.as_str().into()),
        Scalar::Date(_) => return Value::Unknown,
    })
}

/// A number that is written as a string is to `yaml.safe_load`: `1e-5`, `5E6`.
pub(in crate::lower) fn number_of(scalar: &Scalar) -> Option<Const> {
    let Scalar::Str(text) = scalar else { return None };
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = |text: &str| text.trim_start_matches(['-', '+']).to_owned();
    let mantissa = unsigned(mantissa);
    let is_number = mantissa.split('.').all(|part| part.is_empty() || is_digits(part)) && mantissa != ".";
    (is_number && is_digits(&unsigned(exponent))).then(|| text.parse().ok().map(Const::float)).flatten()
}

/// A number that `yaml.safe_load` takes for a string, as it takes it for a number: `5.0e-7`.
pub fn as_float(text: &str) -> Option<String> {
    number_of(&Scalar::Str(text.to_owned()))?;
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let mantissa = if mantissa.contains('.') { mantissa.to_owned() } else { format!("{mantissa}.0") };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    Some(format!("{mantissa}e{sign}{exponent}"))
}

/// The word that a value becomes on a command line, as Python's `str` writes it.
fn word_of(scalar: &Scalar) -> Option<String> {
    Some(match scalar {
        Scalar::Str(text) => text.clone(),
        Scalar::Bool(value) => if *value { "True" } else { "False" }.to_owned(),
        Scalar::Int(value) => value.to_string(),
        Scalar::Float(value) => format!("{value:?}"),
        Scalar::Null => "None".to_owned(),
        Scalar::Date(_) => return None,
    })
}

/// As `HfArgumentParser` converts a word.
fn from_word(word: &str, kind: &Kind) -> Result<Value, String> {
    let wrong = |what: &str| Err(format!("`{word}` is no {what}"));
    match kind {
        Kind::Bool => match word.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" => Ok(Value::bool(true)),
            "false" | "f" | "no" | "n" | "0" => Ok(Value::bool(false)),
            _ => wrong("truth value"),
        },
        Kind::Int => integer(word).map_or_else(|| wrong("whole number"), |value| Ok(Value::Const(Const::Int(value)))),
        Kind::Float => float(word).map_or_else(|| wrong("number"), |value| Ok(Value::Const(Const::float(value)))),
        Kind::Choice(words) if !words.iter().any(|one| one == word) => Err(format!("`{word}` is none of its values")),
        Kind::Str | Kind::Choice(_) => Ok(Value::Const(Const::Str(word.into()))),
        Kind::List(inner) => {
            let value = from_word(word, inner)?;
            let nowhere = crate::source::Span::new(crate::source::FileId(0), 0, 0);
            Ok(Value::List(Arc::from([Traced { value, span: nowhere }])))
        }
        Kind::Dict(_) | Kind::Switch | Kind::Tuple(_) | Kind::Other => Ok(Value::Unknown),
    }
}

/// As pydantic converts a value that is not strict.
fn from_value(scalar: &Scalar, kind: &Kind) -> Result<Value, String> {
    let shown = word_of(scalar).unwrap_or_default();
    let wrong = |what: &str| Err(format!("`{shown}` is no {what}"));
    match (kind, scalar) {
        (Kind::Bool, Scalar::Bool(_))
        | (Kind::Int, Scalar::Int(_))
        | (Kind::Float, Scalar::Float(_) | Scalar::Int(_))
        | (Kind::Str, Scalar::Str(_)) => Ok(constant(scalar)),
        (Kind::Bool, Scalar::Int(number @ (0 | 1))) => Ok(Value::bool(*number == 1)),
        (Kind::Bool, Scalar::Float(number)) if *number == 0.0 || (*number - 1.0).abs() == 0.0 => {
            Ok(Value::bool(*number != 0.0))
        }
        (Kind::Bool, Scalar::Str(text)) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "on" => Ok(Value::bool(true)),
            "false" | "f" | "no" | "n" | "0" | "off" => Ok(Value::bool(false)),
            _ => wrong("truth value"),
        },
        (Kind::Bool, _) => wrong("truth value"),
        (Kind::Int, Scalar::Bool(value)) => Ok(Value::Const(Const::Int(i64::from(*value)))),
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within what an f64 holds exactly")]
        (Kind::Int, Scalar::Float(value)) if value.fract() == 0.0 && value.abs() < 1e15 => {
            Ok(Value::Const(Const::Int(*value as i64)))
        }
        (Kind::Int, Scalar::Str(text)) => {
            let whole = text.trim().trim_end_matches('0').strip_suffix('.').unwrap_or(text.trim());
            integer(text)
                .or_else(|| integer(whole))
                .map_or_else(|| wrong("whole number"), |value| Ok(Value::Const(Const::Int(value))))
        }
        (Kind::Int, _) => wrong("whole number"),
        (Kind::Float, Scalar::Bool(value)) => Ok(Value::Const(Const::float(f64::from(u8::from(*value))))),
        (Kind::Float, Scalar::Str(text)) => {
            float(text).map_or_else(|| wrong("number"), |value| Ok(Value::Const(Const::float(value))))
        }
        (Kind::Float, _) => wrong("number"),
        (Kind::Str, _) => wrong("text"),
        (Kind::Choice(words), Scalar::Str(text)) if words.contains(text) => Ok(constant(scalar)),
        (Kind::Choice(_), _) => Err(format!("`{shown}` is none of its values")),
        (Kind::List(_), _) => wrong("list"),
        (Kind::Dict(_), _) => wrong("mapping"),
        (Kind::Switch | Kind::Tuple(_) | Kind::Other, _) => Ok(Value::Unknown),
    }
}

fn is_scalar(kind: &Kind) -> bool {
    matches!(kind, Kind::Int | Kind::Float | Kind::Bool | Kind::Str)
}

/// Whether an option takes a single word, whatever the class of its field is besides: `Union[SaveStrategy, str]`.
fn takes_one_word(kinds: &[Kind]) -> bool {
    let is_word = |kind: &Kind| is_scalar(kind) || matches!(kind, Kind::Choice(_));
    kinds.iter().any(is_word) && kinds.iter().all(|kind| is_word(kind) || *kind == Kind::Other)
}

/// Whether a value is of a type of its own accord, as it must be where a field takes several.
fn is_exactly(scalar: &Scalar, kind: &Kind) -> bool {
    match kind {
        Kind::Bool => matches!(scalar, Scalar::Bool(_)),
        Kind::Int => matches!(scalar, Scalar::Int(_)),
        Kind::Float => matches!(scalar, Scalar::Int(_) | Scalar::Float(_)) || number_of(scalar).is_some(),
        Kind::Str => matches!(scalar, Scalar::Str(_) | Scalar::Date(_)) && number_of(scalar).is_none(),
        _ => true,
    }
}

/// As `OmegaConf` converts a value that is merged into a field.
fn from_merged(scalar: &Scalar, kind: &Kind) -> Result<Value, String> {
    let shown = word_of(scalar).unwrap_or_default();
    let wrong = |what: &str| Err(format!("`{shown}` is no {what}"));
    let number = number_of(scalar);
    match (kind, scalar) {
        (Kind::Bool, Scalar::Bool(_))
        | (Kind::Int, Scalar::Int(_))
        | (Kind::Float, Scalar::Int(_) | Scalar::Float(_)) => Ok(constant(scalar)),
        (Kind::Bool, Scalar::Int(number)) => Ok(Value::bool(*number != 0)),
        (Kind::Bool, Scalar::Str(text)) => match text.to_ascii_lowercase().as_str() {
            "yes" | "y" | "on" | "true" => Ok(Value::bool(true)),
            "no" | "n" | "off" | "false" => Ok(Value::bool(false)),
            word => integer(word).map_or_else(|| wrong("truth value"), |number| Ok(Value::bool(number != 0))),
        },
        (Kind::Bool, _) => wrong("truth value"),
        (Kind::Int, Scalar::Str(text)) if number.is_none() => {
            integer(text).map_or_else(|| wrong("whole number"), |value| Ok(Value::Const(Const::Int(value))))
        }
        (Kind::Int, _) => wrong("whole number"),
        (Kind::Float, Scalar::Str(text)) => {
            float(text).map_or_else(|| wrong("number"), |value| Ok(Value::Const(Const::float(value))))
        }
        (Kind::Float, _) => wrong("number"),
        (Kind::Str, Scalar::Str(_)) => Ok(number.map_or_else(|| constant(scalar), |_| Value::Unknown)),
        (Kind::Str, Scalar::Null | Scalar::Bool(_) | Scalar::Int(_) | Scalar::Float(_)) => {
            Ok(Value::Const(Const::Str(shown.into())))
        }
        (Kind::Choice(words), Scalar::Str(text)) => {
            // The name of the enumeration may stand before that of the member.
            let name = text.rsplit('.').next().unwrap_or(text);
            if words.iter().any(|word| word == name) {
                Ok(Value::Const(Const::Str(name.into())))
            } else {
                Err(format!("`{shown}` is none of its values"))
            }
        }
        (Kind::Choice(_), _) => Err(format!("`{shown}` is none of its values")),
        (Kind::List(_), _) => wrong("list"),
        (Kind::Dict(_), _) => wrong("mapping"),
        (Kind::Str | Kind::Switch | Kind::Tuple(_) | Kind::Other, _) => Ok(Value::Unknown),
    }
}

/// As Python's `int` reads a word.
fn integer(word: &str) -> Option<i64> {
    word.trim().replace('_', "").parse().ok()
}

/// As Python's `float` does.
fn float(word: &str) -> Option<f64> {
    word.trim().replace('_', "").parse().ok()
}
