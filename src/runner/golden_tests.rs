//! Whole runs against the log of TRL, which `tests/golden/train.py` wrote.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{
    BiasTraining, Checker, Device, LoraSpec, LossKind, Model, OptimizerSpec, Pair, Reference, RunSpec, Schedule,
    Targets, Trainer, Weighting,
};
use super::{Divergence, adapter, checks::closed_form};

/// How far a loss may be off. Two computations of PyTorch with 32 bits are as far apart.
const LOSS: f64 = 1e-5;

/// The same of rewards, which are 0.1 times a sum over tokens.
const REWARD: f64 = 3e-5;

fn read(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).expect("a golden file")).expect("JSON")
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

fn entries<T>(value: &Value, number: impl Fn(&Value) -> Option<T>) -> impl Iterator<Item = (String, T)> {
    value.as_object().into_iter().flatten().map(move |(key, value)| (key.clone(), number(value).expect("a number")))
}

fn lora(value: &Value) -> Option<LoraSpec> {
    value.is_object().then(|| LoraSpec {
        rank: value["r"].as_u64().expect("a rank") as usize,
        alpha: value["lora_alpha"].as_f64().expect("a number"),
        dropout: 0.0,
        targets: match &value["target_modules"] {
            Value::String(all) if all == "all-linear" => Targets::AllLinear,
            Value::String(pattern) => Targets::Regex(pattern.clone()),
            names => Targets::Names(texts(names)),
        },
        rslora: value["use_rslora"] == true,
        dora: value["use_dora"] == true,
        modules_to_save: texts(&value["modules_to_save"]),
        bias: match value["bias"].as_str() {
            Some("all") => BiasTraining::All,
            Some("lora_only") => BiasTraining::LoraOnly,
            _ => BiasTraining::None,
        },
        rank_pattern: entries(&value["rank_pattern"], Value::as_u64).map(|(end, rank)| (end, rank as usize)).collect(),
        alpha_pattern: entries(&value["alpha_pattern"], Value::as_f64).collect(),
    })
}

fn loss(name: &str) -> LossKind {
    match name {
        "sigmoid_norm" => LossKind::SigmoidNorm,
        "bco_pair" => LossKind::BcoPair,
        "sft" => LossKind::Sft,
        "ipo" => LossKind::Ipo,
        "robust" => LossKind::Robust,
        other => panic!("the golden files have no loss {other}"),
    }
}

fn spec(golden: &Value) -> RunSpec {
    let args = &golden["args"];
    let number = |key: &str, otherwise: f64| args[key].as_f64().unwrap_or(otherwise);
    let schedule = match args["lr_scheduler_type"].as_str().expect("a schedule") {
        "constant" => Schedule::Constant,
        "linear" => Schedule::Linear,
        "cosine" => Schedule::Cosine(0.5),
        "cosine_with_restarts" => Schedule::CosineWithRestarts(2.0),
        "polynomial" => Schedule::Polynomial(1e-7, 1.0),
        other => panic!("the golden files have no schedule {other}"),
    };
    let kinds = texts(&args["loss_type"]);
    let weight = |at: usize| args["loss_weights"][at].as_f64().unwrap_or(1.0);
    let losses = kinds.iter().enumerate().map(|(at, name)| (loss(name), weight(at))).collect();
    let adapter = lora(&golden["lora"]);
    let reference = match () {
        () if args["sync_ref_model"] == true => Reference::Synced {
            alpha: number("ref_model_mixup_alpha", 0.0),
            steps: args["ref_model_sync_steps"].as_u64().expect("a number") as usize,
        },
        () if golden["reference"].is_number() => Reference::Model(PathBuf::from("reference")),
        () if args["precompute_ref_log_probs"] == true => Reference::Precomputed(Box::new(Reference::Copy)),
        () if adapter.is_some() => Reference::AdapterOff,
        () => Reference::Copy,
    };
    RunSpec {
        beta: number("beta", 0.1),
        losses: if kinds.is_empty() { vec![(LossKind::Sigmoid, 1.0)] } else { losses },
        divergence: if args["f_divergence_type"] == "js_divergence" {
            Divergence::JensenShannon
        } else {
            Divergence::ReverseKl
        },
        label_smoothing: number("label_smoothing", 0.0),
        ld_alpha: args["ld_alpha"].as_f64(),
        weighting: (args["use_weighting"] == true).then_some(Weighting::Aligned),
        reference,
        lora: adapter,
        accumulation: args["gradient_accumulation_steps"].as_u64().unwrap_or(1) as usize,
        optimizer: OptimizerSpec {
            learning_rate: number("learning_rate", 0.0),
            weight_decay: number("weight_decay", 0.0),
            max_grad_norm: number("max_grad_norm", 1.0),
            schedule,
            warmup_steps: args["warmup_steps"].as_u64().unwrap_or(0) as usize,
            ..RunSpec::default().optimizer
        },
        total_steps: golden["total_steps"].as_u64().expect("a number") as usize,
        seed: golden["seed"].as_u64().expect("a seed"),
        ..RunSpec::default()
    }
}

