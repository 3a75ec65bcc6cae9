//! `config.json`: the form of a model.

use std::path::Path;

use serde_json::Value;

use super::super::error::RunError;
use super::super::kernels::activation::Activation;
use super::super::kernels::norm::NormKind;
use super::super::open;
use super::rotary::{self, Rotary};

/// A family of models, by `model_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `llama`.
    Llama,
    /// `mistral`.
    Mistral,
    /// `qwen2`, which 2.5 is as well.
    Qwen2,
    /// `qwen3`.
    Qwen3,
    /// `gemma2`.
    Gemma2,
    /// `phi3`.
    Phi3,
    /// `gpt2`.
    Gpt2,
}

/// The form of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The family.
    pub family: Family,
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Numbers of a row between layers.
    pub hidden: usize,
    /// Numbers in the middle of the feed-forward part.
    pub intermediate: usize,
    /// Layers.
    pub layers: usize,
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Numbers of a head.
    pub head: usize,
    /// Added before the root of a normalisation.
    pub epsilon: f64,
    /// How rows are normalised.
    pub norm: NormKind,
    /// The bend in the middle of the feed-forward part.
    pub activation: Activation,
    /// How positions turn heads.
    pub rotary: Rotary,
    /// Most positions.
    pub positions: usize,
    /// Whether the output layer is the embedding.
    pub tied: bool,
    /// Whether q, k and v have a bias, and o.
    pub attention_bias: (bool, bool),
    /// Whether the feed-forward part has biases.
    pub mlp_bias: bool,
    /// For each layer how many rows back a row sees.
    pub windows: Vec<Option<usize>>,
    /// What a product of query and key is multiplied with.
    pub scale: f64,
    /// `attn_logit_softcapping`.
    pub attention_cap: Option<f64>,
    /// `final_logit_softcapping`.
    pub logit_cap: Option<f64>,
    /// What embeddings are multiplied with.
    pub embedding_scale: Option<f64>,
    /// `initializer_range`.
    pub spread: f64,
    /// What is dropped in training.
    pub dropped: Shares,
    /// The file as it was read, from which a copy is written.
    pub raw: Value,
}

/// Shares of numbers that a model drops at random in training.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shares {
    /// Of embedded tokens.
    pub embedding: f64,
    /// Of the shares that rows have in attention.
    pub attention: f64,
    /// Of what attention and the feed-forward part add.
    pub residual: f64,
}

/// No model has larger sizes; with larger ones, products of sizes would be no numbers of the machine any more.
const LARGEST: u64 = 1 << 24;

/// No model has more layers.
const MOST_LAYERS: usize = 10_000;

/// The keys of the file, with its name for errors.
pub(super) struct Keys<'a> {
    path: &'a Path,
    raw: &'a Value,
}

impl Keys<'_> {
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.raw.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn wrong(&self, key: &str, reason: impl Into<String>) -> RunError {
        RunError::content(self.path, format!("`{key}`"), reason)
    }

    pub(super) fn size_or_none(&self, key: &str) -> Result<Option<usize>, RunError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_u64() {
            Some(0) | None => Err(self.wrong(key, format!("{value} is not a positive whole number"))),
            Some(size) => Ok(Some(size as usize)),
        }
    }

    /// The size of something that is held in memory.
    fn limited(&self, key: &str) -> Result<Option<usize>, RunError> {
        match self.size_or_none(key)? {
            Some(size) if size as u64 > LARGEST => Err(self.wrong(key, format!("{size} is more than any model has"))),
            size => Ok(size),
        }
    }

    fn size(&self, key: &str) -> Result<usize, RunError> {
        self.limited(key)?.ok_or_else(|| self.wrong(key, "is missing"))
    }

    fn layers(&self, key: &str) -> Result<usize, RunError> {
        match self.size(key)? {
            layers if layers > MOST_LAYERS => Err(self.wrong(key, format!("{layers} is more than any model has"))),
            layers => Ok(layers),
        }
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, RunError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.wrong(key, format!("{value} is not a number")))
    }

    fn share(&self, key: &str, otherwise: f64) -> Result<f64, RunError> {
        let share = self.number(key)?.unwrap_or(otherwise);
        if (0.0..1.0).contains(&share) {
            Ok(share)
        } else {
            Err(self.wrong(key, format!("{share} is no share below 1")))
        }
    }

    fn flag(&self, key: &str, otherwise: bool) -> Result<bool, RunError> {
        let Some(value) = self.get(key) else { return Ok(otherwise) };
        value.as_bool().ok_or_else(|| self.wrong(key, format!("{value} is neither true nor false")))
    }
}

