//! The tensors of every family by name, taken from wherever numbers come from.

use super::super::error::RunError;
use super::super::kernels::norm::NormKind;
use super::super::kernels::{Mat, Real};
use super::config::{Config, Family};
use super::weights::{Kind, LinearIds, NormIds, SlotId, Weights};
use super::{Layer, Mlp, Model, Queries};

/// Where numbers come from: a folder, or chance.
pub(super) trait Source<T> {
    /// A tensor with a row for each output. A vector has one row.
    fn tensor(&mut self, name: &str, kind: Kind, rows: usize, cols: usize) -> Result<Mat<T>, RunError>;
}

struct Builder<'a, T, S> {
    config: &'a Config,
    source: &'a mut S,
    weights: Weights<T>,
}

impl<T: Real, S: Source<T>> Builder<'_, T, S> {
    fn slot(&mut self, name: String, kind: Kind, rows: usize, cols: usize) -> Result<SlotId, RunError> {
        let value = self.source.tensor(&name, kind, rows, cols)?;
        Ok(self.weights.push(name, kind, value))
    }

    fn linear(&mut self, path: String, inputs: usize, outputs: usize, bias: bool) -> Result<LinearIds, RunError> {
        let kind = if self.config.family == Family::Gpt2 { Kind::Turned } else { Kind::Matrix };
        let weight = self.slot(format!("{path}.weight"), kind, outputs, inputs)?;
        let bias = if bias { Some(self.slot(format!("{path}.bias"), Kind::Bias, 1, outputs)?) } else { None };
        Ok(LinearIds { path, weight, bias, adapter: None })
    }

    fn norm(&mut self, path: &str, size: usize) -> Result<NormIds, RunError> {
        let weight = self.slot(format!("{path}.weight"), Kind::Norm, 1, size)?;
        let with_bias = self.config.norm == NormKind::Layer;
        let bias = if with_bias { Some(self.slot(format!("{path}.bias"), Kind::Bias, 1, size)?) } else { None };
        Ok(NormIds { weight, bias })
    }

    fn layer(&mut self, at: usize) -> Result<Layer, RunError> {
        let config = self.config;
        let (hidden, inner) = (config.hidden, config.intermediate);
        let (q, kv) = (config.q_width(), config.kv_width());
        let (of_q, of_o) = config.attention_bias;
        if config.family == Family::Gpt2 {
            let path = format!("transformer.h.{at}");
            return Ok(Layer {
                before: self.norm(&format!("{path}.ln_1"), hidden)?,
                queries: Queries::Joined(self.linear(format!("{path}.attn.c_attn"), hidden, q + 2 * kv, true)?),
                head_norms: None,
                out: self.linear(format!("{path}.attn.c_proj"), q, hidden, true)?,
                after: None,
                middle: self.norm(&format!("{path}.ln_2"), hidden)?,
                mlp: Mlp::Plain(self.linear(format!("{path}.mlp.c_fc"), hidden, inner, true)?),
                down: self.linear(format!("{path}.mlp.c_proj"), inner, hidden, true)?,
                end: None,
            });
        }
        let path = format!("model.layers.{at}");
        let attention = |name: &str| format!("{path}.self_attn.{name}");
        let before = self.norm(&format!("{path}.input_layernorm"), hidden)?;
        // In the order in which the modules are made: the first values of adapters are drawn in it.
        let (queries, out) = if config.family == Family::Phi3 {
            let out = self.linear(attention("o_proj"), q, hidden, of_o)?;
            (Queries::Joined(self.linear(attention("qkv_proj"), hidden, q + 2 * kv, of_q)?), out)
        } else {
            let queries = Queries::Apart([
                self.linear(attention("q_proj"), hidden, q, of_q)?,
                self.linear(attention("k_proj"), hidden, kv, of_q)?,
                self.linear(attention("v_proj"), hidden, kv, of_q)?,
            ]);
            (queries, self.linear(attention("o_proj"), q, hidden, of_o)?)
        };
        let head_norms = if config.family == Family::Qwen3 {
            Some([self.norm(&attention("q_norm"), config.head)?, self.norm(&attention("k_norm"), config.head)?])
        } else {
            None
        };
        let feed = |name: &str| format!("{path}.mlp.{name}");
        let mlp = if config.family == Family::Phi3 {
            Mlp::Joined(self.linear(feed("gate_up_proj"), hidden, 2 * inner, config.mlp_bias)?)
        } else {
            Mlp::Gated([
                self.linear(feed("gate_proj"), hidden, inner, config.mlp_bias)?,
                self.linear(feed("up_proj"), hidden, inner, config.mlp_bias)?,
            ])
        };
        let down = self.linear(feed("down_proj"), inner, hidden, config.mlp_bias)?;
        let second = self.norm(&format!("{path}.post_attention_layernorm"), hidden)?;
        let (after, middle, end) = if config.family == Family::Gemma2 {
            let middle = self.norm(&format!("{path}.pre_feedforward_layernorm"), hidden)?;
            (Some(second), middle, Some(self.norm(&format!("{path}.post_feedforward_layernorm"), hidden)?))
        } else {
            (None, second, None)
        };
        Ok(Layer { before, queries, head_norms, out, after, middle, mlp, down, end })
    }
}

/// A model with the numbers of `source`.
pub(super) fn build<T: Real>(config: Config, source: &mut impl Source<T>) -> Result<Model<T>, RunError> {
    let mut builder = Builder { config: &config, source, weights: Weights::new() };
    let (vocabulary, hidden) = (config.vocabulary, config.hidden);
    let gpt2 = config.family == Family::Gpt2;
    let name = if gpt2 { "transformer.wte.weight" } else { "model.embed_tokens.weight" };
    let embedding = builder.slot(name.to_owned(), Kind::Matrix, vocabulary, hidden)?;
    let places = if gpt2 {
        Some(builder.slot("transformer.wpe.weight".to_owned(), Kind::Matrix, config.positions, hidden)?)
    } else {
        None
    };
    let layers = (0..config.layers).map(|at| builder.layer(at)).collect::<Result<_, _>>()?;
    let norm = builder.norm(if gpt2 { "transformer.ln_f" } else { "model.norm" }, hidden)?;
    let head = if config.tied {
        None
    } else {
        Some(builder.slot("lm_head.weight".to_owned(), Kind::Matrix, vocabulary, hidden)?)
    };
    let weights = builder.weights;
    let (embedding_adapter, head_adapter) = (None, None);
    Ok(Model { config, weights, embedding, places, layers, norm, head, embedding_adapter, head_adapter })
}
