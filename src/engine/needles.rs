//! Which files are worth parsing, told from their bytes alone: one pass for the words that every relevant file holds.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// A script without any of these says nothing about a library the tool knows. Modules of the project that a relevant
/// script imports are read on demand, so they need no needle of their own.
const SCRIPT: &[&str] = &[
    "trl",
    "peft",
    "transformers",
    "accelerate",
    "deepspeed",
    "unsloth",
    "axolotl",
    "llamafactory",
    "llmtuner",
    "swift",
    "openrlhf",
    "Trainer",
    "dpo-lint:",
];

/// Argument files may name no library at all; these are the words without which none was seen to configure a training.
const CONFIG: &[&str] = &[
    "trl",
    "peft",
    "lora",
    "model",
    "train",
    "learning_rate",
    "batch_size",
    "optim",
    "deepspeed",
    "distributed_type",
    "zero",
    "bf16",
    "fp16",
    "dataset",
    "beta",
    "loss",
    "dependencies",
    "pip",
    "dpo",
    "dpo-lint:",
];

static SCRIPT_WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(SCRIPT).ok());
static CONFIG_WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(CONFIG).ok());
static US: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(["dpo-lint:"]).ok());

/// Whether a Python file or notebook may be relevant.
pub(super) fn in_script(bytes: &[u8]) -> bool {
    SCRIPT_WORDS.as_ref().is_none_or(|words| words.is_match(bytes))
}

/// Whether a data or shell file may be relevant.
pub(super) fn in_config(bytes: &[u8]) -> bool {
    CONFIG_WORDS.as_ref().is_none_or(|words| words.is_match(bytes))
}

/// Whether a file speaks to this tool.
pub(super) fn mentions_us(bytes: &[u8]) -> bool {
    US.as_ref().is_none_or(|words| words.is_match(bytes))
}
