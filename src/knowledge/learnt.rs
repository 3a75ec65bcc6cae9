//! Releases that are not built into the tool, mined from a user's own files.
//!
//! The text of one is a line that says what it is, and a line with the stored form of a package of this release alone. The
//! second line is parsed when it is first asked for; the first has its check sum.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::OnceLock;

use flate2::Crc;
use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::stored::Release;
use super::{LoadError, Package};

const SCHEMA: &str = include_str!("../../schemas/knowledge.schema.json");

/// One release.
#[derive(Debug)]
pub struct Learnt {
    head: Head,
    version: Version,
    body: String,
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
    /// The check sum of the second line.
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

impl Learnt {
    /// The newest release of a package that was mined. `source` says what from, so that another build of the same version
    /// can be told.
    pub fn new(package: &Package, source: String) -> Result<Self, LoadError> {
        let body = package.to_json().to_string();
        let failed = |what: String| LoadError::Content { package: package.name().to_owned(), what };
        let release = package.releases().last().cloned().ok_or_else(|| failed("no release".to_owned()))?;
        let version = Version::from_str(&release.version).map_err(|error| failed(error.to_string()))?;
        let head = Head { by: form(), package: package.name().to_owned(), release, source, sum: check_sum(&body) };
        Ok(Self { head, version, body, content: OnceLock::new() })
    }

    /// Reads what [`Self::text`] wrote.
    pub fn read(text: &str) -> Result<Self, LearntError> {
        let (head, body) = text.split_once('\n').ok_or(LearntError::Damaged)?;
        let head: Head = serde_json::from_str(head).map_err(|_| LearntError::Damaged)?;
        let body = body.trim_ascii_end().to_owned();
        let version = Version::from_str(&head.release.version).map_err(|_| LearntError::Damaged)?;
        match () {
            () if head.by != form() => Err(LearntError::Foreign),
            () if head.sum != check_sum(&body) => Err(LearntError::Damaged),
            () => Ok(Self { head, version, body, content: OnceLock::new() }),
        }
    }

    /// The text to be kept.
    pub fn text(&self) -> String {
        format!("{}\n{}\n", serde_json::to_string(&self.head).unwrap_or_default(), self.body)
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
        self.content.get_or_init(|| Package::load(&self.head.package, &self.body).unwrap_or_else(|_| empty()))
    }
}

/// This version of the tool and the stored form that it writes: a file by another is mined again.
fn form() -> String {
    format!("{}-{:08x}", env!("CARGO_PKG_VERSION"), check_sum(SCHEMA))
}

fn check_sum(text: &str) -> u32 {
    let mut sum = Crc::new();
    sum.update(text.as_bytes());
    sum.sum()
}
