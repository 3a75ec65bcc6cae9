//! Values that a configuration takes and that fail when they are used: at the first step, when the adapter is made.

use super::RuleMeta;
use super::ask::Call;
use super::invalid_choice::{respelt, respelt_setting};
use super::report::{called, objects};
use super::versions::{Reach, enumerate};
use crate::diagnostic::{Diagnostic, Label};
use crate::eval::{self, Argument, CallEvent, Cond, Const, Root, Value};
use crate::knowledge::{LaterCheck, LaterChoice, ReleaseSet, Takes};
use crate::lower::{Analysis, ReleaseHost};
use crate::model::Setting;
use crate::source::did_you_mean;

/// What fails later in a call.
pub(super) fn check(analysis: &Analysis, call: &Call<'_>, meta: &RuleMeta) -> Vec<Diagnostic> {
    let curated = call.knowledge.curated();
    let is_asked = |choice: &&LaterChoice| choice.package(call.callee()) == call.package.name();
    let words = curated.later_choices(call.callee()).filter(is_asked);
    let words = words.filter_map(|choice| unknown_word(analysis, call, meta, choice));
    if !call.is_about_callee() {
        return words.collect();
    }
    let checks = curated.later_checks(call.callee()).filter_map(|check| failed_check(analysis, call, meta, check));
    words.chain(checks).collect()
}

/// A word that a release does not know.
fn unknown_word(analysis: &Analysis, call: &Call<'_>, meta: &RuleMeta, choice: &LaterChoice) -> Option<Diagnostic> {
    let argument = call.argument(&choice.argument)?;
    let words = words(call, argument);
    let known_in = |releases: &String| call.package.releases_in(releases);
    let takes_it = |release: &usize| call.takes(&choice.argument, *release) != Takes::Nothing;
    let refusing = |word: &str| -> ReleaseSet {
        let knowing = choice.values.get(word).map(known_in).unwrap_or_default();
        (&known_in(&choice.releases) - &knowing).iter().filter(takes_it).collect()
    };
    let is_prefixed = |word: &&Word<'_>| choice.prefixes.iter().any(|prefix| word.text.starts_with(prefix));
    let near = call.near();
    let (Word { text: word, set }, refusing) = words.iter().filter(|word| !is_prefixed(word)).find_map(|word| {
        let refusing = refusing(word.text);
        (!(&refusing & near).is_empty()).then_some((word, refusing))
    })?;
    let headline = |releases: &str| format!("{releases} knows no `{}={}`", choice.argument, Const::Str((*word).into()));
    let fails = (&*choice.fails, choice.in_training);
    let mut finding = reported(analysis, call, meta, argument, &refusing, fails, headline)?;
    let release = call.in_effect()?;
    let known = choice.values.iter().filter(|(_, releases)| known_in(releases).contains(release));
    let known: Vec<&str> = known.map(|(word, _)| word.as_str()).collect();
    if let Some(setting) = set {
        finding.related.push(Label { span: setting.origin, message: "this is what it is".to_owned() });
    }
    if let Some(meant) = did_you_mean(word, known.iter().copied()) {
        finding.help = Some(format!("did you mean `{meant}`?"));
        finding.fixes.extend(match set {
            None => respelt(analysis, argument, meant),
            // One of several words is not told from the others.
            Some(setting) => setting.value.as_ref().and_then(|_| respelt_setting(analysis, setting.origin, meant)),
        });
    }
    let known: Vec<String> = known.iter().map(|one| format!("`{one}`")).collect();
    finding.notes.push(format!("known are {}", enumerate(&known)));
    Some(finding)
}

/// A word that an argument is, or that is among several.
struct Word<'a> {
    text: &'a str,
    /// Where an argument file or a launch line sets it; `None`: in the script.
    set: Option<&'a Setting>,
}

