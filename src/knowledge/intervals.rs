//! Release intervals as text, in the form of the files (`0.7.11 - 0.27.2, 0.28.0 -`) and in that of what is built in.
//!
//! What is built in names releases by their place in the list (`#17-64,#66-`): a check reads some ten thousand intervals, and to
//! look versions up takes longer than all the rest of reading them. `build.rs` uses this file too.

/// Stands before an interval of places.
const PLACES: char = '#';

/// The two ends of an interval of versions; an open end is empty.
pub fn ends(interval: &str) -> (&str, &str) {
    match interval.split_once(' ') {
        None if interval == "-" => ("", ""),
        None => (interval, interval),
        Some((first, last)) => {
            (if first == "-" { "" } else { first }, last.strip_prefix("- ").unwrap_or(last.trim_start_matches('-')))
        }
    }
}

/// The same intervals with places instead of versions; one with a version that has no place stays as it is.
#[allow(dead_code, reason = "build.rs uses it")]
pub fn placed(intervals: &str, place: impl Fn(&str) -> Option<usize>) -> String {
    let end = |version: &str| match version {
        "" => Some(String::new()),
        version => place(version).map(|place| place.to_string()),
    };
    let one = |interval: &str| {
        let (first, last) = ends(interval);
        let (from, to) = (end(first)?, end(last)?);
        Some(if !first.is_empty() && first == last {
            format!("{PLACES}{from}")
        } else {
            format!("{PLACES}{from}-{to}")
        })
    };
    let all = intervals.split(',').map(str::trim_ascii).filter(|interval| !interval.is_empty());
    all.map(|interval| one(interval).unwrap_or_else(|| interval.to_owned())).collect::<Vec<_>>().join(",")
}

/// The ends of an interval of places, `None` for one that is open; `None` for an interval of versions.
pub fn places(interval: &str) -> Option<(Option<usize>, Option<usize>)> {
    next_places(&mut interval.as_bytes())
}

/// Whether a place is in one of these intervals; `None` where that takes one of versions to tell. In one pass, since it is asked
/// for every fact.
#[allow(dead_code, reason = "build.rs does not use it")]
pub fn contain(intervals: &str, place: usize) -> Option<bool> {
    let mut text = intervals.as_bytes();
    while !text.is_empty() {
        let (first, last) = next_places(&mut text)?;
        if first.is_none_or(|first| first <= place) && last.is_none_or(|last| place <= last) {
            return Some(true);
        }
        text = text.strip_prefix(b",").unwrap_or(text);
    }
    Some(false)
}

/// Takes an interval of places off the start of a text.
fn next_places(text: &mut &[u8]) -> Option<(Option<usize>, Option<usize>)> {
    *text = text.strip_prefix(&[PLACES as u8])?;
    let first = number(text);
    let Some(rest) = text.strip_prefix(b"-") else { return Some((first, first)) };
    *text = rest;
    Some((first, number(text)))
}

/// Takes a number off the start of a text.
fn number(text: &mut &[u8]) -> Option<usize> {
    let mut number = None;
    while let [digit @ b'0'..=b'9', rest @ ..] = *text {
        number = Some(number.unwrap_or(0) * 10 + usize::from(digit - b'0'));
        *text = rest;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_say_what_versions_say() {
        let versions = ["0.2", "0.9", "0.10", "1.0"];
        let place = |version: &str| versions.iter().position(|one| *one == version);
        for (text, packed, read) in [
            ("", "", &[][..]),
            ("-", "#-", &[(None, None)]),
            ("- 0.9", "#-1", &[(None, Some(1))]),
            ("0.10", "#2", &[(Some(2), Some(2))]),
            ("0.2 - 0.9, 1.0 -", "#0-1,#3-", &[(Some(0), Some(1)), (Some(3), None)]),
        ] {
            assert_eq!(placed(text, place), packed);
            assert_eq!(packed.split(',').filter_map(places).collect::<Vec<_>>(), read, "{text}");
            for at in 0..versions.len() {
                let holds = |(first, last): &(Option<usize>, Option<usize>)| {
                    first.unwrap_or(0) <= at && at <= last.unwrap_or(usize::MAX)
                };
                assert_eq!(contain(packed, at), Some(read.iter().any(holds)), "{text} {at}");
            }
        }
        assert_eq!(placed("0.3 - 0.9, 0.9", place), "0.3 - 0.9,#1");
        assert_eq!(places("0.9 - 1.0"), None);
        assert_eq!(
            (contain("#1,0.9 - 1.0", 1), contain("#1,0.9 - 1.0", 2), contain("1.0", 1)),
            (Some(true), None, None)
        );
    }
}
