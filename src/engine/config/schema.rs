//! The JSON Schema of the configuration, for editors: made of the keys that are read.

use serde_json::{Map, Value, json};

use super::{KEYS, Shape};
use crate::engine::catalogue::catalogue;

/// The schema of `dpo-lint.toml`, and of `[tool.dpo-lint]` in `pyproject.toml`.
pub fn schema() -> Value {
    let property = |shape: &Shape, about: &str| {
        let mut property = of(shape);
        property["description"] = about.into();
        property
    };
    let properties: Map<String, Value> =
        KEYS.iter().map(|key| (key.name.to_owned(), property(&key.shape, key.about))).collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Configuration of dpo-lint: dpo-lint.toml, or [tool.dpo-lint] in pyproject.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "definitions": { "rule": rule() },
    })
}

fn of(shape: &Shape) -> Value {
    let rule = || json!({ "$ref": "#/definitions/rule" });
    let rules = || json!({ "type": "array", "items": rule() });
    match shape {
        Shape::Selectors => rules(),
        Shape::Patterns => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Targets => {
            let target =
                json!({ "type": "string", "pattern": "^\\s*[A-Za-z0-9._-]+\\s*==.+$", "examples": ["trl==0.12.2"] });
            json!({ "anyOf": [target, { "type": "array", "items": target }] })
        }
        Shape::Text => json!({ "type": "string" }),
        Shape::OneOf(words) => json!({ "enum": words() }),
        Shape::ByPattern => json!({ "type": "object", "additionalProperties": rules() }),
        Shape::ByRule(words) => {
            json!({ "type": "object", "propertyNames": rule(), "additionalProperties": { "enum": words() } })
        }
    }
}

/// A rule as users name it: see [`Selector`](crate::engine::catalogue::Selector).
fn rule() -> Value {
    let metas = catalogue();
    let names: Vec<&str> = metas.iter().map(|meta| meta.name).collect();
    let former: Vec<&str> = metas.iter().flat_map(|meta| meta.aliases).copied().collect();
    json!({ "anyOf": [
        { "enum": names },
        { "enum": former, "description": "Former names." },
        { "const": "ALL" },
        { "type": "string", "pattern": "^[Dd][Pp][Ll][0-9]*$", "description": "A code, or the beginning of codes." },
    ] })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::engine::config::parse;

    /// A value of each shape.
    fn sample(shape: &Shape) -> &'static str {
        match shape {
            Shape::Selectors => "[\"DPL0\", \"ALL\", \"renamed-argument\", \"dpl101\"]",
            Shape::Patterns => "[\"old/\", \"**/*.ipynb\"]",
            Shape::Targets => "[\"trl == 0.12.2\"]",
            Shape::Text => "\">=0.0\"",
            Shape::OneOf(words) => Box::leak(format!("\"{}\"", words()[0]).into_boxed_str()),
            Shape::ByPattern => "{ \"a/**\" = [\"ALL\"] }",
            Shape::ByRule(_) => "{ DPL101 = \"off\", renamed-argument = \"info\" }",
        }
    }

    fn is_read(text: &str) -> bool {
        parse(Path::new("dpo-lint.toml"), text).is_ok()
    }

    fn is_valid(text: &str) -> bool {
        let document: Value = toml::from_str(text).expect("TOML");
        let schema = schema();
        assert!(jsonschema::meta::is_valid(&schema));
        jsonschema::validator_for(&schema).expect("a schema").is_valid(&document)
    }

    #[test]
    fn the_file_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/config.schema.json");
        let text = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).expect("the schemas");
        }
        assert!(std::fs::read_to_string(&path).is_ok_and(|file| file == text), "run this test with UPDATE=1");
    }

    #[test]
    fn every_key_of_the_schema_is_read_and_every_key_that_is_read_is_in_it() {
        let schema = schema();
        let known: Vec<&String> = schema["properties"].as_object().expect("an object").keys().collect();
        assert_eq!(known.len(), KEYS.len(), "no name stands for two keys");
        for key in KEYS {
            assert!(known.contains(&&key.name.to_owned()));
            let text = format!("{} = {}\n", key.name, sample(&key.shape));
            assert!(is_read(&text) && is_valid(&text), "{text}");
        }
    }

    #[test]
    fn both_refuse_the_same() {
        for text in [
            "selekt = []",
            "select = \"ALL\"",
            "ignore = [1]",
            "ignore = [\"no-such-rule\"]",
            "target = [\"trl\"]",
            "target = 1",
            "python = [\"x\"]",
            "fail-on = \"fatal\"",
            "output-format = \"xml\"",
            "severity = { renamed-argument = \"loud\" }",
            "severity = { no-such-rule = \"off\" }",
            "per-file-ignores = { \"a\" = \"ALL\" }",
        ] {
            assert!(!is_read(text) && !is_valid(text), "{text}");
        }
        for text in ["", "target = \"trl==0.12.2\"", "select = [\"unknown-rule-in-suppression\"]", "ignore = [\"DPL\"]"]
        {
            assert!(is_read(text) && is_valid(text), "{text}");
        }
    }
}
