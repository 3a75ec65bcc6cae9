//! A decoder of the families that TRL users train, read from a folder of transformers or made by chance.

mod build;
pub mod config;
pub mod files;
#[cfg(test)]
pub(in crate::runner) mod gradient_tests;
mod layer;
#[cfg(test)]
mod load_tests;
pub mod pack;
mod pass;
pub mod rotary;
pub mod weights;

use std::path::Path;

use serde_json::Value;

use super::device::{Device, Moved};
use super::error::RunError;
use super::kernels::dropout::mixed;
use super::kernels::head::Head;
use super::kernels::{Mat, Real};
use super::spec::Pair;
use build::Source;
pub use config::{Config, Family};
pub use pack::Pack;
pub use pass::{MOST_KEPT, Pass, Request, Scores, Tape};
use weights::{AdapterIds, Kind, LinearIds, NormIds, SlotId, Weights};

/// A model: its form and its numbers.
#[derive(Debug, Clone)]
pub struct Model<T = f32> {
    pub(super) config: Config,
    pub(super) weights: Weights<T>,
    embedding: SlotId,
    /// Learned positions.
    places: Option<SlotId>,
    pub(super) layers: Vec<Layer>,
    norm: NormIds,
    /// The output layer, where it is not the embedding.
    head: Option<SlotId>,
    /// The adapter of the embedding.
    pub(super) embedding_adapter: Option<AdapterIds>,
    /// The adapter of the output layer.
    pub(super) head_adapter: Option<AdapterIds>,
}

/// A layer.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// Before attention.
    before: NormIds,
    pub(super) queries: Queries,
    /// Of every head of queries and keys.
    head_norms: Option<[NormIds; 2]>,
    pub(super) out: LinearIds,
    /// After attention, before it is added.
    after: Option<NormIds>,
    /// Before the feed-forward part.
    middle: NormIds,
    pub(super) mlp: Mlp,
    pub(super) down: LinearIds,
    /// After the feed-forward part, before it is added.
    end: Option<NormIds>,
}

/// Queries, keys and values: of three layers or of one.
#[derive(Debug, Clone)]
pub(super) enum Queries {
    Apart([LinearIds; 3]),
    Joined(LinearIds),
}

/// The first half of the feed-forward part.
#[derive(Debug, Clone)]
pub(super) enum Mlp {
    Gated([LinearIds; 2]),
    Joined(LinearIds),
    Plain(LinearIds),
}

impl Model<f32> {
    /// Reads a folder of transformers: `config.json` and safetensors.
    pub fn load(folder: &Path) -> Result<Model, RunError> {
        build::build(Config::load(folder)?, &mut files::Folder::open(folder)?)
    }
}

impl<T: Real> Model<T> {
    /// A model of the form of a `config.json` with numbers that follow from the seed and the names of the tensors.
    pub fn random(config: &Value, seed: u64) -> Result<Model<T>, RunError> {
        let config = Config::parse(Path::new("config.json"), config.clone())?;
        let mut chance = Chance { seed, config: config.clone() };
        build::build(config, &mut chance)
    }

    /// The form.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The tensors.
    pub fn weights(&self) -> &Weights<T> {
        &self.weights
    }

    /// The tensors, to be changed.
    pub fn weights_mut(&mut self) -> &mut Weights<T> {
        &mut self.weights
    }

    /// Numbers of all tensors, adapters included.
    pub fn parameter_count(&self) -> usize {
        self.weights.slots().iter().map(|slot| slot.value.count()).sum()
    }

    /// The same model where a device computes. Numbers that tensors share stay shared.
    pub(super) fn on(self, device: &Device) -> Model<T> {
        Model { weights: self.weights.on(&mut Moved::new(device)), ..self }
    }

