//! `dpo-lint verify`: trains what the linter read, and checks what must hold.

#[cfg(feature = "runner")]
mod command;
#[cfg(feature = "runner")]
mod memory;
#[cfg(feature = "runner")]
mod names;
#[cfg(feature = "runner")]
mod report;
#[cfg(feature = "runner")]
mod save;
#[cfg(feature = "runner")]
mod settings;
#[cfg(feature = "runner")]
mod watch;
#[cfg(feature = "runner")]
mod weights;

#[cfg(feature = "runner")]
pub(super) use command::run;

/// Says how to get a build that can train.
#[cfg(not(feature = "runner"))]
pub(super) fn run(
    _: &super::args::VerifyArgs,
    _: &super::args::GlobalArgs,
    _: &mut super::terminal::Terminal,
) -> Result<super::Exit, super::Failure> {
    Err(super::Failure::Message(String::from(
        "this dpo-lint cannot train; build one that can with `cargo install --path . --features runner`",
    )))
}
