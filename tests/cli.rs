//! The command as a user meets it: what it prints where, and how it ends.

use std::path::Path;

use assert_cmd::Command;

/// A project that has one finding of the engine's own, so that these tests depend on no rule.
const UNUSED: &str = "import trl\nx = 1  # dpo-lint: ignore[DPL902]\n";

/// A folder with files; a name that ends in `/` is a folder.
fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        if name.ends_with('/') {
            std::fs::create_dir_all(path).expect("a folder");
            continue;
        }
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    folder
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run_with(folder: &Path, args: &[&str], stdin: &str) -> Ran {
    let mut command = Command::cargo_bin("dpo-lint").expect("the program");
    // What the user of this machine has learnt does not count.
    command.env("DPO_LINT_CACHE", folder.join("no-such-cache"));
    for name in ["NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    let output = command.current_dir(folder).args(args).write_stdin(stdin).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().expect("no signal"), out: text(output.stdout), err: text(output.stderr) }
}

fn run(folder: &Path, args: &[&str]) -> Ran {
    run_with(folder, args, "")
}

#[test]
fn a_clean_project_passes_quietly() {
    let folder = project(&[(".git/", ""), ("train.py", "import trl\n")]);
    for args in [&[][..], &["check"], &["."], &["train.py"], &["check", "train.py", "."]] {
        let ran = run(folder.path(), args);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "All checks passed!\n", ""), "{args:?}");
    }
    assert_eq!(run(folder.path(), &["--quiet"]).out, "");
}

#[test]
fn exit_codes_follow_fail_on() {
    let folder = project(&[(".git/", ""), ("train.py", UNUSED)]);
    for (args, code) in [
        (&[][..], 0),
        (&["--fail-on", "warning"], 1),
        (&["--fail-on", "info"], 1),
        (&["--fail-on", "never"], 0),
        (&["--fail-on", "warning", "--exit-zero"], 0),
        (&["--fail-on", "warning", "--ignore", "unused-suppression"], 0),
        (&["--fail-on", "warning", "--ignore", "DPL901"], 0),
        (&["--fail-on", "warning", "--select", "DPL902"], 0),
        (&["--fail-on", "warning", "--select", "DPL9"], 1),
        (&["--fail-on", "warning", "--select", "ALL", "--ignore", "DPL9"], 0),
        (&["--fail-on", "nonsense"], 2),
        (&["--select", "nonsense"], 2),
        (&["--target", "trl>=1"], 2),
        (&["--no-such-flag"], 2),
    ] {
        let ran = run(folder.path(), args);
        assert_eq!(ran.code, code, "{args:?}\n{}{}", ran.out, ran.err);
    }
}

