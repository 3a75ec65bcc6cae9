//! Version constraints of poetry, said in PEP 440.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifier, VersionSpecifiers};

use super::statement::specifiers_of;

/// What a constraint of poetry allows: one set of specifiers per `||` alternative.
pub(super) fn specifiers(text: &str) -> Result<Vec<VersionSpecifiers>, String> {
    text.split('|').filter(|part| !part.trim().is_empty()).map(conjunction).collect()
}

fn conjunction(text: &str) -> Result<VersionSpecifiers, String> {
    // `>=1.2 <2` is `>=1.2,<2`, but `>= 1.2` is one clause.
    let mut clauses: Vec<String> = Vec::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        match clauses.last_mut() {
            Some(last) if last.ends_with(['<', '>', '=', '!', '~', '^']) => last.push_str(word),
            _ => clauses.push(word.to_owned()),
        }
    }
    clauses.iter().map(|clause| clause_of(clause)).collect::<Result<Vec<_>, _>>().map(|parts| flatten(&parts))
}

fn clause_of(clause: &str) -> Result<VersionSpecifiers, String> {
    if let Some(version) = clause.strip_prefix('^') {
        let to = caret(&release(version)?);
        return between(version, &to);
    }
    if let Some(version) = clause.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
        let from = release(version)?;
        let to = bump(&from, from.len().min(2) - 1);
        return between(version, &to);
    }
    if clause.starts_with(|c: char| c.is_ascii_digit() || c == 'v') {
        return specifiers_of(&format!("=={clause}"));
    }
    if let Some(version) = clause.strip_prefix('=').filter(|rest| !rest.starts_with('=')) {
        return specifiers_of(&format!("=={version}"));
    }
    specifiers_of(clause)
}

/// The release numbers of a version; never empty.
fn release(text: &str) -> Result<Vec<u64>, String> {
    let version = Version::from_str(text.trim()).map_err(|_| format!("`{text}` is no version"))?;
    Ok(version.release().to_vec())
}

/// The first release that `^` excludes: the leftmost number that is not zero goes up.
fn caret(from: &[u64]) -> Vec<u64> {
    let at = from.iter().position(|number| *number != 0).unwrap_or(from.len() - 1);
    bump(from, at)
}

fn bump(from: &[u64], at: usize) -> Vec<u64> {
    let mut to = from[..=at].to_vec();
    to[at] = to[at].saturating_add(1);
    to
}

fn between(written: &str, to: &[u64]) -> Result<VersionSpecifiers, String> {
    let lower = specifiers_of(&format!(">={}", written.trim()))?;
    let upper = VersionSpecifier::less_than_version(Version::new(to.iter().copied()));
    Ok(lower.iter().cloned().chain([upper]).collect())
}

fn flatten(parts: &[VersionSpecifiers]) -> VersionSpecifiers {
    parts.iter().flat_map(|part| part.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(found: Result<Vec<VersionSpecifiers>, String>) -> String {
        match found {
            Ok(all) => all.iter().map(|one| one.to_string().replace(", ", ",")).collect::<Vec<_>>().join(" | "),
            Err(why) => format!("! {why}"),
        }
    }

    #[test]
    fn poetry_constraints() {
        for (text, expected) in [
            ("^1.2.3", ">=1.2.3,<2"),
            ("^0.2.3", ">=0.2.3,<0.3"),
            ("^0.0.3", ">=0.0.3,<0.0.4"),
            ("^0.0", ">=0.0,<0.1"),
            ("^0", ">=0,<1"),
            ("~1.2.3", ">=1.2.3,<1.3"),
            ("~1.2", ">=1.2,<1.3"),
            ("~1", ">=1,<2"),
            ("*", ""),
            ("1.2.*", "==1.2.*"),
            ("0.12.2", "==0.12.2"),
            ("=0.12.2", "==0.12.2"),
            ("==0.12.2", "==0.12.2"),
            (">=0.9,<1", ">=0.9,<1"),
            (">=0.9 <1", ">=0.9,<1"),
            (">= 0.9, < 1", ">=0.9,<1"),
            ("~=0.9.2", "~=0.9.2"),
            ("^0.9 || ^0.11", ">=0.9,<0.10 | >=0.11,<0.12"),
            ("^x", "! `x` is no version"),
            ("^", "! `` is no version"),
            ("", ""),
        ] {
            assert_eq!(show(specifiers(text)), expected, "{text}");
        }
    }
}
