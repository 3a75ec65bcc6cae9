//! Which settings decide the losses of a run.
//!
//! Every field of every release stands in one of the lists, and a test holds them to `schemas/knowledge`: what a new release brings is
//! refused until somebody has looked at it.

/// What a setting is to the losses of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// The runner implements it.
    Implemented,
    /// It changes where things are stored, shown or computed.
    Nothing,
    /// It changes losses, and the runner has it not.
    Decides,
}

/// Fields of `DPOConfig` and of what it derives from that are followed, or looked at by [`super::settings`].
const CONFIG: &[&str] = &[
    "accelerator_config",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "beta",
    "bf16",
    "data_seed",
    "deepspeed",
    "disable_dropout",
    "discopop_tau",
    "f_alpha_divergence_coef",
    "f_divergence_type",
    "force_use_ref_model",
    "fp16",
    "fsdp",
    "fsdp_config",
    "gradient_accumulation_steps",
    "is_encoder_decoder",
    "label_pad_token_id",
    "label_smoothing",
    "ld_alpha",
    "learning_rate",
    "loss_type",
    "loss_weights",
    "lr_scheduler_kwargs",
    "lr_scheduler_type",
    "max_completion_length",
    "max_grad_norm",
    "max_length",
    "max_prompt_length",
    "max_steps",
    "max_target_length",
    "model_init_kwargs",
    "num_train_epochs",
    "optim",
    "padding_free",
    "per_device_train_batch_size",
    "precompute_ref_log_probs",
    "ref_model_init_kwargs",
    "ref_model_mixup_alpha",
    "ref_model_sync_steps",
    "rpo_alpha",
    "seed",
    "sync_ref_model",
    "train_sampling_strategy",
    "truncation_mode",
    "use_liger_kernel",
    "use_liger_loss",
    "use_logits_to_keep",
    "use_weighting",
    "warmup_ratio",
    "warmup_steps",
    "weight_decay",
];

/// Fields that decide nothing about losses: where and when things are stored, shown, evaluated or computed; what is padded and masked;
/// what several processes do; what only other models and data have (`router_aux_loss_coef`, `length_column_name`); what other trainers
/// than this one read (`label_smoothing_factor`).
const AROUND: &[&str] = &[
    "activation_checkpointing",
    "activation_checkpointing_kwargs",
    "activation_offloading",
    "auto_find_batch_size",
    "average_tokens_across_devices",
    "base_model_attribute_name",
    "batch_eval_metrics",
    "bf16_full_eval",
    "dataloader_in_order",
    "dataloader_multiprocessing_context",
    "dataloader_num_workers",
    "dataloader_persistent_workers",
    "dataloader_pin_memory",
    "dataloader_prefetch_factor",
    "dataset_num_proc",
    "ddp_backend",
    "ddp_broadcast_buffers",
    "ddp_bucket_cap_mb",
    "ddp_find_unused_parameters",
    "ddp_static_graph",
    "ddp_timeout",
    "debug",
    "disable_tqdm",
    "dispatch_batches",
    "do_eval",
    "do_predict",
    "do_train",
    "enable_jit_checkpoint",
    "eval_accumulation_steps",
    "eval_delay",
    "eval_do_concat_batches",
    "eval_on_start",
    "eval_steps",
    "eval_strategy",
    "eval_use_gather_object",
    "evaluation_strategy",
    "fp16_backend",
    "fp16_full_eval",
    "fp16_opt_level",
    "fsdp_min_num_params",
    "fsdp_transformer_layer_cls_to_wrap",
    "full_determinism",
    "generate_during_eval",
    "gradient_checkpointing",
    "gradient_checkpointing_kwargs",
    "greater_is_better",
    "half_precision_backend",
    "hub_always_push",
    "hub_model_id",
    "hub_private_repo",
    "hub_revision",
    "hub_strategy",
    "hub_token",
    "ignore_data_skip",
    "include_for_metrics",
    "include_inputs_for_metrics",
    "include_num_input_tokens_seen",
    "include_tokens_per_second",
    "jit_mode_eval",
    "label_names",
    "label_smoothing_factor",
    "length_column_name",
    "liger_kernel_config",
    "load_best_model_at_end",
    "local_rank",
    "log_level",
    "log_level_replica",
    "log_on_each_node",
    "logging_dir",
    "logging_first_step",
    "logging_nan_inf_filter",
    "logging_steps",
    "logging_strategy",
    "metric_for_best_model",
    "no_cuda",
    "output_dir",
    "overwrite_output_dir",
    "pad_to_multiple_of",
    "pad_token",
    "padding_value",
    "per_device_eval_batch_size",
    "per_gpu_eval_batch_size",
    "precompute_ref_batch_size",
    "prediction_loss_only",
    "project",
    "push_to_hub",
    "push_to_hub_model_id",
    "push_to_hub_organization",
    "push_to_hub_token",
    "ray_scope",
    "remove_unused_columns",
    "report_to",
    "restore_callback_states_from_checkpoint",
    "resume_from_checkpoint",
    "router_aux_loss_coef",
    "run_name",
    "save_on_each_node",
    "save_only_model",
    "save_safetensors",
    "save_steps",
    "save_strategy",
    "save_total_limit",
    "sharded_ddp",
    "skip_memory_metrics",
    "split_batches",
    "tf32",
    "torch_compile",
    "torch_compile_backend",
    "torch_compile_mode",
    "torch_empty_cache_steps",
    "torchdynamo",
    "tpu_metrics_debug",
    "tpu_num_cores",
    "trackio_bucket_id",
    "trackio_space_id",
    "trackio_static_space_id",
    "trust_remote_code",
    "use_cache",
    "use_cpu",
    "use_ipex",
    "use_legacy_prediction_loop",
    "use_mps_device",
    "use_num_logits_to_keep",
    "xpu_backend",
];

