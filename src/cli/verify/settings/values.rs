//! What the linter knows of a value, as numbers and words.

use crate::eval::Const;
use crate::lower::Told;

/// A number, `None` where it is `None`; an error where it cannot be told.
pub(super) fn number(told: &Told) -> Result<Option<f64>, ()> {
    match told {
        Told::Const(Const::None) => Ok(None),
        Told::Const(Const::Str(text)) => text.trim().parse().map(Some).map_err(|_| ()),
        Told::Const(constant) => constant.number().map(Some).ok_or(()),
        _ => Err(()),
    }
}

/// A word: text, or the member of an enumeration by its last name.
pub(super) fn word(told: &Told) -> Option<String> {
    match told {
        Told::Const(Const::Str(text)) => Some(text.to_string()),
        Told::Name(name) => name.rsplit('.').next().map(str::to_ascii_lowercase),
        _ => None,
    }
}

/// The words of a list, or the only one.
pub(super) fn words(told: &Told) -> Vec<String> {
    match told {
        Told::List(items) => items.iter().filter_map(word).collect(),
        other => word(other).into_iter().collect(),
    }
}

/// The entries of a dictionary of numbers; `None` where they cannot be told.
pub(super) fn numbers(told: &Told) -> Option<Vec<(String, f64)>> {
    match told {
        Told::Const(Const::None) => Some(Vec::new()),
        Told::Dict(entries) => {
            let entry = |(key, value): &(Const, Told)| match key {
                Const::Str(key) => Some((key.to_string(), number(value).ok().flatten()?)),
                _ => None,
            };
            entries.iter().map(entry).collect()
        }
        _ => None,
    }
}

/// A seed, which torch takes without a sign.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seeds are whole numbers")]
pub(super) fn seed(number: f64) -> u64 {
    number.max(0.0) as u64
}

/// A value for a reader.
pub(super) fn shown(told: &Told) -> String {
    match told {
        Told::Const(constant) => constant.to_string(),
        Told::Name(name) => name.to_string(),
        _ => String::from("what the release computes"),
    }
}
