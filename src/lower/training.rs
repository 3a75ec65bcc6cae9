//! What a training run sets, for one way of starting its script and the releases in effect.
//!
//! Rules ask what holds whatever is unknown. Who wants to train the run needs the one value that holds, and where it is set.

use std::sync::Arc;

use super::{Analysis, ReleaseHost, Releases};
use crate::eval::{
    self, Assignment, Atom, Cond, Const, Flag, FlagId, FlagOwner, Object, Order, Root, Symbol, Tri, Value,
};
use crate::knowledge::{Knowledge, Takes};
use crate::model::{LibraryCall, Variant};
use crate::source::Span;

/// A call that builds a trainer, started in one way.
#[derive(Clone, Copy)]
pub struct TrainingRun<'a> {
    /// The call.
    pub call: &'a LibraryCall,
    /// How its script is started.
    pub variant: &'a Variant,
    /// The releases in effect.
    pub releases: Releases<'a>,
    /// The same of the trainer's own package.
    pub release: usize,
}

/// A value as far as it can be told.
#[derive(Debug, Clone)]
pub enum Told {
    /// A constant.
    Const(Const),
    /// A list, tuple or set.
    List(Vec<Told>),
    /// A dictionary whose keys are all known.
    Dict(Vec<(Const, Told)>),
    /// Something of a library, by its full name: `peft.TaskType.CAUSAL_LM`.
    Name(Arc<str>),
    /// What a call of something outside the project returned.
    Object(Arc<Object>),
    /// It depends on what is not known.
    Unknown,
}

/// A setting that holds.
#[derive(Debug, Clone)]
pub struct Held {
    /// The value.
    pub value: Told,
    /// Where it is set; `None`: nothing sets it, and the release has this default.
    pub origin: Option<Span>,
}

/// An object that configures a run: a `DPOConfig`, a `LoraConfig`, the trainer's call itself.
#[derive(Clone)]
pub struct Options<'a> {
    run: TrainingRun<'a>,
    object: Arc<Object>,
}

impl<'a> TrainingRun<'a> {
    /// Every run of an analysis that builds a trainer of this class name, in the order of scripts.
    pub fn all(analysis: &'a Analysis, knowledge: &'a Knowledge, trainer: &str) -> Vec<Self> {
        let is_meant = |call: &&LibraryCall| {
            call.trains && call.call().object.callee.rsplit('.').next() == Some(trainer) && !call.call().uncalled
        };
        let runs = analysis.calls.iter().filter(is_meant);
        runs.flat_map(|call| call.variants.iter().filter_map(|variant| Self::of(call, variant, knowledge))).collect()
    }

    /// A call that builds a trainer, started in one way; `None` where it is not reached then, or no release is in effect.
    pub fn of(call: &'a LibraryCall, variant: &'a Variant, knowledge: &'a Knowledge) -> Option<Self> {
        let package = knowledge.package(call.call().object.callee.split('.').next().unwrap_or_default())?;
        let release = call.environment.in_effect(package)?;
        let releases = Releases::new(knowledge, &call.environment, package, release);
        let run = Self { call, variant, releases, release };
        run.is_reached().then_some(run)
    }

    /// Whether the trainer is built at all when the script is started in this way.
    fn is_reached(&self) -> bool {
        self.holds(&self.call.call().when) != Tri::No
    }