/// Fields that decide losses in a way that is not implemented.
#[cfg(test)]
const REFUSED: &[&str] = &[
    "adafactor",
    "dataloader_drop_last",
    "group_by_length",
    "model_adapter_name",
    "mp_parameters",
    "neftune_noise_alpha",
    "optim_args",
    "optim_target_modules",
    "parallelism_config",
    "past_index",
    "per_gpu_train_batch_size",
    "ref_adapter_name",
    "reference_free",
    "tools",
    "tp_size",
];

/// Arguments of the trainer that are followed, looked at, or about evaluation.
const TRAINER: &[&str] = &[
    "args",
    "beta",
    "callbacks",
    "compute_metrics",
    "data_collator",
    "disable_dropout",
    "eval_dataset",
    "generate_during_eval",
    "is_encoder_decoder",
    "label_pad_token_id",
    "label_smoothing",
    "loss_type",
    "max_length",
    "max_prompt_length",
    "max_target_length",
    "model",
    "model_init_kwargs",
    "padding_value",
    "peft_config",
    "precompute_ref_log_probs",
    "preprocess_logits_for_metrics",
    "processing_class",
    "ref_model",
    "ref_model_init_kwargs",
    "tokenizer",
    "train_dataset",
    "truncation_mode",
    "dataset_num_proc",
    "force_use_ref_model",
];

/// Fields of `LoraConfig` that are followed, or about where it comes from.
const ADAPTER: &[&str] = &[
    "alpha_pattern",
    "base_model_name_or_path",
    "bias",
    "fan_in_fan_out",
    "inference_mode",
    "lora_alpha",
    "lora_dropout",
    "modules_to_save",
    "peft_type",
    "r",
    "rank_pattern",
    "revision",
    "target_modules",
    "task_type",
    "use_dora",
    "use_rslora",
];

/// Fields of a model configuration that decide what is trained, and that the runner has not.
const DECIDING_OF_MODEL: &[&str] = &["lora_target_parameters"];

impl Weight {
    /// Of a field of the trainer's configuration.
    pub fn of_config(name: &str) -> Self {
        match name {
            _ if CONFIG.contains(&name) => Self::Implemented,
            _ if AROUND.contains(&name) => Self::Nothing,
            _ => Self::Decides,
        }
    }

