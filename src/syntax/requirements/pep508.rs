//! One requirement, as PEP 508 and pip write it, with the place of every part.

use std::collections::BTreeSet;
use std::ops::Range;
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;

use super::{Requirement, Specifiers, Text};
use crate::source::{FileId, Span};
use crate::syntax::SyntaxError;

/// Parses `trl[peft]>=0.9,<1; python_version < "3.12"`, `trl @ https://...`, `git+https://...#egg=trl`.
///
/// `base` is where the text stands. If the file writes it otherwise (escapes), every part gets `base` as its place.
pub fn parse_requirement(text: &str, base: Span) -> Result<Requirement, SyntaxError> {
    parse_located(text, &|range| within(text, base, range))
}

/// The normalised name of a requirement that stands in no file, and the releases it allows: a line of a release's metadata.
pub fn parse_requirement_text(text: &str) -> Option<(String, VersionSpecifiers)> {
    parse_requirement_with_extras(text).map(|(name, specifiers, _)| (name, specifiers))
}

/// The same with the extras that are asked for, by normalised name.
pub fn parse_requirement_with_extras(text: &str) -> Option<(String, VersionSpecifiers, BTreeSet<String>)> {
    let nowhere = Span { file: FileId(0), start: 0, end: 0 };
    let requirement = parse_located(text, &|_| nowhere).ok()?;
    let extras = requirement.extras.iter().map(|extra| normalize(&extra.text)).collect();
    Some((requirement.package(), requirement.allowed(), extras))
}

/// Parses a `conda` match specification: `trl=0.12` is `trl==0.12.*`, `conda-forge::trl >=0.9` is `trl>=0.9`.
pub fn parse_conda_requirement(text: &str, base: Span) -> Result<Requirement, SyntaxError> {
    parse_conda_located(text, &|range| within(text, base, range))
}

/// A distribution's name as PEP 503 compares it: `Flash_Attn` is `flash-attn`.
pub fn normalize(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !normal.is_empty() {
            normal.push('-');
        }
        normal.extend(part.chars().map(|letter| letter.to_ascii_lowercase()));
    }
    normal
}

/// Where a range of a text stands that stands at `base`.
fn within(text: &str, base: Span, range: Range<usize>) -> Span {
    if base.end - base.start == text.len() as u32 {
        Span { start: base.start + range.start as u32, end: base.start + range.end as u32, ..base }
    } else {
        base
    }
}

/// Where a range of the text stands in its file.
pub(super) type Locate<'a> = &'a dyn Fn(Range<usize>) -> Span;

pub(super) fn parse_located(text: &str, locate: Locate<'_>) -> Result<Requirement, SyntaxError> {
    let mut cursor = Cursor { text, pos: 0, locate };
    cursor.blanks();
    if let Some(requirement) = direct_reference(text, locate) {
        return Ok(requirement);
    }
    let start = cursor.pos;
    let name = cursor.name()?;
    cursor.blanks();
    let extras = cursor.extras()?;
    cursor.blanks();
    let mut end = cursor.pos;
    let (mut url, mut specifiers) = (None, None);
    if cursor.eat("@") {
        cursor.blanks();
        let length = cursor.rest().find(char::is_whitespace).unwrap_or(cursor.rest().len());
        if length == 0 {
            return Err(cursor.error(cursor.pos..cursor.pos, "expected a URL after `@`".to_owned()));
        }
        end = cursor.pos + length;
        url = Some(cursor.text_of(cursor.pos..end));
        cursor.pos = end;
    } else {
        let range = cursor.specifier_range();
        cursor.pos = range.end;
        let range = trimmed(text, range);
        if !range.is_empty() {
            end = range.end;
            specifiers = Some(parse_specifiers(text, range, locate)?);
        }
    }
    end = text[..end].trim_end().len().max(start);
    cursor.blanks();
    let marker = cursor.marker(&mut end)?;
    Ok(Requirement {
        name_span: locate(name.clone()),
        name: text[name].to_owned(),
        extras,
        specifiers,
        marker,
        url,
        is_editable: false,
        hashes: Vec::new(),
        span: locate(start..end),
        line_span: locate(start..end),
    })
}

