//! Releases that are not built into the tool, mined from a user's own files.
//!
//! The file of one is a line that says what it is, and the parts of a package of this release alone, packed as those that are built in
//! (`pack`) and read when they are asked for; the line has their check sum.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::OnceLock;

use flate2::Crc;
use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::pack::{self, Compressor, Packing};
use super::parts::message;
use super::stored::Release;
use super::{LoadError, Package};

const SCHEMA: &str = include_str!("../../schemas/knowledge.schema.json");

/// One release.
#[derive(Debug)]
pub struct Learnt {
    head: Head,
    version: Version,
    body: Vec<u8>,
    content: OnceLock<Package>,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// Who mined it; see [`form`].
    by: String,
    package: String,
    release: Release,
    /// What it was mined from.
    source: String,
    /// Whether only some callables were mined.
    partial: bool,
    /// The length of what says where the parts are, and of the parts of modules; those of callables are the rest.
    lengths: (usize, usize),
    /// The check sum of all that.
    sum: u32,
}

/// Why the text of a release cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LearntError {
    /// Cut off, or something else altogether.
    #[error("it is damaged")]
    Damaged,
    /// The stored form, or the miner, is another one now.
    #[error("another version of dpo-lint made it")]
    Foreign,
}

/// What is learnt is packed for speed only: nothing counts as rare, and `dense` is never asked.
const FAST: Compressor = {
    let fast: fn(&[u8]) -> Vec<u8> = lz4_flex::block::compress_prepend_size;
    Compressor { fast, dense: fast, is_rare: |_| false }
};

impl Learnt {
    /// The newest release of a package that was mined. `source` says what from, so that another build of the same version
    /// can be told.
    pub fn new(package: &Package, source: String) -> Result<Self, LoadError> {
        let failed = |what: String| LoadError::Content { package: package.name().to_owned(), what };
        let release = package.releases().last().cloned().ok_or_else(|| failed("no release".to_owned()))?;
        let version = Version::from_str(&release.version).map_err(|error| failed(error.to_string()))?;
        let mut whole = package.to_json();
        let parts = |member: &str| -> Result<Packing, LoadError> {
            let members = whole.get_mut(member).map(serde_json::Value::take);
            let members = members.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
            let members: BTreeMap<String, serde_json::Value> = members;
            let parts =
                members.into_iter().map(|(name, part)| Ok((name, pack::written(&pack::paired(part, &|_| ()))?)));
            let parts = parts.collect::<Result<_, rmp_serde::encode::Error>>();
            let parts = parts.map_err(|error| failed(error.to_string()))?;
            pack::packed(&parts, FAST).ok_or_else(|| failed("it is too large".to_owned()))
        };
        let [exports, callables]: [Result<Packing, LoadError>; 2] = ["exports", "callables"].map(parts);
        let (exports, callables) = (exports?, callables?);
        let mut body = pack::written(&(&exports, &callables)).map_err(|error| failed(error.to_string()))?;
        let lengths = (body.len(), exports.data.len());
        body.extend(exports.data.iter().chain(&callables.data));
        let (by, package, partial) = (form(), package.name().to_owned(), package.is_partial());
        let head = Head { by, package, release, source, partial, lengths, sum: check_sum(&body) };
        Ok(Self { head, version, body, content: OnceLock::new() })
    }

    /// Reads what [`Self::bytes`] wrote.
    pub fn read(bytes: &[u8]) -> Result<Self, LearntError> {
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(LearntError::Damaged)?;
        let (head, body) = (&bytes[..end], &bytes[end + 1..]);
        let head = std::str::from_utf8(head).map_err(|_| LearntError::Damaged)?;
        let head: Head = serde_json::from_str(head).map_err(|_| LearntError::Damaged)?;
        let version = Version::from_str(&head.release.version).map_err(|_| LearntError::Damaged)?;
        match () {
            () if head.by != form() => Err(LearntError::Foreign),
            () if head.sum != check_sum(body) => Err(LearntError::Damaged),
            () => Ok(Self { head, version, body: body.to_vec(), content: OnceLock::new() }),
        }
    }

    /// What is to be kept.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(&self.head).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend(&self.body);
        bytes
    }

    /// Normalised distribution name.
    pub fn package(&self) -> &str {
        &self.head.package
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// What its metadata says.
    pub fn release(&self) -> &Release {
        &self.head.release
    }

    /// What it was mined from.
    pub fn source(&self) -> &str {
        &self.head.source
    }

    /// What was mined of it: a package that has this release only.
    pub(super) fn content(&self) -> &Package {
        let empty = || Package::new(self.head.package.clone(), Vec::new(), BTreeMap::new(), BTreeMap::new());
        self.content.get_or_init(|| self.open().unwrap_or_else(empty))
    }

    fn open(&self) -> Option<Package> {
        let Head { package, release, partial, lengths: (tables, exported), .. } = &self.head;
        let (tables, data) = self.body.split_at_checked(*tables)?;
        let (mut exports, mut callables): (Packing, Packing) = message(tables)?;
        let (exported, called) = data.split_at_checked(*exported)?;
        exports.data = exported.to_vec();
        callables.data = called.to_vec();
        Some(Package::learn(package.clone(), *partial, release.clone(), exports, callables))
    }
}

/// This version of the tool and the stored form that it writes: a file by another is mined again.
fn form() -> String {
    format!("{}-{:08x}", env!("CARGO_PKG_VERSION"), check_sum(SCHEMA.as_bytes()))
}

fn check_sum(bytes: &[u8]) -> u32 {
    let mut sum = Crc::new();
    sum.update(bytes);
    sum.sum()
}
