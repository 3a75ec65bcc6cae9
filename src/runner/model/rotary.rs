//! Rotary positions as transformers computes them: how fast each pair of numbers of a head turns.

use std::borrow::Cow;
use std::f64::consts::PI;

use serde_json::Value;

use super::super::error::RunError;
use super::config::{Family, Keys};

/// How positions turn heads.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    /// One frequency for each pair of numbers that is turned; empty where positions are learned.
    frequencies: Vec<f32>,
    /// What takes their place in longer sequences.
    beyond: Option<Beyond>,
    /// What sines and cosines are multiplied with.
    pub scale: f32,
}

/// From where on other frequencies are used.
#[derive(Debug, Clone, PartialEq)]
enum Beyond {
    /// These, for every sequence that is longer (`longrope`).
    Fixed { from: usize, frequencies: Vec<f32> },
    /// The slower, the longer it is (`dynamic`).
    Growing { from: usize, factor: f64, theta: f64, turned: usize },
}

impl Rotary {
    /// Of a model with learned positions.
    pub fn none() -> Rotary {
        Rotary { frequencies: Vec::new(), beyond: None, scale: 1.0 }
    }

    /// Whether positions turn anything.
    pub fn is_none(&self) -> bool {
        self.frequencies.is_empty()
    }

    /// The frequencies for sequences that reach so far.
    pub fn frequencies(&self, reach: usize) -> Cow<'_, [f32]> {
        match &self.beyond {
            Some(Beyond::Fixed { from, frequencies }) if reach > *from => Cow::Borrowed(frequencies),
            Some(Beyond::Growing { from, factor, theta, turned }) if reach > *from => {
                let (from, factor, theta, turned) = (*from, *factor, *theta, *turned);
                let growth = (factor * reach as f64 / from as f64) as f32 - (factor - 1.0) as f32;
                let theta = theta as f32 * growth.powf((turned as f64 / (turned as f64 - 2.0)) as f32);
                Cow::Owned(plain(theta, turned).collect())
            }
            _ => Cow::Borrowed(&self.frequencies),
        }
    }

    /// What a batch with sequences of `longest` reaches after batches that reached `before`: growing frequencies stay as slow as
    /// they were until all sequences are short again.
    pub fn reach(&self, before: usize, longest: usize) -> usize {
        match self.beyond {
            Some(Beyond::Growing { from, .. }) if longest >= from => longest.max(before),
            _ => longest,
        }
    }
}

/// The keys about positions. transformers 5 nests all of them in `rope_parameters`.
struct Parameters<'a> {
    keys: &'a Keys<'a>,
    place: &'static str,
    nested: &'a Value,
    family: Family,
}

