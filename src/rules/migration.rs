//! What a change of release does to calls that stay valid: parameters in another order, other defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Context;
use super::ask::Call;
use super::framework::drifts_of_configurations as of_configurations;
use crate::diagnostic::{Applicability, Confidence, Diagnostic, Fix, Label, Severity};
use crate::eval::{Argument, Cond, Const, Flag, Value};
use crate::knowledge::{Knowledge, Package, Signature};
use crate::lower::{Analysis, ReleaseHost, Releases, Script, library_class};
use crate::model::{Environment, Setting, Variant};
use crate::source::Span;
use crate::syntax::python_edit;

/// A default that is another one with the new release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The call, the parser or the configuration that leaves the parameter to its default.
    pub span: Span,
    /// What has it: `DPOConfig`, or a framework.
    pub owner: String,
    /// The parameter, or the path of the key.
    pub parameter: String,
    /// What it was, as one would write it down there: `max_length=512`, `cutoff_len: 1024`.
    pub before: String,
    /// What it is.
    pub after: String,
    /// The release that changed it, where that can be told: `trl 0.20.0`.
    pub since: Option<String>,
}

/// The environments that a project had before.
#[derive(Debug, Default)]
pub struct Before {
    /// Of its scripts, by path.
    pub scripts: BTreeMap<PathBuf, Environment>,
    /// Of its configurations, by path and package of the program that reads them.
    pub configurations: BTreeMap<(PathBuf, String), Environment>,
}

