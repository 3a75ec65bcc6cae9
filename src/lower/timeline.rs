//! What each release does with an argument, for a reader who wants to know the argument and not what is wrong with it.

use super::Releases;
use crate::knowledge::{Knowledge, Package, Parameter, ReleaseSet, Takes};
use crate::model::Environment;

/// What releases do with an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing<'a> {
    /// They have it.
    Takes(&'a Parameter),
    /// They take any argument.
    TakesAny,
    /// They raise `TypeError`.
    Refuses,
    /// They have no such callable.
    Absent,
    /// That cannot be told.
    Unknown,
}

/// What the releases of one package do with an argument, those of the others being the ones in effect.
#[derive(Debug, Clone)]
pub struct Timeline<'a> {
    /// The package.
    pub package: &'a Package,
    /// The release in effect.
    pub in_effect: Option<usize>,
    /// Neighbouring releases that do the same, the oldest first.
    pub spans: Vec<(ReleaseSet, Doing<'a>)>,
}

impl<'a> Timeline<'a> {
    /// What the release in effect does.
    pub fn now(&self) -> Option<Doing<'a>> {
        let release = self.in_effect?;
        self.spans.iter().find(|(releases, _)| releases.contains(release)).map(|(_, doing)| *doing)
    }

    /// Whether some release has the argument.
    pub fn is_known(&self) -> bool {
        self.spans.iter().any(|(_, doing)| matches!(doing, Doing::Takes(_)))
    }
}

/// What releases do with an argument of a callable, by full name: those of its own package, and those of every other one that makes
/// a difference.
pub fn timelines<'a>(
    callee: &str,
    argument: &str,
    environment: &'a Environment,
    knowledge: &'a Knowledge,
) -> Vec<Timeline<'a>> {
    let Some(own) = callee.split('.').next().and_then(|top| knowledge.package(top)) else { return Vec::new() };
    let in_effect = environment.in_effect(own);
    let newest = own.versions().len().saturating_sub(1);
    let at = Releases::new(knowledge, environment, own, in_effect.unwrap_or(newest));
    let others = at.outside_packages(callee).into_iter();
    let of = |package: &'a Package| Timeline {
        package,
        in_effect: environment.in_effect(package),
        spans: spans(callee, argument, environment, knowledge, package),
    };
    let others = others.map(of).filter(|timeline| timeline.spans.len() > 1 && timeline.is_known());
    std::iter::once(of(own)).chain(others).collect()
}

fn spans<'a>(
    callee: &str,
    argument: &str,
    environment: &'a Environment,
    knowledge: &'a Knowledge,
    package: &'a Package,
) -> Vec<(ReleaseSet, Doing<'a>)> {
    let mut spans: Vec<(ReleaseSet, Doing<'a>)> = Vec::new();
    for release in package.all().iter() {
        let doing = doing(Releases::new(knowledge, environment, package, release), callee, argument);
        match spans.last_mut() {
            Some((releases, last)) if is_alike(*last, doing) => releases.insert(release),
            _ => spans.push(([release].into_iter().collect(), doing)),
        }
    }
    spans
}

/// What one release does with an argument; the callable may live in another module there.
fn doing<'a>(at: Releases<'a>, callee: &str, argument: &str) -> Doing<'a> {
    let relocated = || at.relocated(callee).map(|(module, name)| format!("{module}.{name}"));
    let name = if at.resolve(callee).is_some() { Some(callee.to_owned()) } else { relocated() };
    let Some(name) = name else { return Doing::Absent };
    match at.takes(&name, argument) {
        Takes::Parameter(parameter) => Doing::Takes(parameter),
        Takes::AnyKeyword => Doing::TakesAny,
        Takes::Nothing => Doing::Refuses,
        Takes::Unknown => Doing::Unknown,
    }
}

/// Whether a reader would see no difference.
fn is_alike(one: Doing<'_>, other: Doing<'_>) -> bool {
    match (one, other) {
        (Doing::Takes(one), Doing::Takes(other)) => {
            (&one.default, &one.alias_of, one.deprecated) == (&other.default, &other.alias_of, other.deprecated)
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(callee: &str, argument: &str) -> Vec<String> {
        let knowledge = Knowledge::bundled();
        let environment = crate::lower::environment_of_targets(&["trl==0.12.2".to_owned()], "trl", knowledge);
        let timelines = timelines(callee, argument, &environment, knowledge);
        let span = |package: &Package, (releases, doing): &(ReleaseSet, Doing<'_>)| {
            let doing = match doing {
                Doing::Takes(parameter) => match &parameter.alias_of {
                    Some(name) => format!("alias of {name}"),
                    None => parameter.default.clone().unwrap_or_else(|| "required".to_owned()),
                },
                other => format!("{other:?}"),
            };
            format!("{} {}: {doing}", package.name(), package.intervals(releases).join(", "))
        };
        timelines
            .iter()
            .flat_map(|one| one.spans.iter().map(|part| span(one.package, part)).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn a_timeline_tells_when_an_argument_came_changed_and_went() {
        let tokenizer = told("trl.DPOTrainer", "tokenizer");
        assert!(
            tokenizer.iter().any(|one| one.starts_with("trl 0.12.0 - 0.15.2: alias of processing_class")),
            "{tokenizer:#?}"
        );
        assert!(
            tokenizer.last().is_some_and(|one| one.starts_with("trl 0.16.0 - ") && one.ends_with("Refuses")),
            "{tokenizer:#?}"
        );
        assert!(tokenizer[0].ends_with("Absent"), "there was no DPOTrainer: {tokenizer:#?}");
    }

    #[test]
    fn fields_of_another_package_depend_on_its_releases() {
        let strategy = told("trl.DPOConfig", "evaluation_strategy");
        assert!(
            strategy.iter().any(|one| one.starts_with("transformers ") && one.ends_with("Refuses")),
            "{strategy:#?}"
        );
        let nothing = told("trl.DPOConfig", "no_such_field");
        assert!(nothing.iter().all(|one| one.starts_with("trl ")), "{nothing:#?}");
    }
}
