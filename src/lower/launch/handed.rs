//! What a framework's program hands on to the launcher that it starts itself.

use super::{Launcher, Program};
use crate::syntax::{Entry, shell};

/// The launcher that gets what stands behind `--`, and where among the words behind the command that is: `axolotl train a.yaml --
/// --num_processes 4` runs under accelerate, and under torchrun with `--launcher torchrun`.
pub(super) fn handed_on(program: &Program, words: &[Entry]) -> Option<(usize, Launcher)> {
    if !matches!(program, Program::Command { tool, .. } if tool == "axolotl") {
        return None;
    }
    let is_end = |word: &Entry| word.key.is_none() && word.value.as_str() == Some("--");
    let at = words.iter().position(is_end)?;
    let before = shell::group(words[..at].iter());
    let named = before.iter().rev().find(|flag| flag.name() == Some("launcher"));
    let name = match named {
        None => "accelerate launch",
        Some(flag) => match flag.value.as_str()? {
            "accelerate" => "accelerate launch",
            "torchrun" => "torchrun",
            _ => return None,
        },
    };
    let span = named.map_or(words[at].span, |flag| flag.span);
    Some((at, Launcher { name: name.to_owned(), span, flags: shell::group(words[at + 1..].iter()) }))
}
