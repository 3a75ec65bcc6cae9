//! When something at the top of a module happens: a condition over installed packages, in disjunctive form.

use std::collections::BTreeSet;
use std::fmt;

/// A condition with more alternatives than this says nothing that a reader could follow.
const MAX_WAYS: usize = 8;

/// What cannot be told from the source.
pub(super) const UNKNOWN: &str = "?";

/// Any of several ways, each of which takes all of its literals: `peft`, `!rich`, `transformers>=4.46`, `?`. A name with
/// `@function` is what that function of another package says of it, which is a tuple in some releases, and a tuple is true.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Guard(BTreeSet<BTreeSet<String>>);

impl Guard {
    /// Always.
    pub(super) fn always() -> Self {
        Self(BTreeSet::from([BTreeSet::new()]))
    }

    /// Never.
    pub(super) fn never() -> Self {
        Self(BTreeSet::new())
    }

    /// It cannot be told.
    pub(super) fn unknown() -> Self {
        Self::literal(UNKNOWN.to_owned())
    }

    /// One literal.
    pub(super) fn literal(text: String) -> Self {
        Self(BTreeSet::from([BTreeSet::from([text])]))
    }

    /// Whether it never holds.
    pub(super) fn is_never(&self) -> bool {
        self.0.is_empty()
    }

    /// Both.
    pub(super) fn and(&self, other: &Self) -> Self {
        let ways = self.0.iter().flat_map(|left| other.0.iter().map(move |right| left | right));
        Self(ways.filter(|way| !contradicts(way)).collect()).bounded()
    }

    /// Either.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self(&self.0 | &other.0).bounded()
    }

    /// Not.
    pub(super) fn negate(&self) -> Self {
        let mut result = Self::always();
        for way in &self.0 {
            let ways = way.iter().map(|literal| BTreeSet::from([opposite(literal)]));
            result = result.and(&Self(ways.collect()));
        }
        result
    }

    /// The ways, each as one text.
    pub(super) fn ways(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|way| way.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
    }

    /// Drops ways that need more than another one, and says less where there are too many.
    fn bounded(self) -> Self {
        let is_needed = |way: &BTreeSet<String>| !self.0.iter().any(|other| other != way && other.is_subset(way));
        let ways: BTreeSet<_> = self.0.iter().filter(|way| is_needed(way)).cloned().collect();
        if ways.len() > MAX_WAYS { Self::unknown() } else { Self(ways) }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ways().collect::<Vec<_>>().join(" | "))
    }
}

/// Two unknowns never cancel each other.
fn contradicts(way: &BTreeSet<String>) -> bool {
    way.iter().any(|literal| literal != UNKNOWN && way.contains(&opposite(literal)))
}

fn opposite(literal: &str) -> String {
    match literal.strip_prefix('!') {
        _ if literal == UNKNOWN => UNKNOWN.to_owned(),
        Some(positive) => positive.to_owned(),
        None => format!("!{literal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_combined() {
        let literal = |text: &str| Guard::literal(text.to_owned());
        let (peft, rich) = (literal("peft"), literal("rich"));
        for (guard, expected) in [
            (peft.and(&rich), "peft rich"),
            (peft.or(&rich), "peft | rich"),
            (peft.and(&rich).negate(), "!peft | !rich"),
            (peft.or(&rich).negate(), "!peft !rich"),
            (peft.and(&peft.negate()), ""),
            (peft.or(&peft.and(&rich)), "peft"),
            (Guard::unknown().negate(), "?"),
            (Guard::never().negate(), ""),
        ] {
            assert_eq!(guard.to_string(), expected);
        }
        assert!(Guard::always().negate().is_never() && !Guard::never().negate().is_never());
    }
}