impl Config {
    /// Reads the file of a model's folder.
    pub fn load(folder: &Path) -> Result<Config, RunError> {
        let path = folder.join("config.json");
        let text = open::text(&path).map_err(|source| RunError::Read { path: path.clone(), source })?;
        let raw = serde_json::from_str(&text)
            .map_err(|error| RunError::content(&path, format!("line {}", error.line()), error.to_string()))?;
        Config::parse(&path, raw)
    }

    /// Understands its content; `path` is for errors.
    pub fn parse(path: &Path, raw: Value) -> Result<Config, RunError> {
        let keys = Keys { path, raw: &raw };
        let name =
            keys.get("model_type").and_then(Value::as_str).ok_or_else(|| keys.wrong("model_type", "is missing"))?;
        let family = match name {
            "llama" => Family::Llama,
            "mistral" => Family::Mistral,
            "qwen2" => Family::Qwen2,
            "qwen3" => Family::Qwen3,
            "gemma2" => Family::Gemma2,
            "phi3" => Family::Phi3,
            "gpt2" => Family::Gpt2,
            other => return Err(keys.wrong("model_type", format!("the family {other} is not known here"))),
        };
        if keys.get("quantization_config").is_some() {
            return Err(keys.wrong("quantization_config", "quantised weights are not read"));
        }
        let mut config = if family == Family::Gpt2 { gpt2(&keys)? } else { turning(&keys, family)? };
        if config.heads.saturating_mul(config.head) as u64 > LARGEST {
            return Err(keys.wrong("num_attention_heads", "has heads that are wider together than any model is"));
        }
        if config.head == 0 {
            return Err(keys.wrong("num_attention_heads", "is larger than `hidden_size`"));
        }
        if config.heads % config.kv_heads != 0 {
            return Err(keys.wrong("num_key_value_heads", "does not divide `num_attention_heads`"));
        }
        config.raw = raw;
        Ok(config)
    }

    /// What is dropped in training where TRL's `disable_dropout` has switched the modules for it off. Most families have none:
    /// their attention takes its share from the file whatever the modules say.
    pub fn without_modules(&self) -> Shares {
        let attention = if self.family == Family::Gpt2 { 0.0 } else { self.dropped.attention };
        Shares { attention, ..Shares::default() }
    }

    /// The keys of the file by which something is dropped in training, with those modules or without.
    pub fn dropping(&self, modules: bool) -> Vec<&'static str> {
        let shares = if modules { self.dropped } else { self.without_modules() };
        let attention = if self.family == Family::Gpt2 { "attn_pdrop" } else { "attention_dropout" };
        let keys = [("embd_pdrop", shares.embedding), (attention, shares.attention), ("resid_pdrop", shares.residual)];
        keys.into_iter().filter(|(_, share)| *share > 0.0).map(|(key, _)| key).collect()
    }

    /// Numbers of all heads of keys.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head
    }

    /// Numbers of all heads of queries.
    pub fn q_width(&self) -> usize {
        self.heads * self.head
    }
}

fn activation(keys: &Keys<'_>, key: &str, otherwise: &str) -> Result<Activation, RunError> {
    match keys.get(key).map_or(Some(otherwise), Value::as_str) {
        Some("silu" | "swish") => Ok(Activation::Silu),
        Some("gelu_pytorch_tanh" | "gelu_new" | "gelu_fast") => Ok(Activation::GeluTanh),
        Some("gelu") => Ok(Activation::Gelu),
        Some("relu") => Ok(Activation::Relu),
        other => Err(keys.wrong(key, format!("the function {} is not known here", other.unwrap_or("of another type")))),
    }
}

fn gpt2(keys: &Keys<'_>) -> Result<Config, RunError> {
    let hidden = keys.size("n_embd")?;
    let (layers, heads) = (keys.layers("n_layer")?, keys.size("n_head")?);
    if !hidden.is_multiple_of(heads) {
        return Err(keys.wrong("n_head", "does not divide `n_embd`"));
    }
    if keys.flag("scale_attn_by_inverse_layer_idx", false)? {
        return Err(keys.wrong("scale_attn_by_inverse_layer_idx", "is not implemented"));
    }
    let head = hidden / heads;
    let scaled = keys.flag("scale_attn_weights", true)?;
    Ok(Config {
        family: Family::Gpt2,
        vocabulary: keys.size("vocab_size")?,
        hidden,
        intermediate: keys.limited("n_inner")?.unwrap_or(4 * hidden),
        layers,
        heads,
        kv_heads: heads,
        head,
        epsilon: keys.number("layer_norm_epsilon")?.unwrap_or(1e-5),
        norm: NormKind::Layer,
        activation: activation(keys, "activation_function", "gelu_new")?,
        rotary: Rotary::none(),
        positions: keys.limited("n_positions")?.unwrap_or(1024),
        tied: keys.flag("tie_word_embeddings", true)?,
        attention_bias: (true, true),
        mlp_bias: true,
        windows: vec![None; layers],
        scale: if scaled { 1.0 / (head as f64).sqrt() } else { 1.0 },
        attention_cap: None,
        logit_cap: None,
        embedding_scale: None,
        spread: keys.number("initializer_range")?.unwrap_or(0.02),
        dropped: Shares {
            embedding: keys.share("embd_pdrop", 0.1)?,
            attention: keys.share("attn_pdrop", 0.1)?,
            residual: keys.share("resid_pdrop", 0.1)?,
        },
        raw: Value::Null,
    })
}

