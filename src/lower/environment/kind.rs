//! Which files declare packages, by their name, and whom a file governs.

use std::path::{Path, PathBuf};

/// A kind of declaring file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Requirements,
    Constraints,
    Pyproject,
    SetupPy,
    SetupCfg,
    Conda,
    UvLock,
    /// `[[package]]` or `[[packages]]` with a name and a version: poetry, pdm, PEP 751.
    Lock,
    Pipfile,
    PipfileLock,
    Pixi,
    PixiLock,
    Dockerfile,
    Shell,
    Makefile,
    Notebook,
    /// A script with an inline header (PEP 723).
    Script,
    /// A notebook that was exported as a script, told by its content.
    Exported,
}

/// How close a declaration is to a script. Ordered: the first that declares a package decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    /// The script's own header.
    Header,
    /// An install in the notebook itself, or in the shell script that starts it.
    Local,
    /// The project's declarations.
    Project,
    /// Files for another purpose: development, tests, documentation.
    Purpose,
    /// Installs in shell scripts that start something else.
    Elsewhere,
}

/// Folders that hold declarations of the folder above.
const AUXILIARY: [&str; 12] = [
    "requirements",
    "reqs",
    "constraints",
    "docker",
    "dockerfiles",
    ".github",
    ".devcontainer",
    "envs",
    "environments",
    "environment",
    "conda",
    "workflows",
];

/// Words in a file name that say that training is not what it is for.
const PURPOSES: [&str; 14] = [
    "dev",
    "develop",
    "development",
    "test",
    "tests",
    "testing",
    "doc",
    "docs",
    "lint",
    "quality",
    "style",
    "ci",
    "build",
    "tools",
];

impl Kind {
    /// The kind of a file, or `None` when it declares nothing.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("");
        let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
        Some(match (name.as_str(), extension) {
            ("pyproject.toml", _) => Self::Pyproject,
            ("setup.py", _) => Self::SetupPy,
            ("setup.cfg", _) => Self::SetupCfg,
            ("uv.lock", _) => Self::UvLock,
            ("poetry.lock" | "pdm.lock", _) => Self::Lock,
            ("pipfile", _) => Self::Pipfile,
            ("pipfile.lock", _) => Self::PipfileLock,
            ("pixi.toml", _) => Self::Pixi,
            ("pixi.lock", _) => Self::PixiLock,
            ("makefile" | "gnumakefile", _) | (_, "mk") => Self::Makefile,
            (_, "toml") if stem == "pylock" || stem.starts_with("pylock.") => Self::Lock,
            (_, "lock") if is_script_lock(path) => Self::UvLock,
            (_, "txt" | "in" | "pip" | "lock") if stem.contains("requirements") || stem == "reqs" => Self::Requirements,
            (_, "txt" | "in") if stem.contains("constraints") => Self::Constraints,
            (_, "txt" | "in") if matches!(folder, "requirements" | "reqs") => Self::Requirements,
            (_, "txt") if folder == "constraints" => Self::Constraints,
            (_, "yml" | "yaml") if is_conda(stem, folder) => Self::Conda,
            (_, "sh" | "bash" | "zsh" | "slurm" | "sbatch") => Self::Shell,
            (_, "ipynb") => Self::Notebook,
            (_, "py") => Self::Script,
            _ if is_dockerfile(&name, extension) => Self::Dockerfile,
            _ => return None,
        })
    }

    /// How close such a file is to the scripts of its folder.
    pub(super) fn tier(self, path: &Path) -> Tier {
        match self {
            Self::Script => Tier::Header,
            Self::Notebook | Self::Exported => Tier::Local,
            Self::Shell | Self::Makefile => Tier::Elsewhere,
            // Constraints that nothing refers to.
            Self::Constraints => Tier::Purpose,
            _ if is_script_lock(path) => Tier::Header,
            _ if has_other_purpose(path) => Tier::Purpose,
            _ => Tier::Project,
        }
    }

    /// Which of several files that contradict each other a reader would take first.
    pub(super) fn standing(self, path: &Path) -> Standing {
        match self {
            Self::Requirements | Self::Conda => {
                let own = words(path).into_iter().filter(|word| !BARE_WORDS.contains(&word.as_str()));
                let own: Vec<String> = own.collect();
                let is_usual =
                    |word: &String| USUAL.contains(&word.as_str()) || word.contains(|c: char| c.is_ascii_digit());
                if own.is_empty() {
                    Standing::Canonical
                } else if own.iter().all(is_usual) {
                    Standing::Variant
                } else {
                    Standing::Special
                }
            }
            Self::Dockerfile | Self::Shell | Self::Makefile => Standing::Command,
            _ => Standing::Canonical,
        }
    }

    /// Whether the file is a list of what a project needs.
    pub(super) fn is_list(self) -> bool {
        !self.is_sequence() && self != Self::Script
    }

    /// Whether the file is a list of commands: each installs by itself, the last one to say something has the last word.
    pub(super) fn is_sequence(self) -> bool {
        matches!(self, Self::Dockerfile | Self::Shell | Self::Makefile | Self::Notebook | Self::Exported)
    }
}

/// Whether a file declares what the whole project around it needs: no variant, no other purpose, no list of commands.
pub fn is_canonical(path: &Path) -> bool {
    Kind::of(path).is_some_and(|kind| kind.tier(path) == Tier::Project && kind.standing(path) == Standing::Canonical)
}

/// Which of several files of one folder a reader would take first. Ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// `requirements.txt`, `pyproject.toml`, a lock.
    Canonical,
    /// `requirements-gpu.txt`: the same thing for another machine.
    Variant,
    /// A Dockerfile, a script.
    Command,
    /// `requirements/moss-vl.txt`: for something in particular; counts only where the others say nothing.
    Special,
}

