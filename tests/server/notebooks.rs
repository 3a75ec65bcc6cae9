//! Notebooks, cell by cell.

use serde_json::{Value, json};

use super::client::{Client, Options, apply, at, edits_of, range};
use super::{REQUIREMENTS, project, told};

const IMPORTS: &str = "from trl import DPOConfig, DPOTrainer\n!pip install -q wandb\n";

/// One finding, on its second line, behind what takes more bytes than units and more units than letters.
const TRAINER: &str =
    "args = DPOConfig(output_dir=\"out\")\nfoo = \"模𝄞\"; trainer = DPOTrainer(\"model\", args=args, tokenizer=tok)\n";

/// A notebook in the editor.
struct Notebook {
    client: Client,
    name: &'static str,
    version: i64,
}

impl Notebook {
    /// Opens one with these cells: kind, language and text; their URIs end with their numbers.
    fn open(mut client: Client, name: &'static str, cells: &[(u8, &str, &str)]) -> Self {
        let numbered = || cells.iter().enumerate();
        let documents: Vec<Value> =
            numbered().map(|(number, (_, language, text))| document(name, number, language, text)).collect();
        let cells: Vec<Value> = numbered().map(|(number, (kind, ..))| cell(name, number, *kind)).collect();
        let notebook =
            json!({"uri": client.uri(name), "notebookType": "jupyter-notebook", "version": 1, "cells": cells});
        client
            .notify("notebookDocument/didOpen", json!({"notebookDocument": notebook, "cellTextDocuments": documents}));
        Self { client, name, version: 1 }
    }

    fn uri(&self, cell: usize) -> String {
        uri(self.name, cell)
    }

    fn change(&mut self, cells: &Value) {
        self.version += 1;
        let document = json!({"uri": self.client.uri(self.name), "version": self.version});
        self.client
            .notify("notebookDocument/didChange", json!({"notebookDocument": document, "change": {"cells": cells}}));
    }

    /// What is written in a cell.
    fn write(&mut self, cell: usize, version: i64, changes: &Value) {
        let content = json!({"document": {"uri": self.uri(cell), "version": version}, "changes": changes});
        self.change(&json!({"textContent": [content]}));
    }

    /// The next diagnostics of a cell.
    fn diagnostics(&mut self, cell: usize) -> Value {
        let uri = self.uri(cell);
        self.client.diagnostics_of(&uri)
    }

    fn actions(&mut self, cell: usize, range: &Value, only: Option<&str>) -> Vec<Value> {
        let context =
            only.map_or_else(|| json!({"diagnostics": []}), |kind| json!({"diagnostics": [], "only": [kind]}));
        let params = json!({"textDocument": {"uri": self.uri(cell)}, "range": range, "context": context});
        self.client.ask("textDocument/codeAction", params).as_array().expect("a list").clone()
    }
}

/// As VS Code writes them.
fn uri(name: &str, cell: usize) -> String {
    format!("vscode-notebook-cell:/{name}#W{cell}sZmlsZQ%3D%3D")
}

fn cell(name: &str, number: usize, kind: u8) -> Value {
    json!({"kind": kind, "document": uri(name, number)})
}

fn document(name: &str, number: usize, language: &str, text: &str) -> Value {
    json!({"uri": uri(name, number), "languageId": language, "version": 1, "text": text})
}

#[test]
fn findings_stand_in_their_cells() {
    for (encodings, start) in [(None, 54), (Some(json!(["utf-8", "utf-16"])), 58)] {
        let folder = project(&[("requirements.txt", REQUIREMENTS)]);
        let client = Client::start(folder.path(), Options { encodings, ..Options::default() });
        let selector = &client.capabilities["notebookDocumentSync"]["notebookSelector"][0]["notebook"];
        assert_eq!(selector["notebookType"], "jupyter-notebook");
        let cells = [(2, "python", IMPORTS), (1, "markdown", "# tokenizer"), (2, "python", TRAINER)];
        let mut notebook = Notebook::open(client, "train.ipynb", &cells);
        assert_eq!(told(&notebook.diagnostics(0)), [""; 0]);
        let found = notebook.diagnostics(2);
        assert_eq!(told(&found), ["1:renamed-argument"]);
        assert_eq!(found["version"], 1);
        assert_eq!(found["diagnostics"][0]["range"], range((1, start), (1, start + 13)));
        let related = &found["diagnostics"][0]["relatedInformation"][0]["location"]["uri"];
        assert_eq!(*related, notebook.client.uri("requirements.txt"));

        // A cell counts for those below it as soon as it is written.
        notebook.write(0, 2, &json!([{"range": range((0, 0), (0, 0)), "text": "# "}]));
        assert_eq!(told(&notebook.diagnostics(2)), [""; 0], "nothing is imported");
        notebook.write(0, 3, &json!([{"range": range((0, 0), (0, 2)), "text": ""}]));
        assert_eq!(told(&notebook.diagnostics(2)), ["1:renamed-argument"]);
        assert_eq!(notebook.client.end(), Some(0));
    }
}

