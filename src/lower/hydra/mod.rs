//! Configurations that hydra composes: `@hydra.main(config_path="conf", config_name="dpo")`.
//!
//! What is composed is known only where every part of it is: a file that is not there, a choice that is computed, an option that changes
//! where hydra looks make all of it unknown. A value is known where it is a plain one, or the only part of it is another value
//! (`${model.path}`).

mod compose;
mod overrides;

use std::path::Path;

use super::config::ArgumentFile;
use super::configuration::number_of;
use super::launch::Launch;
use super::{Script, Written};
use crate::eval::{Const, FlagId, ParserKind, Value};
use crate::model::{Setting, Variant};
use crate::source::Span;
use crate::syntax::{Entry, Node, NodeKind, Scalar};

use compose::{Composed, compose};
use overrides::{Override, word};

/// Interpolations are followed this far; a longer chain is a cycle.
const MAX_STEPS: u32 = 8;

/// Whether hydra fills the flags of a script.
pub(super) fn fills(script: &Script) -> bool {
    script.trace.parsers.iter().any(|parser| parser.kind == ParserKind::Hydra)
}

/// What a script gets when a launch line starts it, or when it is started with nothing.
pub(super) fn variant(written: &Written, script: &Script, launch: Option<&Launch>) -> Variant {
    let origin = launch.map(|launch| launch.span);
    let unknown = Variant { origin, is_open: true, ..Variant::default() };
    let Some((folder, name)) = primary(script) else { return unknown };
    let Some(given) = Given::read(launch) else { return unknown };
    let folder = clean(&script.path.parent().unwrap_or(Path::new("")).join(&folder));
    let name = given.name.unwrap_or(name);
    let Some(composed) = compose(&written.files, &folder, &name, &given.overrides) else { return unknown };
    let flags = script.trace.flags.iter().enumerate();
    let flags = flags.filter(|(_, flag)| script.trace.parsers[flag.parser.0 as usize].kind == ParserKind::Hydra);
    let settings = flags.filter_map(|(index, flag)| composed.setting(&flag.name, FlagId(index as u32)));
    let place = || written.files.iter().find(|file| file.path == folder.join(format!("{name}.yaml")));
    Variant {
        origin: origin.or_else(|| place().map(ArgumentFile::place)),
        settings: settings.collect(),
        strays: Vec::new(),
        is_guessed: false,
        is_open: launch.is_some_and(|launch| launch.is_open),
    }
}

/// The folder and the name of the configuration that a script names, where that is one.
fn primary(script: &Script) -> Option<(String, String)> {
    let mut named = script.trace.parsers.iter().filter(|parser| parser.kind == ParserKind::Hydra);
    let parser = named.next().filter(|_| named.next().is_none())?;
    let [file] = &parser.files[..] else { return None };
    let Value::Const(Const::Str(path)) = &file.value else { return None };
    let (folder, name) = path.rsplit_once('/')?;
    let is_plain = !folder.contains(':') && !folder.starts_with('/');
    is_plain.then(|| (folder.to_owned(), name.trim_end_matches(".yaml").to_owned()))
}

/// What a launch line says to hydra.
#[derive(Default)]
struct Given {
    name: Option<String>,
    overrides: Vec<Override>,
}

impl Given {
    /// `None` where it says more than is known.
    fn read(launch: Option<&Launch>) -> Option<Self> {
        let mut given = Self::default();
        for flag in launch.map_or(&[][..], |launch| &launch.flags) {
            let words: Vec<(&str, Span)> = match &flag.value.kind {
                NodeKind::Scalar(Scalar::Str(text)) => vec![(text, flag.span)],
                NodeKind::List(items) => {
                    items.iter().map(|item| Some((text_of(item)?, item.span))).collect::<Option<_>>()?
                }
                _ => return None,
            };
            let words = match flag.name() {
                None => &words[..],
                Some("config-name" | "config_name" | "cn") => {
                    let (name, rest) = words.split_first()?;
                    given.name = Some(name.0.trim_end_matches(".yaml").to_owned());
                    rest
                }
                Some(_) => return None,
            };
            for (text, span) in words {
                given.overrides.push(word(text, *span)?);
            }
        }
        Some(given)
    }
}

fn text_of(entry: &Entry) -> Option<&str> {
    match &entry.value.kind {
        NodeKind::Scalar(Scalar::Str(text)) => Some(text),
        _ => None,
    }
}

impl Composed {
    /// What becomes of a flag.
    fn setting(&self, path: &str, flag: FlagId) -> Option<Setting> {
        let (value, origin) = self.leaves.get(path)?;
        let items = match &value.target().kind {
            NodeKind::List(items) => items.iter().map(|item| self.constant("", &item.value, 0)).collect(),
            _ => None,
        };
        Some(Setting { flag, value: self.constant(path, value, 0), items, origin: *origin })
    }

    /// The value at a path, as `OmegaConf` has it.
    fn constant(&self, at: &str, value: &Node, steps: u32) -> Option<Const> {
        let scalar = value.scalar()?;
        Some(match scalar {
            Scalar::Null => Const::None,
            Scalar::Bool(value) => Const::Bool(*value),
            Scalar::Int(value) => Const::Int(*value),
            Scalar::Float(value) => Const::float(*value),
            Scalar::Str(text) if text == "???" => return None,
            Scalar::Str(text) if text.contains("${") => {
                let path = text.strip_prefix("${")?.strip_suffix('}')?;
                let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
                let is_path = steps < MAX_STEPS && path.bytes().all(is_part);
                let path = absolute(at, path).filter(|_| is_path)?;
                return self.constant(&path, &self.leaves.get(&path)?.0, steps + 1);
            }
            Scalar::Str(text) => number_of(scalar).unwrap_or_else(|| Const::Str(text.as_str().into())),
            Scalar::Date(text) => Const::Str(text.as_str().into()),
        })
    }
}

/// The key that an interpolation names: `${.key}` stands beside the one that holds it, each further dot is one mapping above.
fn absolute(at: &str, path: &str) -> Option<String> {
    let name = path.trim_start_matches('.');
    let above = path.len() - name.len();
    if above == 0 {
        return Some(name.to_owned());
    }
    let parts: Vec<&str> = at.split('.').collect();
    let kept = parts.len().checked_sub(above).filter(|_| !at.is_empty() && !name.is_empty())?;
    Some(parts[..kept].iter().copied().chain([name]).collect::<Vec<_>>().join("."))
}

/// A path without `.` and `..` where they can be taken out.
fn clean(path: &Path) -> std::path::PathBuf {
    let mut clean = std::path::PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir if clean.file_name().is_some() => _ = clean.pop(),
            std::path::Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests;
