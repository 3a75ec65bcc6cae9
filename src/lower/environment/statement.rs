//! What one file says about packages, before anyone asks whom it governs.

use std::path::PathBuf;
use std::str::FromStr;

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

use crate::diagnostic::Problem;
use crate::model::{Declaration, Evidence, Origin};
use crate::source::{SourceFile, Span};
use crate::syntax::SyntaxError;

/// What one file says.
#[derive(Debug, Default, Clone)]
pub(super) struct Statements {
    /// Packages it names.
    pub(super) declarations: Vec<Declaration>,
    /// Files whose statements join this file's.
    pub(super) includes: Vec<Include>,
    /// The Pythons it admits.
    pub(super) python: Option<VersionSpecifiers>,
    /// Folders it also governs, relative to its own (members of a workspace that it locks).
    pub(super) members: Vec<PathBuf>,
    /// Scripts that it starts, as written.
    pub(super) launched: Vec<String>,
    /// Whether this is the header of a script, which excludes everything else even where it names no package.
    pub(super) is_header: bool,
    /// What could not be read.
    pub(super) problems: Vec<Problem>,
}

/// A reference to another declaring file.
#[derive(Debug, Clone)]
pub(super) struct Include {
    /// As written, relative to the including file.
    pub(super) path: String,
    /// The place of the reference.
    pub(super) span: Span,
    /// Whether a missing file is an error: not in a Dockerfile or a script, which run somewhere else.
    pub(super) required: bool,
    /// A group under which it holds.
    pub(super) condition: Option<String>,
}

/// Adds to the statements of one file; knows the file, so that its users only name places.
pub(super) struct Writer<'a> {
    pub(super) source: &'a SourceFile,
    pub(super) said: Statements,
}

impl<'a> Writer<'a> {
    pub(super) fn new(source: &'a SourceFile) -> Self {
        Self { source, said: Statements::default() }
    }

    /// A requirement in PEP 508 form.
    pub(super) fn requirement(&mut self, text: &str, span: Span, condition: Option<&str>) {
        match Requirement::parse(text) {
            Ok(requirement) => self.declare(requirement, span, condition),
            Err(why) => self.problem(span, &why),
        }
    }

    /// A requirement that was read already; a pin or a range by what it says.
    pub(super) fn declare(&mut self, requirement: Requirement, span: Span, condition: Option<&str>) {
        let evidence = requirement.evidence();
        self.push(requirement, span, condition, evidence);
    }

    /// The one release of a lock file.
    pub(super) fn locked(
        &mut self,
        name: &str,
        version: &str,
        direct: Option<String>,
        span: Span,
        condition: Option<&str>,
    ) {
        match exactly(version) {
            Ok(specifiers) => {
                let requirement = Requirement { package: normalise(name), specifiers, condition: None, direct };
                self.push(requirement, span, condition, Evidence::Lock);
            }
            Err(why) => self.problem(span, &format!("{name}: {why}")),
        }
    }

    fn push(&mut self, requirement: Requirement, span: Span, condition: Option<&str>, evidence: Evidence) {
        if requirement.package == "python" {
            return;
        }
        let conditions = condition.map(str::to_owned).into_iter().chain(requirement.condition);
        let condition = Some(conditions.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty());
        self.said.declarations.push(Declaration {
            package: requirement.package,
            specifiers: requirement.specifiers,
            evidence,
            origin: Origin::File(self.inner(span)),
            condition,
            direct: requirement.direct,
        });
    }

    /// `requires-python` or what stands for it. What cannot be read is left out: it only narrows.
    pub(super) fn python(&mut self, specifiers: Option<VersionSpecifiers>) {
        if let Some(more) = specifiers {
            self.said.python = Some(intersect(self.said.python.iter().chain([&more])));
        }
    }

    pub(super) fn include(&mut self, path: &str, span: Span, required: bool, condition: Option<&str>) {
        let (path, condition) = (path.to_owned(), condition.map(str::to_owned));
        self.said.includes.push(Include { path, span: self.inner(span), required, condition });
    }

    pub(super) fn problem(&mut self, span: Span, what: &str) {
        let span = self.own(span);
        let (path, line) = (self.source.path().display(), self.source.position(span.start).line);
        self.said.problems.push(Problem { message: format!("{path}:{line}: {what}"), span: Some(span) });
    }

    pub(super) fn syntax_errors(&mut self, errors: &[SyntaxError]) {
        for error in errors {
            self.problem(error.span, &error.message);
        }
    }

