//! Parts as they are packed: by `build.rs` what is built into the tool, by the tool itself what it learns. `parts` reads them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Parts are compressed together up to this length: more would save space and take longer to unpack.
const CHUNK: usize = 8 << 10;

/// Of what is seldom asked for.
const LARGE_CHUNK: usize = 32 << 10;

/// Set in the length that stands before a block, four bytes, the lowest first: it is deflated. Else it is LZ4.
pub(crate) const DEFLATED: u32 = 1 << 31;

/// Makes blocks of bytes, the length of them before each.
#[derive(Clone, Copy)]
pub(crate) struct Compressor {
    /// For speed.
    pub(crate) fast: fn(&[u8]) -> Vec<u8>,
    /// For space.
    pub(crate) dense: fn(&[u8]) -> Vec<u8>,
    /// Whether a part of this name is so seldom asked for that space counts.
    pub(crate) is_rare: fn(&str) -> bool,
}

/// Packed parts, sorted by name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Packing {
    /// All names in a row.
    pub(crate) names: String,
    /// Where the name and the data of each part start; the last pair is where they end.
    pub(crate) parts: Vec<(u32, u32)>,
    /// The first part of each chunk and where its data starts; the last pair is where they end.
    pub(crate) chunks: Vec<(u32, u32)>,
    /// Compressed chunks, each of whole parts in a row. It is written by itself.
    #[serde(skip)]
    pub(crate) data: Vec<u8>,
}

/// Packs parts; `None` where they are longer than the offsets reach.
pub(crate) fn packed(parts: &BTreeMap<String, Vec<u8>>, compressor: Compressor) -> Option<Packing> {
    let ways = |is_rare: bool| if is_rare { (LARGE_CHUNK, compressor.dense) } else { (CHUNK, compressor.fast) };
    let mut packing = Packing { chunks: vec![(0, 0)], ..Packing::default() };
    let (mut chunk, mut length, mut is_rare) = (Vec::new(), 0, false);
    let pair = |one: usize, other: usize| Some((u32::try_from(one).ok()?, u32::try_from(other).ok()?));
    for (part, bytes) in parts {
        let (longest, compress) = ways(is_rare);
        let changes = (compressor.is_rare)(part) != is_rare;
        if !chunk.is_empty() && (changes || chunk.len() + bytes.len() > longest) {
            packing.data.extend(compress(&chunk));
            packing.chunks.push(pair(packing.parts.len(), packing.data.len())?);
            chunk.clear();
        }
        is_rare ^= changes;
        packing.parts.push(pair(packing.names.len(), length)?);
        packing.names.push_str(part);
        chunk.extend(bytes);
        length += bytes.len();
    }
    packing.data.extend(ways(is_rare).1(&chunk));
    packing.chunks.push(pair(packing.parts.len(), packing.data.len())?);
    packing.parts.push(pair(packing.names.len(), length)?);
    Some(packing)
}

/// As `MessagePack`, members by name.
pub(crate) fn written(value: &impl Serialize) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    rmp_serde::to_vec_named(value)
}

/// The members of callables that are interval texts.
const INTERVALS: [&str; 4] = ["in", "inherits", "any_positional", "any_keyword"];

/// The member of a list of names; see `Names` in `src/knowledge/stored.rs`.
const NAMES: &str = "names";

fn joined(names: &[Value]) -> String {
    names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

/// Facts written as pairs of the releases and what holds there; see `Fact` in `src/knowledge/stored.rs`. `place` rewrites every
/// interval text.
pub(crate) fn paired(mut value: Value, place: &impl Fn(&mut String)) -> Value {
    pair(&mut value, place);
    value
}

fn pair(value: &mut Value, place: &impl Fn(&mut String)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(releases) if INTERVALS.contains(&name.as_str()) => place(releases),
                    Value::Array(names) if name == NAMES => *member = joined(names).into(),
                    member => pair(member, place),
                }
            }
        }
        Value::Array(items) => {
            for item in items.iter_mut() {
                if let Some(fact) = item.as_object_mut() {
                    let mut releases = fact.remove("in").unwrap_or_else(|| String::new().into());
                    if let Value::String(releases) = &mut releases {
                        place(releases);
                    }
                    *item = vec![releases, std::mem::take(item)].into();
                }
            }
        }
        _ => {}
    }
}
