//! The command line: the only layer that prints.

mod args;
mod check;
mod config_error;
mod fix;
mod init;
mod learn;
mod migrate;
mod pages;
mod plan;
mod progress;
mod serve;
mod show;
mod terminal;
mod verify;
mod versions;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;

use crate::engine::driver;
use args::{CheckArgs, Cli, Command, GlobalArgs, VerifyArgs};
use terminal::Terminal;

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Nothing that fails was found.
    Clean,
    /// Something was found.
    Findings,
    /// The tool could not do its job.
    Failure,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Clean => Self::SUCCESS,
            Exit::Findings => Self::from(1),
            Exit::Failure => Self::from(2),
        }
    }
}

/// What ends a run early: nothing could be done at all.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The configuration has mistakes.
    #[error(transparent)]
    Config(#[from] crate::engine::config::DiscoverError),
    /// A baseline cannot be used.
    #[error(transparent)]
    Baseline(#[from] crate::engine::baseline::BaselineError),
    /// Standard output is gone or full.
    #[error("cannot write: {0}")]
    Write(#[from] std::io::Error),
    /// Anything that one sentence says.
    #[error("{0}")]
    Message(String),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    driver::install_panic_hook();
    let cli = Cli::parse();
    // This thread works too, instead of waiting for one more. It fails where threads run already, and then nothing is lost.
    // A server's first thread waits for messages: work that is given to it would wait, too.
    if !matches!(cli.command, Some(Command::Server)) {
        let _ = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
    }
    let mut terminal = Terminal::new(cli.global.color);
    let result = catch_unwind(AssertUnwindSafe(|| run(cli, &mut terminal)));
    let exit = match result {
        Ok(Ok(exit)) => exit,
        // `dpo-lint | head` is no failure of ours.
        Ok(Err(Failure::Write(error))) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Clean,
        Ok(Err(failure)) => {
            say(&failure, &mut terminal);
            Exit::Failure
        }
        Err(_) => {
            let said = driver::take_last_panic();
            terminal.error_line(&driver::bug("the run", said.as_deref().unwrap_or("panic")));
            Exit::Failure
        }
    };
    exit.into()
}

/// Says what ended a run.
fn say(failure: &Failure, terminal: &mut Terminal) {
    match failure {
        Failure::Config(error) => {
            let text = config_error::render(error, terminal);
            terminal.error(&text);
        }
        failure => terminal.error_line(&failure.to_string()),
    }
}

fn run(cli: Cli, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match cli.command {
        None => check_and_verify(&cli.check, &cli.global, terminal),
        Some(Command::Check(check)) => check_and_verify(&check, &cli.global, terminal),
        Some(Command::Migrate(migrate)) => migrate::run(&migrate, &cli.global, terminal),
        Some(Command::Versions(versions)) => versions::run(&versions, &cli.global, terminal),
        Some(Command::Verify(verify)) => verify::run(&verify, &cli.global, terminal),
        Some(Command::Learn(learn)) => learn::run(&learn, terminal),
        Some(Command::Schema { what }) => pages::schema(&what, terminal),
        Some(Command::Server) => serve::run(),
        Some(Command::Init) => init::run(terminal),
        Some(Command::Completions { shell }) => pages::completions(shell, terminal),
        Some(Command::Man) => pages::manual(terminal),
        Some(Command::Explain { rule }) => pages::explain(&rule, terminal),
        Some(Command::Rules { output_format }) => pages::rules(output_format, terminal),
    }
}

/// A check; with `--verify` what it fixed is trained, unless it could not do its job.
fn check_and_verify(args: &CheckArgs, global: &GlobalArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if args.watch {
        return watch::run(args, global, terminal);
    }
    let checked = check::run(args, global, terminal)?;
    if !args.verify || checked == Exit::Failure {
        return Ok(checked);
    }
    let verified = verify::run(&VerifyArgs::after(args), global, terminal)?;
    Ok(if verified == Exit::Clean { checked } else { verified })
}