impl Before {
    /// What a project has now.
    pub fn of(analysis: &Analysis) -> Self {
        let scripts = analysis.scripts.iter().map(|script| (script.path.clone(), (*script.environment).clone()));
        let configurations = analysis.configurations.iter().map(|one| {
            let key = (one.path.clone(), one.consumer.package.clone());
            (key, one.environment.clone())
        });
        Self { scripts: scripts.collect(), configurations: configurations.collect() }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Environment> {
        self.scripts.values().chain(self.configurations.values())
    }
}

/// Calls with positional arguments whose parameters stand in another order in the releases that `target` tells: findings with
/// fixes, to be made while the releases that the calls were written for are in effect.
pub fn reordered(analysis: &Analysis, calls: &[Call<'_>], target: &dyn Fn(&str) -> Option<usize>) -> Vec<Diagnostic> {
    let found = calls.iter().filter(|call| call.is_about_callee()).filter_map(|call| {
        let named = misplaced(call, target(call.package.name())?)?;
        let module = analysis.modules.get(&named.first()?.0.file)?;
        let edits = python_edit::name_positional(module, &named).ok()?;
        let (span, name) = named[0];
        Some(Diagnostic {
            rule: "migrate",
            code: "",
            severity: Severity::Error,
            confidence: Confidence::High,
            message: format!("`{name}` of `{}` stands in another place", call.short_name()),
            primary: Label { span, message: String::new() },
            related: Vec::new(),
            notes: Vec::new(),
            help: None,
            versions: Vec::new(),
            fixes: vec![Fix {
                title: "pass positional arguments by name".to_owned(),
                applicability: Applicability::Unsafe,
                edits,
            }],
            follows: None,
        })
    });
    super::report::join(found.collect())
}

/// The positional arguments from the first one on that would reach another parameter, with the names of those they reach now.
fn misplaced<'a>(call: &Call<'a>, target: usize) -> Option<Vec<(Span, &'a str)>> {
    let now = call.signature(call.in_effect()?)?;
    let relocated = call.package.relocated(call.callee(), target);
    let elsewhere =
        relocated.and_then(|(module, name)| call.releases_with(target).signature(&format!("{module}.{name}")));
    let then = call.signature(target).or(elsewhere.as_ref()).unwrap_or(now);
    let positional: Vec<&Argument> = call.run.arguments().iter().filter(|argument| argument.name.is_none()).collect();
    if positional.iter().any(|argument| argument.unpacked.is_some() || argument.when != Cond::TRUE) {
        return None;
    }
    let names = now.positional.get(..positional.len())?;
    let first = names.iter().enumerate().position(|(at, name)| then.positional.get(at) != Some(name))?;
    let moving = positional.iter().zip(names).skip(first);
    Some(moving.map(|(argument, name)| (argument.span, *name)).collect())
}

/// The defaults of what the project constructs, lets a parser construct or configures, that were others in the environments that it
/// had before.
pub fn drifts(analysis: &Analysis, calls: &[Call<'_>], context: &Context<'_>, before: &Before) -> Vec<Drift> {
    // What parsers construct comes after, whole: it has defaults where nothing is set, too.
    let is_written = |call: &&Call<'_>| call.run.parsed.is_none() && !call.run.call().open;
    let calls = calls.iter().filter(|call| call.is_about_callee() && is_written(call));
    let of_calls = calls.flat_map(|call| {
        let before = before.scripts.get(&call.run.script);
        before.map(|before| of_call(call, before)).unwrap_or_default()
    });
    let scripts = analysis.scripts.iter().filter_map(|script| Some((script, before.scripts.get(&script.path)?)));
    let of_parsers = scripts.flat_map(|(script, before)| of_parsers(script, context.knowledge, before));
    of_calls.chain(of_parsers).chain(of_configurations(analysis, context, before)).collect()
}

/// Models whose reference is another one than in the environments that the scripts had before.
pub fn changed_references(calls: &[Call<'_>], before: &Before) -> Vec<Diagnostic> {
    let calls = calls.iter().filter(|call| call.is_about_callee());
    let changed =
        |call: &Call<'_>| super::adapter_reference_drift::changed(call, before.scripts.get(&call.run.script)?);
    calls.filter_map(changed).collect()
}

fn of_call(call: &Call<'_>, before: &Environment) -> Vec<Drift> {
    let Some(release) = call.in_effect() else { return Vec::new() };
    let Some(signature) = call.signature(release) else { return Vec::new() };
    let given = |name: &str| {
        let mut positional = signature.positional.iter();
        call.run.arguments().iter().any(|argument| match &argument.name {
            Some(given) => **given == *name,
            None => positional.next() == Some(&name),
        })
    };
    let was = Past { knowledge: call.knowledge, environment: before, callee: call.callee() };
    let now = call.releases_with(release);
    was.drifts(signature, &now, &call.run.trace.flags, call.run.call().object.span, &given)
}

/// What parsers of a script fill with the defaults of a library's class, where some way to start the script sets nothing.
fn of_parsers(script: &Script, knowledge: &Knowledge, before: &Environment) -> Vec<Drift> {
    let mut found = Vec::new();
    for (index, parser) in script.trace.parsers.iter().enumerate() {
        // A class of the project may have defaults of its own.
        for class in parser.classes.iter().filter(|class| matches!(class, Value::External(_))).filter_map(library_class)
        {
            let package = class.split('.').next().and_then(|root| knowledge.package(root));
            let Some(package) = package else { continue };
            let Some(release) = script.environment.in_effect(package) else { continue };
            let releases = Releases::new(knowledge, &script.environment, package, release);
            let Some(signature) = releases.signature(&class) else { continue };
            let is_it = |setting: &Setting, name: &str| {
                let flag = &script.trace.flags[setting.flag.0 as usize];
                flag.parser.0 as usize == index && *flag.name == *name
            };
            let sets = |variant: &Variant, name: &str| variant.settings.iter().any(|setting| is_it(setting, name));
            let given = |name: &str| script.variants.iter().all(|variant| variant.is_open || sets(variant, name));
            let was = Past { knowledge, environment: before, callee: &class };
            found.extend(was.drifts(&signature, &releases, &script.trace.flags, parser.span, &given));
        }
    }
    found
}

/// Whether two defaults ask for the same thing.
pub(super) fn is_same(before: &Const, after: &Const) -> bool {
    let is_nothing = |one: &Const| *one == Const::None || *one == Const::Str("".into());
    // What was switched on and off before there were words for it.
    let is_no = |one: &Const| *one == Const::Bool(false) || *one == Const::Str("no".into());
    before.equals(after) || is_nothing(before) && is_nothing(after) || is_no(before) && is_no(after)
}

/// What a class was in the releases that a script had before.
struct Past<'a> {
    knowledge: &'a Knowledge,
    environment: &'a Environment,
    callee: &'a str,
}

impl<'a> Past<'a> {
    /// The defaults of a class as it is now that were others; those that are `given` do not count.
    fn drifts(
        &self,
        signature: &Signature<'_>,
        now: &Releases<'a>,
        flags: &[Flag],
        span: Span,
        given: &dyn Fn(&str) -> bool,
    ) -> Vec<Drift> {
        let host = ReleaseHost::new(*now, flags);
        let constant = |text: &str| match crate::eval::expression(text, &host) {
            Value::Const(constant) => Some(constant),
            _ => None,
        };
        let left = signature.parameters.iter().filter(|(name, _)| !given(name));
        let changed = left.filter_map(|(name, parameter)| {
            let after = constant(parameter.default.as_deref()?)?;
            let before = constant(self.default(name)?)?;
            let default_at = |package: &'a Package, release: usize| {
                let releases = Releases::new(self.knowledge, now.environment(), package, release);
                constant(releases.parameter(self.callee, name)?.default.as_deref()?)
            };
            (!is_same(&before, &after)).then(|| Drift {
                span,
                owner: self.callee.rsplit('.').next().unwrap_or(self.callee).to_owned(),
                parameter: (*name).to_owned(),
                before: format!("{name}={before}"),
                after: format!("{name}={after}"),
                since: self.since(now, &default_at),
            })
        });
        changed.collect()
    }

    /// The release that changed a default, of the class's own package or of one whose class it derives from.
    fn since(&self, now: &Releases<'a>, default_at: &dyn Fn(&'a Package, usize) -> Option<Const>) -> Option<String> {
        let own = self.knowledge.package(self.callee.split('.').next()?)?;
        let packages = std::iter::once(own).chain(now.outside_packages(self.callee));
        packages.into_iter().find_map(|package| {
            let (from, to) = (self.environment.in_effect(package)?, now.of(package.name())?);
            changed_in(package, from, to, &|release| default_at(package, release))
        })
    }

