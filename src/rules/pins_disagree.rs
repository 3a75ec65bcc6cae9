//! Files that ask for different releases of one package.

use std::collections::{BTreeMap, BTreeSet};

use super::declare::declare_rule;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Label};
use crate::knowledge::{Package, ReleaseSet};
use crate::lower::{Analysis, is_canonical};
use crate::model::{Declaration, Evidence, PackageFacts};
use crate::source::{FileId, Sources, Span};

declare_rule! {
    /// ## What it does
    ///
    /// Reports two files of one folder, each of which says what the project needs, that no release of a package satisfies together:
    /// `requirements.txt` and `setup.py`, `pyproject.toml` and a lock.
    ///
    /// ## Why it matters
    ///
    /// What a user gets depends on which of the files the install reads, and a failure on one machine cannot be repeated on the other.
    ///
    /// ## Example
    ///
    /// ```text,pyproject
    /// [project]
    /// name = "x"
    /// version = "1"
    /// dependencies = ["trl>=0.12"]
    /// ```
    ///
    /// ```requirements,bad
    /// trl==0.9.6
    /// ```
    ///
    /// ```requirements,good
    /// trl==0.12.2
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: which of the files is right is a decision.
    ///
    /// ## Versions
    ///
    /// Files for another purpose (`requirements-dev.txt`, `docs/requirements.txt`), variants (`requirements-gpu.txt`), extras, groups,
    /// markers, and installs in notebooks, images and scripts are alternatives, not contradictions.
    ///
    /// ## References
    ///
    /// - `360-LLaMA-Factory` issue 59
    /// - `MedicalGPT` issue 444
    PinsDisagree = "pins-disagree", "DPL203", Warning, "two files ask for different releases of a package"
}

impl Rule for PinsDisagree {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let mut reported: BTreeSet<Span> = BTreeSet::new();
        for script in &analysis.scripts {
            for facts in script.environment.packages.values().filter(|facts| facts.deciding > 0) {
                let Some(package) = context.knowledge.distribution(&facts.package) else { continue };
                let finding = check(facts, package, context.sources);
                found.extend(finding.filter(|finding| reported.insert(finding.primary.span)));
            }
        }
    }
}

/// What one file says of a package.
struct Said<'a> {
    declarations: Vec<&'a Declaration>,
    place: Span,
    allowed: ReleaseSet,
}

fn check(facts: &PackageFacts, package: &Package, sources: &Sources) -> Option<Diagnostic> {
    let said = said(facts, package, sources);
    let first = said.first()?;
    // Which of two an install reads last does not matter where some release suits both.
    let other = said.iter().skip(1).find(|other| (&first.allowed & &other.allowed).is_empty())?;
    let meta = &PinsDisagree::META;
    let text = |one: &Said<'_>| {
        let all: BTreeSet<String> = one.declarations.iter().map(|one| one.requirement()).collect();
        all.into_iter().collect::<Vec<_>>().join(" and ")
    };
    let is_lock = |one: &Said<'_>| one.declarations.iter().any(|one| one.evidence == Evidence::Lock);
    let verb = |one: &Said<'_>| if is_lock(one) { "locks" } else { "asks for" };
    let name = |one: &Said<'_>| {
        let path = sources.get(one.place.file).path().to_path_buf();
        path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let help = match (is_lock(first), is_lock(other)) {
        (true, false) | (false, true) => "lock again".to_owned(),
        _ => format!("say the same in both; findings are about {}", facts.in_effect.as_ref()?),
    };
    Some(Diagnostic {
        rule: meta.name,
        code: meta.code,
        severity: meta.severity,
        confidence: Confidence::High,
        message: format!("{} {} {}, and {} {}", name(first), verb(first), text(first), name(other), text(other)),
        primary: Label { span: first.place, message: format!("{} here", text(first)) },
        related: vec![Label { span: other.place, message: format!("{} here", text(other)) }],
        notes: Vec::new(),
        help: Some(help),
        versions: vec![facts.scope(Vec::new())],
        fixes: Vec::new(),
        follows: None,
    })
}

/// The files of the folder that decides which say what the whole project needs, that which counts first.
fn said<'a>(facts: &'a PackageFacts, package: &Package, sources: &Sources) -> Vec<Said<'a>> {
    let folder = |file: FileId| sources.get(file).path().parent().map(std::path::Path::to_path_buf);
    let Some(home) = facts.origin().and_then(|origin| folder(origin.file)) else { return Vec::new() };
    let mut order: Vec<FileId> = Vec::new();
    let mut by_file: BTreeMap<FileId, Vec<&Declaration>> = BTreeMap::new();
    for one in &facts.declarations {
        let Some(place) = one.origin.span() else { continue };
        let is_home = folder(place.file).as_ref() == Some(&home);
        if is_home && is_canonical(sources.get(place.file).path()) {
            if !order.contains(&place.file) {
                order.push(place.file);
            }
            by_file.entry(place.file).or_default().push(one);
        }
    }
    let read = |file: FileId| {
        let declarations = by_file.remove(&file)?;
        // Alternatives of one file, and what comes from elsewhere, are nobody's contradiction.
        let is_plain = declarations.iter().all(|one| one.condition.is_none() && one.direct.is_none());
        let place = declarations.first()?.origin.span()?;
        let specifiers = declarations.iter().flat_map(|one| one.specifiers.iter().cloned()).collect();
        let allowed = package.matching(&specifiers);
        (is_plain && !allowed.is_empty()).then_some(Said { declarations, place, allowed })
    };
    order.into_iter().filter_map(read).collect()
}
