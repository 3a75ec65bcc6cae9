//! Chat templates, rendered as transformers renders them.

use std::fmt::Write as _;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

/// The name under which the one template of an environment is kept.
const NAME: &str = "chat_template";

/// So many instructions write out the longest conversation many times over; a template that takes more does not end.
const MOST_STEPS: u64 = 5_000_000;

/// JSON is indented by so many blanks at most.
const WIDEST: usize = 1000;

/// A chat template.
pub struct Template {
    environment: Environment<'static>,
}

impl Template {
    /// Parses a template; the error is what is wrong with it.
    pub fn new(source: &str) -> Result<Template, String> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| described(&error))?);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        // Jinja calls whatever can be gone through iterable; here `none` would not be, but an undefined name would.
        environment.add_test("iterable", |value: Value| !value.is_none() && value.try_iter().is_ok());
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_function("strftime_now", |format: String| now(&format));
        environment.set_fuel(Some(MOST_STEPS));
        environment.add_template_owned(NAME, without_generation(source)).map_err(|error| described(&error))?;
        Ok(Template { environment })
    }

    /// The text of a conversation; the error is what the template says.
    pub fn render(&self, context: Value) -> Result<String, String> {
        let template = self.environment.get_template(NAME).map_err(|error| described(&error))?;
        template.render(context).map_err(|error| described(&error))
    }
}

/// The day and time; Python's `strftime` knows other letters than ours.
fn now(format: &str) -> Result<String, Error> {
    let mut text = String::new();
    let written = write!(text, "{}", chrono::Local::now().format(format));
    written.map_err(|_| {
        Error::new(ErrorKind::InvalidOperation, format!("the format {format:?} of a time is not known here"))
    })?;
    Ok(text)
}

fn described(error: &Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return format!("the chat template takes more than {MOST_STEPS} instructions: it does not seem to end");
    }
    let message = error.detail().map_or_else(|| error.to_string(), str::to_owned);
    error.line().map_or(message.clone(), |line| format!("line {line} of the chat template: {message}"))
}

/// `{% generation %}` is a tag of transformers that marks what an assistant said, and changes no text.
fn without_generation(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let (before, tag) = (&rest[..start], &rest[start + 2..start + length]);
        let word = tag.trim_matches(|c: char| c == '-' || c == '+' || c.is_whitespace());
        let other = match word {
            "generation" => "if true",
            "endgeneration" => "endif",
            same => same,
        };
        out.push_str(before);
        out.push_str("{%");
        out.push_str(&tag.replacen(word, other, usize::from(word != other)));
        out.push_str("%}");
        rest = &rest[start + length + 2..];
    }
    out.push_str(rest);
    out
}

/// `tojson` as transformers defines it: Python's `json.dumps` without escapes for HTML.
#[expect(clippy::needless_pass_by_value, reason = "a filter gets its arguments like this")]
fn to_json(value: &Value, arguments: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = arguments.get("indent")?;
    if indent.is_some_and(|indent| indent > WIDEST) {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("an indent of more than {WIDEST} blanks")));
    }
    let sort_keys: Option<bool> = arguments.get("sort_keys")?;
    let _: Option<bool> = arguments.get("ensure_ascii")?;
    let _: Option<Value> = arguments.get("separators")?;
    let mut writer = Writer { indent, sort_keys: sort_keys.unwrap_or(false), out: String::new() };
    writer.write(value, 0)?;
    Ok(Value::from_safe_string(writer.out))
}

struct Writer {
    indent: Option<usize>,
    sort_keys: bool,
    out: String,
}

impl Writer {
    fn write(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        match value.kind() {
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort_keys {
                    keys.sort_by_key(ToString::to_string);
                }
                self.all('{', '}', &keys, depth, |writer, key| {
                    writer.scalar(&key.to_string())?;
                    writer.out.push_str(": ");
                    writer.write(&value.get_item(key)?, depth + 1)
                })
            }
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.all('[', ']', &items, depth, |writer, item| writer.write(item, depth + 1))
            }
            ValueKind::String => self.scalar(value.as_str().unwrap_or_default()),
            ValueKind::Undefined => Err(Error::new(ErrorKind::InvalidOperation, "an undefined value is no JSON")),
            _ => self.scalar(value),
        }
    }

    fn all(
        &mut self,
        open: char,
        close: char,
        items: &[Value],
        depth: usize,
        mut write: impl FnMut(&mut Self, &Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push_str(if self.indent.is_some() { "," } else { ", " });
            }
            self.line(depth + 1);
            write(self, item)?;
        }
        if !items.is_empty() {
            self.line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.out.push('\n');
            self.out.push_str(&" ".repeat(indent * depth));
        }
    }

    fn scalar<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let written = serde_json::to_string(value);
        self.out.push_str(&written.map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str, context: &str) -> Result<String, String> {
        let context: Value = serde_json::from_str(context).expect("JSON");
        Template::new(source)?.render(context)
    }

    #[test]
    fn blocks_take_their_lines_along() {
        let source = "{%- for m in messages %}\n    {% if m.role == 'user' %}\n{{ m.content.strip() }}\n    {% endif %}\n{% endfor %}";
        let context = r#"{"messages": [{"role": "user", "content": " a "}, {"role": "system", "content": "b"}]}"#;
        assert_eq!(rendered(source, context).expect("text"), "a\n");
    }

    #[test]
    fn the_generation_tag_changes_no_text() {
        let source = "{% generation %}a{% endgeneration %}b {%- generation -%} c {%- endgeneration -%} d";
        assert_eq!(rendered(source, "{}").expect("text"), "abcd");
    }

    #[test]
    fn json_is_written_as_python_does() {
        let context = r#"{"x": {"b": [1, 2.0, null, true], "a": "ä\n<"}}"#;
        assert_eq!(rendered("{{ x | tojson }}", context).expect("text"), r#"{"b": [1, 2.0, null, true], "a": "ä\n<"}"#);
        assert_eq!(
            rendered("{{ x.b | tojson(indent=2) }}", context).expect("text"),
            "[\n  1,\n  2.0,\n  null,\n  true\n]"
        );
    }

    #[test]
    fn a_template_may_refuse() {
        let error = rendered("\n{{ raise_exception('roles must alternate') }}", "{}").expect_err("refused");
        assert_eq!(error, "line 2 of the chat template: roles must alternate");
        assert!(Template::new("{% if %}").is_err());
    }

    #[test]
    fn a_template_that_never_ends_is_stopped() {
        let source = "{% for a in range(99999) %}{% for b in range(99999) %}{% set c = a %}{% endfor %}{% endfor %}";
        let error = rendered(source, "{}").expect_err("stopped");
        assert!(error.contains("does not seem to end"), "{error}");
    }

    #[test]
    fn what_a_template_asks_too_much_of_is_named() {
        for (source, words) in [
            ("{{ strftime_now('%Q') }}", "the format \"%Q\" of a time is not known here"),
            ("{{ [1] | tojson(indent=100000000000) }}", "an indent of more than 1000 blanks"),
        ] {
            let error = rendered(source, "{}").expect_err("refused");
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(rendered("{{ strftime_now('%Y') }}", "{}").expect("text").len(), 4);
    }

    #[test]
    fn only_what_can_be_gone_through_is_iterable() {
        assert_eq!(
            rendered("{{ x is iterable }} {{ y is iterable }}", r#"{"x": null, "y": [1]}"#).expect("text"),
            "False True"
        );
    }
}
