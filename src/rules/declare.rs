//! The one way to declare a rule: its doc comment is its page.

/// Declares a unit struct with its [`RuleMeta`](super::RuleMeta). The doc comment is the rule's page in Markdown; its fenced
/// examples are executed by the tests in [`super::examples`].
macro_rules! declare_rule {
    (
        $(#[doc = $page:literal])*
        $rule:ident = $name:literal, $code:literal, $severity:ident, $summary:literal
            $(, aliases: [$($alias:literal),*])? $(, left_by: [$($leaving:literal),*])?
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
                page: concat!($($page, "\n"),*),
            };
        }
    };
}

pub(crate) use declare_rule;
