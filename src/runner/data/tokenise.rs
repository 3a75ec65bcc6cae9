//! Rows become tokens, as the TRL release in effect does it.

use minijinja::Value;

use super::{BadRow, DataError, Place, Row, Text, cut};
use crate::runner::model::Pack;
use crate::runner::tokenizer::{More, Tokenizer};
use crate::runner::{Era, Model, Pair, Quirks, RunError, RunSpec, Truncation};

/// After so many bad rows the others are not looked at.
const MOST_BAD: usize = 100;

/// What became of the rows of a file.
#[derive(Debug, Default)]
pub struct Tokenised {
    /// The pairs, in the order of the file; too long ones are cut later, in their batch.
    pub pairs: Vec<Pair>,
    /// Where the row of each pair stands.
    pub places: Vec<Place>,
    /// Rows that the trainer drops, since their prompt leaves no room for an answer.
    pub dropped: usize,
    /// Rows of which tokens are lost at the end of the prompt, since they merge with the answer.
    pub mismatched: usize,
}

impl Tokenised {
    /// Refuses rows that the model cannot take even when they are cut: tokens that it does not know, or too many of them.
    pub fn check(&self, model: &Model, spec: &RunSpec) -> Result<(), DataError> {
        let reason = |pair: &Pair| match model.check(&Pack::new(&cut(std::iter::once(pair), spec))) {
            Ok(()) => None,
            Err(RunError::Row(reason)) => Some(reason),
            Err(other) => Some(other.to_string()),
        };
        let rows = self.pairs.iter().zip(&self.places);
        let bad = rows.filter_map(|(pair, place)| Some(BadRow { reason: reason(pair)?, place: place.clone() }));
        let bad: Vec<BadRow> = bad.collect();
        if bad.is_empty() { Ok(()) } else { Err(DataError::Unfit(bad)) }
    }
}

/// Tokenises all rows. A row that stops the trainer is an error.
pub fn tokenise(rows: &[Row], tokenizer: &Tokenizer, spec: &RunSpec) -> Result<Tokenised, DataError> {
    if spec.quirks.needs_start && tokenizer.bos().is_none() {
        return Err(DataError::NoStart);
    }
    let mut tokenised = Tokenised::default();
    let mut bad = Vec::new();
    // Newer releases look at the first row only, and take all others to be like it.
    let is_implicit = rows.first().is_some_and(|row| row.prompt.is_none());
    for row in rows {
        match Texts::of(row, spec.era, is_implicit).and_then(|texts| texts.tokenise(row, tokenizer, spec)) {
            Ok(Some(one)) => {
                tokenised.mismatched += usize::from(one.is_mismatched);
                tokenised.pairs.push(one.pair);
                tokenised.places.push(row.place.clone());
            }
            Ok(None) => tokenised.dropped += 1,
            Err(reason) => bad.push(BadRow { place: row.place.clone(), reason }),
        }
        // A template that never ends takes its time for each of them.
        if bad.len() >= MOST_BAD {
            break;
        }
    }
    match (bad.is_empty(), tokenised.pairs.is_empty()) {
        (false, _) => Err(DataError::Rows(bad)),
        (true, true) => Err(DataError::AllDropped(rows.len())),
        (true, false) => Ok(tokenised),
    }
}

struct One {
    pair: Pair,
    is_mismatched: bool,
}

/// A row whose prompt is known.
enum Texts {
    Plain { prompt: String, chosen: String, rejected: String },
    Conversation { prompt: Vec<Value>, chosen: Vec<Value>, rejected: Vec<Value> },
}

