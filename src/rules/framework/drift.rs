//! What a change of release does to what a configuration leaves open: other defaults.

use std::collections::{BTreeMap, BTreeSet};

use super::super::migration::{Before, Drift, changed_in, is_same};
use super::checks::default_of;
use super::{Context, Reader, Stage, readers};
use crate::eval::{Const, Value};
use crate::knowledge::{Package, Parameter, Takes};
use crate::lower::{Analysis, Configuration, ReleaseHost, Releases, written_down};
use crate::model::Environment;
use crate::syntax::Format;

/// The defaults of what configurations leave open that were others in the environments that they had before.
pub(in super::super) fn drifts_of_configurations(
    analysis: &Analysis,
    context: &Context<'_>,
    before: &Before,
) -> Vec<Drift> {
    let mut found = Vec::new();
    for now in readers(analysis, context).filter(|now| !now.configuration.is_open) {
        let configuration = now.configuration;
        let key = (configuration.path.clone(), configuration.consumer.package.clone());
        let Some(environment) = before.configurations.get(&key) else { continue };
        let earlier = configured_in(configuration, environment);
        let Some(was) = Reader::new(&earlier, context) else { continue };
        // What nothing declares may be a framework of any day, from its repository.
        if !configuration.consumer.restores && !now.versions.is_assumed() && !was.versions.is_assumed() {
            found.extend(Change { now: &now, was: &was }.drifts(analysis));
        }
    }
    found
}

/// The same keys, read in another environment.
fn configured_in(configuration: &Configuration, environment: &Environment) -> Configuration {
    Configuration {
        consumer: configuration.consumer,
        path: configuration.path.clone(),
        keys: configuration.keys.clone(),
        is_open: configuration.is_open,
        environment: environment.clone(),
        launch: configuration.launch,
        variables: configuration.variables.clone(),
    }
}

/// A configuration, and the same one as it was read before.
struct Change<'r, 'a> {
    now: &'r Reader<'a>,
    was: &'r Reader<'r>,
}

impl<'a> Change<'_, 'a> {
    fn drifts(&self, analysis: &Analysis) -> Vec<Drift> {
        let now = self.now;
        let Some(span) = now.configuration.place() else { return Vec::new() };
        let format = analysis.written.document_at(span).map_or(Format::Shell, |(_, document)| document.format);
        let (fields, older) = (now.fields(), self.was.fields());
        let former = |path: &str| {
            let mut names = std::iter::once(path).chain(now.configuration.consumer.other_names(path));
            names.find_map(|name| older.get(name)).map(|(field, _)| *field)
        };
        // Most defaults are as they were: whether anything sets a key is asked of the others.
        let others = fields.iter().filter_map(|(path, (field, class))| {
            let former = former(path).filter(|former| former.default != field.default)?;
            Some((path, class, former, *field))
        });
        let mut others = others.peekable();
        if others.peek().is_none() {
            return Vec::new();
        }
        let has_words = now.configuration.keys.first().is_some_and(|key| key.on_command_line && !now.is_option(key));
        let apart: BTreeSet<String> = now.apart().chain(self.was.apart()).collect();
        let mut found: Vec<Drift> = Vec::new();
        for (path, class, former, field) in others {
            // A library may have another thing under a name that the framework has given up.
            let is_another = || now.declares(path) != self.was.declares(path);
            if apart.contains(path) || !now.leaves_open(path) || is_another() {
                continue;
            }
            let before = self.was.constant(former, self.was.release);
            let Some((before, after)) = before.zip(now.constant(field, now.release)) else { continue };
            if is_same(&before, &after) || self.is_filled_later(&before, &after) {
                continue;
            }
            let written = |value: &Const| {
                let text = written_down(format, path, value)?;
                // Words of a command line that have no dashes.
                let word = || text.trim_start_matches('-').replacen(' ', "=", 1);
                Some(if has_words { word() } else { text })
            };
            let written = written(&before).zip(written(&after));
            let Some((was, is)) = written else { continue };
            let since = self.since(path, class);
            found.push(Drift { span, owner: now.title(), parameter: path.clone(), before: was, after: is, since });
        }
        found
    }

    /// A framework often fills in what is `None` by itself: what that changes is not known.
    fn is_filled_later(&self, before: &Const, after: &Const) -> bool {
        let is_none = *before == Const::None || *after == Const::None;
        is_none && !self.now.context.knowledge.is_library(&self.now.configuration.consumer.package)
    }

    /// The release that changed a default, of the framework or of a library whose class it fills.
    fn since(&self, path: &str, class: &str) -> Option<String> {
        let name = path.rsplit('.').next().unwrap_or(path);
        let (now, own) = (self.now, self.now.versions.package);
        let by_own = || {
            let value = |release| now.constant(now.field_or_older(path, release)?, release);
            changed_in(own, self.was.release, now.release, &value)
        };
        let at = now.at(now.release);
        let environment = &now.configuration.environment;
        let by_other = |package: &'a Package| {
            let value = |release| {
                let releases = Releases::new(now.context.knowledge, environment, package, release);
                now.constant(releases.parameter(class, name)?, now.release)
            };
            let from = self.was.at(self.was.release).of(package.name())?;
            changed_in(package, from, at.of(package.name())?, &value)
        };
        let owner = now.context.knowledge.package(class.split('.').next().unwrap_or_default());
        let others = owner.into_iter().filter(|owner| owner.name() != own.name()).chain(at.outside_packages(class));
        by_own().or_else(|| others.into_iter().find_map(by_other))
    }
}

