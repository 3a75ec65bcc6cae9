//! The files of one run, and where a byte is for a reader.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, RwLock};

use super::{FileId, FileSystem, LONGEST, Span};

/// A place as editors count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in Unicode scalar values, from 1.
    pub column: usize,
}

/// Why a file could not become text. Each names the place where that is possible.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system said no.
    #[error("cannot read {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not UTF-8.
    #[error("{path}:{line}: not UTF-8 (byte {offset})", path = path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line of the first bad byte, from 1.
        line: usize,
        /// Offset of the first bad byte.
        offset: usize,
    },
    /// Spans are 32 bits.
    #[error("{path}: larger than 1 GiB", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

/// A file that was read: its path as the user would write it, and its text with any byte-order mark still in it.
#[derive(Debug)]
pub struct SourceFile {
    id: FileId,
    path: PathBuf,
    text: Arc<str>,
    line_starts: OnceLock<Vec<u32>>,
}

impl SourceFile {
    /// The identity used by spans.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// Path as given or found, relative to the working directory where possible.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text, exactly the bytes on disk.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a span of this file; empty where the span does not fit.
    pub fn slice(&self, span: Span) -> &str {
        debug_assert_eq!(span.file, self.id);
        self.text.get(span.range()).unwrap_or("")
    }

    /// A span of this file.
    pub fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(self.id, range.start, range.end)
    }

    /// The same file with blanks for all but a part of it: what another parser reads there has the places of the whole.
    #[must_use]
    pub fn only(&self, part: std::ops::Range<usize>) -> Self {
        let blank = |text: &str| text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect::<String>();
        let (before, inside, after) =
            (self.text.get(..part.start), self.text.get(part.clone()), self.text.get(part.end..));
        let parts = [before.map(blank), inside.map(str::to_owned), after.map(blank)];
        let text: String = parts.into_iter().flatten().collect();
        Self { id: self.id, path: self.path.clone(), text: text.into(), line_starts: OnceLock::new() }
    }

    /// Line and column of a byte; an offset past the end is the end.
    pub fn position(&self, offset: u32) -> Position {
        let starts = self.line_starts();
        let line = starts.partition_point(|&start| start <= offset).max(1);
        let start = starts[line - 1] as usize;
        let end = (offset as usize).min(self.text.len());
        let before = self.text.as_bytes().get(start..end).unwrap_or(&[]);
        let bom = usize::from(start == 0 && before.starts_with("\u{feff}".as_bytes()));
        // Count scalar values: every byte that does not continue one starts one.
        let column = before.iter().filter(|byte| (**byte & 0xC0) != 0x80).count() + 1 - bom;
        Position { line, column }
    }

    /// Byte offset at which each line starts.
    pub fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let newlines = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(newlines.map(|(at, _)| at as u32 + 1)).collect()
        })
    }
}

/// All files that were read in this run. Shared between threads; a file is read once.
#[derive(Debug, Default)]
pub struct Sources {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    files: Vec<Arc<SourceFile>>,
    by_path: BTreeMap<PathBuf, FileId>,
}

impl Sources {
    /// Reads `path` through `file_system`, or returns what was read before.
    pub fn read(&self, file_system: &dyn FileSystem, path: &Path) -> Result<Arc<SourceFile>, ReadError> {
        if let Some(found) = self.find(path) {
            return Ok(found);
        }
        let bytes = file_system.read(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::FileTooLarge => ReadError::TooLarge { path: path.to_path_buf() },
            _ => ReadError::Io { path: path.to_path_buf(), source },
        })?;
        if bytes.len() as u64 > LONGEST {
            return Err(ReadError::TooLarge { path: path.to_path_buf() });
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
            ReadError::NotUtf8 { path: path.to_path_buf(), line, offset }
        })?;
        Ok(self.add(path.to_path_buf(), text))
    }

    /// Adds a text that is not on disk (standard input, a test).
    pub fn add(&self, path: PathBuf, text: impl Into<Arc<str>>) -> Arc<SourceFile> {
        let mut inner = self.inner.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let id = FileId(inner.files.len() as u32);
        let file = Arc::new(SourceFile { id, path: path.clone(), text: text.into(), line_starts: OnceLock::new() });
        inner.files.push(Arc::clone(&file));
        inner.by_path.insert(path, id);
        file
    }

    /// The file of an id handed out by this collection.
    pub fn get(&self, id: FileId) -> Arc<SourceFile> {
        let inner = self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(&inner.files[id.0 as usize])
    }

    /// A file that was read already.
    pub fn find(&self, path: &Path) -> Option<Arc<SourceFile>> {
        let inner = self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.by_path.get(path).map(|id| Arc::clone(&inner.files[id.0 as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_scalar_values_and_skip_the_byte_order_mark() {
        let sources = Sources::default();
        let file = sources.add("a.py".into(), "\u{feff}x = '中'\ny\r\nz");
        let at = |needle: &str| file.position(file.text().find(needle).unwrap_or(0) as u32);
        assert_eq!(at("x"), Position { line: 1, column: 1 });
        assert_eq!(at("'\n"), Position { line: 1, column: 7 });
        assert_eq!(at("y"), Position { line: 2, column: 1 });
        assert_eq!(at("z"), Position { line: 3, column: 1 });
        assert_eq!(file.position(999).line, 3);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_reported_with_their_line() {
        let disk = super::super::MemoryFileSystem::default();
        disk.insert("bad.py", b"ok\n\xff".to_vec());
        let error = Sources::default().read(&disk, Path::new("bad.py")).expect_err("not UTF-8");
        assert_eq!(error.to_string(), "bad.py:2: not UTF-8 (byte 3)");
    }
}
