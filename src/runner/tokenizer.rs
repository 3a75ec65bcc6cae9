//! The tokenizer of a model folder: its vocabulary, its special tokens and its chat template.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::Value;
use minijinja::value::ValueKind;

use super::open;
use super::template::Template;

/// The special tokens that a template can name.
const SPECIAL: [&str; 4] = ["bos_token", "eos_token", "unk_token", "pad_token"];

/// What is wrong with the tokenizer of a folder.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// There is no `tokenizer.json`.
    #[error("{folder} has no tokenizer.json{}", converted(*.has_other), folder = .folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// Whether there is a tokenizer of another form.
        has_other: bool,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {error}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} cannot be used: {message}", path = .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Answers cannot be ended.
    #[error("the tokenizer of {folder} has no end-of-sequence token, which TRL appends to answers", folder = .folder.display())]
    NoEnd {
        /// The folder.
        folder: PathBuf,
    },
}

fn converted(has_other: bool) -> &'static str {
    if has_other {
        "; load it with AutoTokenizer and save it with save_pretrained, which writes one"
    } else {
        ", so its texts cannot be tokenised"
    }
}

/// A tokenizer as the trainer uses it.
pub struct Tokenizer {
    vocabulary: tokenizers::Tokenizer,
    template: Option<Template>,
    special: BTreeMap<&'static str, String>,
    bos: Option<u32>,
    eos: u32,
}

impl Tokenizer {
    /// Reads the tokenizer of a folder.
    pub fn load(folder: &Path) -> Result<Tokenizer, TokenizerError> {
        let path = folder.join("tokenizer.json");
        if !path.is_file() {
            let others = ["tokenizer.model", "vocab.json", "spiece.model"];
            let has_other = others.iter().any(|name| folder.join(name).is_file());
            return Err(TokenizerError::Missing { folder: folder.to_path_buf(), has_other });
        }
        let bytes = open::bytes(&path).map_err(|error| TokenizerError::Read { path: path.clone(), error })?;
        let vocabulary = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|error| TokenizerError::Broken { path: path.clone(), message: error.to_string() })?;
        let settings = object(folder.join("tokenizer_config.json"))?;
        let map = object(folder.join("special_tokens_map.json"))?;
        let mut special = BTreeMap::new();
        for name in SPECIAL {
            if let Some(token) = token(&settings, name).or_else(|| token(&map, name)) {
                special.insert(name, token);
            }
        }
        let template = template(folder, &settings)?;
        Tokenizer::new(vocabulary, special, template)
            .map_err(|()| TokenizerError::NoEnd { folder: folder.to_path_buf() })
    }

    /// Fails where there is no token that ends an answer.
    pub(super) fn new(
        mut vocabulary: tokenizers::Tokenizer,
        special: BTreeMap<&'static str, String>,
        template: Option<Template>,
    ) -> Result<Tokenizer, ()> {
        // The trainer cuts for itself, and pads whole batches.
        let _ = vocabulary.with_truncation(None);
        vocabulary.with_padding(None);
        let id = |name: &str| vocabulary.token_to_id(special.get(name)?);
        let (bos, eos) = (id("bos_token"), id("eos_token").ok_or(())?);
        Ok(Tokenizer { vocabulary, template, special, bos, eos })
    }

    /// The tokens of a text; with `add_special_tokens`, those that the tokenizer puts around it, too.
    pub fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>, String> {
        let encoding = self.vocabulary.encode_fast(text, add_special_tokens).map_err(|error| error.to_string())?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of some messages, as the chat template writes them out.
    pub fn render(&self, messages: &[Value], generation_prompt: bool, more: &More<'_>) -> Result<String, String> {
        let Some(template) = &self.template else {
            return Err(String::from("the tokenizer has no chat template, and the rows are conversations"));
        };
        let mut context: BTreeMap<String, Value> = BTreeMap::new();
        for (name, token) in &self.special {
            context.insert((*name).to_owned(), Value::from(token.as_str()));
        }
        context.insert(String::from("documents"), Value::from(()));
        context.insert(String::from("tools"), more.tools.cloned().unwrap_or_else(|| Value::from(())));
        context.insert(String::from("messages"), Value::from(messages.to_vec()));
        context.insert(String::from("add_generation_prompt"), Value::from(generation_prompt));
        if let Some(arguments) = more.arguments {
            for key in arguments.try_iter().into_iter().flatten() {
                if let Ok(value) = arguments.get_item(&key) {
                    context.insert(key.to_string(), value);
                }
            }
        }
        template.render(Value::from_pairs(context))
    }

    /// The token that begins a text, where there is one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token that ends an answer.
    pub fn eos(&self) -> u32 {
        self.eos
    }

    /// The same as text.
    pub fn eos_text(&self) -> &str {
        self.special.get("eos_token").map_or("", String::as_str)
    }

    /// Tokens of the vocabulary, those that were added included.
    pub fn size(&self) -> usize {
        self.vocabulary.get_vocab_size(true)
    }
}

/// What a row tells its template besides the messages.
#[derive(Clone, Copy, Default)]
pub struct More<'r> {
    /// Tools.
    pub tools: Option<&'r Value>,
    /// Other arguments.
    pub arguments: Option<&'r Value>,
}

/// The object in a JSON file; an empty one where the file is not there.
fn object(path: PathBuf) -> Result<Value, TokenizerError> {
    match open::text(&path) {
        Ok(text) => serde_json::from_str(&text)
            .map_err(|error| TokenizerError::Broken { path, message: format!("it is no JSON: {error}") }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Value::from_pairs([] as [(String, Value); 0])),
        Err(error) => Err(TokenizerError::Read { path, error }),
    }
}

/// A token is written as text, or as an object with its content.
fn token(settings: &Value, name: &str) -> Option<String> {
    let value = settings.get_attr(name).ok()?;
    let content = value.get_attr("content").ok().filter(|content| !content.is_undefined());
    content.unwrap_or(value).as_str().map(str::to_owned)
}

/// The template stands in a file of its own, or in the settings; there it may be one of several with names.
fn template(folder: &Path, settings: &Value) -> Result<Option<Template>, TokenizerError> {
    let path = folder.join("chat_template.jinja");
    let (path, source) = match open::text(&path) {
        Ok(source) => (path, Some(source)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (
            folder.join("tokenizer_config.json"),
            settings.get_attr("chat_template").ok().and_then(|value| written(&value)),
        ),
        Err(error) => return Err(TokenizerError::Read { path, error }),
    };
    let parsed = source.map(|source| Template::new(&source)).transpose();
    let parsed = parsed.map_err(|message| TokenizerError::Broken { path: path.clone(), message })?;
    Ok(parsed.map(|template| template.of_file(&path)))
}

fn written(value: &Value) -> Option<String> {
    if value.kind() != ValueKind::Seq {
        return value.as_str().map(str::to_owned);
    }
    let is_default = |entry: &Value| entry.get_attr("name").is_ok_and(|name| name.as_str() == Some("default"));
    let entry = value.try_iter().ok()?.find(is_default)?;
    entry.get_attr("template").ok()?.as_str().map(str::to_owned)
}
