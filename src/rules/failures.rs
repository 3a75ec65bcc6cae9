//! Sets of releases that a script gets and cannot import.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::remedy::{self, Remedy};
use super::{Context, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Label, Severity};
use crate::knowledge::{Asked, Reason, Refusal, Verdict};
use crate::lower::{Analysis, Install, NoSet, Pools, Script, nearest, trained};
use crate::model::{Declaration, Environment, Evidence, PackageFacts};
use crate::source::{FileId, Sources, Span};
use crate::syntax::Format;

/// A set of releases with which an import of a script fails.
#[derive(Debug)]
pub(super) struct Failure {
    /// The declarations that led to the set.
    pub(super) environment: Arc<Environment>,
    /// What the script imports, and where; `None` where an installer refuses the set.
    asked: Option<(Asked, Span)>,
    /// Why that fails.
    pub(super) refusal: Refusal,
    /// What would help.
    pub(super) remedies: Vec<Remedy>,
    /// Whether every other set that the declarations allow fails, too.
    pub(super) is_hopeless: bool,
}

/// The failures of a project that follow from what it declares, one for each different set of releases.
pub(super) fn failures<'c>(analysis: &Analysis, context: &'c Context<'_>) -> &'c [Failure] {
    context.failures.get_or_init(|| {
        let mut groups: BTreeMap<Key<'_>, Vec<&Script>> = BTreeMap::new();
        for script in &analysis.scripts {
            groups.entry(key(&script.environment)).or_default().push(script);
        }
        let mut failures: Vec<Failure> = Vec::new();
        for scripts in groups.values() {
            let Some(failure) = failure(analysis, scripts, context) else { continue };
            if !failures.iter().any(|known| known.refusal == failure.refusal && known.origins() == failure.origins()) {
                failures.push(failure);
            }
        }
        failures
    })
}

/// What tells two environments apart: name, release in effect, evidence and place.
type Key<'a> = Vec<(&'a str, String, Evidence, Option<Span>)>;

fn key(environment: &Environment) -> Key<'_> {
    let one = |facts: &'_ PackageFacts| facts.in_effect.as_ref().map(ToString::to_string).unwrap_or_default();
    let packages = environment.packages.values();
    packages.map(|facts| (facts.package.as_str(), one(facts), facts.evidence, facts.origin())).collect()
}

/// The first import that fails in scripts that get the same releases.
fn failure(analysis: &Analysis, scripts: &[&Script], context: &Context<'_>) -> Option<Failure> {
    let environment = &scripts.first()?.environment;
    // Nothing is declared: there is no set.
    if environment.packages.values().all(|facts| facts.deciding == 0) {
        return None;
    }
    let mut asked: BTreeMap<Asked, Span> = BTreeMap::new();
    for script in scripts.iter().filter(|script| !is_patched(script, context)) {
        for (one, place) in imported(analysis, script) {
            asked.entry(one).or_insert(place);
        }
    }
    let install = Install::of(context.knowledge, environment);
    let judge = |one: &Asked, verdict: Verdict| match verdict {
        Verdict::Fails(refusal) if install.is_certain(&refusal) => {
            Some((Some((one.clone(), *asked.get(one)?)), *refusal))
        }
        Verdict::Fails(_) | Verdict::Works | Verdict::Unknown => None,
    };
    let is_installable = environment.contradiction.is_empty();
    let (first, refusal) = match refused(environment, &install, context) {
        Some(refusal) => (None, refusal),
        None => install.import_until(asked.keys().filter(|_| is_installable), judge)?,
    };
    let environment = Arc::clone(environment);
    let mut failure = Failure { environment, asked: first, refusal, remedies: Vec::new(), is_hopeless: false };
    if !failure.is_certain(context.sources) {
        return None;
    }
    let asked: BTreeSet<Asked> = asked.into_keys().collect();
    failure.remedies = remedy::remedies(&failure, &install, &asked, context);
    failure.is_hopeless = failure.is_hopeless(&asked, context);
    Some(failure)
}

/// A pinned release that requires another one than is pinned; what frameworks require is another rule's.
fn refused(environment: &Environment, install: &Install<'_>, context: &Context<'_>) -> Option<Refusal> {
    // A lock may hold what an override has let in.
    let pinned = |name: &str| environment.package(name).filter(|facts| facts.evidence == Evidence::Pin);
    let asking = |name: &str| context.knowledge.is_library(name) && pinned(name).is_some();
    install.releases().filter(|(package, _)| asking(package.name())).find_map(|(package, release)| {
        let needs = package.needs().iter().filter(|need| need.marker.is_none() && need.releases.contains(release));
        needs.into_iter().find_map(|need| {
            let version =
                pinned(&need.name)?.in_effect.as_ref().filter(|version| !need.specifiers.contains(version))?;
            Some(Refusal {
                package: package.name().to_owned(),
                release: package.brief()[release].version.clone(),
                module: String::new(),
                reason: Reason::Version {
                    package: need.name.clone(),
                    release: version.to_string(),
                    required: need.specifiers.to_string().replace(", ", ","),
                },
            })
        })
    })
}

