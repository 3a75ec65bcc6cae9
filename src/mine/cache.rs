//! Releases that were mined for a user, one file each.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::knowledge::Learnt;

/// A folder of learnt releases.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache in a folder, which need not exist.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All releases in it, sorted by file name, and what is wrong with files that cannot be used.
    pub fn load(&self) -> (Vec<Learnt>, Vec<String>) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return (Vec::new(), Vec::new()) };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
        paths.sort_unstable();
        let (mut learnt, mut wrong) = (Vec::new(), Vec::new());
        for path in paths {
            let say = |what: &dyn std::fmt::Display| {
                format!("{} is left out: {what}; `dpo-lint learn` makes it anew", path.display())
            };
            match std::fs::read(&path).map(|bytes| Learnt::read(&bytes)) {
                Ok(Ok(one)) => learnt.push(one),
                Ok(Err(error)) => wrong.push(say(&error)),
                Err(error) => wrong.push(say(&error)),
            }
        }
        (learnt, wrong)
    }

    /// Adds a release, in the place of what it had of the same version: wholly, or not at all.
    pub fn keep(&self, learnt: &Learnt) -> io::Result<PathBuf> {
        std::fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(format!("{}-{}.{EXTENSION}", learnt.package(), learnt.version()));
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&learnt.bytes())?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(path)
    }
}

const EXTENSION: &str = "learnt";