    /// All logits of one sequence, a row for each token.
    pub fn logits(&self, tokens: &[u32], adapter: bool) -> Result<Mat<T>, RunError> {
        let pair = Pair { prompt: tokens.to_vec(), chosen: Vec::new(), rejected: Vec::new(), rejected_prompt: None };
        let mut pack = Pack::new(&[pair]);
        pack.rows = (0..tokens.len()).collect();
        self.check(&pack)?;
        let pass = Pass { model: self, weights: &self.weights, adapter, drops: None };
        Ok(self.output(&self.weights, adapter, None).logits(&pass.last_rows(&pack)))
    }

    /// Whether the model can take these rows at all.
    pub fn check(&self, pack: &Pack) -> Result<(), RunError> {
        if let Some(id) = pack.ids.iter().chain(&pack.targets).find(|id| **id as usize >= self.config.vocabulary) {
            let size = self.config.vocabulary;
            return Err(RunError::Row(format!("token {id} is not in the vocabulary of {size} tokens of config.json")));
        }
        if let Some(at) = pack.positions.iter().find(|at| **at >= self.config.positions) {
            return Err(RunError::Row(format!(
                "it has {} tokens, the model {} positions",
                at + 1,
                self.config.positions
            )));
        }
        Ok(())
    }

    fn output<'a>(&self, weights: &'a Weights<T>, adapter: bool, drops: Option<u64>) -> Head<'a, T> {
        let own = self.head_adapter.filter(|_| adapter);
        Head {
            weight: weights.get(self.head.unwrap_or(self.embedding), adapter),
            cap: self.config.logit_cap,
            adapter: own.map(|ids| weights.adapter(&ids, drops)),
        }
    }

    /// The embedding, and the output layer, which may be the same.
    pub(super) fn tables(&self) -> [SlotId; 2] {
        [self.embedding, self.head.unwrap_or(self.embedding)]
    }

    /// All linear layers but the output layer, in the order of the modules.
    pub(super) fn linears_mut(&mut self) -> Vec<&mut LinearIds> {
        let mut all = Vec::new();
        for layer in &mut self.layers {
            let out_first = self.config.family == Family::Phi3;
            let mut out = Some(&mut layer.out);
            if out_first {
                all.extend(out.take());
            }
            match &mut layer.queries {
                Queries::Apart(three) => all.extend(three),
                Queries::Joined(one) => all.push(one),
            }
            all.extend(out);
            match &mut layer.mlp {
                Mlp::Gated(two) => all.extend(two),
                Mlp::Joined(one) | Mlp::Plain(one) => all.push(one),
            }
            all.push(&mut layer.down);
        }
        all
    }

    /// Gives the output layer numbers of its own, as PEFT does when it copies a module that shares them.
    pub(super) fn untie(&mut self) -> SlotId {
        match self.head {
            Some(head) => head,
            None => *self.head.insert(self.weights.push_shared("lm_head.weight".to_owned(), self.embedding)),
        }
    }
}

/// Numbers that follow from a seed and a name, the same in every language that has whole numbers of 64 bits.
struct Chance {
    seed: u64,
    config: Config,
}

impl<T: Real> Source<T> for Chance {
    fn tensor(&mut self, name: &str, kind: Kind, rows: usize, cols: usize) -> Result<Mat<T>, RunError> {
        let (scale, middle) = match kind {
            Kind::Norm if self.config.norm == super::kernels::norm::NormKind::RmsFromOne => (0.25, 0.0),
            Kind::Norm => (0.25, 1.0),
            // So wide that the deviation is the one of the file.
            _ => ((self.config.spread * 3_f64.sqrt()) as f32, 0.0),
        };
        let start = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64 ^ self.seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let numbers: Vec<T> = (0..(rows * cols) as u64)
            .map(|at| {
                let fraction = (mixed(start.wrapping_add(at.wrapping_mul(0x9e37_79b9_7f4a_7c15))) >> 40) as f32;
                T::of_f32((fraction / 8_388_608.0 - 1.0) * scale + middle)
            })
            .collect();
        Ok(files::in_rows(kind, rows, cols, numbers))
    }
}
