//! What an install of a project comes to: whether what its scripts import can be imported, and the newest releases that work.

use std::path::{Path, PathBuf};

use pep440_rs::Version;

use super::driver::{self, Job, Report};
use crate::diagnostic::{Diagnostic, Severity};
use crate::knowledge::{Asked, Knowledge, Package, Refusal};
use crate::lower::{self, Analysis, Install, Pools, Script};
use crate::model::{Environment, Evidence, PackageFacts};

/// A project is checked so often for releases that accept its code.
const MAX_CHECKS: usize = 12;

/// Findings about the declared releases themselves; whether a set installs and can be imported is asked before.
const ABOUT_RELEASES: &str = "DPL2";

/// What some scripts of one project get.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// The scripts, sorted.
    pub scripts: Vec<PathBuf>,
    /// Whether an install today can be imported.
    pub today: Today,
    /// The newest releases with which the scripts work; `None` where none were found.
    pub working: Option<Working>,
}

/// What becomes of an install today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Today {
    /// Everything that the scripts import can be imported, as far as the known libraries are concerned.
    Imports,
    /// Something cannot.
    Fails {
        /// What the scripts import.
        asked: Asked,
        /// Why it fails.
        refusal: Box<Refusal>,
    },
    /// What is declared contradicts itself: nothing can be installed.
    Contradiction,
    /// The scripts import nothing of the known libraries, or a release in effect is not known.
    Unknown,
}

/// Releases that work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Working {
    /// By package.
    pub releases: Vec<(String, Version)>,
    /// Whether the project's declarations allow them.
    pub is_allowed: bool,
    /// Whether nothing in the scripts is known to fail with them.
    pub accepts: bool,
}

impl Working {
    /// The release of a package.
    pub fn release(&self, package: &str) -> Option<String> {
        self.releases.iter().find(|(name, _)| name == package).map(|(_, version)| version.to_string())
    }
}

/// Reads a project and says what its scripts get; scripts with equal environments are taken together.
pub fn survey(job: &Job<'_>) -> (Report, Vec<Outlook>) {
    let (report, outlooks) = driver::survey(job, |analysis| outlooks(job, analysis));
    (report, outlooks.unwrap_or_default())
}

fn outlooks(job: &Job<'_>, analysis: &Analysis) -> Vec<Outlook> {
    let mut groups: Vec<(Key<'_>, &Environment, Vec<PathBuf>)> = Vec::new();
    for (path, environment) in &analysis.environments {
        if !(job.is_given)(&job.folder.join(path)) {
            continue;
        }
        let key = key(environment);
        match groups.iter_mut().find(|(known, ..)| *known == key) {
            Some((.., scripts)) => scripts.push(path.clone()),
            None => groups.push((key, environment, vec![path.clone()])),
        }
    }
    let outlook = |(_, environment, paths): (Key<'_>, &Environment, Vec<PathBuf>)| {
        let scripts = analysis.scripts.iter().filter(|script| paths.contains(&script.path));
        let scripts: Vec<&Script> = scripts.collect();
        let asked = lower::asked(scripts.iter().copied(), job.knowledge);
        let wanted = wanted(environment, &asked, job.knowledge);
        let today = today(environment, &asked, &wanted, job.knowledge);
        let imported = roots(&asked, job.knowledge).filter(|name| !wanted.contains(name));
        let wanted: Vec<&str> = wanted.iter().copied().chain(imported).collect();
        let working = working(job, environment, &asked, &wanted, &paths);
        Outlook { scripts: paths, today, working }
    };
    groups.into_iter().map(outlook).collect()
}

type Key<'a> = (Option<String>, &'a [String], Vec<(&'a str, Option<&'a Version>, Evidence, &'a [Version])>);

/// What two environments have in common that come to the same.
fn key(environment: &Environment) -> Key<'_> {
    let packages = environment.packages.values();
    let packages = packages
        .map(|facts| (facts.package.as_str(), facts.in_effect.as_ref(), facts.evidence, facts.allowed.as_slice()));
    (environment.python.as_ref().map(ToString::to_string), &environment.contradiction, packages.collect())
}

/// The packages that an install begins with: those that are declared; where none is, those that are imported.
fn wanted<'a>(environment: &'a Environment, asked: &[Asked], knowledge: &'a Knowledge) -> Vec<&'a str> {
    let is_declared = |facts: &&PackageFacts| facts.known && facts.evidence != Evidence::Assumed;
    let declared: Vec<&str> =
        environment.packages.values().filter(is_declared).map(|facts| facts.package.as_str()).collect();
    if declared.is_empty() { roots(asked, knowledge).collect() } else { declared }
}

/// The packages that are imported.
fn roots<'a>(asked: &[Asked], knowledge: &'a Knowledge) -> impl Iterator<Item = &'a str> {
    let is_imported = |name: &&str| asked.iter().any(|one| one.module.split('.').next() == Some(*name));
    knowledge.packages().map(Package::name).filter(is_imported)
}

