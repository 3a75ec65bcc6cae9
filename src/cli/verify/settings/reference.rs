//! The model of a run, and what it is compared with.

use super::Reader;
use super::values::word;
use crate::lower::{Held, Told};
use crate::runner::Reference;

impl Reader<'_> {
    /// Against what the policy is compared once the fix is made, and whether there is something to fix.
    pub(super) fn reference(&mut self, has_adapter: bool) -> (Reference, bool) {
        let passed = self.trainer.argument("ref_model").filter(|held| !held.value.is_none());
        let reference = if !has_adapter {
            self.note_another_reference(passed.as_ref());
            Reference::Copy
        } else if self.comes_with_adapter && self.copies_adapter() {
            Reference::CopiedAdapter
        } else {
            Reference::AdapterOff
        };
        let reference = if self.truth("sync_ref_model") && !has_adapter {
            Reference::Synced {
                alpha: self.number("ref_model_mixup_alpha").unwrap_or(0.6),
                steps: self.whole("ref_model_sync_steps").unwrap_or(512),
            }
        } else if self.truth("precompute_ref_log_probs") {
            Reference::Precomputed(Box::new(reference))
        } else {
            reference
        };
        (reference, passed.is_some() && has_adapter)
    }

    /// A reference from elsewhere is not at hand; the model itself stands in.
    fn note_another_reference(&mut self, passed: Option<&Held>) {
        let Some(passed) = passed else { return };
        let (model, reference) = (self.model(), self.loaded(passed));
        if let Some(reference) = reference.filter(|reference| Some(reference) != model.as_ref()) {
            let message = format!("`ref_model` is {reference}; here the reference is a copy of the model");
            self.note(message, passed.origin);
        }
    }

    /// Whether the release in effect compares an adapter that is there already with a copy of it.
    fn copies_adapter(&self) -> bool {
        let Some(entry) = self.knowledge.curated().adapter_reference(self.trainer.callee()) else { return false };
        let package = self.knowledge.package(&entry.package);
        package.is_some_and(|package| package.releases_in(&entry.copied_adapter).contains(self.run.release))
    }

    /// The name or path of the model that is trained.
    pub(super) fn model(&self) -> Option<String> {
        self.loaded(&self.trainer.argument("model")?)
    }

    /// The name or path of a model, or what it is loaded from; an adapter's is that of its base.
    fn loaded(&self, held: &Held) -> Option<String> {
        if let Some(name) = word(&held.value).filter(|_| matches!(held.value, Told::Const(_))) {
            return Some(name);
        }
        let loaded = self.run.options(&held.value)?;
        let path = loaded.first().or_else(|| loaded.any_argument("pretrained_model_name_or_path"))?;
        if self.makes_adapter_model(&loaded) {
            return self.loaded(&path);
        }
        word(&path.value)
    }
}
