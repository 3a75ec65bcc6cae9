//! The whole decoder: from pairs to log-probabilities, and back to gradients.

use super::super::kernels::attention::Groups;
use super::super::kernels::dropout::Dropout;
use super::super::kernels::head::{Scored, Wanted};
use super::super::kernels::matrix::product;
use super::super::kernels::rope::Rotation;
use super::super::kernels::{Mat, Real};
use super::layer::{LayerTape, Shared, Work, norm_backward};
use super::weights::{AdapterIds, Gradients, Weights};
use super::{Config, Model, Pack};

/// Bytes of what the backward pass needs beyond which layers are computed a second time instead of kept.
pub const MOST_KEPT: usize = 4 << 30;

/// A model at work, with its own weights or those of a reference.
pub struct Pass<'a, T> {
    /// The model.
    pub model: &'a Model<T>,
    /// The weights.
    pub weights: &'a Weights<T>,
    /// Whether adapters are on.
    pub adapter: bool,
    /// What decides which numbers are dropped, in training.
    pub drops: Option<u64>,
}

/// What is wanted of a pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request {
    /// A tape, for [`Pass::backward`].
    pub tape: bool,
    /// The sums of squared probabilities.
    pub squares: bool,
}

/// What a pass finds, in the order of [`Pack::rows`].
pub struct Scores<T> {
    /// Log-probability of every token of an answer.
    pub log_probs: Vec<T>,
    /// Logarithm of the sum of the squared probabilities at its place; 0 where not asked for.
    pub squares: Vec<T>,
    /// For the way back.
    pub tape: Option<Tape<T>>,
}

/// What the backward pass needs.
pub struct Tape<T> {
    rotation: Option<Rotation<T>>,
    layers: Vec<Kept<T>>,
    /// Before the last normalisation, and after.
    last: Mat<T>,
    normed: Mat<T>,
    /// Gradients of the log-probabilities with regard to `normed`, where the output layer is frozen.
    slopes: Option<Mat<T>>,
}

/// Of a layer: everything, or its input from which it is computed again.
enum Kept<T> {
    Tape(Box<LayerTape<T>>),
    Input(Mat<T>),
}

