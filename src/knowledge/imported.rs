//! What importing one module does, as the files store it and as lines to be asked.
//!
//! A set of releases is followed through hundreds of modules, of each of which little is read: so a module is kept as text, and
//! nothing of it is built before it is needed. `build.rs` uses this file too, so that what is built in is in the same form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::stored::Fact;

/// What importing one module does, as `schemas/imports` stores it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedModule {
    /// The releases that have the module; empty: all.
    #[serde(rename = "in", default, skip_serializing_if = "String::is_empty")]
    pub releases: String,
    /// Releases in which any name may exist; `-` for all of them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dynamic: String,
    /// Modules of the same library that are loaded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub loads: BTreeMap<String, Vec<Fact<When>>>,
    /// What is imported from elsewhere: `transformers.utils:is_rich_available`, `peft:` for a module.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub needs: BTreeMap<String, Vec<Fact<When>>>,
    /// Requirements that are checked, and that end the import where they are not met: `accelerate>=0.20`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requires: BTreeMap<String, Vec<Fact<When>>>,
    /// When the module refuses to be imported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raises: Vec<Fact<When>>,
    /// The names that other libraries import from the module, or users.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Vec<Fact<Found>>>,
}

/// A condition: literals that must all hold. `peft` (installed), `!rich`, `transformers>=4.46`, `?` (cannot be told),
/// `mergekit@transformers.utils.import_utils._is_package_available` (what that function says of it).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct When {
    /// Empty: always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub when: String,
}

/// A name that exists.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Found {
    /// The modules that are loaded to get it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loads: Vec<String>,
    /// Whether it is a function that returns a tuple whatever is asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tuple: bool,
}

/// Between the parts of a line.
const GAP: &str = "\t";

/// What a line speaks of: its first character.
mod kind {
    pub(super) const RELEASES: char = 'i';
    pub(super) const DYNAMIC: char = 'd';
    pub(super) const LOADS: char = 'l';
    pub(super) const NEEDS: char = 'n';
    pub(super) const REQUIRES: char = 'r';
    pub(super) const RAISES: char = 'x';
    /// A name.
    pub(super) const NAME: char = 'f';
    /// A name that is a function which returns a tuple.
    pub(super) const TUPLE: char = 't';
}

impl ImportedModule {
    /// Every interval text in it, to be rewritten.
    pub fn for_each_interval(&mut self, mut rewrite: impl FnMut(&mut String)) {
        rewrite(&mut self.releases);
        rewrite(&mut self.dynamic);
        let tables = [&mut self.loads, &mut self.needs, &mut self.requires];
        for fact in tables.into_iter().flat_map(BTreeMap::values_mut).flatten().chain(&mut self.raises) {
            rewrite(&mut fact.releases);
        }
        for fact in self.names.values_mut().flatten() {
            rewrite(&mut fact.releases);
        }
    }

    /// The same as a text: what it does, each part of it with its length before it, since all of it is read whenever the module
    /// is loaded; behind that lines, of which few are read: releases, then the names, sorted.
    pub fn to_text(&self) -> String {
        let mut acts = String::new();
        let mut act = |kind: char, releases: &str, when: &str, thing: &str| {
            acts.push(kind);
            for part in [releases, when, thing] {
                put(&mut acts, part);
            }
        };
        for fact in &self.raises {
            act(kind::RAISES, &fact.releases, &fact.fact.when, "");
        }
        let tables = [(kind::REQUIRES, &self.requires), (kind::NEEDS, &self.needs), (kind::LOADS, &self.loads)];
        for (kind, table) in tables {
            for (thing, fact) in table.iter().flat_map(|(thing, facts)| facts.iter().map(move |fact| (thing, fact))) {
                act(kind, &fact.releases, &fact.fact.when, thing);
            }
        }
        let mut text = String::new();
        put(&mut text, &acts);
        let mut line = |kind: char, releases: &str, loads: &str, name: &str| {
            text.push(kind);
            text.push_str(&[releases, loads, name].join(GAP));
            text.push('\n');
        };
        for (kind, releases) in [(kind::RELEASES, &self.releases), (kind::DYNAMIC, &self.dynamic)] {
            if !releases.is_empty() {
                line(kind, releases, "", "");
            }
        }
        for (name, fact) in self.names.iter().flat_map(|(name, facts)| facts.iter().map(move |fact| (name, fact))) {
            let kind = if fact.fact.tuple { kind::TUPLE } else { kind::NAME };
            line(kind, &fact.releases, &fact.fact.loads.join(" "), name);
        }
        text
    }
}

