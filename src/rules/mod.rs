//! One file per rule. A rule reads what the lowering layer found and what is known of the libraries, and says what is wrong.

mod adapter_config_newer;
mod adapter_reference_drift;
#[cfg(test)]
mod adapter_tests;
mod argparse_type_bool;
mod ask;
mod best_model_strategy_mismatch;
mod bind;
mod broken_line_continuation;
mod checkpointing;
mod config_for_wrong_subcommand;
mod configured;
#[cfg(test)]
mod configured_tests;
mod constructor_raises;
mod custom_adapter_name;
mod data_columns;
mod data_files;
mod dataset_not_registered;
mod ddp_reentrant_checkpointing;
mod declare;
mod deepspeed_value_mismatch;
mod deepspeed_without_launcher;
mod deprecated_argument;
mod device_map;
mod device_map_auto_distributed;
mod duplicate_key;
mod eval_without_eval_dataset;
#[cfg(test)]
mod examples;
mod failures;
#[cfg(test)]
mod failures_tests;
mod flash_attention_in_float32;
mod force_use_ref_model;
mod fp16_and_bf16;
mod fp16_with_fp16_weights;
mod framework;
mod framework_caps_library;
mod framework_data;
mod framework_dataset_type;
#[cfg(test)]
mod framework_program_tests;
#[cfg(test)]
mod framework_tests;
mod fresh_install_breaks;
mod from_pretrained_argument;
mod fsdp_quantized_storage;
mod given_model;
#[cfg(test)]
mod given_model_tests;
mod grpo_generation_divisibility;
mod guards;
#[cfg(test)]
mod hydra_tests;
mod import_missing;
mod import_moved;
mod incompatible_pins;
mod invalid_choice;
mod invalid_config_value;
mod key_beside_deepspeed_file;
mod later;
mod launched;
#[cfg(test)]
mod launched_tests;
mod lora_on_lm_head;
mod lower_bound_too_low;
mod memory;
mod migration;
mod misfit;
mod misfit_settings;
#[cfg(test)]
mod misfit_tests;
mod missing_file;
#[cfg(test)]
mod missing_file_tests;
mod missing_preference_column;
mod moved_argument;
mod nested;
mod no_train_dataset;
mod no_working_release;
mod older_configuration;
mod option;
mod outcome;
mod override_signature;
pub mod page;
#[cfg(test)]
mod parsed_tests;
mod peft_adapter_not_trainable;
mod peft_config_is_dict;
mod peft_model_with_peft_config;
mod pins_disagree;
#[cfg(test)]
mod places_tests;
mod precision_mismatch;
mod process_count_mismatch;
mod prompt_fills_length;
mod python_too_old;
mod quantized_on_one_device;
mod quantized_without_adapter;
#[cfg(test)]
mod quiet_tests;
mod raised;
mod redundant_reference_model;
mod ref_model_is_model;
mod ref_model_with_peft_config;
mod reference;
mod reference_settings;
#[cfg(test)]
mod reference_tests;
mod refused_configuration;
mod refused_when_sharded;
mod refused_words;
mod remedy;
mod removed_argument;
mod removed_method;
mod renamed_argument;
mod report;
mod reward_model_labels;
mod rewritten;
mod runs;
mod said;
#[cfg(test)]
mod settings_tests;
mod settled;
#[cfg(test)]
mod settled_tests;
mod several_devices_without_launcher;
mod stray_options;
mod sync_ref_model_with_peft;
mod target_modules_typo;
#[cfg(test)]
mod testing;
mod touched;
mod training_arguments;
mod tree;
#[cfg(test)]
mod tree_tests;
mod unfit_label_smoothing;
mod unknown_argument;
mod unknown_config_key;
mod unpinned_critical_dependency;
mod untrained_adapter;
mod unused_reference_model;
mod versions;
mod yaml_float_is_string;
mod yanked_release;
mod zero3_checkpointing;
mod zero3_with_device_map;

pub use ask::Call;
#[cfg(feature = "runner")]
pub use launched::processes;
pub use migration::{Before, Drift, changed_references, drifts, reordered};
pub use report::{join, without_consequences};

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::diagnostic::{Diagnostic, Severity};
use crate::knowledge::Knowledge;
use crate::lower::{Analysis, Request, Script};
use crate::model::LibraryCall;
use crate::source::{FileSystem, Sources};

