//! What a model costs in memory, where its size can be known.

use super::ask::Call;
use crate::eval::{Const, Root, Value};

/// "a second copy of ... takes about 1.1 GB", where the size of the model is known.
pub(super) fn second_copy(call: &Call<'_>, model: &Value) -> Option<String> {
    let object = super::report::objects(model).into_iter().next()?;
    let path = object.args.iter().find(|argument| argument.name.is_none()).or_else(|| {
        object.args.iter().find(|argument| argument.name.as_deref() == Some("pretrained_model_name_or_path"))
    })?;
    let name = name_of(call, &path.value.value)?;
    let parameters = call.knowledge.curated().parameters_of(&name)?;
    let (bytes, held) = match dtype(&object.args)? {
        "float16" | "bfloat16" | "half" => (2, "in 16 bits"),
        "float32" | "float" => (4, "in 32 bits"),
        _ => return None,
    };
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let gigabytes = (parameters * bytes) as f64 / 1e9;
    Some(format!("a second copy of {name} takes about {gigabytes:.1} GB {held}"))
}

/// The name or path of a model: a string, or a flag that the first variant or the default decides.
fn name_of(call: &Call<'_>, value: &Value) -> Option<String> {
    match value {
        Value::Const(Const::Str(text)) => Some(text.to_string()),
        Value::Symbol(symbol) => {
            let Root::Flag(flag) = symbol.root else { return None };
            let variant = call.run.variants.first()?;
            let known = match variant.setting(flag) {
                Some(setting) => setting.value.clone(),
                None => call.default(flag, call.in_effect()?),
            };
            match known? {
                Const::Str(text) => Some(text.to_string()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The dtype a model is loaded in, by the last word of what is written: `torch.bfloat16`, `"bfloat16"`. Without one it is
/// not known: the default is 32 bits in some releases and the checkpoint's own in others.
fn dtype(arguments: &[crate::eval::Argument]) -> Option<&str> {
    let argument =
        arguments.iter().find(|argument| matches!(argument.name.as_deref(), Some("torch_dtype" | "dtype")))?;
    match &argument.value.value {
        Value::External(name) => name.rsplit('.').next(),
        Value::Const(Const::Str(text)) => Some(text),
        _ => None,
    }
}
