//! Counts are held to models that are really made. How far whole estimates are from what was measured, `tests/verify.rs` tells.

use serde_json::{Value, json};

use super::*;
use crate::runner::{BiasTraining, Device, LoraSpec, Model, Targets, Trainer};

fn models() -> Vec<Value> {
    let sizes = json!({
        "vocab_size": 90, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8
    });
    let of = |more: Value| {
        let mut all = sizes.clone();
        for (key, value) in more.as_object().expect("keys") {
            all[key] = value.clone();
        }
        all
    };
    vec![
        of(json!({"model_type": "llama", "mlp_bias": true, "attention_bias": true})),
        of(json!({"model_type": "llama", "tie_word_embeddings": true})),
        of(json!({"model_type": "qwen2"})),
        of(json!({"model_type": "qwen3"})),
        of(json!({"model_type": "gemma2"})),
        of(json!({"model_type": "phi3"})),
        json!({"model_type": "gpt2", "vocab_size": 90, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 20}),
    ]
}

fn adapters() -> Vec<LoraSpec> {
    let names = |names: &[&str]| Targets::Names(names.iter().map(|name| (*name).to_owned()).collect());
    vec![
        LoraSpec { targets: Targets::AllLinear, ..LoraSpec::default() },
        LoraSpec { targets: Targets::AllLinear, dora: true, bias: BiasTraining::All, ..LoraSpec::default() },
        LoraSpec {
            targets: names(&["down_proj", "c_fc", "qkv_proj"]),
            bias: BiasTraining::LoraOnly,
            rank_pattern: vec![("1.mlp.down_proj".to_owned(), 3)],
            ..LoraSpec::default()
        },
        LoraSpec {
            targets: names(&["down_proj", "c_fc", "lm_head"]),
            modules_to_save: vec!["embed_tokens".to_owned()],
            ..LoraSpec::default()
        },
    ]
}

fn pair(prompt: usize, chosen: usize, rejected: usize) -> Pair {
    Pair { prompt: vec![1; prompt], chosen: vec![2; chosen], rejected: vec![3; rejected], rejected_prompt: None }
}

#[test]
fn numbers_are_counted_as_they_are_made() {
    for raw in models() {
        let model: Model = Model::random(&raw, 0).expect("a model");
        let whole = RunSpec { reference: crate::runner::Reference::Copy, ..RunSpec::default() };
        let form = Form::new(model.config(), &whole);
        assert_eq!(form.numbers, model.parameter_count() as u64, "{raw}");
        assert_eq!((form.fresh, form.trained), (0, form.numbers));
        for lora in adapters() {
            let is_gpt2 = raw["model_type"] == "gpt2";
            let lora = LoraSpec {
                modules_to_save: lora.modules_to_save.iter().filter(|_| !is_gpt2).cloned().collect(),
                ..lora
            };
            let spec = RunSpec { lora: Some(lora), ..RunSpec::default() };
            let trainer = Trainer::new(model.clone(), &spec, &Device::default()).expect("a trainer");
            let form = Form::new(model.config(), &spec);
            assert_eq!(form.trained, trainer.trained_count() as u64, "{raw} {:?}", spec.lora);
        }
    }
}

#[test]
fn the_largest_batch_is_found() {
    let pairs = [pair(2, 3, 3), pair(5, 9, 2), pair(1, 2, 2), pair(4, 4, 4)];
    let spec = RunSpec { batch_size: 2, shuffle: false, ..RunSpec::default() };
    let of = |spec: &RunSpec, steps| largest(&pairs, spec, steps);
    // The first batch has 6 + 14 rows, the second one 4 + 10.
    assert_eq!(of(&spec, 2), Batch { rows: 6 + 14, scored: 17, products: 9 * 14, first: 5 });
    assert_eq!(of(&spec, 1_000_000).rows, 14 + 10);
    let cut = RunSpec { max_length: Some(6), ..spec.clone() };
    assert_eq!(of(&cut, 2).rows, 6 + 5);
    let twice = RunSpec { drops: true, ..spec };
    assert_eq!(of(&twice, 1).rows, 6 + 2 + 14 + 5);
}

fn estimated(spec: &RunSpec, raw: &Value, pairs: &[Pair]) -> Estimate {
    let config = Config::parse(std::path::Path::new("config.json"), raw.clone()).expect("a form");
    let planned = Planned {
        config: &config,
        spec,
        pairs,
        steps: 2,
        is_read: true,
        is_saved: false,
        is_repeated: false,
        held: 1 << 20,
    };
    estimate(&planned)
}

#[test]
fn only_what_cannot_fit_is_refused_and_told_why() {
    let spec = RunSpec { lora: Some(LoraSpec::default()), ..RunSpec::default() };
    let needed = estimated(&spec, &models()[0], &[pair(5, 9, 2)]);
    let least = needed.least(1000);
    let free = |bytes| Some(Free { bytes, by: machine::Limit::Group });
    assert!(needed.check(1000, None).is_ok());
    assert!(needed.check(1000, free(least).as_ref()).is_ok());
    let error = needed.check(1000, free(least - 1).as_ref()).expect_err("refused").to_string();
    assert!(error.starts_with("this run takes about "), "{error}");
    for words in ["are left to the control group", "weights in 32 bits; less with a smaller model", "`max_length`"] {
        assert!(error.contains(words), "{words}: {error}");
    }
}

/// Of a model that is trained as a whole there are five copies; with accumulation what the way back needs comes on top.
#[test]
fn what_is_trained_decides_what_is_kept() {
    let raw = &models()[1];
    let whole = RunSpec { reference: crate::runner::Reference::Copy, ..RunSpec::default() };
    let pairs = [pair(1, 1, 1)];
    let weights = estimated(&whole, raw, &pairs).parts[1].bytes;
    let all = estimated(&whole, raw, &pairs);
    assert!(all.bytes() >= 5 * weights && all.bytes() < 7 * weights + (1 << 20), "{all:?}");
    let adapter = RunSpec { lora: Some(LoraSpec { rank: 1, ..LoraSpec::default() }), ..RunSpec::default() };
    let small = estimated(&adapter, raw, &pairs);
    assert!(small.bytes() < 3 * weights + (1 << 20), "{small:?}");
    let long = estimated(&adapter, raw, &[pair(1000, 100, 100)]);
    assert!(long.bytes() > 4 * small.bytes(), "{long:?}");
}
