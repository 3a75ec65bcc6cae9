//! What no golden has: places where one more or one less is another result, each read in the source of TRL, PEFT or transformers.

use std::path::PathBuf;

use safetensors::SafeTensors;
use serde_json::json;

use super::checks::closed_form;
use super::data::{DataError, Tokenised, parse, tokenise};
use super::loss::{Answer, Losses};
use super::tokenizer::Tokenizer;
use super::{BiasTraining, Device, Era, LoraSpec, LossKind, Model, RunError, RunSpec, Targets, Trainer};

fn tokens(line: &str, spec: &RunSpec) -> Result<Tokenised, DataError> {
    let rows = parse(&PathBuf::from("pairs.jsonl"), line).expect("rows");
    tokenise(&rows, &tokenizer(), spec)
}

fn tokenizer() -> Tokenizer {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/runner/model");
    Tokenizer::load(&folder).expect("a tokenizer")
}

/// The trainer looks at the place before the first one, which is the last one in Python.
#[test]
fn answers_that_differ_at_once_have_a_prompt_where_the_first_ends_with_a_space() {
    let spec = RunSpec { era: Era::Separate, ..RunSpec::default() };
    let pair = tokens(r#"{"chosen": "ab ", "rejected": "cd"}"#, &spec).expect("a pair").pairs.remove(0);
    let with_end = |text: &str| [tokenizer().encode(text, false).expect("tokens"), vec![tokenizer().eos()]].concat();
    assert_eq!(pair.prompt, tokenizer().encode("ab", false).expect("tokens"));
    assert_eq!((pair.chosen, pair.rejected), (with_end(" "), with_end("d")));
}

/// A prompt as long as `max_length` leaves no room; one token less does.
#[test]
fn a_prompt_that_just_fills_the_length_is_dropped() {
    let line = r#"{"prompt": "a b c d", "chosen": " e", "rejected": " f"}"#;
    let spec = RunSpec { drops_full_prompts: true, ..RunSpec::default() };
    let prompt = tokens(line, &spec).expect("a pair").pairs[0].prompt.len();
    let of = |most: usize| tokens(line, &RunSpec { max_length: Some(most), ..spec.clone() });
    assert!(matches!(of(prompt), Err(DataError::AllDropped(1))));
    assert_eq!(of(prompt + 1).expect("a pair").dropped, 0);
}

/// `get_batch_loss_metrics` of releases with several losses adds their rewards up, each with the weight of its loss.
#[test]
fn rewards_of_several_losses_are_weighed() {
    let answer = |policy: f64| Answer {
        policy: vec![policy],
        reference: vec![-2.0],
        squares: vec![0.0],
        targets: vec![5],
        tokens: 1,
        prompt: 1,
    };
    let rewards = |era| {
        let losses = vec![(LossKind::Sigmoid, 2.0), (LossKind::Hinge, 0.5)];
        let spec = RunSpec { era, losses, beta: 0.2, ..RunSpec::default() };
        Losses::new(&spec).expect("losses").evaluate(&[[answer(-1.0), answer(-4.0)]]).rewards[0]
    };
    for (era, weight) in [(Era::Separate, 2.5), (Era::CommonPrefix, 1.0)] {
        let [chosen, rejected] = rewards(era);
        assert!(
            (chosen - 0.2 * weight).abs() < 1e-12 && (rejected + 0.4 * weight).abs() < 1e-12,
            "{chosen} {rejected}"
        );
    }
}

/// Old releases put in a smoothing of 0.001 where it is 0; newer ones refuse that.
#[test]
fn the_first_exo_loss_of_old_releases_is_smoothed() {
    let spec = |era| RunSpec { era, losses: vec![(LossKind::ExoPair, 1.0)], ..RunSpec::default() };
    let expected = -(2_f64.ln()) - 0.5 * 0.999_f64.ln() - 0.5 * 0.001_f64.ln();
    assert!((closed_form(&spec(Era::Separate)).expect("a form") - expected).abs() < 1e-12);
    assert!(matches!(Losses::new(&spec(Era::CommonPrefix)), Err(RunError::Unsupported { .. })));
}

/// PEFT wraps a module that has an adapter: what it trains of the module itself is below `base_layer`.
#[test]
fn biases_beside_an_adapter_are_saved_under_the_names_of_peft() {
    let form = json!({
        "model_type": "qwen2", "vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "intermediate_size": 12
    });
    let names = |bias| {
        let targets = Targets::Names(vec![String::from("q_proj")]);
        let lora = LoraSpec { targets, bias, rank: 2, ..LoraSpec::default() };
        let model: Model = Model::random(&form, 0).expect("a model");
        let trainer = Trainer::new(model, &RunSpec { lora: Some(lora), ..RunSpec::default() }, &Device::default())
            .expect("a trainer");
        let folder = tempfile::tempdir().expect("a folder");
        trainer.save("base", folder.path()).expect("saved");
        let bytes = std::fs::read(folder.path().join("adapter_model.safetensors")).expect("a file");
        let file = SafeTensors::deserialize(&bytes).expect("tensors");
        let mut names: Vec<String> =
            file.names().into_iter().map(|name| name.rsplit("self_attn.").next().unwrap_or(name).to_owned()).collect();
        names.sort();
        names
    };
    let adapter = ["q_proj.lora_A.weight", "q_proj.lora_B.weight"];
    assert_eq!(names(BiasTraining::None), adapter);
    assert_eq!(names(BiasTraining::LoraOnly), [&["q_proj.base_layer.bias"][..], &adapter].concat());
    let all = ["k_proj.bias", "q_proj.base_layer.bias", "q_proj.lora_A.weight", "q_proj.lora_B.weight", "v_proj.bias"];
    assert_eq!(names(BiasTraining::All), all);
}
