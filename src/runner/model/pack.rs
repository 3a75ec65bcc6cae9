//! Pairs laid out as rows: every prompt once, then its two answers.

use std::ops::Range;

use super::super::kernels::attention::Group;
use super::super::spec::Pair;

/// Where the scored tokens of a pair stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Of the preferred answer.
    pub chosen: Range<usize>,
    /// Of the other.
    pub rejected: Range<usize>,
    /// Tokens of both answers. One more than is scored where there is no prompt, for nothing predicts the first token.
    pub lengths: [usize; 2],
    /// Tokens before both answers.
    pub prompts: [usize; 2],
}

/// Rows of a batch. There is no padding.
#[derive(Debug, Clone, Default)]
pub struct Pack {
    /// The token of each row.
    pub ids: Vec<u32>,
    /// Its place in its sequence.
    pub positions: Vec<usize>,
    /// A group for each pair, or two where its prompts differ.
    pub groups: Vec<Group>,
    /// The rows that predict a token of an answer.
    pub rows: Vec<usize>,
    /// That token.
    pub targets: Vec<u32>,
    /// For each pair which of `rows` are of which answer.
    pub spans: Vec<Span>,
    /// Tokens of all sequences, prompts counted twice.
    pub tokens: usize,
    /// Tokens of the longest sequence; with what came before, how far positions reach.
    pub reach: usize,
}

impl Pack {
    /// Lays out pairs.
    pub fn new(pairs: &[Pair]) -> Pack {
        let mut pack = Pack::default();
        for pair in pairs {
            pack.push(pair);
        }
        pack
    }

    fn push(&mut self, pair: &Pair) {
        let lengths = [pair.chosen.len(), pair.rejected.len()];
        let prompts = [pair.prompt.len(), pair.rejected_prompt.as_ref().unwrap_or(&pair.prompt).len()];
        let [chosen, rejected] = match &pair.rejected_prompt {
            None => self.group(&pair.prompt, [&pair.chosen, &pair.rejected]),
            Some(other) => {
                let [chosen] = self.group(&pair.prompt, [&pair.chosen]);
                let [rejected] = self.group(other, [&pair.rejected]);
                [chosen, rejected]
            }
        };
        self.spans.push(Span { chosen, rejected, lengths, prompts });
    }

    /// Lays out a prompt with the answers that share it, and says which of `rows` predict each.
    fn group<const N: usize>(&mut self, tokens: &[u32], answers: [&Vec<u32>; N]) -> [Range<usize>; N] {
        let start = self.ids.len();
        self.extend(tokens, 0);
        let prompt = tokens.len();
        self.tokens += answers.iter().map(|answer| prompt + answer.len()).sum::<usize>();
        self.reach = answers.iter().fold(self.reach, |reach, answer| reach.max(prompt + answer.len()));
        let mut lengths = Vec::new();
        let spans = answers.map(|answer| {
            let first = self.ids.len();
            // Nothing is predicted from the last token.
            let inputs = &answer[..answer.len().saturating_sub(1)];
            self.extend(inputs, prompt);
            lengths.push(inputs.len());
            let from = self.rows.len();
            if let (true, Some(&target)) = (prompt > 0, answer.first()) {
                self.rows.push(start + prompt - 1);
                self.targets.push(target);
            }
            self.rows.extend(first..first + inputs.len());
            self.targets.extend(answer.iter().skip(1));
            from..self.rows.len()
        });
        self.groups.push(Group { start, prefix: prompt, answers: lengths });
        spans
    }

    fn extend(&mut self, tokens: &[u32], from: usize) {
        self.ids.extend_from_slice(tokens);
        self.positions.extend(from..from + tokens.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_stands_once_and_predicts_both_answers() {
        let pair = Pair { prompt: vec![1, 2], chosen: vec![3, 4, 5], rejected: vec![6], rejected_prompt: None };
        let pack = Pack::new(&[pair]);
        assert_eq!(pack.ids, [1, 2, 3, 4]);
        assert_eq!(pack.positions, [0, 1, 2, 3]);
        assert_eq!(pack.rows, [1, 2, 3, 1]);
        assert_eq!(pack.targets, [3, 4, 5, 6]);
        assert_eq!(pack.spans, [Span { chosen: 0..3, rejected: 3..4, lengths: [3, 1], prompts: [2, 2] }]);
        assert_eq!(pack.groups, [Group { start: 0, prefix: 2, answers: vec![2, 0] }]);
        assert_eq!((pack.tokens, pack.reach), (8, 5));
    }

    #[test]
    fn nothing_predicts_the_first_token_without_a_prompt() {
        let pair = Pair { prompt: vec![], chosen: vec![3, 4], rejected: vec![6], rejected_prompt: None };
        let pack = Pack::new(&[pair]);
        assert_eq!((pack.rows, pack.targets), (vec![0], vec![4]));
        assert_eq!(pack.spans, [Span { chosen: 0..1, rejected: 1..1, lengths: [2, 1], prompts: [0, 0] }]);
    }
}