impl Texts {
    fn of(row: &Row, era: Era, is_implicit: bool) -> Result<Texts, String> {
        if era == Era::Collator && row.chosen.is_conversation() {
            return Err(String::from("is a conversation, which this release of TRL does not take: it wants text"));
        }
        match (&row.prompt, &row.chosen, &row.rejected) {
            (None, ..) if era == Era::Collator => {
                Err(String::from("has no `prompt`, which this release of TRL does not extract from the answers"))
            }
            (None, ..) if era >= Era::Together && !is_implicit => {
                Err(String::from("has no `prompt`, though the first row has one"))
            }
            (Some(Text::Plain(prompt)), Text::Plain(chosen), Text::Plain(rejected)) => {
                Ok(Texts::Plain { prompt: prompt.clone(), chosen: chosen.clone(), rejected: rejected.clone() })
            }
            (Some(Text::Messages(prompt)), Text::Messages(chosen), Text::Messages(rejected)) => {
                Ok(Texts::Conversation { prompt: prompt.clone(), chosen: chosen.clone(), rejected: rejected.clone() })
            }
            (Some(Text::Plain(_)), ..) if era >= Era::Together => {
                Err(String::from("has text for `prompt` and messages for its answers"))
            }
            (Some(Text::Messages(_)), ..) => Err(String::from("has messages for `prompt` and text for its answers")),
            // A prompt beside conversations that hold it, too, is passed over.
            (_, Text::Messages(chosen), Text::Messages(rejected)) => {
                let (at, other) = extracted(chosen, rejected, |_| false)?;
                Ok(Texts::Conversation {
                    prompt: chosen[..at].to_vec(),
                    chosen: chosen[at..].to_vec(),
                    rejected: rejected[other..].to_vec(),
                })
            }
            (_, Text::Plain(chosen), Text::Plain(rejected)) => {
                let letters = |text: &str| -> Vec<char> { text.chars().collect() };
                let (chosen, rejected) = (letters(chosen), letters(rejected));
                let (at, other) = extracted(&chosen, &rejected, |letter| *letter == ' ')?;
                Ok(Texts::Plain {
                    prompt: chosen[..at].iter().collect(),
                    chosen: chosen[at..].iter().collect(),
                    rejected: rejected[other..].iter().collect(),
                })
            }
            _ => Err(String::from("mixes text and messages")),
        }
    }

    fn tokenise(self, row: &Row, tokenizer: &Tokenizer, spec: &RunSpec) -> Result<Option<One>, String> {
        let encoder =
            Encoder { tokenizer, more: More { tools: row.tools.as_ref(), arguments: row.template_arguments.as_ref() } };
        match spec.era {
            Era::Collator => encoder.collated(self, spec).map(Some),
            Era::Separate => encoder.apart(self, spec).map(Some),
            Era::Together | Era::CommonPrefix => {
                let one = encoder.together(self, spec.era)?;
                let is_full =
                    spec.drops_full_prompts && spec.max_length.is_some_and(|most| one.pair.prompt.len() >= most);
                Ok((!is_full || spec.truncation != Truncation::KeepStart).then_some(one))
            }
        }
    }
}

/// Where the two answers begin, after what they have in common; of two equal ones that is all but the last, as the trainer's loop
/// leaves it.
fn extracted<T: PartialEq>(
    chosen: &[T],
    rejected: &[T],
    is_space: impl Fn(&T) -> bool,
) -> Result<(usize, usize), String> {
    let shorter = chosen.len().min(rejected.len());
    let Some(last) = shorter.checked_sub(1) else { return Err(String::from("has an answer without text")) };
    Ok(match chosen.iter().zip(rejected).position(|(one, other)| one != other) {
        None => (last, last),
        // The trainer looks at the place before the first one, which is the last one in Python.
        Some(0) if chosen.last().is_some_and(&is_space) => (chosen.len() - 1, rejected.len() - 1),
        Some(0) => (0, 0),
        Some(at) => {
            let at = at - usize::from(is_space(&chosen[at - 1]));
            (at, at)
        }
    })
}

struct Encoder<'r> {
    tokenizer: &'r Tokenizer,
    more: More<'r>,
}

