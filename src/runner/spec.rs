//! What a run is, with every setting decided.

use std::path::PathBuf;

/// Everything that decides the losses of a run, apart from the model and the data.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct RunSpec {
    /// How the release in effect tokenises, truncates and computes losses.
    pub era: Era,
    /// Strength of the pull towards the reference.
    pub beta: f64,
    /// The losses that are added up, each with its weight. Never empty.
    pub losses: Vec<(LossKind, f64)>,
    /// `rpo_alpha`: what the likelihood of preferred answers counts beside the losses.
    pub likelihood: Option<Likelihood>,
    /// Whether tokens with the number 0 are left out where the likelihood of answers is a loss.
    pub skips_zeros: bool,
    /// `f_divergence_type`.
    pub divergence: Divergence,
    /// `label_smoothing`.
    pub label_smoothing: f64,
    /// `ld_alpha`: the weight of tokens beyond the shorter of the two answers.
    pub ld_alpha: Option<f64>,
    /// `use_weighting`: pairs weigh what the policy would give them (WPO).
    pub weighting: Option<Weighting>,
    /// `use_logits_to_keep`, from which older releases count the places of tokens for `ld_alpha`.
    pub keeps_logits: bool,
    /// `discopop_tau`.
    pub discopop_tau: f64,
    /// What the policy is compared with.
    pub reference: Reference,
    /// The adapter; `None` trains the whole model.
    pub lora: Option<LoraSpec>,
    /// Whether the release in effect takes an adapter on the output layer.
    pub takes_head_adapter: bool,
    /// Whether the model drops numbers at random where its own configuration says so, for want of `disable_dropout`.
    pub drops: bool,
    /// Most tokens of a prompt with an answer.
    pub max_length: Option<usize>,
    /// Most tokens of a prompt, in eras that have the argument.
    pub max_prompt_length: Option<usize>,
    /// Most tokens of an answer, in eras that have the argument.
    pub max_completion_length: Option<usize>,
    /// Which end is cut.
    pub truncation: Truncation,
    /// What the release in effect does otherwise than those after it.
    pub quirks: Quirks,
    /// Whether rows are dropped whose prompt leaves no room for an answer.
    pub drops_full_prompts: bool,
    /// Pairs in a forward pass.
    pub batch_size: usize,
    /// Forward passes in a step of the optimizer.
    pub accumulation: usize,
    /// What happens to a step of the optimizer at the end of a pass over the rows.
    pub accumulation_end: AccumulationEnd,
    /// The optimizer.
    pub optimizer: OptimizerSpec,
    /// Steps of the optimizer of the whole run, which the schedule is stretched over; the runner may stop earlier.
    pub total_steps: usize,
    /// `seed`: of the adapter's first values and of everything drawn.
    pub seed: u64,
    /// `data_seed`, the seed of the order of the rows where it is not `seed`.
    pub data_seed: Option<u64>,
    /// Whether rows come in a random order.
    pub shuffle: bool,
}

/// What a run has that sets nothing.
impl Default for RunSpec {
    fn default() -> Self {
        Self {
            era: Era::CommonPrefix,
            beta: 0.1,
            losses: vec![(LossKind::Sigmoid, 1.0)],
            likelihood: None,
            skips_zeros: false,
            divergence: Divergence::ReverseKl,
            label_smoothing: 0.0,
            ld_alpha: None,
            weighting: None,
            keeps_logits: false,
            discopop_tau: 0.05,
            reference: Reference::AdapterOff,
            lora: None,
            takes_head_adapter: true,
            drops: false,
            max_length: None,
            max_prompt_length: None,
            max_completion_length: None,
            truncation: Truncation::KeepStart,
            quirks: Quirks::default(),
            drops_full_prompts: false,
            batch_size: 8,
            accumulation: 1,
            accumulation_end: AccumulationEnd::Whole,
            optimizer: OptimizerSpec {
                learning_rate: 1e-6,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                weight_decay: 0.0,
                max_grad_norm: 1.0,
                schedule: Schedule::Linear,
                warmup_steps: 0,
            },
            total_steps: 10,
            seed: 42,
            data_seed: None,
            shuffle: true,
        }
    }
}

