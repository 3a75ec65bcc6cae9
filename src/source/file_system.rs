//! The only door to the disk: a trait, the real one and one in memory.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

/// Longer files are not read: spans are 32 bits.
pub const LONGEST: u64 = 1 << 30;

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// Path of the entry: the folder's path joined with its name.
    pub path: PathBuf,
    /// Whether it is a folder (links are followed).
    pub is_dir: bool,
}

/// What the layers above may ask of a disk.
pub trait FileSystem: Send + Sync {
    /// All bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The first bytes of a file, which may be much longer.
    fn read_start(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.read(path)?;
        bytes.truncate(length);
        Ok(bytes)
    }
    /// Whether `path` is a file.
    fn is_file(&self, path: &Path) -> bool;
    /// Whether `path` is a folder.
    fn is_dir(&self, path: &Path) -> bool;
    /// The entries of a folder, sorted by path.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>>;
    /// Replaces the content of a file in one step: a reader sees the old bytes or the new ones, never a mixture.
    ///
    /// Refuses with [`io::ErrorKind::InvalidData`] when the file no longer holds `expected`.
    fn replace(&self, path: &Path, expected: &[u8], new: &[u8]) -> io::Result<()>;
}

/// The disk.
#[derive(Debug, Default, Clone, Copy)]
pub struct OsFileSystem;

impl FileSystem for OsFileSystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if check_regular(path)?.len() > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        std::fs::read(path)
    }

    fn read_start(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        check_regular(path)?;
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || path.is_dir()
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        // The empty path is the working directory, as `Path::parent` makes it of `train.py`.
        let folder = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        for entry in std::fs::read_dir(folder)? {
            let path = path.join(entry?.file_name());
            entries.push(DirEntry { is_dir: path.is_dir(), path });
        }
        entries.sort_unstable();
        Ok(entries)
    }

    fn replace(&self, path: &Path, expected: &[u8], new: &[u8]) -> io::Result<()> {
        // A link is followed first: renaming over it would turn the link into a file.
        let path = std::fs::canonicalize(path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let metadata = std::fs::metadata(&path)?;
        if metadata.permissions().readonly() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
        }
        let mut temporary = tempfile::Builder::new().prefix(".dpo-lint-").tempfile_in(folder)?;
        temporary.write_all(new)?;
        temporary.as_file().set_permissions(metadata.permissions())?;
        temporary.as_file().sync_all()?;
        // Compare as late as possible, so that the window for a lost edit is one rename.
        if std::fs::read(&path)? != expected {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file changed while dpo-lint was running"));
        }
        temporary.persist(&path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Refuses what is no file: whoever opens a pipe waits for its other end, and a device may have no end at all.
fn check_regular(path: &Path) -> io::Result<std::fs::Metadata> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_file() {
        return Ok(metadata);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
}

/// Whether a file, or one that is to be made, really stands below a folder (both absolute): not outside of it, and not behind a link.
pub fn stands_below(folder: &Path, path: &Path) -> bool {
    // A link that leads nowhere is there, too.
    let Some(existing) = path.ancestors().find(|path| path.symlink_metadata().is_ok()) else { return false };
    let (Ok(relative), Ok(folder)) = (existing.strip_prefix(folder), folder.canonicalize()) else { return false };
    existing.canonicalize().is_ok_and(|real| real == folder.join(relative))
}

/// A disk in memory, for tests and for editors with unsaved text.
#[derive(Debug, Default, Clone)]
pub struct MemoryFileSystem {
    files: Arc<RwLock<BTreeMap<PathBuf, Vec<u8>>>>,
}

impl MemoryFileSystem {
    /// Puts a file there, replacing any.
    pub fn insert(&self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) {
        self.lock().insert(path.into(), content.into());
    }

    fn lock(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<PathBuf, Vec<u8>>> {
        self.files.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl FileSystem for MemoryFileSystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.lock().get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_file(&self, path: &Path) -> bool {
        self.lock().contains_key(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.lock().keys().any(|file| file != path && file.starts_with(path))
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let files = self.lock();
        let mut entries: Vec<DirEntry> = files
            .keys()
            .filter_map(|file| file.strip_prefix(path).ok())
            .filter_map(|rest| {
                let mut parts = rest.components();
                let first = parts.next()?;
                Some(DirEntry { path: path.join(first), is_dir: parts.next().is_some() })
            })
            .collect();
        entries.sort_unstable();
        entries.dedup();
        if entries.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(entries) }
    }

    fn replace(&self, path: &Path, expected: &[u8], new: &[u8]) -> io::Result<()> {
        match self.lock().get_mut(path) {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(content) if content != expected => Err(io::ErrorKind::InvalidData.into()),
            Some(content) => {
                *content = new.to_vec();
                Ok(())
            }
        }
    }
}
