//! A training framework next to a release of a library that it does not take.

use std::collections::BTreeSet;
use std::sync::Arc;

use pep440_rs::{Version, VersionSpecifiers};

use super::declare::declare_rule;
use super::failures::{Failure, declares};
use super::{Context, Rule, RuleMeta, remedy};
use crate::diagnostic::{Confidence, Diagnostic, Label};
use crate::knowledge::{Package, Reason, Refusal};
use crate::lower::{Analysis, Configuration, Install};
use crate::model::{Declaration, Environment, Evidence, PackageFacts};
use crate::source::{Sources, Span};

declare_rule! {
    /// ## What it does
    ///
    /// Reports a training framework (LLaMA-Factory, axolotl, ms-swift) that is declared next to a release of trl, transformers, peft or
    /// another library that it does not take.
    ///
    /// ## Why it matters
    ///
    /// Frameworks are written for certain releases of the libraries below them, and most of them say so in narrow bounds. Where both are
    /// asked for in one place, the install stops; where the library is installed by a second command, LLaMA-Factory compares the
    /// releases when it is started and stops then.
    ///
    /// ## Example
    ///
    /// ```requirements,bad
    /// llamafactory==0.9.4
    /// trl==0.25.0
    /// ```
    ///
    /// ```requirements,unsafe-fixed
    /// llamafactory==0.9.4
    /// trl==0.24.0
    /// ```
    ///
    /// ```requirements,good
    /// llamafactory==0.9.4
    /// trl==0.24.0
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Unsafe: it moves a pin, that of the library or that of the framework, to the nearest release that the other one takes.
    ///
    /// ## Versions
    ///
    /// What each release of a framework requires is read from the metadata of its wheel, what LLaMA-Factory compares when it is started
    /// from its source. A library that a second command installs over the framework's choice is reported only where the framework is
    /// known to look.
    ///
    /// ## References
    ///
    /// - LLaMA-Factory issues 7827, 8006 and 10392
    FrameworkCapsLibrary = "framework-caps-library", "DPL204", Error, "a framework does not take the release of a library"
}

impl Rule for FrameworkCapsLibrary {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let mut reported: BTreeSet<(String, Span)> = BTreeSet::new();
        let of_scripts = analysis.scripts.iter().map(|script| (&*script.environment, None));
        let of_files = analysis.configurations.iter().map(|one| (&one.environment, Some(one)));
        for (environment, configuration) in of_scripts.chain(of_files) {
            for cap in caps(environment, configuration, context) {
                if reported.insert((cap.framework.name().to_owned(), cap.place)) {
                    found.push(cap.report(environment, context));
                }
            }
        }
    }
}

/// A library that a framework does not take in any release that is asked for.
pub(super) struct Cap<'a> {
    framework: &'a Package,
    /// The release of the framework that counts.
    release: usize,
    by: &'a PackageFacts,
    library: &'a PackageFacts,
    /// Where the library is declared.
    place: Span,
    required: VersionSpecifiers,
    /// Whether it is only seen when the framework is started.
    at_start: bool,
}

/// The caps that the declarations of one environment meet; those that only a start shows where a configuration is started.
pub(super) fn caps<'a>(
    environment: &'a Environment,
    configuration: Option<&Configuration>,
    context: &Context<'a>,
) -> Vec<Cap<'a>> {
    let declared = |facts: &&PackageFacts| facts.deciding > 0 && facts.known && is_plain(facts);
    let frameworks = context.knowledge.frameworks().filter_map(|framework| {
        let facts = environment.package(framework.name()).filter(declared)?;
        Some((framework, facts, framework.index_of(facts.in_effect.as_ref()?)?))
    });
    let libraries = || environment.packages.values().filter(declared);
    let is_framework = |name: &str| context.knowledge.frameworks().any(|one| one.name() == name);
    let libraries = || libraries().filter(|facts| !is_framework(&facts.package));
    let caps = frameworks.flat_map(|(framework, by, release)| {
        libraries().filter_map(move |library| {
            let place = library.origin()?;
            let is_joint = installs_together(by, library, context.sources);
            let start = configuration.filter(|one| one.consumer.package == framework.name());
            let refused = |release| {
                let required = is_joint.then(|| refused(framework, release, library)).flatten();
                required.map(|required| (required, false)).or_else(|| {
                    let compared = start.and_then(|one| compared(framework, release, library, one, context));
                    compared.map(|required| (required, true))
                })
            };
            let is_met = |release: usize| refused(release).is_none();
            // An older release of the framework may take it.
            let is_open = by.evidence == Evidence::Range;
            let mut others = by.allowed.iter().filter_map(|version| framework.index_of(version));
            if is_open && others.any(is_met) {
                return None;
            }
            let (required, at_start) = refused(release)?;
            Some(Cap { framework, release, by, library, place, required, at_start })
        })
    });
    caps.collect()
}

/// Whether everything that decides is a plain requirement.
fn is_plain(facts: &PackageFacts) -> bool {
    facts.deciding().iter().all(|one| one.condition.is_none() && one.direct.is_none())
}

