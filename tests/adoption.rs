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
