//! What settings are called in TRL, PEFT and transformers, and which of them decide losses.

use crate::runner::{LossKind, Schedule};

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

const CONFIG: &[&str] = &[
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "beta",
    "bf16",
    "data_seed",
    "disable_dropout",
    "discopop_tau",
    "f_alpha_divergence_coef",
    "f_divergence_type",
    "fp16",
    "gradient_accumulation_steps",
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
    "num_train_epochs",
    "optim",
    "per_device_train_batch_size",
    "precompute_ref_log_probs",
    "ref_model_mixup_alpha",
    "ref_model_sync_steps",
    "rpo_alpha",
    "seed",
    "sync_ref_model",
    "train_sampling_strategy",
    "truncation_mode",
    "use_logits_to_keep",
    "use_weighting",
    "warmup_ratio",
    "warmup_steps",
    "weight_decay",
];

/// Beginnings of names of settings that decide nothing about losses.
const AROUND: &[&str] = &[
    "auto_find_batch_size",
    "average_tokens",
    "dataloader_num",
    "dataloader_persistent",
    "dataloader_pin",
    "dataloader_prefetch",
    "dataset_num_proc",
    "ddp_",
    "debug",
    "deepspeed",
    "disable_tqdm",
    "do_",
    "eval_",
    "evaluation_",
    "force_use_ref_model",
    "fsdp",
    "full_determinism",
    "generate_during_eval",
    "gradient_checkpointing",
    "greater_is_better",
    "hub_",
    "include_",
    "is_encoder_decoder",
    "label_names",
    "label_pad_token_id",
    "load_best_model_at_end",
    "local_rank",
    "log_",
    "logging_",
    "metric_for_best_model",
    "model_init_kwargs",
    "no_cuda",
    "output_dir",
    "overwrite_output_dir",
    "pad_token",
    "padding_free",
    "padding_value",
    "per_device_eval_batch_size",
    "precompute_ref_batch_size",
    "prediction_loss_only",
    "push_to_hub",
    "ref_model_init_kwargs",
    "remove_unused_columns",
    "report_to",
    "restore_callback",
    "resume_from_checkpoint",
    "run_name",
    "save_",
    "skip_memory_metrics",
    "tf32",
    "torch_compile",
    "torch_empty_cache",
    "trackio",
    "use_cpu",
    "use_liger",
    "use_num_logits_to_keep",
    "activation_offloading",
    "accelerator_config",
    "half_precision_backend",
    "liger_kernel_config",
    "project",
    "tpu_",
    "use_mps",
    "use_ipex",
    "fp16_opt_level",
    "bf16_full_eval",
    "fp16_full_eval",
];

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

/// How a model configuration of TRL calls what it hands on to the adapter's.
const FROM_MODEL: &[(&str, &str)] = &[
    ("r", "lora_r"),
    ("target_modules", "lora_target_modules"),
    ("modules_to_save", "lora_modules_to_save"),
    ("task_type", "lora_task_type"),
];

/// Fields of a model configuration that decide what is trained, and that the runner has not.
const DECIDING_OF_MODEL: &[&str] = &["lora_target_parameters"];

impl Weight {
    /// Of a field of the trainer's configuration.
    pub fn of_config(name: &str) -> Self {
        match name {
            _ if CONFIG.contains(&name) => Self::Implemented,
            _ if AROUND.iter().any(|start| name.starts_with(start)) => Self::Nothing,
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

/// The name of an adapter's field in a model configuration of TRL.
pub(super) fn adapter_field(name: &str, from_model: bool) -> &str {
    let own = FROM_MODEL.iter().find(|(field, _)| *field == name && from_model);
    own.map_or(name, |(_, own)| own)
}

/// A loss by its name.
pub(super) fn loss(name: &str) -> Option<LossKind> {
    Some(match name {
        "sigmoid" => LossKind::Sigmoid,
        "hinge" => LossKind::Hinge,
        "ipo" => LossKind::Ipo,
        "sigmoid_norm" => LossKind::SigmoidNorm,
        "exo_pair" => LossKind::ExoPair,
        "nca_pair" => LossKind::NcaPair,
        "robust" => LossKind::Robust,
        "bco_pair" => LossKind::BcoPair,
        "sppo_hard" => LossKind::SppoHard,
        "aot" => LossKind::Aot,
        "aot_pair" | "aot_unpaired" => LossKind::AotUnpaired,
        "apo_zero" => LossKind::ApoZero,
        "apo_down" => LossKind::ApoDown,
        "discopop" => LossKind::Discopop,
        "sft" => LossKind::Sft,
        _ => return None,
    })
}

/// Whether an optimizer computes what torch's `AdamW` computes.
pub(super) fn is_adamw(name: &str) -> bool {
    matches!(name, "adamw_torch" | "adamw_torch_fused" | "paged_adamw" | "paged_adamw_32bit")
}

/// The arguments of a schedule that are implemented.
pub(super) fn schedule_arguments(name: &str) -> &'static [&'static str] {
    match name {
        "cosine" | "cosine_with_restarts" => &["num_cycles"],
        "polynomial" => &["lr_end", "power"],
        "inverse_sqrt" => &["timescale"],
        "cosine_with_min_lr" => &["num_cycles", "min_lr", "min_lr_rate"],
        "warmup_stable_decay" => &["num_decay_steps", "min_lr_ratio"],
        _ => &[],
    }
}

/// A schedule by its name, with its arguments and the defaults that transformers has for them.
pub(super) fn schedule(name: &str, arguments: &[(String, f64)], rate: f64) -> Option<Schedule> {
    let given = |wanted: &str| arguments.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let or = |wanted: &str, default: f64| given(wanted).unwrap_or(default);
    Some(match name {
        "linear" => Schedule::Linear,
        "constant" => Schedule::Constant,
        "constant_with_warmup" => Schedule::ConstantWithWarmup,
        "cosine" => Schedule::Cosine(or("num_cycles", 0.5)),
        "cosine_with_restarts" => Schedule::CosineWithRestarts(or("num_cycles", 1.0)),
        "polynomial" => Schedule::Polynomial(or("lr_end", 1e-7), or("power", 1.0)),
        "inverse_sqrt" => Schedule::InverseSqrt(or("timescale", 10_000.0)),
        "cosine_with_min_lr" => {
            let lowest = given("min_lr_rate").or_else(|| given("min_lr").map(|lowest| lowest / rate))?;
            Schedule::CosineWithMinLr(or("num_cycles", 0.5), lowest)
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of steps")]
        "warmup_stable_decay" => {
            Schedule::WarmupStableDecay(given("num_decay_steps")? as usize, or("min_lr_ratio", 0.0))
        }
        _ => return None,
    })
}
