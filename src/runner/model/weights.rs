//! The numbers of a model, each under its name, and gradients of them.

use std::sync::Arc;

use super::super::device::Moved;
use super::super::kernels::dropout::{self, Dropout};
use super::super::kernels::linear::{Adapter, Linear};
use super::super::kernels::norm::{Norm, NormKind};
use super::super::kernels::{Mat, Real, Summary};

/// What a tensor is, for its first values, its form in files and its decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The weight of a linear layer, or an embedding.
    Matrix,
    /// The weight of a linear layer that files hold with a row for each input (`Conv1D` of GPT-2).
    Turned,
    /// The weight of a normalisation.
    Norm,
    /// A bias.
    Bias,
    /// Part of an adapter.
    Adapter,
}

/// A tensor.
#[derive(Debug, Clone)]
pub struct Slot<T> {
    /// Its name: that of the model's file, or below `base_model.model.` that of the adapter's.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its numbers; shared with every copy of the weights that has not changed them.
    pub value: Arc<Mat<T>>,
    /// The numbers with the adapter off, of a module in `modules_to_save`.
    pub original: Option<Arc<Mat<T>>>,
    /// Whether it is trained.
    pub trainable: bool,
}

/// All tensors of a model. A copy is cheap: numbers are only copied when one of the two changes them.
#[derive(Debug, Clone)]
pub struct Weights<T> {
    slots: Vec<Slot<T>>,
}

/// A tensor by its place in [`Weights`].
pub type SlotId = usize;

/// A linear layer.
#[derive(Debug, Clone)]
pub struct LinearIds {
    /// The path of the module.
    pub path: String,
    /// The weight.
    pub weight: SlotId,
    /// The bias.
    pub bias: Option<SlotId>,
    /// The adapter.
    pub adapter: Option<AdapterIds>,
}

/// An adapter of a linear layer, or of an embedding, whose `a` has a column for each token.
#[derive(Debug, Clone, Copy)]
pub struct AdapterIds {
    /// `lora_A`.
    pub a: SlotId,
    /// `lora_B`.
    pub b: SlotId,
    /// `lora_magnitude_vector`.
    pub magnitude: Option<SlotId>,
    /// What the product is multiplied with.
    pub scale: f64,
    /// The share of its input that is dropped in training.
    pub dropout: f64,
}

/// A normalisation.
#[derive(Debug, Clone, Copy)]
pub struct NormIds {
    /// The weight.
    pub weight: SlotId,
    /// The bias.
    pub bias: Option<SlotId>,
}

impl<T: Real> Weights<T> {
    /// No tensor yet.
    pub(super) fn new() -> Weights<T> {
        Weights { slots: Vec::new() }
    }

    /// Adds a tensor.
    pub fn push(&mut self, name: String, kind: Kind, value: Mat<T>) -> SlotId {
        self.slots.push(Slot { name, kind, value: Arc::new(value), original: None, trainable: false });
        self.slots.len() - 1
    }

    /// Adds a tensor with the numbers of another.
    pub fn push_shared(&mut self, name: String, with: SlotId) -> SlotId {
        let slot = &self.slots[with];
        self.slots.push(Slot {
            name,
            kind: slot.kind,
            value: Arc::clone(&slot.value),
            original: None,
            trainable: false,
        });
        self.slots.len() - 1
    }

    /// All tensors.
    pub fn slots(&self) -> &[Slot<T>] {
        &self.slots
    }

    /// All tensors, to be changed.
    pub fn slots_mut(&mut self) -> &mut [Slot<T>] {
        &mut self.slots
    }

    /// The numbers of a tensor, with the adapter on or off.
    pub fn get(&self, id: SlotId, adapter: bool) -> &Mat<T> {
        let slot = &self.slots[id];
        match &slot.original {
            Some(original) if !adapter => original,
            _ => &slot.value,
        }
    }

    /// The same tensors where a device computes.
    pub(super) fn on(&self, moved: &mut Moved<T>) -> Weights<T> {
        let slot = |slot: &Slot<T>| Slot {
            name: slot.name.clone(),
            value: moved.get(&slot.value),
            original: slot.original.as_ref().map(|original| moved.get(original)),
            ..*slot
        };
        Weights { slots: self.slots.iter().map(slot).collect() }
    }

    /// The numbers of a tensor, to be changed.
    pub fn change(&mut self, id: SlotId) -> &mut Mat<T> {
        Arc::make_mut(&mut self.slots[id].value)
    }

    /// Whether a tensor is trained.
    pub fn is_trained(&self, id: SlotId) -> bool {
        self.slots[id].trainable
    }

    /// The tensors that are trained.
    pub fn trained(&self) -> impl Iterator<Item = SlotId> + '_ {
        (0..self.slots.len()).filter(|&id| self.slots[id].trainable)
    }

    /// A layer with its adapter on or off. `drops` is what decides which numbers are dropped, in training.
    pub(super) fn linear(&self, ids: &LinearIds, on: bool, drops: Option<u64>) -> Linear<'_, T> {
        let adapter = ids.adapter.filter(|_| on).map(|adapter| self.adapter(&adapter, drops));
        Linear { weight: self.get(ids.weight, on), bias: ids.bias.map(|id| self.get(id, on)), adapter }
    }

    /// An adapter that is on.
    pub(super) fn adapter(&self, ids: &AdapterIds, drops: Option<u64>) -> Adapter<'_, T> {
        let key = drops.filter(|_| ids.dropout > 0.0).map(|drops| dropout::key(drops, ids.a as u64));
        Adapter {
            a: self.get(ids.a, true),
            b: self.get(ids.b, true),
            magnitude: ids.magnitude.map(|id| self.get(id, true)),
            scale: T::of(ids.scale),
            dropout: key.map(|key| Dropout { share: ids.dropout, key }),
        }
    }

    pub(super) fn norm(&self, ids: NormIds, kind: NormKind, epsilon: f64, on: bool) -> Norm<'_, T> {
        let bias = ids.bias.map(|id| self.get(id, on));
        Norm { kind, epsilon, weight: self.get(ids.weight, on), bias }
    }
}

/// Gradients of the trained tensors, each in the place of its tensor.
#[derive(Debug, Clone)]
pub struct Gradients<T> {
    of: Vec<Option<Mat<T>>>,
}

impl<T: Real> Gradients<T> {
    /// None yet.
    pub fn none(count: usize) -> Gradients<T> {
        Gradients { of: vec![None; count] }
    }

    /// Adds to the gradient of a tensor.
    pub fn add(&mut self, id: SlotId, part: Mat<T>) {
        match &mut self.of[id] {
            Some(sum) => sum.add(&part),
            empty => *empty = Some(part),
        }
    }

    /// The gradient of a tensor.
    pub fn get(&self, id: SlotId) -> Option<&Mat<T>> {
        self.of[id].as_ref()
    }

    /// All gradients, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Mat<T>> {
        self.of.iter_mut().flatten()
    }

    /// What is looked for in each, in order.
    pub fn summaries(&self) -> Vec<(SlotId, Summary)> {
        let found = self.of.iter().enumerate().filter_map(|(id, gradient)| Some((id, gradient.as_ref()?)));
        let (ids, gradients): (Vec<SlotId>, Vec<&Mat<T>>) = found.unzip();
        ids.into_iter().zip(Mat::summaries(&gradients)).collect()
    }
}