#[test]
fn cells_that_move_and_go_take_their_findings_along() {
    let written = json!({"cells": [{"cell_type": "code", "source": [IMPORTS, TRAINER]}], "nbformat": 4}).to_string();
    let folder = project(&[("requirements.txt", REQUIREMENTS), ("train.ipynb", &written)]);
    let mut client = Client::start(folder.path(), Options::default());
    assert_eq!(told(&client.diagnostics("train.ipynb")), ["0:renamed-argument"], "as it is on the disk");
    let mut notebook = Notebook::open(client, "train.ipynb", &[(2, "python", IMPORTS), (2, "python", TRAINER)]);
    assert_eq!(told(&notebook.client.diagnostics("train.ipynb")), [""; 0], "the cells are shown instead");
    assert_eq!(told(&notebook.diagnostics(1)), ["1:renamed-argument"]);

    let name = notebook.name;
    let swapped = json!({"start": 0, "deleteCount": 2, "cells": [cell(name, 1, 2), cell(name, 0, 2)]});
    notebook.change(&json!({"structure": {"array": swapped}}));
    assert_eq!(told(&notebook.diagnostics(1)), [""; 0], "it comes before the import");

    // A cell between them that imports once more.
    let added = json!({"start": 0, "deleteCount": 0, "cells": [cell(name, 7, 2)]});
    let opened = document(name, 7, "python", "from trl import *");
    notebook.change(&json!({"structure": {"array": added, "didOpen": [opened]}}));
    let text = "from trl import DPOTrainer\nDPOTrainer(\"m\", no_such=1)";
    notebook.write(7, 2, &json!([{"text": text}]));
    assert_eq!(
        told(&notebook.client.diagnostics_where(&uri(name, 7), |one| one["version"] == 2)),
        ["1:unknown-argument"]
    );
    assert_eq!(
        told(&notebook.client.diagnostics_where(&uri(name, 1), |one| !told(one).is_empty())),
        ["1:renamed-argument"]
    );
    let removed = json!({"start": 0, "deleteCount": 1});
    notebook.change(&json!({"structure": {"array": removed, "didClose": [{"uri": uri(name, 7)}]}}));
    let gone = notebook.diagnostics(7);
    assert_eq!((told(&gone), gone.get("version")), (Vec::new(), None));
    assert_eq!(told(&notebook.diagnostics(1)), [""; 0]);

    // What is closed counts as it is on the disk.
    notebook.change(&json!({"structure": {"array": json!({"start": 0, "deleteCount": 2,
        "cells": [cell(name, 0, 2), cell(name, 1, 2)]})}}));
    assert_eq!(told(&notebook.diagnostics(1)), ["1:renamed-argument"]);
    let named = json!({"notebookDocument": {"uri": notebook.client.uri(name)}, "cellTextDocuments": []});
    notebook.client.notify("notebookDocument/didSave", named.clone());
    assert_eq!(told(&notebook.diagnostics(1)), ["1:renamed-argument"]);
    notebook.client.notify("notebookDocument/didClose", named);
    assert_eq!(told(&notebook.diagnostics(1)), [""; 0]);
    assert_eq!(told(&notebook.client.diagnostics(name)), ["0:renamed-argument"]);
}

