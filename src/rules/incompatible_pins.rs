//! Pinned releases that install and cannot be imported together.

use super::declare::declare_rule;
use super::failures::failures;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::Diagnostic;
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports pinned or locked releases with which an import of the script fails, or its training at the first step.
    ///
    /// ## Why it matters
    ///
    /// Installers compare declared requirements only, and most releases declare no upper bound for their neighbours. The
    /// environment is built, and the first import stops with `ImportError`. A trainer of TRL whose methods the training loop of
    /// transformers calls in another way even gets to its first step.
    ///
    /// ## Example
    ///
    /// ```requirements,bad
    /// trl==0.13.0
    /// transformers==5.23.0
    /// ```
    ///
    /// ```requirements,unsafe-fixed
    /// trl==0.13.0
    /// transformers==4.57.6
    /// ```
    ///
    /// ```requirements,good
    /// trl==0.13.0
    /// transformers==4.46.3
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Unsafe: it moves a pin to the nearest release with which everything that the scripts import can be imported, which is another
    /// release than somebody chose.
    ///
    /// ## Versions
    ///
    /// What each release imports from its neighbours, and which methods of the training loop it overrides with which parameters, is
    /// mined from the released wheels. What depends on anything that is not
    /// known counts as working. Pins that two files give for two purposes are not put together.
    ///
    /// ## References
    ///
    /// - ms-swift issue 9770
    IncompatiblePins = "incompatible-pins", "DPL201", Error, "pinned releases cannot be imported or trained with together"
}

impl Rule for IncompatiblePins {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        let given = failures(analysis, context).iter().filter(|failure| failure.is_given());
        found.extend(given.filter_map(|failure| failure.report(&Self::META, "")));
    }
}