impl Parameters<'_> {
    fn number(&self, key: &str) -> Option<f64> {
        self.nested.get(key).and_then(Value::as_f64)
    }

    /// A number that counts as missing where it is 0.
    fn positive(&self, key: &str) -> Option<f64> {
        self.number(key).filter(|number| *number != 0.0)
    }

    fn need(&self, key: &str) -> Result<f64, RunError> {
        self.number(key).ok_or_else(|| self.keys.wrong(self.place, format!("`{key}` is missing")))
    }

    /// A number that older files have beside the others.
    fn beside(&self, key: &str, otherwise: f64) -> Result<f64, RunError> {
        match self.number(key) {
            Some(number) => Ok(number),
            None => Ok(self.keys.number(key)?.unwrap_or(otherwise)),
        }
    }

    /// As many factors as pairs of numbers are turned.
    fn factors(&self, key: &str, pairs: usize) -> Result<Vec<f32>, RunError> {
        let list = self.nested.get(key).and_then(Value::as_array);
        let factors: Vec<f32> = list.into_iter().flatten().filter_map(|one| Some(one.as_f64()? as f32)).collect();
        if factors.len() == pairs {
            return Ok(factors);
        }
        Err(self.keys.wrong(self.place, format!("`{key}` has {} factors, not {pairs}", factors.len())))
    }

    /// Positions that the model is made for, and those that it was trained with at first.
    fn positions(&self) -> Result<[usize; 2], RunError> {
        let most = self.keys.size_or_none("max_position_embeddings")?;
        let most = most.unwrap_or(match self.family {
            Family::Llama | Family::Gpt2 => 2048,
            Family::Mistral => 131_072,
            Family::Qwen2 | Family::Qwen3 => 32_768,
            Family::Gemma2 => 8192,
            Family::Phi3 => 4096,
        });
        let own = if self.family == Family::Phi3 { Some(4096) } else { None };
        #[expect(clippy::cast_sign_loss, reason = "a number of positions")]
        let nested = self.number("original_max_position_embeddings").map(|number| number as usize);
        let first = self.keys.size_or_none("original_max_position_embeddings")?.or(own).or(nested);
        Ok([most, first.unwrap_or(most)])
    }

    fn kind(&self) -> &str {
        let kind = self.nested.get("rope_type").or_else(|| self.nested.get("type")).and_then(Value::as_str);
        match kind.unwrap_or("default") {
            // What the first files of Phi-3 call it.
            "su" | "yarn" if self.family == Family::Phi3 => "longrope",
            kind => kind,
        }
    }
}

/// Reads how positions turn heads that are `head` wide.
pub(super) fn rotary(keys: &Keys<'_>, family: Family, head: usize) -> Result<Rotary, RunError> {
    let place = if keys.get("rope_parameters").is_some() { "rope_parameters" } else { "rope_scaling" };
    let nested = keys.get(place).unwrap_or(&Value::Null);
    let all = Parameters { keys, place, nested, family };
    let theta = all.beside("rope_theta", 10_000.0)?;
    let share = all.beside("partial_rotary_factor", 1.0)?;
    if !(0.0..=1.0).contains(&share) {
        return Err(keys.wrong("partial_rotary_factor", format!("{share} is no share")));
    }
    #[expect(clippy::cast_sign_loss, reason = "a share of a size")]
    let turned = (head as f64 * share) as usize;
    let usual = plain(theta as f32, turned);
    let fixed = |frequencies| Rotary { frequencies, beyond: None, scale: 1.0 };
    match all.kind() {
        "default" => Ok(fixed(usual.collect())),
        "linear" => {
            let factor = all.need("factor")? as f32;
            Ok(fixed(usual.map(|frequency| frequency / factor).collect()))
        }
        "llama3" => {
            let (factor, old) = (all.need("factor")? as f32, all.positions()?[1] as f32);
            let (low, high) = (all.need("low_freq_factor")? as f32, all.need("high_freq_factor")? as f32);
            Ok(fixed(usual.map(|frequency| llama3(frequency, factor, [low, high], old)).collect()))
        }
        "dynamic" => {
            let (factor, from) = (all.need("factor")?, all.positions()?[0]);
            let beyond = Some(Beyond::Growing { from, factor, theta, turned });
            Ok(Rotary { beyond, ..fixed(usual.collect()) })
        }
        "yarn" => yarn(&all, theta, turned),
        "longrope" => longrope(&all, theta, turned),
        // All of the head is turned, a part of it by nothing.
        "proportional" => {
            let factor = all.number("factor").unwrap_or(1.0) as f32;
            let frequency = |at| if at < turned / 2 { power(theta as f32, at, head).recip() / factor } else { 0.0 };
            Ok(fixed((0..head / 2).map(frequency).collect()))
        }
        other => Err(keys.wrong(place, format!("the kind {other} is not implemented"))),
    }
}

/// `theta` to the power of the share that a pair has of all numbers.
fn power(theta: f32, at: usize, numbers: usize) -> f32 {
    theta.powf(2.0 * at as f32 / numbers as f32)
}

