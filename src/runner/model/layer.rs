//! One layer, forward and backward.

use super::super::kernels::attention::{Attention, Groups, Inputs};
use super::super::kernels::dropout::Dropout;
use super::super::kernels::linear::{LinearTape, Wanted};
use super::super::kernels::norm::Norm;
use super::super::kernels::rope::Rotation;
use super::super::kernels::{Mat, Real};
use super::weights::{Gradients, LinearIds, NormIds, SlotId, Weights};
use super::{Config, Layer, Mlp, Queries};

/// What the layers of a pass share.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a, T> {
    pub config: &'a Config,
    pub weights: &'a Weights<T>,
    /// Whether adapters are on.
    pub adapter: bool,
    /// What decides which numbers are dropped.
    pub drops: Option<u64>,
    /// Angles; none where positions are learned.
    pub rotation: Option<&'a Rotation<T>>,
    pub groups: &'a Groups<'a>,
}

/// A layer at work.
#[derive(Clone, Copy)]
pub(super) struct Work<'a, T> {
    pub shared: Shared<'a, T>,
    pub layer: &'a Layer,
    pub at: usize,
    /// In the last layer, the rows that are needed after attention.
    pub rows: Option<&'a [usize]>,
}

/// What the backward pass needs.
pub(super) struct LayerTape<T> {
    x: Mat<T>,
    normed: Mat<T>,
    queries: Vec<LinearTape<T>>,
    /// Queries and keys before they were normalised.
    raw: Option<[Mat<T>; 2]>,
    q: Mat<T>,
    k: Mat<T>,
    v: Mat<T>,
    attended: Mat<T>,
    sums: Mat<T>,
    /// The needed rows of `attended`.
    selected: Option<Mat<T>>,
    out: LinearTape<T>,
    /// Before [`Layer::after`].
    before_after: Option<Mat<T>>,
    middle: Mat<T>,
    normed_middle: Mat<T>,
    mlp: Vec<LinearTape<T>>,
    gate: Mat<T>,
    up: Option<Mat<T>>,
    bent: Mat<T>,
    down: LinearTape<T>,
    /// Before [`Layer::end`].
    before_end: Option<Mat<T>>,
}

impl Layer {
    /// All tensors.
    pub(super) fn slots(&self) -> Vec<SlotId> {
        let norms = [Some(self.before), self.after, Some(self.middle), self.end].into_iter().flatten();
        let norms = norms.chain(self.head_norms.into_iter().flatten());
        let mut slots: Vec<SlotId> = norms.flat_map(|norm| [Some(norm.weight), norm.bias]).flatten().collect();
        let mut linears = vec![&self.out, &self.down];
        match &self.queries {
            Queries::Apart(three) => linears.extend(three),
            Queries::Joined(one) => linears.push(one),
        }
        match &self.mlp {
            Mlp::Gated(two) => linears.extend(two),
            Mlp::Joined(one) | Mlp::Plain(one) => linears.push(one),
        }
        for ids in linears {
            slots.push(ids.weight);
            slots.extend(ids.bias);
            if let Some(adapter) = ids.adapter {
                slots.extend([adapter.a, adapter.b].into_iter().chain(adapter.magnitude));
            }
        }
        slots
    }
}

