//! The command `dpo-lint`.

use std::process::ExitCode;

fn main() -> ExitCode {
    dpo_lint::cli::main()
}