#[test]
fn the_formats_say_the_same() {
    let folder = project(&[(".git/", ""), ("a/train.py", UNUSED)]);
    let concise = run(folder.path(), &["--output-format", "concise"]).out;
    let expected = "a/train.py:2:8: warning[DPL901] this comment suppresses no `DPL902` here\n\
                    Found 1 warning; 1 fixable with --fix\n";
    assert_eq!(concise, expected);
    let text = run(folder.path(), &[]).out;
    assert!(text.starts_with("warning[DPL901 unused-suppression]: this comment suppresses no `DPL902` here"), "{text}");
    assert!(text.ends_with("Found 1 warning; 1 fixable with --fix\n"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&run(folder.path(), &["--output-format", "json"]).out).expect("JSON alone");
    assert_eq!(json["findings"][0]["path"], "a/train.py");
    assert_eq!(json["summary"]["warnings"], 1);
    assert_eq!(
        run(&folder.path().join("a"), &["--output-format", "concise"]).out,
        expected.replace("a/train", "train")
    );
    let statistics = run(folder.path(), &["--statistics", "--quiet"]).out;
    assert_eq!(statistics, "    1  DPL901  unused-suppression\n");
    let statistics: serde_json::Value =
        serde_json::from_str(&run(folder.path(), &["--statistics", "--output-format", "json"]).out)
            .expect("JSON alone");
    let count = serde_json::json!({"rule": "unused-suppression", "code": "DPL901", "count": 1, "fixable": 1});
    assert_eq!(statistics, serde_json::json!([count]));
    let refused = run(folder.path(), &["--statistics", "--output-format", "sarif"]);
    assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{}", refused.err);
}

/// Services write paths from the top of the repository, wherever the tool is started.
#[test]
fn formats_for_services_see_files_from_the_top_of_the_repository() {
    let folder = project(&[(".git/", ""), ("a/b c/train.py", UNUSED)]);
    for (format, expected) in [
        (
            "github",
            "::warning title=DPL901 unused-suppression,file=a/b c/train.py,line=2,endLine=2,col=8,endColumn=34::",
        ),
        ("gitlab", "\"path\": \"a/b c/train.py\""),
        ("sarif", "\"uri\": \"a/b%20c/train.py\""),
        ("junit", "file=\"a/b c/train.py\" line=\"2\""),
    ] {
        for from in ["", "a", "a/b c"] {
            let ran = run(&folder.path().join(from), &["--output-format", format]);
            assert!(ran.out.contains(expected), "{format} {from}\n{}", ran.out);
            assert!(!ran.out.contains("Found 1"), "{format}: no last line for people\n{}", ran.out);
        }
    }
}

#[test]
fn findings_can_go_to_a_file() {
    let folder = project(&[(".git/", ""), ("train.py", UNUSED)]);
    let ran = run(folder.path(), &["--output-format", "concise", "--output-file", "report.txt"]);
    assert_eq!(ran.out, "Found 1 warning; 1 fixable with --fix\n");
    let written = std::fs::read_to_string(folder.path().join("report.txt")).expect("the report");
    assert!(written.starts_with("train.py:2:8: warning[DPL901]"), "{written}");
    let ran = run(folder.path(), &["--output-file", "no/such/folder/report.txt"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: cannot write no/such/folder/report.txt: "), "{}", ran.err);
}

#[test]
fn what_cannot_be_read_is_an_error_and_the_rest_is_checked() {
    let folder = project(&[(".git/", ""), ("train.py", UNUSED)]);
    let ran = run(folder.path(), &["train.py", "gone.py", "--output-format", "concise"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.err, "error: cannot read gone.py: no such file or folder\n");
    assert!(ran.out.contains("train.py:2:8"), "{}", ran.out);
    let empty = project(&[("README.md", "")]);
    let ran = run(empty.path(), &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "warning: no files to check under the given paths\n"));
}

#[test]
fn mistakes_in_the_configuration_are_shown_where_they_are() {
    for (name, text, mentions) in [
        ("dpo-lint.toml", "selct = []\n", &["unknown key `selct`", "did you mean `select`?", "dpo-lint.toml:1:1"][..]),
        (
            "dpo-lint.toml",
            "select = [\"DPL901\", \"unused-supression\"]\n",
            &["did you mean `unused-suppression`?", ":1:21"],
        ),
        ("dpo-lint.toml", "ignore = \"DPL901\"\n", &["expected a list of strings, found a string"]),
        ("dpo-lint.toml", "ignore = [1]\ntarget = 2\n", &["found an integer", ":1:11", ":2:10"]),
        ("dpo-lint.toml", "target = \"trl>=0.9\"\n", &["package==version"]),
        ("dpo-lint.toml", "fail-on = \"eror\"\n", &["did you mean `error`?"]),
        ("dpo-lint.toml", "[severity]\nunused-suppression = \"of\"\n", &["did you mean `off`?", ":2:22"]),
        ("dpo-lint.toml", "required-version = \">=99\"\n", &["requires dpo-lint >=99"]),
        ("dpo-lint.toml", "exclude = [\"{a\"]\n", &["invalid pattern"]),
        ("dpo-lint.toml", "select = [\n", &["dpo-lint.toml:"]),
        (
            "pyproject.toml",
            "[tool.dpo-lint]\nfail_on = \"error\"\n",
            &["did you mean `fail-on`?", "pyproject.toml:2:1"],
        ),
        ("pyproject.toml", "[tool]\ndpo-lint = 1\n", &["must be a table, found an integer"]),
    ] {
        let folder = project(&[(".git/", ""), (name, text), ("train.py", "import trl\n")]);
        let ran = run(folder.path(), &[]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{text}");
        for mention in mentions {
            assert!(ran.err.contains(mention), "{text}: no `{mention}` in\n{}", ran.err);
        }
        assert_eq!(run(folder.path(), &["--isolated"]).code, 0, "{text}");
    }
}

#[test]
fn the_nearest_configuration_holds_up_to_the_repository() {
    let strict = "fail-on = \"warning\"\n";
    let lax = "[tool.dpo-lint]\nfail-on = \"never\"\n";
    for (files, args, code) in [
        (&[(".git/", ""), ("dpo-lint.toml", strict)][..], &["a"][..], 1),
        (&[(".git/", ""), ("dpo-lint.toml", strict)], &["a/b/train.py"], 1),
        (&[("a/.git/", ""), ("dpo-lint.toml", strict)], &["a"], 0),
        (&[(".git/", ""), ("dpo-lint.toml", strict), ("pyproject.toml", lax)], &["a"], 1),
        (&[(".git/", ""), ("dpo-lint.toml", strict), ("a/pyproject.toml", lax)], &["a"], 0),
        (&[(".git/", ""), ("dpo-lint.toml", strict), ("a/pyproject.toml", "[project]\n")], &["a"], 1),
        (&[(".git/", ""), ("dpo-lint.toml", strict)], &["a", "--fail-on", "never"], 0),
        (&[(".git/", ""), ("dpo-lint.toml", strict)], &["a", "--isolated"], 0),
        (&[(".git/", ""), ("own.toml", strict)], &["a", "--config", "own.toml"], 1),
        (&[(".git/", "")], &["a", "--config", "gone.toml"], 2),
        (&[(".git/", ""), ("dpo-lint.toml", "severity = { DPL9 = \"error\" }\n")], &["a"], 1),
        (&[(".git/", ""), ("dpo-lint.toml", "severity = { DPL9 = \"error\", DPL901 = \"off\" }\n")], &["a"], 0),
        (
            &[
                (".git/", ""),
                ("dpo-lint.toml", "fail-on = \"info\"\nper-file-ignores = { \"a/**/t*.py\" = [\"ALL\"] }\n"),
            ],
            &["a"],
            0,
        ),
        (
            &[(".git/", ""), ("dpo-lint.toml", "fail-on = \"info\"\nignore = [\"DPL901\"]\n")],
            &["a", "--select", "DPL9"],
            0,
        ),
        (
            &[(".git/", ""), ("dpo-lint.toml", "fail-on = \"info\"\nignore = [\"DPL9\"]\n")],
            &["a", "--select", "DPL901,DPL902"],
            1,
        ),
        (&[(".git/", ""), ("dpo-lint.toml", "fail-on = \"info\"\nexclude = [\"b\"]\n")], &["a"], 0),
    ] {
        let folder = project(&[files, &[("a/b/train.py", UNUSED)]].concat());
        let ran = run(folder.path(), args);
        assert_eq!(ran.code, code, "{files:?} {args:?}\n{}{}", ran.out, ran.err);
    }
}

#[test]
fn files_are_found_as_git_and_the_user_see_them() {
    let files = [
        (".git/", ""),
        (".gitignore", "ignored/\n"),
        (".github/a.py", UNUSED),
        ("ignored/a.py", UNUSED),
        (".venv/a.py", UNUSED),
        ("build/a.py", UNUSED),
        ("src/a.py", UNUSED),
        ("src/b.txt", UNUSED),
    ];
    let folder = project(&files);
    for (args, expected) in [
        (&[][..], &[".github/a.py", "src/a.py"][..]),
        (&["src"], &["src/a.py"]),
        (&["ignored"], &["ignored/a.py"]),
        (&["ignored/a.py", ".venv/a.py"], &[".venv/a.py", "ignored/a.py"]),
        (&["build"], &["build/a.py"]),
        (&["build", "build/a.py", "--force-exclude"], &[]),
        (&["src/b.txt"], &[]),
        (&["--no-respect-gitignore"], &[".github/a.py", "ignored/a.py", "src/a.py"]),
        (&["--extend-exclude", "src/a.py"], &[".github/a.py"]),
        (&["--exclude", ".git*,src"], &["build/a.py", ".venv/a.py"]),
        (&["src/a.py", "--extend-exclude", "src"], &["src/a.py"]),
        (&["src/a.py", "--extend-exclude", "src", "--force-exclude"], &[]),
    ] {
        let ran = run(folder.path(), &[args, &["--output-format", "concise", "--quiet"]].concat());
        let mut found: Vec<&str> = ran.out.lines().map(|line| line.split(':').next().unwrap_or_default()).collect();
        let mut expected = expected.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{args:?}\n{}", ran.err);
    }
}

#[test]
fn links_in_circles_end() {
    let folder = project(&[(".git/", ""), ("src/a.py", UNUSED)]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("..", folder.path().join("src/up")).expect("a link");
        std::os::unix::fs::symlink("gone.py", folder.path().join("src/broken.py")).expect("a link");
    }
    let ran = run(folder.path(), &["--output-format", "concise", "--quiet"]);
    assert_eq!((ran.code, ran.out.lines().count(), ran.err.as_str()), (0, 1, ""));
}

#[test]
fn standard_input_stands_for_a_file() {
    let folder = project(&[(".git/", ""), ("a/train.py", "import trl\n")]);
    let stdin = |args: &[&str]| run_with(folder.path(), args, UNUSED);
    for name in ["a/train.py", "a/new.py"] {
        let ran = stdin(&["-", "--stdin-filename", name, "--output-format", "concise", "--quiet"]);
        assert_eq!(
            ran.out,
            format!("{name}:2:8: warning[DPL901] this comment suppresses no `DPL902` here\n"),
            "{}",
            ran.err
        );
    }
    let excluded = ["-", "--stdin-filename", "a/train.py", "--exclude", "a", "--force-exclude", "--quiet"];
    assert_eq!(stdin(&excluded).out, "");
    assert_eq!(stdin(&["-"]).code, 2);
    assert_eq!(stdin(&["-", "a", "--stdin-filename", "a/new.py"]).code, 2);
}

#[test]
fn fixes_are_shown_made_and_made_once() {
    let folder =
        project(&[(".git/", ""), ("a/train.py", UNUSED), ("b.py", "import trl\n# dpo-lint: ignore[DPL902] (x)\n")]);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    let ran = run(folder.path(), &["--diff"]);
    let patch = "diff --git a/a/train.py b/a/train.py\n--- a/a/train.py\n+++ b/a/train.py\n@@ -1,2 +1,2 @@\n import trl\n\
                 -x = 1  # dpo-lint: ignore[DPL902]\n+x = 1\n\
                 diff --git a/b.py b/b.py\n--- a/b.py\n+++ b/b.py\n@@ -1,2 +1 @@\n import trl\n\
                 -# dpo-lint: ignore[DPL902] (x)\n";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (1, patch, "Would fix 2 findings.\n"));
    assert_eq!(read("a/train.py"), UNUSED, "--diff writes nothing");
    assert_eq!(
        run(folder.path(), &["--unsafe-fixes"]).err,
        "warning: --unsafe-fixes does nothing without --fix or --diff\n"
    );
    assert_eq!(read("a/train.py"), UNUSED, "--unsafe-fixes alone writes nothing");
    let ran = run(folder.path(), &["--fix"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "Fixed 2 findings. All checks passed!\n", ""));
    assert_eq!((read("a/train.py").as_str(), read("b.py").as_str()), ("import trl\nx = 1\n", "import trl\n"));
    assert_eq!(run(folder.path(), &["--fix"]).out, "All checks passed!\n");
    assert_eq!((run(folder.path(), &["--diff"]).code, run(folder.path(), &["--diff"]).out), (0, String::new()));
    let stdin = |text: &str| run_with(folder.path(), &["-", "--stdin-filename", "b.py", "--fix"], text);
    assert_eq!(stdin(UNUSED).out, "import trl\nx = 1\n");
    assert_eq!(stdin("import trl\n").out, "import trl\n");
    assert_eq!(read("b.py"), "import trl\n");
}

#[test]
fn rules_have_pages() {
    let folder = project(&[]);
    let list = run(folder.path(), &["rules"]).out;
    assert!(list.contains("DPL901  unused-suppression"), "{list}");
    let json: serde_json::Value =
        serde_json::from_str(&run(folder.path(), &["rules", "--output-format", "json"]).out).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(list.lines().count()));
    for name in ["unused-suppression", "DPL901", "dpl901"] {
        assert!(run(folder.path(), &["explain", name]).out.starts_with("# unused-suppression (DPL901)"), "{name}");
    }
    let ran = run(folder.path(), &["explain", "unused-supression"]);
    assert_eq!((ran.code, ran.err.contains("did you mean `unused-suppression`?")), (2, true));
}

#[test]
fn colour_is_the_users_choice() {
    let folder = project(&[(".git/", ""), ("train.py", UNUSED)]);
    for (args, name, value, colored) in [
        (&[][..], "TERM", "xterm", false),
        (&["--color", "always"], "TERM", "xterm", true),
        (&["--color", "always"], "NO_COLOR", "1", true),
        (&[], "FORCE_COLOR", "1", true),
        (&[], "FORCE_COLOR", "0", false),
        (&["--color", "never"], "FORCE_COLOR", "1", false),
    ] {
        let mut command = Command::cargo_bin("dpo-lint").expect("the program");
        command.env("DPO_LINT_CACHE", folder.path().join("no-such-cache"));
        command.env_remove("NO_COLOR").env_remove("FORCE_COLOR").env_remove("CLICOLOR_FORCE");
        let output = command.current_dir(folder.path()).args(args).env(name, value).output().expect("it runs");
        assert_eq!(output.stdout.contains(&0x1b), colored, "{args:?} {name}={value}");
    }
}

/// What follows from another finding about the same call is not said again; without that finding it is.
#[test]
fn the_cause_is_reported_and_not_its_consequence() {
    let script = "from transformers import TrainingArguments\nfrom trl import DPOTrainer\n\n\
                  args = TrainingArguments(output_dir='out')\n\
                  trainer = DPOTrainer('model', args=args, beta=0.1, tokenizer=None)\n";
    let folder = project(&[(".git/", ""), ("requirements.txt", "trl==0.16.0\n"), ("train.py", script)]);
    let found = |args: &[&str]| {
        let out = run(folder.path(), &[&["--output-format", "concise", "--quiet"], args].concat()).out;
        out.lines().map(|line| line.split_once(": ").expect("a place").1.to_owned()).collect::<Vec<_>>()
    };
    let tokenizer = "error[DPL102] `DPOTrainer` of trl 0.16.0 takes `processing_class`, not `tokenizer` any more";
    let beta = "error[DPL103] `DPOTrainer` of trl 0.16.0 takes `beta` as part of `DPOConfig`";
    let all = found(&[]);
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all[0].starts_with("error[DPL104]"), "{all:?}");
    assert_eq!(all[1], tokenizer);
    assert_eq!(found(&["--ignore", "DPL104"]), [beta, tokenizer]);
    let text = run(folder.path(), &["--select", "DPL104"]).out;
    assert!(text.contains("this is a setting of `DPOConfig`"), "{text}");
}

/// As with ruff: a program that reads standard output finds a report or nothing there.
#[test]
fn a_wrong_configuration_leaves_standard_output_empty() {
    let folder = project(&[(".git/", ""), ("train.py", UNUSED), ("dpo-lint.toml", "selekt = []\n")]);
    for format in ["json", "concise", "text"] {
        let ran = run(folder.path(), &["--output-format", format]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{format}");
        assert!(ran.err.contains("unknown key `selekt`") && ran.err.contains("dpo-lint.toml:1:1"), "{}", ran.err);
    }
    // What only one file is wrong about is part of the report.
    let ran = run(folder.path(), &["--output-format", "json", "--isolated", "train.py", "gone.py"]);
    let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON alone");
    assert_eq!((ran.code, report["problems"].as_array().map(Vec::len)), (2, Some(1)), "{}", ran.out);
}