fn batches(golden: &Value) -> Vec<Vec<Pair>> {
    let ids = |value: &Value| serde_json::from_value::<Vec<u32>>(value.clone()).expect("tokens");
    let pair = |pair: &Value| Pair {
        prompt: ids(&pair[0]),
        chosen: ids(&pair[1]),
        rejected: ids(&pair[2]),
        rejected_prompt: None,
    };
    let batch = |batch: &Value| batch.as_array().expect("pairs").iter().map(pair).collect();
    golden["batches"].as_array().expect("batches").iter().map(batch).collect()
}

fn trainer(golden: &Value, spec: &RunSpec) -> Trainer {
    trainer_on(golden, spec, &Device::default())
}

fn trainer_on(golden: &Value, spec: &RunSpec, device: &Device) -> Trainer {
    let model = |seed: &Value| Model::random(&golden["config"], seed.as_u64().expect("a seed")).expect("a model");
    let other = golden["reference"].is_number().then(|| model(&golden["reference"]));
    Trainer::with_reference(model(&golden["weights"]), spec, other, device).expect("a run")
}

fn compare(name: &str) {
    super::alone(|| compare_on(name, &Device::default()));
}

/// Compares a run on a device.
pub(super) fn compare_on(name: &str, device: &Device) {
    let golden = read(name);
    let spec = spec(&golden);
    let mut trainer = trainer_on(&golden, &spec, device);
    let batches = batches(&golden);
    let steps = golden["steps"].as_array().expect("steps");
    assert!(steps.len() >= 20, "{name} has few steps");
    let checker = Checker::new(&trainer, &batches[0]).expect("a first score");
    let mut worst = [0.0_f64; 4];
    for (at, (step, micro)) in steps.iter().zip(batches.chunks(spec.accumulation)).enumerate() {
        let found = trainer.step(micro).unwrap_or_else(|error| panic!("{name}: {error}"));
        let apart = |key: &str, value: f64| (value - step[key].as_f64().expect("a number")).abs();
        let rewards =
            apart("rewards/chosen", found.rewards_chosen).max(apart("rewards/rejected", found.rewards_rejected));
        let rewards = rewards.max(apart("rewards/margins", found.rewards_margins));
        let norm = step["grad_norm"].as_f64().expect("a number");
        let distances = [
            apart("loss", found.loss),
            rewards,
            apart("logps/chosen", found.logps_chosen).max(apart("logps/rejected", found.logps_rejected)),
            (found.grad_norm - norm).abs() / norm,
        ];
        assert!(distances[0] <= LOSS, "{name}, step {at}: loss {} instead of {step}", found.loss);
        assert!(rewards <= REWARD, "{name}, step {at}: {found:?} instead of {step}");
        assert!(distances[3] <= 1e-4, "{name}, step {at}: norm {} instead of {norm}", found.grad_norm);
        let right = apart("rewards/accuracies", found.rewards_accuracies);
        assert!(right < 1e-6, "{name}, step {at}: {found:?} instead of {step}");
        assert!(apart("learning_rate", found.learning_rate) < 1e-12, "{name}, step {at}: {found:?} instead of {step}");
        for (worst, distance) in worst.iter_mut().zip(distances) {
            *worst = worst.max(distance);
        }
    }
    assert!(worst[2] <= 5e-4, "{name}: log-probabilities are {} off", worst[2]);
    if std::env::var_os("SHOW").is_some() {
        let report = json!({"run": name, "loss": worst[0], "rewards": worst[1], "logps": worst[2], "norm": worst[3]});
        std::fs::write(std::env::temp_dir().join(format!("parity-{name}.json")), report.to_string()).expect("a report");
    }
    for check in checker.finish(&trainer).expect("checks") {
        // The batch is one of twenty that pull in different ways, and a reference of its own is never equal.
        let is_loss = check.name.contains("falls");
        assert!(is_loss || check.passed, "{name}: {check:?}");
    }
}

