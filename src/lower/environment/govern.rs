//! Which declarations govern a script.
//!
//! A script's own header stands alone. Else, for each package: an install in the notebook or in the shell script that
//! starts the script; then the nearest folder above it that declares the package; then files for another purpose; then
//! installs in other shell scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pep440_rs::VersionSpecifiers;

use super::kind::{Standing, Tier};
use super::resolve::{Governing, Installation};
use crate::model::Declaration;
use crate::source::Span;

/// What a declaring file says together with those it includes.
#[derive(Debug)]
pub(super) struct Joined {
    /// How close it is to the scripts it governs.
    pub(super) tier: Tier,
    /// See [`Installation::standing`].
    pub(super) standing: Standing,
    /// See [`Kind::is_sequence`](super::kind::Kind::is_sequence).
    pub(super) is_sequence: bool,
    /// Whether it names everything that an install of it holds.
    pub(super) is_complete: bool,
    /// Whom it governs.
    pub(super) reach: Reach,
    /// In order.
    pub(super) declarations: Vec<Declaration>,
    /// The Pythons it admits.
    pub(super) python: Option<VersionSpecifiers>,
    /// Where it says so.
    pub(super) python_places: Vec<Span>,
}

/// Whom a declaring file governs.
#[derive(Debug)]
pub(super) struct Reach {
    /// Every script below these folders.
    pub(super) folders: Vec<PathBuf>,
    /// These scripts in particular, closer than the folder's.
    pub(super) scripts: Vec<PathBuf>,
}

/// What governs one script.
#[derive(Debug, Default)]
pub(super) struct Governed<'a> {
    /// By package: the installations that name it, the closest first.
    pub(super) packages: BTreeMap<&'a str, BTreeMap<Distance, Vec<&'a Joined>>>,
    /// The Pythons, from the closest that says something.
    pub(super) python: Vec<&'a VersionSpecifiers>,
    /// Where those are written.
    pub(super) python_places: Vec<Span>,
}

/// How far a declaration is: first by tier, then by folders in between.
type Distance = (Tier, usize);

/// Chooses what governs a script.
pub(super) fn govern<'a>(joined: &'a [Joined], repositories: &BTreeSet<PathBuf>, script: &Path) -> Governed<'a> {
    let folders = folders_above(script, repositories);
    let mut reaching: Vec<(Distance, &Joined)> =
        joined.iter().filter_map(|one| Some((one.distance(script, &folders)?, one))).collect();
    // The header says everything that an installer of the script looks at.
    if reaching.iter().any(|((tier, _), _)| *tier == Tier::Header) {
        reaching.retain(|((tier, _), _)| *tier == Tier::Header);
    }
    let mut governed = Governed::default();
    for (distance, one) in &reaching {
        let names: BTreeSet<&str> = one.declarations.iter().map(|declaration| declaration.package.as_str()).collect();
        for name in names {
            governed.packages.entry(name).or_default().entry(*distance).or_default().push(*one);
        }
    }
    let nearest = reaching.iter().filter(|(_, one)| one.python.is_some()).map(|(distance, _)| *distance).min();
    let same = || reaching.iter().filter(|(distance, _)| Some(*distance) == nearest);
    governed.python = same().filter_map(|(_, one)| one.python.as_ref()).collect();
    governed.python_places = same().flat_map(|(_, one)| one.python_places.iter().copied()).collect();
    governed
}

impl<'a> Governed<'a> {
    /// Whether one file governs all of these packages, and names everything that an install of it holds.
    pub(super) fn is_complete<'n>(&self, mut packages: impl Iterator<Item = &'n str>) -> bool {
        let closest = |name: &str| self.packages.get(name)?.values().next();
        let Some(first) = packages.next().and_then(closest) else { return false };
        let mut complete: Vec<&Joined> = first.iter().copied().filter(|one| one.is_complete).collect();
        for name in packages {
            let Some(others) = closest(name) else { return false };
            complete.retain(|one| others.iter().any(|other| std::ptr::eq(*one, *other)));
        }
        !complete.is_empty()
    }

    /// What governs one package; what was given on the command line takes part in every decision.
    pub(super) fn of(&self, name: &str, given: &'a [Declaration]) -> Governing<'a> {
        let mut governing = Governing::default();
        let given: Vec<&Declaration> = given.iter().filter(|one| one.package == name).collect();
        for declaration in given {
            governing.deciding.push(Installation { standing: Standing::Canonical, declarations: vec![declaration] });
        }
        let Some(by_distance) = self.packages.get(name) else { return governing };
        for (index, (distance, joined)) in by_distance.iter().enumerate() {
            let best = joined.iter().map(|one| one.standing).min();
            for one in joined {
                let declarations = one.declarations.iter().filter(|one| one.package == name);
                let is_special = one.standing == Standing::Special && best != Some(Standing::Special);
                if index == 0 && !is_special {
                    governing.deciding.extend(one.installations(declarations));
                } else if distance.0 <= Tier::Project {
                    governing.others.extend(declarations);
                }
            }
        }
        governing
    }
}

impl Joined {
    /// What is installed together. Commands follow each other: each is an installation, the last one first.
    fn installations<'a>(
        &self,
        declarations: impl DoubleEndedIterator<Item = &'a Declaration>,
    ) -> Vec<Installation<'a>> {
        let standing = self.standing;
        if self.is_sequence {
            return declarations.rev().map(|one| Installation { standing, declarations: vec![one] }).collect();
        }
        vec![Installation { standing, declarations: declarations.collect() }]
    }

    /// How far it is from a script below `folders` (the nearest first); `None` when it does not govern it.
    fn distance(&self, script: &Path, folders: &[&Path]) -> Option<Distance> {
        if self.reach.scripts.iter().any(|one| one == script) {
            return Some((self.tier.min(Tier::Local), 0));
        }
        let depth = folders.iter().position(|folder| self.reach.folders.iter().any(|one| one == folder))?;
        Some((self.tier, depth))
    }
}

/// The folders above a script up to the one that holds `.git`, the nearest first.
fn folders_above<'a>(script: &'a Path, repositories: &BTreeSet<PathBuf>) -> Vec<&'a Path> {
    let mut folders = Vec::new();
    for folder in script.ancestors().skip(1) {
        folders.push(folder);
        if repositories.contains(folder) {
            break;
        }
    }
    folders
}
