//! How many numbers a model and its adapter have, and how many its passes keep.

use super::batches::Batch;
use super::trained::{Module, Trained};
use crate::runner::model::{Config, Family, MOST_KEPT};
use crate::runner::{LoraSpec, RunSpec};

/// Rows whose logits are held at once.
const TILE: u64 = 256;

/// The sizes of a model in training.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'c> {
    config: &'c Config,
    lora: Option<&'c LoraSpec>,
    /// Numbers of the model.
    pub numbers: u64,
    /// Of the largest tensor.
    pub largest: u64,
    /// Of the adapter, as it is made.
    pub fresh: u64,
    /// Numbers that are trained, those of the adapter included.
    pub trained: u64,
    /// Whether the output layer is trained, and the embedding.
    trains_tables: bool,
}

impl<'c> Form<'c> {
    pub fn new(config: &'c Config, spec: &'c RunSpec) -> Self {
        let modules = modules(config);
        let numbers = modules.iter().map(Module::numbers).sum();
        let largest = modules.iter().map(Module::numbers).max().unwrap_or(0);
        let Trained { fresh, all: trained, tables } = match &spec.lora {
            None => Trained { fresh: 0, all: numbers, tables: true },
            // What cannot be attached is refused later, with its reason.
            Some(lora) => Trained::of(lora, config.family, &modules).unwrap_or_default(),
        };
        Self { config, lora: spec.lora.as_ref(), numbers, largest, fresh, trained, trains_tables: tables }
    }

    /// Numbers of a row that a layer keeps before and in the middle of attention, and after it.
    fn of_layer(&self) -> (u64, u64) {
        let config = self.config;
        let [hidden, inner, q, kv, heads] =
            [config.hidden, config.intermediate, config.q_width(), config.kv_width(), config.heads]
                .map(|size| size as u64);
        let gated = u64::from(config.family != Family::Gpt2);
        let normed = if config.family == Family::Qwen3 { q + kv } else { 0 };
        let around = if config.family == Family::Gemma2 { 2 * hidden } else { 0 };
        let mut before = 2 * hidden + 2 * q + 2 * kv + heads + normed;
        let after = 2 * hidden + around + (2 + gated) * inner;
        if let Some(lora) = self.lora {
            // The way through the adapter, what it drops, and what DoRA keeps.
            before += 7 * lora.rank as u64;
            before += if lora.dropout > 0.0 { 5 * hidden + inner } else { 0 };
            before += if lora.dora { q + 2 * kv + 2 * hidden + 2 * inner } else { 0 };
        }
        (before, after)
    }

    /// What the backward pass needs of all layers. Beyond a size only their inputs are kept, and one is computed again.
    pub fn kept(&self, batch: &Batch) -> u64 {
        let config = self.config;
        let (before, after) = self.of_layer();
        let layers = config.layers as u64;
        let numbers = 6 * config.hidden + 3 * config.intermediate + 2 * config.q_width() + 2 * config.kv_width();
        if batch.rows * (numbers * config.layers) as u64 * super::NUMBER <= MOST_KEPT as u64 {
            // The last layer goes on with what is scored.
            batch.rows * (layers * before + (layers - 1) * after) + batch.scored * after
        } else {
            batch.rows * (layers * config.hidden as u64 + before + after)
        }
    }

    /// Rows whose logits are held at once.
    pub fn tile(batch: &Batch) -> u64 {
        batch.scored.min(TILE)
    }

    /// What lies there besides: logits, or what a layer works with on its way.
    pub fn work(&self, batch: &Batch) -> u64 {
        let config = self.config;
        let [hidden, inner, q, kv, vocabulary] =
            [config.hidden, config.intermediate, config.q_width(), config.kv_width(), config.vocabulary]
                .map(|size| size as u64);
        let head = Self::tile(batch) * (vocabulary + hidden) + 3 * batch.scored * hidden;
        let tables = if self.trains_tables { 2 * vocabulary * hidden } else { 0 };
        let shared = (config.heads / config.kv_heads) as u64;
        let tasks = (rayon::current_num_threads() as u64).min(config.kv_heads as u64 * 2);
        let attention = batch.rows * (hidden + 3 * q + 4 * kv) + 2 * tasks * shared * batch.products;
        let feed = batch.rows * 3 * (hidden + inner);
        // DoRA merges the weights of a layer to measure them.
        let merged = if self.lora.is_some_and(|lora| lora.dora) { hidden * inner.max(q) } else { 0 };
        (head + tables).max(attention + merged).max(feed + merged)
    }

