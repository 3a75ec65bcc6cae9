//! Which files are worth parsing, told from their bytes alone: one pass for the words that every relevant file holds.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

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
    "xtuner",
    "read_base",
    "Trainer",
    "dpo-lint:",
];

/// Argument files may name no library at all; these are the words without which none was seen to configure a training.
const CONFIG: &[&str] = &[
    "trl",
    "peft",
    "transformers",
    "accelerate",
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
    "llamafactory",
    "axolotl",
    "swift",
    "openrlhf",
    "torchtune",
    "xtuner",
    "oumi",
    "dpo-lint:",
];

static SCRIPT_WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| searcher(SCRIPT));
static CONFIG_WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| searcher(CONFIG));
static US: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| searcher(&["dpo-lint:"]));

/// `None` if there are too many words, which no test would let through. Only leftmost searches are vectorised, which
/// takes a third of the time on a tree of 20,000 files; the full automaton takes longer to build than it saves on most projects.
fn searcher(words: &[&str]) -> Option<AhoCorasick> {
    let kind = Some(AhoCorasickKind::ContiguousNFA);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).kind(kind).build(words).ok()
}

/// Builds the automata, so that they are there when the first file is read.
pub(super) fn prepare() {
    for words in [&SCRIPT_WORDS, &CONFIG_WORDS, &US] {
        LazyLock::force(words);
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_what_is_worth_parsing() {
        for (text, script, config) in [
            ("", false, false),
            ("import torch\n", false, false),
            ("from trl import DPOTrainer\n", true, true),
            ("x = 1  # dpo-lint: ignore\n", true, true),
            ("class T(Trainer): pass\n", true, false),
            ("transformers==4.53.1\n", true, true),
            ("accelerate<1\n", true, true),
            ("learning_rate: 1.0e-6\n", false, true),
            ("name: docs\n", false, false),
        ] {
            assert_eq!((in_script(text.as_bytes()), in_config(text.as_bytes())), (script, config), "{text}");
        }
        assert!(mentions_us(b"# dpo-lint: ignore") && !mentions_us(b"# dpo-lint"));
    }
}
