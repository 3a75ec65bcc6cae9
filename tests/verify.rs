//! `dpo-lint verify` as a user meets it. What it computes is held to TRL's own losses, in `fixtures/runner/golden`.

use std::path::{Path, PathBuf};

use assert_cmd::Command;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(folder: &Path, args: &[&str]) -> Ran {
    let mut command = Command::cargo_bin("dpo-lint").expect("the program");
    command.env("DPO_LINT_CACHE", folder.join("no-such-cache"));
    let output = command.current_dir(folder).args(args).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().expect("no signal"), out: text(output.stdout), err: text(output.stderr) }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

#[cfg(not(feature = "runner"))]
#[test]
fn a_build_without_training_says_how_to_get_one() {
    let ran = run(&fixtures().join("projects/medicalgpt"), &["verify", "."]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("--features runner"), "{}", ran.err);
}

#[cfg(feature = "runner")]
mod with_training {
    use serde_json::Value;

    use super::*;

    const SCRIPT: &str = "\
from peft import LoraConfig
from transformers import AutoModelForCausalLM, set_seed
from trl import DPOConfig, DPOTrainer

set_seed(42)
args = DPOConfig(
    output_dir=\"out\", per_device_train_batch_size=3, max_steps=20, learning_rate=5e-3, lr_scheduler_type=\"cosine\",
    warmup_steps=4, beta=0.1, bf16=False, seed=42, truncation_mode=\"keep_start\", max_length=512, MORE
)
peft_config = LoraConfig(r=4, lora_alpha=8, target_modules=[\"q_proj\", \"v_proj\", \"down_proj\"], task_type=\"CAUSAL_LM\")
model = AutoModelForCausalLM.from_pretrained(\"model\")
trainer = DPOTrainer(model=model, REFERENCE args=args, train_dataset=load(), peft_config=peft_config)
trainer.train()
";

    /// A project with the script of the goldens, for some releases.
    fn project(pins: &str, more: &str, reference: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(".git")).expect("a folder");
        let script = SCRIPT.replace("MORE", more).replace("REFERENCE", reference);
        std::fs::write(folder.path().join("train.py"), script).expect("a file");
        std::fs::write(folder.path().join("requirements.txt"), pins).expect("a file");
        folder
    }

    fn json(ran: &Ran) -> Value {
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err))
    }

    #[test]
    fn the_project_of_the_readme_trains() {
        let ran = run(&fixtures().join("projects/medicalgpt"), &["verify", ".", "--steps", "4"]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        for words in [
            "trains with trl 0.7.11, started by run_dpo.sh:1",
            "reference  the model with its adapter off",
            "ok   frozen weights are bit-identical (0)",
            "It trains: everything holds",
        ] {
            assert!(ran.out.contains(words), "{words}: {}", ran.out);
        }
        assert_eq!(ran.err, "");
    }

    #[test]
    fn the_run_before_the_fix_has_the_same_losses_and_a_second_model() {
        let arguments = ["verify", ".", "--steps", "3", "--before-fix", "--format", "json"];
        let report = json(&run(&fixtures().join("projects/medicalgpt"), &arguments));
        let schema: Value = serde_json::from_str(include_str!("../schemas/verify.schema.json")).expect("JSON");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let mistakes: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert_eq!(mistakes, [] as [String; 0]);
        let before = &report["before_fix"];
        assert_eq!(before["findings"][0]["rule"], "ref-model-with-peft-config");
        assert_eq!(before["second_model_bytes"], report["model"]["parameters"].as_u64().expect("a number") * 4);
        assert_eq!(before["log"], report["log"]);
        assert_eq!(before["log"].as_array().map(Vec::len), Some(3));
    }

    /// From a project, a model and a file of pairs to the very losses of TRL.
    #[test]
    fn losses_are_those_of_the_release_in_effect() {
        let weighed = "max_prompt_length=256, use_weighting=True, loss_type=\"hinge\"";
        let releases = [
            ("0.11.4", "4.45.2", "0.13.2", "long", "remove_unused_columns=False, max_prompt_length=256"),
            ("0.13.0", "4.48.3", "0.14.0", "weighting", weighed),
            ("0.24.0", "4.57.1", "0.17.1", "long", "max_prompt_length=256"),
            ("0.24.0", "4.57.1", "0.17.1", "weighting", weighed),
            (
                "0.24.0",
                "4.57.1",
                "0.17.1",
                "lengths of kept",
                "max_prompt_length=256, ld_alpha=0.4, use_logits_to_keep=True",
            ),
            ("0.29.1", "5.3.0", "0.18.1", "long", ""),
            ("1.16.0", "5.20.0", "0.21.2", "long", ""),
        ];
        let runner = fixtures().join("runner");
        let (model, data) =
            (runner.join("model").display().to_string(), runner.join("plain.jsonl").display().to_string());
        for (trl, transformers, peft, name, more) in releases {
            let pins = format!("trl=={trl}\ntransformers=={transformers}\npeft=={peft}\n");
            let folder = project(&pins, more, "");
            let arguments = ["verify", ".", "--model", &model, "--data", &data, "--steps", "20", "--format", "json"];
            let report = json(&run(folder.path(), &arguments));
            let golden = std::fs::read_to_string(runner.join(format!("golden/trl-{trl}.json"))).expect("a file");
            let golden: Value = serde_json::from_str(&golden).expect("JSON");
            let expected = golden["training"][name]["losses"].as_array().expect("a list").clone();
            let found = report["log"].as_array().expect("a list");
            assert_eq!(found.len(), 20);
            for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let (found, expected) = (found["loss"].as_f64(), expected.as_f64());
                let (found, expected) = (found.expect("a number"), expected.expect("a number"));
                assert!((found - expected).abs() <= 1e-5, "trl {trl}, {name}, step {at}: {found}, not {expected}");
            }
            // Where the first places of a sequence are all that counts, hardly anything is left to learn.
            assert!(name.contains("kept") || report["holds"] == true, "{report}");
        }
    }

