//! Chat templates, rendered as transformers renders them.
//!
//! A template is a program of somebody else's. What it may do is limited three times: every instruction and every byte that it makes
//! uses up fuel, whatever is asked for at once and known to be huge is refused, and what still takes too long or too much memory
//! (values that hold each other many times over are written out by no instruction) is given up by who waits for it.

mod json;
mod worker;

use std::fmt::Write as _;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

use worker::Worker;

/// The name under which the one template of an environment is kept.
const NAME: &str = "chat_template";

/// So many instructions write out the longest conversation many times over; a template that takes more does not end.
const MOST_STEPS: u64 = 5_000_000;

/// Values are padded and indented by so many characters at most.
const WIDEST: usize = 1000;

/// A chat template.
pub struct Template {
    worker: Worker,
    /// How errors call it.
    name: String,
}

impl Template {
    /// Parses a template; the error is what is wrong with it.
    pub fn new(source: &str) -> Result<Template, String> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| error.to_string())?);
        environment.set_unknown_method_callback(method);
        environment.add_filter("tojson", json::to_json);
        // Jinja calls whatever can be gone through iterable; here `none` would not be, but an undefined name would.
        environment.add_test("iterable", |value: Value| !value.is_none() && value.try_iter().is_ok());
        environment
            .add_function("raise_exception", |message: String| -> Result<Value, Error> { Err(refused(message)) });
        environment.add_function("strftime_now", |format: String| now(&format));
        environment.set_fuel(Some(MOST_STEPS));
        let name = String::from("the chat template");
        let wrong = |error: &Error| Failure::of(error).described(&name);
        environment.add_template_owned(NAME, without_generation(source)).map_err(|error| wrong(&error))?;
        let worker = Worker::start(environment).map_err(|error| format!("no thread can be started: {error}"))?;
        Ok(Template { worker, name })
    }

    /// The same under the name of its file, for errors.
    #[must_use]
    pub fn of_file(self, path: &Path) -> Self {
        Self { name: format!("the chat template of {}", path.display()), ..self }
    }

    /// The text of a conversation; the error is what the template says.
    pub fn render(&self, context: Value) -> Result<String, String> {
        self.worker.render(context).map_err(|failure| failure.described(&self.name))
    }
}

fn written(environment: &Environment<'_>, context: Value) -> Result<String, Failure> {
    let text = environment.get_template(NAME).and_then(|template| template.render(context));
    text.map_err(|error| Failure::of(&error))
}

/// Why there is no text. It does not hold on to the values of the template, as its errors do: those are for its own thread.
enum Failure {
    /// The template is wrong, or refuses.
    Wrong { line: Option<usize>, message: String },
    /// It took too much, or nobody waited any longer.
    Ended(String),
}

impl Failure {
    fn of(error: &Error) -> Self {
        if error.kind() == ErrorKind::OutOfFuel {
            return Self::Ended(format!("takes more than {MOST_STEPS} instructions or bytes: it does not seem to end"));
        }
        let message = error.detail().map_or_else(|| error.to_string(), str::to_owned);
        Self::Wrong { line: error.line(), message }
    }

