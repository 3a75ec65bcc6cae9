//! What one file says about packages, before anyone asks whom it governs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

use crate::diagnostic::Problem;
use crate::model::{Declaration, Evidence, Origin};
use crate::source::{SourceFile, Span};
use crate::syntax::SyntaxError;
use crate::syntax::requirements::{self as syntax, normalize, parse_requirement};

/// What one file says.
#[derive(Debug, Default, Clone)]
pub(super) struct Statements {
    /// Packages it names.
    pub(super) declarations: Vec<Declaration>,
    /// Files whose statements join this file's.
    pub(super) includes: Vec<Include>,
    /// The Pythons it admits.
    pub(super) python: Option<VersionSpecifiers>,
    /// Where it says so.
    pub(super) python_places: Vec<Span>,
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
        let inner = self.inner(span);
        match parse_requirement(text, inner) {
            Ok(read) => self.declare(Requirement::of(&read), read.span, condition),
            Err(error) => self.problem(inner, &error.message),
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
                let requirement = Requirement { specifiers, direct, ..Requirement::any(name) };
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
            extras: requirement.extras,
        });
    }

    /// The project's own name: inside the repository of a library, the library is the code at hand.
    pub(super) fn own_name(&mut self, name: &str, span: Span) {
        let requirement = Requirement { direct: Some(".".into()), ..Requirement::any(name) };
        self.push(requirement, span, None, Evidence::Pin);
    }

    /// `requires-python` or what stands for it. What cannot be read is left out: it only narrows.
    pub(super) fn python(&mut self, specifiers: Option<VersionSpecifiers>, span: Span) {
        if let Some(more) = specifiers {
            self.said.python = Some(intersect(self.said.python.iter().chain([&more])));
            self.said.python_places.push(self.inner(span));
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
    pub(super) fn inner(&self, span: Span) -> Span {
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
    pub(super) extras: BTreeSet<String>,
}

impl Requirement {
    /// A package with nothing more said.
    pub(super) fn any(name: &str) -> Self {
        Self {
            package: normalize(name),
            specifiers: VersionSpecifiers::empty(),
            condition: None,
            direct: None,
            extras: BTreeSet::new(),
        }
    }

    /// What a requirement says, its places left aside.
    pub(super) fn of(read: &syntax::Requirement) -> Self {
        let condition = read.marker.as_ref().map(|marker| marker.text.clone());
        let extras = read.extras.iter().map(|extra| normalize(&extra.text)).collect();
        match &read.url {
            Some(url) => Self { condition, extras, ..Self::direct(&read.name, &url.text) },
            None => Self { specifiers: read.allowed(), condition, extras, ..Self::any(&read.name) },
        }
    }

    /// A package from a place other than a registry. A release tag or a wheel's name tells the release.
    pub(super) fn direct(name: &str, url: &str) -> Self {
        let specifiers = release_of_url(url).map(VersionSpecifier::equals_version);
        Self { specifiers: specifiers.into_iter().collect(), direct: Some(url.to_owned()), ..Self::any(name) }
    }

    /// A pin or a range. A branch of a repository is a range: which release it is cannot be told.
    pub(super) fn evidence(&self) -> Evidence {
        let exact = |one: &VersionSpecifier| matches!(one.operator(), Operator::Equal | Operator::ExactEqual);
        if self.specifiers.iter().any(exact) { Evidence::Pin } else { Evidence::Range }
    }
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

/// The release that a URL gives away: a tag (`@v0.12.2`) or a wheel's name (`trl-0.12.2-py3-none-any.whl`).
fn release_of_url(url: &str) -> Option<Version> {
    let path = url.split('#').next().unwrap_or(url);
    let last = path.rsplit('/').next()?;
    if let Some(wheel) = last.strip_suffix(".whl") {
        return Version::from_str(wheel.split('-').nth(1)?).ok();
    }
    // A user name (`git@1.2`) is no revision.
    let (before, tag) = last.rsplit_once('@')?;
    release_of_tag(tag).filter(|_| !before.is_empty() && path.matches('/').count() > 2)
}

/// The release of a tag. A bare number is a branch or a commit, not a release.
pub(super) fn release_of_tag(tag: &str) -> Option<Version> {
    let version = Version::from_str(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
    Some(version).filter(|version| version.release().len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_urls_give_their_release_away() {
        for (url, expected) in [
            ("git+https://github.com/huggingface/trl@v0.12.2", Some("0.12.2")),
            ("git+https://github.com/huggingface/trl.git@0.12.2#egg=trl[peft]", Some("0.12.2")),
            ("git+ssh://git@github.com/huggingface/trl.git", None),
            ("git+ssh://git@1.2", None),
            ("git+https://github.com/huggingface/trl@main", None),
            ("git+https://github.com/huggingface/trl@6431240", None),
            ("https://x.org/trl-0.12.2-py3-none-any.whl", Some("0.12.2")),
            ("https://x.org/trl.whl", None),
            ("../trl", None),
            ("", None),
        ] {
            assert_eq!(release_of_url(url).map(|version| version.to_string()).as_deref(), expected, "{url}");
        }
    }
}
