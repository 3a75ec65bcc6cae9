//! Taking up the tool in an old project: baselines, comments for what is there, a first configuration.

use std::path::Path;

use assert_cmd::Command;

/// Two findings in a script: an argument that trl 0.16 does not take any more, and one that it never had.
const SCRIPT: &str = "from trl import DPOTrainer\n\ntrainer = DPOTrainer(\n    'model',\n    tokenizer=None,\n)\n\
                      other = DPOTrainer('model', no_such=1)\n";

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join(".git")).expect("a folder");
    for (name, text) in [&[("requirements.txt", "trl==0.16.0\n")], files].concat() {
        let path = folder.path().join(name);
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

fn run(folder: &Path, args: &[&str]) -> Ran {
    let mut command = Command::cargo_bin("dpo-lint").expect("the program");
    for name in ["NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    let output = command.current_dir(folder).args(args).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().expect("no signal"), out: text(output.stdout), err: text(output.stderr) }
}

/// The file and line of each finding.
fn found(folder: &Path, args: &[&str]) -> Vec<String> {
    let ran = run(folder, &[&["--output-format", "concise", "--quiet"], args].concat());
    assert_eq!(ran.err, "", "{args:?}");
    ran.out.lines().map(|line| line.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")).collect()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file");
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).expect("a file")
}

#[test]
fn a_baseline_knows_what_was_there_by_its_text() {
    let folder = project(&[("a/train.py", SCRIPT)]);
    let folder = folder.path();
    assert_eq!(found(folder, &[]), ["a/train.py:5", "a/train.py:7"]);
    let ran = run(folder, &["--baseline", "known.json", "--write-baseline"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "known.json knows 2 findings\n"), "{}", ran.err);
    let baseline = read(folder, "known.json");
    assert!(baseline.contains("\"text\": \"tokenizer=None,\""), "{baseline}");
    assert!(!baseline.contains("line"), "no place that moves:\n{baseline}");
    let with = ["--baseline", "known.json"];
    assert_eq!(run(folder, &with).out, "All checks passed! (2 more findings are in the baseline)\n");
    // Wherever the tool is started.
    assert_eq!(found(&folder.join("a"), &["--baseline", "../known.json"]), [""; 0]);

    for (what, script, expected) in [
        ("lines move", format!("import os\n\n\n{SCRIPT}"), &[][..]),
        ("indentation changes", SCRIPT.replace("    tokenizer", "  tokenizer"), &[]),
        ("the line changes", SCRIPT.replace("tokenizer=None", "tokenizer=tok"), &["a/train.py:5"]),
        ("the same line once more", format!("{SCRIPT}other = DPOTrainer('model', no_such=1)\n"), &["a/train.py:8"]),
    ] {
        write(folder, "a/train.py", &script);
        let ran = run(folder, &[&with[..], &["--output-format", "concise", "--quiet"]].concat());
        let lines: Vec<&str> = ran.out.lines().map(|line| &line[..line.len().min(12)]).collect();
        assert_eq!(lines, expected, "{what}");
        assert_eq!(ran.code, i32::from(!expected.is_empty()), "{what}");
    }
}

#[test]
fn what_is_gone_is_pruned_and_what_was_not_looked_at_is_kept() {
    let folder = project(&[("a.py", SCRIPT), ("b.py", SCRIPT), ("dpo-lint.toml", "baseline = \"known.json\"\n")]);
    let folder = folder.path();
    let entries = || read(folder, "known.json").matches("\"path\"").count();
    assert!(run(folder, &["--prune-baseline"]).err.contains("cannot read the baseline"));
    assert_eq!(run(folder, &["--write-baseline"]).code, 0);
    assert_eq!(entries(), 4);
    write(folder, "a.py", "import trl\n");
    let note = "note: 2 entries of the baseline do not occur any more; --prune-baseline removes what is outdated\n";
    let ran = run(folder, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, note));
    assert_eq!(run(folder, &["b.py"]).err, "", "of another file nothing is known");
    let one = note.replace("2 entries of the baseline do", "1 entry of the baseline does");
    assert_eq!(run(folder, &["--select", "DPL102", "a.py"]).err, one);
    write(folder, "b.py", &format!("{SCRIPT}DPOTrainer('model', never=2)\n"));
    assert_eq!(run(folder, &["--prune-baseline", "b.py"]).code, 0);
    assert_eq!(entries(), 4);
    assert_eq!(run(folder, &["--prune-baseline"]).out, "known.json knows 2 findings\n");
    assert_eq!(found(folder, &[]), ["b.py:8"], "to prune is not to record");
    std::fs::remove_file(folder.join("b.py")).expect("removed");
    assert_eq!(run(folder, &["--write-baseline"]).out, "known.json knows 0 findings\n");
}

