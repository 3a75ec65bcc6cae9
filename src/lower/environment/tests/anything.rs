//! No input stops the reading, whatever is in it.

use proptest::prelude::*;

use super::Project;

const FILES: [&str; 15] = [
    "requirements.txt",
    "constraints.txt",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "environment.yml",
    "uv.lock",
    "poetry.lock",
    "Pipfile",
    "Pipfile.lock",
    "Dockerfile",
    "run.sh",
    "Makefile",
    "a.ipynb",
    "train.py",
];

/// Pieces that these files are made of, put together in any order.
const PIECES: &[&str] = &[
    "trl",
    "==",
    "0.12.2",
    ">=",
    "~=",
    "^",
    ",",
    ";",
    "python_version",
    "< '3.9'",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "=",
    ":",
    "\n",
    "\r\n",
    "\t",
    " ",
    "  - ",
    "\"",
    "'",
    "\"\"\"",
    "\\",
    "\\\n",
    "#",
    "# ",
    "# /// script\n",
    "# ///\n",
    "\u{feff}",
    "中",
    "@",
    "git+https://x.org/trl@v1.2",
    "-r ",
    "requirements.txt",
    "-e ",
    "--hash",
    "[project]\n",
    "dependencies = ",
    "dependencies:\n",
    "pip:\n",
    "[[package]]\n",
    "name = 'trl'\n",
    "version = '1'\n",
    "pip install ",
    "RUN ",
    "FROM python:3",
    "[tool.poetry.dependencies]\n",
    "[tool.uv.sources]\n",
    "setup(",
    "install_requires=",
    "deps = ",
    "x",
    " for x in ",
    "[options]\n",
    "install_requires =\n",
    "|",
    "||",
    "*",
    ".",
    "or",
    "and",
    "{\"cells\": [",
    "\0",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn is_survived(file in prop::sample::select(&FILES[..]), pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let text = pieces.concat();
        let files: &[_] = &[(file, text.as_str())];
        let project = Project { files, ..Project::default() };
        let (places, _) = project.ask("train.py", |environment, sources| {
            let facts = environment.packages.values().flat_map(|facts| facts.declarations.iter());
            facts.filter_map(|one| one.origin.span()).all(|span| sources.get(span.file).text().get(span.range()).is_some())
        });
        prop_assert!(places, "a declaration stands outside its file");
    }
}
