//! Standard output and error, and what they can show.

use std::io::{self, IsTerminal, Write};

use crate::diagnostic::Problem;
use crate::output::{Style, printable_lines};

/// Where the tool writes.
pub(super) struct Terminal {
    color: clap::ColorChoice,
}

impl Terminal {
    pub fn new(color: clap::ColorChoice) -> Self {
        Self { color }
    }

    /// Writes to standard output.
    #[expect(clippy::unused_self, reason = "whoever writes must have been handed the terminal")]
    pub fn out(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let mut out = io::stdout().lock();
        write(&mut out)?;
        out.flush()
    }

    /// Empties the screen and what is above it; does nothing where standard output is no screen.
    pub fn clear(&mut self) -> io::Result<()> {
        let text = clearing(io::stdout().is_terminal());
        self.out(|out| out.write_all(text.as_bytes()))
    }

    /// How text for standard output is to look.
    pub fn out_style(&self) -> Style {
        Style { colored: self.is_colored(io::stdout().is_terminal()), width: width() }
    }

    /// How text for standard error is to look.
    pub fn error_style(&self) -> Style {
        Style { colored: self.is_colored(io::stderr().is_terminal()), width: width() }
    }

    /// The rules of `no-color.org` and `force-color.org`, then what the terminal says of itself.
    fn is_colored(&self, is_terminal: bool) -> bool {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        match self.color {
            clap::ColorChoice::Always => true,
            clap::ColorChoice::Never => false,
            clap::ColorChoice::Auto if set("NO_COLOR") => false,
            clap::ColorChoice::Auto if forced("FORCE_COLOR") || forced("CLICOLOR_FORCE") => true,
            clap::ColorChoice::Auto => is_terminal && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
        }
    }

    /// Writes to standard error, which may be closed.
    #[expect(clippy::unused_self, reason = "whoever writes must have been handed the terminal")]
    pub fn error(&mut self, text: &str) {
        let _ = write!(io::stderr(), "{text}");
    }

    /// `error: ...`
    pub fn error_line(&mut self, message: &str) {
        self.leveled("error", anstyle::AnsiColor::Red, message);
    }

    /// `warning: ...`
    pub fn warning_line(&mut self, message: &str) {
        self.leveled("warning", anstyle::AnsiColor::Yellow, message);
    }

    /// `note: ...`
    pub fn note_line(&mut self, message: &str) {
        self.leveled("note", anstyle::AnsiColor::Cyan, message);
    }

    /// What the tool could not do.
    pub fn problems(&mut self, problems: &[Problem]) {
        for problem in problems {
            self.error_line(&problem.message);
        }
    }

    fn leveled(&mut self, level: &str, color: anstyle::AnsiColor, message: &str) {
        let bold = if self.error_style().colored { color.on_default().bold() } else { anstyle::Style::new() };
        self.error(&format!("{bold}{level}{bold:#}: {}\n", printable_lines(message)));
    }
}

/// What empties a screen.
fn clearing(is_terminal: bool) -> &'static str {
    if is_terminal { "\x1b[2J\x1b[3J\x1b[H" } else { "" }
}

/// Columns: what `COLUMNS` says, what the terminal says, or what is readable. The renderer wraps nothing at all below 40.
fn width() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let columns = said.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)));
    columns.unwrap_or(DEFAULT_WIDTH).clamp(40, 400)
}

const DEFAULT_WIDTH: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_screen_is_emptied() {
        assert_eq!(clearing(false), "");
        assert!(clearing(true).ends_with("\x1b[H"), "the next text begins at the top");
    }
}
