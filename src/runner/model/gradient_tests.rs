//! The gradient of a whole run against what moving single numbers does, with 64 bits.

use serde_json::{Value, json};

use super::super::device::Device;
use super::super::kernels::{Mat, Real};
use super::super::spec::{BiasTraining, LoraSpec, Pair, Reference, RunSpec, Targets};
use super::super::tiny;
use super::super::trainer::Trainer;
use super::Model;

const STEP: f64 = 1e-5;

fn config(family: &str) -> Value {
    let mut config = json!({
        "model_type": family,
        "vocab_size": 23,
        "initializer_range": 0.2,
        "tie_word_embeddings": family != "llama",
        "attn_logit_softcapping": 2.0,
        "final_logit_softcapping": 3.0,
        "sliding_window": 4,
        "attention_dropout": 0.2,
        "resid_pdrop": 0.3,
    });
    let sizes = if family == "gpt2" {
        json!({"n_embd": 12, "n_layer": 2, "n_head": 2, "n_positions": 16})
    } else {
        json!({
            "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 6, "intermediate_size": 10, "query_pre_attn_scalar": 6,
        })
    };
    config.as_object_mut().expect("keys").extend(sizes.as_object().expect("keys").clone());
    config
}

pub(in crate::runner) fn pairs() -> Vec<Pair> {
    let pair = |prompt: &[u32], chosen: &[u32], rejected: &[u32]| Pair {
        prompt: prompt.to_vec(),
        chosen: chosen.to_vec(),
        rejected: rejected.to_vec(),
        rejected_prompt: None,
    };
    vec![pair(&[3, 4, 5], &[6, 7, 8, 9], &[10, 6]), pair(&[], &[1, 2, 3], &[7, 8])]
}

/// Moves two numbers of every trained tensor.
fn check(name: &str, lora: Option<&LoraSpec>) {
    check_dropping(name, lora, None);
}

/// The same where numbers are dropped.
fn check_dropping(name: &str, lora: Option<&LoraSpec>, drops: Option<u64>) {
    crate::runner::alone(|| check_one(name, lora, drops));
}

/// A run whose gradients are looked at.
pub(in crate::runner) fn run<T: Real>(
    name: &str,
    lora: Option<LoraSpec>,
    drops: Option<u64>,
    device: &Device,
) -> Trainer<T> {
    let spec = RunSpec { lora, beta: 0.5, drops: drops.is_some(), ..RunSpec::default() };
    let model = Model::<T>::random(&config(name), 1).expect("a model");
    let other = Model::<T>::random(&config(name), 2).expect("a model");
    // Of another model, so that the loss is not at a special place; an adapter that is 0 would hide half of its gradients.
    let spec = RunSpec { reference: Reference::Model("other".into()), ..spec };
    let mut trainer = Trainer::with_reference(model, &spec, Some(other), device).expect("a run");
    let trained: Vec<usize> = trainer.model().weights().trained().collect();
    for &id in &trained {
        let slot = &trainer.model().weights().slots()[id].name;
        if slot.contains("lora_B") || slot.contains("lora_embedding_A") {
            let value = trainer.model.weights.change(id);
            let numbers = (0..value.count()).map(|at| T::of(((at * 7 % 11) as f64 - 5.0) / 40.0)).collect();
            *value = Mat::new(value.rows(), value.cols(), numbers).beside(value);
        }
    }
    trainer
}

fn check_one(name: &str, lora: Option<&LoraSpec>, drops: Option<u64>) {
    let mut trainer = run::<f64>(name, lora.cloned(), drops, &Device::default());
    let trained: Vec<usize> = trainer.model().weights().trained().collect();
    let gradients = trainer.gradients(&pairs(), drops).expect("gradients");
    assert_eq!(gradients.len(), trained.len());
    for (id, gradient) in gradients {
        let slot = trainer.model().weights().slots()[id].name.clone();
        let gradient = gradient.unwrap_or_else(|| panic!("{name}: {slot} has no gradient"));
        for at in [gradient.data().len() / 3, gradient.data().len() - 1] {
            let before = trainer.model().weights().get(id, true).data()[at];
            let mut loss = |value: f64| {
                trainer.model.weights.change(id).data_mut()[at] = value;
                trainer.loss(&pairs(), drops).expect("a score")
            };
            let slope = (loss(before + STEP) - loss(before - STEP)) / (2.0 * STEP);
            loss(before);
            let found = gradient.data()[at];
            // The lengths of DoRA's rows count as constants for a and b, which moving them does not.
            let dora = lora.is_some_and(|lora| lora.dora);
            let constant = dora && (slot.contains("lora_A") || slot.contains("lora_B"));
            let close = (slope - found).abs() < 1e-8 + 1e-6 * slope.abs();
            assert!(close || constant, "{name}: {slot}, number {at}: {found} instead of {slope}");
        }
    }
}

pub(in crate::runner) const FAMILIES: [&str; 7] = ["llama", "mistral", "qwen2", "qwen3", "gemma2", "phi3", "gpt2"];

#[test]
fn of_all_of_a_model() {
    for family in FAMILIES {
        check(family, None);
    }
}

#[test]
fn of_what_is_dropped() {
    let lora = LoraSpec { rank: 2, dropout: 0.2, targets: Targets::AllLinear, ..LoraSpec::default() };
    for family in FAMILIES {
        check_dropping(family, None, Some(7));
        check_dropping(family, Some(&lora), Some(8));
    }
}

/// Adapters of every kind, each with a family.
pub(in crate::runner) fn adapters() -> Vec<(&'static str, LoraSpec)> {
    let lora = LoraSpec {
        rank: 2,
        alpha: 3.0,
        dropout: 0.0,
        targets: Targets::AllLinear,
        rslora: true,
        dora: false,
        modules_to_save: Vec::new(),
        bias: BiasTraining::All,
        ..LoraSpec::default()
    };
    let mut all: Vec<_> = FAMILIES.iter().map(|&family| (family, lora.clone())).collect();
    all.extend(["qwen3", "gpt2"].map(|family| (family, LoraSpec { dora: true, ..lora.clone() })));
    for family in ["llama", "qwen2", "gemma2", "gpt2"] {
        let tables =
            if family == "gpt2" { ["wte", "lm_head", "c_attn"] } else { ["embed_tokens", "lm_head", "v_proj"] };
        let targets = Targets::Names(tables.map(str::to_owned).to_vec());
        all.push((family, LoraSpec { targets, bias: BiasTraining::None, ..lora.clone() }));
    }
    // The output layer is a copy of the embedding, and only one of the two is trained.
    for saved in [&["embed_tokens"][..], &["lm_head", "norm"]] {
        let modules_to_save = saved.iter().map(|name| (*name).to_owned()).collect();
        all.push(("qwen2", LoraSpec { modules_to_save, ..lora.clone() }));
    }
    all
}

#[test]
fn of_adapters() {
    for (family, lora) in adapters() {
        check(family, Some(&lora));
    }
}

#[test]
fn a_small_model_of_every_family_can_be_made() {
    for family in FAMILIES {
        let config = tiny::config(Some(&config(family)), 300);
        let model = Model::<f32>::random(&config, 3).expect("a model");
        assert_eq!(model.config().vocabulary, 300);
        assert_eq!(model.logits(&[1, 2, 3], true).expect("logits").rows(), 3, "{family}");
    }
    assert!(Model::<f32>::random(&tiny::config(None, 50), 3).is_ok());
}
