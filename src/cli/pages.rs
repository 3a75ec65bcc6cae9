//! `explain`, `rules`, `schema`, `completions` and `man`.

use std::io::Write;

use clap::CommandFactory;
use serde::Serialize;

use super::args::{Cli, ListFormat};
use super::terminal::Terminal;
use super::{Exit, Failure};
use crate::engine::catalogue::{Selector, catalogue, find};
use crate::engine::schema;
use crate::knowledge::Knowledge;

pub(super) fn explain(rule: &str, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let Some(meta) = find(rule) else {
        let similar = rule.parse::<Selector>().err().and_then(|error| error.similar);
        let hint = similar.map_or_else(String::new, |similar| format!("; did you mean `{similar}`?"));
        return Err(Failure::Message(format!("unknown rule `{rule}`{hint}")));
    };
    let page = meta.page.trim();
    terminal.out(|out| writeln!(out, "# {} ({})\n\n{}.\n\n{page}", meta.name, meta.code, meta.summary))?;
    Ok(Exit::Clean)
}

#[derive(Serialize)]
struct JsonRule {
    name: &'static str,
    code: &'static str,
    summary: &'static str,
    severity: &'static str,
    aliases: &'static [&'static str],
    /// Whether it runs without being selected.
    default: bool,
}

pub(super) fn rules(format: ListFormat, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let metas = catalogue();
    let mut text = Vec::new();
    let out = &mut text;
    match format {
        ListFormat::Json => {
            let mirror = |meta: &&'static crate::rules::RuleMeta| JsonRule {
                name: meta.name,
                code: meta.code,
                summary: meta.summary,
                severity: meta.severity.as_str(),
                aliases: meta.aliases,
                default: !meta.is_opt_in,
            };
            let list: Vec<JsonRule> = metas.iter().map(mirror).collect();
            serde_json::to_writer_pretty(&mut *out, &list).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        ListFormat::Text => {
            let width = metas.iter().map(|meta| meta.name.len()).max().unwrap_or(0);
            for meta in metas {
                let severity = meta.severity.as_str();
                let note = if meta.is_opt_in { " (only if selected)" } else { "" };
                writeln!(out, "{}  {:width$}  {severity:7}  {}{note}", meta.code, meta.name, meta.summary)?;
            }
        }
    }
    terminal.out(|out| out.write_all(&text))?;
    Ok(Exit::Clean)
}

pub(super) fn schema(what: &str, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let schema = schema::schema(what, Knowledge::bundled()).map_err(|error| Failure::Message(error.to_string()))?;
    let text = serde_json::to_string_pretty(&schema).map_err(std::io::Error::from)?;
    terminal.out(|out| writeln!(out, "{text}"))?;
    Ok(Exit::Clean)
}

pub(super) fn completions(shell: clap_complete::Shell, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dpo-lint", &mut script);
    terminal.out(|out| out.write_all(&script))?;
    Ok(Exit::Clean)
}

/// One page: the program, then each command.
pub(super) fn manual(terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for of in command.get_subcommands().filter(|of| of.get_name() != "help") {
        writeln!(page, ".SH \"DPO-LINT {}\"", of.get_name().to_uppercase())?;
        let man = clap_mangen::Man::new(of.clone());
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
    }
    terminal.out(|out| out.write_all(&page))?;
    Ok(Exit::Clean)
}
