//! `explain` and `rules`.

use std::io::Write;

use serde::Serialize;

use super::args::ListFormat;
use super::terminal::Terminal;
use super::{Exit, Failure};
use crate::engine::catalogue::{Selector, catalogue, find};

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
            };
            let list: Vec<JsonRule> = metas.iter().map(mirror).collect();
            serde_json::to_writer_pretty(&mut *out, &list).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        ListFormat::Text => {
            let width = metas.iter().map(|meta| meta.name.len()).max().unwrap_or(0);
            for meta in metas {
                let severity = meta.severity.as_str();
                writeln!(out, "{}  {:width$}  {severity:7}  {}", meta.code, meta.name, meta.summary)?;
            }
        }
    }
    terminal.out(|out| out.write_all(&text))?;
    Ok(Exit::Clean)
}
