//! What is lost: the losses of a run, and what pairs and tokens count in them.

use super::values::{number, word};
use super::{Reader, names};
use crate::lower::Told;
use crate::runner::{Divergence, Likelihood, LossKind, Weighting};

impl Reader<'_> {
    pub(super) fn losses(&mut self) -> Vec<(LossKind, f64)> {
        let Some(held) = self.held("loss_type") else { return vec![(LossKind::Sigmoid, 1.0)] };
        let words: Option<Vec<String>> = match &held.value {
            Told::List(items) => items.iter().map(word).collect(),
            other => word(other).map(|word| vec![word]),
        };
        let Some(words) = words else {
            self.refuse("`loss_type` cannot be told", held.origin);
            return vec![(LossKind::Sigmoid, 1.0)];
        };
        let weights = self.weights(words.len());
        let mut losses = Vec::new();
        for (word, weight) in words.iter().zip(weights) {
            match names::loss(word) {
                Some(kind) => losses.push((kind, weight)),
                None => self.refuse(&format!("`loss_type` {word:?} is not implemented here"), held.origin),
            }
        }
        losses
    }

    /// What pairs weigh. Refuses what weighs tokens in another way, or fails, beside a setting that is about memory.
    pub(super) fn weighting(&mut self) -> Option<Weighting> {
        let weighting = self.truth("use_weighting");
        let set = |name: &&str| self.held(name).is_some_and(|held| !held.value.is_none());
        let beside = ["ld_alpha", "rpo_alpha"].into_iter().find(set).or(weighting.then_some("use_weighting"));
        if let (Some("separate"), Some(beside)) = (self.fact("tokenises"), beside) {
            for name in ["padding_free", "use_liger_loss", "use_liger_kernel"] {
                if self.held(name).is_some() && self.truth(name) {
                    let place = self.held(name).and_then(|held| held.origin);
                    self.refuse(&format!("`{name}` with `{beside}` is not implemented here"), place);
                }
            }
        }
        let shifted = self.fact("weighting") == Some("shifted");
        weighting.then_some(if shifted { Weighting::Shifted } else { Weighting::Aligned })
    }

    /// `rpo_alpha`.
    pub(super) fn likelihood(&mut self) -> Option<Likelihood> {
        let alpha = self.number("rpo_alpha")?;
        let form = self.fact("rpo_alpha");
        let of_answers = form == Some("scales_losses_beside_answers");
        Some(match form {
            None => Likelihood { weight: alpha, losses: 1.0, of_answers },
            Some(_) => Likelihood { weight: 1.0, losses: alpha, of_answers },
        })
    }

    fn weights(&mut self, count: usize) -> Vec<f64> {
        let Some(held) = self.held("loss_weights").filter(|held| !held.value.is_none()) else {
            return vec![1.0; count];
        };
        let Told::List(items) = &held.value else {
            self.refuse("`loss_weights` cannot be told", held.origin);
            return vec![1.0; count];
        };
        let weights: Vec<f64> = items.iter().filter_map(|item| number(item).ok().flatten()).collect();
        if weights.len() != count {
            self.refuse(&format!("`loss_weights` has {} known weights for {count} losses", weights.len()), held.origin);
        }
        weights
    }

    pub(super) fn divergence(&mut self) -> Divergence {
        let (name, place) = self.word("f_divergence_type", "reverse_kl");
        // Members of an enumeration of older releases are written in capitals.
        match name.to_ascii_lowercase().as_str() {
            "reverse_kl" => Divergence::ReverseKl,
            "forward_kl" => Divergence::ForwardKl,
            "js_divergence" => Divergence::JensenShannon,
            "alpha_divergence" => Divergence::Alpha(self.number("f_alpha_divergence_coef").unwrap_or(1.0)),
            _ => {
                self.refuse(&format!("`f_divergence_type` {name:?} is not implemented here"), place);
                Divergence::ReverseKl
            }
        }
    }
}
