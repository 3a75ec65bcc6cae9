//! Changed files go to the disk: each in one step, and all of them or none.

use std::io;
use std::path::PathBuf;

use super::ChangedFile;
use crate::source::FileSystem;

/// Why the files were not written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}{}", path.display(), left(not_restored))]
pub struct WriteError {
    /// The file that could not be written.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
    /// Files that were written before it and could not be put back.
    pub not_restored: Vec<PathBuf>,
}

/// Writes every file, or none: when one fails, those before it are put back as they were.
pub fn write(files: &[ChangedFile], file_system: &dyn FileSystem) -> Result<(), WriteError> {
    // Most failures (a file that an editor changed meanwhile) are seen before anything is written.
    for file in files {
        let fail = |source| WriteError { path: file.path.clone(), source, not_restored: Vec::new() };
        if file_system.read(&file.path).map_err(fail)? != file.before.as_bytes() {
            let changed = io::Error::new(io::ErrorKind::InvalidData, "the file changed while dpo-lint was running");
            return Err(fail(changed));
        }
    }
    for (index, file) in files.iter().enumerate() {
        if let Err(source) = file_system.replace(&file.path, file.before.as_bytes(), file.after.as_bytes()) {
            return Err(WriteError {
                path: file.path.clone(),
                source,
                not_restored: restore(&files[..index], file_system),
            });
        }
    }
    Ok(())
}

/// Puts written files back, and returns those that resisted.
fn restore(written: &[ChangedFile], file_system: &dyn FileSystem) -> Vec<PathBuf> {
    let resists =
        |file: &&ChangedFile| file_system.replace(&file.path, file.after.as_bytes(), file.before.as_bytes()).is_err();
    written.iter().filter(resists).map(|file| file.path.clone()).collect()
}

fn left(files: &[PathBuf]) -> String {
    if files.is_empty() {
        return "; no file was changed".to_owned();
    }
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    format!("; changed already and not put back: {}", names.join(", "))
}
