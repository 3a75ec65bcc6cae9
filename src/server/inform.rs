//! Texts about arguments: what each release does with one, and the values that it may have.

use std::fmt::Write as _;

use crate::knowledge::{Knowledge, Parameter};
use crate::lower::configuration::{Kind, kind_of};
use crate::lower::{Doing, Releases, Timeline};
use crate::model::Environment;

/// Checks that a hover names; more would bury the rest.
const SHOWN: usize = 3;

/// What releases do with an argument, as Markdown; nothing where no release is known to have it.
pub(super) fn argument(
    callee: &str,
    argument: &str,
    timelines: &[Timeline<'_>],
    environment: &Environment,
    knowledge: &Knowledge,
) -> Option<String> {
    timelines.iter().any(Timeline::is_known).then_some(())?;
    let short = callee.rsplit('.').next().unwrap_or(callee);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match annotation(timelines) {
        Some(annotation) => writeln!(text, "`{argument}: {annotation}` of `{short}`"),
        None => writeln!(text, "`{argument}` of `{short}`"),
    };
    for timeline in timelines {
        let package = timeline.package;
        let version = |release: usize| &package.brief()[release].version;
        if let (Some(release), Some(now)) = (timeline.in_effect, timeline.now()) {
            let _ = write!(text, "\n**{} {}** {}", package.name(), version(release), does(now));
            let facts = environment.package(package.name());
            let _ = writeln!(text, "{}", facts.map_or(String::new(), |facts| format!(" ({})", reason(facts))));
        }
        // Releases before the callable was there say nothing.
        let mut spans = timeline.spans.iter().filter(|(_, doing)| *doing != Doing::Absent).peekable();
        if spans.peek().is_some() {
            text.push('\n');
        }
        for (releases, doing) in spans {
            let releases = package.intervals(releases).join(", ");
            let _ = writeln!(text, "- {} {releases}: {}", package.name(), does(*doing));
        }
    }
    if timelines.iter().all(|timeline| timeline.now() != Some(Doing::Refuses)) {
        for line in checks(callee, argument, environment, knowledge) {
            let _ = write!(text, "\n{line}\n");
        }
    }
    Some(text)
}

fn reason(facts: &crate::model::PackageFacts) -> String {
    let text = facts.describe_briefly();
    // `trl 0.12.2 is in effect: pinned` says the release once more.
    text.split_once(": ").map_or(text.clone(), |(_, reason)| reason.to_owned())
}

/// The annotation in the release in effect, else in the newest one that has the argument.
fn annotation(timelines: &[Timeline<'_>]) -> Option<String> {
    let parameter = |doing: Doing<'_>| match doing {
        Doing::Takes(parameter) => parameter.annotation.clone(),
        _ => None,
    };
    let now = timelines.iter().find_map(|timeline| timeline.now().and_then(parameter));
    let newest = || timelines.iter().flat_map(|one| one.spans.iter().rev()).find_map(|(_, doing)| parameter(*doing));
    now.or_else(newest).filter(|annotation| annotation != "...")
}

fn does(doing: Doing<'_>) -> String {
    match doing {
        Doing::Takes(parameter) => accepts(parameter),
        Doing::TakesAny => "takes any argument".to_owned(),
        Doing::Refuses => "does not have it (`TypeError`)".to_owned(),
        Doing::Absent => "has nothing of that name".to_owned(),
        Doing::Unknown => "cannot be told".to_owned(),
    }
}

fn accepts(parameter: &Parameter) -> String {
    let how = match &parameter.alias_of {
        Some(name) => format!("takes it as a deprecated name of `{name}`"),
        None if parameter.deprecated => "takes it, deprecated".to_owned(),
        None => "takes it".to_owned(),
    };
    match &parameter.default {
        // It was computed.
        Some(default) if default == "..." => how,
        Some(default) => format!("{how}, default `{default}`"),
        None => format!("{how}, required"),
    }
}

/// What the release in effect warns of and refuses about the argument.
fn checks(callee: &str, argument: &str, environment: &Environment, knowledge: &Knowledge) -> Vec<String> {
    let find = || {
        let package = callee.split('.').next().and_then(|top| knowledge.package(top))?;
        let release = environment.in_effect(package)?;
        let (owner, definition) = Releases::new(knowledge, environment, package, release).resolve(callee)?;
        let release = environment.in_effect(owner)?;
        let warnings = owner.warnings(definition, release).into_iter().map(|guard| ("warns", guard));
        let checks = warnings.chain(owner.guards(definition, release).into_iter().map(|guard| ("raises", guard)));
        let about = checks.filter(|(_, guard)| names(&guard.when, argument)).filter_map(|(what, guard)| {
            let message = guard.message.as_deref()?;
            Some(format!(
                "{} {} {what} `{}` where `{}`: {message}",
                owner.name(),
                owner.brief()[release].version,
                guard.raises,
                guard.when
            ))
        });
        Some(about.take(SHOWN).collect())
    };
    find().unwrap_or_default()
}

/// Whether a name stands in an expression, and neither as an attribute nor in a string.
fn names(expression: &str, name: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    let is_before = |letter: char| is_letter(letter) || matches!(letter, '.' | '\'' | '"');
    let mut found = expression.match_indices(name);
    found.any(|(at, _)| !expression[..at].ends_with(is_before) && !expression[at + name.len()..].starts_with(is_letter))
}

/// A value that an argument may have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Choice {
    /// A string.
    Word(String),
    /// `True` or `False`.
    Truth(bool),
    /// `None`.
    Nothing,
}

/// The values that a field may have, where there are only a few.
pub(super) fn choices(
    callee: &str,
    argument: &str,
    parameter: &Parameter,
    environment: &Environment,
    knowledge: &Knowledge,
) -> Vec<Choice> {
    let mut found = Vec::new();
    for kind in kind_of(parameter) {
        match kind {
            Kind::Choice(words) => found.extend(words.into_iter().map(Choice::Word)),
            Kind::Bool => found.extend([Choice::Truth(true), Choice::Truth(false)]),
            _ => {}
        }
    }
    for choice in knowledge.curated().later_choices(callee).filter(|choice| choice.argument == argument) {
        let Some(package) = knowledge.package(choice.package(callee)) else { continue };
        let Some(release) = environment.in_effect(package) else { continue };
        let is_in = |releases: &str| package.releases_in(releases).contains(release);
        let known = choice.values.iter().filter(|(_, releases)| is_in(&choice.releases) && is_in(releases));
        found.extend(known.map(|(word, _)| Choice::Word(word.clone())));
    }
    if !found.is_empty()
        && parameter.annotation.as_deref().is_some_and(|text| text.contains("None") || text.contains("Optional"))
    {
        found.push(Choice::Nothing);
    }
    found.sort_unstable();
    found.dedup();
    found
}

impl Choice {
    /// As Python writes it.
    pub fn in_python(&self) -> String {
        match self {
            Self::Word(word) => format!("\"{word}\""),
            Self::Truth(true) => "True".to_owned(),
            Self::Truth(false) => "False".to_owned(),
            Self::Nothing => "None".to_owned(),
        }
    }

    /// As YAML writes it.
    pub fn in_yaml(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Truth(value) => value.to_string(),
            Self::Nothing => "null".to_owned(),
        }
    }

    /// The text between quotes.
    pub fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }
}
