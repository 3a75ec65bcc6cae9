//! Commands that start a program with a configuration.

use super::Key;
use crate::knowledge::Consumer;
use crate::lower::launch::{Launch, Program, Word};
use crate::source::Span;
use crate::syntax::{Entry, Node, NodeKind, Scalar};

/// A program that a command starts.
pub(super) struct Started {
    pub(super) consumer: &'static Consumer,
    /// The files that it names.
    pub(super) configs: Vec<Word>,
    /// What it sets itself.
    pub(super) flags: Vec<Key>,
    /// Whether it may set more.
    pub(super) is_open: bool,
}

/// What a launch line starts, where that is known; `of_script` tells of a script of a program's own source.
pub(super) fn started(launch: &Launch, of_script: impl Fn(&str) -> Option<&'static Consumer>) -> Option<Started> {
    let consumer = match &launch.program {
        Program::Command { tool, command } => Consumer::started_by(tool, command.text.as_deref()?),
        Program::Module(module) => Consumer::started_as(module.text.as_deref()?),
        Program::Script { path, .. } => of_script(path.text.as_deref()?),
    }?;
    let configs = if consumer.is_command_line() { Vec::new() } else { launch.configs.clone() };
    let is_config = |flag: &Entry| configs.iter().any(|config| flag.value.span.contains(config.span));
    let mut flags = Vec::new();
    for flag in &launch.flags {
        // `--config a.yaml model.lora_rank=8`: what follows the file stands behind the flag.
        if let NodeKind::List(items) = &flag.value.kind
            && consumer.component.is_some()
        {
            let words = items.iter().filter_map(|item| assigned(item.value.as_str()?, item.span));
            flags.extend(words);
        }
        if is_config(flag) {
            continue;
        }
        match (&flag.key, &flag.value.kind) {
            (Some(key), _) => {
                let name = if consumer.is_command_line() { key.name.clone() } else { key.name.replace('-', "_") };
                // What has no dot is for the program itself.
                if consumer.keeps_plain_options() && !name.contains('.') {
                    continue;
                }
                flags.push(Key { name, value: flag.value.clone(), span: flag.span, on_command_line: true });
            }
            (None, NodeKind::Scalar(Scalar::Str(word))) if !consumer.is_command_line() => {
                flags.extend(assigned(word, flag.span));
            }
            _ => {}
        }
    }
    Some(Started { consumer, configs, flags, is_open: launch.is_open || launch.is_cut })
}

/// `learning_rate=1e-5`.
fn assigned(word: &str, span: Span) -> Option<Key> {
    let (name, value) = word.split_once('=')?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let is_name = !name.is_empty() && name.bytes().all(is_part);
    is_name.then(|| {
        let kind = NodeKind::Scalar(Scalar::Str(value.to_owned()));
        Key { name: name.to_owned(), value: Node { span, kind, anchor: None }, span, on_command_line: true }
    })
}
