//! Every rule with a name, and the ways to select rules: name, former name, code, code prefix, `ALL`.

use super::suppress;
use crate::rules::{self, RuleMeta};
use crate::source::did_you_mean;

/// Every rule that can be reported, by code: the rules proper and those of the engine itself.
pub fn catalogue() -> Vec<&'static RuleMeta> {
    let own = [&suppress::UNUSED_SUPPRESSION, &suppress::INVALID_SUPPRESSION];
    let mut metas: Vec<_> = rules::all().iter().map(|rule| rule.meta()).chain(own).collect();
    metas.sort_by_key(|meta| meta.code);
    metas
}

/// The rule of a name, a former name or a code.
pub fn find(text: &str) -> Option<&'static RuleMeta> {
    catalogue().into_iter().find(|meta| is_called(meta, text))
}

fn is_called(meta: &RuleMeta, text: &str) -> bool {
    meta.name == text || meta.code.eq_ignore_ascii_case(text) || meta.aliases.contains(&text)
}

/// One or many rules, as the user names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// `ALL`
    All,
    /// The beginning of codes: `DPL0`.
    Prefix(String),
    /// One rule, by its present name.
    Rule(&'static str),
}

/// A selector that selects nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown rule `{text}`")]
pub struct UnknownRule {
    /// As written.
    pub text: String,
    /// What may have been meant.
    pub similar: Option<&'static str>,
}

impl std::str::FromStr for Selector {
    type Err = UnknownRule;

    fn from_str(text: &str) -> Result<Self, UnknownRule> {
        if text == "ALL" {
            return Ok(Self::All);
        }
        if let Some(meta) = find(text) {
            return Ok(Self::Rule(meta.name));
        }
        let metas = catalogue();
        let prefix = text.to_ascii_uppercase();
        if prefix.starts_with("DPL") && metas.iter().any(|meta| meta.code.starts_with(&prefix)) {
            return Ok(Self::Prefix(prefix));
        }
        let names =
            metas.iter().flat_map(|meta| [meta.name, meta.code].into_iter().chain(meta.aliases.iter().copied()));
        Err(UnknownRule { text: text.to_owned(), similar: did_you_mean(text, names) })
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::All => "ALL",
            Self::Prefix(prefix) => prefix,
            Self::Rule(name) => name,
        })
    }
}

impl Selector {
    /// Whether it selects the rule.
    pub fn matches(&self, meta: &RuleMeta) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => meta.code.starts_with(prefix.as_str()),
            Self::Rule(name) => meta.name == *name,
        }
    }

    /// Of two selectors that match a rule the more specific one counts.
    pub fn specificity(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Prefix(prefix) => prefix.len(),
            Self::Rule(_) => usize::MAX,
        }
    }
}
