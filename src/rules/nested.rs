//! Configurations whose keys stand below keys: the fields of the classes that are filled hold classes themselves.

use super::framework::{Reader, Stage};
use super::misfit::Fate;
use crate::knowledge::{Package, Parameter, Pick, Reading, Resolution, Takes};
use crate::lower::configuration::{Key, Kind, held, kind_of};
use crate::source::did_you_mean;
use crate::syntax::{NodeKind, Scalar};

/// Classes below more fields than this are not asked.
const MAX_DEPTH: usize = 8;

/// An object that is made of a part of a configuration.
#[derive(Debug, Clone)]
pub(super) struct Part<'a> {
    /// What stands before its keys: `training.`.
    pub(super) prefix: String,
    /// Its class.
    pub(super) class: &'a str,
}

/// Where else something is that a release does not have under a name.
pub(super) struct Lacking {
    /// What other releases have under that name.
    pub(super) moved: Option<String>,
    /// What is called almost alike.
    pub(super) similar: Option<String>,
}

impl<'a> Reader<'a> {
    /// What a key that stands below others fills.
    pub(super) fn walk(&self, path: &str, release: usize) -> Takes<'a> {
        self.walks(path, release).into_iter().fold(Takes::Nothing, better)
    }

    /// The same for each of the classes that may be meant.
    pub(super) fn walks(&self, path: &str, release: usize) -> Vec<Takes<'a>> {
        let at = self.at(release);
        if let Some(component) = &self.configuration.consumer.component {
            return vec![self.beside_component(path, component, release)];
        }
        let mut classes: Vec<&str> = self.classes(release).iter().map(String::as_str).collect();
        let names: Vec<&str> = path.split('.').filter(|name| !is_number(name)).collect();
        for (depth, name) in names.iter().enumerate() {
            let mut takes: Vec<Takes<'a>> = classes.iter().map(|class| at.takes(class, name)).collect();
            if takes.iter().all(|one| *one == Takes::Nothing)
                && let Some(meant) = self.configuration.consumer.meant_below(&names[..depth].join("."), name)
            {
                takes = classes.iter().map(|class| at.takes(class, meant)).collect();
            }
            if depth + 1 == names.len() {
                return takes;
            }
            match takes.iter().copied().fold(Takes::Nothing, better) {
                Takes::Parameter(_) => {
                    let fields = takes.iter().filter_map(|one| match one {
                        Takes::Parameter(parameter) => Some(*parameter),
                        _ => None,
                    });
                    let fields: Vec<&Parameter> = fields.collect();
                    classes = fields.iter().flat_map(|field| self.held_at(depth, name, field, release)).collect();
                    if classes.is_empty() || fields.iter().any(|field| takes_mapping(field)) {
                        return vec![Takes::AnyKeyword];
                    }
                }
                // What is not there is reported itself.
                Takes::Nothing => return vec![Takes::Unknown],
                found => return vec![found],
            }
        }
        vec![Takes::Unknown]
    }

    /// The classes that a field holds, of which the configuration itself may decide for one.
    fn held_at(&self, depth: usize, name: &str, field: &'a Parameter, release: usize) -> Vec<&'a str> {
        let mut classes = held(field, self.versions.package);
        if depth == 0 && classes.len() > 1 {
            let mut picks = self.configuration.consumer.picks(name, self.versions.package, release);
            let is_it = |pick: &&Pick| self.holds(&pick.when, release, Stage::Given) && !self.has_item(pick);
            if let Some(pick) = picks.find(is_it) {
                classes.retain(|class| class.rsplit('.').next() == Some(&*pick.class));
            }
        }
        classes
    }

    /// Whether an item of the list is something else.
    fn has_item(&self, pick: &Pick) -> bool {
        let Some((key, word)) = &pick.without else { return false };
        let mut keys = self.configuration.keys.iter();
        keys.any(|one| {
            let below = one.name.strip_prefix(&*pick.key).and_then(|rest| rest.split_once('.')).map(|(_, rest)| rest);
            let of_item = below.and_then(|rest| rest.split_once('.')).map(|(_, rest)| rest);
            of_item == Some(key) && one.value.as_str() == Some(word)
        })
    }

    /// The fields beside a key.
    fn names_beside(&self, key: &str) -> Vec<&'a str> {
        let at = self.at(self.release);
        if let Some(component) = &self.configuration.consumer.component {
            let callable = self.component_of(key, component);
            if let Some(known) = callable.and_then(|callable| self.configuration.consumer.outside.get(callable)) {
                return known.iter().map(String::as_str).collect();
            }
            let signature = callable.and_then(|callable| at.signature(callable));
            return signature.into_iter().flat_map(|signature| signature.parameters.into_keys()).collect();
        }
        let classes = match key.rsplit_once('.') {
            None => self.classes(self.release).iter().map(String::as_str).collect(),
            Some((parent, _)) => match self.walk(parent, self.release) {
                Takes::Parameter(parameter) => held(parameter, self.versions.package),
                _ => Vec::new(),
            },
        };
        let signatures = classes.into_iter().filter_map(|class| at.signature(class));
        signatures.flat_map(|signature| signature.parameters.into_keys()).collect()
    }

    /// What is wrong with a key that stands below others, if anything. A new name is that beside the key.
    pub(super) fn nested_fate(&self, key: &Key) -> Option<Fate> {
        if self.walk(&key.name, self.release) != Takes::Nothing {
            return None;
        }
        let having = self.having(&key.name);
        let (_, last) = key.name.rsplit_once('.').unwrap_or(("", &key.name));
        let similar = || did_you_mean(last, self.names_beside(&key.name)).map(str::to_owned);
        match having.iter().next() {
            None => Some(Fate::Never(similar())),
            Some(_) if self.versions.is_assumed() => None,
            Some(oldest) if oldest < self.release => Some(Fate::Gone),
            Some(_) => Some(Fate::NotYet),
        }
    }

    /// What names the callable that a key is a parameter of.
    fn component_of(&self, path: &str, component: &str) -> Option<&'a str> {
        let (parent, name) = path.rsplit_once('.')?;
        let named = self.configuration.get(&format!("{parent}.{component}"))?.value.as_str();
        // `model=torchtune.models.x` on the command line names another one.
        let other = self.configuration.get(parent).filter(|key| key.on_command_line).and_then(|key| key.value.as_str());
        other.or(named).filter(|_| name != component)
    }

    /// What the callable that is named beside a key does with it.
    fn beside_component(&self, path: &str, component: &str, release: usize) -> Takes<'a> {
        let Some(named) = self.component_of(path, component) else { return Takes::Unknown };
        let name = path.rsplit('.').next().unwrap_or(path);
        match self.configuration.consumer.outside.get(named) {
            Some(known) if known.iter().any(|one| one == name) => Takes::AnyKeyword,
            Some(_) => Takes::Nothing,
            None => self.at(release).takes(named, name),
        }
    }

    /// Whether a release lacks what a full name means, and where it has what others have under that name.
    pub(super) fn lacks(&self, named: &str, release: usize) -> Option<Lacking> {
        let package = self.versions.package;
        let is_own = named.split('.').next() == Some(package.name());
        let ends = std::iter::once(named.len()).chain(named.rmatch_indices('.').map(|(at, _)| at));
        // The innermost name that says anything decides: what is private is not known, what hangs on a class neither.
        let decided =
            ends.map(|end| &named[..end]).find(|name| package.resolve(name, release) != Resolution::Unknown)?;
        let (module, name) = decided.rsplit_once('.').filter(|_| is_own)?;
        if package.resolve(decided, release) != Resolution::NotExported || name.starts_with('_') {
            return None;
        }
        let moved = package.relocated(named, release).map(|(module, name)| format!("{module}.{name}"));
        let here = package
            .definitions_in(module)
            .filter(|name| matches!(package.resolve(&format!("{module}.{name}"), release), Resolution::Definition(_)));
        let similar = did_you_mean(name, here).map(|name| format!("{module}.{name}"));
        let rest = &named[decided.len()..];
        Some(Lacking { moved, similar: similar.map(|similar| format!("{similar}{rest}")) })
    }

    /// The objects that a release makes: those of the classes that are filled, and of the fields that they hold.
    pub(super) fn parts(&self, release: usize) -> Vec<Part<'a>> {
        let classes = self.classes(release).iter();
        let mut parts: Vec<Part<'a>> = classes.map(|class| Part { prefix: String::new(), class }).collect();
        if !self.configuration.consumer.nested {
            return parts;
        }
        let at = self.at(release);
        let mut next = 0;
        while next < parts.len() {
            let part = parts[next].clone();
            next += 1;
            if part.prefix.matches('.').count() >= MAX_DEPTH {
                continue;
            }
            let Some(signature) = at.signature(part.class) else { continue };
            for (name, parameter) in signature.parameters {
                // One of several classes is not known to be the one that is made.
                let depth = part.prefix.matches('.').count();
                let [class] = self.held_at(depth, name, parameter, release)[..] else { continue };
                let path = format!("{}{name}", part.prefix);
                parts.extend(self.made(&path, parameter).into_iter().map(|prefix| Part { prefix, class }));
            }
        }
        parts
    }

    /// The prefixes of the objects that a field holds.
    fn made(&self, path: &str, parameter: &Parameter) -> Vec<String> {
        let given = self.configuration.get(path).map(|key| &key.value.target().kind);
        let is_made = parameter.default.as_deref().is_some_and(|default| default.ends_with("()"));
        match given {
            Some(NodeKind::List(items)) => {
                let is_map = |at: &usize| matches!(items[*at].value.target().kind, NodeKind::Map(_));
                (0..items.len()).filter(is_map).map(|at| format!("{path}.{at}.")).collect()
            }
            Some(NodeKind::Map(_)) => vec![format!("{path}.")],
            None if is_made && !is_list(parameter) => vec![format!("{path}.")],
            Some(_) | None => Vec::new(),
        }
    }

    /// Why a value of a tree of classes is none for its field, where the kinds of the field do not say it.
    pub(super) fn misplaced(&self, key: &Key, parameter: &Parameter) -> Option<String> {
        let annotation = parameter.annotation.as_deref()?;
        let is_optional = ["None", "Optional[", "Any"].iter().any(|word| annotation.contains(word));
        match key.value.scalar() {
            Some(Scalar::Null) if !is_optional => Some("it may not be `null`".to_owned()),
            Some(Scalar::Null) | None => None,
            // The kinds say it.
            Some(_) if self.reading() == Some(Reading::Pydantic) => None,
            Some(_) => {
                let is_whole = !annotation.contains(['[', '|']) || annotation.ends_with("| None");
                let holds = !held(parameter, self.versions.package).is_empty();
                (is_whole && holds).then(|| "it is a mapping".to_owned())
            }
        }
    }

    /// Keys that an object must get and does not.
    pub(super) fn missing_below(&self) -> Vec<String> {
        let at = self.at(self.release);
        let lacking = |part: &Part<'a>| {
            let signature = at.signature(part.class).into_iter();
            let required = signature.flat_map(|signature| {
                let is_required =
                    |parameter: &Parameter| matches!(parameter.default.as_deref(), None | Some("MISSING"));
                signature.parameters.into_iter().filter(move |(_, parameter)| is_required(parameter))
            });
            let names = required.map(|(name, _)| format!("{}{name}", part.prefix));
            names.filter(|name| self.configuration.get(name).is_none()).collect::<Vec<_>>()
        };
        self.parts(self.release).iter().flat_map(lacking).collect()
    }

    /// The checks of the objects that a release makes, each with what stands before its keys.
    pub(super) fn checks_below(&self, release: usize) -> Vec<(&'a crate::knowledge::Guard, Stage, String)> {
        let at = self.at(release);
        let below = self.parts(release).into_iter().filter(|part| !part.prefix.is_empty());
        let checks = below.flat_map(|part| {
            let guards = at.resolve(part.class).into_iter().flat_map(|(package, definition)| {
                let release = at.of(package.name()).unwrap_or_default();
                let given = package.checks_of_given(definition, release).into_iter();
                let made = package.guards(definition, release).into_iter().map(|guard| (guard, Stage::Made));
                made.chain(given.map(|guard| (guard, Stage::Given)))
            });
            guards.map(|(guard, stage)| (guard, stage, part.prefix.clone())).collect::<Vec<_>>()
        });
        checks.collect()
    }
}

