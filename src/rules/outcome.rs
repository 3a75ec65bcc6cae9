//! What happens to a call, and when.

use crate::eval::{Cond, FlagId};
use crate::knowledge::ReleaseSet;

/// What happens to one call, over all releases of the package that defines the callee.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// Releases in which it happens whenever the call is reached.
    pub(crate) certain: ReleaseSet,
    /// The first variant for which it is certain in some release.
    pub(crate) variants: Vec<usize>,
    /// Releases in which it happens only when flags have other values than their defaults, and nothing in the project says
    /// which values they get.
    pub(crate) conditional: ReleaseSet,
    /// The condition of [`Self::conditional`], over flags only.
    pub(crate) condition: Option<Cond>,
    /// Flags that take part in the decision.
    pub(crate) flags: Vec<FlagId>,
}

impl Outcome {
    /// Happens in these releases, whatever the flags.
    pub(crate) fn certainly(releases: ReleaseSet) -> Self {
        Self { certain: releases, variants: vec![0], ..Self::default() }
    }

    /// Whether it happens in no release.
    pub(super) fn is_never(&self) -> bool {
        self.certain.is_empty() && self.conditional.is_empty()
    }

    /// Adds what another condition says about other releases, or about the same ones.
    pub(super) fn merge(&mut self, other: Self) {
        self.certain = &self.certain | &other.certain;
        self.conditional = &(&self.conditional | &other.conditional) - &self.certain;
        self.condition = self.condition.take().or(other.condition);
        for variant in other.variants {
            if !self.variants.contains(&variant) {
                self.variants.push(variant);
            }
        }
        for flag in other.flags {
            if !self.flags.contains(&flag) {
                self.flags.push(flag);
            }
        }
    }
}
