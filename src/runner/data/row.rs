//! A row before tokenisation.

use std::fmt;
use std::path::PathBuf;

use minijinja::Value;
use minijinja::value::ValueKind;

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line in a text file; in others the number of the row. From 1.
    pub line: usize,
    /// Whether the number is that of a row.
    pub is_row: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.is_row { ", row " } else { ":" };
        write!(out, "{}{colon}{}", self.path.display(), self.line)
    }
}

/// A row that the trainer cannot use, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Where it stands.
    pub place: Place,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.reason)
    }
}

/// A pair of answers as it is written in the file.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where it stands.
    pub place: Place,
    /// What both answer; `None` where it is the common beginning of both.
    pub prompt: Option<Text>,
    /// The answer that is preferred.
    pub chosen: Text,
    /// The other.
    pub rejected: Text,
    /// Tools that the template is told of.
    pub tools: Option<Value>,
    /// What else the template is told.
    pub template_arguments: Option<Value>,
}

/// Plain text, or the messages of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    /// Text that is tokenised as it is.
    Plain(String),
    /// Messages that a chat template writes out.
    Messages(Vec<Value>),
}

impl Text {
    /// Whether a chat template writes it out.
    pub fn is_conversation(&self) -> bool {
        matches!(self, Text::Messages(_))
    }

    fn kind(&self) -> &'static str {
        if self.is_conversation() { "messages" } else { "text" }
    }
}

impl Row {
    /// The row that an object of a file stands for.
    pub(super) fn new(place: Place, object: &Value) -> Result<Row, BadRow> {
        let bad = |reason: String| BadRow { place: place.clone(), reason };
        if object.kind() != ValueKind::Map {
            return Err(bad(String::from("is no object with the keys `chosen` and `rejected`")));
        }
        let field = |name: &str| object.get_attr(name).ok().filter(|value| !value.is_undefined() && !value.is_none());
        let needed = |name: &str| match field(name) {
            Some(value) => text(name, &value).map_err(&bad),
            None => Err(bad(format!("has no `{name}`{}", instead(object)))),
        };
        let (chosen, rejected) = (needed("chosen")?, needed("rejected")?);
        let prompt = field("prompt").map(|value| text("prompt", &value)).transpose().map_err(&bad)?;
        if chosen.is_conversation() != rejected.is_conversation() {
            let (one, other) = (chosen.kind(), rejected.kind());
            return Err(bad(format!("`chosen` is {one} and `rejected` is {other}")));
        }
        let (tools, template_arguments) = (field("tools"), field("chat_template_kwargs"));
        Ok(Row { place, prompt, chosen, rejected, tools, template_arguments })
    }
}

/// The keys that are there, to help with a key that is not.
fn instead(object: &Value) -> String {
    let keys: Vec<String> = object.try_iter().into_iter().flatten().map(|key| format!("`{key}`")).collect();
    if keys.is_empty() { String::from(", nor any other key") } else { format!(", only {}", keys.join(", ")) }
}

fn text(name: &str, value: &Value) -> Result<Text, String> {
    match value.kind() {
        ValueKind::String => Ok(Text::Plain(value.as_str().unwrap_or_default().to_owned())),
        ValueKind::Seq => {
            let messages: Vec<Value> = value.try_iter().map_err(|error| error.to_string())?.collect();
            let is_message = |value: &Value| {
                value.kind() == ValueKind::Map && value.get_attr("role").is_ok_and(|role| !role.is_undefined())
            };
            match messages.iter().position(|message| !is_message(message)) {
                _ if messages.is_empty() => Err(format!("`{name}` has no messages")),
                Some(at) => Err(format!("message {} of `{name}` has no `role`", at + 1)),
                None => Ok(Text::Messages(messages)),
            }
        }
        other => Err(format!("`{name}` is a {other}, neither text nor a list of messages")),
    }
}
