//! Releases that say the same about a call: one of them is asked, and the answer is that of all.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::ask::Call;
use super::guards::words;
use crate::eval::{FlagId, FlagOwner};
use crate::knowledge::{Alike, Aspect, ReleaseSet};

/// What was found out about one call.
#[derive(Default)]
pub(super) struct Runs {
    /// The callee and what makes the configurations that it gets.
    names: OnceCell<Vec<Arc<str>>>,
    whole: OnceCell<Alike>,
    arguments: OnceCell<Alike>,
    /// By condition.
    conditions: RefCell<HashMap<String, Rc<Alike>>>,
    /// By fields of library classes that are flags.
    flags: RefCell<HashMap<Vec<FlagId>, Rc<Alike>>>,
}

impl Call<'_> {
    /// Releases that say the same in every way.
    pub(super) fn alike(&self) -> &Alike {
        self.runs.whole.get_or_init(|| self.find_alike(self.names(), Aspect::Whole))
    }

    /// Releases that say the same about the arguments that are given.
    pub(super) fn alike_for_arguments(&self) -> &Alike {
        self.runs.arguments.get_or_init(|| self.alike_about(&self.given()))
    }

    /// Releases that say the same about what a condition asks.
    pub(super) fn alike_for(&self, condition: &str) -> Rc<Alike> {
        if let Some(known) = self.runs.conditions.borrow().get(condition) {
            return Rc::clone(known);
        }
        let mut asked = words(condition);
        let handed_on = self.handed_on().unwrap_or_default();
        let handed_on = handed_on.iter().filter(|one| asked.contains(&*one.parameter));
        let values: Vec<&str> = handed_on.map(|one| one.value.as_str()).collect();
        asked.extend(values.into_iter().flat_map(words));
        asked.extend(self.given());
        let alike = Rc::new(self.alike_about(&asked));
        self.runs.conditions.borrow_mut().insert(condition.to_owned(), Rc::clone(&alike));
        alike
    }

    /// Releases that say the same about fields of library classes that are flags.
    pub(super) fn alike_for_flags(&self, flags: Vec<FlagId>) -> Rc<Alike> {
        if let Some(known) = self.runs.flags.borrow().get(&flags) {
            return Rc::clone(known);
        }
        let fields: Vec<(&Arc<str>, &str)> = flags
            .iter()
            .filter_map(|id| match &self.run.flag(*id).owner {
                FlagOwner::External(class) => Some((class, &*self.run.flag(*id).name)),
                _ => None,
            })
            .collect();
        let names = fields.iter().map(|(_, name)| *name).collect();
        let classes: Vec<Arc<str>> = fields.iter().map(|(class, _)| Arc::clone(class)).collect();
        let alike = Rc::new(self.find_alike(&classes, Aspect::Parameters(&names)));
        self.runs.flags.borrow_mut().insert(flags, Rc::clone(&alike));
        alike
    }

    /// Those of some releases that take the arguments, so that their checks are met, in sets that say the same.
    pub(super) fn runs(&self, releases: &ReleaseSet) -> Vec<ReleaseSet> {
        let judged: ReleaseSet = self.judged().into_iter().collect();
        let comes_far = |run: ReleaseSet| {
            let takes_all = run.iter().next().is_none_or(|release| self.unknown_arguments(release).is_empty());
            if takes_all { run } else { &run & &judged }
        };
        let runs = self.alike().cut(releases).into_iter().map(comes_far);
        runs.filter(|run| !run.is_empty()).collect()
    }

    /// The names of the arguments that are given.
    fn given(&self) -> BTreeSet<&str> {
        self.run.arguments().iter().filter_map(|argument| argument.name.as_deref()).collect()
    }

    fn names(&self) -> &[Arc<str>] {
        self.runs.names.get_or_init(|| {
            let callee = Arc::clone(&self.run.call().object.callee);
            let objects = self.run.arguments().iter().flat_map(|given| super::report::objects(&given.value.value));
            std::iter::once(callee).chain(objects.map(|object| Arc::clone(&object.callee))).collect()
        })
    }

    fn alike_about(&self, parameters: &BTreeSet<&str>) -> Alike {
        let is_positional = self.run.arguments().iter().any(|argument| argument.name.is_none());
        let aspect = if is_positional { Aspect::Positions(parameters) } else { Aspect::Parameters(parameters) };
        self.find_alike(self.names(), aspect)
    }

    fn find_alike(&self, names: &[Arc<str>], aspect: Aspect<'_>) -> Alike {
        // Of the package that is asked about no release is in effect: all of them are told apart.
        let in_effect = |package: &str| self.releases_with(0).of(package);
        self.knowledge.alike(self.package, names.iter().map(|name| &**name), aspect, &in_effect)
    }
}