    fn described(self, name: &str) -> String {
        match self {
            Self::Wrong { line: Some(line), message } => format!("line {line} of {name}: {message}"),
            Self::Wrong { line: None, message } => message,
            Self::Ended(why) => format!("{name} {why}"),
        }
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// The methods of Python's values. `format` pays for its text only when it is there.
fn method(state: &mut State<'_, '_>, value: &Value, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    if let ("format", Some(text)) = (name, value.as_str()) {
        let inside = text.split('{').skip(1).map(|part| part.split('}').next().unwrap_or(part));
        let numbers = inside.flat_map(|spec| spec.split(|letter: char| !letter.is_ascii_digit()));
        if numbers
            .into_iter()
            .any(|number| !number.is_empty() && number.parse().map_or(true, |size: usize| size > WIDEST))
        {
            return Err(refused(format!("a value is padded to more than {WIDEST} characters")));
        }
    }
    pycompat::unknown_method_callback(state, value, name, arguments)
}

/// The day and time; Python's `strftime` knows other letters than ours.
fn now(format: &str) -> Result<String, Error> {
    let mut text = String::new();
    let written = write!(text, "{}", chrono::Local::now().format(format));
    written.map_err(|_| refused(format!("the format {format:?} of a time is not known here")))?;
    Ok(text)
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

    /// Doubled often enough, anything is larger than every memory.
    #[test]
    fn a_template_that_grows_without_end_is_stopped() {
        let doubled = |start: &str, step: &str, end: &str| {
            let text = format!(
                "{{% set ns = namespace(x={start}) %}}{{% for i in range(200) %}}{{% set ns.x = {step} %}}{{% endfor %}}{{{{ {end} }}}}"
            );
            rendered(&text, "{}").expect_err("stopped")
        };
        for (start, step, end) in [
            ("'ab'", "ns.x + ns.x", "ns.x | length"),
            ("'ab'", "ns.x ~ ns.x", "ns.x | length"),
            ("'ab'", "'{}{}'.format(ns.x, ns.x)", "ns.x | length"),
            ("'ab'", "[ns.x, ns.x] | join", "ns.x | length"),
            ("[1]", "[ns.x, ns.x]", "ns.x | tojson"),
        ] {
            let error = doubled(start, step, end);
            assert!(error.contains("does not seem to end"), "{step}: {error}");
        }
        let deep = "{% set ns = namespace(x=1) %}{% for i in range(600) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | tojson }}";
        let error = rendered(deep, "{}").expect_err("stopped");
        assert!(error.contains("deeper than 500"), "{error}");
    }

    /// What writes such a value out takes no instruction.
    #[test]
    fn a_template_that_is_waited_for_too_long_is_given_up() {
        let text = "{% set ns = namespace(x=[1]) %}{% for i in range(200) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | string | length }}";
        let mut template = Template::new(text).expect("a template").of_file(Path::new("model/chat_template.jinja"));
        template.worker.longest = std::time::Duration::from_secs(1);
        let error = template.render(Value::from(())).expect_err("given up");
        assert!(error.starts_with("the chat template of model/chat_template.jinja takes more than "), "{error}");
        // And nothing else is asked of it.
        let error = template.render(Value::from(())).expect_err("given up");
        assert!(error.ends_with("was given up before"), "{error}");
    }

    #[test]
    fn what_a_template_asks_too_much_of_is_named() {
        for (source, words) in [
            ("{{ strftime_now('%Q') }}", "the format \"%Q\" of a time is not known here"),
            ("{{ [1] | tojson(indent=100000000000) }}", "an indent of more than 1000 blanks"),
            ("{{ '{:>100000000000}'.format('a') }}", "padded to more than 1000 characters"),
            ("{{ '{:.100000000000f}'.format(1.0) }}", "padded to more than 1000 characters"),
            ("{{ 'a' * 100000000000 }}", "does not seem to end"),
            ("{{ '%100000000000d' | format(3) }}", "does not seem to end"),
            ("{{ 'a' | indent(100000000000) }}", "does not seem to end"),
            ("{{ range(1000000000) | list | length }}", "too many elements"),
        ] {
            let error = rendered(source, "{}").expect_err("refused");
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(rendered("{{ strftime_now('%Y') }}", "{}").expect("text").len(), 4);
        assert_eq!(rendered("{{ '{:>5}|{}'.format('a', 12345) }}", "{}").expect("text"), "    a|12345");
    }

    #[test]
    fn only_what_can_be_gone_through_is_iterable() {
        assert_eq!(
            rendered("{{ x is iterable }} {{ y is iterable }}", r#"{"x": null, "y": [1]}"#).expect("text"),
            "False True"
        );
    }
}
