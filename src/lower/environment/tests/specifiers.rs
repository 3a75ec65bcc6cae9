//! The meaning of specifiers, compared with the library that pip uses.
//!
//! `specifiers.txt` holds its answers; the differences are few, and each has a reason.

use std::collections::{BTreeMap, BTreeSet};

use crate::knowledge::{Package, Release};
use crate::lower::environment::kind::Standing;
use crate::lower::environment::marker::Pythons;
use crate::lower::environment::resolve::{Governing, Installation, resolve};
use crate::lower::environment::statement::Requirement;
use crate::model::{Declaration, Origin};
use crate::source::{FileId, Span};
use crate::syntax::requirements::parse_requirement;

const TABLE: &str = include_str!("specifiers.txt");

/// Where containment differs: only in pre-releases, below a bound that is one itself or a post-release. They count only when
/// they are pinned, so this is never seen.
const OTHER_CONTAINMENT: [&str; 2] = ["<0.10.0rc1", "<0.10.0.post1"];

/// Where the release that an install gets differs, and what it is here.
const OTHER_PICKS: [(&str, &str, &str); 3] = [
    ("==0.12.2+cu121", "0.12.2", "a build of a release counts as that release"),
    ("<0.10.0rc1", "0.9.6", "a bound that is a pre-release lets no pre-releases in"),
    ("<=0.10.0.dev1", "0.9.6", "a bound that is a pre-release lets no pre-releases in"),
];

#[test]
fn specifiers_mean_what_packaging_says() {
    let mut lines = TABLE.lines();
    let versions = lines.by_ref().find_map(|line| line.strip_prefix("# versions: ")).expect("a list of versions");
    let release = |version: &str| Release {
        version: version.to_owned(),
        date: None,
        requires_python: None,
        requires: Vec::new(),
        yanked: false,
        because: None,
    };
    let known =
        Package::new("trl".into(), versions.split(' ').map(release).collect(), BTreeMap::new(), BTreeMap::new());
    let mut seen = 0;
    for line in lines {
        let mut cells = line.split('|').map(str::trim);
        let (specifiers, contained, pick) = (cells.next(), cells.next(), cells.next());
        let (specifiers, contained, pick) = (specifiers.expect(line), contained.expect(line), pick.expect(line));
        let read = parse_requirement(&format!("trl{specifiers}"), Span::new(FileId(0), 0, 0)).expect(line);
        let ours: Vec<String> =
            known.versions().iter().filter(|one| read.allowed().contains(one)).map(ToString::to_string).collect();
        let differs = OTHER_CONTAINMENT.contains(&specifiers);
        assert_eq!(ours.join(" ") != contained, differs, "{specifiers}: {contained} is {}", ours.join(" "));
        let other = OTHER_PICKS.iter().find(|(which, _, _)| *which == specifiers);
        let expected = other.map_or(pick, |(_, here, _)| here);
        assert_eq!(pick_of(&Requirement::of(&read), &known), expected, "{specifiers}");
        assert!(other.is_none_or(|(_, here, _)| *here != pick), "{specifiers} does not differ any more");
        seen += 1;
    }
    assert!(seen > 50, "the table is there");
}

/// The release that an install gets, or nothing.
fn pick_of(requirement: &Requirement, known: &Package) -> String {
    let declaration = Declaration {
        package: "trl".into(),
        specifiers: requirement.specifiers.clone(),
        evidence: requirement.evidence(),
        origin: Origin::CommandLine(String::new()),
        condition: None,
        direct: None,
        extras: BTreeSet::new(),
    };
    let deciding = vec![Installation { standing: Standing::Canonical, declarations: vec![&declaration] }];
    let governing = Governing { deciding, others: Vec::new() };
    let facts = resolve("trl", &governing, &Pythons::new(None), Some(known)).facts;
    let known_one = facts.is_known_release();
    facts.in_effect.filter(|_| known_one).map(|version| version.to_string()).unwrap_or_default()
}
