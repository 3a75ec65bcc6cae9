//! The form of a small model of the same family as a large one, which trains within seconds.

use serde_json::{Value, json};

/// Numbers of a row between layers.
const HIDDEN: u64 = 64;

/// Layers: two, so that a family that treats them in turn shows both ways.
const LAYERS: u64 = 2;

/// Heads of the queries.
const HEADS: u64 = 4;

/// Numbers in the middle of the feed-forward part.
const INTERMEDIATE: u64 = 160;

/// Learned positions.
const POSITIONS: u64 = 4096;

/// Large enough that the first logits differ between tokens.
const SPREAD: f64 = 0.05;

/// The `config.json` of a small model: a Llama, or of the family of `like`. The vocabulary is that of the tokenizer.
pub fn config(like: Option<&Value>, vocabulary: usize) -> Value {
    let mut config = like.cloned().unwrap_or_else(|| json!({"model_type": "llama", "tie_word_embeddings": true}));
    let Some(keys) = config.as_object_mut() else { return config };
    let gpt2 = keys.get("model_type").and_then(Value::as_str) == Some("gpt2");
    let kv = |keys: &serde_json::Map<String, Value>| {
        let count = |key: &str| keys.get(key).and_then(Value::as_u64);
        let same = count("num_key_value_heads") == count("num_attention_heads");
        if same { HEADS } else { HEADS / 2 }
    };
    let kv = if keys.contains_key("num_attention_heads") { kv(keys) } else { HEADS / 2 };
    // Kinds of layers and of positions follow the real sizes.
    for key in ["layer_types", "rope_scaling", "rope_parameters", "quantization_config", "partial_rotary_factor"] {
        keys.remove(key);
    }
    let sizes = if gpt2 {
        json!({"n_embd": HIDDEN, "n_layer": LAYERS, "n_head": HEADS, "n_inner": INTERMEDIATE})
    } else {
        json!({
            "hidden_size": HIDDEN,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": kv,
            "head_dim": HIDDEN / HEADS,
            "intermediate_size": INTERMEDIATE,
        })
    };
    for (key, value) in sizes.as_object().into_iter().flatten() {
        keys.insert(key.clone(), value.clone());
    }
    // Learned positions are numbers of the model.
    if keys.get("n_positions").and_then(Value::as_u64).is_some_and(|most| most > POSITIONS) {
        keys.insert("n_positions".to_owned(), json!(POSITIONS));
    }
    if keys.contains_key("query_pre_attn_scalar") {
        keys.insert("query_pre_attn_scalar".to_owned(), json!(HIDDEN / HEADS));
    }
    keys.insert("vocab_size".to_owned(), json!(vocabulary));
    keys.insert("initializer_range".to_owned(), json!(SPREAD));
    config
}
