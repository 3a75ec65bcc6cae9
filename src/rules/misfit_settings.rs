//! Settings of argument files and launch lines that the class they are meant for does not take, in some release that the project
//! allows.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::ask::Outcome;
use super::force_use_ref_model::{self, OPTION};
use super::lower_bound_too_low;
use super::misfit::{Fate, Misfit, Receiver};
use super::versions::{Reach, enumerate};
use super::{Context, RuleMeta, said};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label};
use crate::eval::{FlagOwner, Parser, ParserKind};
use crate::knowledge::{self as curated, Knowledge, ParserName};
use crate::lower::{Analysis, Change, ReleaseHost, Releases, Script, library_class};
use crate::model::{Setting, Variant};
use crate::source::Span;

/// A setting that does not fit.
struct UnfitSetting<'a> {
    setting: &'a Setting,
    name: &'a str,
    variant: (usize, &'a Variant),
    parser: &'a Parser,
    /// The class that does not take it.
    receiver: Rc<Receiver<'a>>,
    misfit: Misfit<'a>,
    reach: Reach,
    /// How its releases say the same otherwise.
    said: Option<&'a curated::Rewrite>,
}

/// The settings with which the project starts a script and which a strict parser of the script would not know.
fn unfit_settings<'a>(script: &'a Script, context: &Context<'a>) -> Vec<UnfitSetting<'a>> {
    let mut found: Vec<UnfitSetting<'a>> = Vec::new();
    let mut receivers: BTreeMap<Arc<str>, Rc<Receiver<'a>>> = BTreeMap::new();
    let new = |class: &Arc<str>| Rc::new(Receiver::new(context.knowledge, &script.environment, class));
    for (index, variant) in script.variants.iter().enumerate() {
        for setting in &variant.settings {
            let flag = &script.trace.flags[setting.flag.0 as usize];
            let (FlagOwner::External(class), Some(parser)) =
                (&flag.owner, script.trace.parsers.get(flag.parser.0 as usize))
            else {
                continue;
            };
            let is_told = found.iter().any(|other| other.setting.origin == setting.origin);
            // Another class that the parser fills may take it.
            let is_taken = parser.classes.iter().filter_map(library_class).any(|other| {
                other != *class
                    && receivers.entry(Arc::clone(&other)).or_insert_with(|| new(&other)).may_take(&flag.name)
            });
            if is_told
                || is_taken
                || is_own(parser, &flag.name, !is_on_launch_line(variant, setting.origin))
                || !is_strict(script, parser, variant, setting.origin, context.knowledge)
            {
                continue;
            }
            let receiver = Rc::clone(receivers.entry(Arc::clone(class)).or_insert_with(|| new(class)));
            let Some(misfit) = receiver.misfit(&flag.name) else {
                continue;
            };
            let versions = misfit.versions;
            let Some(in_effect) = versions.in_effect() else { continue };
            let reach = versions.reach(&Outcome::certainly(misfit.lacking.clone()), in_effect);
            if versions.speaks_of(reach) {
                let variant = (index, variant);
                let said =
                    said(script, context, &receiver, (&flag.name, setting)).filter(|_| misfit.fate == Fate::Gone);
                found.push(UnfitSetting { setting, name: &flag.name, variant, parser, receiver, misfit, reach, said });
            }
        }
    }
    found
}

/// How a setting that is gone is said in the releases in effect.
fn said<'a>(
    script: &Script,
    context: &Context<'a>,
    receiver: &Receiver<'a>,
    (name, setting): (&str, &Setting),
) -> Option<&'a curated::Rewrite> {
    let holds = |rewrite: &curated::Rewrite| {
        let package = context.knowledge.package(&rewrite.package)?;
        Some(package.includes(&rewrite.releases, script.environment.in_effect(package)?))
    };
    let value = setting.value.as_ref().map(ToString::to_string);
    let is_meant = |rewrite: &&curated::Rewrite| {
        rewrite.argument == name
            && rewrite.callable.as_deref().is_none_or(|class| receiver.callee().rsplit('.').next() == Some(class))
            && rewrite.value.as_ref().is_none_or(|wanted| value.as_ref() == Some(wanted))
            && holds(rewrite) == Some(true)
            && rewrite.becomes.iter().all(|new| receiver.may_take(&new.argument))
    };
    context.knowledge.curated().rewrites().find(is_meant)
}