/// What is said about a rule before it runs.
#[derive(Debug)]
pub struct RuleMeta {
    /// Names the problem: `ref-model-with-peft-config`.
    pub name: &'static str,
    /// Short code: `DPL001`.
    pub code: &'static str,
    /// One sentence, no full stop.
    pub summary: &'static str,
    /// The worst severity it reports.
    pub severity: Severity,
    /// Former names; they stay valid for ever.
    pub aliases: &'static [&'static str],
    /// Rules whose fixes may leave this finding behind, to be mended in the next round.
    pub left_by: &'static [&'static str],
    /// Whether it runs only where it is selected: what it reports is no mistake everywhere.
    pub is_opt_in: bool,
    /// The rule's page in Markdown: What it does, Why it matters, Example, Fix safety, Versions, References.
    pub page: &'static str,
}

/// A rule. It implements the question it asks: about a script as a whole, or about each construction of a trainer.
pub trait Rule: Sync {
    /// Its description.
    fn meta(&self) -> &'static RuleMeta;

    /// Whether [`Self::check_any_call`] has a say about what a parser constructs, too.
    fn judges_parsed(&self) -> bool {
        false
    }

    /// Adds what it finds in files that belong to no script.
    fn check_project(&self, _analysis: &Analysis, _context: &Context<'_>, _found: &mut Vec<Diagnostic>) {}

    /// Adds what it finds in a script.
    fn check_script(
        &self,
        _analysis: &Analysis,
        _script: &Script,
        _context: &Context<'_>,
        _found: &mut Vec<Diagnostic>,
    ) {
    }

    /// Adds what it finds about one construction of a trainer.
    fn check_call(&self, _analysis: &Analysis, _call: &Call<'_>, _found: &mut Vec<Diagnostic>) {}

    /// Adds what it finds about one call of a library, a trainer or not, in the releases of one package.
    fn check_any_call(&self, _analysis: &Analysis, _call: &Call<'_>, _found: &mut Vec<Diagnostic>) {}
}

/// Every rule, by code.
pub fn all() -> &'static [&'static dyn Rule] {
    &[
        &ref_model_with_peft_config::RefModelWithPeftConfig,
        &ref_model_is_model::RefModelIsModel,
        &peft_model_with_peft_config::PeftModelWithPeftConfig,
        &peft_adapter_not_trainable::PeftAdapterNotTrainable,
        &sync_ref_model_with_peft::SyncRefModelWithPeft,
        &lora_on_lm_head::LoraOnLmHead,
        &target_modules_typo::TargetModulesTypo,
        &custom_adapter_name::CustomAdapterName,
        &adapter_config_newer::AdapterConfigNewerThanPeft,
        &quantized_without_adapter::QuantizedWithoutAdapter,
        &redundant_reference_model::RedundantReferenceModel,
        &force_use_ref_model::ForceUseRefModel,
        &adapter_reference_drift::AdapterReferenceDrift,
        &peft_config_is_dict::PeftConfigIsDict,
        &unused_reference_model::UnusedReferenceModel,
        &unknown_argument::UnknownArgument,
        &renamed_argument::RenamedArgument,
        &moved_argument::MovedArgument,
        &training_arguments::TrainingArgumentsForTrlTrainer,
        &unknown_config_key::UnknownConfigKey,
        &removed_argument::RemovedArgument,
        &import_missing::ImportMissing,
        &import_moved::ImportMoved,
        &constructor_raises::ConstructorRaises,
        &from_pretrained_argument::FromPretrainedArgument,
        &deprecated_argument::DeprecatedArgument,
        &override_signature::OverrideSignature,
        &removed_method::RemovedMethod,
        &incompatible_pins::IncompatiblePins,
        &unpinned_critical_dependency::UnpinnedCriticalDependency,
        &pins_disagree::PinsDisagree,
        &framework_caps_library::FrameworkCapsLibrary,
        &python_too_old::PythonTooOld,
        &lower_bound_too_low::LowerBoundTooLow,
        &yanked_release::YankedRelease,
        &no_working_release::NoWorkingRelease,
        &fresh_install_breaks::FreshInstallBreaks,
        &fp16_and_bf16::Fp16AndBf16,
        &fp16_with_fp16_weights::Fp16WithFp16Weights,
        &precision_mismatch::PrecisionMismatch,
        &flash_attention_in_float32::FlashAttentionInFloat32,
        &fsdp_quantized_storage::FsdpQuantizedStorage,
        &quantized_on_one_device::QuantizedOnOneDevice,
        &zero3_with_device_map::Zero3WithDeviceMap,
        &device_map_auto_distributed::DeviceMapAutoDistributed,
        &deepspeed_value_mismatch::DeepspeedValueMismatch,
        &zero3_checkpointing::Zero3Checkpointing,
        &ddp_reentrant_checkpointing::DdpReentrantCheckpointing,
        &untrained_adapter::UntrainedAdapter,
        &several_devices_without_launcher::SeveralDevicesWithoutLauncher,
        &process_count_mismatch::ProcessCountMismatch,
        &key_beside_deepspeed_file::KeyBesideDeepspeedFile,
        &deepspeed_without_launcher::DeepspeedWithoutLauncher,
        &best_model_strategy_mismatch::BestModelStrategyMismatch,
        &eval_without_eval_dataset::EvalWithoutEvalDataset,
        &refused_when_sharded::RefusedWhenSharded,
        &refused_configuration::RefusedConfiguration,
        &no_train_dataset::NoTrainDataset,
        &missing_preference_column::MissingPreferenceColumn,
        &prompt_fills_length::PromptFillsLength,
        &framework_dataset_type::FrameworkDatasetType,
        &invalid_choice::InvalidChoice,
        &unfit_label_smoothing::UnfitLabelSmoothing,
        &grpo_generation_divisibility::GrpoGenerationDivisibility,
        &reward_model_labels::RewardModelLabels,
        &yaml_float_is_string::YamlFloatIsString,
        &argparse_type_bool::ArgparseTypeBool,
        &config_for_wrong_subcommand::ConfigForWrongSubcommand,
        &duplicate_key::DuplicateKey,
        &broken_line_continuation::BrokenLineContinuation,
        &missing_file::MissingFile,
        &dataset_not_registered::DatasetNotRegistered,
        &invalid_config_value::InvalidConfigValue,
    ]
}

/// What rules may look at beside the analysis.
pub struct Context<'a> {
    /// What is known of the libraries.
    pub knowledge: &'a Knowledge,
    /// The files, of which rules rewrite declarations.
    pub sources: &'a Sources,
    /// The disk, for files that a project names and that are not among those which were read.
    pub disk: &'a dyn FileSystem,
    /// Every file of the project that may matter, sorted.
    pub files: &'a [PathBuf],
    /// Sets of releases that cannot be imported, found once for all rules about them.
    failures: OnceLock<Vec<failures::Failure>>,
}

impl<'a> Context<'a> {
    /// A context in which nothing was asked yet, for what is found in the files of a request.
    pub fn new(request: &Request<'a>) -> Self {
        let Request { knowledge, sources, file_system, files, .. } = *request;
        Self { knowledge, sources, disk: file_system, files, failures: OnceLock::new() }
    }
}

/// The calls that rules may judge.
pub fn judged<'a>(analysis: &'a Analysis, context: &Context<'a>) -> Vec<&'a LibraryCall> {
    // A call in a `try` that catches what a wrong call raises is a human's own guard.
    let is_guard = |name: &str| matches!(name, "TypeError" | "ValueError" | "Exception" | "*");
    // So is what its handler does instead, and what that of a failing import does.
    let is_import = |name: &str| matches!(name, "ImportError" | "ModuleNotFoundError");
    let is_guarded = |call: &&LibraryCall| {
        let handling = &call.call().handling;
        call.call().caught.iter().any(|name| is_guard(name))
            || handling.iter().any(|name| is_guard(name) || is_import(name))
    };
    let calls = analysis.calls.iter().chain(&analysis.parsed).filter(|call| !is_guarded(call));
    let mut calls: Vec<&LibraryCall> = calls.filter(|call| !is_patched(call, context.knowledge)).collect();
    // Those that take longest come first, or the threads would wait for the last of them.
    calls.sort_by_key(|call| !call.trains);
    calls
}

/// These calls, ready to be asked about.
pub fn calls<'a>(analysis: &'a Analysis, context: &Context<'a>) -> Vec<Call<'a>> {
    judged(analysis, context).into_iter().flat_map(|call| Call::about_each(call, context)).collect()
}

/// What one rule finds about files and scripts, each as a whole.
pub fn check_files(rule: &dyn Rule, analysis: &Analysis, context: &Context<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    rule.check_project(analysis, context, &mut found);
    for script in &analysis.scripts {
        rule.check_script(analysis, script, context, &mut found);
    }
    found
}

/// What one rule finds about calls.
pub fn check_calls(rule: &dyn Rule, analysis: &Analysis, calls: &[Call<'_>]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for call in calls.iter().filter(|call| call.run.parsed.is_none() || rule.judges_parsed()) {
        let first = found.len();
        rule.check_any_call(analysis, call, &mut found);
        if call.run.trains && call.is_about_callee() {
            rule.check_call(analysis, call, &mut found);
        }
        found[first..].iter_mut().for_each(|finding| report::label_call(analysis, call, finding));
    }
    found
}

/// Whether the script imports something that replaces the callee's package with its own version of it.
fn is_patched(run: &LibraryCall, knowledge: &Knowledge) -> bool {
    let package = run.call().object.callee.split('.').next().unwrap_or_default();
    let tops = run.trace.imports.iter().map(|import| import.module.split('.').next().unwrap_or_default());
    tops.into_iter().any(|top| knowledge.curated().patches(top, package))
}
