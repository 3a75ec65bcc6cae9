//! Settings that mostly change nothing about losses, and now and then do.

use super::Reader;
use super::values::{number, word};
use crate::eval::Const;
use crate::lower::Told;

/// What a model is loaded with that leaves its numbers as they are, their precision aside.
const LOADING: &[&str] = &[
    "attn_implementation",
    "cache_dir",
    "device_map",
    "dtype",
    "force_download",
    "ignore_mismatched_sizes",
    "load_in_4bit",
    "load_in_8bit",
    "local_files_only",
    "low_cpu_mem_usage",
    "max_memory",
    "offload_folder",
    "quantization_config",
    "revision",
    "subfolder",
    "token",
    "torch_dtype",
    "trust_remote_code",
    "use_auth_token",
    "use_cache",
    "use_flash_attention_2",
    "use_safetensors",
    "variant",
];

/// What `accelerator_config` says of several processes, or of copies between memories.
const OF_PROCESSES: &[&str] =
    &["dispatch_batches", "even_batches", "non_blocking", "split_batches", "use_configured_state"];

impl Reader<'_> {
    pub(super) fn look_at_quiet_settings(&mut self) {
        if self.truth("is_encoder_decoder") {
            let place = self.held("is_encoder_decoder").and_then(|held| held.origin);
            self.refuse("`is_encoder_decoder` is set; only decoders are trained here", place);
        }
        self.label_padding();
        self.padding_free();
        self.accelerator();
        for name in ["model_init_kwargs", "ref_model_init_kwargs"] {
            self.loading(name);
        }
        for name in ["deepspeed", "fsdp"] {
            let Some(held) = self.held(name).filter(|held| is_set(&held.value)) else { continue };
            let what = "is set; one process trains here, and an optimizer or a schedule of its own is not followed";
            self.note(format!("`{name}` {what}"), held.origin);
        }
        if let Some(held) = self.trainer.argument("callbacks").filter(|held| is_set(&held.value)) {
            self.note(String::from("`callbacks` are not called here"), held.origin);
        }
    }

    /// Whether a loss is one of those that are added up.
    fn has_loss(&self, name: &str) -> bool {
        let is_it = |told: &Told| word(told).as_deref() == Some(name);
        self.held("loss_type").is_some_and(|held| match &held.value {
            Told::List(items) => items.iter().any(is_it),
            other => is_it(other),
        })
    }

    /// Whether the likelihood of answers is a part of the loss.
    fn adds_likelihood(&self) -> bool {
        self.has_loss("sft") || self.held("rpo_alpha").is_some_and(|held| !held.value.is_none())
    }

    /// Old releases tell tokens that count from others by this number, later ones only where the likelihood of answers is added;
    /// the newest have none.
    fn label_padding(&mut self) {
        let Some(held) = self.held("label_pad_token_id").filter(|held| !held.value.is_none()) else { return };
        let number = number(&held.value).ok().flatten();
        let beside = self.adds_likelihood() || self.is_true("use_liger_loss") || self.is_true("use_liger_kernel");
        let decides = match self.fact("tokenises") {
            Some("parts" | "collator") => beside || number.is_none_or(|number| number >= 0.0),
            Some("separate") => beside,
            _ => false,
        };
        if decides && number != Some(-100.0) {
            self.refuse("`label_pad_token_id` other than -100 is not implemented here", held.origin);
        }
    }

    /// Without padding, releases before 0.29 take sums over a batch for those of an answer.
    fn padding_free(&mut self) {
        if self.fact("tokenises") != Some("separate")
            || self.held("padding_free").is_none()
            || !self.truth("padding_free")
        {
            return;
        }
        let place = self.held("padding_free").and_then(|held| held.origin);
        let beside = [
            (self.has_loss("ipo"), "`loss_type` \"ipo\", whose means are taken over the whole batch then,"),
            (self.adds_likelihood(), "the likelihood of answers, to which those of rejected ones are added then,"),
            (self.is_true("use_logits_to_keep"), "`use_logits_to_keep`"),
        ];
        for what in beside.into_iter().filter_map(|(is_there, what)| is_there.then_some(what)) {
            self.refuse(&format!("`padding_free` beside {what} is not implemented here"), place);
        }
        let what = "is set; here no sequence sees another, as with flash attention";
        self.note(format!("`padding_free` {what}"), place);
    }

    fn is_true(&self, name: &str) -> bool {
        self.held(name).is_some_and(|held| matches!(&held.value, Told::Const(constant) if constant.truthy()))
    }

    fn accelerator(&mut self) {
        let Some(held) = self.held("accelerator_config").filter(|held| is_set(&held.value)) else { return };
        let Told::Dict(entries) = &held.value else {
            return self.refuse("`accelerator_config` cannot be told", held.origin);
        };
        for (key, value) in entries {
            let key = key.to_string();
            let name = key.trim_matches(['"', '\'']);
            let is_on = matches!(value, Told::Const(constant) if constant.truthy());
            let is_followed = OF_PROCESSES.contains(&name) || (name == "use_seedable_sampler" && is_on);
            if !is_followed {
                self.refuse(&format!("`{name}` of `accelerator_config` is not implemented here"), held.origin);
            }
        }
    }

    /// What a model is loaded with may change its form.
    fn loading(&mut self, name: &str) {
        let Some(held) = self.held(name).filter(|held| is_set(&held.value)) else { return };
        let Told::Dict(entries) = &held.value else {
            return self.note(format!("`{name}` cannot be told; the model is taken as its folder has it"), held.origin);
        };
        for (key, _) in entries {
            let Const::Str(key) = key else { continue };
            if !LOADING.contains(&&**key) {
                self.refuse(&format!("`{key}` of `{name}` is not implemented here"), held.origin);
            }
        }
    }
}

/// Whether something is said, and not nothing.
fn is_set(told: &Told) -> bool {
    match told {
        Told::Const(constant) => constant.truthy(),
        Told::List(items) => !items.is_empty(),
        Told::Dict(entries) => !entries.is_empty(),
        _ => true,
    }
}
