//! What becomes of the runs that programs start: `runs` in `schemas/consumers.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Package;

/// How the runs that some programs start go with `DeepSpeed`, several processes and checkpointing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runs {
    /// The programs.
    pub(super) of: Vec<String>,
    /// Words for a configuration of `DeepSpeed` that the program brings itself, each with its stage.
    #[serde(default)]
    pub stages: BTreeMap<String, i64>,
    /// When an adapter is trained, as an expression over the keys.
    pub adapter: String,
    /// When gradient checkpointing is on, by release.
    pub checkpointing: Vec<Case>,
    /// The key that says whether checkpointing is reentrant, or whose `use_reentrant` does.
    pub reentrant: String,
    /// The key that goes to `from_pretrained`, whatever places the model.
    #[serde(default)]
    pub device_map: Option<String>,
    /// The environment variable that says how many processes the program starts on each machine.
    #[serde(default)]
    pub processes: Option<String>,
    /// What makes the program start processes where there is one device.
    #[serde(default)]
    pub forced: Option<Forced>,
    /// Names of the trainer's settings that are others in the program.
    #[serde(default)]
    pub called: BTreeMap<String, String>,
    /// When checkpointing is reentrant though nothing says so.
    #[serde(default)]
    pub reentrant_by_default: Vec<Case>,
    /// When the processes look for unused parameters in each step.
    #[serde(default)]
    pub finds_unused: Vec<Case>,
    /// When the generations of a prompt are compared, so that a batch must hold whole groups of them.
    #[serde(default)]
    pub groups: Option<Case>,
    /// Whether it says the precision to accelerate itself, whatever `accelerate launch` was told.
    #[serde(default)]
    pub overwrites_precision: bool,
    /// When it trains weights in `float16` with a scaled loss.
    #[serde(default)]
    pub trains_half: Vec<Case>,
    /// When flash attention gets weights in `float32` without mixed precision; what it says where it does without flash attention instead.
    #[serde(default)]
    pub flash_in_single: Vec<Case>,
    /// When it reads data sets of preferred and rejected answers.
    #[serde(default)]
    pub pairs: Option<Case>,
    /// The columns of them that it reads, by the type of a data set.
    #[serde(default)]
    pub pair_types: BTreeMap<String, [String; 2]>,
    /// The column of rejected answers in data sets that a key names by file.
    #[serde(default)]
    pub rejected: Option<Rejected>,
    /// When each row must say by a column `label` whether its answer is wanted.
    #[serde(default)]
    pub labels: Option<Case>,
    /// What it refuses with stage 3 of `DeepSpeed`, by checks that are not mined since they ask a function.
    #[serde(default)]
    pub refused_with_stage3: Vec<Case>,
}

/// The column of rejected answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// Its usual name.
    pub column: String,
    /// How all names begin that it may have.
    pub begins: String,
    /// Keys that make columns of others, or name code that does.
    pub unless: Vec<String>,
}

/// Something that is so in some releases where a condition over the keys holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    #[serde(rename = "in", default)]
    releases: String,
    /// The condition, as an expression over the keys.
    pub when: String,
    /// What the program says then.
    #[serde(default)]
    pub says: String,
}

/// A program that starts a single process where there is one device, and refuses `DeepSpeed` then.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forced {
    #[serde(rename = "in")]
    releases: String,
    /// The environment variable that makes it start processes nonetheless.
    pub by: String,
    /// Environment variables with which it does something else.
    pub unless: Vec<String>,
}

impl Case {
    /// Whether it is about a release.
    pub fn is_in(&self, package: &Package, release: usize) -> bool {
        self.releases.is_empty() || package.releases_in(&self.releases).contains(release)
    }
}

impl Forced {
    /// Whether a release refuses that.
    pub fn is_in(&self, package: &Package, release: usize) -> bool {
        package.releases_in(&self.releases).contains(release)
    }
}
