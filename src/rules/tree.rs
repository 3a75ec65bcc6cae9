//! What rules find about configurations that are Python files: what a dictionary becomes lacks an argument, and how the program is
//! started with them.

use super::ask::Call;
use super::framework::{label, push_new};
use super::launched::stage3;
use super::report::plain;
use super::versions::enumerate;
use super::{Context, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::eval::Caller;
use crate::knowledge::{Consumer, Parameter, ReleaseSet, Tree};
use crate::lower::launch::Launch;
use crate::lower::{Analysis, trees};
use crate::source::{SourceFile, did_you_mean};
use crate::syntax::Entry;

/// Arguments that must be given to what a dictionary names, and that it does not hold.
pub(super) fn lacking_arguments(call: &Call<'_>, meta: &RuleMeta) -> Option<Diagnostic> {
    let event = call.run.call();
    let is_meant = event.by == Caller::Program && !event.open && call.is_about_callee();
    let is_own = || Consumer::trees().iter().any(|tree| tree.package == call.package.name());
    // What is misspelt is missing, too.
    if !is_meant || !is_own() || !call.unfit().is_empty() {
        return None;
    }
    let given = |name: &str| call.run.arguments().iter().any(|argument| argument.name.as_deref() == Some(name));
    let lacking = |release: usize| -> Vec<&str> {
        let signature = call.signature(release).filter(|signature| signature.complete);
        let is_required = |parameter: &Parameter| parameter.default.is_none() && parameter.alias_of.is_none();
        let parameters = signature.into_iter().flat_map(|signature| &signature.parameters);
        let required = parameters.filter(|(_, parameter)| is_required(parameter)).map(|(name, _)| *name);
        required.filter(|name| !given(name)).collect()
    };
    let releases: ReleaseSet = call.near().iter().filter(|release| !lacking(*release).is_empty()).collect();
    let names = lacking(releases.iter().next_back()?);
    let outcome = call.when("True", &releases);
    let reach = call.reach(&outcome);
    if !call.versions().speaks_of(reach) {
        return None;
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let affected = call.versions().meant(reach, call.in_effect()?, &releases);
    let message = format!("`{}` of {affected} needs {}", call.short_name(), enumerate(&quoted));
    let primary = label(event.object.span, "TypeError: missing argument");
    let mut finding = call.finding(meta, reach, &releases, message, primary);
    call.explain(&mut finding, &outcome);
    Some(finding)
}

/// What cannot be made with stage 3 of `DeepSpeed`, where a command starts the program with that.
pub(super) fn refused_with_stage3(analysis: &Analysis, call: &Call<'_>, meta: &RuleMeta) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if call.run.call().by == Caller::Script || !call.is_about_callee() {
        return found;
    }
    for (source, launch) in analysis.written.launches() {
        let Some(start) = trees::start(launch).filter(|start| start.reads(source.path(), &call.run.script)) else {
            continue;
        };
        let Some(flag) = deepspeed(launch).filter(|flag| is_stage3(analysis, start.tree, flag, source)) else {
            continue;
        };
        for refused in &start.tree.refused_with_stage3 {
            let is_it = |release: &usize| {
                refused.is_in(call.package, *release) && call.definition(*release) == Some(&*refused.class)
            };
            let releases: ReleaseSet = call.near().iter().filter(is_it).collect();
            let outcome = call.when(&refused.when, &releases);
            let reach = call.reach(&outcome);
            if outcome.certain.is_empty() || !call.versions().speaks_of(reach) {
                continue;
            }
            let affected = call.versions().meant(reach, call.in_effect().unwrap_or_default(), &outcome.certain);
            let message = format!("`{}` of {affected} makes no reference with stage 3 of DeepSpeed", call.short_name());
            let primary = label(call.run.call().object.span, refused.says.clone());
            let mut finding = call.finding(meta, reach, &outcome.certain, message, primary);
            finding.related.push(label(flag.span, "this is stage 3"));
            finding.notes.push(format!("it fails where `{}`", refused.when));
            call.explain(&mut finding, &outcome);
            push_new(&mut found, [finding]);
        }
    }
    found
}

/// Names of configurations of `DeepSpeed` that the program does not bring, where they name no file either.
pub(super) fn unknown_names(analysis: &Analysis, context: &Context<'_>, meta: &RuleMeta) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (source, launch) in analysis.written.launches() {
        let Some(start) = trees::start(launch) else { continue };
        let Some((flag, name)) = deepspeed(launch).and_then(|flag| Some((flag, flag.value.as_str()?))) else {
            continue;
        };
        let is_name = !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        let around = source.path().parent().into_iter().flat_map(std::path::Path::ancestors);
        if !is_name || around.map(|folder| folder.join(name)).any(|path| context.disk.is_file(&path)) {
            continue;
        }
        let script = analysis.scripts.iter().find(|script| start.reads(source.path(), &script.path));
        let package = context.knowledge.package(&start.tree.package);
        let at = package.and_then(|package| Some((package, script?.environment.in_effect(package)?)));
        if start.tree.brings(name, at) {
            continue;
        }
        let release = at.map_or(String::new(), |(package, at)| format!(" {}", package.brief()[at].version));
        let message = format!("{}{release} brings no DeepSpeed configuration `{name}`", start.tree.package);
        let mut finding = plain(meta, Severity::Error, message, label(flag.span, "FileNotFoundError"));
        finding.help = did_you_mean(name, start.tree.brought()).map(|meant| format!("did you mean `{meant}`?"));
        push_new(&mut found, [finding]);
    }
    found
}

fn deepspeed(launch: &Launch) -> Option<&Entry> {
    launch.flag(&["deepspeed"])
}

fn is_stage3(analysis: &Analysis, tree: &Tree, flag: &Entry, source: &SourceFile) -> bool {
    let Some(name) = flag.value.as_str() else { return false };
    tree.stage3.iter().any(|known| known == name)
        || analysis.written.document_from(name, source.path()).is_some_and(|document| stage3(&document.root).is_some())
}
