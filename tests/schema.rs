//! `dpo-lint schema` prints a JSON Schema that a validator accepts, and that tells good configurations from bad ones.

use assert_cmd::Command;
use serde_json::{Value, json};

fn schema(what: &str) -> Value {
    let output = Command::cargo_bin("dpo-lint").expect("it is built").args(["schema", what]).output().expect("it runs");
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

#[test]
fn a_validator_accepts_every_schema() {
    for what in [
        "llama-factory@0.9.3",
        "llamafactory-cli export",
        "axolotl@0.9.2",
        "axolotl@0.5.2",
        "swift rlhf@3.5",
        "ms-swift",
        "trl dpo@0.24.0",
        "trl.DPOConfig@1.16",
        "transformers.TrainingArguments@4.57.1",
    ] {
        let schema = schema(what);
        assert!(jsonschema::meta::is_valid(&schema), "{what}");
        jsonschema::validator_for(&schema).expect("it is a schema");
        assert!(schema["properties"].as_object().expect("it has keys").len() > 20, "{what}");
    }
}

#[test]
fn it_tells_good_configurations_from_bad_ones() {
    let good = json!({
        "model_name_or_path": "me/base", "stage": "dpo", "finetuning_type": "lora", "ref_model": "me/sft",
        "pref_loss": "sigmoid", "learning_rate": "5e-6", "output_dir": "out"
    });
    let changed = |key: &str, value: Value| {
        let mut one = good.clone();
        one[key] = value;
        one
    };
    for (what, document, is_good) in [
        ("llama-factory@0.9.3", good.clone(), true),
        ("llama-factory@0.9.3", changed("pref_loss", json!("dpo")), false),
        ("llama-factory@0.9.3", changed("dpo_beta", json!(0.1)), false),
        ("llama-factory@0.7.1", changed("dpo_beta", json!(0.1)), false),
        ("llama-factory@0.9.3", changed("lora_rank", json!("eight")), false),
        ("axolotl@0.9.2", json!({"base_model": "me/base", "rl": "dpo", "learning_rate": "5e-6"}), true),
        ("axolotl@0.9.2", json!({"base_model": "me/base", "rl": "dpoo", "learning_rate": 1}), false),
        ("axolotl@0.9.2", json!({"rl": "dpo"}), false),
        ("trl.DPOConfig@1.16", json!({"beta": 0.1}), true),
        ("trl.DPOConfig@1.16", json!({"betta": 0.1}), false),
    ] {
        let validator = jsonschema::validator_for(&schema(what)).expect("it is a schema");
        assert_eq!(validator.is_valid(&document), is_good, "{what}: {document}");
    }
}

#[test]
fn what_is_not_known_is_said() {
    for (what, message) in [
        ("llamafactry", "neither a program nor a class"),
        ("axolotl@99", "no release `99` of axolotl is known"),
        ("trl.NoSuch", "neither a program nor a class"),
    ] {
        let output =
            Command::cargo_bin("dpo-lint").expect("it is built").args(["schema", what]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(message), "{what}");
    }
}