/// The words of an argument: those that are written, or those that the ways to start the script give to the flag that it is.
fn words<'a>(call: &'a Call<'_>, argument: &'a Argument) -> Vec<Word<'a>> {
    let word = |value: &'a Const, set| match value {
        Const::Str(text) => Some(Word { text, set }),
        _ => None,
    };
    match &argument.value.value {
        Value::Const(value) => word(value, None).into_iter().collect(),
        Value::List(items) => {
            let constants = items.iter().filter_map(|item| match &item.value {
                Value::Const(value) => Some(value),
                _ => None,
            });
            constants.filter_map(|value| word(value, None)).collect()
        }
        // What is passed under a condition may be passed only where it is another word.
        Value::Symbol(symbol)
            if symbol.path.is_empty() && argument.when == Cond::TRUE && call.run.call().when == Cond::TRUE =>
        {
            let Root::Flag(flag) = symbol.root else { return Vec::new() };
            let settings = call.run.variants.iter().filter_map(|variant| variant.setting(flag));
            let given = settings
                .flat_map(|set| set.value.iter().chain(set.items.iter().flatten()).map(move |value| (value, set)));
            given.filter_map(|(value, set)| word(value, Some(set))).collect()
        }
        _ => Vec::new(),
    }
}

/// A value that a check refuses.
fn failed_check(analysis: &Analysis, call: &Call<'_>, meta: &RuleMeta, check: &LaterCheck) -> Option<Diagnostic> {
    let argument = call.argument(&check.argument)?;
    let host = ReleaseHost::new(call.releases_with(call.in_effect()?), &call.run.trace.flags).for_filled_fields();
    // Loaders have no signature that would bind it.
    let value = ReleaseHost::as_library_object(&argument.value.value);
    let refused = eval::condition(&check.when, &[(&check.argument, value)], &host);
    let outcome = call.holds(&refused.and(argument.when.clone()), &call.package.releases_in(&check.releases));
    let headline = |releases: &str| format!("`{}` must {} in {releases}", check.argument, check.must);
    let fails = (&*check.fails, check.in_training);
    reported(analysis, call, meta, argument, &outcome.certain, fails, headline)
}

fn reported(
    analysis: &Analysis,
    call: &Call<'_>,
    meta: &RuleMeta,
    argument: &Argument,
    refusing: &ReleaseSet,
    (fails, in_training): (&str, bool),
    headline: impl Fn(&str) -> String,
) -> Option<Diagnostic> {
    // An entry of a dictionary may be there only where something else is called.
    let outcome = call.holds(&argument.when, refusing);
    let reach = call.reach(&outcome);
    if !call.versions().speaks_of(reach) || reach == Reach::Conditional {
        return None;
    }
    let releases = call.versions().meant(reach, call.judged()?, refusing);
    let primary = Label { span: argument.span, message: format!("it fails {fails}") };
    let mut finding = call.finding(meta, reach, refusing, headline(&releases), primary);
    let failing = failing(call, in_training).and_then(|call| called(analysis, call.object.span));
    finding.related.extend(failing.map(|span| Label { span, message: "this call fails".to_owned() }));
    call.explain(&mut finding, &outcome);
    Some(finding)
}

/// The call that fails because of what a call made: what gets it, or the training of the trainer that it is or that gets it.
fn failing<'a>(call: &Call<'a>, in_training: bool) -> Option<&'a CallEvent> {
    let calls = || call.run.trace.calls.iter().skip(call.run.call);
    let is_among = |value: &Value, id: u32| objects(value).iter().any(|object| object.id == id);
    let gets = |event: &&CallEvent, id| event.object.args.iter().any(|argument| is_among(&argument.value.value, id));
    let trains = |trainer: u32| {
        let is_of = |event: &&CallEvent| event.object.receiver.as_ref().is_some_and(|one| is_among(one, trainer));
        calls().find(|event| event.object.callee.ends_with(".train") && is_of(event))
    };
    let own = call.run.call().object.id;
    let user = calls().find(|event| gets(event, own));
    if in_training { trains(own).or_else(|| trains(user?.object.id)) } else { user }
}