    /// The arguments of the trainer.
    pub fn arguments(&self) -> Options<'a> {
        Options { run: *self, object: Arc::clone(&self.call.call().object) }
    }

    /// What an object sets; `None` where the value is no object of a library.
    pub fn options(&self, value: &Told) -> Option<Options<'a>> {
        match value {
            Told::Object(object) => Some(Options { run: *self, object: Arc::clone(object) }),
            _ => None,
        }
    }

    /// Whether a condition holds when the script is started in this way.
    pub fn holds(&self, condition: &Cond) -> Tri {
        let fixed = condition.replace(&|atom| self.release_holds(atom));
        let mut known = Assignment::new();
        for symbol in fixed.atoms().into_iter().filter_map(Atom::subject) {
            if let Told::Const(constant) = self.symbol(symbol) {
                known.insert(Arc::clone(symbol), constant);
            }
        }
        fixed.assign(&known).verdict()
    }

    fn release_holds(&self, atom: &Atom) -> Option<Cond> {
        let Atom::Release(package, order, version) = atom else { return None };
        let version = version.parse::<pep440_rs::Version>().ok()?;
        let actual = self.call.environment.packages.get(&**package)?.in_effect.as_ref()?;
        Some(Cond::Const(match order {
            Order::Less => *actual < version,
            Order::LessOrEqual => *actual <= version,
            Order::Greater => *actual > version,
            Order::GreaterOrEqual => *actual >= version,
        }))
    }

    /// The value of something in the script.
    pub fn told(&self, value: &Value) -> Told {
        match value {
            Value::Const(constant) => Told::Const(constant.clone()),
            Value::Symbol(symbol) => self.symbol(symbol),
            Value::List(items) => Told::List(items.iter().map(|item| self.told(&item.value)).collect()),
            Value::Dict(dict) if !dict.open && dict.maybe.is_empty() => {
                let entry =
                    |(key, value, _): &(Const, eval::Traced, Option<Span>)| (key.clone(), self.told(&value.value));
                Told::Dict(dict.entries.iter().map(entry).collect())
            }
            Value::External(name) => Told::Name(Arc::clone(name)),
            Value::Object(object) => Told::Object(Arc::clone(object)),
            Value::Instance(_) => match ReleaseHost::as_library_object(value) {
                Value::Object(object) => Told::Object(object),
                _ => Told::Unknown,
            },
            Value::Choice(_) => self.chosen(&value.alternatives()),
            _ => Told::Unknown,
        }
    }

    /// The texts that a value consists of, each with the place that sets it: those of a list, or of the entries of a dictionary, `part`
    /// of them if it is known. `None` where there may be others.
    pub fn texts(&self, value: &Value, part: Option<&str>) -> Option<Vec<(Arc<str>, Span)>> {
        match value {
            Value::Symbol(symbol) if symbol.path.is_empty() => {
                let Root::Flag(id) = symbol.root else { return None };
                let held = self.flag(id);
                let is_known = self.variant.setting(id).is_some() || !self.variant.is_open;
                let place = held.origin.filter(|_| is_known)?;
                let text = |told: Told| match told {
                    Told::Const(Const::Str(text)) => Some((text, place)),
                    _ => None,
                };
                match held.value {
                    Told::List(items) => items.into_iter().map(text).collect(),
                    one => Some(vec![text(one)?]),
                }
            }
            Value::List(items) => {
                let texts: Option<Vec<_>> = items.iter().map(|item| self.texts(&item.value, None)).collect();
                Some(texts?.into_iter().flatten().collect())
            }
            Value::Dict(dict) if !dict.open => {
                let mut texts = Vec::new();
                for (key, value, _) in &dict.entries {
                    let is_taken = part.is_none_or(|part| *key == Const::Str(part.into()));
                    let holds = dict.maybe.get(key).map_or(Tri::Yes, |when| self.holds(when));
                    match holds {
                        _ if !is_taken => {}
                        Tri::Yes => texts.extend(self.texts(&value.value, None)?),
                        Tri::No => {}
                        Tri::Maybe => return None,
                    }
                }
                Some(texts)
            }
            Value::Choice(_) => {
                let alternatives = value.alternatives();
                let (_, one) = alternatives.iter().find(|(when, _)| self.holds(when) == Tri::Yes)?;
                self.texts(one, part)
            }
            _ => None,
        }
    }

    fn chosen(&self, alternatives: &[(Cond, Value)]) -> Told {
        let open: Vec<(Tri, &Value)> = alternatives
            .iter()
            .map(|(when, value)| (self.holds(when), value))
            .filter(|(holds, _)| *holds != Tri::No)
            .collect();
        match open.as_slice() {
            [(_, only)] => self.told(only),
            several => several
                .iter()
                .find(|(holds, _)| *holds == Tri::Yes)
                .map_or(Told::Unknown, |(_, value)| self.told(value)),
        }
    }

    fn symbol(&self, symbol: &Symbol) -> Told {
        let Root::Flag(id) = symbol.root else { return Told::Unknown };
        symbol.path.iter().fold(self.flag(id).value, |value, step| self.after(&value, step))
    }

    /// A step of a symbol's path, taken with the value before it.
    fn after(&self, value: &Told, step: &str) -> Told {
        let Told::Const(constant) = value else { return Told::Unknown };
        let text = match constant {
            Const::Str(text) => Some(text),
            _ => None,
        };
        let argument =
            |name: &str| Some(step.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?.trim_matches(['\'', '"']));
        if let (Some(text), Some(by)) = (text, argument("split")) {
            return Told::List(text.split(by).map(|part| Told::Const(Const::Str(part.into()))).collect());
        }
        match (step, text, step.strip_prefix("+ ")) {
            ("lower()" | "casefold()", Some(text), _) => Told::Const(Const::Str(text.to_lowercase().into())),
            ("upper()", Some(text), _) => Told::Const(Const::Str(text.to_uppercase().into())),
            ("strip()", Some(text), _) => Told::Const(Const::Str(text.trim().into())),
            (_, None, Some(other)) => self.sum(constant, other),
            _ => Told::Unknown,
        }
    }

    fn sum(&self, left: &Const, written: &str) -> Told {
        let right = match written.strip_prefix("flag#").map(str::parse) {
            Some(Ok(id)) => self.flag(FlagId(id)).value,
            _ => Told::Const(written.parse().map_or(Const::None, Const::Int)),
        };
        match (left, right) {
            (Const::Int(left), Told::Const(Const::Int(right))) => Told::Const(Const::Int(left.saturating_add(right))),
            _ => Told::Unknown,
        }
    }

    /// What fills a flag: the launch line, the argument file, the default of its declaration or of its class.
    pub fn flag(&self, id: FlagId) -> Held {
        let flag = self.call.flag(id);
        if let Some(setting) = self.variant.setting(id) {
            let items =
                setting.items.as_ref().map(|items| Told::List(items.iter().cloned().map(Told::Const).collect()));
            let value = items.or_else(|| setting.value.clone().map(Told::Const)).unwrap_or(Told::Unknown);
            return Held { value, origin: Some(setting.origin) };
        }
        match (&flag.default, &flag.owner) {
            (Value::Unknown, FlagOwner::External(class)) => {
                Held { value: self.default(class, &flag.name).unwrap_or(Told::Unknown), origin: None }
            }
            (Value::Unknown, _) => Held { value: Told::Unknown, origin: flag.declared },
            (default, _) => Held { value: self.told(default), origin: flag.declared },
        }
    }

    /// The default of a parameter in the releases in effect; `None` where they have no such parameter.
    fn default(&self, callee: &str, name: &str) -> Option<Told> {
        let default = self.releases.parameter(callee, name)?.default.as_deref();
        let host = ReleaseHost::new(self.releases, &self.call.trace.flags);
        let Some(default) = default else { return Some(Told::Unknown) };
        // Members of enumerations and constants of the module have no value that is mined; their names tell.
        let is_name = default.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '.'));
        Some(match self.told(&eval::expression(default, &host)) {
            Told::Unknown if is_name => Told::Name(default.into()),
            told => told,
        })
    }
}

