//! Small histories, and what is chosen of them: `app 2 lib 1`.

use std::collections::BTreeMap;

use super::super::Environments;
use super::*;
use crate::knowledge::{Knowledge, Release};
use crate::lower::Request;
use crate::model::{Choice, Environment};
use crate::source::{MemoryFileSystem, Sources};

/// `1.0 2024-03-01 yanked >=3.10 lib>=2`: a version, then whatever applies.
fn release(text: &str) -> Release {
    let mut words = text.split(' ');
    let mut release = Release { version: words.next().expect("a version").to_owned(), ..Release::default() };
    for word in words {
        match word {
            "yanked" => release.yanked = true,
            python if python.starts_with('>') => release.requires_python = Some(python.to_owned()),
            day if day.starts_with("20") => release.date = Some(day.to_owned()),
            // A marker is written without spaces.
            need => release.requires.push(need.replace(';', "; ").replace('~', " ")),
        }
    }
    release
}

fn package(name: &str, releases: &[&str]) -> Package {
    let releases = releases.iter().map(|text| release(text)).collect();
    Package::new(name.to_owned(), releases, BTreeMap::new(), BTreeMap::new())
}

/// The environment of a script next to these requirements.
fn environment(packages: &[(&str, &[&str])], requirements: &str, choice: &Choice) -> Environment {
    let knowledge = Knowledge::new(packages.iter().map(|(name, releases)| package(name, releases)));
    let (disk, sources) = (MemoryFileSystem::default(), Sources::default());
    let (python, requirements) = requirements.split_once('|').unwrap_or(("", requirements));
    let header = format!("[project]\nname = \"x\"\nversion = \"1\"\nrequires-python = \"{python}\"\n");
    disk.insert("requirements.txt", requirements.replace(' ', "\n"));
    let mut files = vec!["requirements.txt".into()];
    if !python.is_empty() {
        disk.insert("pyproject.toml", header);
        files.insert(0, "pyproject.toml".into());
    }
    let request = Request {
        file_system: &disk,
        sources: &sources,
        knowledge: &knowledge,
        files: &files,
        targets: &[],
        python: None,
        choice,
        is_stopped: &|| false,
    };
    Environments::collect(&request).of("train.py".as_ref())
}

fn chosen(packages: &[(&str, &[&str])], requirements: &str, choice: &Choice) -> String {
    let environment = environment(packages, requirements, choice);
    if !environment.contradiction.is_empty() {
        return environment.contradiction.join("; ");
    }
    let picks = environment.packages.values().filter(|one| one.known);
    let picks = picks.map(|one| format!("{} {}", one.package, one.in_effect.as_ref().expect("it is known")));
    picks.collect::<Vec<_>>().join(" ")
}

const APP: (&str, &[&str]) = ("app", &["1 2024-01-01 lib<2", "2 2024-06-01 lib>=2,<3", "3 2025-01-01 lib>=3"]);
const LIB: (&str, &[&str]) =
    ("lib", &["1 2023-01-01", "2 2024-02-01", "2.5 2024-08-01", "3 2024-12-01", "4 2025-06-01"]);

#[test]
fn the_newest_releases_that_go_together_are_chosen() {
    for (requirements, expected) in [
        ("app lib", "app 3 lib 4"),
        ("app", "app 3 lib 4"),
        ("app<3", "app 2 lib 2.5"),
        ("app lib<3", "app 2 lib 2.5"),
        ("app lib==1", "app 1 lib 1"),
        // What is asked for first is not given up for what is asked for later.
        ("app<3 lib", "app 2 lib 2.5"),
        // What nobody asks for comes last and limits nothing.
        ("lib", "app 3 lib 4"),
        ("lib<2", "app 1 lib 1"),
    ] {
        assert_eq!(chosen(&[APP, LIB], requirements, &Choice::default()), expected, "{requirements}");
    }
}

#[test]
fn what_has_no_solution_is_explained_from_both_sides() {
    let said = chosen(&[APP, LIB], "app==1 lib==3", &Choice::default());
    assert_eq!(said, "app 1 needs lib<2");
    // Two libraries that want different things of a third: both are named.
    let other: (&str, &[&str]) = ("other", &["1 lib>=4"]);
    let said = chosen(&[APP, LIB, other], "app<3 other", &Choice::default());
    assert!(said.contains("other 1 needs lib>=4") && said.contains("app 1 needs lib<2"), "{said}");
    assert!(said.contains("app 2 needs lib>=2,<3"), "{said}");
    // Nothing is put into effect that cannot be installed next to the rest; what is declared stays as it is.
    let environment = environment(&[APP, LIB], "app==1 lib==3", &Choice::default());
    assert_eq!(environment.packages["lib"].in_effect.as_ref().map(ToString::to_string), Some("3".to_owned()));
}

