//! Sets of releases of one package, by their place in the list of releases.

use std::ops::{BitAnd, BitOr, Sub};

/// A set of releases of one package: bit `i` is the `i`-th release, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct ReleaseSet {
    words: Vec<u64>,
}

impl ReleaseSet {
    /// The releases `first..=last`.
    pub fn interval(first: usize, last: usize) -> Self {
        (first..=last).collect()
    }

    /// Adds a release.
    pub fn insert(&mut self, index: usize) {
        let word = index / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (index % 64);
    }

    /// Whether a release is in it.
    pub fn contains(&self, index: usize) -> bool {
        self.words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many releases.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The releases, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        (0..self.words.len() * 64).filter(|index| self.contains(*index))
    }

    /// First and last of each run of neighbours, oldest first.
    pub fn runs(&self) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for index in self.iter() {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == index => *last = index,
                _ => runs.push((index, index)),
            }
        }
        runs
    }

    /// Whether every release of `self` is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        (self - other).is_empty()
    }

    fn zip(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let length = self.words.len().max(other.words.len());
        let word = |set: &Self, at: usize| set.words.get(at).copied().unwrap_or(0);
        let mut words: Vec<u64> = (0..length).map(|at| combine(word(self, at), word(other, at))).collect();
        // No trailing zeros, so that equal sets are equal values.
        while words.last() == Some(&0) {
            words.pop();
        }
        Self { words }
    }
}

impl FromIterator<usize> for ReleaseSet {
    fn from_iter<I: IntoIterator<Item = usize>>(indices: I) -> Self {
        let mut set = Self::default();
        indices.into_iter().for_each(|index| set.insert(index));
        set
    }
}

impl BitAnd for &ReleaseSet {
    type Output = ReleaseSet;
    fn bitand(self, other: Self) -> ReleaseSet {
        self.zip(other, |left, right| left & right)
    }
}

impl BitOr for &ReleaseSet {
    type Output = ReleaseSet;
    fn bitor(self, other: Self) -> ReleaseSet {
        self.zip(other, |left, right| left | right)
    }
}

impl Sub for &ReleaseSet {
    type Output = ReleaseSet;
    fn sub(self, other: Self) -> ReleaseSet {
        self.zip(other, |left, right| left & !right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_algebra() {
        let (low, high) = (ReleaseSet::interval(0, 70), ReleaseSet::interval(60, 130));
        assert_eq!((&low & &high), ReleaseSet::interval(60, 70));
        assert_eq!((&low - &high), ReleaseSet::interval(0, 59));
        assert_eq!((&low | &high).len(), 131);
        assert_eq!((&low - &low), ReleaseSet::default());
        assert_eq!((&high - &low).iter().next(), Some(71));
        assert!((&low & &high).is_subset(&low));
    }
}
