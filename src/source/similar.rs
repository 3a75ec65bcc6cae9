//! Misspelt names.

/// The candidate that `word` is a misspelling of, if one is close enough.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let scored =
        candidates.into_iter().map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate));
    scored.filter(|(score, _)| *score > 0.84).max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, found)| found)
}
