//! Parsers survive any text, speak of places inside it, and their edits leave what they do not touch as readable as it was.

use dpo_lint::source::{SourceFile, Sources, Span};
use dpo_lint::syntax::python::PythonModule;
use dpo_lint::syntax::{self, Document, Edit, Entry, Format, Node, NodeKind, edit, python_call, python_edit};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast};

/// So many entries or calls of a text are edited; each costs two readings of it.
const EDITED: usize = 6;

/// A format that is read as a [`Document`].
pub fn reads(format: Format, text: &str) {
    let source = Sources::default().add(name(format).into(), text);
    let document = syntax::parse(format, &source);
    sound(&source, &document);
    match format {
        Format::Shell | Format::Dockerfile | Format::Makefile => edit_commands(&source, &document),
        Format::Requirements => requirements(&source),
        _ => edit_entries(&source, &document),
    }
}

/// Python: the tree, completion at every place, edits of every call.
pub fn python(text: &str) {
    let source = Sources::default().add("a.py".into(), text);
    let module = PythonModule::parse(&source);
    python_module(&source, &module);
    for offset in (0..=text.len()).filter(|offset| text.is_char_boundary(*offset)).take(300) {
        let Some(place) = python_call::call_at(&module, offset) else { continue };
        _ = python_call::full_name(&module, &place.callee);
        let (python_call::Part::Name { range, .. } | python_call::Part::Value { range, .. }) = place.part;
        assert!(text.get(range.clone()).is_some(), "completion at {offset} replaces {range:?} of {text:?}");
    }
}

/// Notebooks: their Python, and the commands in them.
pub fn notebook(text: &str) {
    let source = Sources::default().add("a.ipynb".into(), text);
    let notebook = syntax::notebook::parse(&source);
    python_module(&source, &notebook.module);
    for document in notebook.documents() {
        sound(&source, document);
        edit_commands(&source, document);
    }
    for error in &notebook.errors {
        inside(&source, error.span);
        _ = notebook.cell_of(error.span.start);
    }
}

/// A file name by which the format is known.
pub fn name(format: Format) -> &'static str {
    match format {
        Format::Python => "a.py",
        Format::Notebook => "a.ipynb",
        Format::Yaml => "a.yaml",
        Format::Json => "a.json",
        Format::Jsonc => "a.jsonc",
        Format::Toml => "a.toml",
        Format::Shell => "a.sh",
        Format::Requirements => "requirements.txt",
        Format::Dockerfile => "Dockerfile",
        Format::Makefile => "Makefile",
        Format::Ini => "a.cfg",
    }
}

/// How many syntax errors a text of a format has, and its comments, sorted.
pub fn errors_and_comments(source: &SourceFile, format: Format) -> (usize, Vec<String>) {
    let of_module = |module: &PythonModule| {
        let comments = module.comments().iter().map(|comment| module.slice(*comment).trim_end().to_owned());
        (module.errors().len(), comments.collect::<Vec<_>>())
    };
    let of_document = |document: &Document| {
        let comments = document.comments.iter().map(|span| source.slice(*span).trim_end().to_owned());
        (document.errors.len(), comments.collect::<Vec<_>>())
    };
    let (errors, mut comments) = match format {
        Format::Python => of_module(&PythonModule::parse(source)),
        Format::Notebook => {
            let notebook = syntax::notebook::parse(source);
            let (errors, mut comments) = of_module(&notebook.module);
            comments.extend(notebook.documents().into_iter().flat_map(|document| of_document(document).1));
            (errors + notebook.errors.len(), comments)
        }
        format => of_document(&syntax::parse(format, source)),
    };
    comments.sort();
    (errors, comments)
}

fn inside(source: &SourceFile, span: Span) {
    assert!(source.text().get(span.range()).is_some(), "{span:?} lies outside of {:?}", source.text());
}

/// Every place of a document can be shown.
fn sound(source: &SourceFile, document: &Document) {
    fn walk(source: &SourceFile, node: &Node) {
        inside(source, node.span);
        if let Some(anchor) = node.anchor {
            inside(source, anchor);
        }
        if let NodeKind::Call { callee_span, .. } = &node.kind {
            inside(source, *callee_span);
        }
        // What an alias stands for was walked where it stands.
        if matches!(node.kind, NodeKind::Alias(_)) {
            return;
        }
        for entry in node.entries() {
            inside(source, entry.span);
            if let Some(key) = &entry.key {
                inside(source, key.span);
            }
            walk(source, &entry.value);
        }
    }
    walk(source, &document.root);
    for span in document.comments.iter().chain(document.errors.iter().map(|error| &error.span)) {
        inside(source, *span);
    }
}

/// An edit that was handed out fits the text, brings no syntax error and loses no comment.
fn harmless(source: &SourceFile, format: Format, edits: &[Edit], what: &str) {
    let text = source.text();
    let edited = edit::apply(text, edits).unwrap_or_else(|error| panic!("{what}: {error}: {edits:?} of {text:?}"));
    let after = Sources::default().add(source.path().to_path_buf(), edited.as_str());
    let ((errors, comments), (errors_after, comments_after)) =
        (errors_and_comments(source, format), errors_and_comments(&after, format));
    assert!(errors_after <= errors, "{what} breaks {text:?}, which becomes {edited:?}");
    // A text that is broken has comments where a string ends that does not.
    assert!(errors > 0 || comments == comments_after, "{what} loses a comment of {text:?}, which becomes {edited:?}");
    assert!(edited.starts_with('\u{feff}') || !text.starts_with('\u{feff}'), "{what} loses the mark of {text:?}");
}

