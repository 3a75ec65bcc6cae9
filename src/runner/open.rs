//! Files that a user names, opened so that nothing waits: a pipe waits for its other end, and a device may have no end at all.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Opens a regular file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path)?.is_file() {
        return File::open(path);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
}

/// All of a regular file.
pub(super) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same as text.
pub(super) fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_pipe() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        for error in [open(&path).err(), bytes(&path).err(), text(&path).err(), text(folder.path()).err()] {
            assert_eq!(error.expect("refused").to_string(), "it is no regular file");
        }
        std::fs::write(folder.path().join("a"), "b").expect("a file");
        assert_eq!(text(&folder.path().join("a")).expect("text"), "b");
    }
}