/// What a parser itself reads: options, and in an argument file the environment variables that it sets.
pub(super) fn is_own(parser: &Parser, name: &str, is_key: bool) -> bool {
    let is_trl = parser.kind == ParserKind::TrlParser;
    if is_key { is_trl && name == "env" } else { name == "help" || is_trl && name == "config" }
}

fn is_on_launch_line(variant: &Variant, place: Span) -> bool {
    !variant.is_guessed && variant.origin.is_some_and(|launch| launch.contains(place))
}

/// Whether the parser raises when it meets an option or a key at this place that it does not know.
pub(super) fn is_strict(
    script: &Script,
    parser: &Parser,
    variant: &Variant,
    place: Span,
    knowledge: &Knowledge,
) -> bool {
    match parser.kind {
        _ if parser.is_lenient => false,
        ParserKind::HfArgumentParser => true,
        ParserKind::TrlParser => {
            let refusing = || knowledge.curated().refusing_unknown_keys(ParserName::Trl);
            is_on_launch_line(variant, place) || has_one_of(script, refusing(), knowledge)
        }
        ParserKind::Argparse | ParserKind::Function | ParserKind::Hydra => false,
    }
}

/// Whether the release of a package that a script gets is one of these.
pub(super) fn has_one_of(script: &Script, releases: Option<(&str, &str)>, knowledge: &Knowledge) -> bool {
    releases.is_some_and(|(package, releases)| {
        let package = knowledge.package(package);
        let in_effect = package.and_then(|package| Some((package, script.environment.in_effect(package)?)));
        in_effect.is_some_and(|(package, release)| package.releases_in(releases).contains(release))
    })
}

/// Reports those settings that `select` picks, by what became of them: one finding for all of the same class that one file or launch
/// line sets.
pub(super) fn report_settings(
    analysis: &Analysis,
    script: &Script,
    context: &Context<'_>,
    meta: &RuleMeta,
    select: impl Fn(&Fate) -> bool,
) -> Vec<Diagnostic> {
    let unfit = unfit_settings(script, context);
    let mut groups: Vec<Vec<&UnfitSetting<'_>>> = Vec::new();
    for one in unfit.iter().filter(|one| select(&one.misfit.fate)) {
        let is_alike = |other: &UnfitSetting<'_>| {
            other.setting.origin.file == one.setting.origin.file
                && other.receiver.callee() == one.receiver.callee()
                && other.variant.0 == one.variant.0
                && other.reach == one.reach
                && other.misfit.versions.package.name() == one.misfit.versions.package.name()
                && other.misfit.fate == one.misfit.fate
                && (other.name == OPTION) == (one.name == OPTION)
                // What is said otherwise is mended by itself.
                && other.said.is_none_or(|said| said.becomes.is_empty())
                && one.said.is_none_or(|said| said.becomes.is_empty())
        };
        match groups.iter_mut().find(|group| is_alike(group[0])) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups.iter().filter_map(|group| report(analysis, script, context, meta, group)).collect()
}

/// What a way to start the script sets of a name, in the same parser as a setting.
fn given(script: &Script, one: &UnfitSetting<'_>, name: &str) -> Option<said::Given> {
    let flag = |setting: &Setting| &script.trace.flags[setting.flag.0 as usize];
    let is_it = |other: &&Setting| &*flag(other).name == name && flag(other).parser == flag(one.setting).parser;
    let found = one.variant.1.settings.iter().rev().find(is_it)?;
    Some((found.origin, found.value.clone()))
}

/// Writes several settings instead of one.
fn several(
    analysis: &Analysis,
    script: &Script,
    context: &Context<'_>,
    one: &UnfitSetting<'_>,
) -> Option<crate::lower::Rewrite> {
    let new = said::instead(one.said?, one.setting.value.as_ref(), |name| given(script, one, name))?;
    let origin = one.setting.origin;
    // A launch line that sets one of them beside the file would no longer go with it.
    let names = || one.said.into_iter().flat_map(|said| &said.becomes);
    let is_overruled = analysis.scripts.iter().any(|other| {
        let sets_one = |setting: &Setting| {
            let name = &*other.trace.flags[setting.flag.0 as usize].name;
            setting.origin.file != origin.file && names().any(|new| new.argument == name)
        };
        let reads_it = |variant: &&Variant| variant.settings.iter().any(|setting| setting.origin == origin);
        other.variants.iter().filter(reads_it).any(|variant| variant.settings.iter().any(sets_one))
    });
    if analysis.written.document_at(origin).is_some() && is_overruled {
        return None;
    }
    let (package, environment) = (one.misfit.versions.package, &script.environment);
    let releases = Releases::new(context.knowledge, environment, package, one.misfit.versions.in_effect()?);
    said::written(analysis, origin, &new, &ReleaseHost::new(releases, &script.trace.flags))
}