fn parse_specifiers(text: &str, range: Range<usize>, locate: Locate<'_>) -> Result<Specifiers, SyntaxError> {
    let written = &text[range.clone()];
    // Parentheses are the old form of PEP 508, a trailing comma is accepted by `packaging`.
    let inner = written.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(written);
    let inner = inner.trim().trim_end_matches(',');
    let parsed = VersionSpecifiers::from_str(inner).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().next().unwrap_or("").trim_end_matches('.');
        SyntaxError { span: locate(range.clone()), message: format!("`{written}` is no version specifier: {reason}") }
    })?;
    Ok(Specifiers { text: written.to_owned(), span: locate(range), parsed })
}

/// `git+https://host/trl.git@v0.9#egg=trl[peft]`, `https://host/trl-0.9-py3-none-any.whl`.
fn direct_reference(text: &str, locate: Locate<'_>) -> Option<Requirement> {
    let start = text.len() - text.trim_start().len();
    let url = text[start..].split_whitespace().next()?;
    let scheme = url.split("://").next().filter(|scheme| scheme.len() < url.len())?;
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) {
        return None;
    }
    let end = start + url.len();
    let name = reference_name(url)?;
    let name_at = start + url.find(name)?;
    let (name, extras) = name.split_once('[').map_or((name, ""), |(name, extras)| (name, extras.trim_end_matches(']')));
    let whole = locate(start..end);
    let mut cursor = Cursor { text, pos: end, locate };
    cursor.blanks();
    let mut stop = end;
    let marker = cursor.marker(&mut stop).ok()?;
    let extra = |extra: &str| Text { text: extra.trim().to_owned(), span: whole };
    Some(Requirement {
        name: name.to_owned(),
        name_span: locate(name_at..name_at + name.len()),
        extras: extras.split(',').filter(|extra| !extra.trim().is_empty()).map(extra).collect(),
        specifiers: None,
        marker,
        url: Some(Text { text: url.to_owned(), span: whole }),
        is_editable: false,
        hashes: Vec::new(),
        span: locate(start..stop),
        line_span: locate(start..stop),
    })
}

/// The name in a URL: its `egg`, else the repository or the file's distribution.
fn reference_name(url: &str) -> Option<&str> {
    let (path, fragment) = url.split_once('#').unwrap_or((url, ""));
    let egg = fragment.split('&').find_map(|part| part.strip_prefix("egg="));
    if let Some(egg) = egg.filter(|egg| !egg.is_empty()) {
        return Some(egg);
    }
    let after_scheme = path.split_once("://").map_or(path, |(_, rest)| rest);
    let path = after_scheme.split('?').next()?.trim_end_matches('/');
    let last = path.rsplit('/').next()?;
    let last = last.rsplit_once('@').map_or(last, |(before, _)| before);
    let is_version = |part: &str| part.starts_with(|first: char| first.is_ascii_digit());
    let name = if let Some(wheel) = last.strip_suffix(".whl") {
        wheel.split('-').next()?
    } else if let Some(archive) = [".tar.gz", ".zip", ".tar.bz2"].iter().find_map(|end| last.strip_suffix(end)) {
        archive.rsplit_once('-').filter(|(_, version)| is_version(version)).map_or(archive, |(name, _)| name)
    } else {
        last.strip_suffix(".git").unwrap_or(last)
    };
    (!name.is_empty()).then_some(name)
}

/// `trl=0.12`, `trl==0.12`, `trl>=0.9,<1`, `trl 0.12.*`, `channel::trl=0.12=py310_0`.
pub(super) fn parse_conda_located(text: &str, locate: Locate<'_>) -> Result<Requirement, SyntaxError> {
    let from = text.rfind("::").map_or(0, |at| at + 2);
    let mut cursor = Cursor { text, pos: from, locate };
    cursor.blanks();
    let start = cursor.pos;
    let name = cursor.name()?;
    let range = trimmed(text, cursor.pos..text.len());
    let specifiers = if range.is_empty() || text[range.clone()].starts_with('[') {
        None
    } else {
        let written = &text[range.clone()];
        let parsed = conda_specifiers(written).ok_or_else(|| SyntaxError {
            span: locate(range.clone()),
            message: format!("`{written}` is no version specifier"),
        })?;
        Some(Specifiers { text: written.to_owned(), span: locate(range.clone()), parsed })
    };
    let span = locate(start..range.end.max(name.end));
    Ok(Requirement {
        name_span: locate(name.clone()),
        name: text[name].to_owned(),
        extras: Vec::new(),
        specifiers,
        marker: None,
        url: None,
        is_editable: false,
        hashes: Vec::new(),
        span,
        line_span: span,
    })
}

