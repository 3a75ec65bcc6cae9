//! Rewrites what a file asks for, so that it lets a release in: the smallest change, in the file's own style.

use std::ops::Range;

use pep440_rs::Version;

use crate::model::{Declaration, Evidence};
use crate::source::{SourceFile, Span};
use crate::syntax::Edit;

/// Why a declaration stays as it is although it does not let the release in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// It is made by another tool.
    #[error("it is locked; lock it again")]
    Lock,
    /// It stands in a file that is not a part of the project.
    #[error("it stands outside of the project")]
    Elsewhere,
    /// A repository, a path, a wheel.
    #[error("it comes from another place than a registry")]
    Direct,
    /// A variable, several alternatives, a release that is excluded by name.
    #[error("it is not written in a form that can be changed")]
    Form,
}

/// The edits after which a declaration at `span` of a file lets `release` in; none where it does already.
pub fn rewrite_pin(
    source: &SourceFile,
    span: Span,
    declaration: &Declaration,
    release: &Version,
) -> Result<Vec<Edit>, PinError> {
    if declaration.direct.is_some() {
        return Err(PinError::Direct);
    }
    if declaration.specifiers.contains(release) {
        return Ok(Vec::new());
    }
    if declaration.evidence == Evidence::Lock {
        return Err(PinError::Lock);
    }
    let text = source.slice(span);
    let edit = |clause: &Clause<'_>, text: String| Edit {
        span: Span { start: span.start + clause.range.start as u32, end: span.start + clause.range.end as u32, ..span },
        text,
    };
    let clauses = clauses(text, &declaration.package)?;
    let has_ceiling = clauses.iter().any(|clause| clause.operator.starts_with('<'));
    let mut edits = Vec::new();
    for clause in &clauses {
        if let Some(new) = clause.rewritten(release, has_ceiling)? {
            edits.push(edit(clause, new));
        }
    }
    if edits.is_empty() { Err(PinError::Form) } else { Ok(edits) }
}

/// The edits after which a declaration at `span` of a file leaves out `bound` and what comes after it. A caret or another ceiling
/// stays as it is.
pub fn bound_pin(
    source: &SourceFile,
    span: Span,
    declaration: &Declaration,
    bound: &str,
) -> Result<Vec<Edit>, PinError> {
    if declaration.direct.is_some() {
        return Err(PinError::Direct);
    }
    let text = source.slice(span);
    let clauses = clauses(text, &declaration.package)?;
    let is_floor = |clause: &Clause<'_>| matches!(clause.operator, ">=" | ">" | "!=");
    let is_blank = text.contains(|letter: char| letter.is_whitespace() || letter == ';');
    let (at, new) = match clauses.last() {
        Some(last) if clauses.iter().all(is_floor) => (last.range.end, format!(",<{bound}")),
        // A name alone, with or without extras.
        None if !is_blank && !text.is_empty() => (text.len(), format!("<{bound}")),
        _ => return Err(PinError::Form),
    };
    let at = span.start + at as u32;
    Ok(vec![Edit { span: Span { start: at, end: at, ..span }, text: new }])
}

/// The edits after which a range at `span` of a file begins with `floor`.
pub fn raise_pin(
    source: &SourceFile,
    span: Span,
    declaration: &Declaration,
    floor: &Version,
) -> Result<Vec<Edit>, PinError> {
    if declaration.direct.is_some() {
        return Err(PinError::Direct);
    }
    let clauses = clauses(source.slice(span), &declaration.package)?;
    let mut floors = clauses.iter().filter(|clause| matches!(clause.operator, ">=" | ">"));
    let (Some(clause), None) = (floors.next(), floors.next()) else { return Err(PinError::Form) };
    let text = source.slice(span);
    let end = span.start + clause.range.end as u32;
    let version = text[clause.range.clone()].len() - clause.version.len();
    let start = span.start + (clause.range.start + version) as u32;
    let mut edits = vec![Edit { span: Span { start, end, ..span }, text: floor.to_string() }];
    if clause.operator == ">" {
        let start = span.start + clause.range.start as u32;
        edits.insert(0, Edit { span: Span { start, end: start + 1, ..span }, text: ">=".to_owned() });
    }
    Ok(edits)
}

