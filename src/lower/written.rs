//! The way back from a setting to the file that writes it.

use std::sync::Arc;

use super::config::ArgumentFile;
use super::here::HereDocument;
use super::launch::Launch;
use crate::eval::Const;
use crate::model::{Setting, Variant};
use crate::source::{SourceFile, Span};
use crate::syntax::{Edit, Entry, Format, NodeKind, Scalar, edit, shell};

/// The files of a project that give settings to its scripts.
#[derive(Debug, Default)]
pub struct Written {
    pub(super) launches: Vec<(Arc<SourceFile>, Launch)>,
    pub(super) files: Vec<ArgumentFile>,
    /// Files that a script writes before it starts something with them.
    pub(super) here: Vec<HereDocument>,
}

/// What is to become of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It says nothing: `null`, where the format has that, else it goes.
    Unset,
    /// It says no: `false`; on a launch line it goes.
    Off,
    /// It goes, as the reader of the file does not know the name.
    Gone,
}

/// A setting that is written otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// What is done, as an order: "set `ref_model` to `null`".
    pub title: String,
    /// The edits of the file.
    pub edits: Vec<Edit>,
    /// The value afterwards; `None`: the setting is gone, and an earlier one or the default holds.
    pub value: Option<Const>,
}

impl Rewrite {
    /// The variant after the rewrite of one of its settings.
    pub fn applied(&self, variant: &Variant, origin: Span) -> Variant {
        let mut after = variant.clone();
        match &self.value {
            Some(value) => {
                let written = after.settings.iter_mut().filter(|setting| setting.origin == origin);
                written.for_each(|setting| setting.value = Some(value.clone()));
            }
            None => after.settings.retain(|setting| setting.origin != origin),
        }
        after
    }
}

impl Written {
    /// How to write a setting of a variant otherwise; `None` where it cannot be changed without changing more.
    pub fn rewrite(&self, variant: &Variant, setting: &Setting, change: Change) -> Option<Rewrite> {
        let in_file = self.file_at(setting.origin);
        match in_file {
            Some(file) => in_argument_file(file, setting, change),
            None => self.on_launch_line(variant, setting),
        }
    }

    /// How to give a setting of a variant another name; `None` where that cannot be done without changing more.
    pub fn rename(&self, variant: &Variant, setting: &Setting, name: &str) -> Option<Rewrite> {
        let title = format!("rename it to `{name}`");
        let in_file = self.file_at(setting.origin);
        let edit = if let Some(file) = in_file {
            let entry = edit::entry_at(&file.document, setting.origin)?;
            edit::rename_key(&file.source, &file.document, entry, name).ok()?
        } else {
            let (source, flag) = self.flag_on_launch_line(variant, setting)?;
            shell::rename_flag(source, flag, name)?
        };
        Some(Rewrite { title, edits: vec![edit], value: setting.value.clone() })
    }

    /// How to give a setting of a variant another name and a value that is written as Python; `None` where that cannot be done
    /// without changing more.
    pub fn replace(&self, variant: &Variant, setting: &Setting, name: &str, value: &str) -> Option<Rewrite> {
        let renamed = self.rename(variant, setting, name)?;
        let in_file = self.files.iter().find(|file| file.document.file == setting.origin.file);
        let edit = if let Some(file) = in_file {
            let entry = edit::entry_at(&file.document, setting.origin)?;
            edit::set_value(&file.source, &file.document, entry, raw(file.document.format, value)?).ok()?
        } else {
            let (source, flag) = self.flag_on_launch_line(variant, setting)?;
            shell::set_flag(source, flag, word(value)?)?
        };
        let edits = renamed.edits.into_iter().chain([edit]).collect();
        Some(Rewrite { title: format!("set `{name}` instead"), edits, value: None })
    }

    /// How to give the key at a place another name.
    pub fn rename_at(&self, place: Span, name: &str) -> Option<Edit> {
        match self.file_at(place) {
            Some(file) => {
                let entry = edit::entry_at(&file.document, place)?;
                edit::rename_key(&file.source, &file.document, entry, name).ok().filter(|edit| file.holds(edit.span))
            }
            None => match self.assignment_at(place) {
                Some((key, _)) => Some(Edit { span: key, text: name.to_owned() }),
                None => self.only_flag_at(place).and_then(|(source, _, flag)| shell::rename_flag(source, flag, name)),
            },
        }
    }