/// From this length on three characters more say it.
const LONG: usize = 0x7f;

/// Adds a text with its length before it, in ASCII so that the whole stays a text.
fn put(text: &mut String, part: &str) {
    let digit = |number: usize| char::from((number & 0x7f) as u8);
    text.push(digit(part.len().min(LONG)));
    if part.len() >= LONG {
        text.extend([14, 7, 0].map(|shift| digit(part.len() >> shift)));
    }
    text.push_str(part);
}

/// Takes a text with its length before it off the start of another; nothing where there is none.
fn take<'a>(text: &mut &'a str) -> &'a str {
    let bytes = text.as_bytes();
    let (start, length) = match bytes.first().map(|digit| usize::from(*digit)) {
        None => return "",
        Some(LONG) => (4, bytes.iter().skip(1).take(3).fold(0, |length, digit| length << 7 | usize::from(*digit))),
        Some(length) => (1, length),
    };
    let part = text.get(start..start + length).unwrap_or_default();
    *text = text.get(start + length..).unwrap_or_default();
    part
}

/// What importing a module does, to be asked.
#[derive(Debug, Clone, Copy)]
pub struct ModuleLines<'a> {
    acts: &'a str,
    /// The rest of [`ImportedModule::to_text`].
    lines: &'a str,
}

/// Something that happens when a module is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportLine<'a> {
    /// What happens.
    pub act: Act,
    /// In which releases; empty: all that have the module.
    pub releases: &'a str,
    /// When, as in [`When::when`].
    pub when: &'a str,
    /// The module, name or requirement.
    pub thing: &'a str,
}

/// What importing a module does, in the order in which it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Refuses.
    Raises,
    /// Checks a requirement.
    Requires,
    /// Imports something of another library.
    Needs,
    /// Loads a module of the same library.
    Loads,
}

/// A name of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameLine<'a> {
    /// In which releases; empty: all that have the module.
    pub releases: &'a str,
    /// The modules that are loaded to get it, with spaces between them.
    pub loads: &'a str,
    /// Whether it is a function that returns a tuple whatever is asked.
    pub tuple: bool,
}

impl<'a> ModuleLines<'a> {
    /// What [`ImportedModule::to_text`] wrote.
    pub fn new(mut text: &'a str) -> Self {
        Self { acts: take(&mut text), lines: text }
    }

