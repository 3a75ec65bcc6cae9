//! pip's requirements and constraints files.

use super::statement::{Requirement, Statements, Writer};
use crate::source::SourceFile;
use crate::syntax::requirements::{self, Item};

/// Reads a requirements file: requirements, `-r`, `-c`, `-e`; other options say nothing about releases.
pub(super) fn read(source: &SourceFile) -> Statements {
    let file = requirements::parse(source);
    let mut writer = Writer::new(source);
    writer.syntax_errors(&file.errors);
    for item in &file.items {
        match item {
            Item::Requirement(read) => writer.declare(Requirement::of(read), read.span, None),
            Item::Include { path, .. } => writer.include(&path.text, path.span, true, None),
            Item::Path { .. } | Item::Setting { .. } | Item::Unknown(_) => {}
        }
    }
    writer.said
}