impl<'a> Options<'a> {
    /// The full name of what makes it: `trl.DPOConfig`.
    pub fn callee(&self) -> &str {
        &self.object.callee
    }

    /// Where it is made.
    pub fn span(&self) -> Span {
        self.object.span
    }

    /// Whether a parser fills it from the command line or a file.
    pub fn is_parsed(&self) -> bool {
        self.object.parsed.is_some()
    }

    /// Whether the releases in effect have a parameter of this name.
    pub fn has(&self, name: &str) -> bool {
        self.run.releases.parameter(self.callee(), name).is_some()
    }

    /// The value of a parameter; `None` where the releases in effect have none of this name.
    pub fn get(&self, name: &str) -> Option<Held> {
        self.given(name).or_else(|| Some(Held { value: self.run.default(self.callee(), name)?, origin: None }))
    }

    /// The call of a function that made the object and is known for what it returns: `get_peft_config(model_args)`.
    pub fn maker(&self) -> Option<Options<'a>> {
        let is_maker = |event: &&eval::CallEvent| event.object.span == self.span() && event.object.id != self.object.id;
        let event = self.run.call.trace.calls.iter().rev().find(is_maker)?;
        Some(Options { run: self.run, object: Arc::clone(&event.object) })
    }

    /// The argument at a position, or of a name.
    pub fn argument(&self, name: &str) -> Option<Held> {
        self.given(name).or_else(|| {
            let signature = self.run.releases.signature(self.callee())?;
            let position = signature.positional.iter().position(|parameter| *parameter == name)?;
            let argument = self.object.args.iter().filter(|argument| argument.name.is_none()).nth(position)?;
            Some(Held { value: self.run.told(&argument.value.value), origin: Some(argument.span) })
        })
    }

    /// An argument that is written, whether the releases in effect have it or not.
    pub fn any_argument(&self, name: &str) -> Option<Held> {
        let argument =
            self.object.args.iter().find(|argument| argument.name.as_deref() == Some(name)).or_else(|| {
                let only = self.object.args.first().filter(|argument| argument.name.is_none());
                only.filter(|argument| matches!(self.run.told(&argument.value.value), Told::Object(_)))
            })?;
        Some(Held { value: self.run.told(&argument.value.value), origin: Some(argument.span) })
    }

    /// The first argument, if it is given by position.
    pub fn first(&self) -> Option<Held> {
        let argument = self.object.args.first().filter(|argument| argument.name.is_none())?;
        Some(Held { value: self.run.told(&argument.value.value), origin: Some(argument.span) })
    }

    fn given(&self, name: &str) -> Option<Held> {
        if let Some((_, value)) = self.object.stored.iter().rev().find(|(stored, _)| &**stored == name) {
            return Some(Held { value: self.run.told(value), origin: Some(self.span()) });
        }
        let argument = self.object.args.iter().find(|argument| {
            let given = argument.name.as_deref();
            given == Some(name) || given.is_some_and(|given| self.alias(given) == Some(name))
        });
        if let Some(argument) = argument.filter(|argument| self.run.holds(&argument.when) != Tri::No) {
            return Some(Held { value: self.run.told(&argument.value.value), origin: Some(argument.span) });
        }
        let parser = self.object.parsed.filter(|_| self.has(name))?;
        let is_meant = |flag: &Flag| flag.parser == parser && &*flag.name == name;
        let index = self.run.call.trace.flags.iter().position(is_meant)?;
        Some(self.run.flag(FlagId(index as u32)))
    }

    /// The parameter that an argument stands for, where it is an old name.
    fn alias(&self, given: &str) -> Option<&'a str> {
        match self.run.releases.takes(&self.object.callee, given) {
            Takes::Parameter(parameter) => parameter.alias_of.as_deref(),
            Takes::AnyKeyword | Takes::Nothing | Takes::Unknown => None,
        }
    }

    /// Everything that is set, by name; each may be set again in another place, which [`Self::get`] knows.
    pub fn names_set(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut add = |name: &str| {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        };
        self.object.args.iter().filter_map(|argument| argument.name.as_deref()).for_each(&mut add);
        self.object.stored.iter().for_each(|(name, _)| add(name));
        if let Some(parser) = self.object.parsed {
            let set = self.run.variant.settings.iter().map(|setting| self.run.call.flag(setting.flag));
            let own = set.filter(|flag| flag.parser == parser && self.has(&flag.name));
            own.for_each(|flag| add(&flag.name));
        }
        names
    }

    /// The default that a parameter would have.
    pub fn default(&self, name: &str) -> Option<Told> {
        self.run.default(self.callee(), name)
    }
}

impl Told {
    /// Whether it is `None`.
    pub fn is_none(&self) -> bool {
        matches!(self, Told::Const(Const::None))
    }

    /// Whether both are certainly the same.
    pub fn is_same(&self, other: &Told) -> bool {
        match (self, other) {
            (Told::Const(one), Told::Const(other)) => one.equals(other),
            (Told::List(ones), Told::List(others)) => {
                ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| one.is_same(other))
            }
            (Told::Name(one), Told::Name(other)) => one == other,
            _ => false,
        }
    }
}