    /// The releases that have the module; empty: all.
    pub fn releases(self) -> &'a str {
        self.head(kind::RELEASES)
    }

    /// Releases in which any name may exist.
    pub fn dynamic(self) -> &'a str {
        self.head(kind::DYNAMIC)
    }

    /// What importing it does, in order.
    pub fn acts(self) -> impl Iterator<Item = ImportLine<'a>> {
        let mut rest = self.acts;
        std::iter::from_fn(move || {
            let act = match rest.chars().next()? {
                kind::RAISES => Act::Raises,
                kind::REQUIRES => Act::Requires,
                kind::NEEDS => Act::Needs,
                _ => Act::Loads,
            };
            rest = &rest[1..];
            Some(ImportLine { act, releases: take(&mut rest), when: take(&mut rest), thing: take(&mut rest) })
        })
    }

    /// What is known of one of its names. Names come last, in order, so that they need not be read one by one.
    pub fn names(self, name: &str) -> impl Iterator<Item = NameLine<'a>> {
        let is_before = |line: &str| {
            let (kind, .., thing) = parts(line);
            !is_name(kind) || thing < name
        };
        let (mut low, mut high) = (0, self.lines.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let line = self.lines.as_bytes()[low..middle].iter().rposition(|byte| *byte == b'\n');
            let start = line.map_or(low, |at| low + at + 1);
            let end = self.lines[start..].find('\n').map_or(self.lines.len(), |at| start + at);
            if is_before(&self.lines[start..end]) { low = self.lines.len().min(end + 1) } else { high = start }
        }
        let name = name.to_owned();
        let lines = self.lines[low..].split_terminator('\n').map(parts).take_while(move |(.., thing)| *thing == name);
        lines.map(|(kind, releases, loads, _)| NameLine { releases, loads, tuple: kind == kind::TUPLE })
    }

    /// The releases of a line of this kind, of which there is at most one, before all others.
    fn head(self, wanted: char) -> &'a str {
        let lines = self.lines.split_terminator('\n').map(parts);
        let mut heads = lines.take_while(|(kind, ..)| matches!(*kind, kind::RELEASES | kind::DYNAMIC));
        heads.find(|(kind, ..)| *kind == wanted).map_or("", |(_, releases, ..)| releases)
    }
}

fn is_name(kind: char) -> bool {
    matches!(kind, kind::NAME | kind::TUPLE)
}

fn parts(line: &str) -> (char, &str, &str, &str) {
    let kind = line.chars().next().unwrap_or_default();
    let mut parts = line.get(kind.len_utf8()..).unwrap_or_default().splitn(3, GAP);
    let mut part = || parts.next().unwrap_or_default();
    (kind, part(), part(), part())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_what_the_module_says() {
        let fact = |releases: &str, loads: &[&str], tuple| Fact {
            releases: releases.to_owned(),
            fact: Found { loads: loads.iter().map(|one| (*one).to_owned()).collect(), tuple },
        };
        let when =
            |releases: &str, when: &str| Fact { releases: releases.to_owned(), fact: When { when: when.to_owned() } };
        let names = [
            ("a", vec![fact("- 1.0", &["m", "n"], false), fact("2.0 -", &[], true)]),
            ("ab", vec![fact("", &[], false)]),
            ("ä", vec![fact("", &["x"], false)]),
            ("z", vec![fact("", &["y"], false)]),
        ];
        let module = ImportedModule {
            releases: "1.0 -".to_owned(),
            needs: [("peft:a".to_owned(), vec![when("", "peft !rich"), when("2.0 -", "")])].into(),
            loads: [("lib.m".to_owned(), vec![when(&"1.0,".repeat(5000), "")])].into(),
            raises: vec![when("1.0", "x<2")],
            names: names.iter().map(|(name, facts)| ((*name).to_owned(), facts.clone())).collect(),
            ..ImportedModule::default()
        };
        let text = module.to_text();
        let lines = ModuleLines::new(&text);
        assert_eq!((lines.releases(), lines.dynamic()), ("1.0 -", ""));
        let acts: Vec<_> = lines.acts().map(|line| (line.act, line.releases, line.when, line.thing)).collect();
        let needs = |releases, when| (Act::Needs, releases, when, "peft:a");
        let loads = "1.0,".repeat(5000);
        let loads = (Act::Loads, loads.as_str(), "", "lib.m");
        assert_eq!(acts, [(Act::Raises, "1.0", "x<2", ""), needs("", "peft !rich"), needs("2.0 -", ""), loads]);
        for (name, facts) in names {
            let found: Vec<_> = lines
                .names(name)
                .map(|line| fact(line.releases, &line.loads.split_whitespace().collect::<Vec<_>>(), line.tuple))
                .collect();
            assert_eq!(found, facts, "{name}");
        }
        for missing in ["", "A", "aa", "b", "zz", "peft:a"] {
            assert_eq!(lines.names(missing).count(), 0, "{missing}");
        }
        assert_eq!(ModuleLines::new("").acts().count(), 0);
        assert_eq!(ModuleLines::new("").names("a").count(), 0);
    }
}