/// The frequencies of a model that was never stretched.
fn plain(theta: f32, turned: usize) -> impl Iterator<Item = f32> {
    (0..turned / 2).map(move |at| 1.0 / power(theta, at, turned))
}

/// Slow frequencies are divided, fast ones kept, those between are mixed.
fn llama3(frequency: f32, factor: f32, [low, high]: [f32; 2], old: f32) -> f32 {
    let length = 2.0 * std::f32::consts::PI / frequency;
    if length > old / low {
        frequency / factor
    } else if length < old / high {
        frequency
    } else {
        let smooth = (old / length - low) / (high - low);
        (1.0 - smooth) * frequency / factor + smooth * frequency
    }
}

/// Frequencies that turn often within the first positions are kept, those that turn seldom are divided.
fn yarn(all: &Parameters<'_>, theta: f64, turned: usize) -> Result<Rotary, RunError> {
    let [most, first] = all.positions()?;
    let factor = all.number("factor").unwrap_or(most as f64 / first as f64);
    let longer = |weight: f64| if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 };
    let scale = match (all.number("attention_factor"), all.positive("mscale"), all.positive("mscale_all_dim")) {
        (Some(scale), ..) => scale,
        (None, Some(one), Some(all)) => longer(one) / longer(all),
        _ => longer(1.0),
    };
    let bound = |key: &str, turns: f64| {
        let turns = all.positive(key).unwrap_or(turns);
        turned as f64 * (first as f64 / (turns * 2.0 * PI)).ln() / (2.0 * theta.ln())
    };
    let (mut low, mut high) = (bound("beta_fast", 32.0), bound("beta_slow", 1.0));
    if all.nested.get("truncate").and_then(Value::as_bool).unwrap_or(true) {
        (low, high) = (low.floor(), high.ceil());
    }
    let (low, mut high) = (low.max(0.0), high.min(turned as f64 - 1.0));
    if low >= high && high >= low {
        high += 0.001;
    }
    let mix = |at: usize| {
        let power = power(theta as f32, at, turned);
        let keep = 1.0 - ((at as f32 - low as f32) / (high - low) as f32).clamp(0.0, 1.0);
        1.0 / (factor as f32 * power) * (1.0 - keep) + 1.0 / power * keep
    };
    Ok(Rotary { frequencies: (0..turned / 2).map(mix).collect(), beyond: None, scale: scale as f32 })
}

/// Every frequency has a factor of its own, and another one in long sequences.
fn longrope(all: &Parameters<'_>, theta: f64, turned: usize) -> Result<Rotary, RunError> {
    let [most, from] = all.positions()?;
    let factor = all.number("factor").unwrap_or(most as f64 / from as f64);
    let usual = if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / (from as f64).ln()).sqrt() };
    let divided = |key| -> Result<Vec<f32>, RunError> {
        let factors = all.factors(key, turned / 2)?.into_iter().enumerate();
        Ok(factors.map(|(at, factor)| 1.0 / (factor * power(theta as f32, at, turned))).collect())
    };
    Ok(Rotary {
        frequencies: divided("short_factor")?,
        beyond: Some(Beyond::Fixed { from, frequencies: divided("long_factor")? }),
        scale: all.number("attention_factor").unwrap_or(usual) as f32,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_frequencies_stay_until_all_is_short_again() {
        let beyond = Some(Beyond::Growing { from: 8, factor: 2.0, theta: 100.0, turned: 8 });
        let rotary = Rotary { frequencies: plain(100.0, 8).collect(), beyond, scale: 1.0 };
        let mut reached = Vec::new();
        let mut reach = 0;
        for longest in [5, 12, 8, 10, 13, 7, 9] {
            reach = rotary.reach(reach, longest);
            reached.push(reach);
        }
        assert_eq!(reached, [5, 12, 12, 12, 13, 7, 9]);
        assert!(rotary.frequencies(12)[3] < rotary.frequencies(9)[3]);
        assert_eq!(rotary.frequencies(8), rotary.frequencies(1));
    }
}