impl Encoder<'_> {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        self.tokenizer.encode(text, false)
    }

    fn collated(&self, texts: Texts, spec: &RunSpec) -> Result<One, String> {
        let Texts::Plain { prompt, chosen, rejected } = texts else { return Err(String::from("is a conversation")) };
        let Quirks { keeps_merged, repeats_marks, tokenises_parts, .. } = spec.quirks;
        let answer = |answer: &str| {
            if tokenises_parts { self.part(&prompt, answer) } else { self.answer(&prompt, answer, keeps_merged) }
        };
        let (mut chosen, mut rejected) = (answer(&chosen)?, answer(&rejected)?);
        let differ = chosen.0.iter().zip(&rejected.0).filter(|(one, other)| one != other).count();
        if differ > 1 || chosen.0.len().abs_diff(rejected.0.len()) > 1 {
            return Err(String::from(
                "has a prompt whose tokens differ in more than the last one with the two answers",
            ));
        }
        let is_mismatched = chosen.0 != rejected.0;
        for (prompt, answer) in [&mut chosen, &mut rejected] {
            let bos = self.tokenizer.bos().filter(|_| !tokenises_parts);
            if let Some(bos) = bos.filter(|bos| repeats_marks || prompt.first() != Some(bos)) {
                prompt.insert(0, bos);
            }
            if repeats_marks || answer.last() != Some(&self.tokenizer.eos()) {
                answer.push(self.tokenizer.eos());
            }
        }
        let longer = chosen.1.len().max(rejected.1.len());
        let is_long = |prompt: &Vec<u32>| spec.max_length.is_some_and(|most| prompt.len() + longer > most);
        for (prompt, answer) in [&mut chosen, &mut rejected] {
            let most = spec.max_prompt_length.unwrap_or(prompt.len());
            if is_long(prompt) && spec.truncation == Truncation::KeepStart {
                prompt.truncate(most);
            } else if is_long(prompt) {
                prompt.drain(..prompt.len().saturating_sub(most));
            }
            if is_long(prompt) {
                answer.truncate(spec.max_length.unwrap_or(usize::MAX).saturating_sub(most));
            }
        }
        let rejected_prompt = (rejected.0 != chosen.0).then_some(rejected.0);
        let pair = Pair { prompt: chosen.0, chosen: chosen.1, rejected: rejected.1, rejected_prompt };
        Ok(One { pair, is_mismatched })
    }

    /// The tokens of a prompt and of an answer that were tokenised together. Where the last token of the prompt merges with the
    /// answer, it is taken for a part of neither, or of the answer.
    fn answer(&self, prompt: &str, answer: &str, keeps_merged: bool) -> Result<(Vec<u32>, Vec<u32>), String> {
        let whole = self.encode(&format!("{prompt}{answer}"))?;
        let alone = self.encode(prompt)?;
        let end = alone.len().min(whole.len());
        let is_prefix = whole[..end] == alone[..];
        let start = if is_prefix { alone.len() } else { alone.len().saturating_sub(1).min(whole.len()) };
        Ok((whole[..start].to_vec(), whole[if keeps_merged { start } else { end }..].to_vec()))
    }

    /// The tokens of a prompt and of an answer, each for itself. What ends answers must not stand in them: the first releases stop
    /// then, and the next ones hide it from attention, which is not implemented.
    fn part(&self, prompt: &str, answer: &str) -> Result<(Vec<u32>, Vec<u32>), String> {
        let (prompt, answer) = (self.encode(prompt)?, self.encode(answer)?);
        if prompt.iter().chain(&answer).any(|token| *token == self.tokenizer.eos()) {
            return Err(String::from("has the end-of-sequence token in its text, which this release refuses or hides"));
        }
        Ok((prompt, answer))
    }

    fn apart(&self, texts: Texts, spec: &RunSpec) -> Result<One, String> {
        let (prompt, chosen, rejected) = match texts {
            Texts::Plain { prompt, chosen, rejected } => (prompt, chosen, rejected),
            Texts::Conversation { prompt, chosen, rejected } => self.written(&prompt, &chosen, &rejected)?,
        };
        let mut prompt = self.encode(&prompt)?;
        if let Some(most) = spec.max_prompt_length {
            prompt.drain(..prompt.len().saturating_sub(most));
        }
        let answer = |text: &str| {
            let mut tokens = self.encode(text)?;
            tokens.push(self.tokenizer.eos());
            tokens.truncate(spec.max_completion_length.unwrap_or(usize::MAX));
            Ok::<_, String>(tokens)
        };
        let (chosen, rejected) = (answer(&chosen)?, answer(&rejected)?);
        Ok(One { pair: Pair { prompt, chosen, rejected, rejected_prompt: None }, is_mismatched: false })
    }

    /// The texts of a conversation, the prompt as far as both answers go on from it.
    fn written(
        &self,
        prompt: &[Value],
        chosen: &[Value],
        rejected: &[Value],
    ) -> Result<(String, String, String), String> {
        let role = prompt.last().and_then(|message| message.get_attr("role").ok());
        let mut before = match role.as_ref().and_then(Value::as_str) {
            Some("user") => self.tokenizer.render(prompt, true, &self.more)?,
            Some("assistant") => self.continued(prompt)?,
            Some(other) => return Err(format!("has a prompt that ends with a message of `{other}`")),
            None => return Err(String::from("has a prompt without messages")),
        };
        let with = |answer: &[Value]| self.tokenizer.render(&[prompt, answer].concat(), false, &self.more);
        let (with_chosen, with_rejected) = (with(chosen)?, with(rejected)?);
        let common = |one: &str, other: &str| -> usize {
            let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other);
            same.map(|(letter, _)| letter.len_utf8()).sum()
        };
        before.truncate(common(&before, &with_chosen));
        let chosen = with_chosen[before.len()..].to_owned();
        before.truncate(common(&before, &with_rejected));
        let rejected = with_rejected[before.len()..].to_owned();
        Ok((before, chosen, rejected))
    }

    /// A prompt whose last message the answer goes on with: what the template writes after it is left out.
    fn continued(&self, prompt: &[Value]) -> Result<String, String> {
        let mut text = self.tokenizer.render(prompt, false, &self.more)?;
        let content = prompt.last().and_then(|message| message.get_attr("content").ok());
        let Some(last) = content.as_ref().and_then(Value::as_str) else {
            return Err(String::from("has a prompt whose last message is no text"));
        };
        let Some(at) = text.rfind(last.trim()) else {
            return Err(String::from("has a last message that its chat template changes"));
        };
        let end = at + last.trim_start().len();
        let is_whole = text.get(at..end) == Some(last.trim_start());
        text.truncate(if is_whole { end } else { at + last.trim().len() });
        Ok(text)
    }

    fn together(&self, texts: Texts, era: Era) -> Result<One, String> {
        let (prompt, chosen, rejected) = match texts {
            Texts::Plain { prompt, chosen, rejected } => {
                let eos = self.tokenizer.eos_text();
                let with = |answer: String| {
                    let end = if answer.ends_with(eos) { "" } else { eos };
                    self.tokenizer.encode(&format!("{prompt}{answer}{end}"), true)
                };
                (self.tokenizer.encode(&prompt, true)?, with(chosen)?, with(rejected)?)
            }
            Texts::Conversation { prompt, chosen, rejected } => {
                let with = |answer: &[Value]| {
                    self.encode(&self.tokenizer.render(&[&prompt[..], answer].concat(), false, &self.more)?)
                };
                let alone = self.encode(&self.tokenizer.render(&prompt, true, &self.more)?)?;
                (alone, with(&chosen)?, with(&rejected)?)
            }
        };
        let common = |whole: &[u32]| prompt.iter().zip(whole).take_while(|(one, other)| one == other).count();
        let shared = common(&chosen).min(common(&rejected));
        let start = if era == Era::Together { prompt.len() } else { shared };
        let after = |whole: &[u32]| whole.get(start..).unwrap_or_default().to_vec();
        let (chosen, rejected) = (after(&chosen), after(&rejected));
        let is_mismatched = shared < prompt.len();
        let prompt = prompt[..start].to_vec();
        Ok(One { pair: Pair { prompt, chosen, rejected, rejected_prompt: None }, is_mismatched })
    }
}