/// Words that name the kind of file and nothing else.
const BARE_WORDS: [&str; 10] =
    ["requirements", "requirement", "reqs", "environment", "env", "conda", "txt", "in", "yml", "yaml"];

/// Words for variants of the whole. A word with a digit (`cu121`, `py310`) is one, too.
const USUAL: [&str; 24] = [
    "base",
    "main",
    "common",
    "core",
    "all",
    "full",
    "prod",
    "production",
    "train",
    "training",
    "gpu",
    "cuda",
    "cpu",
    "rocm",
    "npu",
    "lock",
    "locked",
    "frozen",
    "freeze",
    "pinned",
    "install",
    "rlhf",
    "dpo",
    "framework",
];

/// The folder whose scripts a declaring file governs, never above `top`.
pub(super) fn governed_folder(file: &Path, is_top: impl Fn(&Path) -> bool) -> PathBuf {
    let mut folder = file.parent().unwrap_or(Path::new(""));
    while let Some(parent) = folder.parent().filter(|_| !is_top(folder)) {
        if !is_auxiliary(folder) && (is_top(parent) || !is_auxiliary(parent)) {
            break;
        }
        folder = parent;
    }
    folder.to_path_buf()
}

/// `train.py.lock`, the lock of one script with a header.
pub(super) fn is_script_lock(path: &Path) -> bool {
    let script = path.file_stem().map(Path::new).and_then(Path::extension);
    path.extension().is_some_and(|one| one == "lock") && script.is_some_and(|one| one == "py")
}

/// Whether the name of the file says so, or that of its folder where it holds variants (`docker/trl-dev/Dockerfile`).
fn has_other_purpose(path: &Path) -> bool {
    let says = |path: &Path| words(path).iter().any(|word| PURPOSES.contains(&word.as_str()));
    let folder = path.parent().unwrap_or(Path::new(""));
    says(path) || folder.parent().is_some_and(is_auxiliary) && says(folder)
}

/// The words of a file's or folder's name.
fn words(path: &Path) -> Vec<String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("").to_ascii_lowercase();
    name.split(['.', '-', '_']).map(str::to_owned).collect()
}

fn is_auxiliary(folder: &Path) -> bool {
    folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| AUXILIARY.contains(&name))
}

fn is_conda(stem: &str, folder: &str) -> bool {
    let named = stem.contains("environment") || stem.starts_with("conda") || matches!(stem, "env" | "envs");
    named || matches!(folder, "envs" | "conda" | "environments")
}

fn is_dockerfile(name: &str, extension: &str) -> bool {
    let prefixed = ["dockerfile", "containerfile"].iter().filter_map(|prefix| name.strip_prefix(prefix));
    let fits = |rest: &str| rest.is_empty() || rest.starts_with(['.', '-', '_']);
    extension == "dockerfile" || (prefixed.into_iter().any(fits) && !matches!(extension, "md" | "rst" | "txt" | "html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_names() {
        use Kind::*;
        for (path, expected) in [
            ("requirements.txt", Some((Requirements, Tier::Project))),
            ("requirements-dev.txt", Some((Requirements, Tier::Purpose))),
            ("requirements_gpu.txt", Some((Requirements, Tier::Project))),
            ("requirements/test.txt", Some((Requirements, Tier::Purpose))),
            ("requirements/base.in", Some((Requirements, Tier::Project))),
            ("constraints.txt", Some((Constraints, Tier::Purpose))),
            ("a/pyproject.toml", Some((Pyproject, Tier::Project))),
            ("pylock.toml", Some((Lock, Tier::Project))),
            ("pylock.gpu.toml", Some((Lock, Tier::Project))),
            ("train.py.lock", Some((UvLock, Tier::Header))),
            ("uv.lock", Some((UvLock, Tier::Project))),
            ("pixi.toml", Some((Pixi, Tier::Project))),
            ("pixi.lock", Some((PixiLock, Tier::Project))),
            ("environment.yml", Some((Conda, Tier::Project))),
            ("envs/train.yaml", Some((Conda, Tier::Project))),
            ("configs/train.yaml", None),
            ("Dockerfile", Some((Dockerfile, Tier::Project))),
            ("docker/Dockerfile.test", Some((Dockerfile, Tier::Purpose))),
            ("gpu.dockerfile", Some((Dockerfile, Tier::Project))),
            ("Dockerfile.md", None),
            ("Dockerfiles", None),
            ("run.sh", Some((Shell, Tier::Elsewhere))),
            ("Makefile", Some((Makefile, Tier::Elsewhere))),
            ("a.ipynb", Some((Notebook, Tier::Local))),
            ("notes.txt", None),
            ("", None),
        ] {
            let path = Path::new(path);
            assert_eq!(Kind::of(path).map(|kind| (kind, kind.tier(path))), expected, "{}", path.display());
        }
    }

    #[test]
    fn some_folders_belong_to_the_one_above() {
        for (file, top, expected) in [
            ("requirements/base.txt", "", ""),
            ("a/docker/gpu/Dockerfile", "", "a"),
            (".github/workflows/x.sh", "", ""),
            ("a/requirements.txt", "", "a"),
            ("docker/requirements.txt", "docker", "docker"),
            ("docker/gpu/requirements.txt", "docker", "docker/gpu"),
            ("/docker/requirements/a.txt", "/docker", "/docker"),
        ] {
            assert_eq!(
                governed_folder(Path::new(file), |folder| folder == Path::new(top)),
                PathBuf::from(expected),
                "{file}"
            );
        }
    }
}