fn report(
    analysis: &Analysis,
    script: &Script,
    context: &Context<'_>,
    meta: &RuleMeta,
    group: &[&UnfitSetting<'_>],
) -> Option<Diagnostic> {
    let (first, rest) = group.split_first()?;
    let versions = first.misfit.versions;
    let lacking = group.iter().fold(first.misfit.lacking.clone(), |lacking, one| &lacking & &one.misfit.lacking);
    let in_effect = versions.in_effect()?;
    let releases = versions.meant(first.reach, in_effect, &lacking);
    let names: Vec<&str> = group.iter().map(|one| one.name).collect();
    let message = first.misfit.headline(first.receiver.callee(), &releases, &names, in_effect);
    let label = |one: &UnfitSetting<'_>, message: &str| Label { span: one.setting.origin, message: message.to_owned() };
    let mut finding =
        versions.finding(meta, first.reach, &lacking, message, label(first, "ValueError: not used by the parser"));
    finding.related.extend(rest.iter().map(|one| label(one, "this one too")));
    finding.related.push(Label { span: first.parser.span, message: "this parser reads it".to_owned() });
    finding.notes.extend(group.iter().filter_map(|one| one.misfit.having_note(one.name)));
    finding.follows = lower_bound_too_low::cause(versions, &lacking);
    if first.name == OPTION {
        // A rule of its own speaks of it where a trainer gets it.
        finding.follows = finding.follows.or(Some(force_use_ref_model::cause(first.setting.origin)));
    }
    versions.explain(&mut finding);
    let rewrites = group.iter().map(|one| match &one.misfit.fate {
        Fate::Renamed(name) if one.receiver.may_take(name) => analysis.written.rename(one.variant.1, one.setting, name),
        Fate::Gone => match one.said.map(|said| &said.becomes[..]) {
            None | Some([]) => analysis.written.rewrite(one.variant.1, one.setting, Change::Gone),
            Some([new]) if new.value == "{value}" => analysis.written.rename(one.variant.1, one.setting, &new.argument),
            Some([new]) => analysis.written.replace(one.variant.1, one.setting, &new.argument, &new.value),
            Some(_) => several(analysis, script, context, one),
        },
        Fate::Renamed(_) | Fate::Moved(_) | Fate::NotYet | Fate::Never(_) => None,
    });
    let rewrites: Vec<_> = rewrites.collect::<Option<_>>().unwrap_or_default();
    finding.help = first.said.filter(|said| !said.becomes.is_empty()).map(|rewrite| {
        let new = said::instead(rewrite, first.setting.value.as_ref(), |name| given(script, first, name));
        said::advice(rewrite, new.as_deref())
    });
    let is_elsewhere = |one: &&UnfitSetting<'_>| {
        let scripts = analysis.calls.iter().filter(|call| call.script != script.path);
        scripts
            .flat_map(|call| call.variants.iter())
            .any(|variant| variant.settings.iter().any(|setting| setting.origin == one.setting.origin))
    };
    if !rewrites.is_empty() {
        // A new name for a setting of several scripts must suit all of them.
        let says_the_same = |one: &&UnfitSetting<'_>| match &one.misfit.fate {
            Fate::Renamed(new) => one.receiver.means_the_same(&versions, one.name, new),
            _ => false,
        };
        let is_safe = group.iter().all(says_the_same) && !group.iter().any(is_elsewhere);
        let mut titles: Vec<String> = rewrites.iter().map(|rewrite| rewrite.title.clone()).collect();
        titles.dedup();
        let mut edits: Vec<_> = rewrites.into_iter().flat_map(|rewrite| rewrite.edits).collect();
        edits.sort_unstable();
        edits.dedup();
        let applicability = if is_safe { Applicability::Safe } else { Applicability::Unsafe };
        finding.fixes.push(Fix { title: enumerate(&titles), applicability, edits });
    }
    Some(finding)
}