/// Whether a script imports something that mends libraries while they are imported.
fn is_patched(script: &Script, context: &Context<'_>) -> bool {
    let mut tops = script.trace.imports.iter().map(|import| import.module.split('.').next().unwrap_or_default());
    let curated = context.knowledge.curated();
    tops.any(|top| context.knowledge.packages().any(|package| curated.patches(top, package.name())))
}

/// What a script surely imports, what it calls through a module, and what it trains with.
fn imported(analysis: &Analysis, script: &Script) -> Vec<(Asked, Span)> {
    let imports = script.trace.imports.iter().filter(|import| import.is_certain());
    let imports = imports.filter(|import| import.name.as_deref() != Some("*")).map(|import| {
        let name = import.name.as_deref().unwrap_or_default().to_owned();
        (Asked { module: import.module.to_string(), name, trains: false }, import.span)
    });
    let calls = analysis.calls.iter().filter(|call| Arc::ptr_eq(&call.trace, &script.trace));
    let calls = calls.map(crate::model::LibraryCall::call);
    let called = calls.filter(|call| call.caught.is_empty() && call.handling.is_empty() && !call.uncalled);
    let called = called.filter_map(|call| {
        let (module, name) = call.object.callee.rsplit_once('.')?;
        Some((Asked { module: module.to_owned(), name: name.to_owned(), trains: false }, call.object.span))
    });
    imports.chain(called).chain(trained(&script.trace)).collect()
}

impl Failure {
    /// Releases that an installer refuses.
    pub(super) fn of_install(environment: Arc<Environment>, refusal: Refusal) -> Self {
        Self { environment, asked: None, refusal, remedies: Vec::new(), is_hopeless: false }
    }

    /// The libraries that take part: the one that asks, and the one that does not have it.
    pub(super) fn packages(&self) -> Vec<&str> {
        let other = match &self.refusal.reason {
            Reason::Name { package, .. }
            | Reason::Module { package, .. }
            | Reason::Version { package, .. }
            | Reason::Called { package, .. } => Some(package.as_str()),
            Reason::Missing { misled, .. } => misled.as_deref().and_then(|function| function.split('.').next()),
            Reason::Clash { .. } | Reason::Refuses => None,
        };
        std::iter::once(self.refusal.package.as_str()).chain(other).collect()
    }

    /// Whether one of several releases of a package may be installed, and the newest is taken.
    pub(super) fn is_open(&self, package: &str) -> bool {
        self.environment.package(package).is_none_or(|facts| facts.evidence <= Evidence::Range)
    }

    /// Whether the releases of all libraries that take part are given, so that no other set can be installed.
    pub(super) fn is_given(&self) -> bool {
        let packages = self.packages();
        (packages.len() > 1 || self.refusal.is_about_others()) && !packages.iter().any(|package| self.is_open(package))
    }

    /// Whether no set that the declarations allow can be imported, where they leave a choice.
    fn is_hopeless(&self, asked: &BTreeSet<Asked>, context: &Context<'_>) -> bool {
        if self.is_given() || self.asked.is_none() || self.remedies.iter().any(|remedy| remedy.is_allowed) {
            return false;
        }
        let pools = Pools::allowed(context.knowledge, &self.environment).for_certain();
        let declared = self.environment.packages.values().filter(|facts| facts.deciding > 0 && facts.known);
        let wanted: Vec<&str> = declared.map(|facts| facts.package.as_str()).collect();
        let asked: Vec<Asked> = asked.iter().cloned().collect();
        matches!(nearest(&pools, &wanted, &asked), Err(NoSet::Refused(_)))
    }

    /// Whether what else is installed decides.
    fn is_about_others(&self) -> bool {
        matches!(self.refusal.reason, Reason::Missing { .. })
    }

