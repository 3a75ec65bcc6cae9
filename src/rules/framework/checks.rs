//! What a program checks of a configuration: conditions over its keys, asked of the values that they end up with.

use super::super::guards::{paths, with_path};
use super::{Reader, Stage};
use crate::eval::{self, Atom, Cond, Const, Tri, Value};
use crate::knowledge::{Guard, Parameter, Reading, Takes};
use crate::lower::ReleaseHost;
use crate::lower::configuration::{Key, kind_of, read};

/// How a key is looked at.
#[derive(Clone, Copy)]
enum Sight {
    /// As it is.
    Seen,
    /// As if it could be anything.
    Hidden,
    /// As if nothing set it.
    Absent,
}

impl<'a> Reader<'a> {
    /// The checks that surely stop the program, each with the keys that it is about.
    pub(in super::super) fn refusals(&self) -> Vec<(&'a Guard, Vec<&'a Key>)> {
        if self.configuration.consumer.restores {
            return Vec::new();
        }
        let mut found: Vec<(&Guard, Vec<&Key>)> = Vec::new();
        for (guard, stage, prefix) in self.guards(self.release) {
            let certain = self.holds_below(&guard.when, self.release, stage, &prefix);
            let keys = self.named(&guard.when, &prefix);
            let is_known = |(known, known_keys): &(&Guard, Vec<&Key>)| {
                let is_same = known_keys.iter().zip(&keys).all(|(one, other)| one.span == other.span);
                known.message == guard.message && (prefix.is_empty() || is_same)
            };
            if !certain || found.iter().any(is_known) {
                continue;
            }
            // Where nothing is declared it must be so in every release that has such a check at all, and in the newest one.
            let is_everywhere = |release: usize| {
                release == self.release
                    || self.guards(release).any(|(one, stage, prefix)| {
                        one.message == guard.message && self.holds_below(&one.when, release, stage, &prefix)
                    })
            };
            if self.versions.is_assumed() && !self.recent().all(is_everywhere) {
                continue;
            }
            found.push((guard, self.deciding(&guard.when, stage, &prefix, keys)));
        }
        found
    }