    /// How to take the key at a place away.
    pub fn remove_at(&self, place: Span) -> Option<Edit> {
        if let Some(file) = self.file_at(place) {
            let entry = edit::entry_at(&file.document, place)?;
            return edit::remove_entry(&file.source, &file.document, entry).ok().filter(|edit| file.holds(edit.span));
        }
        let (source, launch, flag) = self.only_flag_at(place)?;
        shell::remove_flag(source, &launch.call, flag)
    }

    /// How to give the key at a place another value: a plain word, or a number.
    pub fn set_at(&self, place: Span, value: &str) -> Option<Edit> {
        match self.file_at(place) {
            Some(file) => {
                let entry = edit::entry_at(&file.document, place)?;
                let is_bare = matches!(file.document.format, Format::Yaml) || value.parse::<f64>().is_ok();
                let raw = if is_bare { value.to_owned() } else { format!("\"{value}\"") };
                edit::set_value(&file.source, &file.document, entry, &raw).ok().filter(|edit| file.holds(edit.span))
            }
            None => match self.assignment_at(place) {
                Some((_, old)) => Some(Edit { span: old, text: shell::quote(value) }),
                None => self.only_flag_at(place).and_then(|(source, _, flag)| shell::set_flag(source, flag, value)),
            },
        }
    }

    /// The key and the value of a word of a command, `model.lora_rank=8`, which only one command has.
    fn assignment_at(&self, place: Span) -> Option<(Span, Span)> {
        let mut commands = self.launches.iter().filter(|(_, launch)| {
            let mut flags = launch.flags.iter().filter(|flag| flag.span.contains(place));
            flags.any(|flag| flag.key.is_none() || flag.span != place)
        });
        let (source, _) = commands.next().filter(|_| commands.next().is_none())?;
        let (name, _) = source.slice(place).split_once('=')?;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        let end = place.start + name.len() as u32;
        let is_name = !name.is_empty() && name.bytes().all(is_part);
        is_name.then_some((Span { end, ..place }, Span { start: end + 1, ..place }))
    }

    /// The document of a path.
    pub fn document_named(&self, path: &std::path::Path) -> Option<(&std::path::Path, &crate::syntax::Document)> {
        let file = self.all().find(|file| file.path == path)?;
        Some((&file.path, &file.document))
    }

    /// The document that a path in another file means.
    pub fn document_from(&self, written: &str, from: &std::path::Path) -> Option<&crate::syntax::Document> {
        self.file_named(Some(written), from).map(|file| &*file.document)
    }

    /// The file that a place is in.
    pub fn path_at(&self, place: Span) -> Option<&std::path::Path> {
        let in_file = self.file_at(place).map(|file| file.path.as_path());
        let in_launch = || self.launches.iter().find(|(source, _)| source.id() == place.file);
        in_file.or_else(|| in_launch().map(|(source, _)| source.path()))
    }

    /// Every launch line, with the file that it stands in.
    pub fn launches(&self) -> impl Iterator<Item = (&SourceFile, &Launch)> {
        self.launches.iter().map(|(source, launch)| (&**source, launch))
    }

    /// Every argument file and configuration that was read, with its path.
    pub fn documents(&self) -> impl Iterator<Item = (&std::path::Path, &crate::syntax::Document)> {
        self.files.iter().map(|file| (&*file.path, &*file.document))
    }

    /// The command at a place.
    pub fn launch_at(&self, place: Span) -> Option<&Launch> {
        self.launches.iter().map(|(_, launch)| launch).find(|launch| launch.span == place)
    }

    /// The document that a place is in.
    pub fn document_at(&self, place: Span) -> Option<(&SourceFile, &crate::syntax::Document)> {
        self.file_at(place).map(|file| (&*file.source, &*file.document))
    }

    pub(super) fn file_at(&self, place: Span) -> Option<&ArgumentFile> {
        self.all().find(|file| file.holds(place))
    }

