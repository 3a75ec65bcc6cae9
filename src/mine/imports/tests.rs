//! Small wheels, and what importing their modules does.

use std::fmt::Write as _;
use std::io::Write as _;

use super::{Library, mine_imports};
use crate::knowledge::Imports;

/// A wheel of `lib`; `METADATA` says what it may require.
fn wheel(folder: &std::path::Path, version: &str, modules: &[(&str, &str)]) -> std::path::PathBuf {
    let path = folder.join(format!("lib-{version}-py3-none-any.whl"));
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).expect("a file"));
    let metadata = format!(
        "Metadata-Version: 2.1\nName: lib\nVersion: {version}\nRequires-Dist: tqdm\nRequires-Dist: rich; extra == 'all'\n"
    );
    let about = (format!("lib-{version}.dist-info/METADATA"), metadata);
    let modules = modules.iter().map(|(name, text)| (format!("lib/{name}.py"), (*text).to_owned()));
    for (name, text) in modules.chain([about]) {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).expect("an entry");
        archive.write_all(text.as_bytes()).expect("written");
    }
    archive.finish().expect("finished");
    path
}

fn mined(releases: &[(&str, &[(&str, &str)])]) -> Imports {
    let folder = tempfile::tempdir().expect("a folder");
    let wheels = releases.iter().map(|(version, modules)| wheel(folder.path(), version, modules)).collect();
    // `peft` is another library of the same run, so that names of it count.
    let library = |package: &str, wheels| Library { package: package.to_owned(), wheels };
    let mined = mine_imports(&[library("lib", wheels), library("peft", Vec::new())]).expect("they can be mined");
    mined.into_iter().find(|one| one.package() == "lib").expect("it is there")
}

/// What importing `lib` needs, loads, requires and refuses, one fact a line: `needs peft:X when peft`.
fn facts(imports: &Imports, module: &str) -> String {
    let Some(module) = imports.module(module) else { return String::new() };
    let mut text = String::new();
    for (what, table) in [("needs", &module.needs), ("loads", &module.loads), ("requires", &module.requires)] {
        for (key, ways) in table {
            for way in ways {
                let releases = if way.releases.is_empty() { String::new() } else { format!(" in {}", way.releases) };
                let when = &way.fact.when;
                let when = if when.is_empty() { String::new() } else { format!(" when {when}") };
                _ = write!(text, "{what} {key}{when}{releases}; ");
            }
        }
    }
    for way in &module.raises {
        _ = write!(text, "raises when {}; ", way.fact.when);
    }
    text.trim_end_matches("; ").to_owned()
}

/// The facts of a package that is one module.
fn of(text: &str) -> String {
    facts(&mined(&[("1.0", &[("__init__", text)])]), "lib")
}

