//! One configuration that a program reads, asked about the releases of that program.
//!
//! Where nothing declares the release, it is assumed, and users install frameworks from their repositories: only what is so in every
//! known release is said then.

mod checks;
mod drift;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) use drift::drifts_of_configurations;

use super::misfit::{Fate, Receiver};
use super::versions::Versions;
use super::{Context, RuleMeta};
use crate::diagnostic::{Applicability, Confidence, Diagnostic, Fix, Label, Severity};
use crate::knowledge::{Consumer, DataKind, Parameter, Reading, ReleaseSet, Takes};
use crate::lower::configuration::{Key, Kind, kind_of, kind_of_words, read};
use crate::lower::{Analysis, Configuration, Releases, fields};
use crate::source::{Span, did_you_mean};

/// A configuration and what is known of its program.
pub(super) struct Reader<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) versions: Versions<'a>,
    context: &'a Context<'a>,
    /// The release that counts.
    pub(super) release: usize,
}

/// What a check sees of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// What was given: the rest is `None`, whatever its default.
    Given,
    /// The object, defaults filled in.
    Made,
    /// The same, after classes of the framework itself have changed what they change.
    Inherited,
    /// All objects, after each has changed what it changes when it is made.
    Checked,
}

/// The configurations of a project whose programs are known, each once.
pub(super) fn readers<'a>(analysis: &'a Analysis, context: &'a Context<'a>) -> impl Iterator<Item = Reader<'a>> {
    analysis.configurations.iter().filter_map(|configuration| Reader::new(configuration, context))
}

impl<'a> Reader<'a> {
    fn new(configuration: &'a Configuration, context: &'a Context<'a>) -> Option<Self> {
        let consumer = configuration.consumer;
        let package = context.knowledge.package(&consumer.package)?;
        let versions = Versions::new(package, &configuration.environment);
        // A source that is no release may do anything.
        if !versions.facts.is_some_and(|facts| facts.known) {
            return None;
        }
        let is_other = |name: &String| configuration.variables.contains(name);
        let release = versions.in_effect()?;
        let is_foreign = |name: &String| configuration.get(name).is_some();
        let fills = consumer.component.is_some() || !consumer.classes(package, release).is_empty();
        let is_known = fills && !consumer.unless.iter().any(is_other) && !consumer.elsewhere.iter().any(is_foreign);
        is_known.then_some(Self { configuration, versions, context, release })
    }

