//! The text of the stored form: sorted, one short value a line, so that a release more is a small diff.

use std::fmt::Write;

use serde_json::Value;

use crate::knowledge::{Imports, Package};

/// A value that fits into this many columns stays on one line.
const WIDTH: usize = 118;

/// The stored form of a package, the same bytes on every run.
pub fn render(package: &Package) -> String {
    text(&package.to_json())
}

/// The stored form of the imports of a library.
pub fn render_imports(imports: &Imports) -> String {
    text(&serde_json::to_value(imports).unwrap_or_default())
}

fn text(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0, 0);
    out.push('\n');
    out
}

/// Writes a value; `before` counts the columns already taken on its line.
fn write(out: &mut String, value: &Value, indent: usize, before: usize) {
    let line = value.to_string();
    if before + line.len() <= WIDTH && indent > 0 {
        out.push_str(&line);
        return;
    }
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                start(out, at, indent);
                write(out, item, indent + 1, indent + 2);
            }
            end(out, indent, ']');
        }
        Value::Object(members) if !members.is_empty() => {
            out.push('{');
            for (at, (key, member)) in members.iter().enumerate() {
                start(out, at, indent);
                let key = Value::from(key.as_str()).to_string();
                _ = write!(out, "{key}: ");
                write(out, member, indent + 1, indent + 4 + key.len());
            }
            end(out, indent, '}');
        }
        _ => out.push_str(&line),
    }
}

fn start(out: &mut String, at: usize, indent: usize) {
    out.push_str(if at == 0 { "\n" } else { ",\n" });
    out.extend(std::iter::repeat_n(' ', indent + 1));
}

fn end(out: &mut String, indent: usize, bracket: char) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
    out.push(bracket);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_values_share_a_line() {
        let long = "x".repeat(80);
        let value = serde_json::json!({"a": [1, {"b": 2}], "c": [long, long], "d": {}});
        let mut out = String::new();
        write(&mut out, &value, 0, 0);
        let expected =
            format!("{{\n \"a\": [1,{{\"b\":2}}],\n \"c\": [\n  \"{long}\",\n  \"{long}\"\n ],\n \"d\": {{}}\n}}");
        assert_eq!(out, expected);
        assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON"), value);
    }
}