    /// Of an argument of the trainer.
    pub fn of_trainer(name: &str) -> Self {
        if TRAINER.contains(&name) { Self::Implemented } else { Self::Decides }
    }

    /// Of a field of the adapter's configuration, or of the model configuration that it is made from.
    pub fn of_adapter(name: &str) -> Self {
        let of_model = name.starts_with("lora_") || name.starts_with("load_in") || name.starts_with("bnb_");
        let is_loading = matches!(
            name,
            "model_args"
                | "model_config"
                | "model_name_or_path"
                | "model_revision"
                | "torch_dtype"
                | "dtype"
                | "trust_remote_code"
                | "attn_implementation"
                | "use_peft"
                | "use_bnb_nested_quant"
        );
        match name {
            _ if ADAPTER.contains(&name) => Self::Implemented,
            _ if DECIDING_OF_MODEL.contains(&name) => Self::Decides,
            _ if of_model || is_loading => Self::Nothing,
            _ => Self::Decides,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// The fields that any release has.
    fn fields(package: &str, callables: &[&str]) -> BTreeSet<String> {
        let path = format!("{}/schemas/knowledge/{package}.json", env!("CARGO_MANIFEST_DIR"));
        let knowledge: Value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
        let of = |name: &&str| {
            let parameters = knowledge["callables"][*name]["parameters"].as_object();
            parameters.unwrap_or_else(|| panic!("{name} has parameters")).keys().cloned().collect::<Vec<_>>()
        };
        callables.iter().flat_map(of).collect()
    }

    fn names(lists: &[&[&str]]) -> BTreeSet<String> {
        lists.iter().copied().flatten().map(|name| (*name).to_owned()).collect()
    }

    const NONE: [&str; 0] = [];

    #[test]
    fn somebody_has_looked_at_every_field_of_every_release() {
        let configs = ["DPOConfig", "BaseConfig", "_BaseConfig"];
        let modules = ["dpo_config", "base_config", "base_config"];
        let ours: Vec<String> =
            configs.iter().zip(modules).map(|(name, module)| format!("trl.trainer.{module}.{name}")).collect();
        let mut known = fields("trl", &ours.iter().map(String::as_str).collect::<Vec<_>>());
        known.extend(fields("transformers", &["transformers.training_args.TrainingArguments"]));
        let lists = names(&[CONFIG, AROUND, REFUSED]);
        assert_eq!(lists.len(), CONFIG.len() + AROUND.len() + REFUSED.len(), "a field stands in two lists");
        assert_eq!(known.difference(&lists).collect::<Vec<_>>(), NONE, "fields that nobody has decided about");
        assert_eq!(lists.difference(&known).collect::<Vec<_>>(), NONE, "fields that no release has");
        for (list, weight) in [(CONFIG, Weight::Implemented), (AROUND, Weight::Nothing), (REFUSED, Weight::Decides)] {
            assert!(list.iter().all(|name| Weight::of_config(name) == weight));
        }
    }

    #[test]
    fn somebody_has_looked_at_every_argument_of_the_trainer() {
        let known = fields("trl", &["trl.trainer.dpo_trainer.DPOTrainer"]);
        let refused = [
            "model_adapter_name",
            "model_init",
            "optimizer_cls_and_kwargs",
            "optimizers",
            "quantization_config",
            "ref_adapter_name",
            "reference_free",
        ];
        assert_eq!(known, names(&[TRAINER, &refused]));
        assert!(refused.iter().all(|name| Weight::of_trainer(name) == Weight::Decides));
    }

    #[test]
    fn what_is_followed_of_an_adapter_is_there() {
        let lora = ["peft.tuners.lora.LoraConfig", "peft.tuners.lora.config.LoraConfig"];
        let mut known = fields("peft", &lora);
        known.extend(fields("peft", &["peft.config.PeftConfig", "peft.config.PeftConfigMixin"]));
        assert_eq!(names(&[ADAPTER]).difference(&known).collect::<Vec<_>>(), NONE);
        for name in ["init_lora_weights", "layers_to_transform", "megatron_config", "of_a_new_release"] {
            assert_eq!(Weight::of_adapter(name), Weight::Decides, "{name}");
        }
    }
}
