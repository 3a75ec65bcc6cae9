//! The one way to declare a rule: its doc comment is its page.

/// Declares a unit struct with its [`RuleMeta`](super::RuleMeta). The doc comment is the rule's page in Markdown; its fenced
/// examples are executed by the tests in [`super::examples`].
macro_rules! declare_rule {
    (
        $(#[doc = $page:literal])*
        $rule:ident = $name:literal, $code:literal, $severity:ident, $summary:literal
            $(, aliases: [$($alias:literal),*])? $(, left_by: [$($leaving:literal),*])? $(; $opt_in:ident)?
    ) => {
        $(#[doc = $page])*
        #[derive(Debug)]
        pub(crate) struct $rule;

        impl $rule {
            pub(in crate::rules) const META: $crate::rules::RuleMeta = $crate::rules::RuleMeta {
                name: $name,
                code: $code,
                summary: $summary,
                severity: $crate::diagnostic::Severity::$severity,
                aliases: &[$($($alias),*)?],
                left_by: &[$($($leaving),*)?],
                is_opt_in: $crate::rules::declare::is_opt_in(stringify!($($opt_in)?)),
                page: concat!($($page, "\n"),*),
            };
        }
    };
}

/// Whether the last word of a declaration says that the rule runs only where it is selected.
pub(in crate::rules) const fn is_opt_in(word: &str) -> bool {
    assert!(word.is_empty() || word.len() == "opt_in".len(), "the only word that may follow is `opt_in`");
    !word.is_empty()
}

pub(crate) use declare_rule;