#[test]
fn adapters_of_every_family() {
    for name in ["llama-lora", "mistral-robust", "gemma2-lora", "phi3-lora", "gpt2-lora"] {
        compare(name);
    }
}

#[test]
fn stretched_positions() {
    for name in ["llama-yarn", "qwen2-dynamic", "phi3-longrope", "mistral-proportional"] {
        compare(name);
    }
}

#[test]
fn ranks_of_single_modules() {
    compare("llama-patterns");
}

#[test]
fn adapters_of_tables() {
    for name in ["gemma2-embeddings", "qwen2-tables"] {
        compare(name);
    }
}

#[test]
fn what_is_dropped_is_dropped_in_training_alone() {
    let golden = read("llama-lora");
    let mut spec = spec(&golden);
    let batch = batches(&golden).remove(0);
    let run = |spec: &RunSpec| {
        let mut trainer = trainer(&golden, spec);
        let first = trainer.evaluate(&batch).expect("a score");
        let losses = [(); 4].map(|()| trainer.step(std::slice::from_ref(&batch)).expect("a step").loss);
        (first, losses)
    };
    let (first, kept) = run(&spec);
    spec.lora.as_mut().expect("an adapter").dropout = 0.3;
    let (again, dropped) = run(&spec);
    assert_eq!(first, again);
    // B is 0 in the first step.
    assert!((kept[0] - dropped[0]).abs() < 1e-6 && (kept[3] - dropped[3]).abs() > 1e-4, "{kept:?} {dropped:?}");
    // To the bit: the same seed drops the same.
    let bits = |losses: [f64; 4]| losses.map(f64::to_bits);
    assert_eq!(bits(dropped), bits(run(&spec).1));
    let reseeded = RunSpec { reference: Reference::CopiedAdapter, seed: 7, ..spec.clone() };
    assert_ne!(bits(dropped), bits(run(&reseeded).1));
}

