//! Folders of models: read back as they were written, and told what is wrong with broken ones.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::{Value, json};

use super::super::adapter::save_model;
use super::Model;

const TOKENS: [u32; 4] = [1, 5, 2, 7];

fn config(family: &str) -> Value {
    if family == "gpt2" {
        return json!({"model_type": "gpt2", "vocab_size": 11, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 8});
    }
    json!({
        "model_type": family, "vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "intermediate_size": 12, "rope_theta": 500.0,
    })
}

fn saved(family: &str) -> (tempfile::TempDir, Model) {
    let folder = tempfile::tempdir().expect("a folder");
    let model = Model::random(&config(family), 5).expect("a model");
    save_model(&model, folder.path()).expect("a saved model");
    (folder, model)
}

fn logits(model: &Model) -> Vec<f32> {
    model.logits(&TOKENS, true).expect("logits").data().to_vec()
}

/// What a folder is refused with.
fn refusal(folder: &Path) -> String {
    Model::load(folder).expect_err("a broken folder").to_string()
}

#[test]
fn a_model_that_was_written_is_read() {
    for family in ["llama", "gpt2", "phi3", "gemma2"] {
        let (folder, model) = saved(family);
        assert_eq!(logits(&Model::load(folder.path()).expect("a model")), logits(&model), "{family}");
    }
}