/// What single releases do with tokens and losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Quirks {
    /// Prompt and answers are tokenised apart, and nothing marks the beginning.
    pub tokenises_parts: bool,
    /// A tokenizer without a token for the beginning makes training fail.
    pub needs_start: bool,
    /// Where the last token of a prompt merges with the answer, the merged one belongs to the answer, and not to neither.
    pub keeps_merged: bool,
    /// Tokens for the begin and the end are added even where they are there.
    pub repeats_marks: bool,
    /// The longest sequences of a batch lose their last token, unless the longest prompt has the longest answer.
    pub cuts_last: bool,
    /// What becomes of the gradients of the batches of a step.
    pub gradients: Accumulated,
    /// Losses of the batches of a step are added up in the log, and their mean is not taken.
    pub adds_losses: bool,
}

/// What becomes of gradients that are accumulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Accumulated {
    /// Their mean counts.
    #[default]
    Mean,
    /// Their sum counts.
    Sum,
    /// Their mean is divided by `gradient_accumulation_steps` again.
    DividedTwice,
}

/// What a TRL release does with rows and losses; four ways are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Era {
    /// Prompt and answer are tokenised together, the prompt is cut first.
    Collator,
    /// Prompt and answer are tokenised apart; both have lengths of their own.
    Separate,
    /// Prompt and prompt with answer are tokenised; only `max_length` is left.
    Together,
    /// As before, cut at the common prefix; rows whose prompt fills `max_length` are dropped.
    CommonPrefix,
}

/// What becomes of a step of the optimizer where a pass over the rows ends before all of its batches are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccumulationEnd {
    /// It goes on in the next pass.
    InNextPass,
    /// It is made of fewer batches, each of which counts as in a full step.
    Part,
    /// It is made of fewer batches, which count more.
    Whole,
}

/// A loss by its name in TRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LossKind {
    /// `sigmoid`.
    Sigmoid,
    /// `hinge`.
    Hinge,
    /// `ipo`.
    Ipo,
    /// `sigmoid_norm`.
    SigmoidNorm,
    /// `exo_pair`.
    ExoPair,
    /// `nca_pair`.
    NcaPair,
    /// `robust`.
    Robust,
    /// `bco_pair`.
    BcoPair,
    /// `sppo_hard`.
    SppoHard,
    /// `aot`.
    Aot,
    /// `aot_unpaired`, which older releases call `aot_pair`.
    AotUnpaired,
    /// `apo_zero`.
    ApoZero,
    /// `apo_down`.
    ApoDown,
    /// `discopop`.
    Discopop,
    /// `sft`.
    Sft,
}

/// The negative log-likelihood of preferred answers, added to the losses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likelihood {
    /// What it counts.
    pub weight: f64,
    /// What the losses count.
    pub losses: f64,
    /// Whether every answer counts as much as any other, and not every token.
    pub of_answers: bool,
}

/// What a release weighs pairs by, with `use_weighting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighting {
    /// Every token by its own log-probability and the sum of squared probabilities at its place.
    Aligned,
    /// Log-probabilities stand one place further than the sums: the last token of an answer does not count.
    Shifted,
}

/// `f_divergence_type`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Divergence {
    /// `reverse_kl`.
    ReverseKl,
    /// `forward_kl`.
    ForwardKl,
    /// `js_divergence`.
    JensenShannon,
    /// `alpha_divergence`, with its coefficient.
    Alpha(f64),
}

/// What the policy is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Reference {
    /// The model with its adapter off.
    AdapterOff,
    /// A frozen copy of the adapter as it was at the start.
    CopiedAdapter,
    /// A frozen copy of the model as it was at the start.
    Copy,
    /// Another model, of this folder.
    Model(PathBuf),
    /// Any of them, with the log-probabilities computed before training.
    Precomputed(Box<Reference>),
    /// A copy that follows the policy: every `steps` it becomes `alpha * policy + (1 - alpha) * reference`.
    Synced {
        /// `ref_model_mixup_alpha`.
        alpha: f64,
        /// `ref_model_sync_steps`.
        steps: usize,
    },
}

