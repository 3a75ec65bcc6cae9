//! Text and places in it: files, byte spans, lines and columns, and the only door to the disk.
//!
//! This layer knows no format. A [`Span`] is bytes; lines and columns exist only at the rim
//! ([`SourceFile::position`]), because every parser here counts bytes and every reader counts something else.

mod file_system;
mod overlay;
mod relative;
mod similar;
mod sources;

pub use file_system::{DirEntry, FileSystem, LONGEST, MemoryFileSystem, OsFileSystem, stands_below};
pub use overlay::Overlay;
pub use relative::{relative, slashed};
pub use similar::did_you_mean;
pub use sources::{Position, ReadError, SourceFile, Sources};

/// A file of one run of the tool, an index into [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub(crate) u32);

/// A half-open range of bytes in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file the bytes belong to.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        debug_assert!(start <= end);
        Self { file, start: start as u32, end: end as u32 }
    }

    /// The bytes as a range for slicing.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The smallest span that covers both; both must lie in one file.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        debug_assert_eq!(self.file, other.file);
        Self { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Whether `other` lies inside this span.
    pub fn contains(self, other: Self) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }

    /// Whether the two share a byte or touch.
    pub fn touches(self, other: Self) -> bool {
        self.file == other.file && self.start <= other.end && other.start <= self.end
    }
}
