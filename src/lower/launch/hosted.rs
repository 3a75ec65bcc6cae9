//! Launch lines in files of other programs: configurations of VS Code, and steps of workflows.

use std::path::Path;
use std::sync::Arc;

use super::{Context, Launch, plain};
use crate::source::{SourceFile, Span};
use crate::syntax::embedded::Embedded;
use crate::syntax::{Document, Entry, Format, Node, NodeKind, Scalar, shell};

/// What VS Code puts in place of the folder that it has open.
const FOLDERS: [&str; 2] = ["${workspaceFolder}/", "${workspaceRoot}/"];

/// Whether a file is one in which another program is told what to start.
pub(in super::super) fn is_host(path: &Path) -> bool {
    is_editors(path) || is_workflow(path)
}

/// The launch lines of such a file.
pub(in super::super) fn launches(document: &Document, source: &SourceFile) -> Vec<Launch> {
    if is_editors(source.path()) { of_editor(document, source) } else { of_workflow(document, source) }
}

fn is_editors(path: &Path) -> bool {
    path.ends_with(".vscode/launch.json")
}

/// A workflow of GitHub, or an action that is made of steps.
fn is_workflow(path: &Path) -> bool {
    let is_yaml = path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml");
    let is_below = path.parent().is_some_and(|folder| folder.ends_with(".github/workflows"));
    is_yaml && (is_below || path.file_stem().is_some_and(|stem| stem == "action"))
}

/// `{"type": "debugpy", "program": "${workspaceFolder}/train.py", "args": ["--beta", "0.1"]}`.
fn of_editor(document: &Document, source: &SourceFile) -> Vec<Launch> {
    let configurations = document.root.get("configurations").map_or(&[][..], Node::entries);
    configurations.iter().filter_map(|one| of_configuration(&one.value, source)).collect()
}

fn of_configuration(configuration: &Node, source: &SourceFile) -> Option<Launch> {
    let kind = configuration.get("type")?.as_str()?;
    if !matches!(kind, "python" | "debugpy") {
        return None;
    }
    let (switch, program) = match configuration.get("program") {
        Some(program) => (None, program),
        None => (Some(word("-m", configuration.entry("module")?.key.as_ref()?.span)), configuration.get("module")?),
    };
    // Arguments as one text are taken apart by a shell, which is not said here.
    let given = configuration.get("args").filter(|args| matches!(args.kind, NodeKind::List(_)));
    let is_open = configuration.get("args").is_some() && given.is_none();
    let given = given.map_or(&[][..], Node::entries).iter();
    let args =
        switch.into_iter().chain(std::iter::once(argument(program))).chain(given.map(|one| argument(&one.value)));
    let kind = NodeKind::Call { callee: "python".to_owned(), callee_span: program.span, args: args.collect() };
    let call = Node { span: configuration.span, kind, anchor: None };
    let exported = configuration.get("env").map_or(&[][..], Node::entries);
    let directory = configuration.get("cwd").map(|folder| plain(&argument(folder).value));
    let context = Context { exported: shared(exported), directory, ..Context::new(source) };
    let mut launch = context.launch(&call)?;
    launch.is_open |= is_open;
    Some(launch)
}

/// A text of the configuration as a word; what VS Code fills in is not known, but for its folder.
fn argument(node: &Node) -> Entry {
    let text = node.as_str().map(|text| FOLDERS.iter().find_map(|folder| text.strip_prefix(folder)).unwrap_or(text));
    match text {
        Some(text) if !text.contains("${") => shell::word_entry(text, node.span),
        _ => Entry { span: node.span, key: None, value: Node { kind: NodeKind::Opaque, ..node.clone() } },
    }
}

fn word(text: &str, span: Span) -> Entry {
    let kind = NodeKind::Scalar(Scalar::Str(text.to_owned()));
    Entry { span, key: None, value: Node { span, kind, anchor: None } }
}

/// The `run` of each step, in the order of the file.
fn of_workflow(document: &Document, source: &SourceFile) -> Vec<Launch> {
    let root = &document.root;
    let jobs = root.get("jobs").map_or(&[][..], Node::entries).iter().map(|job| &job.value);
    let mut found = Vec::new();
    for job in jobs.chain(root.get("runs")) {
        for step in job.get("steps").map_or(&[][..], Node::entries).iter().map(|step| &step.value) {
            let is_shell =
                |shell: &Node| shell.as_str().is_some_and(|shell| shell.starts_with("bash") || shell == "sh");
            let Some(script) = step.get("run").and_then(|run| embedded(run, source)) else { continue };
            if !step.get("shell").is_none_or(is_shell) {
                continue;
            }
            let levels = [root, job, step].map(|level| level.get("env").map_or(&[][..], Node::entries));
            let below = |level: &Node| level.get("defaults")?.get("run")?.get("working-directory").cloned();
            let directory = step.get("working-directory").cloned().or_else(|| below(job)).or_else(|| below(root));
            let directory = directory.as_ref().map(plain);
            let mut context = Context { exported: shared(&levels.concat()), directory, ..Context::new(source) };
            let document = shell::parse_embedded(&script, Format::Shell);
            context.entries(document.root.entries(), Format::Shell, 0);
            found.append(&mut context.found);
        }
    }
    found
}