/// `disable_dropout` reaches the modules of a model. Attention takes its share from the configuration, but not in GPT-2.
#[test]
fn models_drop_what_their_configuration_says() {
    let golden = read("llama-lora");
    let spec = spec(&golden);
    let batch = batches(&golden).remove(0);
    let losses = |raw: &Value, reference: &Reference, drops| {
        let lora = spec.lora.clone().map(|lora| LoraSpec { targets: Targets::AllLinear, ..lora });
        let spec = RunSpec { drops, lora, reference: reference.clone(), ..spec.clone() };
        let mut trainer =
            Trainer::new(Model::random(raw, 1).expect("a model"), &spec, &Device::default()).expect("a run");
        [(); 2].map(|()| trainer.step(std::slice::from_ref(&batch)).expect("a step").loss.to_bits())
    };
    let off = Reference::AdapterOff;
    let copy = Reference::Precomputed(Box::new(off.clone()));
    let gpt2 = json!({"model_type": "gpt2", "vocab_size": 96, "n_embd": 8, "n_layer": 1, "n_head": 2});
    let llama = golden["config"].clone();
    for (raw, key, modules) in [
        (&gpt2, "embd_pdrop", true),
        (&gpt2, "attn_pdrop", true),
        (&gpt2, "resid_pdrop", true),
        (&llama, "attention_dropout", false),
    ] {
        let with = |share: f64| {
            let mut raw = raw.clone();
            for key in ["embd_pdrop", "attn_pdrop", "resid_pdrop"] {
                raw[key] = json!(0.0);
            }
            raw[key] = json!(share);
            raw
        };
        let [none, some] = [0.0, 0.2].map(with);
        assert_eq!(losses(&none, &off, true), losses(&none, &off, false));
        assert_eq!(losses(&some, &off, false) == losses(&none, &off, false), modules, "{key}");
        let dropping = losses(&some, &off, true);
        assert_eq!(dropping, losses(&some, &off, true), "{key}: the same seed drops the same");
        assert_ne!(dropping, losses(&none, &off, true), "{key}");
        // In the first step both are the same model, and yet the reference drops others, or none.
        let two = 2_f64.ln().to_bits();
        assert_ne!(dropping[0], two, "{key}");
        assert_ne!(losses(&some, &copy, true)[0], dropping[0], "{key}");
        assert_eq!(losses(&none, &off, true)[0], two, "{key}");
    }
}

#[test]
fn adapters_with_a_magnitude() {
    for name in ["qwen3-dora", "gpt2-dora"] {
        compare(name);
    }
}

#[test]
fn whole_models() {
    for name in ["llama-full", "qwen2-full", "qwen3-full", "gemma2-full", "gpt2-full"] {
        compare(name);
    }
}

#[test]
fn accumulation_warm_up_and_clipping() {
    compare("qwen2-accumulation");
}

#[test]
fn references() {
    for name in ["llama-reference", "llama-synced"] {
        compare(name);
    }
}

#[test]
fn other_losses_and_saved_modules() {
    for name in ["llama-mixed-losses", "llama-weighting", "llama3-saved"] {
        compare(name);
    }
}

#[test]
fn the_first_loss_has_a_closed_form() {
    let golden = read("llama-lora");
    let batch = &batches(&golden)[0];
    for kind in
        [LossKind::Hinge, LossKind::Ipo, LossKind::SppoHard, LossKind::Discopop, LossKind::NcaPair, LossKind::ApoDown]
    {
        let spec = RunSpec { losses: vec![(kind, 0.5)], ..spec(&golden) };
        let found = trainer(&golden, &spec).evaluate(batch).expect("a score").loss;
        assert!((found - closed_form(&spec).expect("a form")).abs() < 1e-9, "{kind:?}: {found}");
    }
}

#[test]
fn one_batch_again_and_again_is_learnt() {
    let golden = read("gemma2-lora");
    let batch = batches(&golden).remove(0);
    let mut trainer = trainer(&golden, &spec(&golden));
    let checker = Checker::new(&trainer, &batch).expect("a first score");
    for _ in 0..4 {
        trainer.step(std::slice::from_ref(&batch)).expect("a step");
    }
    let checks = checker.finish(&trainer).expect("checks");
    assert_eq!(checks.len(), 8, "{checks:?}");
    assert!(checks.iter().all(|check| check.passed), "{checks:?}");
}

