//! The parts of a stored file (modules, callables), read one by one.
//!
//! What is built into the tool is packed by `build.rs`: a run asks for a handful of thousands of parts, so only the chunks
//! that hold those are unpacked, and only those parts are parsed.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Bound;
use std::sync::{Mutex, OnceLock, PoisonError};

use flate2::read::DeflateDecoder;
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::pack::{DEFLATED, Packing};

/// A stored file as `build.rs` packs it.
#[derive(Debug)]
pub(super) struct Stored {
    /// Normalised distribution name.
    pub(super) name: &'static str,
    /// Whether only some callables were mined.
    pub(super) partial: bool,
    /// The releases without what they require.
    pub(super) releases: &'static [u8],
    /// The releases with it, compressed.
    pub(super) requirements: &'static [u8],
    /// What releases require without extras: each requirement with its runs of releases.
    pub(super) needs: &'static [u8],
    /// The same of requirements that an extra brings.
    pub(super) extra_needs: &'static [u8],
    /// Modules by name.
    pub(super) exports: Table,
    /// Callables by full name.
    pub(super) callables: Table,
}

/// The imports of a library as `build.rs` packs them.
#[derive(Debug)]
pub(super) struct StoredImports {
    /// Normalised distribution name.
    pub(super) name: &'static str,
    /// What is checked at run time.
    pub(super) checks: &'static [u8],
    /// Modules by name.
    pub(super) modules: Table,
}

/// Packed parts as they are built in; see [`Packing`]. All numbers are offsets, so that the program has nothing to relocate when it
/// starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    /// Compressed.
    pub(super) names: &'static [u8],
    pub(super) parts: &'static [(u32, u32)],
    pub(super) chunks: &'static [(u32, u32)],
    pub(super) data: &'static [u8],
}

/// Packed parts, to be searched.
#[derive(Debug, Clone, Copy)]
struct Opened<'t> {
    names: &'t str,
    parts: &'t [(u32, u32)],
    chunks: &'t [(u32, u32)],
    data: &'t [u8],
}

/// Where packed parts are.
#[derive(Debug)]
enum Source {
    /// Built into the tool; the names are there once they are asked for.
    Built(Table, OnceLock<String>),
    /// In a file of the user.
    Read(Packing),
}

/// Parts by name.
#[derive(Debug)]
pub(super) enum Parts<T> {
    /// Read as a whole: mined just now.
    Whole(BTreeMap<String, T>),
    /// Built into the tool, or learnt.
    Packed(Packed<T>),
}

/// Packed parts, as far as they were asked for.
#[derive(Debug)]
pub(super) struct Packed<T> {
    source: Source,
    chunks: Box<[OnceLock<Chunk<T>>]>,
    /// Where names were found: a few are asked for again and again.
    found: Mutex<FxHashMap<String, Option<usize>>>,
}

/// An unpacked chunk.
#[derive(Debug)]
struct Chunk<T> {
    data: Vec<u8>,
    parts: Box<[OnceLock<Option<Box<T>>>]>,
}

impl<T: DeserializeOwned> Parts<T> {
    /// Parts that are built into the tool.
    pub(super) fn packed(table: Table) -> Self {
        Self::of(Source::Built(table, OnceLock::new()))
    }

    /// Parts of a file of the user.
    pub(super) fn read(packing: Packing) -> Self {
        Self::of(Source::Read(packing))
    }

    fn of(source: Source) -> Self {
        let count = source.chunks().len().saturating_sub(1);
        let chunks = std::iter::repeat_with(OnceLock::new).take(count).collect();
        Self::Packed(Packed { source, chunks, found: Mutex::default() })
    }

    /// All names, sorted.
    pub(super) fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Whole(parts) => Box::new(parts.keys().map(String::as_str)),
            Self::Packed(packed) => {
                let table = packed.source.table();
                Box::new((0..table.len()).map(move |index| table.name(index)))
            }
        }
    }

    /// The part of this name.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        match self {
            Self::Whole(parts) => parts.get(name),
            Self::Packed(packed) => packed.last_up_to(name, |found| found == name),
        }
    }

    /// The last part whose name does not come after this one, if that is meant.
    pub(super) fn last_up_to(&self, name: &str, is_meant: impl Fn(&str) -> bool) -> Option<&T> {
        match self {
            Self::Whole(parts) => {
                let (found, part) = parts.range::<str, _>((Bound::Unbounded, Bound::Included(name))).next_back()?;
                is_meant(found).then_some(part)
            }
            Self::Packed(packed) => packed.last_up_to(name, is_meant),
        }
    }
}