#[test]
fn a_baseline_is_no_reason_to_refuse_a_fix() {
    // One line, two findings. A fix of one changes the line, by which the baseline knows the other.
    let line = "t = DPOTrainer('model', tokenizer=None, no_such=1)\n";
    let folder = project(&[("train.py", &format!("from trl import DPOTrainer\n{line}"))]);
    let folder = folder.path();
    let with = ["--baseline", "known.json"];
    assert_eq!(run(folder, &[&with[..], &["--ignore", "DPL102", "--write-baseline"]].concat()).code, 0);
    assert_eq!(found(folder, &with), ["train.py:2"]);
    let ran = run(folder, &[&with[..], &["--fix"]].concat());
    assert!(read(folder, "train.py").contains("processing_class=None"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_file_that_is_no_baseline_is_refused() {
    let folder = project(&[("a.py", SCRIPT)]);
    let folder = folder.path();
    for (text, mentions) in [("{", "is no baseline"), ("{\"version\": 9, \"findings\": []}", "its version is 9")] {
        write(folder, "known.json", text);
        for args in [&["--baseline", "known.json"][..], &["--baseline", "known.json", "--write-baseline"]] {
            let ran = run(folder, args);
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{text} {args:?}");
            assert!(ran.err.contains(mentions), "{}", ran.err);
        }
        assert_eq!(read(folder, "known.json"), text);
    }
    assert!(run(folder, &["--write-baseline"]).err.contains("which file?"));
}

#[test]
fn comments_are_written_where_they_are_understood() {
    let notebook = "{\"cells\": [{\"cell_type\": \"code\", \"source\": [\n\"from trl import DPOTrainer\\n\",\n\
                    \"DPOTrainer('model', no_such=1)\"]}], \"nbformat\": 4, \"metadata\": {}}\n";
    let launch = "python train.py \\\n  --no_such_option 1 \\\n  --model_name_or_path m\n";
    let parser = "from trl import DPOConfig, ModelConfig, ScriptArguments, TrlParser\n\
                  parser = TrlParser((ScriptArguments, DPOConfig, ModelConfig))\nargs = parser.parse_args_and_config()\n";
    let two = "from trl import DPOTrainer\r\nDPOTrainer('model', tokenizer=None, no_such=1)  # noqa\r\n\
               DPOTrainer('model', no_such='''\r\na''')\r\n";
    let files = [("a.py", SCRIPT), ("b.ipynb", notebook), ("two.py", two), ("train.py", parser), ("run.sh", launch)];
    let folder = project(&files);
    let folder = folder.path();
    let expected = ["a.py:5", "a.py:7", "b.ipynb:cell 1", "run.sh:2", "two.py:2", "two.py:2", "two.py:3"];
    assert_eq!(found(folder, &[]), expected);
    assert_eq!(run(folder, &["--add-ignore", " "]).code, 2);
    let ran = run(folder, &["--add-ignore", "see \"ticket\" 12"]);
    let said = "note: suppressed 7 findings\n";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "All checks passed!\n", said));
    let behind = "    tokenizer=None,  # dpo-lint: ignore[renamed-argument] see \"ticket\" 12\n";
    assert!(read(folder, "a.py").contains(behind), "{}", read(folder, "a.py"));
    let in_cell = "no_such=1)  # dpo-lint: ignore[unknown-argument] see \\\"ticket\\\" 12\"]";
    assert!(read(folder, "b.ipynb").contains(in_cell), "{}", read(folder, "b.ipynb"));
    // The comment that is there stays as it is.
    let expected = "from trl import DPOTrainer\r\n\
                    # dpo-lint: ignore[renamed-argument, unknown-argument] see \"ticket\" 12\r\n\
                    DPOTrainer('model', tokenizer=None, no_such=1)  # noqa\r\n\
                    DPOTrainer('model', no_such='''\r\na''')  # dpo-lint: ignore[unknown-argument] see \"ticket\" 12\r\n";
    assert_eq!(read(folder, "two.py"), expected);
    // A comment behind a backslash would end the command.
    let expected = format!("# dpo-lint: ignore[unknown-argument] see \"ticket\" 12\n{launch}");
    assert_eq!(read(folder, "run.sh"), expected);
    assert_eq!(run(folder, &["--add-ignore", "again"]).err, "note: suppressed 0 findings\n");
}

#[test]
fn a_first_configuration_is_valid_and_never_overwritten() {
    let folder = project(&[("a.py", SCRIPT)]);
    let folder = folder.path();
    let before = found(folder, &[]);
    assert_eq!(run(folder, &["init"]).out, "wrote dpo-lint.toml\n");
    assert_eq!(found(folder, &[]), before, "the first configuration is what holds without one");
    let template = read(folder, "dpo-lint.toml");
    // What it offers in comments is valid as well.
    let offered = template.lines().map(|line| match line.strip_prefix("# ") {
        Some(key) if key.contains(" = ") || key.starts_with('[') => key,
        _ => line,
    });
    write(folder, "dpo-lint.toml", &offered.collect::<Vec<_>>().join("\n"));
    let ran = run(folder, &["--show-settings"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for holds in ["target = [\"trl==0.12.2\"]", "baseline = \"dpo-lint-baseline.json\"", "fail-on = \"error\""] {
        assert!(ran.out.contains(holds), "no `{holds}` in\n{}", ran.out);
    }
    write(folder, "dpo-lint.toml", "# mine\n");
    let ran = run(folder, &["init"]);
    assert_eq!((ran.code, ran.err.as_str()), (2, "error: dpo-lint.toml exists already; nothing was written\n"));
    assert_eq!(read(folder, "dpo-lint.toml"), "# mine\n");
    std::fs::remove_file(folder.join("dpo-lint.toml")).expect("removed");
    write(folder, "pyproject.toml", "[tool.dpo-lint]\n");
    assert_eq!(run(folder, &["init"]).code, 2);
    assert!(!folder.join("dpo-lint.toml").exists());
}

const MINE: &str = "ignore = [\"DPL1\"]\nfail-on = \"info\"\nextend-exclude = [\"old/\"]\n\
                    [severity]\nDPL9 = \"off\"\n[per-file-ignores]\n\"a/*\" = [\"ALL\", \"DPL001\"]\n";

/// What is shown can be put into a configuration, and then the same holds.
#[test]
fn settings_are_shown_as_a_configuration() {
    let folder = project(&[("a.py", SCRIPT), ("dpo-lint.toml", MINE)]);
    let folder = folder.path();
    let shown = run(folder, &["--show-settings", "--target", "peft==0.9.0"]).out;
    assert!(shown.contains("fail-on = \"info\"\n") && shown.contains("target = [\"peft==0.9.0\"]\n"), "{shown}");
    assert!(shown.contains("\"unused-suppression\",\n") && !shown.contains("\"unknown-argument\""), "{shown}");
    for holds in
        ["\"old/\"]\n", "[severity]\n\"DPL9\" = \"off\"\n", "\"a/*\" = [\"ALL\", \"ref-model-with-peft-config\"]\n"]
    {
        assert!(shown.contains(holds), "no `{holds}` in\n{shown}");
    }
    write(folder, "dpo-lint.toml", &shown);
    assert_eq!(run(folder, &["--show-settings"]).out, shown);
}

#[test]
fn shells_and_man_get_their_pages() {
    let folder = project(&[]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = run(folder.path(), &["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("output-format") && ran.out.contains("migrate"), "{shell}");
    }
    assert_eq!(run(folder.path(), &["completions", "nonsense"]).code, 2);
    let page = run(folder.path(), &["man"]).out;
    for part in [".TH dpo-lint", "\\-\\-write\\-baseline", "DPO-LINT MIGRATE", "\\-\\-to"] {
        assert!(page.contains(part), "no `{part}` in\n{page}");
    }
}
