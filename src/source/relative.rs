//! Paths seen from a folder.

use std::path::{Component, MAIN_SEPARATOR, Path, PathBuf};

/// `path` seen from `folder`, both absolute; unchanged when they share no folder but the root.
pub fn relative(folder: &Path, path: &Path) -> PathBuf {
    let shared = folder.components().zip(path.components()).take_while(|(left, right)| left == right).count();
    if shared < 2 {
        return path.to_path_buf();
    }
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(path.components().skip(shared)).collect()
}

/// A path as text that is the same on every system: with forward slashes.
pub fn slashed(path: &Path) -> String {
    path.to_string_lossy().replace(MAIN_SEPARATOR, "/")
}