impl<T: Real> Pass<'_, T> {
    fn groups<'a>(&self, pack: &'a Pack) -> Groups<'a> {
        Groups::new(&pack.groups, self.embedding())
    }

    /// The table of the tokens; where it lies, everything does.
    fn embedding(&self) -> &Mat<T> {
        self.weights.get(self.model.embedding, self.adapter)
    }

    fn shared<'a>(&'a self, groups: &'a Groups<'a>, rotation: Option<&'a Rotation<T>>) -> Shared<'a, T> {
        Shared {
            config: &self.model.config,
            weights: self.weights,
            adapter: self.adapter,
            drops: self.drops,
            rotation,
            groups,
        }
    }

    fn rotation(&self, pack: &Pack) -> Option<Rotation<T>> {
        let Config { rotary, head, .. } = &self.model.config;
        let frequencies = rotary.frequencies(pack.reach);
        let rotation = || Rotation::new(&pack.positions, &frequencies, *head, rotary.scale).beside(self.embedding());
        (!rotary.is_none()).then(rotation)
    }

    /// Where the output layer is part of what is trained.
    fn trains_output(&self) -> bool {
        let adapter = self.model.head_adapter.is_some_and(|ids| self.adapter && self.weights.is_trained(ids.a));
        adapter || self.weights.is_trained(self.model.tables()[1])
    }

    /// The adapter of the embedding, if it is on.
    fn embedding_adapter(&self) -> Option<AdapterIds> {
        self.model.embedding_adapter.filter(|_| self.adapter)
    }

    fn work<'a>(&'a self, shared: Shared<'a, T>, at: usize, pack: &'a Pack) -> Work<'a, T> {
        let last = at + 1 == self.model.layers.len();
        Work { shared, layer: &self.model.layers[at], at, rows: last.then_some(&pack.rows[..]) }
    }

    /// The rows that enter the first layer.
    fn embed(&self, pack: &Pack) -> Mat<T> {
        let ids: Vec<usize> = pack.ids.iter().map(|&id| id as usize).collect();
        let mut x = self.embedding().select(&ids);
        if let Some(adapter) = self.embedding_adapter() {
            let adapter = self.weights.adapter(&adapter, None);
            let mut part = product(adapter.a.select_columns(&ids).view(), adapter.b.t());
            part.scale(adapter.scale);
            x.add(&part);
        }
        if let Some(scale) = self.model.config.embedding_scale {
            x.scale(T::of(scale));
        }
        if let Some(places) = self.model.places {
            x.add(&self.weights.get(places, self.adapter).select(&pack.positions));
        }
        if let Some(dropout) = self.dropout() {
            dropout.cut(&mut x);
        }
        x
    }

    /// What is dropped before the first layer.
    fn dropout(&self) -> Option<Dropout> {
        Dropout::at(self.model.config.dropped.embedding, self.drops, 0)
    }

    /// The needed rows after the last normalisation.
    pub(super) fn last_rows(&self, pack: &Pack) -> Mat<T> {
        let rotation = self.rotation(pack);
        let groups = self.groups(pack);
        let shared = self.shared(&groups, rotation.as_ref());
        let layers = 0..self.model.layers.len();
        let x = layers.fold(self.embed(pack), |x, at| self.work(shared, at, pack).forward(x).0);
        self.last_norm().forward(&x)
    }

    fn last_norm(&self) -> super::super::kernels::norm::Norm<'_, T> {
        let config = &self.model.config;
        self.weights.norm(self.model.norm, config.norm, config.epsilon, self.adapter)
    }

    /// Scores the tokens of all answers.
    pub fn forward(&self, pack: &Pack, request: Request) -> Scores<T> {
        let rotation = self.rotation(pack);
        let groups = self.groups(pack);
        let shared = self.shared(&groups, rotation.as_ref());
        let keep = self.tape_bytes(pack.ids.len()) <= MOST_KEPT;
        let lowest = if request.tape { self.lowest() } else { usize::MAX };
        let mut layers = Vec::new();
        let mut x = self.embed(pack);
        for at in 0..self.model.layers.len() {
            let work = self.work(shared, at, pack);
            let input = (at >= lowest && !keep).then(|| x.clone());
            let (y, tape) = work.forward(x);
            x = y;
            if at >= lowest {
                layers.push(input.map_or_else(|| Kept::Tape(Box::new(tape)), Kept::Input));
            }
        }
        let normed = self.last_norm().forward(&x);
        let gradient = request.tape && !self.trains_output();
        let head = self.model.output(self.weights, self.adapter, self.drops);
        let wanted = Wanted { gradient, squares: request.squares };
        let Scored { log_probs, squares, gradient: slopes } = head.forward(&normed, &pack.targets, wanted);
        let tape = request.tape.then_some(Tape { rotation, layers, last: x, normed, slopes });
        Scores { log_probs, squares, tape }
    }

    /// Adds the gradients of the trained tensors, given those of the log-probabilities.
    pub fn backward(&self, pack: &Pack, tape: Tape<T>, gradients: &[T], sums: &mut Gradients<T>) {
        let Tape { rotation, layers, last, normed, slopes } = tape;
        let of_normed = if let Some(mut slopes) = slopes {
            slopes.scale_rows(gradients);
            slopes
        } else {
            let (head, id) = (self.model.output(self.weights, self.adapter, self.drops), self.model.tables()[1]);
            let found = head.backward(&normed, &pack.targets, gradients, self.weights.is_trained(id));
            let [a, b] = self.model.head_adapter.map_or([None, None], |ids| [Some(ids.a), Some(ids.b)]);
            for (id, part) in [(Some(id), found.weight), (a, found.a), (b, found.b)] {
                if let (Some(id), Some(part)) = (id, part) {
                    sums.add(id, part);
                }
            }
            found.input.expect("it always is")
        };
        let mut gradient = norm_backward(&self.last_norm(), self.model.norm, self.weights, &last, &of_normed, sums);
        let groups = self.groups(pack);
        let shared = self.shared(&groups, rotation.as_ref());
        let count = self.model.layers.len();
        if count == layers.len() && count == 0 {
            return;
        }
        let lowest = count - layers.len();
        let embedded = self.trains_input();
        for (at, kept) in (lowest..count).zip(layers).rev() {
            let work = self.work(shared, at, pack);
            let tape = match kept {
                Kept::Tape(tape) => *tape,
                Kept::Input(x) => work.forward(x).1,
            };
            match work.backward(tape, gradient, at > lowest || embedded, sums) {
                Some(below) => gradient = below,
                None => return,
            }
        }
        if embedded {
            self.embed_backward(pack, gradient, sums);
        }
    }

    fn embed_backward(&self, pack: &Pack, mut gradient: Mat<T>, sums: &mut Gradients<T>) {
        if let Some(dropout) = self.dropout() {
            dropout.cut(&mut gradient);
        }
        if let Some(places) = self.model.places.filter(|&id| self.weights.is_trained(id)) {
            sums.add(places, gradient.scatter(&pack.positions, self.model.config.positions));
        }
        if let Some(scale) = self.model.config.embedding_scale {
            gradient.scale(T::of(scale));
        }
        let ids: Vec<usize> = pack.ids.iter().map(|&id| id as usize).collect();
        let vocabulary = self.model.config.vocabulary;
        if self.weights.is_trained(self.model.embedding) {
            sums.add(self.model.embedding, gradient.scatter(&ids, vocabulary));
        }
        if let Some(slots) = self.embedding_adapter() {
            let adapter = self.weights.adapter(&slots, None);
            gradient.scale(adapter.scale);
            sums.add(slots.b, product(gradient.t(), adapter.a.select_columns(&ids).view()));
            let of_columns = product(gradient.view(), adapter.b.view()).scatter(&ids, vocabulary);
            sums.add(slots.a, of_columns.turned());
        }
    }

    fn trains_input(&self) -> bool {
        let places = self.model.places.is_some_and(|id| self.weights.is_trained(id));
        let adapter = self.embedding_adapter().is_some_and(|ids| self.weights.is_trained(ids.a));
        places || adapter || self.weights.is_trained(self.model.embedding)
    }

    /// The lowest layer that a gradient must reach.
    fn lowest(&self) -> usize {
        let trained = |at: &usize| self.model.layers[*at].slots().iter().any(|&id| self.weights.is_trained(id));
        let count = self.model.layers.len();
        if self.trains_input() { 0 } else { (0..count).find(trained).unwrap_or(count) }
    }

    /// About the size of what all layers keep.
    fn tape_bytes(&self, rows: usize) -> usize {
        let config = &self.model.config;
        let numbers = 6 * config.hidden + 3 * config.intermediate + 2 * config.q_width() + 2 * config.kv_width();
        rows * numbers * config.layers * size_of::<T>()
    }
}