    /// The rank stands in the argument file, and reaches the adapter by way of `get_peft_config`.
    #[test]
    fn settings_come_from_the_file_that_is_named() {
        let file = "recipes/tiny-chat/dpo/config_qlora.yaml";
        let arguments = ["verify", file, "--steps", "2", "--format", "json"];
        let report = json(&run(&fixtures().join("projects/handbook"), &arguments));
        assert!(report["start"].as_str().expect("a place").starts_with(file), "{report}");
        assert_eq!((&report["beta"], &report["model"]["trained"]), (&Value::from(0.01), &Value::from(7168)));
        let notes = report["notes"].to_string();
        assert!(notes.contains("config_qlora.yaml:7: `load_in_4bit` is set"), "{notes}");
    }

    /// From 0.29.0 on an adapter that is there before is compared with a copy of it, before with the model without it.
    #[test]
    fn a_model_may_come_with_its_adapter() {
        for (trl, words) in
            [("0.24.0", "the model with its adapter off"), ("1.16.0", "a copy of the adapter as it was")]
        {
            let folder = project(&format!("trl=={trl}\npeft==0.18.1\n"), "", "");
            let path = folder.path().join("train.py");
            let script = std::fs::read_to_string(&path).expect("a file");
            let script = script.replace("import LoraConfig", "import LoraConfig, get_peft_model");
            let script = script
                .replace("trainer = DPOTrainer(", "model = get_peft_model(model, peft_config)\ntrainer = DPOTrainer(");
            std::fs::write(&path, script.replace(", peft_config=peft_config", "")).expect("a file");
            let report = json(&run(folder.path(), &["verify", ".", "--steps", "2", "--format", "json"]));
            assert_eq!(report["reference"], words, "{report}");
            assert_eq!(report["holds"], true, "{report}");
        }
    }

