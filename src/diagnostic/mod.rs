//! What the tool has to say: findings, the releases they speak of, and fixes. No layer prints these but `output`.

use crate::source::Span;
use crate::syntax::Edit;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Wrong in releases that the project allows, or wasteful.
    Warning,
    /// Fails, or silently does something else, with the release in effect.
    Error,
}

impl Severity {
    /// `info`, `warning`, `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// How sure the tool is that the outcome is the one it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Confidence {
    /// Follows from something that is usually so.
    Medium,
    /// Decided by the code and the knowledge alone.
    High,
}

impl Confidence {
    /// `medium`, `high`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One finding, with a label in every file that takes part.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// The rule's name: `ref-model-with-peft-config`.
    pub rule: &'static str,
    /// The rule's short code: `DPL001`.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Headline: what is wrong. No full stop, no line break.
    pub message: String,
    /// The place to look at first, with what to see there.
    pub primary: Label,
    /// Other places that take part, in any file.
    pub related: Vec<Label>,
    /// Why: sentences for notes, each a line.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// The releases it speaks of, a line per package.
    pub versions: Vec<VersionScope>,
    /// Ways to mend it, the best first.
    pub fixes: Vec<Fix>,
    /// The finding that names the cause of this one, by rule and primary place: where that is reported, this is not.
    pub follows: Option<(&'static str, Span)>,
}

/// A place and what to see there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What. May be empty for the primary place.
    pub message: String,
}

/// Which releases of one package a finding speaks of, and how it is known which release counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionScope {
    /// Normalised distribution name: `trl`.
    pub package: String,
    /// Releases that behave as the finding says, as intervals: `0.7.11 - 0.27.2`.
    pub affected: Vec<String>,
    /// What they do, where the headline does not say it: `raises ValueError: ...`.
    pub effect: Option<String>,
    /// The release in effect.
    pub in_effect: Option<String>,
    /// How that is known: `pin`, `lock`, `range`, `installed`, `target`, `assumed`.
    pub evidence: String,
    /// Where it is declared, if a file says so.
    pub origin: Option<Span>,
}

/// How safe a fix is. Ordered: a fix is applied when its applicability is at least the one asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Applicability {
    /// Shown, never applied.
    Display,
    /// May change what the program does; applied with `--unsafe-fixes`.
    Unsafe,
    /// Keeps the meaning; applied with `--fix`.
    Safe,
}

impl Applicability {
    /// `display`, `unsafe`, `safe`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Display => "display",
            Self::Unsafe => "unsafe",
            Self::Safe => "safe",
        }
    }
}

/// A rewrite, applied whole or not at all; may span files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as an order: "pass `ref_model=None`".
    pub title: String,
    /// How safe.
    pub applicability: Applicability,
    /// Edits that do not overlap.
    pub edits: Vec<Edit>,
}

/// A problem of the tool's input (a file that cannot be read), not of the user's training code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// What and where, as one sentence that names file and place.
    pub message: String,
    /// The place, when the file could be read far enough to have one.
    pub span: Option<Span>,
}
