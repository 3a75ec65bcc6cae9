//! Whether a script does more with what a call made than to hand it on.

use super::ask::Call;
use crate::source::Span;

/// Whether something else may get an object, or be called on it, which may change it: the trainer must get a variable that the maker's
/// result goes to, and that stands nowhere else but where `is_harmless` says so of the text behind it.
pub(super) fn is_touched(call: &Call<'_>, made: Span, given: Span, is_harmless: impl Fn(&str) -> bool) -> bool {
    let source = call.sources.get(made.file);
    let (text, argument) = (source.text(), source.slice(given));
    let name = argument.rsplit_once('=').map_or(argument, |(_, value)| value).trim();
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
    let is_name = !name.is_empty() && name.chars().all(|letter| is_part(letter) && letter != '.');
    let is_assigned = text[..made.start as usize].trim_end().strip_suffix('=').map(str::trim_end);
    if given.file != made.file || !is_name || !is_assigned.is_some_and(|before| before.ends_with(name)) {
        return true;
    }
    let given = given.start as usize..given.end as usize;
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let is_word = !before.ends_with(is_part) && !after.starts_with(|letter| is_part(letter) && letter != '.');
        // `model =` and `model=` give it a value, or name an argument.
        let is_target = after.trim_start().starts_with('=') && !after.trim_start().starts_with("==");
        is_word && !is_target && !given.contains(&at) && !is_harmless(after)
    })
}
