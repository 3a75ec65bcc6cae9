//! `dpo-lint learn`: mines releases into the form that is stored under `schemas/knowledge`.

use super::args::LearnArgs;
use super::terminal::Terminal;
use super::{Exit, Failure};
use crate::mine;

pub(super) fn run(args: &LearnArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let index = args.index.as_ref().map(|path| {
        let wrong = |error| Failure::Message(format!("cannot read {}: {error}", path.display()));
        std::fs::read_to_string(path).map_err(wrong)
    });
    let index = index.transpose()?;
    let options = mine::Options { package: &args.package, index: index.as_deref(), only: &args.only };
    let package = mine::mine(&options, &args.wheels).map_err(|error| Failure::Message(error.to_string()))?;
    let text = mine::render(&package);
    match &args.output {
        None => terminal.out(|out| out.write_all(text.as_bytes()))?,
        Some(path) => std::fs::write(path, text)
            .map_err(|error| Failure::Message(format!("cannot write {}: {error}", path.display())))?,
    }
    Ok(Exit::Clean)
}