    #[test]
    fn what_cannot_be_trained_is_refused_with_its_place() {
        let folder = project("trl==0.24.0\n", "optim=\"adafactor\", neftune_noise_alpha=5", "");
        let ran = run(folder.path(), &["verify", "."]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        for words in
            ["train.py:8: `optim` \"adafactor\" is not implemented", "train.py:8: `neftune_noise_alpha` is not"]
        {
            assert!(ran.err.contains(words), "{words}: {}", ran.err);
        }
    }

    /// Neither is another value put in its place, nor what PEFT and torch refuse trained.
    #[test]
    fn values_that_make_no_sense_are_refused_with_their_place() {
        let more = "gradient_accumulation_steps=2.5, adam_beta1=1, lr_scheduler_kwargs={\"cycles\": 2}";
        let folder = project("trl==1.16.0\n", more, "");
        let path = folder.path().join("train.py");
        let script = std::fs::read_to_string(&path).expect("a file");
        let script = script
            .replace("train_batch_size=3", "train_batch_size=0")
            .replace("max_length=512", "max_length=-1")
            .replace("learning_rate=5e-3", "learning_rate=-1.0")
            .replace("seed=42, ", "seed=-1, ")
            .replace("load(),", "load(), data_collator=Own(),")
            .replace(
                "LoraConfig(r=4,",
                "LoraConfig(r=0, bias=\"some\", use_dora=is_wanted(), rank_pattern={\"q_proj\": 0},",
            );
        std::fs::write(&path, script).expect("a file");
        let ran = run(folder.path(), &["verify", "."]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        for words in [
            "train.py:7: `per_device_train_batch_size` is 0, not a positive whole number",
            "train.py:8: `gradient_accumulation_steps` is 2.5, not a positive whole number",
            "train.py:8: `max_length` is -1, not a positive whole number",
            "train.py:7: `learning_rate` is -1, not a number from 0 on",
            "train.py:8: `seed` is -1, not a seed that can be set",
            "train.py:8: `adam_beta1` is 1, not a share below 1",
            "train.py:8: `cycles` of `lr_scheduler_kwargs` is not implemented",
            "train.py:10: `r` is 0, no rank of an adapter",
            "train.py:10: `rank_pattern` is 0, no rank of an adapter",
            "train.py:10: `bias` is \"some\", which PEFT does not know",
            "train.py:10: `use_dora` cannot be told",
            "train.py:12: `data_collator` is not run here",
        ] {
            assert!(ran.err.contains(words), "{words}: {}", ran.err);
        }
    }

    /// What only the model tells has a place, too.
    #[test]
    fn modules_that_no_model_has_are_refused_with_their_place() {
        let folder = project("trl==1.16.0\n", "", "");
        let path = folder.path().join("train.py");
        let script = std::fs::read_to_string(&path).expect("a file");
        std::fs::write(&path, script.replace("\"q_proj\", \"v_proj\", \"down_proj\"", "\"nope\"")).expect("a file");
        let ran = run(folder.path(), &["verify", "."]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("train.py:10: `target_modules` cannot be trained here: no module"), "{}", ran.err);
    }

    /// The warm-up of the script is as long as it is: its first step moves nothing, and its second cannot reach `lora_A`.
    #[test]
    fn the_first_steps_of_a_warm_up_hold() {
        let runner = fixtures().join("runner");
        let (model, data) =
            (runner.join("model").display().to_string(), runner.join("plain.jsonl").display().to_string());
        let folder = project("trl==1.16.0\n", "", "");
        for (steps, is_still) in [("1", true), ("2", false), ("3", false)] {
            let arguments = ["verify", ".", "--model", &model, "--data", &data, "--steps", steps, "--format", "json"];
            let report = json(&run(folder.path(), &arguments));
            let changes: Vec<bool> = ["every trained tensor changes", "the loss of a fixed batch falls"]
                .map(|name| report["checks"].to_string().contains(name))
                .to_vec();
            assert_eq!((report["holds"].as_bool(), changes), (Some(true), vec![!is_still; 2]), "{steps}: {report}");
            assert_eq!(report["notes"].to_string().contains("the warm-up holds the learning rate at 0"), is_still);
        }
    }

    #[test]
    fn steps_before_a_loss_that_is_no_number_are_shown() {
        let folder = project("trl==1.16.0\n", "", "");
        let path = folder.path().join("train.py");
        let script = std::fs::read_to_string(&path).expect("a file");
        std::fs::write(&path, script.replace("learning_rate=5e-3", "learning_rate=1e300")).expect("a file");
        let ran = run(folder.path(), &["verify", ".", "--steps", "10", "--save", "kept"]);
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("0.693147") && ran.out.contains("Nothing was checked"), "{}", ran.out);
        assert!(ran.err.contains("the loss is not a finite number"), "{}", ran.err);
    }

    /// TRL switches dropout off where nothing is said.
    #[test]
    fn dropout_is_on_only_where_it_is_asked_for() {
        for (more, is_on) in [("", false), ("disable_dropout=False", true)] {
            let folder = project("trl==1.16.0\n", more, "");
            let path = folder.path().join("train.py");
            let script = std::fs::read_to_string(&path).expect("a file");
            let adapter = "LoraConfig(lora_dropout=0.1, rank_pattern={\"q_proj\": 2}, ";
            std::fs::write(&path, script.replace("LoraConfig(r", &format!("{adapter}r"))).expect("a file");
            let report = json(&run(folder.path(), &["verify", ".", "--steps", "3", "--format", "json"]));
            assert_eq!(report["holds"], true, "{report}");
            assert_eq!(report["notes"].to_string().contains("train.py:10: `lora_dropout` stays on"), is_on, "{report}");
        }
    }

    /// The model of the script lies beside it; GPT-2 drops a tenth where its file says nothing.
    #[test]
    fn dropouts_of_a_model_are_named() {
        for (more, is_on) in [("", false), ("disable_dropout=False", true)] {
            let folder = project("trl==1.16.0\n", more, "");
            std::fs::create_dir(folder.path().join("model")).expect("a folder");
            std::fs::write(folder.path().join("model/config.json"), r#"{"model_type": "gpt2"}"#).expect("a file");
            let path = folder.path().join("train.py");
            let script = std::fs::read_to_string(&path).expect("a file");
            let adapter =
                "LoraConfig(r=4, lora_alpha=8, use_dora=True, lora_dropout=0.1, target_modules=[\"c_attn\"], ";
            let script = script.replace(
                "LoraConfig(r=4, lora_alpha=8, target_modules=[\"q_proj\", \"v_proj\", \"down_proj\"], ",
                adapter,
            );
            std::fs::write(&path, script).expect("a file");
            let report = json(&run(folder.path(), &["verify", ".", "--steps", "3", "--format", "json"]));
            assert_eq!(report["holds"], true, "{report}");
            let notes = report["notes"].to_string();
            assert_eq!(notes.contains("embd_pdrop, attn_pdrop, resid_pdrop of config.json"), is_on, "{report}");
        }
    }

    /// Old releases add the likelihood of preferred answers; newer ones have no such setting.
    #[test]
    fn the_likelihood_of_answers_is_part_of_the_loss() {
        let runner = fixtures().join("runner");
        let (model, data) =
            (runner.join("model").display().to_string(), runner.join("plain.jsonl").display().to_string());
        let first = |pins: &str, more: &str| {
            let folder = project(pins, more, "");
            let arguments = ["verify", ".", "--model", &model, "--data", &data, "--steps", "1", "--format", "json"];
            json(&run(folder.path(), &arguments))["log"][0]["loss"].as_f64().expect("a loss")
        };
        let half = 2_f64.ln();
        let after = first("trl==0.24.0\npeft==0.17.1\n", "rpo_alpha=0.5") - half;
        let before = first("trl==0.9.6\npeft==0.13.2\n", "rpo_alpha=0.5") - 0.5 * half;
        assert!(after > 2.0 && before > 4.0, "{after} {before}");
        let folder = project("trl==0.24.0\n", "rpo_alpha=0.5, padding_free=True", "");
        let ran = run(folder.path(), &["verify", "."]);
        assert!(ran.err.contains("`padding_free` with `rpo_alpha` is not implemented"), "{}", ran.err);
    }

    #[test]
    fn what_was_made_is_kept() {
        let folder = project("trl==1.16.0\n", "", "");
        let ran = run(folder.path(), &["verify", ".", "--steps", "3", "--save", "kept"]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let kept = folder.path().join("kept");
        let metrics = std::fs::read_to_string(kept.join("metrics.jsonl")).expect("a file");
        let lines: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 3);
        for (line, step) in lines.iter().zip(1_i32..) {
            // 32 pairs in batches of 3 are 11 steps.
            assert_eq!(line["step"].as_i64(), Some(i64::from(step)));
            assert_eq!(line["epoch"].as_f64(), Some(f64::from(step) / 11.0));
        }
        for name in ["loss", "grad_norm", "rewards/margins", "logps/chosen", "epoch"] {
            assert!(lines[0][name].is_number(), "{name}: {metrics}");
        }
        assert!(std::fs::read(kept.join("loss.png")).expect("a file").starts_with(b"\x89PNG"));
        assert!(std::fs::read_to_string(kept.join("loss.svg")).expect("a file").contains("<svg"));
        assert!(kept.join("adapter_model.safetensors").is_file() && kept.join("adapter_config.json").is_file());
    }

    /// Ctrl-C ends the run after the step that is under way.
    #[cfg(unix)]
    #[test]
    fn an_interrupted_run_keeps_what_was_done() {
        use std::io::Read as _;

        let folder = project("trl==1.16.0\n", "", "");
        let path = folder.path().join("train.py");
        let script = std::fs::read_to_string(&path).expect("a file");
        std::fs::write(&path, script.replace("max_steps=20", "max_steps=1000000")).expect("a file");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dpo-lint"));
        command.env("DPO_LINT_CACHE", folder.path().join("no-such-cache")).current_dir(folder.path());
        command.args(["verify", ".", "--steps", "1000000", "--save", "kept"]);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("started");
        std::thread::sleep(std::time::Duration::from_secs(4));
        let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(kill.expect("a signal").success());
        let mut text = String::new();
        child.stdout.take().expect("piped").read_to_string(&mut text).expect("UTF-8");
        assert!(child.wait().expect("it ends").code().is_some_and(|code| code < 2), "{text}");
        let metrics = std::fs::read_to_string(folder.path().join("kept/metrics.jsonl")).expect("a file");
        let steps = metrics.lines().count();
        assert!(steps > 0 && text.contains("ended early"), "{text}");
        assert!(folder.path().join("kept/adapter_model.safetensors").is_file());
    }

    /// A folder in which nothing can be written, as on a full disk.
    #[cfg(unix)]
    #[test]
    fn what_cannot_be_kept_is_shown_all_the_same() {
        let folder = project("trl==1.16.0\n", "", "");
        std::fs::write(folder.path().join("kept"), "a file in the way").expect("a file");
        let ran = run(folder.path(), &["verify", ".", "--steps", "3", "--save", "kept"]);
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("It trains: everything holds"), "{}", ran.out);
        assert!(ran.err.contains("cannot write kept"), "{}", ran.err);
    }

    /// A place for temporary files where nothing can be written, as on a full disk: the adapter cannot be read again.
    #[cfg(unix)]
    #[test]
    fn a_run_whose_checks_have_no_room_is_shown_and_kept() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = project("trl==1.16.0\n", "", "");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dpo-lint"));
        command.env("DPO_LINT_CACHE", folder.path().join("no-such-cache")).current_dir(folder.path());
        command.env("TMPDIR", folder.path().join("no-such-folder"));
        let output = command.args(["verify", ".", "--steps", "3", "--save", "kept"]).output().expect("it runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{out}{err}");
        assert!(out.contains("Nothing was checked") && out.contains("Wrote kept"), "{out}");
        assert!(err.contains("cannot write ") && err.contains("no-such-folder"), "{err}");
        let kept = folder.path().join("kept/adapter_model.safetensors");
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "").expect("a file");
        let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions().mode();
        assert_eq!(mode(&kept), mode(&plain), "like any other file");
        assert_eq!(mode(&folder.path().join("kept/loss.png")), mode(&plain));
    }

    #[test]
    fn missing_and_broken_files_are_named() {
        let folder = project("trl==1.16.0\n", "", "");
        std::fs::create_dir(folder.path().join("empty")).expect("a folder");
        std::fs::write(folder.path().join("bad.jsonl"), "{\"chosen\": \"a\"}\n").expect("a file");
        for (arguments, words) in [
            (["--data", "none.jsonl"], "cannot read none.jsonl"),
            (["--data", "bad.jsonl"], "bad.jsonl:1: has no `rejected`"),
            (["--model", "empty"], "empty has no tokenizer.json"),
            (["--device", "cuda"], "GPU"),
        ] {
            let ran = run(folder.path(), &["verify", ".", arguments[0], arguments[1]]);
            assert_eq!(ran.code, 2, "{arguments:?}");
            assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
        }
        let nothing = tempfile::tempdir().expect("a folder");
        assert_eq!(run(nothing.path(), &["verify", "."]).code, 2);
    }

    #[test]
    fn a_launch_of_several_processes_is_said() {
        let folder = project("trl==1.16.0\n", "", "");
        for (line, is_said) in [("torchrun --nproc_per_node 4 train.py", true), ("python train.py", false)] {
            std::fs::write(folder.path().join("run.sh"), line).expect("a file");
            let ran = run(folder.path(), &["verify", ".", "--steps", "1"]);
            let note = "run.sh:1: each step takes a batch of each of 4 processes; one of them is trained here";
            assert_eq!(ran.out.contains(note), is_said, "{}{}", ran.out, ran.err);
        }
    }

    #[test]
    fn a_check_fixes_and_then_trains() {
        let folder = project("trl==0.11.4\npeft==0.13.2\n", "", "ref_model=model,");
        let ran = run(folder.path(), &["check", "--fix", "--unsafe-fixes", "--verify", "."]);
        let script = std::fs::read_to_string(folder.path().join("train.py")).expect("a file");
        assert!(!script.contains("ref_model=model,"), "{script}");
        assert!(ran.out.contains("It trains: everything holds"), "{}{}", ran.out, ran.err);
    }

    /// The estimate is told before, and what was held after. Half of it is the program where the model is small.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_estimate_of_memory_is_near_what_was_held() {
        let folder = project("trl==1.16.0\n", "", "");
        let report = json(&run(folder.path(), &["verify", ".", "--steps", "2", "--format", "json"]));
        let memory = &report["memory"];
        let [estimated, peak] = ["estimated_bytes", "peak_bytes"].map(|key| memory[key].as_u64().expect("a size"));
        assert!(estimated * 4 > peak * 3 && estimated * 10 < peak * 13, "{memory}");
        let parts = memory["parts"].as_array().expect("parts");
        assert_eq!(parts.iter().map(|part| part["bytes"].as_u64().expect("a size")).sum::<u64>(), estimated);
        let text = run(folder.path(), &["verify", ".", "--steps", "2"]).out;
        assert!(text.contains("  memory     about "), "{text}");
    }

    /// A model of 22 billion parameters, of which nothing but its form is there: nobody looks for its weights.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_run_that_cannot_have_its_memory_is_refused_before_weights_are_read() {
        let folder = project("trl==1.16.0\n", "", "");
        let model = folder.path().join("large");
        std::fs::create_dir(&model).expect("a folder");
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            std::fs::copy(fixtures().join("runner/model").join(name), model.join(name)).expect("a file");
        }
        let form = r#"{"model_type": "llama", "vocab_size": 150000, "hidden_size": 16384, "intermediate_size": 65536,
            "num_hidden_layers": 1000, "num_attention_heads": 64, "num_key_value_heads": 8}"#;
        std::fs::write(model.join("config.json"), form).expect("a file");
        let ran = run(folder.path(), &["verify", ".", "--model", "large"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        for words in ["this run takes about ", "weights in 32 bits; less with a smaller model", "`max_length`"] {
            assert!(ran.err.contains(words), "{words}: {}", ran.err);
        }
    }

    /// A limit of the shell counts as well, and whatever it is, nothing ends in an abort.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_limit_of_the_shell_is_named() {
        let folder = project("trl==1.16.0\n", "", "");
        let model = folder.path().join("large");
        std::fs::create_dir(&model).expect("a folder");
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            std::fs::copy(fixtures().join("runner/model").join(name), model.join(name)).expect("a file");
        }
        let form = r#"{"model_type": "llama", "vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 8192,
            "num_hidden_layers": 24, "num_attention_heads": 16}"#;
        std::fs::write(model.join("config.json"), form).expect("a file");
        let line = format!("ulimit -v 3000000 && exec {} verify . --model large", env!("CARGO_BIN_EXE_dpo-lint"));
        let mut command = std::process::Command::new("sh");
        command
            .args(["-c", &line])
            .current_dir(folder.path())
            .env("DPO_LINT_CACHE", folder.path().join("no-such-cache"));
        let output = command.output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("left to this process by `ulimit`"), "{text}");
    }

    /// The file of the template is named.
    #[test]
    fn a_template_that_grows_without_end_is_named() {
        let folder = project("trl==1.16.0\n", "", "");
        let model = folder.path().join("model");
        std::fs::create_dir(&model).expect("a folder");
        for name in ["tokenizer.json", "config.json"] {
            std::fs::copy(fixtures().join("runner/model").join(name), model.join(name)).expect("a file");
        }
        std::fs::write(model.join("tokenizer_config.json"), r#"{"eos_token": "</s>"}"#).expect("a file");
        let data = fixtures().join("runner/chat.jsonl").display().to_string();
        for template in [
            "{% set ns = namespace(x='ab') %}{% for i in range(200) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
            "{{ '{:>100000000000}'.format('a') }}",
        ] {
            std::fs::write(model.join("chat_template.jinja"), template).expect("a file");
            let ran = run(folder.path(), &["verify", ".", "--model", "model", "--data", &data]);
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
            let name = Path::new("model").join("chat_template.jinja").display().to_string();
            assert!(ran.err.contains(&format!("chat template of {name}")), "{}", ran.err);
        }
    }

    /// Each changes losses in some releases, or beside some other setting.
    #[test]
    fn settings_that_mostly_change_nothing_are_looked_at() {
        let refused = [
            ("0.24.0", "padding_free=True, loss_type=\"ipo\"", "`padding_free` beside `loss_type` \"ipo\""),
            (
                "0.24.0",
                "padding_free=True, loss_type=[\"sigmoid\", \"sft\"]",
                "`padding_free` beside the likelihood of answers",
            ),
            ("0.24.0", "padding_free=True, use_logits_to_keep=True", "`padding_free` beside `use_logits_to_keep`"),
            ("0.11.4", "label_pad_token_id=0", "`label_pad_token_id` other than -100"),
            ("0.24.0", "label_pad_token_id=0, rpo_alpha=1.0", "`label_pad_token_id` other than -100"),
            ("0.11.4", "is_encoder_decoder=True", "`is_encoder_decoder` is set"),
            (
                "1.16.0",
                "accelerator_config={\"use_seedable_sampler\": False}",
                "`use_seedable_sampler` of `accelerator_config`",
            ),
            ("1.16.0", "model_init_kwargs={\"attention_dropout\": 0.1}", "`attention_dropout` of `model_init_kwargs`"),
        ];
        for (trl, more, words) in refused {
            let folder = project(&format!("trl=={trl}\n"), more, "");
            let ran = run(folder.path(), &["verify", ".", "--steps", "1"]);
            assert_eq!(ran.code, 2, "{more}: {}", ran.out);
            assert!(ran.err.contains(&format!("train.py:8: {words}")), "{words}: {}", ran.err);
        }
        let followed = [
            ("0.24.0", "padding_free=True", "`padding_free` is set; here no sequence sees another"),
            ("1.16.0", "padding_free=True, loss_type=\"ipo\"", ""),
            ("0.11.4", "label_pad_token_id=-1", ""),
            ("0.24.0", "label_pad_token_id=0", ""),
            ("1.16.0", "accelerator_config={\"use_seedable_sampler\": True, \"even_batches\": False}", ""),
            ("1.16.0", "model_init_kwargs={\"attn_implementation\": \"sdpa\"}, trust_remote_code=True", ""),
            ("1.16.0", "deepspeed=\"ds.json\"", "`deepspeed` is set; one process trains here"),
        ];
        for (trl, more, note) in followed {
            let folder = project(&format!("trl=={trl}\npeft==0.17.1\n"), more, "");
            let ran = run(folder.path(), &["verify", ".", "--steps", "1"]);
            assert!(ran.code < 2 && ran.out.contains(note), "{more}: {}{}", ran.out, ran.err);
            assert_eq!(ran.out.contains("padding_free"), note.contains("padding_free"), "{}", ran.out);
        }
    }
}