    /// Of the keys that a condition names those on which it depends that it holds here: the others may be anything, or be left out.
    fn deciding(&self, condition: &str, stage: Stage, prefix: &str, keys: Vec<&'a Key>) -> Vec<&'a Key> {
        let holds = |sight: &dyn Fn(&str) -> Sight| self.holds_seen(condition, self.release, stage, prefix, sight);
        let decides = |key: &Key| !holds(&|name| if name == key.name { Sight::Hidden } else { Sight::Seen });
        let mut others: Vec<&Key> = keys.iter().copied().filter(|key| !decides(key)).collect();
        // What a condition speaks of most is most likely what it is about.
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
        let mentions = |key: &Key| {
            let name = key.name.strip_prefix(prefix).unwrap_or(&key.name);
            condition.split(|letter| !is_part(letter)).filter(|word| *word == name).count()
        };
        others.sort_by_key(|key| (mentions(key), std::cmp::Reverse(key.span)));
        let mut idle: Vec<&str> = Vec::new();
        for key in others {
            let is_idle = |name: &str| name == key.name || idle.contains(&name);
            if holds(&|name| if is_idle(name) { Sight::Absent } else { Sight::Seen }) {
                idle.push(&key.name);
            }
        }
        let left: Vec<&Key> = keys.iter().copied().filter(|key| !idle.contains(&&*key.name)).collect();
        if left.is_empty() { keys } else { left }
    }

    /// The checks of a release, what each sees, and what stands before the keys that it names.
    fn guards(&self, release: usize) -> impl Iterator<Item = (&'a Guard, Stage, String)> {
        let below = if self.configuration.consumer.nested { self.checks_below(release) } else { Vec::new() };
        let at = self.at(release);
        let classes = self.classes(release).iter();
        // What a class takes over from another package is checked there.
        let owners = classes.flat_map(move |class| {
            let own = at.resolve(class).into_iter().map(|owner| (owner, Stage::Made));
            own.chain(at.outside_bases(class).into_iter().map(|owner| (owner, Stage::Inherited)))
        });
        let own = owners.flat_map(move |((package, definition), stage)| {
            let release = at.of(package.name()).unwrap_or_default();
            let guards = package.guards(definition, release).into_iter().map(move |guard| (guard, stage));
            guards.chain(package.checks_of_given(definition, release).into_iter().map(|guard| (guard, Stage::Given)))
        });
        let package = self.versions.package;
        let whole = self.configuration.consumer.checks.iter();
        let checked = whole.flat_map(move |check| package.guards(check, release)).map(|guard| (guard, Stage::Checked));
        let refused = self.configuration.consumer.refused(package, release).map(|guard| (guard, Stage::Given));
        let top = own.chain(checked).chain(refused);
        top.map(|(guard, stage)| (guard, stage, String::new())).chain(below)
    }

    /// Whether a condition over the keys surely holds.
    pub(in super::super) fn holds(&self, condition: &str, release: usize, stage: Stage) -> bool {
        self.holds_below(condition, release, stage, "")
    }

    /// The same of a condition over the keys below others.
    fn holds_below(&self, condition: &str, release: usize, stage: Stage, prefix: &str) -> bool {
        self.holds_seen(condition, release, stage, prefix, &|_| Sight::Seen)
    }

    /// The same where some keys are not looked at.
    fn holds_seen(
        &self,
        condition: &str,
        release: usize,
        stage: Stage,
        prefix: &str,
        sight: &dyn Fn(&str) -> Sight,
    ) -> bool {
        let at = self.at(release);
        let host = ReleaseHost::new(at, &[]).for_filled_fields();
        let Some(reading) = self.configuration.consumer.reading(self.versions.package, release) else { return false };
        let mut bindings: Vec<(String, Value)> = Vec::new();
        let mut text = condition.to_owned();
        for path in paths(condition) {
            let Some(name) = self.key_in(path, release, prefix) else { continue };
            // To the evaluator a key with dots is a name like any other.
            let plain = name.replace('.', "__");
            text = with_path(&text, name, &plain);
            let path = format!("{prefix}{name}");
            let value = match sight(&path) {
                Sight::Hidden => Value::Unknown,
                Sight::Seen => self.value(&path, self.configuration.get(&path), release, reading, stage, &host),
                Sight::Absent => self.value(&path, None, release, reading, stage, &host),
            };
            bindings.push((plain, value));
        }
        let bindings: Vec<(&str, Value)> = bindings.iter().map(|(name, value)| (&**name, value.clone())).collect();
        let cond = self.fix_releases(&eval::condition(&text, &bindings, &host), release);
        cond == Cond::TRUE || cond.verdict() == Tri::Yes
    }

    /// The key that a dotted name begins with: `reward.remote_url` of `reward.remote_url.split`. A name without dots is one, but for
    /// `transformers.__version__`; `trl` is a key of axolotl.
    fn key_in<'p>(&self, path: &'p str, release: usize, prefix: &str) -> Option<&'p str> {
        let ends = path.rmatch_indices('.').map(|(at, _)| at);
        let is_field = |name: &&str| {
            let name = format!("{prefix}{name}");
            matches!(self.field(&name, release), Takes::Parameter(_)) || self.configuration.get(&name).is_some()
        };
        let dotted = std::iter::once(path.len()).chain(ends).map(|end| &path[..end]);
        let first = path.split('.').next().unwrap_or(path);
        let is_package = self.context.knowledge.package(first).is_some();
        dotted
            .filter(|name| name.contains('.'))
            .find(is_field)
            .or_else(|| (!is_package || is_field(&first)).then_some(first))
    }

    /// Comparisons with a release, decided where that is known.
    fn fix_releases(&self, condition: &Cond, release: usize) -> Cond {
        let at = self.at(release);
        condition.replace(&|atom| {
            let Atom::Release(package, order, version) = atom else { return None };
            let owner = self.context.knowledge.package(package).filter(|_| !self.versions.is_assumed())?;
            let actual = owner.versions().get(at.of(owner.name())?)?;
            let version = version.parse::<pep440_rs::Version>().ok()?;
            Some(Cond::Const(order.holds(actual, &version)))
        })
    }

    /// The value that a key ends up with in the release in effect, its default included.
    pub(in super::super) fn value_of(&self, name: &str) -> Option<Const> {
        let host = ReleaseHost::new(self.at(self.release), &[]).for_filled_fields();
        let given = self.configuration.get(name);
        match self.value(name, given, self.release, self.reading()?, Stage::Made, &host) {
            Value::Const(value) => Some(value),
            _ => None,
        }
    }

    /// The value of a key for a stage, `given` or not.
    fn value(
        &self,
        name: &str,
        given: Option<&Key>,
        release: usize,
        reading: Reading,
        stage: Stage,
        host: &ReleaseHost<'a>,
    ) -> Value {
        if given.is_none() && stage == Stage::Given && !self.configuration.is_open {
            return Value::Const(Const::None);
        }
        let Takes::Parameter(parameter) = self.field(name, release) else { return Value::Unknown };
        if stage == Stage::Checked {
            let mut implied = self.configuration.consumer.implied.iter().filter(|one| one.key == name);
            if let Some(one) = implied.find(|one| self.holds(&one.when, release, Stage::Made)) {
                return eval::expression(&one.value, host);
            }
        }
        match given {
            // A validator that runs before the types are looked at sees what the file has.
            Some(key) if stage == Stage::Given => read(key, &[], Reading::SafeYaml).unwrap_or(Value::Unknown),
            Some(key) => meant(parameter, read(key, &kind_of(parameter), reading).unwrap_or(Value::Unknown)),
            None if self.configuration.is_open => Value::Unknown,
            // What another package leaves open is often filled when the object is made.
            None if stage == Stage::Checked
                && parameter.default.as_deref() == Some("None")
                && !self.having(name).contains(release) =>
            {
                Value::Unknown
            }
            None if stage == Stage::Inherited && self.declares_in(name, release) => Value::Unknown,
            None => parameter.default.as_deref().map_or(Value::Unknown, |default| default_of(parameter, default, host)),
        }
    }

    /// The keys that a condition names and the configuration sets.
    pub(in super::super) fn named(&self, condition: &str, prefix: &str) -> Vec<&'a Key> {
        let mut keys: Vec<&Key> = Vec::new();
        let paths = paths(condition).into_iter();
        for name in paths.filter_map(|path| self.key_in(path, self.release, prefix)) {
            keys.extend(self.configuration.get(&format!("{prefix}{name}")));
        }
        keys.sort_by_key(|key| key.span);
        keys.dedup_by_key(|key| key.span);
        keys
    }
}

/// What a word of an enumeration is in the program.
fn meant(parameter: &Parameter, value: Value) -> Value {
    let Value::Const(Const::Str(word)) = &value else { return value };
    let at = parameter.choices.iter().position(|one| **one == **word);
    let value_of = at.and_then(|at| parameter.values.get(at));
    value_of.map_or(value, |text| Value::Const(Const::Str(text.as_str().into())))
}

/// The value of a default: `TrainerType.HF` is a member of an enumeration.
pub(super) fn default_of(parameter: &Parameter, default: &str, host: &ReleaseHost<'_>) -> Value {
    let member = default.rsplit_once('.').map(|(_, member)| member);
    let at = member.and_then(|member| parameter.choices.iter().position(|one| one == member));
    match at.and_then(|at| parameter.values.get(at)) {
        Some(text) => Value::Const(Const::Str(text.as_str().into())),
        None => eval::expression(default, host),
    }
}
