//! Which format a file has, by its name.

use std::path::Path;

use super::Format;

impl Format {
    /// The format of a file by its name; `None` for a file that this tool does not read.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let folder = path.parent().and_then(Path::file_name).and_then(|folder| folder.to_str()).unwrap_or("");
        by_name(&name, folder)
            .or_else(|| by_extension(&name))
            .or_else(|| has_prefix(&name, &["dockerfile", "containerfile"]).then_some(Self::Dockerfile))
            .or_else(|| has_prefix(&name, &["makefile"]).then_some(Self::Makefile))
    }
}

/// Files whose name says more than their extension.
fn by_name(name: &str, folder: &str) -> Option<Format> {
    match name {
        "pipfile" | "poetry.lock" | "uv.lock" | "pdm.lock" => return Some(Format::Toml),
        "pixi.lock" => return Some(Format::Yaml),
        "pipfile.lock" => return Some(Format::Json),
        "dockerfile" | "containerfile" => return Some(Format::Dockerfile),
        "makefile" | "gnumakefile" => return Some(Format::Makefile),
        "tsconfig.json" | "devcontainer.json" => return Some(Format::Jsonc),
        _ => {}
    }
    let (stem, extension) = name.rsplit_once('.')?;
    if folder == ".vscode" && extension == "json" {
        return Some(Format::Jsonc);
    }
    let is_list = stem.contains("requirements") || stem.contains("constraints");
    let is_in_folder = matches!(folder, "requirements" | "constraints");
    (matches!(extension, "txt" | "in") && (is_list || is_in_folder)).then_some(Format::Requirements)
}

fn by_extension(name: &str) -> Option<Format> {
    Some(match name.rsplit_once('.')?.1 {
        "py" | "pyi" | "pyw" => Format::Python,
        "ipynb" => Format::Notebook,
        "yaml" | "yml" => Format::Yaml,
        "json" => Format::Json,
        "jsonc" => Format::Jsonc,
        "toml" => Format::Toml,
        "sh" | "bash" | "zsh" | "ksh" | "slurm" | "sbatch" => Format::Shell,
        "dockerfile" => Format::Dockerfile,
        "mk" | "mak" => Format::Makefile,
        "cfg" | "ini" => Format::Ini,
        _ => return None,
    })
}

/// `Dockerfile.gpu`, `Dockerfile-dev`; not `dockerfiles.md`, whose extension is another format's.
fn has_prefix(name: &str, prefixes: &[&str]) -> bool {
    const PROSE: [&str; 4] = [".md", ".rst", ".txt", ".html"];
    let rest = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix));
    rest.is_some_and(|rest| rest.starts_with(['.', '-', '_']) && !PROSE.iter().any(|prose| rest.ends_with(prose)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_follow_file_names() {
        let table = [
            ("train.py", Some(Format::Python)),
            ("a/b/Run.IPYNB", Some(Format::Notebook)),
            ("dpo.yml", Some(Format::Yaml)),
            ("ds.json", Some(Format::Json)),
            ("ds.jsonc", Some(Format::Jsonc)),
            (".vscode/settings.json", Some(Format::Jsonc)),
            ("data.jsonl", None),
            ("pyproject.toml", Some(Format::Toml)),
            ("Pipfile", Some(Format::Toml)),
            ("Pipfile.lock", Some(Format::Json)),
            ("uv.lock", Some(Format::Toml)),
            ("pixi.lock", Some(Format::Yaml)),
            ("poetry.lock", Some(Format::Toml)),
            ("pylock.gpu.toml", Some(Format::Toml)),
            ("Cargo.lock", None),
            ("requirements.txt", Some(Format::Requirements)),
            ("requirements-dev.txt", Some(Format::Requirements)),
            ("dev-requirements.in", Some(Format::Requirements)),
            ("constraints_cu12.txt", Some(Format::Requirements)),
            ("requirements/gpu.txt", Some(Format::Requirements)),
            ("requirements/build.sh", Some(Format::Shell)),
            ("notes.txt", None),
            ("run.slurm", Some(Format::Shell)),
            ("run.sbatch", Some(Format::Shell)),
            ("Dockerfile", Some(Format::Dockerfile)),
            ("Dockerfile.gpu", Some(Format::Dockerfile)),
            ("gpu.dockerfile", Some(Format::Dockerfile)),
            ("Dockerfile.md", None),
            ("dockerfiles", None),
            ("Makefile", Some(Format::Makefile)),
            ("rules.mk", Some(Format::Makefile)),
            ("setup.cfg", Some(Format::Ini)),
            ("README", None),
            ("", None),
        ];
        for (path, expected) in table {
            assert_eq!(Format::of(Path::new(path)), expected, "{path}");
        }
    }
}