/// A `LoRA` adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraSpec {
    /// `r`.
    pub rank: usize,
    /// `lora_alpha`.
    pub alpha: f64,
    /// `lora_dropout`.
    pub dropout: f64,
    /// `target_modules`.
    pub targets: Targets,
    /// `use_rslora`.
    pub rslora: bool,
    /// `use_dora`.
    pub dora: bool,
    /// `modules_to_save`.
    pub modules_to_save: Vec<String>,
    /// `bias`.
    pub bias: BiasTraining,
    /// `rank_pattern`: regular expressions for ends of paths, with the rank of the modules that they name.
    pub rank_pattern: Vec<(String, usize)>,
    /// `alpha_pattern`, the same for `lora_alpha`.
    pub alpha_pattern: Vec<(String, f64)>,
}

/// What PEFT has where nothing is set.
impl Default for LoraSpec {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 8.0,
            dropout: 0.0,
            targets: Targets::Default,
            rslora: false,
            dora: false,
            modules_to_save: Vec::new(),
            bias: BiasTraining::None,
            rank_pattern: Vec::new(),
            alpha_pattern: Vec::new(),
        }
    }
}

/// `target_modules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Targets {
    /// What PEFT chooses for the architecture.
    Default,
    /// `all-linear`.
    AllLinear,
    /// Names, each the end of a module's path.
    Names(Vec<String>),
    /// A regular expression over the whole path.
    Regex(String),
}

/// `bias` of a `LoraConfig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BiasTraining {
    /// `none`.
    None,
    /// `all`.
    All,
    /// `lora_only`.
    LoraOnly,
}

/// Which end of a sequence that is too long is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncation {
    /// `keep_start`.
    KeepStart,
    /// `keep_end`, each sequence for itself.
    KeepEnd,
    /// `keep_end` of a batch that is padded on the right: where its longest sequence is too long, all lose as many tokens at
    /// their start.
    KeepEndOfBatch,
}

/// `AdamW` as torch computes it.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerSpec {
    /// `learning_rate`.
    pub learning_rate: f64,
    /// `adam_beta1`.
    pub beta1: f64,
    /// `adam_beta2`.
    pub beta2: f64,
    /// `adam_epsilon`.
    pub epsilon: f64,
    /// `weight_decay`.
    pub weight_decay: f64,
    /// `max_grad_norm`; 0 clips nothing.
    pub max_grad_norm: f64,
    /// `lr_scheduler_type`.
    pub schedule: Schedule,
    /// Steps of warm-up.
    pub warmup_steps: usize,
}

/// `lr_scheduler_type`, those that are a formula.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// `linear`.
    Linear,
    /// `constant`.
    Constant,
    /// `constant_with_warmup`.
    ConstantWithWarmup,
    /// `cosine`, with `num_cycles`.
    Cosine(f64),
    /// `cosine_with_restarts`, with `num_cycles`.
    CosineWithRestarts(f64),
    /// `polynomial`, with `lr_end` and `power`.
    Polynomial(f64, f64),
    /// `inverse_sqrt`, with `timescale`.
    InverseSqrt(f64),
    /// `cosine_with_min_lr`, with `num_cycles` and the lowest rate as a share of the highest.
    CosineWithMinLr(f64, f64),
    /// `warmup_stable_decay`, with `num_decay_steps` and the lowest rate as a share of the highest.
    WarmupStableDecay(usize, f64),
}

/// A row after tokenisation: a prompt and its two answers, as token identifiers without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The prompt.
    pub prompt: Vec<u32>,
    /// The answer that is preferred.
    pub chosen: Vec<u32>,
    /// The other.
    pub rejected: Vec<u32>,
    /// The prompt of the other, where it was not cut as that of the first one was.
    pub rejected_prompt: Option<Vec<u32>>,
}