    fn all(&self) -> impl Iterator<Item = &ArgumentFile> {
        self.files.iter().chain(self.here.iter().map(|one| &one.file))
    }

    /// The flag at a place, where only one command has it.
    pub(super) fn only_flag_at(&self, place: Span) -> Option<(&SourceFile, &Launch, &Entry)> {
        let flags = self.launches.iter().flat_map(|(source, launch)| {
            let flags = launch.flags.iter().filter(|flag| flag.span == place);
            flags.map(move |flag| (&**source, launch, flag))
        });
        let mut flags = flags;
        flags.next().filter(|_| flags.next().is_none())
    }

    /// The word that a launch line gives to a flag, as written.
    pub fn word(&self, variant: &Variant, setting: &Setting) -> Option<&str> {
        match &self.flag_on_launch_line(variant, setting)?.1.value.kind {
            NodeKind::Scalar(Scalar::Str(word)) => Some(word),
            _ => None,
        }
    }

    /// The flag of a launch line that a setting is, with its words.
    pub fn flag(&self, variant: &Variant, setting: &Setting) -> Option<&Entry> {
        self.flag_on_launch_line(variant, setting).map(|(_, flag)| flag)
    }

    /// The entry of an argument file that a setting is.
    pub fn entry(&self, setting: &Setting) -> Option<&Entry> {
        edit::entry_at(&self.file_at(setting.origin)?.document, setting.origin)
    }

    fn flag_on_launch_line(&self, variant: &Variant, setting: &Setting) -> Option<(&SourceFile, &Entry)> {
        let (source, launch) = self.launches.iter().find(|(_, launch)| Some(launch.span) == variant.origin)?;
        Some((source, launch.flags.iter().find(|flag| flag.span == setting.origin)?))
    }

    fn on_launch_line(&self, variant: &Variant, setting: &Setting) -> Option<Rewrite> {
        let (source, launch) = self.launches.iter().find(|(_, launch)| Some(launch.span) == variant.origin)?;
        let flag = launch.flags.iter().find(|flag| flag.span == setting.origin)?;
        let writes =
            |(_, launch): &&(Arc<SourceFile>, Launch)| launch.flags.iter().any(|flag| flag.span == setting.origin);
        // An array or a variable that several commands use: another run would lose the setting, too.
        if self.launches.iter().filter(writes).count() > 1 {
            return None;
        }
        let edit = shell::remove_flag(source, &launch.call, flag)?;
        let title = format!("remove `--{}`", flag.name()?);
        Some(Rewrite { title, edits: vec![edit], value: None })
    }
}

/// A Python literal as a format writes it: lists, numbers and quoted strings are the same in all that have them.
fn raw(format: Format, value: &str) -> Option<&str> {
    match value {
        "True" => Some("true"),
        "False" => Some("false"),
        "None" => edit::null_value(format),
        _ if format == Format::Ini => word(value),
        _ => Some(value),
    }
}

/// A Python literal as one word of a command line; `None` for a list of several.
fn word(value: &str) -> Option<&str> {
    let item = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(value);
    let word = item.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(item);
    (!word.contains([',', '"', '['])).then_some(word)
}

fn in_argument_file(file: &ArgumentFile, setting: &Setting, change: Change) -> Option<Rewrite> {
    let (source, document) = (&file.source, &file.document);
    let entry: &Entry = edit::entry_at(document, setting.origin)?;
    let name = entry.name()?;
    let write = |raw: &str, value: Const| {
        let edits = vec![edit::set_value(source, document, entry, raw).ok()?];
        Some(Rewrite { title: format!("set `{name}` to `{raw}`"), edits, value: Some(value) })
    };
    let null = edit::null_value(document.format);
    match (change, null) {
        (Change::Unset, Some(null)) => write(null, Const::None),
        (Change::Off, _) if document.format != Format::Ini => write("false", Const::Bool(false)),
        _ => {
            let edits = vec![edit::remove_entry(source, document, entry).ok()?];
            Some(Rewrite { title: format!("remove `{name}`"), edits, value: None })
        }
    }
}