/// Sets, renames, removes and inserts, as far as the document lets it.
fn edit_entries(source: &SourceFile, document: &Document) {
    fn all<'a>(node: &'a Node, out: &mut Vec<(&'a Node, &'a Entry)>) {
        if out.len() > 200 || matches!(node.kind, NodeKind::Alias(_)) {
            return;
        }
        for entry in node.entries() {
            out.push((node, entry));
            all(&entry.value, out);
        }
    }
    let mut entries = Vec::new();
    all(&document.root, &mut entries);
    for (parent, entry) in spread(&entries) {
        let key = entry.key.as_ref().map(|_| "fresh");
        let tried = [
            ("setting a value", edit::set_value(source, document, entry, "7")),
            ("removing an entry", edit::remove_entry(source, document, entry)),
            ("renaming a key", edit::rename_key(source, document, entry, "fresh")),
            ("inserting an entry", edit::insert_entry(source, document, parent, Some(entry), key, "7")),
        ];
        for (what, result) in tried {
            if let Ok(edit) = result {
                harmless(source, document.format, &[edit], what);
            }
        }
    }
}

/// Commands, their flags, and the edits of these. What a flag becomes is proved by whoever fixes (`repairs`): a flag may stand in
/// a string that is a command to someone else.
fn edit_commands(source: &SourceFile, document: &Document) {
    use syntax::shell;
    let calls = shell::commands(document);
    for call in spread(&calls) {
        _ = syntax::requirements::parse_pip_command(call, source);
        _ = shell::words(call).count() + shell::redirects(call).count() + shell::environment(call).len();
        for flag in shell::flags(call) {
            inside(source, flag.span);
            inside(source, flag.value.span);
            let edits = [
                shell::remove_flag(source, call, &flag),
                shell::rename_flag(source, &flag, "fresh"),
                shell::set_flag(source, &flag, "a b"),
            ];
            for edit in edits.into_iter().flatten() {
                inside(source, edit.span);
            }
        }
    }
}

fn requirements(source: &SourceFile) {
    let file = syntax::requirements::parse(source);
    for requirement in file.requirements() {
        for span in [requirement.span, requirement.name_span, requirement.line_span] {
            inside(source, span);
        }
        if let Some(specifiers) = &requirement.specifiers {
            inside(source, specifiers.span);
        }
        _ = (requirement.package(), requirement.allowed());
    }
    for (include, _) in file.includes() {
        inside(source, include.span);
    }
    let whole = source.span(0..source.text().len());
    _ = syntax::requirements::parse_requirement(source.text(), whole);
    _ = syntax::requirements::parse_conda_requirement(source.text(), whole);
}

/// The tree of a module, places and edits.
fn python_module(source: &SourceFile, module: &PythonModule) {
    #[derive(Default)]
    struct Seen<'a> {
        statements: Vec<&'a ast::Stmt>,
        calls: Vec<&'a ast::ExprCall>,
    }
    impl<'a> Visitor<'a> for Seen<'a> {
        fn visit_stmt(&mut self, statement: &'a ast::Stmt) {
            self.statements.push(statement);
            walk_stmt(self, statement);
        }
        fn visit_expr(&mut self, expression: &'a ast::Expr) {
            if let ast::Expr::Call(call) = expression {
                self.calls.push(call);
            }
            walk_expr(self, expression);
        }
    }
    for error in module.errors() {
        inside(source, error.span);
    }
    let mut seen = Seen::default();
    seen.visit_body(module.body());
    for statement in &seen.statements {
        inside(source, module.span(*statement));
    }
    for comment in module.comments() {
        inside(source, module.span(*comment));
        _ = module.statement_lines(*comment);
    }
    if !module.errors().is_empty() {
        // A fix of what cannot be parsed is taken back by `repair` when it makes it worse.
        return;
    }
    for call in spread(&seen.calls) {
        let place = module.span(*call);
        edit_python(
            source,
            module,
            python_edit::insert_keyword(module, place, "fresh", "True"),
            "inserting an argument",
        );
        edit_python(source, module, python_edit::bring(module, "trl.DPOConfig").map(|(_, edits)| edits), "an import");
        let before = python_edit::insert_before(module, place, &["fresh = 1".to_owned()]);
        edit_python(source, module, before, "inserting a statement");
        let keywords =
            call.arguments.keywords.iter().map(|keyword| (module.span(keyword), module.span(&keyword.value)));
        let values = call.arguments.args.iter().map(|value| (module.span(value), module.span(value)));
        for (argument, value) in values.chain(keywords).take(4) {
            edit_python(source, module, python_edit::set_value(module, value, "None"), "setting an argument");
            edit_python(source, module, python_edit::remove_argument(module, argument), "removing an argument");
            edit_python(
                source,
                module,
                python_edit::rename_argument(module, argument, "fresh"),
                "renaming an argument",
            );
            _ = python_edit::unused_value(module, value);
        }
    }
}

fn edit_python(
    source: &SourceFile,
    module: &PythonModule,
    result: Result<Vec<Edit>, python_edit::EditError>,
    what: &str,
) {
    let Ok(edits) = result else { return };
    let format = Format::of(module.path()).expect("a file of Python");
    harmless(source, format, &edits, what);
}

/// Some of many, from the first to the last.
fn spread<T>(all: &[T]) -> impl Iterator<Item = &T> {
    all.iter().step_by(all.len().div_ceil(EDITED).max(1))
}
