//! `dpo-lint schema` prints a JSON Schema that a validator accepts, and that tells good configurations from bad ones.

use std::collections::BTreeSet;

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
        "oumi",
        "trl.DPOConfig@1.16",
        "transformers.TrainingArguments@4.57.1",
    ] {
        let schema = schema(what);
        assert!(jsonschema::meta::is_valid(&schema), "{what}");
        jsonschema::validator_for(&schema).expect("it is a schema");
        assert!(schema["properties"].as_object().expect("it has keys").len() > 5, "{what}");
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
        ("oumi", json!({"training": {"learning_rate": "1e-5", "max_steps": "${steps}"}, "peft": {"lora_r": 8}}), true),
        ("oumi", json!({"training": {"learning_rat": 1e-5}}), false),
        ("oumi", json!({"peft": {"lora_r": "eight"}}), false),
        ("oumi", json!({"data": {"train": {"datasets": [{"dataset_nam": "a/b"}]}}}), false),
        ("axolotl", json!({"base_model": "me/base", "learning_rate": 1, "trl": {"beta": "much"}}), false),
        ("torchtune", json!({"model": {"_component_": "torchtune.models.qwen2_5.lora_qwen2_5_0_5b"}}), true),
        ("trl.DPOConfig@1.16", json!({"beta": 0.1}), true),
        ("trl.DPOConfig@1.16", json!({"beta": "1e-1"}), true),
        ("trl.DPOConfig@1.16", json!({"beta": "much"}), false),
        ("trl.DPOConfig@1.16", json!({"betta": 0.1}), false),
    ] {
        let validator = jsonschema::validator_for(&schema(what)).expect("it is a schema");
        assert_eq!(validator.is_valid(&document), is_good, "{what}: {document}");
    }
}

/// A configuration of a framework that trains.
struct Trained {
    schema: &'static str,
    pin: &'static str,
    start: &'static str,
    document: Value,
}

fn trained() -> [Trained; 3] {
    [
        Trained {
            schema: "llama-factory@0.9.3",
            pin: "llamafactory==0.9.3",
            start: "llamafactory-cli train",
            document: json!({
                "model_name_or_path": "me/base", "stage": "dpo", "finetuning_type": "lora", "dataset": "pairs",
                "template": "qwen", "output_dir": "out"
            }),
        },
        Trained {
            schema: "axolotl@0.9.2",
            pin: "axolotl==0.9.2",
            start: "axolotl train",
            document: json!({
                "base_model": "me/base", "rl": "dpo", "learning_rate": 1e-5, "micro_batch_size": 1, "num_epochs": 1,
                "gradient_accumulation_steps": 1, "datasets": [{"path": "a/b", "type": "chatml.intel", "split": "train"}]
            }),
        },
        Trained {
            schema: "trl dpo@0.24.0",
            pin: "trl==0.24.0",
            start: "trl dpo --config",
            document: json!({"model_name_or_path": "me/base", "dataset_name": "a/b", "output_dir": "out"}),
        },
    ]
}

/// The keys of which the schema refuses the value, and those that it does not have.
fn refused(validator: &jsonschema::Validator, schema: &Value, document: &Value) -> BTreeSet<String> {
    let at = validator.iter_errors(document).filter_map(|error| {
        let place = error.instance_path().to_string();
        Some(place.strip_prefix('/')?.split('/').next()?.to_owned())
    });
    let is_open = schema["additionalProperties"] == true;
    let keys = document.as_object().expect("keys").keys();
    let unknown = keys.filter(|key| !is_open && schema["properties"].get(key.as_str()).is_none()).cloned();
    at.chain(unknown).collect()
}

/// What is said of a file is no more than its schema says, and of words and names no less: here every key of a program gets a word, a
/// number, a list and so on. Of types a schema says more than the programs do, which take `lora_rank: "8"` or fail later.
#[test]
fn findings_and_schemas_agree() {
    for Trained { schema: what, pin, start, document } in trained() {
        let schema = schema(what);
        let validator = jsonschema::validator_for(&schema).expect("it is a schema");
        let keys = schema["properties"].as_object().expect("keys").keys();
        let keys: Vec<&String> = keys.filter(|key| document.get(key.as_str()).is_none()).collect();
        let values = [json!("nonsense"), json!([1, 2]), json!({"a": 1}), json!(3), json!(true), json!("8"), json!(2.5)];
        let mut documents = Vec::new();
        for value in &values {
            for some in keys.chunks(12) {
                let mut changed = document.clone();
                changed["no_such_key"] = value.clone();
                for key in some {
                    changed[key.as_str()] = value.clone();
                }
                documents.push(changed);
            }
        }
        let found = findings(pin, start, &documents);
        let mut both = 0;
        for (at, document) in documents.iter().enumerate() {
            let refused = refused(&validator, &schema, document);
            for (key, rule) in &found[at] {
                // A schema of JSON has no numbers as keys.
                let is_open = rule == "unknown-config-key" || key == "added_tokens_overrides";
                assert!(refused.contains(key) || is_open, "{what}: {rule} says more of {key}: {}", document[key]);
                both += usize::from(refused.contains(key));
            }
            let is_found = |key: &str| found[at].iter().any(|(found, _)| found == key);
            for key in &refused {
                let is_word = document[key] == "nonsense" && schema["properties"][key].get("enum").is_some();
                let is_name = schema["properties"].get(key).is_none();
                assert!(is_found(key) || !(is_word || is_name), "{what}: nothing is said of {key}: {}", document[key]);
            }
        }
        assert!(both > 100, "{what}: {both} keys");
    }
}

/// The keys of each document of which something is said that schemas say, too, and by which rule.
fn findings(pin: &str, start: &str, documents: &[Value]) -> Vec<BTreeSet<(String, String)>> {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("requirements.txt", &format!("{pin}\n"));
    let mut lines = String::new();
    for (at, document) in documents.iter().enumerate() {
        // A key for each line, in order: JSON is YAML.
        let keys = document.as_object().expect("keys").iter().map(|(key, value)| format!("{key}: {value}"));
        write(&format!("{at}.yaml"), &keys.collect::<Vec<_>>().join("\n"));
        lines.extend([start, " ", &at.to_string(), ".yaml\n"]);
    }
    write("run.sh", &lines);
    let mut command = Command::cargo_bin("dpo-lint").expect("it is built");
    let rules = "unknown-config-key,invalid-config-value";
    let command = command.args(["check", ".", "--output-format", "json", "--select", rules]);
    let output = command.current_dir(folder.path()).output().expect("it runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let mut found = vec![BTreeSet::new(); documents.len()];
    for finding in report["findings"].as_array().expect("findings") {
        let path = finding["path"].as_str().expect("a path");
        let Some(at) = path.strip_suffix(".yaml").and_then(|name| name.parse::<usize>().ok()) else { continue };
        let line = finding["start"]["line"].as_u64().expect("a line") as usize;
        let key = documents[at].as_object().expect("keys").keys().nth(line - 1).expect("a key of this line");
        found[at].insert((key.clone(), finding["rule"].as_str().expect("a rule").to_owned()));
    }
    found
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
