//! A Python that no release which the project allows runs under.

use std::collections::BTreeSet;

use super::declare::declare_rule;
use super::versions::enumerate;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Label, Severity};
use crate::knowledge::{Knowledge, Package};
use crate::lower::{Analysis, Pythons};
use crate::model::{Environment, Evidence, PackageFacts};
use crate::source::Span;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a Python version of the project (`requires-python`, `.python-version`, a `python` image, conda's `python=`) under which
    /// no release that is asked for can be installed.
    ///
    /// ## Why it matters
    ///
    /// Every release says which Pythons it runs under. A pin that needs a newer one ends the install; a range gets an old release
    /// without a word, or nothing at all. Tools that lock for every Python that a project admits refuse to lock.
    ///
    /// ## Example
    ///
    /// ```pyproject,bad
    /// [project]
    /// name = "x"
    /// version = "1"
    /// requires-python = "==3.9.*"
    /// dependencies = ["trl==0.25.0"]
    /// ```
    ///
    /// ```pyproject,good
    /// [project]
    /// name = "x"
    /// version = "1"
    /// requires-python = ">=3.10"
    /// dependencies = ["trl==0.25.0"]
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: another Python is another machine.
    ///
    /// ## Versions
    ///
    /// Asked of the `Requires-Python` of every release. A project that admits several Pythons of which the older ones are too old gets
    /// a warning, and only where one file declares both.
    ///
    /// ## References
    ///
    /// - ms-swift issue 3268
    PythonTooOld = "python-too-old", "DPL205", Error, "no release that is asked for runs under the project's Python"
}

impl Rule for PythonTooOld {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let mut reported: BTreeSet<Span> = BTreeSet::new();
        for script in &analysis.scripts {
            let finding = check(&script.environment, context.knowledge);
            found.extend(finding.filter(|finding| reported.insert(finding.primary.span)));
        }
    }
}

/// A package whose releases do not run under some Python of the project.
struct Refused<'a> {
    facts: &'a PackageFacts,
    origin: Span,
    /// What the newest release asks for.
    needs: String,
    /// Whether no Python of the project will do.
    by_all: bool,
}

fn check(environment: &Environment, knowledge: &Knowledge) -> Option<Diagnostic> {
    let meta = &PythonTooOld::META;
    let python = environment.python.as_ref()?;
    let pythons = Pythons::new(Some(python));
    let place = *environment.python_places.last()?;
    let facts = environment.packages.values();
    let refused = facts.filter_map(|facts| refused(facts, &pythons, place, knowledge.distribution(&facts.package)?));
    let refused: Vec<Refused<'_>> = refused.collect();
    let by_all = refused.iter().any(|one| one.by_all);
    let refused: Vec<&Refused<'_>> = refused.iter().filter(|one| one.by_all == by_all).collect();
    let first = refused.first()?;
    let names: Vec<String> = refused.iter().map(|one| one.facts.package.clone()).collect();
    let oldest = pythons.oldest()?;
    let which =
        if by_all { format!("Python {}", shown(python)) } else { format!("Python {oldest}, which is admitted") };
    let label = |one: &Refused<'_>| {
        let asked = one.facts.deciding().iter().map(crate::model::Declaration::requirement).collect::<Vec<_>>();
        Label { span: one.origin, message: format!("{} needs Python {}", asked.join(" and "), one.needs) }
    };
    Some(Diagnostic {
        rule: meta.name,
        code: meta.code,
        severity: if by_all { meta.severity } else { Severity::Warning },
        confidence: Confidence::High,
        message: format!("no release of {} that is asked for runs under {which}", enumerate(&names)),
        primary: Label { span: place, message: "this is too old".to_owned() },
        related: refused.iter().map(|one| label(one)).collect(),
        notes: Vec::new(),
        help: Some(format!("ask for Python {}, or for older releases", first.needs)),
        versions: refused.iter().map(|one| one.facts.scope(Vec::new())).collect(),
        fixes: Vec::new(),
        follows: None,
    })
}

fn refused<'a>(facts: &'a PackageFacts, pythons: &Pythons, place: Span, package: &Package) -> Option<Refused<'a>> {
    if !matches!(facts.evidence, Evidence::Pin | Evidence::Range) {
        return None;
    }
    // What is asked for under a condition may be meant for another Python.
    if facts.deciding().iter().any(|one| one.condition.is_some() || one.direct.is_some()) {
        return None;
    }
    let origin = facts.origin()?;
    let releases = facts.allowed.iter().filter_map(|version| package.index_of(version));
    let needs = releases.map(|release| package.brief()[release].requires_python.as_deref());
    let needs: Vec<&str> = needs.collect::<Option<_>>()?;
    let least = *needs.first()?;
    let by_all = !needs.iter().any(|one| pythons.any_satisfies(one));
    let by_oldest = origin.file == place.file && !needs.iter().any(|one| pythons.oldest_satisfies(one));
    (by_all || by_oldest).then(|| Refused { facts, origin, needs: least.to_owned(), by_all })
}

fn shown(python: &pep440_rs::VersionSpecifiers) -> String {
    let text = python.to_string().replace(", ", ",");
    // One Python is no range.
    let one = text.strip_prefix("==").map(|one| one.trim_end_matches(".*").to_owned());
    one.filter(|one| !one.contains(',')).unwrap_or(text)
}