    /// All logits of the first answer.
    pub fn logits(&self, batch: &Batch) -> u64 {
        batch.first * self.config.vocabulary as u64
    }
}

/// A linear layer: its name, outputs and inputs, and whether it has a bias.
type Linear = (&'static str, usize, usize, bool);

/// A normalisation: its name and size.
type Norm = (&'static str, usize);

/// All modules with numbers.
fn modules(config: &Config) -> Vec<Module> {
    let (hidden, inner) = (config.hidden, config.intermediate);
    let (q, kv) = (config.q_width(), config.kv_width());
    let gpt2 = config.family == Family::Gpt2;
    let name = if gpt2 { "transformer.wte" } else { "model.embed_tokens" };
    let mut all = vec![Module::new(name.to_owned(), config.vocabulary, hidden, false)];
    if gpt2 {
        all.push(Module::new("transformer.wpe".to_owned(), config.positions, hidden, false));
    }
    let (of_q, of_o) = config.attention_bias;
    let (linears, norms): (&[Linear], &[Norm]) = match config.family {
        Family::Gpt2 => (
            &[
                ("attn.c_attn", q + 2 * kv, hidden, true),
                ("attn.c_proj", hidden, q, true),
                ("mlp.c_fc", inner, hidden, true),
                ("mlp.c_proj", hidden, inner, true),
            ],
            &[("ln_1", hidden), ("ln_2", hidden)],
        ),
        Family::Phi3 => (
            &[
                ("self_attn.o_proj", hidden, q, of_o),
                ("self_attn.qkv_proj", q + 2 * kv, hidden, of_q),
                ("mlp.gate_up_proj", 2 * inner, hidden, config.mlp_bias),
                ("mlp.down_proj", hidden, inner, config.mlp_bias),
            ],
            &[("input_layernorm", hidden), ("post_attention_layernorm", hidden)],
        ),
        _ => (
            &[
                ("self_attn.q_proj", q, hidden, of_q),
                ("self_attn.k_proj", kv, hidden, of_q),
                ("self_attn.v_proj", kv, hidden, of_q),
                ("self_attn.o_proj", hidden, q, of_o),
                ("mlp.gate_proj", inner, hidden, config.mlp_bias),
                ("mlp.up_proj", inner, hidden, config.mlp_bias),
                ("mlp.down_proj", hidden, inner, config.mlp_bias),
            ],
            match config.family {
                Family::Gemma2 => &[
                    ("input_layernorm", hidden),
                    ("post_attention_layernorm", hidden),
                    ("pre_feedforward_layernorm", hidden),
                    ("post_feedforward_layernorm", hidden),
                ],
                Family::Qwen3 => &[
                    ("input_layernorm", hidden),
                    ("post_attention_layernorm", hidden),
                    ("self_attn.q_norm", config.head),
                    ("self_attn.k_norm", config.head),
                ],
                _ => &[("input_layernorm", hidden), ("post_attention_layernorm", hidden)],
            },
        ),
    };
    for at in 0..config.layers {
        let path = if gpt2 { format!("transformer.h.{at}") } else { format!("model.layers.{at}") };
        let linear = |&(name, rows, cols, bias)| Module::new(format!("{path}.{name}"), rows, cols, bias).linear();
        all.extend(linears.iter().map(linear));
        all.extend(norms.iter().map(|(name, size)| Module::new(format!("{path}.{name}"), 1, *size, gpt2)));
    }
    all.push(Module::new(if gpt2 { "transformer.ln_f" } else { "model.norm" }.to_owned(), 1, hidden, gpt2));
    if !config.tied {
        all.push(Module::new("lm_head".to_owned(), config.vocabulary, hidden, false));
    }
    all
}