/// Whether one install reads both declarations and must meet them.
fn installs_together(by: &PackageFacts, library: &PackageFacts, sources: &Sources) -> bool {
    let files = |facts: &PackageFacts| -> BTreeSet<_> {
        facts.deciding().iter().filter_map(|one| one.origin.span()).map(|span| span.file).collect()
    };
    let is_free = |facts: &PackageFacts| matches!(facts.evidence, Evidence::Range | Evidence::Pin);
    let is_joint = (&files(by) & &files(library)).iter().any(|file| declares(sources, *file));
    // A lock may hold what an override has let in.
    is_joint && is_free(by) && is_free(library)
}

/// Whether no release that is asked for is among those that are required.
fn is_outside(library: &PackageFacts, required: &VersionSpecifiers) -> bool {
    let mut asked: Vec<&Version> = match library.evidence {
        Evidence::Range => library.allowed.iter().collect(),
        _ => library.in_effect.iter().collect(),
    };
    asked.retain(|version| required.contains(version));
    // Nothing that is known is asked for: nothing is known.
    asked.is_empty() && library.is_known_release()
}

/// What a release of a framework requires of a library, if that is not met. Requirements under markers are alternatives.
fn refused(framework: &Package, release: usize, library: &PackageFacts) -> Option<VersionSpecifiers> {
    let needs = framework.needs().iter();
    let needs: Vec<_> = needs.filter(|need| need.name == library.package && need.releases.contains(release)).collect();
    let certain = needs.iter().find(|need| need.marker.is_none() && is_outside(library, &need.specifiers));
    let is_never_met = needs.len() > 1 && needs.iter().all(|need| is_outside(library, &need.specifiers));
    certain.or(needs.first().filter(|_| is_never_met)).map(|need| need.specifiers.clone())
}

/// What it compares with the library when it is started, if that is not met.
fn compared(
    framework: &Package,
    release: usize,
    library: &PackageFacts,
    started: &Configuration,
    context: &Context<'_>,
) -> Option<VersionSpecifiers> {
    let checks = context.knowledge.curated().start_checks(framework.name());
    let mut checks = checks.filter(|check| framework.releases_in(&check.releases).contains(release));
    let check = checks.find(|check| !started.variables.contains(&check.unless))?;
    check.of(&library.package).filter(|required| is_outside(library, required))
}

impl Cap<'_> {
    fn report(&self, environment: &Environment, context: &Context<'_>) -> Diagnostic {
        let meta = &FrameworkCapsLibrary::META;
        let name = &self.library.package;
        let framework = format!("{} {}", self.framework.name(), self.framework.brief()[self.release].version);
        let required = format!("{name}{}", self.required.to_string().replace(", ", ","));
        let asked = self.library.deciding().iter().map(Declaration::requirement).collect::<Vec<_>>().join(",");
        let message = if self.at_start {
            format!("{framework} does not start with {asked}")
        } else {
            format!("{framework} cannot be installed with {asked}")
        };
        let verb =
            if self.by.evidence == Evidence::Range { "is the newest that this allows" } else { "is chosen here" };
        let related = self.by.origin().map(|span| Label { span, message: format!("{framework} {verb}") });
        let note = if self.at_start {
            format!("it requires {required}, and compares when it is started")
        } else {
            format!("it requires {required}")
        };
        let remedies = self.remedies(environment, context);
        let orders: Vec<&str> = remedies.iter().map(|remedy| remedy.order.as_str()).collect();
        let help = if orders.is_empty() { format!("ask for {required}") } else { orders.join(", or ") };
        Diagnostic {
            rule: meta.name,
            code: meta.code,
            severity: meta.severity,
            confidence: Confidence::High,
            message,
            primary: Label { span: self.place, message: format!("{asked} is asked for here") },
            related: related.into_iter().collect(),
            notes: vec![note],
            help: Some(help),
            versions: [self.by, self.library].map(|facts| facts.scope(Vec::new())).into(),
            fixes: remedies.into_iter().filter_map(|remedy| remedy.fix).collect(),
            follows: None,
        }
    }

    /// The nearest releases of both that go together, where they are pinned.
    fn remedies(&self, environment: &Environment, context: &Context<'_>) -> Vec<remedy::Remedy> {
        let Some(release) = &self.library.in_effect else { return Vec::new() };
        let refusal = Refusal {
            package: self.framework.name().to_owned(),
            release: self.framework.brief()[self.release].version.clone(),
            module: String::new(),
            reason: Reason::Version {
                package: self.library.package.clone(),
                release: release.to_string(),
                required: self.required.to_string(),
            },
        };
        let failure = Failure::of_install(Arc::new(environment.clone()), refusal);
        let install = Install::of(context.knowledge, environment);
        let remedies = remedy::remedies(&failure, &install, &BTreeSet::new(), context);
        remedies.into_iter().filter(|remedy| !remedy.is_allowed).collect()
    }
}
