//! Mistakes in the tool's own configuration, shown in its text.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::terminal::Terminal;
use crate::engine::config::{ConfigError, DiscoverError};

/// The text for standard error.
pub(super) fn render(error: &DiscoverError, terminal: &Terminal) -> String {
    let errors = match error {
        DiscoverError::Io { .. } => return format!("error: {error}\n"),
        DiscoverError::Invalid(errors) => errors,
    };
    let style = terminal.error_style();
    let renderer = if style.colored { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(style.width);
    errors.iter().map(|error| renderer.render(&[group(error)]) + "\n\n").collect()
}

fn group(error: &ConfigError) -> Group<'_> {
    let path = error.path.display().to_string();
    let place = AnnotationKind::Primary.span(error.span.clone());
    let snippet = Snippet::source(error.text.as_str()).path(path).annotation(place);
    let title = format!("invalid configuration: {}", error.message);
    let group = Group::with_title(Level::ERROR.primary_title(title)).element(snippet);
    match &error.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}
