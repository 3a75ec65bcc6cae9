//! The model that a script loads and gives to a trainer, where nothing else happens to it.

use super::ask::Call;
use super::settled::Settled;
use crate::eval::{CallEvent, Const, Value};
use crate::lower::{Analysis, Held, Options, Told};
use crate::source::Span;

/// A model that a trainer gets.
pub(super) struct Given<'a> {
    /// The call that loaded it.
    pub(super) loaded: Options<'a>,
    /// The call that put an adapter on it.
    pub(super) wrapped: Option<Options<'a>>,
    /// The adapter that the trainer is to put on it, or that the script has put on it.
    pub(super) adapter: Option<Options<'a>>,
}

/// What puts an adapter on a model.
const WRAPPERS: [&str; 2] = ["peft.get_peft_model", "peft.mapping.get_peft_model"];

/// Methods of a model that leave its weights alone, whatever they are given.
const HARMLESS: [&str; 12] = [
    "cuda",
    "eval",
    "get_nb_trainable_parameters",
    "get_memory_footprint",
    "num_parameters",
    "print_trainable_parameters",
    "resize_token_embeddings",
    "save_pretrained",
    "set_adapter_name",
    "tie_weights",
    "train",
    "generate",
];

/// The model of a trainer; `None` where it is not known, or where something else may change it: a call that gets it, a method of it, or
/// any of these words in the code that takes part.
pub(super) fn given<'a>(
    analysis: &Analysis,
    call: &Call<'a>,
    settled: &Settled<'a>,
    words: &[&str],
) -> Option<Given<'a>> {
    let trainer = settled.run.arguments();
    let held = trainer.argument("model")?;
    let made = settled.run.options(&held.value)?;
    let wrapped = WRAPPERS.contains(&made.callee()).then(|| made.clone());
    let loaded = match &wrapped {
        Some(wrapped) => settled.run.options(&wrapped.argument("model")?.value)?,
        None => made,
    };
    let is_loader = loaded.callee().starts_with("transformers.AutoModelFor");
    if !is_loader || !loaded.callee().ends_with(".from_pretrained") {
        return None;
    }
    let of_trainer = trainer.argument("peft_config").filter(|held| !held.value.is_none());
    let adapter = match (&wrapped, of_trainer) {
        (Some(wrapped), None) => Some(settled.run.options(&wrapped.argument("peft_config")?.value)?),
        (None, Some(config)) => Some(settled.run.options(&config.value)?),
        (None, None) => None,
        // One adapter over another one.
        (Some(_), Some(_)) => return None,
    };
    let is_same = |options: &Options<'_>, event: &CallEvent| event.object.span == options.span();
    let parts: Vec<&Options<'_>> = [Some(&loaded), wrapped.as_ref()].into_iter().flatten().collect();
    let events = &call.run.trace.calls;
    let is_plain = |options: &&Options<'_>| {
        let mut made = events.iter().filter(|event| is_same(options, event));
        made.all(|event| !event.open && event.object.stored.iter().all(|(name, _)| &**name == "config"))
    };
    let spans: Vec<Span> = parts.iter().map(|part| part.span()).collect();
    let is_left_alone = parts.iter().all(is_plain) && events.iter().all(|event| leaves_alone(event, &spans));
    (is_left_alone && !speaks_of(analysis, call, words)).then_some(Given { loaded, wrapped, adapter })
}

impl Given<'_> {
    /// An option of the call that loaded the model.
    pub(super) fn option(&self, names: &[&str]) -> Option<Held> {
        names.iter().find_map(|name| self.loaded.argument(name))
    }

    /// Whether the model may be one of fewer bits: asked for, or by its name.
    pub(super) fn may_be_quantized(&self) -> bool {
        const ASKED: [&str; 3] = ["quantization_config", "load_in_4bit", "load_in_8bit"];
        const NAMED: [&str; 8] = ["gptq", "awq", "bnb", "bit", "int4", "int8", "fp8", "quant"];
        let name = self.loaded.first().or_else(|| self.loaded.argument("pretrained_model_name_or_path"));
        let is_named = |name: &str| NAMED.iter().any(|word| name.to_ascii_lowercase().contains(word));
        self.option(&ASKED).is_some()
            || !matches!(name, Some(Held { value: Told::Const(Const::Str(name)), .. }) if !is_named(&name))
    }
}

/// Whether a call does nothing to a model that was made in one of these places.
fn leaves_alone(event: &CallEvent, made: &[Span]) -> bool {
    let is_model = |value: &Value| {
        value.alternatives().iter().any(|(_, one)| matches!(one, Value::Object(object) if made.contains(&object.span)))
    };
    let name = event.object.callee.rsplit('.').next().unwrap_or_default();
    if event.object.receiver.as_ref().is_some_and(is_model) {
        // `.to("cuda")`, and not `.to(torch.float32)`.
        let is_place = |value: &Value| matches!(value, Value::Const(Const::Str(_)));
        let is_moved = name == "to" && event.object.args.iter().all(|argument| is_place(&argument.value.value));
        return is_moved || HARMLESS.contains(&name);
    }
    let is_given = event.object.args.iter().any(|argument| is_model(&argument.value.value));
    let is_known = WRAPPERS.contains(&&*event.object.callee) || name.ends_with("Trainer");
    !is_given || is_known || matches!(name, "print" | "len" | "isinstance" | "hasattr")
}

/// Whether the code that took part has one of these words.
fn speaks_of(analysis: &Analysis, call: &Call<'_>, words: &[&str]) -> bool {
    // What such an import brings is called without a trace.
    if call.run.trace.imports.iter().any(|import| import.name.as_deref() == Some("*")) {
        return true;
    }
    let modules = call.run.trace.files.iter().filter_map(|file| analysis.modules.get(file));
    modules.into_iter().any(|module| words.iter().any(|word| module.text().contains(word)))
}