#[test]
fn fixes_are_edits_of_cells() {
    let folder = project(&[("requirements.txt", REQUIREMENTS)]);
    let client = Client::start(folder.path(), Options::default());
    let other = "x = 'a\\t\"b\"'\nother = DPOTrainer(\n    \"model\",\n    tokenizer=tok,  # \"mine\"\n)";
    let cells =
        [(2, "python", IMPORTS), (2, "python", "trainer = DPOTrainer(\"m\", tokenizer=tok)"), (2, "python", other)];
    let mut notebook = Notebook::open(client, "train.ipynb", &cells);
    assert_eq!(told(&notebook.diagnostics(2)), ["3:renamed-argument"]);
    assert_eq!(notebook.actions(2, &range((0, 0), (1, 0)), None).len(), 1, "all of the file, and nothing there");
    let place = range((3, 6), (3, 6));
    let found = notebook.actions(2, &place, None);
    let titles: Vec<&str> = found.iter().filter_map(|action| action["title"].as_str()).collect();
    assert_eq!(
        titles,
        [
            "Rename `tokenizer` to `processing_class`",
            "Ignore `renamed-argument` here with a comment",
            "Apply all safe fixes of dpo-lint"
        ]
    );
    let uri = notebook.uri(2);
    assert_eq!(found[0]["edit"]["documentChanges"].as_array().map(Vec::len), Some(1));
    assert_eq!(found[0]["edit"]["documentChanges"][0]["textDocument"], json!({"uri": uri, "version": 1}));
    assert_eq!(found[0]["diagnostics"][0]["range"], range((3, 4), (3, 17)));
    let fixed = other.replace("tokenizer=", "processing_class=");
    assert_eq!(apply(other, &edits_of(&found[0], &uri)), fixed);
    let ignored = other.replace("Trainer(", "Trainer(  # dpo-lint: ignore[renamed-argument] TODO: say why");
    assert_eq!(apply(other, &edits_of(&found[1], &uri)), ignored);

    // All of the notebook, from any cell of it.
    assert_eq!(found[2]["data"]["uri"], uri);
    let all = notebook.client.ask("codeAction/resolve", found[2].clone());
    assert_eq!(apply(other, &edits_of(&all, &uri)), fixed);
    let first = edits_of(&all, &notebook.uri(1));
    assert_eq!(apply(cells[1].2, &first), "trainer = DPOTrainer(\"m\", processing_class=tok)");
    assert_eq!(edits_of(&all, &notebook.uri(0)), Vec::<Value>::new());

    // What VS Code asks for when a notebook is saved.
    let only = notebook.actions(0, &range((0, 0), (0, 0)), Some("notebook.source.fixAll"));
    assert_eq!((only.len(), &only[0]["kind"]), (1, &json!("notebook.source.fixAll.dpo-lint")));
    let saved = notebook.client.ask("codeAction/resolve", only[0].clone());
    assert_eq!((&saved["kind"], &saved["edit"]), (&only[0]["kind"], &all["edit"]));

    // What was checked is not what is there any more.
    notebook.write(2, 2, &json!([{"text": fixed}]));
    assert_eq!(notebook.actions(2, &place, Some("quickfix")), Vec::<Value>::new());
    assert_eq!(notebook.actions(1, &range((0, 30), (0, 30)), Some("quickfix")).len(), 2);
}

#[test]
fn an_editor_that_wants_edits_at_once_gets_those_of_all_cells() {
    let folder = project(&[("requirements.txt", REQUIREMENTS)]);
    let client = Client::start(folder.path(), Options { resolves: false, ..Options::default() });
    let cells = [(2, "python", IMPORTS), (2, "python", "trainer = DPOTrainer(\"m\", tokenizer=tok)")];
    let mut notebook = Notebook::open(client, "train.ipynb", &cells);
    let all = notebook.actions(0, &range((0, 0), (0, 0)), Some("notebook.source.fixAll.dpo-lint"));
    assert_eq!((all.len(), &all[0]["kind"]), (1, &json!("notebook.source.fixAll.dpo-lint")));
    let fixed = apply(cells[1].2, &edits_of(&all[0], &notebook.uri(1)));
    assert_eq!(fixed, "trainer = DPOTrainer(\"m\", processing_class=tok)");
    // Scripts have no such kind.
    notebook.client.open("train.py", "from trl import DPOTrainer\nDPOTrainer(\"m\", tokenizer=tok)\n");
    let params = json!({"textDocument": {"uri": notebook.client.uri("train.py")}, "range": range((0, 0), (9, 0)),
        "context": {"diagnostics": [], "only": ["notebook.source.fixAll"]}});
    assert_eq!(notebook.client.ask("textDocument/codeAction", params), json!([]));
}