    /// The default that a parameter had: of the class itself, else of the trainer it configures, which took the settings before
    /// there was a class for them, else of the plain training arguments.
    fn default(&self, parameter: &str) -> Option<&'a str> {
        let own = self.signature(self.callee);
        let is_config = self.callee.ends_with("Config");
        if own.is_some() || !is_config {
            return default_of(&own?, parameter);
        }
        let trainer = self.signature(&self.callee.replace("Config", "Trainer"));
        let plain = self.signature("transformers.TrainingArguments");
        trainer.and_then(|trainer| default_of(&trainer, parameter)).or_else(|| default_of(&plain?, parameter))
    }

    fn signature(&self, name: &str) -> Option<Signature<'a>> {
        let package = self.knowledge.package(name.split('.').next()?)?;
        let release = self.environment.in_effect(package)?;
        let releases = Releases::new(self.knowledge, self.environment, package, release);
        releases.signature(name).or_else(|| {
            let (_, short) = name.rsplit_once('.')?;
            releases.signature(&format!("{}.{short}", package.name()))
        })
    }
}

fn default_of<'a>(signature: &Signature<'a>, parameter: &str) -> Option<&'a str> {
    signature.parameters.get(parameter).and_then(|known| known.default.as_deref())
}

/// The release, of those between two, that changed a value; of several changes the last one on the way. What is not known of a
/// release is taken to be as before.
pub(super) fn changed_in(
    package: &Package,
    from: usize,
    to: usize,
    value_at: &dyn Fn(usize) -> Option<Const>,
) -> Option<String> {
    let mut changes = Vec::new();
    let mut known: Option<Const> = None;
    for release in from.min(to)..=from.max(to) {
        let Some(value) = value_at(release) else { continue };
        if known.as_ref().is_some_and(|known| !is_same(known, &value)) {
            changes.push(release);
        }
        known = Some(value);
    }
    let release = if from < to { changes.pop() } else { changes.first().copied() };
    release.map(|release| format!("{} {}", package.name(), package.brief()[release].version))
}
