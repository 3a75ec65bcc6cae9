//! Tokens as each TRL release makes them, written down by `fixtures/runner/golden.py`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{DataError, read, tokenise};
use crate::runner::tokenizer::Tokenizer;
use crate::runner::{Era, Quirks, RunSpec, Truncation};

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

/// The row of the plain file that has the end of an answer within it.
const WITH_END: usize = 17;

fn compare(release: &str, era: Era, drops_full_prompts: bool) {
    compare_with(release, era, drops_full_prompts, Quirks::default(), 12);
}

fn compare_with(release: &str, era: Era, drops_full_prompts: bool, quirks: Quirks, count: usize) {
    let path = fixtures().join(format!("golden/trl-{release}.json"));
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).expect("a golden file")).expect("JSON");
    let tokenizer = Tokenizer::load(&fixtures().join("model")).expect("a tokenizer");
    assert_eq!(golden.tokens.len(), count);
    for (name, expected) in &golden.tokens {
        let (file, word) = name.split_once(' ').expect("a file and a word");
        let mut rows = read(&fixtures().join(format!("{file}.jsonl"))).expect("rows");
        let mut expected = expected.clone();
        if quirks.tokenises_parts {
            // Such a row is refused.
            rows.remove(WITH_END);
            expected.as_mut().expect("rows").remove(WITH_END);
        }
        let spec = RunSpec { quirks, ..spec(era, drops_full_prompts, word) };
        let pairs = tokenise(&rows, &tokenizer, &spec).map(|found| found.pairs);
        let Some(expected) = expected else {
            assert!(pairs.is_err(), "{release}: {name} is refused there");
            continue;
        };
        let pairs = pairs.unwrap_or_else(|error| panic!("{release}: {name}: {error}"));
        assert_eq!(pairs.len(), expected.len(), "{release}: {name}");
        for (at, (pair, expected)) in pairs.into_iter().zip(expected).enumerate() {
            let mut found = vec![pair.prompt, pair.chosen, pair.rejected];
            found.extend(pair.rejected_prompt);
            assert_eq!(found, expected, "{release}: {name}, row {}", at + 1);
        }
    }
}

#[test]
fn prompt_and_answers_apart_by_the_collator() {
    let quirks = Quirks { tokenises_parts: true, ..Quirks::default() };
    compare_with("0.7.4", Era::Collator, false, quirks, 3);
    // These releases refuse the end of an answer within it, or hide it.
    let mut rows = read(&fixtures().join("plain.jsonl")).expect("rows");
    let row = rows.remove(WITH_END);
    rows.truncate(3);
    rows.push(row);
    let tokenizer = Tokenizer::load(&fixtures().join("model")).expect("a tokenizer");
    let spec = RunSpec { quirks, ..spec(Era::Collator, false, "long") };
    let error = tokenise(&rows, &tokenizer, &spec).expect_err("refused").to_string();
    assert!(error.contains("plain.jsonl:18: has the end-of-sequence token in its text"), "{error}");
}

/// Run with 0.8.6 and 0.9.6, which end in a `TypeError`, and with 0.10.1, which does not.
#[test]
fn some_releases_need_a_token_for_the_beginning() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = |name: &str| std::fs::copy(fixtures().join("model").join(name), folder.path().join(name));
    copy("tokenizer.json").expect("a file");
    std::fs::write(folder.path().join("tokenizer_config.json"), r#"{"eos_token": "</s>"}"#).expect("a file");
    let tokenizer = Tokenizer::load(folder.path()).expect("a tokenizer");
    let rows = read(&fixtures().join("plain.jsonl")).expect("rows");
    let spec = spec(Era::Collator, false, "long");
    let pairs = tokenise(&rows, &tokenizer, &spec).expect("pairs").pairs;
    assert_ne!(pairs[0].prompt[0], 0);
    let quirks = Quirks { needs_start: true, ..Quirks::default() };
    let error = tokenise(&rows, &tokenizer, &RunSpec { quirks, ..spec.clone() }).expect_err("refused");
    assert!(matches!(error, DataError::NoStart), "{error}");
    copy("tokenizer_config.json").expect("a file");
    let tokenizer = Tokenizer::load(folder.path()).expect("a tokenizer");
    assert!(tokenise(&rows, &tokenizer, &RunSpec { quirks, ..spec }).is_ok());
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
