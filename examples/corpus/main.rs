//! What a change adds and removes over a folder of projects:
//!
//! ```sh
//! cargo run --example corpus -- OLD NEW FOLDER
//! ```
//!
//! `OLD` and `NEW` are programs to compare, each with arguments of its own if it is written in quotes (two settings of one program:
//! `"dpo-lint --ignore DPL203"`). Each folder in `FOLDER` is a project. A finding is told by its rule, its file and the text of its
//! line, so that lines may move. Exit code: 0 if nothing differs, 1 if something does, 2 if it cannot be told.

mod compare;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [old, new, folder] = arguments.as_slice() else { return failed("usage: corpus OLD NEW FOLDER") };
    match compare::folder(old, new, Path::new(folder), &mut std::io::stdout().lock()) {
        Ok(seen) => ExitCode::from(u8::from(seen.differs())),
        Err(error) => failed(&error),
    }
}

#[expect(clippy::print_stderr, reason = "a program of its own")]
fn failed(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(2)
}