#[test]
#[expect(clippy::float_cmp, reason = "a half is exact")]
fn the_forms_of_two_major_releases_are_read() {
    let model = |change: Value| {
        let mut raw = config("llama");
        let keys = raw.as_object_mut().expect("keys");
        keys.remove("rope_theta");
        keys.extend(change.as_object().expect("keys").clone());
        Model::<f32>::random(&raw, 5).expect("a model").config().rotary.frequencies(1).into_owned()
    };
    let nested = model(json!({"rope_parameters": {"rope_theta": 500.0, "rope_type": "default"}, "dtype": "float32"}));
    assert_eq!(nested, model(json!({"rope_theta": 500.0, "rope_scaling": null, "torch_dtype": "float32"})));
    let linear = json!({"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 2.0}});
    assert_eq!(model(linear)[0], nested[0] / 2.0);
}

/// In two files, half of the numbers with 16 bits, and with the short names of the first GPT-2 files.
#[test]
fn shards_and_narrow_numbers_are_read() {
    let (folder, model) = saved("gpt2");
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).expect("a file");
    let tensors = SafeTensors::deserialize(&bytes).expect("tensors");
    let (mut map, mut files) = (serde_json::Map::new(), [Vec::new(), Vec::new()]);
    for (at, (name, view)) in tensors.tensors().into_iter().enumerate() {
        let short = name.trim_start_matches("transformer.").to_owned();
        map.insert(short.clone(), json!(format!("part-{}.safetensors", at % 2)));
        files[at % 2].push((short, view));
    }
    for (at, views) in files.into_iter().enumerate() {
        let file = safetensors::serialize(views, None).expect("a file");
        fs::write(folder.path().join(format!("part-{at}.safetensors")), file).expect("a file");
    }
    fs::remove_file(&path).expect("a file");
    let index = folder.path().join("model.safetensors.index.json");
    fs::write(&index, json!({"metadata": {}, "weight_map": map}).to_string()).expect("a file");
    assert_eq!(logits(&Model::load(folder.path()).expect("a model")), logits(&model));
    fs::remove_file(folder.path().join("part-1.safetensors")).expect("a file");
    assert!(refusal(folder.path()).contains("cannot read") && refusal(folder.path()).contains("part-1.safetensors"));
    for name in ["../part-1.safetensors", "/part-1.safetensors", "a/../../b"] {
        fs::write(&index, json!({"weight_map": {"a": name}}).to_string()).expect("a file");
        let found = refusal(folder.path());
        assert!(found.contains(&format!("`weight_map`: names {name:?}, which is no file of this folder")), "{found}");
    }
    fs::write(&index, "{}").expect("a file");
    assert!(refusal(folder.path()).contains("`weight_map`: is missing"));
}

#[test]
fn broken_folders_are_told_apart() {
    let (folder, _) = saved("llama");
    let weights = folder.path().join("model.safetensors");
    let bytes = fs::read(&weights).expect("a file");
    fs::write(&weights, &bytes[..bytes.len() - 40]).expect("a file");
    assert!(refusal(folder.path()).contains("ends beyond the file"), "{}", refusal(folder.path()));
    fs::write(&weights, &bytes[..30]).expect("a file");
    assert!(refusal(folder.path()).contains("cut off"), "{}", refusal(folder.path()));
    fs::write(&weights, b"no").expect("a file");
    assert!(refusal(folder.path()).contains("too short"), "{}", refusal(folder.path()));
    fs::remove_file(&weights).expect("a file");
    fs::write(folder.path().join("pytorch_model.bin"), b"").expect("a file");
    assert!(refusal(folder.path()).contains("pytorch_model.bin"), "{}", refusal(folder.path()));
    fs::write(&weights, &bytes).expect("a file");
    assert!(Model::load(folder.path()).is_ok());

    for (change, expected) in [
        (json!({"hidden_size": null}), "`hidden_size`: is missing"),
        (json!({"hidden_size": -1}), "`hidden_size`: -1 is not a positive whole number"),
        (json!({"hidden_size": 16}), "has the sizes [11, 8], but by config.json they are [11, 16]"),
        (
            json!({"num_hidden_layers": 2}),
            "tensor `model.layers.1.input_layernorm.weight`: is in none of the weight files",
        ),
        (json!({"model_type": "bert"}), "the family bert is not known here"),
        (json!({"hidden_act": "tanhshrink"}), "the function tanhshrink is not known here"),
        (json!({"rope_scaling": {"rope_type": "axial"}}), "`rope_scaling`: the kind axial is not implemented"),
        (json!({"rope_scaling": {"rope_type": "dynamic"}}), "`rope_scaling`: `factor` is missing"),
        (
            json!({"rope_scaling": {"rope_type": "longrope", "short_factor": [1.0]}}),
            "`rope_scaling`: `short_factor` has 1 factors, not 2",
        ),
        (json!({"hidden_size": 1_000_000_000_000_u64}), "`hidden_size`: 1000000000000 is more than any model has"),
        (
            json!({"num_hidden_layers": u64::MAX}),
            "`num_hidden_layers`: 18446744073709551615 is more than any model has",
        ),
        (json!({"num_hidden_layers": 1_000_000}), "`num_hidden_layers`: 1000000 is more than any model has"),
        (json!({"head_dim": 10_000_000, "num_attention_heads": 4}), "`num_attention_heads`: has heads that are wider"),
        (json!({"num_attention_heads": 16}), "`num_attention_heads`: is larger than `hidden_size`"),
        (json!({"partial_rotary_factor": 1e300}), "`partial_rotary_factor`: "),
        (
            json!({"layer_types": ["linear_attention"]}),
            "`layer_types`: the kind \"linear_attention\" is not known here",
        ),
        (json!({"quantization_config": {}}), "quantised weights are not read"),
        (json!({"tie_word_embeddings": "yes"}), "is neither true nor false"),
    ] {
        let mut raw = config("llama");
        raw.as_object_mut().expect("keys").extend(change.as_object().expect("keys").clone());
        fs::write(folder.path().join("config.json"), raw.to_string()).expect("a file");
        let found = refusal(folder.path());
        assert!(found.contains(expected) && found.contains(&*folder.path().to_string_lossy()), "{found}");
    }
    fs::write(folder.path().join("config.json"), "{\n  \"a\": }").expect("a file");
    assert!(refusal(folder.path()).contains("line 2"), "{}", refusal(folder.path()));
    fs::remove_file(folder.path().join("config.json")).expect("a file");
    assert!(refusal(folder.path()).contains("cannot read"), "{}", refusal(folder.path()));
}

#[test]
fn numbers_that_are_none_are_named() {
    let (folder, mut model) = saved("llama");
    let norm = model.weights().slots().len() - 1;
    let name = model.weights().slots()[norm].name.clone();
    for number in [f32::NAN, f32::NEG_INFINITY] {
        model.weights_mut().change(norm).data_mut()[2] = number;
        save_model(&model, folder.path()).expect("a saved model");
        let found = refusal(folder.path());
        assert!(found.contains(&format!("model.safetensors: tensor `{name}`: number 3 is {number}, ")), "{found}");
    }
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    let model = Model::<f32>::random(&config("gpt2"), 5).expect("a model");
    let long = model.logits(&[1; 9], true).expect_err("too long").to_string();
    assert!(long.contains("it has 9 tokens, the model 8 positions"), "{long}");
    let unknown = model.logits(&[11], true).expect_err("no such token").to_string();
    assert!(unknown.contains("token 11 is not in the vocabulary of 11 tokens"), "{unknown}");
}