#[test]
fn guards_are_statements_about_installed_packages() {
    let available =
        "from importlib.util import find_spec\ndef is_peft_available():\n    return find_spec('peft') is not None\n";
    for (text, expected) in [
        ("from peft import X\n", "needs peft:X"),
        ("import peft\n", "needs peft:"),
        ("import peft.utils as u\n", "needs peft.utils:"),
        ("if is_peft_available():\n    from peft import X\n", "needs peft:X when peft"),
        ("if not is_peft_available():\n    raise ImportError('no')\n", "raises when !peft"),
        (
            "import importlib.util\nif importlib.util.find_spec('peft') is not None:\n    from peft import X\n",
            "needs peft:X when peft",
        ),
        // A version of another library, in its usual forms.
        (
            "from packaging import version\nimport transformers\nif version.parse(transformers.__version__) >= version.parse('4.46'):\n    from peft import X\n",
            "needs peft:X when transformers>=4.46",
        ),
        (
            "if is_transformers_version('<', '5.0'):\n    from peft import X\nelse:\n    from peft import Y\n",
            "needs peft:X when transformers<5.0; needs peft:Y when !transformers<5.0",
        ),
        ("if is_peft_available() and is_rich_available():\n    from peft import X\n", "needs peft:X when peft rich"),
        (
            "if is_peft_available() or is_rich_available():\n    from peft import X\n",
            "needs peft:X when peft; needs peft:X when rich",
        ),
        // What is tried, what only a type checker sees, and what cannot be told.
        ("try:\n    from peft import X\nexcept ImportError:\n    X = None\n", ""),
        ("try:\n    from peft import X\nexcept ImportError:\n    raise RuntimeError('no')\n", "needs peft:X"),
        ("try:\n    from peft import X\nexcept KeyError:\n    pass\n", "needs peft:X"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from peft import X\n", ""),
        (
            "import typing\nif typing.TYPE_CHECKING:\n    from peft import X\nelse:\n    from peft import Y\n",
            "needs peft:Y",
        ),
        ("import os\nif os.environ.get('A'):\n    from peft import X\n", ""),
        // What a function does happens when it is called.
        ("def f():\n    from peft import X\n", ""),
        ("class A:\n    from peft import X\n", "needs peft:X"),
        ("require_version('accelerate>=0.20')\n", "requires accelerate>=0.20"),
        // A distribution that is asked for only with an extra.
        ("import rich\n", "needs rich:"),
        ("import tqdm\n", ""),
        ("import torch\nimport json\n", ""),
    ] {
        let text = if text.contains("is_peft_available") { format!("{available}{text}") } else { text.to_owned() };
        let found = of(&text);
        let found = found.split("; ").filter(|fact| !fact.starts_with("needs transformers:")).collect::<Vec<_>>();
        assert_eq!(found.join("; "), expected, "{text}");
    }
}

#[test]
fn modules_load_each_other_and_names_are_followed() {
    let imports = mined(&[(
        "1.0",
        &[
            ("__init__", "from .a import A\n"),
            ("a", "from .b import B\nclass A(B): pass\n"),
            ("b", "from peft import X\nclass B: pass\n"),
            ("c", "x = 1\n"),
        ],
    )]);
    assert_eq!(facts(&imports, "lib"), "loads lib.a");
    assert_eq!(facts(&imports, "lib.a"), "loads lib.b");
    assert_eq!(facts(&imports, "lib.b"), "needs peft:X");
    // It leads to no other library.
    assert!(imports.module("lib.c").is_none());
    assert!(imports.module("lib").is_some_and(|module| module.names.contains_key("A")));
}

#[test]
fn lazy_modules_load_what_is_asked_for() {
    let lazy = "\
import sys
from typing import TYPE_CHECKING
_import_structure = {'a': ['A'], 'b': ['B']}
if TYPE_CHECKING:
    from .a import A
    from .b import B
else:
    sys.modules[__name__] = _LazyModule(__name__, globals()['__file__'], _import_structure)
";
    let imports = mined(&[(
        "1.0",
        &[
            ("__init__", lazy),
            ("a", "from peft import X\nclass A: pass\n"),
            ("b", "from peft import Y\nclass B: pass\n"),
        ],
    )]);
    assert_eq!(facts(&imports, "lib"), "", "importing the package loads neither");
    let module = imports.module("lib").expect("its names are wanted");
    assert_eq!(module.names["A"][0].fact.loads, ["lib.a"]);
    assert_eq!(module.names["B"][0].fact.loads, ["lib.b"]);
}

#[test]
fn releases_are_folded_into_intervals() {
    let old: &[(&str, &str)] = &[("__init__", "from peft import X\n")];
    let new: &[(&str, &str)] = &[("__init__", "from peft import Y\n")];
    // The order of the wheels does not matter.
    let imports = mined(&[("1.10", new), ("1.9", old), ("1.2", old)]);
    assert_eq!(facts(&imports, "lib"), "needs peft:X in - 1.9; needs peft:Y in 1.10 -");
}

#[test]
fn what_is_checked_at_run_time_is_kept() {
    let text = "ACCELERATE_MIN_VERSION = '0.26.0'\npkgs_to_check_at_runtime = ['tqdm', 'accelerate']\n";
    let checks = mined(&[("1.0", &[("__init__", text)])]).checks().clone();
    assert_eq!(checks.minimum["accelerate"][0].fact.version, "0.26.0");
    assert_eq!(checks.checked.keys().collect::<Vec<_>>(), ["accelerate", "tqdm"]);
}
