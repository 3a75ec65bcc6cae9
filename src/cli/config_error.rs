//! Mistakes in the tool's own configuration, shown in its text.

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};

use super::terminal::Terminal;
use crate::engine::config::{ConfigError, DiscoverError};

/// A [`ConfigError`] as miette wants it.
#[derive(Debug, thiserror::Error)]
#[error("invalid configuration: {}", .error.message)]
struct Shown<'a> {
    error: &'a ConfigError,
    source_code: NamedSource<String>,
}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(miette::Severity::Error)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.error.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source_code)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = &self.error.span;
        let label = LabeledSpan::new_primary_with_span(None, (span.start, span.len()));
        Some(Box::new(std::iter::once(label)))
    }
}

/// The text for standard error.
pub(super) fn render(error: &DiscoverError, terminal: &Terminal) -> String {
    let errors = match error {
        DiscoverError::Io { .. } => return format!("error: {error}\n"),
        DiscoverError::Invalid(errors) => errors,
    };
    let style = terminal.error_style();
    let theme = if style.colored { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(style.width).with_links(false);
    let mut text = String::new();
    for error in errors {
        let name = error.path.display().to_string();
        let shown = Shown { error, source_code: NamedSource::new(name, error.text.clone()) };
        if handler.render_report(&mut text, &shown).is_err() {
            text.push_str(&error.to_string());
        }
        text.push('\n');
    }
    text
}
