//! Commands that end before their last line.

use std::ops::Range;

use super::declare::declare_rule;
use super::framework::{label, push_new};
use super::report::plain;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Severity};
use crate::lower::Analysis;
use crate::lower::launch::Launch;
use crate::source::SourceFile;
use crate::syntax::{Edit, Format};

declare_rule! {
    /// ## What it does
    ///
    /// Reports launch lines that end before the flags on their following lines: a blank behind `\`, a comment or an empty line within
    /// the command, a line without `\`.
    ///
    /// ## Why it matters
    ///
    /// The shell takes the next line for a command of its own (`--beta: command not found`). Without `set -e` it goes on, and the
    /// training runs without the flags that follow. A blank behind `\` is an argument, too, which most parsers refuse.
    ///
    /// ## Example
    ///
    /// ```sh,bad
    #[doc = " accelerate launch dpo.py \\ "]
    ///     --beta 0.1 \
    ///     --output_dir out
    /// ```
    ///
    /// ```sh,fixed
    /// accelerate launch dpo.py \
    ///     --beta 0.1 \
    ///     --output_dir out
    /// ```
    ///
    /// ```sh,bad
    /// accelerate launch dpo.py \
    ///     --beta 0.1 \
    ///     # --loss_type ipo \
    ///     --output_dir out
    /// ```
    ///
    /// ```sh,good
    /// accelerate launch dpo.py \
    ///     --beta 0.1 \
    ///     --output_dir out \
    ///     # --loss_type ipo
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Blanks behind `\` are removed: safe, since the lines were meant as one command. A missing `\` is added, which is unsafe: the flags
    /// start to count. There is no fix for a comment or an empty line.
    ///
    /// ## Versions
    ///
    /// All shells, and recipes of a Makefile. A Dockerfile is read otherwise: blanks behind `\` and lines with a comment do no harm there.
    ///
    /// ## References
    ///
    /// - POSIX shell command language, section 2.2.1; ms-swift issue 5765, LLaMA-Factory issue 1829
    BrokenLineContinuation = "broken-line-continuation", "DPL806", Error, "a launch line ends before its last flags"
}

/// What ends a command too early.
struct Break {
    cause: Cause,
    /// The bytes that do.
    place: Range<usize>,
    /// The first word behind them, which was meant to be part of the command.
    next: Range<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Blank,
    Comment,
    EmptyLine,
    NoBackslash,
}

impl Rule for BrokenLineContinuation {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, _: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for (source, launch) in analysis.written.launches() {
            push_new(found, check(source, launch));
        }
    }
}

fn check(source: &SourceFile, launch: &Launch) -> Option<Diagnostic> {
    let format = Format::of(source.path()).filter(|format| matches!(format, Format::Shell | Format::Makefile))?;
    let found = first_break(source.text(), launch.span.end as usize, format)?;
    let (place, next) = (source.span(found.place.clone()), source.span(found.next.clone()));
    let word = source.slice(next);
    let (message, primary) = match found.cause {
        Cause::Blank => ("a blank behind `\\`", "the blank is an argument, and the command ends here"),
        Cause::Comment => ("a comment", "a comment reaches to the end of the line, and the command ends there"),
        Cause::EmptyLine => ("an empty line", "the command ends here"),
        Cause::NoBackslash => ("a line without `\\`", "the command ends here"),
    };
    let help = match found.cause {
        Cause::Blank => "remove the blank",
        Cause::Comment => "move the comment out of the command",
        Cause::EmptyLine => "remove the empty line",
        Cause::NoBackslash => "add ` \\`",
    };
    let message = format!("{message} cuts `{word}` and what follows off this command");
    let meta = &BrokenLineContinuation::META;
    let mut finding = plain(meta, Severity::Error, message, label(place, primary));
    finding.related = vec![label(launch.span, "this command"), label(next, "a command of its own, which is not found")];
    finding.help = Some(help.to_owned());
    finding.fixes = fix(source, &found).into_iter().collect();
    Some(finding)
}

fn fix(source: &SourceFile, found: &Break) -> Option<Fix> {
    let (title, applicability, text) = match found.cause {
        Cause::Blank => ("remove the blank behind `\\`", Applicability::Safe, ""),
        Cause::NoBackslash => ("go on with the command", Applicability::Unsafe, " \\"),
        Cause::Comment | Cause::EmptyLine => return None,
    };
    let edits = vec![Edit { span: source.span(found.place.clone()), text: text.to_owned() }];
    Some(Fix { title: title.to_owned(), applicability, edits })
}

/// What cuts flags off a command that ends at `end`; `None` where nothing follows that was meant to be part of it.
fn first_break(text: &str, end: usize, format: Format) -> Option<Break> {
    let line_end = |from: usize| from + text[from..].find('\n').unwrap_or(text.len() - from);
    let stop = line_end(end);
    let rest = text.get(end..stop)?.trim_end_matches('\r');
    if is_escaped_blank(&text[..end]) && is_blank(rest) {
        let next = continuing(text, stop, format)?;
        return Some(Break { cause: Cause::Blank, place: end - 1..end + rest.len(), next });
    }
    // What ends the command: the rest of its own line, or the first line that is not continued into.
    let (mut line, mut at) = (rest, end);
    let mut stop = stop;
    while line.trim() == "\\" {
        at = (stop + 1).min(text.len());
        stop = line_end(at);
        line = text[at..stop].trim_end_matches('\r');
    }
    let written = line.trim();
    let cause = match written {
        "" if at == end => Cause::NoBackslash,
        "" => Cause::EmptyLine,
        _ if written.starts_with('#') => Cause::Comment,
        _ => return None,
    };
    // Comments and empty lines behind it change nothing any more.
    let mut last = stop;
    let next = loop {
        match continuing(text, last, format) {
            Some(next) => break next,
            None if cause == Cause::NoBackslash || last >= text.len() => return None,
            None => {}
        }
        let from = last + 1;
        last = line_end(from.min(text.len()));
        let between = text.get(from..last)?.trim();
        if !between.is_empty() && !between.starts_with('#') {
            return None;
        }
    };
    let start = at + line.len() - line.trim_start().len();
    let place = match cause {
        Cause::NoBackslash => end..end,
        _ => start..at + line.trim_end().len(),
    };
    Some(Break { cause, place, next })
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t'))
}

/// Whether a text ends with a blank that a backslash makes part of a word.
fn is_escaped_blank(text: &str) -> bool {
    let before = text.strip_suffix([' ', '\t']).unwrap_or("");
    let backslashes = before.bytes().rev().take_while(|byte| *byte == b'\\').count();
    backslashes % 2 == 1
}

/// The first word of the line behind `stop`, where it can only be meant as an argument.
fn continuing(text: &str, stop: usize, format: Format) -> Option<Range<usize>> {
    let from = stop + 1;
    let line = text.get(from..)?.lines().next()?;
    let word = line.split_whitespace().next()?;
    let name = match format {
        // A recipe may begin with `-`, which lets its command fail.
        Format::Makefile => word.strip_prefix("--")?,
        _ => word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?,
    };
    let start = from + line.len() - line.trim_start().len();
    name.starts_with(|letter: char| letter.is_ascii_alphabetic()).then(|| start..start + word.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Before, `|`, what cuts it off, `|`, the word behind.
    fn broken_as(text: &str, command: &str, format: Format) -> String {
        let end = text.find(command).expect("the command") + command.len();
        match first_break(text, end, format) {
            Some(found) => {
                let cause = match found.cause {
                    Cause::Blank => "blank",
                    Cause::Comment => "comment",
                    Cause::EmptyLine => "empty",
                    Cause::NoBackslash => "none",
                };
                format!("{cause} {:?} {}", &text[found.place], &text[found.next])
            }
            None => String::new(),
        }
    }

    #[test]
    fn what_ends_a_command() {
        for (text, expected) in [
            ("p t.py \\ \n  --b 2", r#"blank " " --b"#),
            ("p t.py \\ \t \r\n  --b 2", r#"blank " \t " --b"#),
            ("p t.py --c\\ \n  -b 2", r#"blank " " -b"#),
            // The command ends there, and nothing was meant to follow.
            ("p t.py \\ \n", ""),
            ("p t.py \\ \necho done", ""),
            ("p t.py a\\\\ \n--b", ""),
            ("p t.py \\\n  # c \\\n  --b 2", r##"comment "# c \\" --b"##),
            ("p t.py # c \\\n  --b 2", r##"comment "# c \\" --b"##),
            ("p t.py \\\n  # c\n\n  # d\n  --b 2", r##"comment "# c" --b"##),
            ("p t.py \\\n  # c \\\n  # d\n", ""),
            ("p t.py \\\n  # c\necho --b", ""),
            ("p t.py \\\n\n  --b 2", r#"empty "" --b"#),
            ("p t.py\n  --b 2", r#"none "" --b"#),
            ("p t.py\n\n  --b 2", ""),
            ("p t.py & \n  --b 2", ""),
            ("p t.py > log\n", ""),
            ("p t.py\n  -1", ""),
        ] {
            let command = text.find("\\ ").filter(|_| text.contains("\\ ") && !text.contains("\\\\ "));
            let command = command.map_or("p t.py", |at| &text[..at + 2]);
            assert_eq!(broken_as(text, command, Format::Shell), expected, "{text:?}");
        }
        assert_eq!(broken_as("\tp t.py\n\t-rm x", "p t.py", Format::Makefile), "");
        assert_eq!(broken_as("\tp t.py \\\n\t# c\n\t--b", "p t.py", Format::Makefile), r##"comment "# c" --b"##);
    }
}
