//! Tokens as each TRL release makes them, written down by `fixtures/runner/golden.py`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{read, tokenise};
use crate::runner::tokenizer::Tokenizer;
use crate::runner::{Era, RunSpec, Truncation};

#[derive(serde::Deserialize)]
struct Golden {
    tokens: BTreeMap<String, Option<Vec<Vec<Vec<u32>>>>>,
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/runner")
}

/// What the oracle sets, by the last word of a name.
fn spec(era: Era, drops_full_prompts: bool, word: &str) -> RunSpec {
    let is_long = word == "long";
    let truncation = if word == "end" { Truncation::KeepEnd } else { Truncation::KeepStart };
    let most = if is_long { (512, 256) } else { (40, 24) };
    RunSpec {
        era,
        drops_full_prompts,
        truncation,
        max_length: Some(most.0),
        max_prompt_length: Some(most.1),
        max_completion_length: (!is_long).then_some(20),
        ..RunSpec::default()
    }
}

fn compare(release: &str, era: Era, drops_full_prompts: bool) {
    let path = fixtures().join(format!("golden/trl-{release}.json"));
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).expect("a golden file")).expect("JSON");
    let tokenizer = Tokenizer::load(&fixtures().join("model")).expect("a tokenizer");
    assert_eq!(golden.tokens.len(), 12);
    for (name, expected) in &golden.tokens {
        let (file, word) = name.split_once(' ').expect("a file and a word");
        let rows = read(&fixtures().join(format!("{file}.jsonl"))).expect("rows");
        let pairs = tokenise(&rows, &tokenizer, &spec(era, drops_full_prompts, word)).map(|found| found.pairs);
        let Some(expected) = expected else {
            assert!(pairs.is_err(), "{release}: {name} is refused there");
            continue;
        };
        let pairs = pairs.unwrap_or_else(|error| panic!("{release}: {name}: {error}"));
        assert_eq!(pairs.len(), expected.len(), "{release}: {name}");
        for (at, (pair, expected)) in pairs.into_iter().zip(expected).enumerate() {
            let mut found = vec![pair.prompt, pair.chosen, pair.rejected];
            found.extend(pair.rejected_prompt);
            assert_eq!(&found, expected, "{release}: {name}, row {}", at + 1);
        }
    }
}

#[test]
fn prompt_and_answer_together_by_the_collator() {
    compare("0.11.4", Era::Collator, false);
}

#[test]
fn prompt_and_answers_apart() {
    compare("0.24.0", Era::Separate, false);
}

#[test]
fn prompt_with_answers() {
    compare("0.29.1", Era::Together, false);
}

#[test]
fn prompt_with_answers_from_where_they_differ() {
    compare("1.16.0", Era::CommonPrefix, true);
}
