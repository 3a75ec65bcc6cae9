//! A disk with some files replaced in memory: standard input under a file's name, fixes that are shown and not written.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use super::{DirEntry, FileSystem};

/// Reads what was put or written here first, everything else from the disk below, and never writes to that.
pub struct Overlay<'a> {
    below: &'a dyn FileSystem,
    files: RwLock<BTreeMap<PathBuf, Vec<u8>>>,
}

impl<'a> Overlay<'a> {
    /// An overlay without files of its own.
    pub fn new(below: &'a dyn FileSystem) -> Self {
        Self { below, files: RwLock::default() }
    }

    /// Puts a file there, whether or not it exists below.
    pub fn insert(&self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) {
        self.files.write().unwrap_or_else(PoisonError::into_inner).insert(path.into(), content.into());
    }

    /// The files that differ from those below, by path.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl FileSystem for Overlay<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let own = self.files.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        own.map_or_else(|| self.below.read(path), Ok)
    }

    fn read_start(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        let own = self.files.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        own.map_or_else(|| self.below.read_start(path, length), |own| Ok(own.into_iter().take(length).collect()))
    }

    fn is_file(&self, path: &Path) -> bool {
        self.files.read().unwrap_or_else(PoisonError::into_inner).contains_key(path) || self.below.is_file(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        let holds = |file: &PathBuf| file.parent().is_some_and(|folder| folder.starts_with(path));
        self.below.is_dir(path) || self.files.read().unwrap_or_else(PoisonError::into_inner).keys().any(holds)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = self.below.read_dir(path)?;
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let own = files.keys().filter(|file| file.parent() == Some(path));
        entries.extend(own.map(|file| DirEntry { path: file.clone(), is_dir: false }));
        entries.sort_unstable();
        entries.dedup();
        Ok(entries)
    }

    fn replace(&self, path: &Path, expected: &[u8], new: &[u8]) -> io::Result<()> {
        if self.read(path)? != expected {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.insert(path, new);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemoryFileSystem;

    #[test]
    fn writes_stay_above() {
        let below = MemoryFileSystem::default();
        below.insert("a/x.py", "old");
        let overlay = Overlay::new(&below);
        overlay.insert("a/y.py", "stdin");
        let x = Path::new("a/x.py");
        overlay.replace(x, b"old", b"new").expect("the bytes are those below");
        assert!(overlay.replace(x, b"old", b"newer").is_err());
        assert_eq!(overlay.read(x).expect("a file"), b"new");
        assert_eq!(below.read(x).expect("a file"), b"old");
        let names: Vec<_> = overlay.read_dir(Path::new("a")).expect("a folder").into_iter().map(|e| e.path).collect();
        assert_eq!(names, [PathBuf::from("a/x.py"), PathBuf::from("a/y.py")]);
        assert_eq!(overlay.files().len(), 2);
    }
}