/// What the annotation of a field says, where the classes that it holds are mappings to the one who writes them.
pub(super) fn kinds(parameter: &Parameter, package: &Package) -> Vec<Kind> {
    let mut classes = held(parameter, package);
    if classes.is_empty() || !parameter.choices.is_empty() {
        return kind_of(parameter);
    }
    // A name may begin with another one.
    classes.sort_by_key(|class| std::cmp::Reverse(class.len()));
    let annotation = parameter.annotation.as_deref().unwrap_or_default().to_owned();
    let annotation = classes.iter().fold(annotation, |text, class| text.replace(class, "dict"));
    kind_of(&Parameter { annotation: Some(annotation), ..Parameter::default() })
}

/// Whether a field takes any mapping, whatever classes it holds.
fn takes_mapping(parameter: &Parameter) -> bool {
    let annotation = parameter.annotation.as_deref().unwrap_or_default();
    let mut words = annotation.split(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '_' | '.'));
    words.any(|word| matches!(word, "dict" | "Dict" | "Any" | "Mapping" | "typing.Any"))
}

fn is_list(parameter: &Parameter) -> bool {
    parameter.annotation.as_deref().is_some_and(|annotation| annotation.contains("ist["))
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Of two classes that may be filled, what is known of a name.
fn better<'a>(known: Takes<'a>, next: Takes<'a>) -> Takes<'a> {
    match (known, next) {
        (Takes::Parameter(_), _) | (_, Takes::Nothing) => known,
        (_, Takes::Parameter(_)) | (Takes::Nothing, _) => next,
        (other, _) => other,
    }
}