    /// The classes that are filled.
    pub(super) fn classes(&self, release: usize) -> &'a [String] {
        self.configuration.consumer.classes(self.versions.package, release)
    }

    pub(super) fn at(&self, release: usize) -> Releases<'a> {
        Releases::new(self.context.knowledge, &self.configuration.environment, self.versions.package, release)
    }

    /// The field that a key fills, and whether the program's own package declares it.
    pub(super) fn field(&self, key: &str, release: usize) -> Takes<'a> {
        if self.configuration.consumer.nested {
            return self.walk(key, release);
        }
        let at = self.at(release);
        let takes = self.classes(release).iter().map(|class| at.takes(class, key));
        takes.fold(Takes::Nothing, |known, next| match (known, next) {
            (Takes::Parameter(_), _) | (_, Takes::Nothing) => known,
            (_, Takes::Parameter(_)) | (Takes::Nothing, _) => next,
            (other, _) => other,
        })
    }

    /// The parameter that a key fills.
    pub(super) fn parameter(&self, key: &str) -> Option<&'a Parameter> {
        match self.field(key, self.release) {
            Takes::Parameter(found) => Some(found),
            Takes::AnyKeyword | Takes::Nothing | Takes::Unknown => None,
        }
    }

    /// Every key that the release in effect has.
    fn names(&self) -> BTreeSet<&'a str> {
        let at = self.at(self.release);
        let signatures = self.classes(self.release).iter().filter_map(|class| at.signature(class));
        signatures.flat_map(|signature| signature.parameters.into_keys()).collect()
    }

    /// How a value is read.
    pub(super) fn reading(&self) -> Option<Reading> {
        self.configuration.consumer.reading(self.versions.package, self.release)
    }

    /// What is wrong with a key, if anything; `lacking` are releases without it.
    pub(super) fn fate(&self, key: &Key) -> Option<Fate> {
        let consumer = self.configuration.consumer;
        if consumer.nested && key.name.contains('.') {
            return self.nested_fate(key);
        }
        if consumer.is_apart(&key.name) || self.field(&key.name, self.release) != Takes::Nothing {
            return None;
        }
        // A word that begins a longer name is read as that name, by a parser with one spelling for each only where it is one name.
        let is_short = || {
            let mut longer = self.names().into_iter().filter(|name| name.starts_with(&*key.name));
            longer.next().is_some() && !(consumer.is_command_line() && longer.next().is_some())
        };
        let is_negated = || key.name.strip_prefix("no_").is_some_and(|name| self.parameter(name).is_some());
        if key.on_command_line && (is_short() || is_negated()) {
            return None;
        }
        let is_field = |class: &str| fields(class, self.context.knowledge).contains(&key.name);
        let mut ever = consumer.all_classes();
        if !ever.any(is_field) {
            let similar = did_you_mean(&key.name, self.names()).map(str::to_owned);
            let renamed = consumer.other_names(&key.name).find(|name| self.parameter(name).is_some());
            return Some(Fate::Never(renamed.map(str::to_owned).or(similar)));
        }
        if self.versions.is_assumed() {
            return None;
        }
        let renamed = consumer.other_names(&key.name).find(|name| self.parameter(name).is_some());
        if let Some(name) = renamed {
            return Some(Fate::Renamed(name.to_owned()));
        }
        let having = self.having(&key.name);
        match having.iter().next() {
            Some(oldest) if oldest < self.release => Some(Fate::Gone),
            Some(_) => Some(Fate::NotYet),
            None => self.outside_fate(&key.name),
        }
    }

    /// Whether another program of the package has a key in the release in effect.
    pub(super) fn is_key_of(&self, other: &Consumer, key: &str) -> bool {
        let at = self.at(self.release);
        let classes = other.classes(self.versions.package, self.release);
        other.is_apart(key) || classes.iter().any(|class| at.takes(class, key) != Takes::Nothing)
    }

    /// Kinds of data set that the release in effect does not know any more; where nothing declares that, no recent one does.
    pub(super) fn data_kinds(&self) -> impl Iterator<Item = &'static DataKind> {
        let package = self.versions.package;
        let releases: Vec<usize> =
            if self.versions.is_assumed() { self.recent().collect() } else { vec![self.release] };
        let kinds = self.configuration.consumer.data_kinds.iter();
        kinds.filter(move |kind| releases.iter().all(|release| kind.is_in(package, *release)))
    }

    /// The releases that users may still install from a repository of theirs: the newest ones, of the day that is asked about.
    pub(super) fn recent(&self) -> impl Iterator<Item = usize> + use<'a> {
        const FEW: usize = 6;
        let package = self.versions.package;
        let limit = self.configuration.environment.choice.as_of.as_deref();
        let is_early = move |release: &usize| {
            let day = package.brief()[*release].date.as_deref();
            limit.is_none_or(|limit| day.is_some_and(|day| day <= limit))
        };
        (0..package.brief().len()).rev().filter(is_early).take(FEW)
    }

    /// The releases in which the program's own package declares a key.
    pub(super) fn having(&self, key: &str) -> ReleaseSet {
        let package = self.versions.package;
        if self.configuration.consumer.nested {
            let is_there = |release: &usize| !matches!(self.walk(key, *release), Takes::Nothing | Takes::Unknown);
            return package.all().iter().filter(is_there).collect();
        }
        let declares = |release: &usize| {
            self.classes(*release).iter().any(|class| {
                let own = package.name();
                let is_own = self.context.knowledge.package(class.split('.').next().unwrap_or_default());
                is_own.is_some_and(|owner| owner.name() == own)
                    && matches!(self.at(*release).takes(class, key), Takes::Parameter(_))
            })
        };
        package.all().iter().filter(declares).collect()
    }

    /// Whether the program's own package declares a key in the release in effect, so that another package's class does not get it as it
    /// is.
    pub(super) fn declares(&self, key: &str) -> bool {
        self.declares_in(key, self.release)
    }

    fn declares_in(&self, key: &str, release: usize) -> bool {
        let at = self.at(release);
        self.classes(release).iter().any(|class| {
            let own = at.resolve(class).filter(|(package, _)| package.name() == self.versions.package.name());
            let signature = own.and_then(|(package, definition)| package.signature(definition, release));
            signature.is_some_and(|signature| signature.parameters.contains_key(key))
        })
    }

    /// What became of a field that comes from a class of another package.
    fn outside_fate(&self, key: &str) -> Option<Fate> {
        self.classes(self.release).iter().find_map(|class| {
            let class: Arc<str> = class.as_str().into();
            let receiver = Receiver::new(self.context.knowledge, &self.configuration.environment, &class);
            let fate = receiver.misfit(key)?.fate;
            (!matches!(fate, Fate::Never(_))).then_some(fate)
        })
    }

    /// Keys that must be given and are not.
    pub(super) fn missing(&self) -> Vec<String> {
        let configuration = self.configuration;
        if configuration.is_open || configuration.consumer.restores || self.versions.is_assumed() {
            return Vec::new();
        }
        if configuration.consumer.nested {
            return self.missing_below();
        }
        let at = self.at(self.release);
        let signatures = self.classes(self.release).iter().filter_map(|class| at.signature(class));
        let required = signatures.flat_map(|signature| {
            signature.parameters.into_iter().filter(|(_, parameter)| parameter.default.is_none()).map(|(name, _)| name)
        });
        required.filter(|name| configuration.get(name).is_none()).map(str::to_owned).collect()
    }

    /// What of a value cannot be read, and why.
    pub(super) fn misread(&self, key: &Key) -> Option<(String, Vec<Kind>)> {
        let parameter = self.parameter(&key.name)?;
        // `<your model>`, `{{ value }}`: to be filled in.
        if key.value.as_str().is_some_and(|word| word.contains(['<', '{', '$'])) {
            return None;
        }
        let kinds = self.kinds(key, parameter);
        let reason = self.refusal(key, self.release)?;
        // In other releases it may be of another kind.
        let is_there = |release: &usize| matches!(self.field(&key.name, *release), Takes::Parameter(_));
        let all = self.versions.package.all();
        let everywhere = || all.iter().filter(is_there).all(|release| self.refusal(key, release).is_some());
        let is_refused = !self.versions.is_assumed() || everywhere();
        is_refused.then_some((reason, kinds))
    }

    /// Why a release cannot read the value of a key, where all classes agree on that.
    fn refusal(&self, key: &Key, release: usize) -> Option<String> {
        let reading = self.reading()?;
        if self.is_unread_in(&key.name, release) {
            return None;
        }
        let is_tree = matches!(reading, Reading::Structured | Reading::Pydantic) && self.configuration.consumer.nested;
        let refused = |takes: Takes<'a>| {
            let Takes::Parameter(parameter) = takes else { return None };
            let misplaced = || self.misplaced(key, parameter).filter(|_| is_tree);
            read(key, &self.kinds(key, parameter), reading).err().or_else(misplaced)
        };
        if !self.configuration.consumer.nested {
            return refused(self.field(&key.name, release));
        }
        let reasons: Option<Vec<String>> = self.walks(&key.name, release).into_iter().map(refused).collect();
        reasons?.into_iter().next()
    }

    /// Whether nothing looks at the value of a key in the release in effect.
    pub(super) fn is_unread(&self, key: &str) -> bool {
        self.is_unread_in(key, self.release)
    }

    fn is_unread_in(&self, key: &str, release: usize) -> bool {
        self.configuration.consumer.is_unread(key, self.versions.package, release)
    }

    /// What a field holds, as the one who writes it sees it.
    fn kinds(&self, key: &Key, parameter: &Parameter) -> Vec<Kind> {
        if key.on_command_line && !parameter.words.is_empty() {
            kind_of_words(parameter)
        } else if self.configuration.consumer.nested && self.reading() == Some(Reading::Pydantic) {
            super::nested::kinds(parameter, self.versions.package)
        } else {
            kind_of(parameter)
        }
    }

    /// Whether a word is one of a key's values in a release that may be meant.
    pub(super) fn knows_word(&self, key: &str, word: &str) -> bool {
        let is_word = |kinds: Vec<Kind>| match &kinds[..] {
            [Kind::Choice(words)] => words.iter().any(|one| one == word),
            _ => true,
        };
        let knows = |release: usize| match self.field(key, release) {
            Takes::Parameter(parameter) => is_word(kind_of(parameter)),
            _ => false,
        };
        if self.versions.is_assumed() { self.versions.package.all().iter().any(knows) } else { knows(self.release) }
    }

    /// A key as it is written: an option of a command line with its dashes, a word of it (`beta=0.1`) and a key of a file without.
    pub(super) fn shown(&self, key: &Key) -> String {
        let is_option = self.is_option(key);
        if is_option { format!("--{}", key.name) } else { key.name.clone() }
    }

    /// Whether a key is an option of a command line.
    fn is_option(&self, key: &Key) -> bool {
        let starts_with_dash = || self.context.sources.get(key.span.file).slice(key.span).starts_with(['-', '"', '\'']);
        key.on_command_line && starts_with_dash()
    }

    /// A finding about the release in effect.
    pub(super) fn finding(&self, meta: &RuleMeta, severity: Severity, message: String, primary: Label) -> Diagnostic {
        let is_assumed = self.versions.is_assumed();
        let mut finding = Diagnostic {
            rule: meta.name,
            code: meta.code,
            severity: if is_assumed { severity.min(Severity::Warning) } else { severity },
            confidence: if is_assumed { Confidence::Medium } else { Confidence::High },
            message,
            primary,
            related: Vec::new(),
            notes: Vec::new(),
            help: None,
            versions: vec![self.versions.scope(&[self.release].into_iter().collect())],
            fixes: Vec::new(),
            follows: None,
        };
        self.versions.explain(&mut finding);
        finding
    }

    /// `LLaMA-Factory 0.9.3`.
    pub(super) fn title(&self) -> String {
        let version = &self.versions.package.brief()[self.release].version;
        format!("{} {version}", self.configuration.consumer.title)
    }
}

/// Leaves out findings at a place where the same is found already: a file may be named by several commands.
pub(super) fn push_new(found: &mut Vec<Diagnostic>, new: impl IntoIterator<Item = Diagnostic>) {
    for one in new {
        let is_same = |known: &Diagnostic| known.primary.span == one.primary.span && known.message == one.message;
        if !found.iter().any(is_same) {
            found.push(one);
        }
    }
}

/// Adds what is found in each of several configurations, each thing once.
pub(super) fn push_of_each<T, F: IntoIterator<Item = Diagnostic>>(
    found: &mut Vec<Diagnostic>,
    configurations: impl Iterator<Item = T>,
    check: impl Fn(&T) -> F,
) {
    configurations.for_each(|one| push_new(found, check(&one)));
}

/// The fix that takes a key away, where that can be done without changing more.
pub(super) fn removed(analysis: &Analysis, place: Span, name: &str, applicability: Applicability) -> Option<Fix> {
    let edits = vec![analysis.written.remove_at(place)?];
    Some(Fix { title: format!("remove `{name}`"), applicability, edits })
}

/// A label.
pub(super) fn label(span: Span, message: impl Into<String>) -> Label {
    Label { span, message: message.into() }
}
