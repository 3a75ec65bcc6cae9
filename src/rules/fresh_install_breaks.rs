//! Ranges of which an install gets releases that cannot be imported together.

use super::declare::declare_rule;
use super::failures::failures;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::Diagnostic;
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports declarations of which an install gets releases that the script cannot import, or cannot train with.
    ///
    /// ## Why it matters
    ///
    /// What is not bounded is installed in its newest release, and a library that was pinned when its neighbours were older
    /// imports names that they no longer have. The code worked on the day it was written, and fails on the next machine.
    ///
    /// ## Example
    ///
    /// ```requirements,bad
    /// trl==0.24.0
    /// transformers>=4.56
    /// ```
    ///
    /// ```requirements,fixed
    /// trl==0.24.0
    /// transformers>=4.56,<5.3
    /// ```
    ///
    /// ```requirements,good
    /// trl==0.24.0
    /// transformers>=4.56,<5.3
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Safe: a missing upper bound is added, below which everything that the scripts import can be imported.
    ///
    /// ## Versions
    ///
    /// The releases are those that an installer chooses together, newest first. What each release imports from its neighbours is
    /// mined from the released wheels; what depends on anything that is not known counts as working. An install in a notebook or an
    /// image counts only where it pins everything: what is there already is not known.
    ///
    /// ## References
    ///
    /// - trl pull requests 2446 and 2447
    FreshInstallBreaks = "fresh-install-breaks", "DPL209", Error, "what an install gets cannot be imported or trained with"
}

impl Rule for FreshInstallBreaks {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let open = failures(analysis, context).iter().filter(|failure| !failure.is_given() && !failure.is_hopeless);
        found.extend(open.filter_map(|failure| failure.report(&Self::META, ", which an install gets today")));
    }
}