#[test]
fn a_run_that_is_not_one_is_found_out() {
    let golden = read("llama-lora");
    let mut spec = spec(&golden);
    spec.optimizer.learning_rate = 0.0;
    let batch = batches(&golden).remove(0);
    let mut trainer = trainer(&golden, &spec);
    let checker = Checker::new(&trainer, &batch).expect("a first score");
    for _ in 0..2 {
        trainer.step(std::slice::from_ref(&batch)).expect("a step");
    }
    // Somebody writes into the base.
    trainer.model.weights.change(0).data_mut()[0] += 1.0;
    let failed: Vec<&str> =
        checker.finish(&trainer).expect("checks").iter().filter(|c| !c.passed).map(|c| c.name).collect();
    assert_eq!(
        failed,
        [
            "frozen weights are bit-identical",
            "every trained tensor has a finite gradient",
            "every trained tensor changes",
            "the loss of a fixed batch falls",
        ]
    );
}

/// The tokens that `tests/golden/peft_files.py` asks for.
const TOKENS: [u32; 7] = [5, 17, 3, 88, 41, 9, 60];

#[test]
fn an_adapter_of_peft_loads() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/peft");
    let expected: Value =
        serde_json::from_slice(&std::fs::read(folder.join("logits.json")).expect("a file")).expect("JSON");
    let mut model = Model::<f32>::random(&expected["config"], 1).expect("a model");
    let base = model.logits(&TOKENS, true).expect("logits");
    let spec = adapter::load(&mut model, &folder).expect("an adapter");
    assert!(spec.dora && spec.rslora && spec.bias == BiasTraining::LoraOnly, "{spec:?}");
    let found = model.logits(&TOKENS, true).expect("logits");
    let rows: Vec<Vec<f64>> = serde_json::from_value(expected["logits"].clone()).expect("numbers");
    let apart = found.data().iter().zip(rows.iter().flatten()).map(|(a, b)| (f64::from(*a) - b).abs());
    let worst = apart.fold(0.0, f64::max);
    assert!(worst < 1e-5, "{worst}");
    assert_ne!(found.data(), base.data());
}

/// PEFT keeps the embedding and the output layer beside an adapter on one of them.
#[test]
fn an_adapter_of_tables_by_peft_loads() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/peft-tables");
    let expected: Value =
        serde_json::from_slice(&std::fs::read(folder.join("logits.json")).expect("a file")).expect("JSON");
    let mut model = Model::<f32>::random(&expected["config"], 1).expect("a model");
    let spec = adapter::load(&mut model, &folder).expect("an adapter");
    assert_eq!(spec.alpha_pattern, [("lm_head".to_owned(), 5.0)]);
    let found = model.logits(&TOKENS, true).expect("logits");
    let rows: Vec<Vec<f64>> = serde_json::from_value(expected["logits"].clone()).expect("numbers");
    let apart = found.data().iter().zip(rows.iter().flatten()).map(|(a, b)| (f64::from(*a) - b).abs());
    let worst = apart.fold(0.0, f64::max);
    assert!(worst < 1e-5, "{worst}");
}

/// Written for PEFT to load; `tests/golden/peft_files.py check` says how far its logits are from these.
#[test]
#[ignore = "writes files for a test in Python"]
fn adapters_for_peft() {
    let folder = PathBuf::from(std::env::var_os("PEFT_FOLDER").expect("a folder"));
    for name in [
        "llama-lora",
        "llama-patterns",
        "gemma2-embeddings",
        "qwen2-tables",
        "llama3-saved",
        "qwen3-dora",
        "gemma2-lora",
        "phi3-lora",
        "gpt2-lora",
        "gpt2-dora",
    ] {
        let golden = read(name);
        let mut trainer = trainer(&golden, &spec(&golden));
        for batch in batches(&golden) {
            trainer.step(&[batch]).expect("a step");
        }
        trainer.save("model", &folder.join(name)).expect("a saved adapter");
        let logits = trainer.model().logits(&TOKENS, true).expect("logits");
        let rows: Vec<&[f32]> = (0..logits.rows()).map(|row| logits.row(row)).collect();
        std::fs::write(folder.join(name).join("logits.json"), json!(rows).to_string()).expect("a file");
    }
}
