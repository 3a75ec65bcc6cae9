//! Python's `json.dumps`, without escapes for HTML: the filter `tojson` of transformers.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, State, Value};

use super::{WIDEST, refused};

/// Values that hold each other deeper than this Python does not write out.
const DEEPEST: usize = 500;

/// Bytes that are written for one instruction, as many as the engine itself writes of a value.
const BYTES_PER_STEP: usize = 4;

/// `tojson`.
#[expect(clippy::needless_pass_by_value, reason = "a filter gets its arguments like this")]
pub(super) fn to_json(state: &State<'_, '_>, value: &Value, arguments: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = arguments.get("indent")?;
    if indent.is_some_and(|indent| indent > WIDEST) {
        return Err(refused(format!("an indent of more than {WIDEST} blanks")));
    }
    let sort_keys: Option<bool> = arguments.get("sort_keys")?;
    let _: Option<bool> = arguments.get("ensure_ascii")?;
    let _: Option<Value> = arguments.get("separators")?;
    let sort_keys = sort_keys.unwrap_or(false);
    let mut writer = Writer { state, indent, sort_keys, out: String::new(), paid: 0 };
    writer.write(value, 0)?;
    Ok(Value::from_safe_string(writer.out))
}

struct Writer<'s> {
    state: &'s State<'s, 's>,
    indent: Option<usize>,
    sort_keys: bool,
    out: String,
    /// Bytes of it that fuel was used up for.
    paid: usize,
}

impl Writer<'_> {
    fn write(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(refused(format!("values hold each other deeper than {DEEPEST} times")));
        }
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
            ValueKind::Undefined => Err(refused(String::from("an undefined value is no JSON"))),
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
        self.pay()
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.out.push('\n');
            self.out.push_str(&" ".repeat(indent * depth));
        }
    }

    fn scalar<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let written = serde_json::to_string(value);
        self.out.push_str(&written.map_err(|error| refused(error.to_string()))?);
        self.pay()
    }

    /// Uses up fuel for what was written since.
    fn pay(&mut self) -> Result<(), Error> {
        let steps = (self.out.len() - self.paid) / BYTES_PER_STEP;
        self.paid += steps * BYTES_PER_STEP;
        self.state.consume_fuel(steps as u64)
    }
}
