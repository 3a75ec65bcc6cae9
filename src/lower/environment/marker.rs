//! Environment markers (PEP 508), answered for the Pythons that a project admits.
//!
//! A project says `requires-python = ">=3.10"`, not which Python it runs. So a marker is put to every Python that the
//! project admits: true for all is yes, for none is no, else it depends. Questions about the platform always depend.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifier, VersionSpecifiers};

use crate::eval::Tri;

/// The Pythons a project may run under, oldest first.
#[derive(Debug, Clone)]
pub struct Pythons(Vec<Version>);

/// Minor releases of Python 3 that a release of a training library can meet; those not out yet stand for "and later".
const MINORS: std::ops::RangeInclusive<u64> = 6..=16;
/// Patch releases that a `Requires-Python` such as `>=3.8.1` can tell apart.
const PATCHES: std::ops::RangeInclusive<u64> = 0..=25;

impl Pythons {
    /// Those that `requires-python` admits; all when nothing is known.
    pub fn new(required: Option<&VersionSpecifiers>) -> Self {
        let every = MINORS.flat_map(|minor| PATCHES.map(move |patch| Version::new([3, minor, patch])));
        Self(every.filter(|python| required.is_none_or(|required| required.contains(python))).collect())
    }

    /// Whether one of them is admitted by the `Requires-Python` of a release.
    pub fn any_satisfies(&self, requires_python: &str) -> bool {
        let Ok(required) = VersionSpecifiers::from_str(requires_python) else { return true };
        self.0.is_empty() || self.0.iter().rev().any(|python| required.contains(python))
    }

    /// Whether some patch release of the oldest series is.
    pub fn oldest_satisfies(&self, requires_python: &str) -> bool {
        let Ok(required) = VersionSpecifiers::from_str(requires_python) else { return true };
        let Some(first) = self.0.first() else { return true };
        let series = self.0.iter().take_while(|python| python.release()[..2] == first.release()[..2]);
        series.into_iter().any(|python| required.contains(python))
    }

    /// The oldest series, `3.9`; `None` where nothing limits it, or nothing is left.
    pub fn oldest(&self) -> Option<String> {
        let first = self.0.first()?.release();
        (first[1] > *MINORS.start()).then(|| format!("{}.{}", first[0], first[1]))
    }

    /// Whether a condition of a declaration holds: markers joined by `; `. A group or an extra (`extra: rlhf`) depends.
    pub(super) fn holds(&self, condition: &str) -> Tri {
        condition.split("; ").map(|marker| self.marker(marker)).fold(Tri::Yes, and)
    }

    fn marker(&self, marker: &str) -> Tri {
        let words = words(marker);
        let mut parser = Parser { words: &words, at: 0, pythons: self, depth: 0 };
        match parser.any() {
            Some(answer) if parser.at == words.len() => answer.verdict(),
            _ => Tri::Maybe,
        }
    }

    /// The answer of one comparison for each Python.
    fn compare(&self, variable: &str, operator: &str, value: &str) -> Answer {
        let short = match variable {
            "python_version" => true,
            "python_full_version" => false,
            _ => return Answer::Unknown,
        };
        let truths = |specifier: &str| {
            let specifier = VersionSpecifier::from_str(specifier).ok()?;
            let truth = |python: &Version| {
                let release = if short { &python.release()[..2] } else { python.release() };
                specifier.contains(&Version::new(release))
            };
            Some(self.0.iter().map(truth).collect::<Vec<bool>>())
        };
        let each = |operator: &str| {
            let mut any = vec![false; self.0.len()];
            for part in value.split([',', ' ', '|']).filter(|part| !part.is_empty()) {
                any.iter_mut().zip(truths(&format!("{operator}{part}"))?).for_each(|(any, one)| *any |= one);
            }
            Some(any)
        };
        let found = match operator {
            "in" => each("=="),
            "not in" => each("==").map(|found| found.into_iter().map(|one| !one).collect()),
            _ => truths(&format!("{operator}{value}")),
        };
        found.map_or(Answer::Unknown, Answer::Known)
    }
}

/// Truth by Python, or not to be told.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Known(Vec<bool>),
    Unknown,
}

impl Answer {
    fn verdict(&self) -> Tri {
        match self {
            Self::Known(truth) if truth.is_empty() => Tri::Maybe,
            Self::Known(truth) if truth.iter().all(|one| *one) => Tri::Yes,
            Self::Known(truth) if truth.iter().all(|one| !one) => Tri::No,
            Self::Known(_) | Self::Unknown => Tri::Maybe,
        }
    }

    /// Both (`conjunction`) or either. An unknown side matters only where the other one does not decide alone.
    fn join(self, other: Self, conjunction: bool) -> Self {
        match (self, other) {
            (Self::Known(left), Self::Known(right)) => {
                let pairs = left.into_iter().zip(right);
                Self::Known(pairs.map(|(l, r)| if conjunction { l && r } else { l || r }).collect())
            }
            (Self::Known(known), Self::Unknown) | (Self::Unknown, Self::Known(known)) => {
                let absorbs = known.iter().all(|one| *one != conjunction);
                if absorbs { Self::Known(known) } else { Self::Unknown }
            }
            (Self::Unknown, Self::Unknown) => Self::Unknown,
        }
    }
}

