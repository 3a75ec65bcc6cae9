//! Of all allowed releases those that an install gets together.

use std::collections::BTreeMap;

use super::marker::Pythons;
use super::resolve::{Resolved, is_fine};
use super::solve::{Candidate, Contradiction, Solution, extra_needs, needs, solve};
use crate::knowledge::{Knowledge, Package, ReleaseSet};
use crate::model::{Choice, Evidence, PackageFacts};

/// Puts the releases that an installer chooses into effect; says which requirements contradict each other where there is no
/// choice, and then leaves everything as it is. `needed` is installed whether or not it is declared.
pub(super) fn choose(
    knowledge: &Knowledge,
    resolved: &mut BTreeMap<String, Resolved>,
    needed: Option<&str>,
    pythons: &Pythons,
    choice: &Choice,
) -> Contradiction {
    let mut candidates: Vec<(Candidate<'_>, usize)> = Vec::new();
    for (name, one) in resolved.iter() {
        let Some(package) = knowledge.distribution(name) else { continue };
        if let Some(releases) = releases(one, package, pythons, choice) {
            let is_asked = one.facts.evidence != Evidence::Assumed || Some(name.as_str()) == needed;
            // In one file the order is that of the lines.
            let place = one.facts.origin().map_or(usize::MAX, |span| span.start as usize);
            let extras = one.facts.extras();
            candidates.push((Candidate { package, releases, is_asked, extras }, place));
        }
    }
    candidates.sort_by_key(|(_, place)| *place);
    let candidates: Vec<Candidate<'_>> = candidates.into_iter().map(|(candidate, _)| candidate).collect();
    // Releases that are all given need no choice.
    let is_open = candidates.iter().any(|one| one.is_asked) && candidates.iter().any(|one| one.releases.len() > 1);
    let is_given = candidates.iter().filter(|one| one.is_asked).count() < 2 && !is_open;
    if is_given {
        return Contradiction::new();
    }
    match solve(&candidates, pythons, choice.order) {
        Err(contradiction) => contradiction,
        Ok(solution) => {
            for candidate in &candidates {
                let Some(one) = resolved.get_mut(candidate.package.name()) else { continue };
                put(candidate, &candidates, &solution, pythons, choice, &mut one.facts);
            }
            Contradiction::new()
        }
    }
}

/// The releases of a package from which an installer chooses; `None` where that is not known.
fn releases(one: &Resolved, package: &Package, pythons: &Pythons, choice: &Choice) -> Option<ReleaseSet> {
    let facts = &one.facts;
    if !facts.known {
        return None;
    }
    let effect = package.index_of(facts.in_effect.as_ref()?)?;
    if !matches!(facts.evidence, Evidence::Range | Evidence::Assumed) {
        return Some(ReleaseSet::interval(effect, effect));
    }
    let is_early = |index: usize| {
        let day = package.brief()[index].date.as_deref();
        choice.as_of.as_deref().is_none_or(|limit| day.is_some_and(|day| day <= limit))
    };
    let fine: ReleaseSet =
        one.preferred.iter().filter(|index| is_fine(*index, pythons, package) && is_early(*index)).collect();
    // What is pinned in another way is installed all the same.
    Some(if fine.is_empty() { ReleaseSet::interval(effect, effect) } else { fine })
}

/// Puts one release into effect and says why it is no newer one.
fn put(
    candidate: &Candidate<'_>,
    candidates: &[Candidate<'_>],
    solution: &Solution<'_>,
    pythons: &Pythons,
    choice: &Choice,
    facts: &mut PackageFacts,
) {
    let package = candidate.package;
    let Some(&release) = solution.get(package.name()) else { return };
    let Some(newest) = candidate.releases.iter().next_back() else { return };
    facts.in_effect = Some(package.versions()[release].clone());
    if release == newest || choice.order != crate::model::Order::Highest {
        return;
    }
    let version =
        |package: &Package, release: usize| format!("{} {}", package.name(), package.brief()[release].version);
    for other in candidates {
        let Some(&chosen) = solution.get(other.package.name()) else { continue };
        // What the others need of this package.
        let brought = other.extras.iter().flat_map(|extra| extra_needs(other.package, extra, chosen, pythons));
        let needed = needs(other.package, chosen, pythons).chain(brought);
        for need in needed.filter(|need| need.name == package.name()) {
            if !need.specifiers.contains(&package.versions()[newest]) {
                facts.limits.push(format!("{} needs {}", version(other.package, chosen), need.requirement()));
            }
        }
        // What a newer release of this package would need of the others.
        for need in needs(package, newest, pythons).filter(|need| need.name == other.package.name()) {
            if !need.specifiers.contains(&other.package.versions()[chosen]) {
                facts.limits.push(format!("{} needs {}", version(package, newest), need.requirement()));
            }
        }
    }
}