    /// The span in this file: a script's header is parsed as a text of its own, at the same offsets.
    fn own(&self, span: Span) -> Span {
        Span { file: self.source.id(), ..span }
    }

    /// The span without its quotes, so that a pin can be rewritten in any format.
    fn inner(&self, span: Span) -> Span {
        let span = self.own(span);
        let text = self.source.slice(span);
        let quoted = |quote| text.len() >= 2 && text.starts_with(quote) && text.ends_with(quote);
        let inner = (quoted('"') || quoted('\'')) && !text.starts_with("\"\"\"") && !text.starts_with("'''");
        if inner { Span { start: span.start + 1, end: span.end - 1, ..span } } else { span }
    }
}

/// A requirement as the packaging tools understand it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Requirement {
    pub(super) package: String,
    pub(super) specifiers: VersionSpecifiers,
    pub(super) condition: Option<String>,
    pub(super) direct: Option<String>,
}

impl Requirement {
    /// A package with nothing more said.
    pub(super) fn any(name: &str) -> Self {
        Self { package: normalise(name), specifiers: VersionSpecifiers::empty(), condition: None, direct: None }
    }

    /// Reads PEP 508, and bare URLs as pip does: `trl[peft]>=0.9; python_version > "3.8"`, `trl @ git+https://...`,
    /// `git+https://github.com/huggingface/trl.git@v0.12.2`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.contains("://") && !text.contains(" @ ") && !is_named_url(text) {
            let (url, marker) = text.split_once(" ;").unwrap_or((text, ""));
            let Some(name) = name_of_url(url.trim()) else {
                return Err(format!("cannot tell the package of `{text}`"));
            };
            return Ok(Self::direct(&name, url.trim(), marker));
        }
        let end = text.find(|c: char| !(c.is_alphanumeric() || "._-".contains(c))).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(format!("`{text}` is no requirement"));
        }
        let mut rest = rest.trim_start();
        if let Some(extras) = rest.strip_prefix('[') {
            let Some((_, after)) = extras.split_once(']') else { return Err(format!("`[` of `{text}` is not closed")) };
            rest = after.trim_start();
        }
        if let Some(url) = rest.strip_prefix('@') {
            let (url, marker) = url.split_once(" ;").unwrap_or((url, ""));
            return Ok(Self::direct(name, url.trim(), marker));
        }
        let (specifiers, marker) = rest.split_once(';').unwrap_or((rest, ""));
        let specifiers = specifiers.trim().trim_start_matches('(').trim_end_matches(')');
        let specifiers = specifiers_of(specifiers).map_err(|why| format!("{name}: {why}"))?;
        Ok(Self {
            specifiers,
            condition: Some(marker.trim().to_owned()).filter(|text| !text.is_empty()),
            ..Self::any(name)
        })
    }

    /// A package from a place other than a registry. A release tag or a wheel's name tells the release.
    pub(super) fn direct(name: &str, url: &str, marker: &str) -> Self {
        let specifiers = release_of_url(url).map(VersionSpecifier::equals_version);
        Self {
            specifiers: specifiers.into_iter().collect(),
            condition: Some(marker.trim().to_owned()).filter(|text| !text.is_empty()),
            direct: Some(url.to_owned()),
            ..Self::any(name)
        }
    }

    fn evidence(&self) -> Evidence {
        let exact = |one: &VersionSpecifier| matches!(one.operator(), Operator::Equal | Operator::ExactEqual);
        if self.direct.is_some() || self.specifiers.iter().any(exact) { Evidence::Pin } else { Evidence::Range }
    }
}

/// The name by which distributions are compared (PEP 503).
pub(super) fn normalise(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.trim().chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            c => normal.extend(c.to_lowercase()),
        }
    }
    normal
}

/// Specifiers as pip reads them: blanks anywhere, a comma at the end.
pub(super) fn specifiers_of(text: &str) -> Result<VersionSpecifiers, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "*");
    parts
        .map(|part| {
            VersionSpecifier::from_str(&part.replace(' ', "")).map_err(|_| format!("`{part}` is no version specifier"))
        })
        .collect()
}

/// `==version`.
pub(super) fn exactly(version: &str) -> Result<VersionSpecifiers, String> {
    let version = Version::from_str(version.trim()).map_err(|_| format!("`{version}` is no version"))?;
    Ok([VersionSpecifier::equals_version(version)].into_iter().collect())
}