    /// Whether the project itself leads to the set: one file declares everything that takes part, and nothing else is said of it.
    fn is_certain(&self, sources: &Sources) -> bool {
        let mut shared: Option<BTreeSet<FileId>> = None;
        let mut conditions = BTreeSet::new();
        let mut is_open = false;
        for package in self.packages() {
            let Some(facts) = self.environment.package(package) else { return false };
            let Some(version) = &facts.in_effect else { return false };
            // Several files that pin different releases are alternatives.
            if facts.deciding == 0 || !facts.deciding().iter().all(|one| one.specifiers.contains(version)) {
                return false;
            }
            // What an installer refuses may come to be by two commands.
            is_open |= self.is_open(package) || self.is_about_others() || self.asked.is_none();
            if facts.evidence >= Evidence::Installed {
                continue;
            }
            if facts.deciding().iter().any(|one| one.direct.is_some()) {
                return false;
            }
            conditions.extend(facts.deciding().iter().map(|one| &one.condition));
            let files: BTreeSet<FileId> =
                facts.deciding().iter().filter_map(|one| one.origin.span()).map(|span| span.file).collect();
            shared = Some(match shared {
                Some(shared) => &shared & &files,
                None => files,
            });
        }
        // Of an install in a notebook or an image that takes what is there, the releases are not known.
        let is_declared = |file: &FileId| !is_open || declares(sources, *file);
        conditions.len() < 2 && shared.is_none_or(|files| files.iter().any(is_declared))
    }

    fn origins(&self) -> Vec<Option<Span>> {
        self.packages().iter().map(|name| self.environment.package(name).and_then(PackageFacts::origin)).collect()
    }

    fn facts(&self) -> impl Iterator<Item = &PackageFacts> {
        self.packages().into_iter().filter_map(|name| self.environment.package(name))
    }

    fn why(&self) -> String {
        match &self.refusal {
            Refusal { package, release, reason: Reason::Version { package: on, required, .. }, .. }
                if self.asked.is_none() =>
            {
                format!("{package} {release} requires {on}{required}")
            }
            refusal => refusal.to_string(),
        }
    }

    /// The finding at the declarations; `how` says how the set comes about.
    pub(super) fn report(&self, meta: &RuleMeta, how: &str) -> Option<Diagnostic> {
        let declared = |facts: &PackageFacts| {
            let version = facts.in_effect.as_ref()?;
            let verb = match facts.evidence {
                Evidence::Lock => "is locked here",
                Evidence::Pin => "is pinned here",
                _ => "is what an install gets of this today",
            };
            Some(Label { span: facts.origin()?, message: format!("{} {version} {verb}", facts.package) })
        };
        let import = self.asked.as_ref().map(|(_, place)| *place);
        let failing =
            if self.refusal.is_in_training() { "this training fails at its first step" } else { "this import fails" };
        let import = import.map(|span| Label { span, message: failing.to_owned() });
        let mut labels = self.facts().filter_map(declared).chain(import);
        let primary = labels.next()?;
        let releases = self.facts().filter_map(|facts| {
            let asked = || facts.deciding().iter().map(Declaration::requirement).collect::<Vec<_>>().join(",");
            let release = facts.in_effect.as_ref()?;
            Some(if self.is_hopeless { asked() } else { format!("{} {release}", facts.package) })
        });
        let releases: Vec<String> = releases.collect();
        let message = match &self.asked {
            None => format!("{} cannot be installed together", releases.join(" and ")),
            Some((Asked { module, name, .. }, _)) => {
                let asked = if name.is_empty() { module.clone() } else { format!("{module}.{name}") };
                let what = if self.refusal.is_in_training() { "train" } else { "be imported" };
                format!("`{asked}` cannot {what} with {}{how}", releases.join(" and "))
            }
        };
        Some(Diagnostic {
            rule: meta.name,
            code: meta.code,
            severity: Severity::Error,
            confidence: Confidence::High,
            message,
            primary,
            related: labels.collect(),
            notes: vec![self.why()],
            help: Some(self.help()),
            versions: self
                .facts()
                .map(|facts| facts.scope(facts.in_effect.iter().map(ToString::to_string).collect()))
                .collect(),
            fixes: self.remedies.iter().filter_map(|remedy| remedy.fix.clone()).collect(),
            follows: None,
        })
    }

    fn help(&self) -> String {
        let orders: Vec<&str> = self.remedies.iter().map(|remedy| remedy.order.as_str()).collect();
        if let Reason::Missing { package, misled: None } = &self.refusal.reason {
            let first = format!("ask for {package}, too: {} does not", self.refusal.package);
            return std::iter::once(first.as_str()).chain(orders).collect::<Vec<_>>().join(", or ");
        }
        if orders.is_empty() {
            // To find it takes longer than all the rest.
            return "no other release of one of them helps; `dpo-lint versions` looks for a set that works".to_owned();
        }
        orders.join(", or ")
    }
}

/// Whether a file declares what a project needs, whatever else is on the machine.
pub(super) fn declares(sources: &Sources, file: FileId) -> bool {
    let source = sources.get(file);
    let is_setup = source.path().file_name().is_some_and(|name| name == "setup.py");
    match Format::of(source.path()) {
        Some(Format::Python) => is_setup,
        Some(Format::Notebook | Format::Shell | Format::Dockerfile | Format::Makefile) => false,
        _ => true,
    }
}
