//! A call's arguments put into a condition over the parameters of what is called.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ask::Call;
use super::guards::names;
use crate::eval::{self, Atom, Cond, Order, Value};
use crate::knowledge::{CallableKind, Forward, Signature};
use crate::lower::ReleaseHost;

/// Releases with equal parameters and equal defaults of everything that a condition can ask about.
#[derive(Default)]
pub(super) struct Alike<'a> {
    /// The number of the group of each release that was asked about.
    groups: BTreeMap<usize, usize>,
    /// By group.
    seen: Vec<Facts<'a>>,
    /// What makes the configurations that the call gets.
    objects: Option<Vec<Arc<str>>>,
}

/// The parameters of the callee, and of what makes its arguments.
type Facts<'a> = (Option<Signature<'a>>, Vec<Option<Signature<'a>>>);

impl<'a> Call<'a> {
    /// A condition over parameters with the call's arguments put in, for one release.
    pub(super) fn condition(&self, condition: &str, release: usize) -> Option<Cond> {
        let key = (condition.to_owned(), self.alike(release));
        let known = self.conditions.borrow().get(&key).cloned();
        let found = known.unwrap_or_else(|| {
            let found = self.evaluate(condition, release);
            self.conditions.borrow_mut().insert(key, found.clone());
            found
        });
        Some(self.fix_releases(&found?, release))
    }

    /// The number of the group of releases that bind the call's arguments alike.
    fn alike(&self, release: usize) -> usize {
        let mut alike = self.alike.borrow_mut();
        if let Some(group) = alike.groups.get(&release) {
            return *group;
        }
        let releases = self.releases_with(release);
        let nested = || self.run.arguments().iter().flat_map(|given| super::report::objects(&given.value.value));
        let objects = alike.objects.get_or_insert_with(|| nested().map(|object| Arc::clone(&object.callee)).collect());
        let fields = objects.iter().map(|callee| releases.signature(callee)).collect();
        let facts = (self.signature(release).cloned(), fields);
        let group = alike.seen.iter().position(|known| *known == facts).unwrap_or_else(|| {
            alike.seen.push(facts);
            alike.seen.len() - 1
        });
        alike.groups.insert(release, group);
        group
    }

    fn evaluate(&self, condition: &str, release: usize) -> Option<Cond> {
        let signature = self.signature(release)?;
        let host = ReleaseHost::new(self.releases_with(release), &self.run.trace.flags).for_filled_fields();
        let Some(handed_on) = self.handed_on(release) else {
            let bindings = self.bindings(signature, condition, &host);
            return Some(eval::condition(condition, &bindings, &host));
        };
        // The condition speaks of the parameters of the base class.
        let asked: Vec<_> = handed_on.into_iter().filter(|one| names(condition, &one.parameter)).collect();
        let values: Vec<&str> = asked.iter().map(|one| one.value.as_str()).collect();
        let own = self.bindings(signature, &values.join(" "), &host);
        let value = |one: &'a Forward| (one.parameter.as_str(), eval::expression_with(&one.value, &own, &host));
        let bindings: Vec<(&str, Value)> = asked.into_iter().map(value).collect();
        Some(eval::condition(condition, &bindings, &host))
    }

    /// What the constructor hands on to the base class whose package is asked about; `None` where it is itself asked about, or
    /// the class is a dataclass, which hands on its fields.
    fn handed_on(&self, release: usize) -> Option<Vec<&'a Forward>> {
        if self.is_about_callee() {
            return None;
        }
        let releases = self.releases_with(release);
        let (owner, definition) = releases.resolve(self.callee())?;
        let release = releases.of(owner.name())?;
        let kind = owner.at(&owner.callable_at(definition, release)?.kind, release)?.kind;
        (kind == CallableKind::Class).then(|| owner.forwards(definition, release))
    }

    /// The value, in one release, of every parameter that is given or that a condition names.
    fn bindings(&self, signature: &Signature<'a>, condition: &str, host: &ReleaseHost<'_>) -> Vec<(&'a str, Value)> {
        let mut bindings: BTreeMap<&'a str, Value> = BTreeMap::new();
        let default_of = |name: &str| match signature.parameters.get(name).and_then(|known| known.default.as_deref()) {
            Some(default) if !self.run.call().open => eval::expression(default, host),
            _ => Value::Unknown,
        };
        let mut positional = signature.positional.iter();
        for argument in self.run.arguments() {
            let parameter = match &argument.name {
                None => positional.next().copied(),
                Some(name) => signature
                    .parameters
                    .get_key_value(&**name)
                    .map(|(known, parameter)| parameter.alias_of.as_deref().unwrap_or(known)),
            };
            let Some(parameter) = parameter else { continue };
            let default = || default_of(parameter);
            let value = if argument.when == Cond::TRUE {
                argument.value.value.clone()
            } else {
                argument.or_default(&default())
            };
            bindings.insert(parameter, ReleaseHost::as_library_object(&value));
        }
        for name in signature.parameters.keys().filter(|name| names(condition, name)) {
            bindings.entry(name).or_insert_with(|| default_of(name));
        }
        bindings.into_iter().collect()
    }

    /// Comparisons with a release, decided for one.
    pub(super) fn fix_releases(&self, condition: &Cond, release: usize) -> Cond {
        condition.replace(&|atom| {
            let Atom::Release(package, order, version) = atom else { return None };
            let version = version.parse::<pep440_rs::Version>().ok()?;
            let actual = if **package == *self.package.name() {
                self.package.versions().get(release)?
            } else {
                self.run.environment.packages.get(&**package)?.in_effect.as_ref()?
            };
            Some(Cond::Const(match order {
                Order::Less => *actual < version,
                Order::LessOrEqual => *actual <= version,
                Order::Greater => *actual > version,
                Order::GreaterOrEqual => *actual >= version,
            }))
        })
    }
}
