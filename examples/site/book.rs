//! The folder that mdBook reads.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use dpo_lint::engine::catalogue::catalogue;
use dpo_lint::rules::RuleMeta;

/// The pages that are written by hand, in the order of the table of contents.
const PAGES: &[(&str, &str)] = &[
    ("A tour", "tour.md"),
    ("How it knows", "how-it-knows.md"),
    ("Next to other ways", "compared.md"),
    ("Editors", "editors.md"),
];

/// Writes all pages. `picture` draws the picture of a rule, if there is one.
pub(crate) fn write(folder: &Path, picture: &dyn Fn(&RuleMeta) -> Option<String>) -> io::Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let source = folder.join("src");
    fs::create_dir_all(source.join("rules"))?;
    fs::copy(docs.join("book.toml"), folder.join("book.toml"))?;
    let mut summary = String::from("# Summary\n\n");
    for (title, page) in PAGES {
        fs::copy(docs.join(page), source.join(page))?;
        _ = writeln!(summary, "- [{title}]({page})");
    }
    summary.push_str("- [Rules](rules/index.md)\n");
    let mut index = String::from("# Rules\n\n| code | rule | worst | what it reports |\n|---|---|---|---|\n");
    for meta in catalogue() {
        let RuleMeta { name, code, summary: what, .. } = meta;
        let drawn = picture(meta);
        if let Some(svg) = &drawn {
            fs::write(source.join(format!("rules/{name}.svg")), svg)?;
        }
        fs::write(source.join(format!("rules/{name}.md")), page(meta, drawn.is_some()))?;
        _ = writeln!(summary, "  - [{name}](rules/{name}.md)");
        let opt_in = if meta.is_opt_in { " (only if selected)" } else { "" };
        _ = writeln!(index, "| {code} | [`{name}`]({name}.md) | {} | {what}{opt_in} |", meta.severity.as_str());
    }
    fs::write(source.join("rules/index.md"), index)?;
    fs::write(source.join("SUMMARY.md"), summary)
}

/// A rule's page: its doc comment, the examples named by what they show.
fn page(meta: &RuleMeta, has_picture: bool) -> String {
    let RuleMeta { name, code, summary, .. } = meta;
    let mut text = format!("# {name}\n\n`{code}` · worst: {} · {summary}.\n\n", meta.severity.as_str());
    if has_picture {
        _ = writeln!(text, "![What the rule says of the first example below in each release]({name}.svg)\n");
    }
    for line in meta.page.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        match line.strip_prefix("```").filter(|info| !info.is_empty()) {
            Some(info) => {
                let (language, kind) = info.split_once(',').unwrap_or((info, ""));
                let language = if matches!(language, "requirements" | "text") { "text" } else { language };
                let language = if language == "pyproject" { "toml" } else { language };
                _ = writeln!(text, "{}\n\n```{language}", caption(kind));
            }
            None => _ = writeln!(text, "{line}"),
        }
    }
    text
}

/// What an example of a kind shows.
fn caption(kind: &str) -> &'static str {
    match kind {
        "bad" => "Reported:",
        "good" => "Fine:",
        "fixed" => "After the safe fix:",
        "unsafe-fixed" => "After the unsafe fix:",
        "requirements" => "With `requirements.txt`",
        "pyproject" => "With `pyproject.toml`",
        "script" => "With the script",
        "list" => "With `data/dataset_info.json`",
        "deepspeed" => "With the DeepSpeed configuration",
        _ => "With",
    }
}
