//! A call's arguments put into a condition over the parameters of what is called.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::Call;
use super::guards::variables;
use crate::eval::{self, Atom, Cond, Value};
use crate::knowledge::{CallableKind, Forward, Parameter, Takes};
use crate::lower::ReleaseHost;

impl<'a> Call<'a> {
    /// A condition over parameters with the call's arguments put in, for one release.
    pub(super) fn condition(&self, condition: &str, release: usize) -> Option<Cond> {
        Some(self.fix_releases(&self.bound(condition, release)?, release))
    }

    /// The same, comparisons with releases left open.
    pub(super) fn bound(&self, condition: &str, release: usize) -> Option<Cond> {
        let known = self.conditions.borrow().get(&release).and_then(|known| known.get(condition).cloned());
        known.unwrap_or_else(|| {
            let found = self.evaluate(condition, release);
            let mut conditions = self.conditions.borrow_mut();
            conditions.entry(release).or_default().insert(condition.to_owned(), found.clone());
            found
        })
    }

    fn evaluate(&self, condition: &str, release: usize) -> Option<Cond> {
        self.resolve(release)?;
        let host = ReleaseHost::new(self.releases_with(release), &self.run.trace.flags).for_filled_fields();
        let Some(handed_on) = self.handed_on() else {
            let bindings = self.bindings(release, &variables(condition), &host);
            return Some(eval::condition(condition, &bindings, &host));
        };
        // The condition speaks of the parameters of the base class.
        let named = variables(condition);
        let asked: Vec<_> = handed_on.iter().filter(|one| named.contains(&*one.parameter)).collect();
        let values = asked.iter().flat_map(|one| variables(&one.value)).collect();
        let own = self.bindings(release, &values, &host);
        let value = |one: &&'a Forward| (one.parameter.as_str(), eval::expression_with(&one.value, &own, &host));
        let bindings: Vec<(&str, Value)> = asked.into_iter().map(value).collect();
        Some(eval::condition(condition, &bindings, &host))
    }

    /// What the constructor hands on to the base class whose package is asked about; `None` where it is itself asked about, or
    /// the class is a dataclass, which hands on its fields.
    pub(super) fn handed_on(&self) -> Option<&[&'a Forward]> {
        self.handed_on.get_or_init(|| self.find_handed_on()).as_deref()
    }

    fn find_handed_on(&self) -> Option<Vec<&'a Forward>> {
        if self.is_about_callee() {
            return None;
        }
        // Its own package is another one than that whose releases are asked about.
        let releases = self.releases_with(0);
        let (owner, definition) = releases.resolve(self.callee())?;
        let release = releases.of(owner.name())?;
        let kind = owner.at(&owner.callable_at(definition, release)?.kind, release)?.kind;
        (kind == CallableKind::Class).then(|| owner.forwards(definition, release))
    }

    /// The value, in one release, of every parameter that is named.
    fn bindings<'n>(&self, release: usize, named: &BTreeSet<&'n str>, host: &ReleaseHost<'_>) -> Vec<(&'n str, Value)>
    where
        'a: 'n,
    {
        let mut bindings: BTreeMap<&'n str, Value> = BTreeMap::new();
        let known = |name: &str| match self.takes(name, release) {
            Takes::Parameter(parameter) => Some(parameter),
            Takes::AnyKeyword | Takes::Nothing | Takes::Unknown => None,
        };
        let default_of = |parameter: Option<&Parameter>| match parameter.and_then(|known| known.default.as_deref()) {
            Some(default) if !self.run.call().open => eval::expression(default, host),
            _ => Value::Unknown,
        };
        let is_positional = self.run.arguments().iter().any(|argument| argument.name.is_none());
        let signature = is_positional.then(|| self.signature(release)).flatten();
        let mut positional = signature.map_or(&[][..], |signature| &signature.positional).iter();
        for (argument, takes) in self.run.arguments().iter().zip(self.given_takes(release)) {
            let parameter: Option<&'a str> = match (&argument.name, takes) {
                (None, _) => positional.next().copied(),
                (Some(name), Takes::Parameter(parameter)) => Some(parameter.alias_of.as_deref().unwrap_or(name)),
                (Some(_), _) => None,
            };
            let Some(parameter) = parameter.filter(|parameter| named.contains(parameter)) else { continue };
            let value = if argument.when == Cond::TRUE {
                argument.value.value.clone()
            } else {
                argument.or_default(&default_of(known(parameter)))
            };
            bindings.insert(parameter, ReleaseHost::as_library_object(&value));
        }
        for name in named {
            if let Some(parameter) = known(name).filter(|_| !bindings.contains_key(name)) {
                bindings.insert(name, default_of(Some(parameter)));
            }
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
            Some(Cond::Const(order.holds(actual, &version)))
        })
    }
}
