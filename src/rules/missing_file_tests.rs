//! Which files are missing, and which may be there after all.

use super::testing::lint_by;
use crate::diagnostic::Diagnostic;

fn found(files: &[(&str, &str)]) -> Vec<String> {
    let (sources, found) = lint_by(files, &|rule| rule.meta().name == "missing-file");
    let place = |finding: &Diagnostic| {
        let file = sources.get(finding.primary.span.file);
        let help = finding.help.as_deref().unwrap_or_default();
        format!("{} {}", file.slice(finding.primary.span), help).trim().to_owned()
    };
    found.iter().map(place).collect()
}

#[test]
fn what_is_named_and_not_there() {
    const TRAIN: (&str, &str) = ("code/train.py", "from trl import DPOTrainer\n");
    const CONFIG: (&str, &str) = ("configs/zero2.yaml", "distributed_type: DEEPSPEED\n");
    for (run, expected) in [
        ("python code/train.py --config configs/dpo.yaml", vec!["configs/dpo.yaml"]),
        ("python code/trian.py", vec!["code/trian.py did you mean `code/train.py`?"]),
        ("cd code && python train.py", vec![]),
        ("cd code && python other.py --beta 1", vec!["other.py"]),
        ("cd code && python other.py", vec![]),
        (
            "accelerate launch --config_file configs/zero3.yaml code/train.py",
            vec!["configs/zero3.yaml did you mean `configs/zero2.yaml`?"],
        ),
        ("accelerate launch --config_file=./configs/zero2.yaml code/train.py", vec![]),
        ("trl dpo --config configs/dpo.yaml", vec!["configs/dpo.yaml"]),
        ("C=configs/dpo.yaml\ntrl dpo --config $C", vec!["$C"]),
        // Both lines name it, none makes it.
        ("trl dpo --config configs/a.yaml\ntrl sft --config configs/a.yaml", vec!["configs/a.yaml"; 2]),
        // The folder is not part of the project.
        ("trl dpo --config recipes/dpo.yaml", vec![]),
        ("cd trl && python code/dpo.py", vec![]),
        ("cd $HOME && python code/dpo.py", vec![]),
        // What is not known.
        ("trl dpo --config configs/$MODEL.yaml", vec![]),
        ("trl dpo --config /configs/dpo.yaml", vec![]),
        ("trl dpo --output_dir configs/out.yaml", vec![]),
        // It is made before.
        ("cat > configs/dpo.yaml <<EOF\na: 1\nEOF\ntrl dpo --config configs/dpo.yaml", vec![]),
        ("wget $URL/dpo.yaml -P configs\ntrl dpo --config configs/dpo.yaml", vec![]),
    ] {
        assert_eq!(found(&[("scripts/run.sh", run), TRAIN, CONFIG]), expected, "{run}");
    }
    let run = ("run.sh", "trl dpo --config configs/dpo.yaml");
    for (path, text) in [
        ("make.py", "import trl\nopen('configs/dpo.yaml', 'w')\n"),
        (".gitignore", "dpo.yaml\n"),
        (".gitignore", "*.yaml\n"),
        ("configs/.gitignore", "/dpo.yaml\n"),
        ("Makefile", "configs/dpo.yaml:\n\tcp a $@\n"),
    ] {
        assert_eq!(found(&[run, TRAIN, CONFIG, (path, text)]), [""; 0], "{path} {text}");
    }
    // A container has what is copied into it.
    assert_eq!(found(&[("Dockerfile", "FROM x\nCMD python code/other.py\n"), TRAIN]), [""; 0]);
}

#[test]
fn configurations_name_files() {
    let yaml = "distributed_type: DEEPSPEED\ndeepspeed_config:\n  deepspeed_config_file: configs/ds.json\n";
    let dpo = "model_name_or_path: x\nstage: dpo\nfinetuning_type: lora\ndeepspeed: configs/ds3.json\n";
    let files = [("configs/acc.yaml", yaml), ("configs/dpo.yaml", dpo)];
    assert_eq!(found(&files), ["configs/ds.json", "configs/ds3.json"]);
    let with = [files[0], files[1], ("configs/ds.json", "{}"), ("configs/ds3.json", "{}")];
    assert_eq!(found(&with), [""; 0]);
}
