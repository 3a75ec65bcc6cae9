//! A tokenizer that is made on the spot, for a run without a model at hand.

use std::collections::BTreeMap;

use tokenizers::AddedToken;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::data::{Row, Text};
use super::template::Template;
use super::tokenizer::Tokenizer;

/// Tokens of the vocabulary: each byte, the most frequent pieces of the rows, and the special ones.
const SIZE: usize = 512;

/// How many rows the pieces are counted in.
const COUNTED: usize = 2000;

const TEMPLATE: &str = "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}</s>\n{% endfor %}\
                        {% if add_generation_prompt %}<|assistant|>\n{% endif %}";

/// A byte-level tokenizer whose pieces are those of the rows.
pub fn tokenizer(rows: &[Row]) -> Result<Tokenizer, String> {
    let special = [("bos_token", "<s>"), ("eos_token", "</s>"), ("pad_token", "<pad>")];
    let mut vocabulary = tokenizers::Tokenizer::new(BPE::default());
    vocabulary.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    vocabulary.with_decoder(Some(ByteLevel::default()));
    let trainer = BpeTrainerBuilder::new()
        .vocab_size(SIZE)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(special.iter().map(|(_, token)| AddedToken::from(*token, true)).collect())
        .build();
    let texts: Vec<String> = rows.iter().take(COUNTED).flat_map(texts).collect();
    vocabulary.train(&mut TrainerWrapper::from(trainer), texts.into_iter()).map_err(|error| error.to_string())?;
    let special: BTreeMap<&'static str, String> =
        special.iter().map(|(name, token)| (*name, (*token).to_owned())).collect();
    let template = Template::new(TEMPLATE)?;
    Tokenizer::new(vocabulary, special, Some(template)).map_err(|()| String::from("the tokenizer has no end"))
}

fn texts(row: &Row) -> Vec<String> {
    let mut texts = Vec::new();
    for text in row.prompt.iter().chain([&row.chosen, &row.rejected]) {
        match text {
            Text::Plain(text) => texts.push(text.clone()),
            Text::Messages(messages) => {
                let contents = messages.iter().filter_map(|message| message.get_attr("content").ok());
                texts.extend(contents.filter_map(|content| content.as_str().map(str::to_owned)));
            }
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::runner::data::{SAMPLE, parse};

    #[test]
    fn every_text_can_be_tokenised() {
        let rows = parse(Path::new("sample.jsonl"), SAMPLE).expect("rows");
        let tokenizer = tokenizer(&rows).expect("a tokenizer");
        assert!(tokenizer.size() <= SIZE);
        let tokens = tokenizer.encode("Question: 日本 what is?</s>", false).expect("tokens");
        assert_eq!(tokens.last(), Some(&tokenizer.eos()));
        // Frequent words are pieces of their own.
        assert!(tokenizer.encode("Question: What is", false).expect("tokens").len() < 8);
    }
}