impl<T: Real> Work<'_, T> {
    fn attention(&self) -> Attention {
        let config = self.shared.config;
        Attention {
            heads: config.heads,
            kv_heads: config.kv_heads,
            width: config.head,
            scale: config.scale,
            cap: config.attention_cap,
            window: config.windows[self.at],
            dropout: self.dropout(config.dropped.attention, 0),
        }
    }

    /// What one of three places of the layer drops.
    fn dropout(&self, share: f64, which: usize) -> Option<Dropout> {
        Dropout::at(share, self.shared.drops, 3 * self.at + which + 1)
    }

    fn after_attention(&self) -> Option<Dropout> {
        self.dropout(self.shared.config.dropped.residual, 1)
    }

    fn after_mlp(&self) -> Option<Dropout> {
        self.dropout(self.shared.config.dropped.residual, 2)
    }

    fn norm(&self, ids: NormIds) -> Norm<'_, T> {
        let config = self.shared.config;
        self.shared.weights.norm(ids, config.norm, config.epsilon, self.shared.adapter)
    }

    fn linear(&self, ids: &LinearIds, x: &Mat<T>) -> (Mat<T>, LinearTape<T>) {
        self.shared.weights.linear(ids, self.shared.adapter, self.shared.drops).forward(x)
    }

    #[expect(clippy::many_single_char_names, reason = "queries, keys and values have these names everywhere")]
    pub(super) fn forward(&self, x: Mat<T>) -> (Mat<T>, LayerTape<T>) {
        let (config, layer) = (self.shared.config, self.layer);
        let normed = self.norm(layer.before).forward(&x);
        let (parts, queries) = match &layer.queries {
            Queries::Apart(three) => three.iter().map(|ids| self.linear(ids, &normed)).unzip(),
            Queries::Joined(one) => {
                let (joined, tape) = self.linear(one, &normed);
                (joined.split(&[config.q_width(), config.kv_width(), config.kv_width()]), vec![tape])
            }
        };
        let [mut q, mut k, v]: [Mat<T>; 3] = parts.try_into().expect("three parts");
        let raw = layer.head_norms.map(|[of_q, of_k]| {
            let (normed_q, normed_k) = (self.norm(of_q).forward(&q), self.norm(of_k).forward(&k));
            [std::mem::replace(&mut q, normed_q), std::mem::replace(&mut k, normed_k)]
        });
        if let Some(rotation) = self.shared.rotation {
            rotation.turn(&mut q);
            rotation.turn(&mut k);
        }
        let (attended, sums) = self.attention().forward(self.shared.groups, Inputs { q: &q, k: &k, v: &v });
        let selected = self.rows.map(|rows| attended.select(rows));
        let (mut middle, out) = self.linear(&layer.out, selected.as_ref().unwrap_or(&attended));
        if let Some(dropout) = self.after_attention() {
            dropout.cut(&mut middle);
        }
        let before_after = layer.after.map(|after| {
            let normed = self.norm(after).forward(&middle);
            std::mem::replace(&mut middle, normed)
        });
        match self.rows {
            Some(rows) => middle.add(&x.select(rows)),
            None => middle.add(&x),
        }
        let normed_middle = self.norm(layer.middle).forward(&middle);
        let (mut parts, mlp): (Vec<Mat<T>>, _) = match &layer.mlp {
            Mlp::Gated(two) => two.iter().map(|ids| self.linear(ids, &normed_middle)).unzip(),
            Mlp::Joined(one) => {
                let (joined, tape) = self.linear(one, &normed_middle);
                (joined.split(&[config.intermediate, config.intermediate]), vec![tape])
            }
            Mlp::Plain(one) => {
                let (y, tape) = self.linear(one, &normed_middle);
                (vec![y], vec![tape])
            }
        };
        let gate = parts.remove(0);
        let up = parts.pop();
        let bent = config.activation.forward(&gate, up.as_ref());
        let (mut y, down) = self.linear(&layer.down, &bent);
        if let Some(dropout) = self.after_mlp() {
            dropout.cut(&mut y);
        }
        let before_end = layer.end.map(|end| {
            let normed = self.norm(end).forward(&y);
            std::mem::replace(&mut y, normed)
        });
        y.add(&middle);
        let tape = LayerTape {
            x,
            normed,
            queries,
            raw,
            q,
            k,
            v,
            attended,
            sums,
            selected,
            out,
            before_after,
            middle,
            normed_middle,
            mlp,
            gate,
            up,
            bent,
            down,
            before_end,
        };
        (y, tape)
    }

    fn norm_backward(&self, ids: NormIds, x: &Mat<T>, gradient: &Mat<T>, sums: &mut Gradients<T>) -> Mat<T> {
        let weights = self.shared.weights;
        norm_backward(&self.norm(ids), ids, weights, x, gradient, sums)
    }

    fn linear_backward(
        &self,
        ids: &LinearIds,
        x: &Mat<T>,
        tape: &LinearTape<T>,
        gradient: &Mat<T>,
        input: bool,
        sums: &mut Gradients<T>,
    ) -> Option<Mat<T>> {
        let weights = self.shared.weights;
        let bias = ids.bias.is_some_and(|id| weights.is_trained(id));
        let want = Wanted { input, weight: weights.is_trained(ids.weight), bias };
        let found = weights.linear(ids, self.shared.adapter, self.shared.drops).backward(x, tape, gradient, want);
        let adapter = ids.adapter.filter(|adapter| weights.is_trained(adapter.a));
        let parts = [
            (Some(ids.weight), found.weight),
            (ids.bias, found.bias),
            (adapter.map(|adapter| adapter.a), found.a),
            (adapter.map(|adapter| adapter.b), found.b),
            (adapter.and_then(|adapter| adapter.magnitude), found.magnitude),
        ];
        for (id, part) in parts {
            if let (Some(id), Some(part)) = (id, part) {
                sums.add(id, part);
            }
        }
        found.input
    }

    /// Several layers with one input: the gradients of it are added up.
    fn all_backward(
        &self,
        ids: &[&LinearIds],
        x: &Mat<T>,
        tapes: &[LinearTape<T>],
        gradients: &[Mat<T>],
        input: bool,
        sums: &mut Gradients<T>,
    ) -> Option<Mat<T>> {
        let mut total: Option<Mat<T>> = None;
        for ((ids, tape), gradient) in ids.iter().zip(tapes).zip(gradients) {
            let Some(part) = self.linear_backward(ids, x, tape, gradient, input, sums) else { continue };
            match &mut total {
                Some(total) => total.add(&part),
                empty => *empty = Some(part),
            }
        }
        total
    }

    /// The gradient of the input where `input`, and what is added to `sums`. The tape is used up: its memory is needed.
    #[expect(clippy::needless_pass_by_value, reason = "a layer that is done gives its memory back")]
    pub(super) fn backward(
        &self,
        tape: LayerTape<T>,
        mut gradient: Mat<T>,
        input: bool,
        sums: &mut Gradients<T>,
    ) -> Option<Mat<T>> {
        let layer = self.layer;
        let of_end =
            layer.end.zip(tape.before_end.as_ref()).map(|(end, x)| self.norm_backward(end, x, &gradient, sums));
        let of_end = through(self.after_mlp(), of_end, &gradient);
        let of_down = of_end.as_ref().unwrap_or(&gradient);
        let of_bent =
            self.linear_backward(&layer.down, &tape.bent, &tape.down, of_down, true, sums).expect("asked for");
        let (of_gate, of_up) = self.shared.config.activation.backward(&tape.gate, tape.up.as_ref(), of_bent);
        let parts: Vec<Mat<T>> = std::iter::once(of_gate).chain(of_up).collect();
        let of_normed = match &layer.mlp {
            Mlp::Gated([gate, up]) => {
                self.all_backward(&[gate, up], &tape.normed_middle, &tape.mlp, &parts, true, sums)
            }
            Mlp::Joined(one) => {
                let joined = Mat::join(&[&parts[0], &parts[1]]);
                self.linear_backward(one, &tape.normed_middle, &tape.mlp[0], &joined, true, sums)
            }
            Mlp::Plain(one) => self.linear_backward(one, &tape.normed_middle, &tape.mlp[0], &parts[0], true, sums),
        };
        gradient.add(&self.norm_backward(layer.middle, &tape.middle, &of_normed.expect("asked for"), sums));

        let of_after =
            layer.after.zip(tape.before_after.as_ref()).map(|(after, x)| self.norm_backward(after, x, &gradient, sums));
        let attended = tape.selected.as_ref().unwrap_or(&tape.attended);
        let of_after = through(self.after_attention(), of_after, &gradient);
        let of_out = of_after.as_ref().unwrap_or(&gradient);
        let mut of_attended =
            self.linear_backward(&layer.out, attended, &tape.out, of_out, true, sums).expect("asked for");
        if let Some(rows) = self.rows {
            of_attended = of_attended.scatter(rows, tape.x.rows());
            gradient = gradient.scatter(rows, tape.x.rows());
        }
        let inputs = Inputs { q: &tape.q, k: &tape.k, v: &tape.v };
        let [mut of_q, mut of_k, of_v] =
            self.attention().backward(self.shared.groups, inputs, &tape.attended, &tape.sums, &of_attended);
        if let Some(rotation) = self.shared.rotation {
            rotation.turn_back(&mut of_q);
            rotation.turn_back(&mut of_k);
        }
        if let (Some([q_norm, k_norm]), Some([q, k])) = (layer.head_norms, &tape.raw) {
            of_q = self.norm_backward(q_norm, q, &of_q, sums);
            of_k = self.norm_backward(k_norm, k, &of_k, sums);
        }
        let deeper = input
            || self.shared.weights.is_trained(layer.before.weight)
            || layer.before.bias.is_some_and(|id| self.shared.weights.is_trained(id));
        let parts = [of_q, of_k, of_v];
        let of_normed = match &layer.queries {
            Queries::Apart([q, k, v]) => {
                self.all_backward(&[q, k, v], &tape.normed, &tape.queries, &parts, deeper, sums)
            }
            Queries::Joined(one) => {
                let [q, k, v] = &parts;
                self.linear_backward(one, &tape.normed, &tape.queries[0], &Mat::join(&[q, k, v]), deeper, sums)
            }
        };
        let of_x = self.norm_backward(layer.before, &tape.x, &of_normed?, sums);
        gradient.add(&of_x);
        input.then_some(gradient)
    }
}

/// The gradient before what is dropped, if there is any.
fn through<T: Real>(dropout: Option<Dropout>, changed: Option<Mat<T>>, gradient: &Mat<T>) -> Option<Mat<T>> {
    let Some(dropout) = dropout else { return changed };
    let mut changed = changed.unwrap_or_else(|| gradient.clone());
    dropout.cut(&mut changed);
    Some(changed)
}

/// The gradient of what was normalised; those of weight and bias are added to `sums` where they are trained.
pub(super) fn norm_backward<T: Real>(
    norm: &Norm<'_, T>,
    ids: NormIds,
    weights: &Weights<T>,
    x: &Mat<T>,
    gradient: &Mat<T>,
    sums: &mut Gradients<T>,
) -> Mat<T> {
    let trained = |id: Option<SlotId>| id.filter(|&id| weights.is_trained(id));
    let (weight, bias) = (trained(Some(ids.weight)), trained(ids.bias));
    let (of_x, of_weights) = norm.backward(x, gradient, weight.is_some() || bias.is_some());
    if let Some(found) = of_weights {
        for (id, part) in [(weight, found.weight), (bias, found.bias)] {
            if let Some(id) = id {
                sums.add(id, part);
            }
        }
    }
    of_x
}