/// One comparison: `>=0.9`, `^1.2`, `0.12.2`.
#[derive(Debug, PartialEq, Eq)]
struct Clause<'a> {
    operator: &'a str,
    version: &'a str,
    /// Of the whole clause in its text.
    range: Range<usize>,
}

/// The comparisons of `trl[peft]>=0.9,<1; marker`, `conda-forge::trl=0.12`, `^0.9`.
fn clauses<'a>(text: &'a str, package: &str) -> Result<Vec<Clause<'a>>, PinError> {
    let end = text.find([';', '|']).unwrap_or(text.len());
    if text[end..].starts_with('|') {
        return Err(PinError::Form);
    }
    let mut start = text[..end].find("::").map_or(0, |at| at + 2);
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if text[start..end].trim_start().starts_with(|first: char| first.is_ascii_alphabetic()) {
        let name = text[start..end].trim_start();
        let length = name.find(|letter| !is_name(letter)).unwrap_or(name.len());
        if crate::syntax::requirements::normalize(&name[..length]) != package {
            return Err(PinError::Form);
        }
        start = end - name.len() + length;
        if let Some(extras) = text[start..end].trim_start().strip_prefix('[') {
            let close = extras.find(']').ok_or(PinError::Form)?;
            start = end - extras.len() + close + 1;
        }
    }
    let mut found = Vec::new();
    let mut at = start;
    for part in text[start..end].split(',') {
        let inner = part.trim_matches([' ', '(', ')', '\t']);
        let from = at + part.find(inner).unwrap_or(0);
        at += part.len() + 1;
        if inner.is_empty() {
            continue;
        }
        let length = inner.len() - inner.trim_start_matches(['=', '<', '>', '!', '~', '^']).len();
        let version = inner[length..].trim_start();
        let is_version = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '*' | '+');
        if !version.starts_with(|first: char| first.is_ascii_digit()) || !version.chars().all(is_version) {
            return Err(PinError::Form);
        }
        found.push(Clause { operator: &inner[..length], version, range: from..from + inner.len() });
    }
    Ok(found)
}

impl Clause<'_> {
    /// The clause as it must be written; `None` where it may stay.
    fn rewritten(&self, release: &Version, has_ceiling: bool) -> Result<Option<String>, PinError> {
        let blank = if self.range.len() > self.operator.len() + self.version.len() { " " } else { "" };
        let written = |operator: &str, version: &str| Ok(Some(format!("{operator}{blank}{version}")));
        let plain = self.version.trim_end_matches(".*").trim_end_matches('*');
        let bound: Version = plain.parse().map_err(|_| PinError::Form)?;
        let parts = plain.split('.').count();
        let full = release.to_string();
        match self.operator {
            "==" | "===" | "=" | "" if self.version.ends_with('*') => {
                written(self.operator, &format!("{}.*", first(release, parts)))
            }
            // Conda reads `trl=0.12` as any release of that series.
            "=" if parts < 3 => written("=", &first(release, parts)),
            "==" | "===" | "=" | "" => written(self.operator, &full),
            "~=" | "^" | "~" => written(self.operator, &first(release, parts)),
            ">=" | ">" if *release >= bound && !(self.operator == ">" && *release == bound) => Ok(None),
            ">=" | ">" if has_ceiling => written(">=", &full),
            // Without a ceiling an install would still get the newest release.
            ">=" | ">" => written(">=", &format!("{full},<{blank}{}", after(release, 2))),
            "<" if *release < bound => Ok(None),
            "<" => written("<", &after(release, if plain.ends_with(".0") { parts - 1 } else { parts }))
                .map(|new| new.map(|new| if plain.ends_with(".0") { new + ".0" } else { new })),
            "<=" if *release <= bound => Ok(None),
            "<=" => written("<=", &full),
            _ if bound != *release => Ok(None),
            _ => Err(PinError::Form),
        }
    }
}

/// The first numbers of a release: `1.16` of `1.16.0`.
fn first(release: &Version, parts: usize) -> String {
    let numbers = release.release().iter().copied().chain(std::iter::repeat(0));
    numbers.take(parts).map(|number| number.to_string()).collect::<Vec<_>>().join(".")
}

