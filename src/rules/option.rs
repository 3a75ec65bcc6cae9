//! An option of a trainer's configuration: where a project sets it, and how that is taken back.

use super::ask::Call;
use super::reference_settings::is_shared;
use super::report::objects;
use crate::diagnostic::{Applicability, Fix};
use crate::eval::{Argument, Flag, FlagId, Object};
use crate::lower::{Analysis, Change};
use crate::syntax::Edit;
use std::sync::Arc;

/// The argument that sets an option where the script builds the configuration.
pub(super) fn written(call: &Call<'_>, name: &str) -> Option<(Arc<Object>, Argument)> {
    objects(&call.argument("args")?.value.value).into_iter().find_map(|object| {
        let argument = object.args.iter().find(|argument| argument.name.as_deref() == Some(name))?.clone();
        Some((object, argument))
    })
}

/// The flag that sets an option where a parser builds the configuration, and the configuration.
pub(super) fn flag(call: &Call<'_>, name: &str) -> Option<(Arc<Object>, FlagId)> {
    objects(&call.argument("args")?.value.value).into_iter().find_map(|object| {
        let parser = object.parsed?;
        let is_meant = |flag: &Flag| flag.parser == parser && &*flag.name == name;
        let index = call.run.trace.flags.iter().position(is_meant)?;
        Some((object, FlagId(index as u32)))
    })
}

/// Takes an option back in every file that sets it for one of these variants; `None` where that cannot be done in all of them, or
/// would change another run.
pub(super) fn take_back(
    analysis: &Analysis,
    call: &Call<'_>,
    flag: FlagId,
    variants: &[usize],
    change: Change,
    applicability: Applicability,
) -> Option<Fix> {
    let mut titles: Vec<String> = Vec::new();
    let mut edits: Vec<Edit> = Vec::new();
    for index in variants {
        let variant = &call.run.variants[*index];
        let setting = variant.setting(flag)?;
        let rewrite = analysis.written.rewrite(variant, setting, change)?;
        // What the setting hides must not set the option in its place.
        let after = rewrite.applied(variant, setting.origin);
        let stays = after.setting(flag).is_some_and(|left| left.value.as_ref().is_none_or(crate::eval::Const::truthy));
        if stays || is_shared(analysis, call, setting.origin, variants) {
            return None;
        }
        if !titles.contains(&rewrite.title) {
            titles.push(rewrite.title);
        }
        edits.extend(rewrite.edits);
    }
    edits.sort_unstable();
    edits.dedup();
    (!edits.is_empty()).then(|| Fix { title: titles.join(" and "), applicability, edits })
}