fn turning(keys: &Keys<'_>, family: Family) -> Result<Config, RunError> {
    let hidden = keys.size("hidden_size")?;
    let (layers, heads) = (keys.layers("num_hidden_layers")?, keys.size("num_attention_heads")?);
    let gemma = family == Family::Gemma2;
    let fixed_head = match family {
        Family::Gemma2 => Some(256),
        Family::Qwen3 => Some(128),
        _ => None,
    };
    let head = keys.limited("head_dim")?.or(fixed_head).unwrap_or(hidden / heads);
    let kv_heads = match family {
        Family::Mistral => Some(8),
        Family::Qwen2 | Family::Qwen3 => Some(32),
        Family::Gemma2 => Some(4),
        _ => None,
    };
    let kv_heads = keys.limited("num_key_value_heads")?.or(kv_heads).unwrap_or(heads);
    let act = if gemma { ("hidden_activation", "gelu_pytorch_tanh") } else { ("hidden_act", "silu") };
    let scale = if gemma { keys.number("query_pre_attn_scalar")?.unwrap_or(256.0) } else { head as f64 };
    let caps = |key| if gemma { keys.number(key) } else { Ok(None) };
    let bias = keys.flag("attention_bias", false)?;
    Ok(Config {
        family,
        vocabulary: keys.size("vocab_size")?,
        hidden,
        intermediate: keys.size("intermediate_size")?,
        layers,
        heads,
        kv_heads,
        head,
        epsilon: keys.number("rms_norm_eps")?.unwrap_or(if family == Family::Phi3 { 1e-5 } else { 1e-6 }),
        norm: if gemma { NormKind::RmsFromOne } else { NormKind::Rms },
        activation: activation(keys, act.0, act.1)?,
        rotary: rotary::rotary(keys, family, head)?,
        positions: usize::MAX,
        tied: keys.flag("tie_word_embeddings", gemma)?,
        attention_bias: if family == Family::Qwen2 { (true, false) } else { (bias, bias) },
        mlp_bias: family == Family::Llama && keys.flag("mlp_bias", false)?,
        windows: windows(keys, family, layers)?,
        scale: 1.0 / scale.sqrt(),
        attention_cap: caps("attn_logit_softcapping")?,
        logit_cap: caps("final_logit_softcapping")?,
        // transformers rounds the root to the numbers of the model; those are of 32 bits here.
        embedding_scale: gemma.then(|| f64::from((hidden as f64).sqrt() as f32)),
        spread: keys.number("initializer_range")?.unwrap_or(0.02),
        dropped: Shares {
            // Phi-3 makes a module of `embd_pdrop` and never calls it.
            embedding: 0.0,
            attention: keys.share("attention_dropout", 0.0)?,
            residual: if family == Family::Phi3 { keys.share("resid_pdrop", 0.0)? } else { 0.0 },
        },
        raw: Value::Null,
    })
}

/// Which layers see only so far back. Newer files list a kind for each layer; the rules of the classes stand for older ones.
fn windows(keys: &Keys<'_>, family: Family, layers: usize) -> Result<Vec<Option<usize>>, RunError> {
    let by_flag = matches!(family, Family::Qwen2 | Family::Qwen3);
    let window = match family {
        Family::Llama | Family::Gpt2 => None,
        _ if by_flag && !keys.flag("use_sliding_window", false)? => None,
        _ => keys.size_or_none("sliding_window")?,
    };
    if let Some(kinds) = keys.get("layer_types").and_then(Value::as_array) {
        if kinds.len() != layers {
            return Err(keys.wrong("layer_types", format!("names {} layers, not {layers}", kinds.len())));
        }
        let is_known = |kind: &&Value| matches!(kind.as_str(), Some("full_attention" | "sliding_attention"));
        if let Some(other) = kinds.iter().find(|kind| !is_known(kind)) {
            return Err(keys.wrong("layer_types", format!("the kind {other} is not known here")));
        }
        return Ok(kinds.iter().map(|kind| window.filter(|_| kind.as_str() == Some("sliding_attention"))).collect());
    }
    let from = if by_flag { keys.size_or_none("max_window_layers")?.unwrap_or(28) } else { 0 };
    let slides = |layer: usize| if family == Family::Gemma2 { layer.is_multiple_of(2) } else { layer >= from };
    Ok((0..layers).map(|layer| window.filter(|_| slides(layer))).collect())
}