/// All of them.
pub(super) fn intersect<'a>(all: impl IntoIterator<Item = &'a VersionSpecifiers>) -> VersionSpecifiers {
    all.into_iter().flat_map(|specifiers| specifiers.iter().cloned()).collect()
}

/// `trl@git+https://...` without blanks.
fn is_named_url(text: &str) -> bool {
    let name = text.split('@').next().unwrap_or_default();
    text.contains('@') && !name.contains(['/', ':'])
}

/// The distribution that a URL stands for: `#egg=`, a wheel's or an archive's name, the repository's name.
fn name_of_url(url: &str) -> Option<String> {
    let (path, fragment) = url.split_once('#').unwrap_or((url, ""));
    if let Some(egg) = fragment.split('&').find_map(|part| part.strip_prefix("egg=")) {
        return Some(egg.split('[').next().unwrap_or(egg).to_owned());
    }
    let last = without_revision(path).trim_end_matches('/').rsplit('/').next()?;
    let name = match last.strip_suffix(".whl") {
        Some(wheel) => wheel.split('-').next()?,
        None => last.strip_suffix(".git").unwrap_or(last),
    };
    let is_name = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "._-".contains(c));
    Some(name.to_owned()).filter(is_name)
}

/// The release that a URL gives away: a tag (`@v0.12.2`) or a wheel's name (`trl-0.12.2-py3-none-any.whl`).
fn release_of_url(url: &str) -> Option<Version> {
    let path = url.split('#').next().unwrap_or(url);
    let last = path.rsplit('/').next()?;
    if let Some(wheel) = last.strip_suffix(".whl") {
        return Version::from_str(wheel.split('-').nth(1)?).ok();
    }
    release_of_tag(last.rsplit_once('@')?.1)
}

/// The release of a tag. A bare number is a branch or a commit, not a release.
pub(super) fn release_of_tag(tag: &str) -> Option<Version> {
    let version = Version::from_str(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
    Some(version).filter(|version| version.release().len() > 1)
}

fn without_revision(path: &str) -> &str {
    match path.rsplit_once('@') {
        Some((before, revision))
            if before.contains("://") && !revision.contains("://") && before.matches('/').count() > 2 =>
        {
            before
        }
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match Requirement::parse(text) {
            Err(why) => format!("! {why}"),
            Ok(Requirement { package, specifiers, condition, direct }) => {
                let from = direct.map(|direct| format!(" from {direct}")).unwrap_or_default();
                let when = condition.map(|condition| format!(" if {condition}")).unwrap_or_default();
                format!("{package} {}{from}{when}", specifiers.to_string().replace(", ", ","))
            }
        }
    }

    #[test]
    fn requirements() {
        for (text, expected) in [
            ("trl", "trl "),
            ("TRL >= 0.9 , <1", "trl >=0.9,<1"),
            ("trl[peft,quantization]==0.12.*", "trl ==0.12.*"),
            ("trl (>=0.9)", "trl >=0.9"),
            ("Flash__Attn.x", "flash-attn-x "),
            ("trl~=0.9.2;python_version>'3.8'", "trl ~=0.9.2 if python_version>'3.8'"),
            (
                "trl @ git+https://github.com/huggingface/trl.git",
                "trl  from git+https://github.com/huggingface/trl.git",
            ),
            (
                "trl@git+https://github.com/huggingface/trl@v0.12.2",
                "trl ==0.12.2 from git+https://github.com/huggingface/trl@v0.12.2",
            ),
            ("git+https://github.com/huggingface/trl@main", "trl  from git+https://github.com/huggingface/trl@main"),
            (
                "git+https://github.com/huggingface/trl.git@0.12.2#egg=trl[peft]",
                "trl ==0.12.2 from git+https://github.com/huggingface/trl.git@0.12.2#egg=trl[peft]",
            ),
            ("git+ssh://git@github.com/huggingface/trl.git", "trl  from git+ssh://git@github.com/huggingface/trl.git"),
            (
                "https://x.org/trl-0.12.2-py3-none-any.whl",
                "trl ==0.12.2 from https://x.org/trl-0.12.2-py3-none-any.whl",
            ),
            (
                "git+https://github.com/huggingface/trl@6431240",
                "trl  from git+https://github.com/huggingface/trl@6431240",
            ),
            ("trl==banana", "! trl: `==banana` is no version specifier"),
            ("trl[peft", "! `[` of `trl[peft` is not closed"),
            ("=trl", "! `=trl` is no requirement"),
            ("", "! `` is no requirement"),
            ("https://", "! cannot tell the package of `https://`"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