#[test]
fn pre_releases_and_withdrawn_ones_are_for_those_who_name_them() {
    let lib: (&str, &[&str]) = ("lib", &["1", "2 yanked", "3rc1"]);
    let app: (&str, &[&str]) = ("app", &["1 lib>=1"]);
    for (requirements, expected) in
        [("app", "app 1 lib 1"), ("app lib==2", "app 1 lib 2"), ("app lib==3rc1", "app 1 lib 3rc1")]
    {
        assert_eq!(chosen(&[app, lib], requirements, &Choice::default()), expected, "{requirements}");
    }
}

#[test]
fn the_python_of_the_project_counts() {
    let app: (&str, &[&str]) = ("app", &["1 lib<2", "2 >=3.10 lib>=2"]);
    let lib: (&str, &[&str]) = ("lib", &["1", "2", "3 >=3.12"]);
    for (requirements, expected) in
        [("==3.9.*|app lib", "app 1 lib 1"), ("==3.11.*|app lib", "app 2 lib 2"), ("==3.12.*|app lib", "app 2 lib 3")]
    {
        assert_eq!(chosen(&[app, lib], requirements, &Choice::default()), expected, "{requirements}");
    }
    // So do the markers of requirements.
    let app: (&str, &[&str]) = ("app", &["1 lib<2;python_version~<~'3.10'"]);
    assert_eq!(chosen(&[app, LIB], "==3.9.*|app lib", &Choice::default()), "app 1 lib 1");
    assert_eq!(chosen(&[app, LIB], "==3.11.*|app lib", &Choice::default()), "app 1 lib 4");
}

#[test]
fn extras_bring_their_requirements() {
    let app: (&str, &[&str]) = ("app", &["1 lib<4;extra~==~'old'", "2 lib<3;extra~==~'old'", "3"]);
    let top: (&str, &[&str]) = ("top", &["1 app[old]<3"]);
    for (requirements, expected) in [
        ("app<3 lib", "app 2 lib 4"),
        ("app[old]<3 lib", "app 2 lib 2.5"),
        ("app[old]<2 lib", "app 1 lib 3"),
        // An extra that a release does not have brings nothing.
        ("app[old] lib", "app 3 lib 4"),
        ("app[new]<3 lib", "app 2 lib 4"),
    ] {
        assert_eq!(chosen(&[app, LIB], requirements, &Choice::default()), expected, "{requirements}");
    }
    // What the project itself asks for is not given up for what only another release asks for.
    assert_eq!(chosen(&[app, LIB, top], "top lib", &Choice::default()), "app 1 lib 3 top 1");
    assert_eq!(chosen(&[app, LIB, top], "top", &Choice::default()), "app 2 lib 2.5 top 1");
    assert_eq!(chosen(&[app, LIB], "app[old]==2 lib==3", &Choice::default()), "app 2 needs lib<3");
}

#[test]
fn the_other_end_and_an_earlier_day_can_be_asked_for() {
    let lowest = Choice { order: Order::Lowest, as_of: None };
    let early = |day: &str| Choice { order: Order::Highest, as_of: Some(day.to_owned()) };
    for (requirements, choice, expected) in [
        ("app>=2 lib", &lowest, "app 2 lib 2"),
        ("app lib>=2.5", &lowest, "app 2 lib 2.5"),
        ("app lib", &early("2025-03-01"), "app 3 lib 3"),
        ("app lib", &early("2024-10-01"), "app 2 lib 2.5"),
        ("app lib", &early("2024-06-01"), "app 2 lib 2"),
        ("app lib", &early("2024-01-31"), "app 1 lib 1"),
    ] {
        assert_eq!(chosen(&[APP, LIB], requirements, choice), expected, "{requirements} {choice:?}");
    }
}

#[test]
fn conflicts_that_only_an_import_shows_are_kept_out() {
    let (app, lib) = (package(APP.0, APP.1), package(LIB.0, LIB.1));
    let candidate = |package| Candidate { package, releases: package.all(), is_asked: true, extras: BTreeSet::new() };
    let (candidates, pythons) = ([candidate(&app), candidate(&lib)], Pythons::new(None));
    let found = |conflicts: &[Conflict<'_>]| {
        let solution = search(&candidates, conflicts, &pythons, Order::Highest).ok()?;
        Some((solution["app"], solution["lib"]))
    };
    assert_eq!(found(&[]), Some((2, 4)));
    let with = |last: usize| Conflict { of: ("app", 2), with: Some(("lib", ReleaseSet::interval(last, 4))) };
    assert_eq!(found(&[with(4)]), Some((2, 3)));
    assert_eq!(found(&[with(3)]), Some((1, 2)));
    let none = |app: usize| Conflict { of: ("app", app), with: None };
    assert_eq!(found(&[none(2), none(1)]), Some((0, 0)));
    assert_eq!(found(&[none(0), none(1), none(2)]), None);
}