fn today(environment: &Environment, asked: &[Asked], wanted: &[&str], knowledge: &Knowledge) -> Today {
    if !environment.contradiction.is_empty() {
        return Today::Contradiction;
    }
    let packages = || wanted.iter().filter_map(|name| knowledge.distribution(name));
    if asked.is_empty() || packages().any(|package| environment.in_effect(package).is_none()) {
        return Today::Unknown;
    }
    let install =
        packages().fold(Install::of(knowledge, environment), |install, package| match environment.in_effect(package) {
            Some(release) => install.with(package, release),
            None => install,
        });
    match install.refusal(asked) {
        Some((asked, refusal)) => Today::Fails { asked: asked.clone(), refusal: Box::new(refusal) },
        None => Today::Imports,
    }
}

/// The newest set among what is allowed, else among all releases.
fn working(
    job: &Job<'_>,
    environment: &Environment,
    asked: &[Asked],
    wanted: &[&str],
    scripts: &[PathBuf],
) -> Option<Working> {
    if wanted.is_empty() || asked.is_empty() {
        return None;
    }
    let search = |pools: Pools<'_>| accepted(job, pools, asked, wanted, scripts);
    let allowed = search(Pools::allowed(job.knowledge, environment));
    if allowed.as_ref().is_some_and(|(_, accepts)| *accepts) {
        return allowed.map(|(releases, accepts)| Working { releases, is_allowed: true, accepts });
    }
    match (allowed, search(Pools::all(job.knowledge, environment))) {
        // What fails with every release is no reason to leave what is declared.
        (Some((releases, accepts)), None | Some((_, false))) => Some(Working { releases, is_allowed: true, accepts }),
        (_, other) => other.map(|(releases, accepts)| Working { releases, is_allowed: false, accepts }),
    }
}

/// The newest releases that can be imported and that, as far as releases can help, accept the code; and whether they do.
fn accepted(
    job: &Job<'_>,
    mut pools: Pools<'_>,
    asked: &[Asked],
    wanted: &[&str],
    scripts: &[PathBuf],
) -> Option<(Vec<(String, Version)>, bool)> {
    let mut found = None;
    for _ in 0..MAX_CHECKS {
        let Ok(install) = lower::nearest(&pools, wanted, asked) else { break };
        let releases: Vec<(String, Version)> = install
            .releases()
            .map(|(package, release)| (package.name().to_owned(), package.versions()[release].clone()))
            .collect();
        let errors = errors(job, &releases, scripts);
        found.get_or_insert_with(|| (releases.clone(), errors.is_empty()));
        if errors.is_empty() {
            return Some((releases, true));
        }
        let narrower = errors.iter().find_map(|error| {
            let scope = error.versions.first()?;
            let package = job.knowledge.package(&scope.package)?;
            pools.without(package.name(), &package.releases_in(&scope.affected.join(", ")))
        });
        let Some(narrower) = narrower else { break };
        pools = narrower;
    }
    found
}

/// What is known to fail in the scripts with these releases.
fn errors(job: &Job<'_>, releases: &[(String, Version)], scripts: &[PathBuf]) -> Vec<Diagnostic> {
    let targets: Vec<String> = releases.iter().map(|(name, version)| format!("{name}=={version}")).collect();
    let settings = job.settings.for_migration(&targets);
    let report = driver::check(&Job { settings: &settings, ..*job });
    let is_here = |finding: &Diagnostic| {
        let file = job.sources.get(finding.primary.span.file);
        let path: &Path = file.path();
        // A module or an argument file belongs to whatever script uses it.
        scripts.iter().any(|script| script == path) || !report.environments.iter().any(|(script, _)| script == path)
    };
    let is_error = |finding: &Diagnostic| {
        finding.severity == Severity::Error && !finding.code.starts_with(ABOUT_RELEASES) && is_here(finding)
    };
    report.findings.iter().filter(|finding| is_error(finding)).cloned().collect()
}