impl<'a> Reader<'a> {
    /// Whether nothing sets a key, under none of its names, and its value counts.
    fn leaves_open(&self, path: &str) -> bool {
        let configuration = self.configuration;
        let consumer = configuration.consumer;
        let is_given = |name: &str| configuration.get(name).is_some();
        // A word that begins the name, or takes it back.
        let is_short = |name: &str| path.starts_with(name) || name.strip_prefix("no_") == Some(path);
        let mut words = configuration.keys.iter().filter(|key| key.on_command_line);
        let (parent, last) = path.rsplit_once('.').unwrap_or(("", path));
        let is_prefixed = |name: &str| {
            let below = name.rsplit_once('.').filter(|(of, _)| *of == parent);
            below.is_some_and(|(_, word)| consumer.meant_below(parent, word) == Some(last))
        };
        let is_pointless =
            || consumer.pointless.iter().any(|one| one.key == path && self.holds(&one.when, self.release, Stage::Made));
        !is_given(path)
            && !consumer.other_names(path).any(is_given)
            && !words.any(|key| is_short(&key.name))
            && !configuration.keys.iter().any(|key| is_prefixed(&key.name))
            && !consumer.implied.iter().any(|one| one.key == path)
            && !self.is_unread(path)
            && !is_pointless()
    }

    /// The keys that count in another mode of the program only.
    pub(in super::super) fn apart(&self) -> impl Iterator<Item = String> {
        let at = self.at(self.release);
        let modes = self.configuration.consumer.modes.iter();
        let others = modes.filter(|mode| !self.holds(&mode.when, self.release, Stage::Made));
        others.flat_map(move |mode| {
            let fields = mode.classes.iter().filter_map(move |class| at.signature(class));
            let fields = fields.flat_map(|signature| signature.parameters.into_keys().map(str::to_owned));
            fields.chain(mode.keys.iter().cloned())
        })
    }

    /// The fields that keys may fill, by the paths of the keys, each with its class; of classes that are filled side by side the first
    /// one has the key.
    fn fields(&self) -> BTreeMap<String, (&'a Parameter, &'a str)> {
        let at = self.at(self.release);
        let mut fields = BTreeMap::new();
        for part in self.parts(self.release) {
            for (name, field) in at.signature(part.class).into_iter().flat_map(|signature| signature.parameters) {
                fields.entry(format!("{}{name}", part.prefix)).or_insert((field, part.class));
            }
        }
        fields
    }

    /// What a key fills, or what a key of another release with the same meaning does.
    fn field_or_older(&self, path: &str, release: usize) -> Option<&'a Parameter> {
        let fills = |name: &str| match self.field(name, release) {
            Takes::Parameter(found) => Some(found),
            _ => None,
        };
        fills(path).or_else(|| self.configuration.consumer.other_names(path).find_map(fills))
    }

    /// The default of a field.
    fn constant(&self, parameter: &Parameter, release: usize) -> Option<Const> {
        let host = ReleaseHost::new(self.at(release), &[]).for_filled_fields();
        match default_of(parameter, parameter.default.as_deref()?, &host) {
            Value::Const(value) => Some(value),
            _ => None,
        }
    }
}
