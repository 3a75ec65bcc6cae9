//! A JSON Schema of what a program or a class may be configured with at one release, for editors.
//!
//! Validation of a project's own files does not go through it: a schema can say of a value whether it fits, not in which release it
//! did, what its key is called now, or what `PyYAML` makes of it, and the crates that evaluate schemas cost more to build than the rest
//! of the tool.

use pep440_rs::Version;
use serde_json::{Map, Value, json};

use crate::knowledge::{Consumer, Knowledge, Package, Parameter};
use crate::lower::Releases;
use crate::lower::configuration::{Kind, held, kind_of};
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
    if let Some(class) = classes.iter().find(|class| at.signature(class).is_none()) {
        return Err(unknown(class));
    }
    let writer = Writer {
        at: &at,
        package,
        is_strict: program.is_none_or(|consumer| consumer.unknown.is_some()),
        is_nested: program.is_some_and(|consumer| consumer.nested),
        interpolates: program.is_some_and(Consumer::interpolates),
    };
    let Value::Object(mut schema) = writer.object(&classes, &[]) else { unreachable!("an object was made") };
    let version = &package.brief()[release].version;
    let title = program.map_or(name, |consumer| consumer.name.as_str());
    schema.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
    schema.insert("title".to_owned(), format!("{title}, {} {version}", package.name()).into());
    Ok(schema.into())
}

/// Texts that Python makes a number of.
const NUMBER: &str =
    r"^\s*[+-]?((\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][+-]?\d+)?|[iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN])\s*$";

/// Writes what classes take.
struct Writer<'a> {
    at: &'a Releases<'a>,
    package: &'a Package,
    /// Whether somebody minds a key that no class has.
    is_strict: bool,
    /// Whether keys stand below keys.
    is_nested: bool,
    /// Whether `${key}` may stand for any value.
    interpolates: bool,
}

impl Writer<'_> {
    /// What may stand where these classes are filled. `above` are those around them.
    fn object(&self, classes: &[&str], above: &[&str]) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        let mut is_complete = self.is_strict && !classes.is_empty();
        let above = [above, classes].concat();
        for class in classes {
            let Some(signature) = self.at.signature(class) else {
                is_complete = false;
                continue;
            };
            is_complete &= signature.complete && !signature.any_keyword;
            for (key, parameter) in signature.parameters {
                if parameter.default.is_none() {
                    required.push(key);
                }
                properties.insert(key.to_owned(), self.property(parameter, &above));
            }
        }
        required.sort_unstable();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": !is_complete,
        })
    }

    fn property(&self, parameter: &Parameter, above: &[&str]) -> Value {
        let mut property = Map::new();
        if let Some(mut types) = self.types(parameter, above) {
            let is_optional = parameter.default.as_deref() == Some("None")
                || parameter
                    .annotation
                    .as_deref()
                    .is_some_and(|annotation| annotation.contains("None") || annotation.contains("Optional"));
            if is_optional {
                types.push(json!({"type": "null"}));
            }
            if self.interpolates {
                types.push(json!({"type": "string", "pattern": r"\$\{"}));
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

    /// What a field may hold; `None` where that is not known.
    fn types(&self, parameter: &Parameter, above: &[&str]) -> Option<Vec<Value>> {
        let kinds = kind_of(parameter);
        let classes = if self.is_nested { held(parameter, self.package) } else { Vec::new() };
        let is_known = classes.iter().all(|class| !above.contains(class) && self.at.signature(class).is_some());
        let others = kinds.iter().filter(|kind| **kind == Kind::Other).count();
        let lists = kinds.iter().filter(|kind| **kind == Kind::List(Box::new(Kind::Other))).count();
        // Classes stand for themselves, or all of them in one list: then it is known what each part of the annotation means.
        let in_list = lists == 1 && others == 0 && is_known && !classes.is_empty();
        if kinds.is_empty() || (others > 0 && !(lists == 0 && is_known && others == classes.len())) {
            return None;
        }
        // One after the other where each is a part of its own; in a list each item may be any of them.
        let mut objects = classes.iter().map(|class| self.object(&[class], above));
        let of = |kind: &Kind| match kind {
            Kind::Other => objects.next().unwrap_or_else(|| json!({})),
            Kind::List(inner) if in_list && **inner == Kind::Other => {
                json!({"type": "array", "items": {"anyOf": objects.by_ref().collect::<Vec<_>>()}})
            }
            kind => of_kind(kind),
        };
        Some(kinds.iter().map(of).collect())
    }
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

fn of_kind(kind: &Kind) -> Value {
    match kind {
        Kind::Bool | Kind::Switch => json!({"type": "boolean"}),
        Kind::Int => json!({"type": "integer"}),
        // `5e-6` is a string to many readers of YAML, and a number to the program.
        Kind::Float => json!({"type": ["number", "string"], "pattern": NUMBER}),
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
