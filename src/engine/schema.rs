//! A JSON Schema of what a program or a class may be configured with at one release, for editors.
//!
//! Validation of a project's own files does not go through it: a schema can say of a value whether it fits, not in which release it
//! did, what its key is called now, or what `PyYAML` makes of it, and the crates that evaluate schemas cost more to build than the rest
//! of the tool.

use pep440_rs::Version;
use serde_json::{Map, Value, json};

use crate::knowledge::{Consumer, Knowledge, Package, Parameter};
use crate::lower::Releases;
use crate::lower::configuration::{Kind, kind_of};
use crate::model::Environment;
use crate::source::did_you_mean;

/// Why there is no schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Neither a program nor a class.
    #[error("`{name}` is neither a program nor a class that dpo-lint knows{hint}")]
    Unknown {
        /// As it was written.
        name: String,
        /// What may be meant.
        hint: String,
    },
    /// No such release.
    #[error("no release `{version}` of {package} is known, only {known}")]
    Release {
        /// As it was written.
        version: String,
        /// The package.
        package: String,
        /// The releases.
        known: String,
    },
}

/// The schema of `NAME` or `NAME@RELEASE`: `llama-factory@0.9.3`, `trl.DPOConfig@1.16`; `config` is the one of this tool's own
/// configuration.
pub fn schema(asked: &str, knowledge: &Knowledge) -> Result<Value, SchemaError> {
    if asked == "config" {
        return Ok(super::config::schema());
    }
    let (name, version) = asked.split_once('@').map_or((asked, None), |(name, version)| (name, Some(version)));
    let program = program(name);
    let package = match program {
        Some(consumer) => knowledge.package(&consumer.package),
        None => name.split('.').next().filter(|_| name.contains('.')).and_then(|top| knowledge.package(top)),
    };
    let package = package.ok_or_else(|| unknown(name))?;
    let release = match version {
        Some(version) => find(package, version)?,
        None => package.versions().len().saturating_sub(1),
    };
    let environment = beside(package, release, knowledge);
    let at = Releases::new(knowledge, &environment, package, release);
    let classes: Vec<&str> = match program {
        Some(consumer) => consumer.classes(package, release).iter().map(String::as_str).collect(),
        None => vec![name],
    };
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut is_complete = program.is_none_or(|consumer| consumer.unknown.is_some());
    for class in &classes {
        let signature = at.signature(class).ok_or_else(|| unknown(name))?;
        is_complete &= signature.complete && !signature.any_keyword;
        for (key, parameter) in signature.parameters {
            if parameter.default.is_none() {
                required.push(key);
            }
            properties.insert(key.to_owned(), property(parameter));
        }
    }
    let version = &package.brief()[release].version;
    let title = program.map_or(name, |consumer| consumer.name.as_str());
    required.sort_unstable();
    Ok(json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": format!("{title}, {} {version}", package.name()),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": !is_complete,
    }))
}

/// A program by its name, its command, or what users call it.
fn program(name: &str) -> Option<&'static Consumer> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let is_it = |consumer: &&Consumer| {
        [&consumer.name, &consumer.title, &consumer.package].iter().any(|known| plain(known) == plain(name))
            || consumer.commands.iter().any(|command| plain(command) == plain(name))
    };
    // The first one of a framework is the one that trains.
    Consumer::all().iter().find(is_it)
}

fn unknown(name: &str) -> SchemaError {
    let names = Consumer::all().iter().flat_map(|consumer| [consumer.name.as_str(), consumer.package.as_str()]);
    let hint = did_you_mean(name, names).map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    SchemaError::Unknown { name: name.to_owned(), hint }
}

/// The release of a version, or the newest one that begins with it: `1.16` of `1.16.0`.
fn find(package: &Package, version: &str) -> Result<usize, SchemaError> {
    let exact = version.parse::<Version>().ok().and_then(|version| package.index_of(&version));
    let begins = |release: &usize| package.brief()[*release].version.starts_with(&format!("{version}."));
    let found = exact.or_else(|| package.all().iter().rev().find(begins));
    found.ok_or_else(|| SchemaError::Release {
        version: version.to_owned(),
        package: package.name().to_owned(),
        known: package.intervals(&package.all()).join(", "),
    })
}

/// The releases that an install of one release gets beside it.
fn beside(package: &Package, release: usize, knowledge: &Knowledge) -> Environment {
    let pin = format!("{}=={}", package.name(), package.brief()[release].version);
    crate::lower::environment_of_targets(&[pin], package.name(), knowledge)
}

fn property(parameter: &Parameter) -> Value {
    let mut property = Map::new();
    let kinds = kind_of(parameter);
    let mut types: Vec<Value> = kinds.iter().map(of_kind).collect();
    let is_open = types.is_empty() || kinds.contains(&Kind::Other);
    if !is_open {
        let is_optional = parameter.default.as_deref() == Some("None")
            || parameter
                .annotation
                .as_deref()
                .is_some_and(|annotation| annotation.contains("None") || annotation.contains("Optional"));
        if is_optional {
            types.push(json!({"type": "null"}));
        }
        match &types[..] {
            [Value::Object(only)] => property.extend(only.clone()),
            _ => _ = property.insert("anyOf".to_owned(), types.into()),
        }
    }
    if let Some(default) = parameter.default.as_deref().and_then(literal) {
        property.insert("default".to_owned(), default);
    }
    if let Some(annotation) = parameter.annotation.as_deref().filter(|annotation| *annotation != "...") {
        property.insert("description".to_owned(), annotation.into());
    }
    property.into()
}

fn of_kind(kind: &Kind) -> Value {
    match kind {
        Kind::Bool | Kind::Switch => json!({"type": "boolean"}),
        Kind::Int => json!({"type": "integer"}),
        // `5e-6` is a string to many readers of YAML, and a number to the program.
        Kind::Float => json!({"type": ["number", "string"]}),
        Kind::Str => json!({"type": "string"}),
        Kind::Choice(words) => json!({"enum": words}),
        Kind::List(inner) if **inner == Kind::Other => json!({"type": "array"}),
        Kind::List(inner) => json!({"type": "array", "items": of_kind(inner)}),
        Kind::Dict(_) => json!({"type": "object"}),
        Kind::Tuple(_) => json!({"type": "array"}),
        Kind::Other => json!({}),
    }
}

/// A default that JSON can say.
fn literal(default: &str) -> Option<Value> {
    Some(match default {
        "None" => Value::Null,
        "True" => true.into(),
        "False" => false.into(),
        _ => match default.strip_prefix(['"', '\'']) {
            Some(rest) => rest.strip_suffix(['"', '\'']).filter(|text| !text.contains(['"', '\'', '\\']))?.into(),
            None => serde_json::from_str::<serde_json::Number>(default).ok()?.into(),
        },
    })
}
