//! What `--diff` prints: a patch that `git apply` and `patch -p1` take.

use std::fmt::Write as _;
use std::path::{Component, Path};

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::udiff::UnifiedHunkHeader;
use similar::{DiffOp, DiffTag, group_diff_ops};

use super::repair::ChangedFile;

/// Lines around a change that are shown.
const CONTEXT: usize = 3;

/// The changes of all files as one unified diff.
pub fn diff(files: &[ChangedFile]) -> String {
    let mut out = String::new();
    for file in files.iter().filter(|file| file.before != file.after) {
        let path = slashed(&file.path);
        // Writing to a string cannot fail.
        let _ = write!(out, "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n");
        let [old, new] = [&file.before, &file.after].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
        for hunk in group_diff_ops(changes(&old, &new), CONTEXT) {
            let _ = writeln!(out, "{}", UnifiedHunkHeader::new(&hunk));
            for (tag, old_range, new_range) in hunk.iter().map(DiffOp::as_tag_tuple) {
                if tag == DiffTag::Equal {
                    write_lines(&mut out, ' ', &old[old_range]);
                } else {
                    write_lines(&mut out, '-', &old[old_range]);
                    write_lines(&mut out, '+', &new[new_range]);
                }
            }
        }
    }
    out
}

/// How one list of lines becomes another. The algorithm is named here: through `TextDiff`, which chooses one at run time, all six of
/// the crate would become part of the program, a third of a megabyte.
fn changes(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let mut found = Compact::new(Replace::new(Capture::new()), old, new);
    let Ok(()) = myers::diff(&mut found, old, 0..old.len(), new, 0..new.len());
    found.into_inner().into_inner().into_ops()
}

fn write_lines(out: &mut String, sign: char, lines: &[&str]) {
    for line in lines {
        out.push(sign);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// A path as patches write it: relative, with slashes.
fn slashed(path: &Path) -> String {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, before: &str, after: &str) -> ChangedFile {
        ChangedFile { path: path.into(), before: before.into(), after: after.into() }
    }

    #[test]
    fn a_patch_per_changed_file() {
        let files = [file("./a/b.py", "1\n2\n3\n", "1\nx\n3\n"), file("same", "1", "1"), file("c.sh", "y", "z")];
        let expected = "diff --git a/a/b.py b/a/b.py\n--- a/a/b.py\n+++ b/a/b.py\n@@ -1,3 +1,3 @@\n 1\n-2\n+x\n 3\n\
            diff --git a/c.sh b/c.sh\n--- a/c.sh\n+++ b/c.sh\n@@ -1 +1 @@\n-y\n\\ No newline at end of file\n+z\n\
            \\ No newline at end of file\n";
        assert_eq!(diff(&files), expected);
    }

    #[test]
    fn windows_lines_stay() {
        let patch = diff(&[file("a.py", "1\r\n2\r\n", "1\r\n3\r\n")]);
        assert!(patch.ends_with(" 1\r\n-2\r\n+3\r\n"), "{patch:?}");
    }
}