/// The next series after a release: `1.17` after `1.16.0`.
fn after(release: &Version, parts: usize) -> String {
    let mut numbers: Vec<u64> = release.release().iter().copied().chain(std::iter::repeat(0)).take(parts).collect();
    if let Some(last) = numbers.last_mut() {
        *last += 1;
    }
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::environment::{poetry, statement::Requirement};
    use crate::model::Origin;
    use crate::source::Sources;
    use crate::syntax::edit::apply;
    use crate::syntax::requirements::{parse_conda_requirement, parse_requirement};

    /// The text after the rewrite, or why there is none.
    fn rewritten(text: &str, release: &str) -> String {
        let source = Sources::default().add("requirements.txt".into(), text);
        let span = source.span(0..text.len());
        let read = parse_requirement(text, span).or_else(|_| parse_conda_requirement(text, span));
        let requirement = match read {
            Ok(read) if text.starts_with(|first: char| first.is_ascii_alphabetic()) => Requirement::of(&read),
            _ => {
                let mut all = poetry::specifiers(text).expect("a constraint");
                Requirement { specifiers: all.remove(0), ..Requirement::any("trl") }
            }
        };
        let declaration = Declaration {
            evidence: requirement.evidence(),
            package: requirement.package,
            specifiers: requirement.specifiers,
            origin: Origin::File(span),
            condition: None,
            direct: requirement.direct,
            extras: requirement.extras,
        };
        match rewrite_pin(&source, span, &declaration, &release.parse().expect("a version")) {
            Ok(edits) => apply(text, &edits).expect("edits that fit"),
            Err(why) => format!("! {why}"),
        }
    }

    #[test]
    fn a_declaration_lets_the_release_in_and_keeps_its_style() {
        for (text, release, expected) in [
            ("trl==0.9.6", "1.16.0", "trl==1.16.0"),
            ("trl == 0.9.6", "1.16.0", "trl == 1.16.0"),
            ("trl[peft]==0.9.6 ; python_version > '3.8'", "1.16.0", "trl[peft]==1.16.0 ; python_version > '3.8'"),
            ("TRL==0.9.*", "1.16.0", "TRL==1.16.*"),
            ("trl~=0.9.6", "1.16.0", "trl~=1.16.0"),
            ("trl~=0.9", "1.16.0", "trl~=1.16"),
            ("trl>=0.7.1,<0.7.12", "1.16.0", "trl>=0.7.1,<1.16.1"),
            ("trl>=0.7.1, <0.8", "1.16.0", "trl>=0.7.1, <1.17"),
            ("trl>=0.7.1,<0.10.0", "1.16.0", "trl>=0.7.1,<1.17.0"),
            ("trl>=0.7,<1", "1.16.0", "trl>=0.7,<2"),
            ("trl<=0.9.6", "1.16.0", "trl<=1.16.0"),
            ("trl>=0.7.1", "1.16.0", "trl>=0.7.1"),
            ("trl", "1.16.0", "trl"),
            ("trl>=1.0", "0.11.4", "trl>=0.11.4,<0.12"),
            ("trl>=1.0,<2", "0.11.4", "trl>=0.11.4,<2"),
            ("trl==1.16.0", "0.11.4", "trl==0.11.4"),
            ("conda-forge::trl=0.12", "1.16.0", "conda-forge::trl=1.16"),
            ("trl=0.12.2", "1.16.0", "trl=1.16.0"),
            ("^0.9", "1.16.0", "^1.16"),
            ("^0.9.6", "1.16.0", "^1.16.0"),
            ("~0.9", "1.16.0", "~1.16"),
            ("0.12.2", "1.16.0", "1.16.0"),
            ("trl!=1.16.0", "1.16.0", "! it is not written in a form that can be changed"),
            (
                "trl @ git+https://github.com/huggingface/trl@v0.9.6",
                "1.16.0",
                "! it comes from another place than a registry",
            ),
        ] {
            assert_eq!(rewritten(text, release), expected, "{text} to {release}");
        }
    }
}