/// The text of a scalar, where the file has it as it is: the lines of a literal block without their indentation, or a word without
/// quotes.
fn embedded<'s>(scalar: &Node, source: &'s SourceFile) -> Option<Embedded<'s>> {
    let (text, start) = (source.slice(scalar.span), scalar.span.start as usize);
    if scalar.as_str() == Some(text) {
        return Some(Embedded::verbatim(source.id(), text, start));
    }
    let (head, body) = text.split_once('\n').filter(|(head, _)| head.starts_with('|'))?;
    let blank = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let indent = body.lines().filter(|line| !line.trim().is_empty()).map(blank).min()?;
    let mut script = Embedded::empty(source.id(), start + head.len() + 1);
    let mut at = start + head.len() + 1;
    for line in body.split_inclusive('\n') {
        let skipped = indent.min(blank(line));
        script.push(&line[skipped..], at + skipped);
        at += line.len();
    }
    Some(script)
}

fn shared(entries: &[Entry]) -> Vec<Arc<Entry>> {
    entries.iter().map(|entry| Arc::new(entry.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::launch::tests::shown;
    use crate::source::Sources;

    fn show(path: &str, text: &str) -> String {
        let source = Sources::default().add(path.into(), text);
        let format = Format::of(Path::new(path)).expect("it has a format");
        assert!(is_host(Path::new(path)), "{path}");
        launches(&crate::syntax::parse(format, &source), &source).iter().map(shown).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn configurations_of_an_editor_start_scripts() {
        let configuration = |text: &str| format!("{{ // a comment\n \"configurations\": [{{{text}}},]}}");
        for (text, expected) in [
            (
                r#""type": "debugpy", "program": "${workspaceFolder}/src/dpo.py", "args": ["--beta", "0.1", "--config", "${workspaceFolder}/a.yaml", "--bf16"], "env": {"A": "1"}, "cwd": "${workspaceFolder}/src""#,
                "python() > src/dpo.py: beta=0.1 config=a.yaml bf16=; a.yaml; A=1; in src",
            ),
            (
                r#""type": "python", "module": "accelerate.commands.launch", "args": ["dpo.py"]"#,
                "python() > accelerate launch() > dpo.py: ",
            ),
            (r#""type": "python", "module": "package.dpo", "args": "--beta 0.1""#, "python() > -m package.dpo:  open"),
            (r#""type": "python", "program": "${file}", "args": ["--beta", "0.1"]"#, "python() > ?: beta=0.1"),
            (
                r#""type": "python", "program": "dpo.py", "args": ["--config", "${input:config}"]"#,
                "python() > dpo.py: config=?; ?",
            ),
            (r#""type": "node", "program": "dpo.py""#, ""),
        ] {
            assert_eq!(show(".vscode/launch.json", &configuration(text)), expected, "{text}");
        }
    }

    #[test]
    fn steps_of_workflows_start_scripts() {
        let path = ".github/workflows/train.yml";
        for (text, expected) in [
            (
                "env: {A: 1}\njobs:\n  t:\n    steps:\n      - run: |\n          pip install trl\n\n          python dpo.py \\\n            --beta 0.1\n        env:\n          B: x\n        working-directory: sub\n",
                "python() > dpo.py: beta=0.1; A=~ B=x; in sub",
            ),
            ("jobs:\n  t:\n    steps:\n      - run: python dpo.py --bf16\n", "python() > dpo.py: bf16="),
            (
                "jobs:\n  t:\n    steps:\n      - {run: \"python dpo.py\"}\n      - run: >\n          python dpo.py\n",
                "",
            ),
            ("jobs:\n  t:\n    steps:\n      - run: python dpo.py\n        shell: pwsh\n", ""),
            (
                "jobs:\n  t:\n    steps:\n      - run: |-\n          python dpo.py --beta ${{ matrix.beta }} --seed 1\n",
                "python() > dpo.py: beta=? seed=1",
            ),
        ] {
            assert_eq!(show(path, text), expected, "{text}");
        }
        let action = "runs:\n  using: composite\n  steps:\n    - run: trl dpo --config a.yaml\n      shell: bash\n";
        assert_eq!(show("tools/action.yml", action), "trl:dpo: config=a.yaml; a.yaml");
    }
}