fn conda_specifiers(written: &str) -> Option<VersionSpecifiers> {
    // A build string follows a second `=` (`=0.12=py_0`) or a blank (`0.12 py_0`): it says nothing about the version.
    let pep440: Option<Vec<String>> = written
        .split(',')
        .map(|part| {
            let part = part.trim();
            let operator = part.len() - part.trim_start_matches(['=', '<', '>', '!', '~']).len();
            let (operator, version) = part.split_at(operator);
            let version = version.trim_start().split(['=', ' ']).next()?;
            match operator {
                "" | "=" if version.ends_with('*') => Some(format!("=={version}")),
                "=" => Some(format!("=={version}.*")),
                "" => Some(format!("=={version}")),
                operator => Some(format!("{operator}{version}")),
            }
        })
        .collect();
    VersionSpecifiers::from_str(&pep440?.join(",")).ok()
}

struct Cursor<'a> {
    text: &'a str,
    pos: usize,
    locate: Locate<'a>,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }

    fn blanks(&mut self) {
        self.pos = self.text.len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.pos += if found { token.len() } else { 0 };
        found
    }

    fn error(&self, range: Range<usize>, message: String) -> SyntaxError {
        SyntaxError { span: (self.locate)(range), message }
    }

    fn text_of(&self, range: Range<usize>) -> Text {
        Text { text: self.text[range.clone()].to_owned(), span: (self.locate)(range) }
    }

    fn name(&mut self) -> Result<Range<usize>, SyntaxError> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let length = self.rest().bytes().position(|byte| !is_name(byte)).unwrap_or(self.rest().len());
        let name = &self.rest()[..length];
        let edge = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
        if !edge(name.chars().next()) || !edge(name.chars().next_back()) {
            let end = self.text.trim_end().len().max(self.pos);
            return Err(self.error(self.pos..end, "expected the name of a package".to_owned()));
        }
        let range = self.pos..self.pos + length;
        self.pos = range.end;
        Ok(range)
    }

    fn extras(&mut self) -> Result<Vec<Text>, SyntaxError> {
        let open = self.pos;
        if !self.eat("[") {
            return Ok(Vec::new());
        }
        let Some(length) = self.rest().find(']') else {
            return Err(self.error(open..self.text.len(), "`[` is not closed".to_owned()));
        };
        let (mut extras, mut at) = (Vec::new(), self.pos);
        for part in self.rest()[..length].split(',') {
            let range = trimmed(self.text, at..at + part.len());
            if !range.is_empty() {
                extras.push(self.text_of(range));
            }
            at += part.len() + 1;
        }
        self.pos += length + 1;
        Ok(extras)
    }

    /// Everything up to the marker.
    fn specifier_range(&self) -> Range<usize> {
        let length = self.rest().find(';').unwrap_or(self.rest().len());
        self.pos..self.pos + length
    }

    fn marker(&mut self, end: &mut usize) -> Result<Option<Text>, SyntaxError> {
        if self.rest().is_empty() {
            return Ok(None);
        }
        let semicolon = self.pos;
        if !self.eat(";") {
            return Err(self.error(self.pos..self.text.trim_end().len(), "expected `;` or the end".to_owned()));
        }
        let range = trimmed(self.text, self.pos..self.text.len());
        if range.is_empty() {
            return Err(self.error(semicolon..semicolon + 1, "expected a marker after `;`".to_owned()));
        }
        *end = range.end;
        self.pos = self.text.len();
        Ok(Some(self.text_of(range)))
    }
}

/// A range without the blanks at its edges.
pub(super) fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + part.len() - part.trim_start().len();
    start..start + part.trim().len()
}