impl<T: DeserializeOwned> Packed<T> {
    fn last_up_to(&self, name: &str, is_meant: impl Fn(&str) -> bool) -> Option<&T> {
        let known = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        let found = known.unwrap_or_else(|| {
            let table = self.source.table();
            let found = table.last_up_to(name).filter(|index| is_meant(table.name(*index)));
            self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), found);
            found
        });
        self.part(found?)
    }

    fn part(&self, index: usize) -> Option<&T> {
        let table = self.source.table();
        let at = table.chunks.partition_point(|(first, _)| *first as usize <= index) - 1;
        let first = table.chunks[at].0 as usize;
        let chunk = self.chunks.get(at)?.get_or_init(|| self.unpack(at));
        let start = |part: usize| (table.parts[part].1 - table.parts[first].1) as usize;
        let read = || message(chunk.data.get(start(index)..start(index + 1))?);
        chunk.parts.get(index - first)?.get_or_init(read).as_deref()
    }

    fn unpack(&self, at: usize) -> Chunk<T> {
        let table = self.source.table();
        let ((first, from), (end, to)) = (table.chunks[at], table.chunks[at + 1]);
        let parts = std::iter::repeat_with(OnceLock::new).take((end - first) as usize).collect();
        Chunk { data: unpack(&table.data[from as usize..to as usize]), parts }
    }
}

impl Source {
    fn table(&self) -> Opened<'_> {
        match self {
            Self::Built(Table { names, parts, chunks, data }, opened) => {
                let names = opened.get_or_init(|| text(names).unwrap_or_default());
                Opened { names, parts, chunks, data }
            }
            Self::Read(Packing { names, parts, chunks, data }) => Opened { names, parts, chunks, data },
        }
    }

    fn chunks(&self) -> &[(u32, u32)] {
        match self {
            Self::Built(table, _) => table.chunks,
            Self::Read(packing) => &packing.chunks,
        }
    }
}

impl<'t> Opened<'t> {
    fn len(self) -> usize {
        self.parts.len().saturating_sub(1)
    }

    fn name(self, index: usize) -> &'t str {
        self.names.get(self.parts[index].0 as usize..self.parts[index + 1].0 as usize).unwrap_or_default()
    }

    /// The last part whose name does not come after this one.
    fn last_up_to(self, name: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.name(middle) <= name {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1)
    }
}

/// What was packed, which is `MessagePack`; `None` if it is damaged, which a test of the build would tell.
pub(super) fn message<T: DeserializeOwned>(data: &[u8]) -> Option<T> {
    rmp_serde::from_slice(data).ok()
}

/// A file that was written by hand, which is compressed JSON; `None` if it is damaged, which a test would tell.
pub(super) fn by_hand<T: DeserializeOwned>(data: &[u8]) -> Option<T> {
    // From bytes it would be read by a second copy of the code that reads texts, a fifth of a megabyte.
    serde_json::from_str(&text(data)?).ok()
}

/// A compressed text; `None` if it is damaged.
fn text(data: &[u8]) -> Option<String> {
    String::from_utf8(unpack(data)).ok()
}

/// Compressed data; empty if it is damaged.
pub(super) fn unpack(data: &[u8]) -> Vec<u8> {
    let length = data.first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
    if length & DEFLATED == 0 {
        return lz4_flex::block::decompress_size_prepended(data).unwrap_or_default();
    }
    let mut bytes = Vec::new();
    let read = DeflateDecoder::new(&data[size_of::<u32>()..]).read_to_end(&mut bytes);
    read.map(|_| bytes).unwrap_or_default()
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Parts<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::Whole)
    }
}

impl<T: Serialize + DeserializeOwned> Serialize for Parts<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.names().map(|name| (name, self.get(name))))
    }
}
