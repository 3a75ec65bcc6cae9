//! Paths and places as a reader wants them.

use std::path::{Component, Path};

/// A path as it is shown: relative to `folder` (absolute) where that is shorter to read, with forward slashes.
pub fn shown_path(folder: &Path, path: &Path) -> String {
    let shown = if path.is_absolute() { relative(folder, path) } else { path.to_path_buf() };
    if shown.as_os_str().is_empty() {
        return ".".to_owned();
    }
    shown.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}

/// `path` seen from `folder`; unchanged when they share no folder but the root.
fn relative(folder: &Path, path: &Path) -> std::path::PathBuf {
    let shared = folder.components().zip(path.components()).take_while(|(left, right)| left == right).count();
    if shared < 2 {
        return path.to_path_buf();
    }
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(path.components().skip(shared)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_working_folder() {
        for (path, expected) in [
            ("train.py", "train.py"),
            ("/home/me/project/a/train.py", "a/train.py"),
            ("/home/me/other.py", "../other.py"),
            ("/home/me/project", "."),
            ("/tmp/x.py", "/tmp/x.py"),
        ] {
            assert_eq!(shown_path(Path::new("/home/me/project"), Path::new(path)), expected);
        }
    }
}