fn and(left: Tri, right: Tri) -> Tri {
    match (left, right) {
        (Tri::No, _) | (_, Tri::No) => Tri::No,
        (Tri::Yes, Tri::Yes) => Tri::Yes,
        _ => Tri::Maybe,
    }
}

/// A word of a marker: its text, and whether it was quoted.
type Word<'a> = (&'a str, bool);

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, length) = match first {
            '"' | '\'' => {
                let end = rest[1..].find(first).map_or(rest.len(), |end| end + 1);
                ((&rest[1..end], true), (end + 1).min(rest.len()))
            }
            '(' | ')' => ((&rest[..1], false), 1),
            _ => {
                let operator = |c: char| "<>=!~".contains(c);
                let kind = operator(first);
                let stop = |c: char| operator(c) != kind || c.is_whitespace() || "()\"'".contains(c);
                let end = rest.find(stop).unwrap_or(rest.len());
                ((&rest[..end], false), end)
            }
        };
        words.push(word);
        rest = rest[length..].trim_start();
    }
    words
}

/// Recursive descent over `or`, `and`, parentheses and comparisons. `None`: no marker.
struct Parser<'a> {
    words: &'a [Word<'a>],
    at: usize,
    pythons: &'a Pythons,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Option<Answer> {
        let mut answer = self.all()?;
        while self.take("or") {
            answer = answer.join(self.all()?, false);
        }
        Some(answer)
    }

    fn all(&mut self) -> Option<Answer> {
        let mut answer = self.one()?;
        while self.take("and") {
            answer = answer.join(self.one()?, true);
        }
        Some(answer)
    }

    fn one(&mut self) -> Option<Answer> {
        if self.take("(") {
            self.depth += 1;
            let answer = if self.depth < 64 { self.any() } else { None };
            self.depth -= 1;
            return answer.filter(|_| self.take(")"));
        }
        let left = self.next()?;
        let mut operator = self.next()?.0;
        if operator == "not" && self.take("in") {
            operator = "not in";
        }
        let right = self.next()?;
        Some(match (left, right) {
            ((variable, false), (value, true)) => self.pythons.compare(variable, operator, value),
            ((value, true), (variable, false)) => self.pythons.compare(variable, mirror(operator)?, value),
            _ => return None,
        })
    }

    fn next(&mut self) -> Option<Word<'a>> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word
    }

    fn take(&mut self, expected: &str) -> bool {
        let found = self.words.get(self.at) == Some(&(expected, false));
        self.at += usize::from(found);
        found
    }
}

/// `"3.9" > python_version` is `python_version < "3.9"`.
fn mirror(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        "==" => "==",
        "!=" => "!=",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_under_a_requires_python() {
        for (python, condition, expected) in [
            (">=3.10", r#"python_version < "3.9""#, Tri::No),
            (">=3.10", r#"python_version >= "3.9""#, Tri::Yes),
            (">=3.8", r#"python_version < "3.9""#, Tri::Maybe),
            ("==3.10.*", r#"python_version == "3.10""#, Tri::Yes),
            ("==3.10.*", r#""3.11" > python_version"#, Tri::Yes),
            (">=3.10", r#"python_version < "3.9" and sys_platform == "linux""#, Tri::No),
            (">=3.10", r#"python_version >= "3.9" and sys_platform == "linux""#, Tri::Maybe),
            (">=3.10", r#"python_version >= "3.9" or sys_platform == "linux""#, Tri::Yes),
            (">=3.9", r#"(python_version < "3.10" or python_version >= "3.10")"#, Tri::Yes),
            ("==3.9.*", r#"python_version in "3.9 3.10""#, Tri::Yes),
            ("==3.9.*", r#"python_version not in "3.9, 3.10""#, Tri::No),
            (">=3.8.1", r#"python_full_version >= "3.8.1""#, Tri::Yes),
            (">=3.10", "extra: rlhf", Tri::Maybe),
            (">=3.10", r#"extra: rlhf; python_version < "3.9""#, Tri::No),
            (">=3.10", r#"extra == "rlhf""#, Tri::Maybe),
            (">=3.10", "python_version < ", Tri::Maybe),
            (">=3.10", r#"python_version < "3.9"#, Tri::No),
            (">=4", r#"python_version < "3.9""#, Tri::Maybe),
            ("", r#"python_version < "3.9""#, Tri::Maybe),
        ] {
            let required = VersionSpecifiers::from_str(python).expect("specifiers");
            assert_eq!(Pythons::new(Some(&required)).holds(condition), expected, "{python} | {condition}");
        }
    }

    #[test]
    fn nesting_does_not_overflow() {
        let deep = "(".repeat(100_000);
        assert_eq!(Pythons::new(None).holds(&deep), Tri::Maybe);
    }

    #[test]
    fn a_release_needs_one_python_that_both_admit() {
        let pythons = Pythons::new(Some(&VersionSpecifiers::from_str("==3.9.*").expect("specifiers")));
        assert!(pythons.any_satisfies(">=3.8.1"));
        assert!(pythons.any_satisfies(">=3.9.17"));
        assert!(!pythons.any_satisfies(">=3.10"));
    }
}
