//! What settings are called in TRL, PEFT and transformers.

use crate::runner::{LossKind, Schedule};

/// How a model configuration of TRL calls what it hands on to the adapter's.
const FROM_MODEL: &[(&str, &str)] = &[
    ("r", "lora_r"),
    ("target_modules", "lora_target_modules"),
    ("modules_to_save", "lora_modules_to_save"),
    ("task_type", "lora_task_type"),
];

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