#[test]
fn a_cell_is_explained_and_completed_with_what_other_cells_import() {
    let folder = project(&[("requirements.txt", REQUIREMENTS)]);
    let client = Client::start(folder.path(), Options::default());
    let asked = "%%time\n!nvidia-smi\nargs = DPOConfig(beta=0.1, loss_type=\"\", )";
    let cells = [
        (2, "python", IMPORTS),
        (2, "python", "broken = \"\"\"("),
        (2, "shellscript", "%%bash\nls"),
        (2, "python", asked),
    ];
    let mut notebook = Notebook::open(client, "train.ipynb", &cells);
    assert_eq!(told(&notebook.diagnostics(0)), [""; 0]);
    let place = |character| json!({"textDocument": {"uri": uri("train.ipynb", 3)}, "position": at(2, character)});
    let hover = notebook.client.ask("textDocument/hover", place(19));
    assert!(
        hover["contents"]["value"].as_str().is_some_and(|text| text.contains("`beta: float` of `DPOConfig`")),
        "{hover}"
    );
    assert_eq!(hover["range"], range((2, 17), (2, 21)));
    let labels = |answer: &Value| -> Vec<String> {
        let items = answer["items"].as_array().expect("a list").iter();
        items.filter_map(|item| item["label"].as_str().map(str::to_owned)).collect()
    };
    let choices = notebook.client.ask("textDocument/completion", place(38));
    assert!(labels(&choices).contains(&"ipo".to_owned()), "{choices}");
    assert_eq!(choices["items"][0]["textEdit"]["range"], range((2, 38), (2, 38)));
    let names = labels(&notebook.client.ask("textDocument/completion", place(41)));
    assert!(names.contains(&"label_smoothing".to_owned()) && !names.contains(&"beta".to_owned()), "{names:?}");
    // On a finding stands its page.
    notebook.write(3, 2, &json!([{"text": "DPOTrainer(\"m\", no_such=1)"}]));
    let place = json!({"textDocument": {"uri": uri("train.ipynb", 3)}, "position": at(0, 17)});
    let hover = notebook.client.ask("textDocument/hover", place);
    assert!(hover["contents"]["value"].as_str().is_some_and(|text| text.starts_with("# unknown-argument")), "{hover}");
}

#[test]
fn messages_that_make_no_sense_change_nothing() {
    let folder = project(&[("requirements.txt", REQUIREMENTS)]);
    let client = Client::start(folder.path(), Options::default());
    let mut notebook = Notebook::open(client, "train.ipynb", &[(2, "python", IMPORTS), (2, "python", TRAINER)]);
    assert_eq!(told(&notebook.diagnostics(1)), ["1:renamed-argument"]);
    let name = notebook.name;
    for cells in [
        json!({"structure": {"array": {"start": -1, "deleteCount": 1}}}),
        json!({"structure": {"array": {"start": 99, "deleteCount": 4_000_000_000_u64}}}),
        json!({"structure": {"array": {"start": 2, "deleteCount": 0, "cells": [cell(name, 5, 2)]}}}),
        json!({"textContent": [{"document": {"uri": uri(name, 6), "version": 2}, "changes": [{"text": "x"}]}]}),
        json!({"data": [cell(name, 6, 1)]}),
        json!({"data": 1}),
        Value::Null,
    ] {
        notebook.change(&cells);
    }
    for (method, uri) in [("didChange", notebook.client.uri("other.ipynb")), ("didOpen", "untitled:x.ipynb".to_owned())]
    {
        let params = json!({"notebookDocument": {"uri": uri, "version": 1, "cells": []}, "change": {"cells": {}}});
        notebook.client.notify(&format!("notebookDocument/{method}"), params);
    }
    // A range behind the end is the end.
    notebook.write(1, 2, &json!([{"range": range((9, 9), (99, 0)), "text": "DPOTrainer(\"m\", no_such=1)"}]));
    let found = notebook.client.diagnostics_where(&uri(name, 1), |one| one["version"] == 2);
    assert_eq!(told(&found), ["1:renamed-argument", "2:unknown-argument"]);
    assert_eq!(notebook.client.end(), Some(0));
}
