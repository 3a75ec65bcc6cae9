use proptest::prelude::*;

use super::*;
use crate::syntax::testing::file;

/// A notebook with one code cell per text.
fn notebook(cells: &[&str]) -> String {
    let cell =
        |text: &&str| serde_json::json!({"cell_type": "code", "outputs": [{"data": "x"}], "source": lines(text)});
    serde_json::json!({"cells": cells.iter().map(cell).collect::<Vec<_>>(), "nbformat": 4}).to_string()
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn commands_of(text: &str) -> String {
    let source = file(text);
    let notebook = parse(&source);
    let entries = notebook.documents().into_iter().flat_map(|document| document.root.entries());
    entries.map(shell::tests::entry).collect::<Vec<_>>().join("\n")
}

#[test]
fn cells_become_one_module_with_places_in_the_file() {
    let text = notebook(&["import trl\nx = \"é\t\"", "y = f(a='中\u{1F600}', b=2)"]);
    let text = text.replace('中', "\\u4e2d").replace('\u{1F600}', "\\ud83d\\ude00");
    let source = file(&text);
    let notebook = parse(&source);
    assert_eq!(notebook.errors, []);
    let module = &notebook.module;
    assert_eq!(module.text(), "import trl\nx = \"é\t\"\ny = f(a='中\u{1F600}', b=2)\n");
    let slices: Vec<&str> = module.body().iter().map(|statement| source.slice(module.span(statement))).collect();
    assert_eq!(slices[1..], [r#"x = \"é\t\""#, r"y = f(a='\u4e2d\ud83d\ude00', b=2)"]);
    let place = module.span(&module.body()[2]);
    assert_eq!(notebook.cell_of(place.start), Some(1));
    assert_eq!(notebook.cell_of(0), None);
}

#[test]
fn commands() {
    for (cells, expected) in [
        (&["!pip install trl==0.9 \\\n  peft\nx = 1"][..], "pip [install] [trl==0.9] [peft]"),
        (&["%pip install -q \"trl>=0.9\""], "pip [install] [-q] [trl>=0.9]"),
        (&["if a:\n    !pip install trl\nx = !ls"], "pip [install] [trl]\nls"),
        (&["%%capture\n!pip install trl"], "pip [install] [trl]"),
        (&["%%bash\npython t.py --a 1\n", "%%writefile a.py\nx ="], "python [t.py] [--a] [1]"),
        (&["%%time\n%%bash\nls"], "ls"),
        (&["%%script bash\nls"], "ls"),
        (&["%%html\n<b>"], ""),
        (&["!python t.py --a {a} --b={cfg.b} --c ${HOME}"], "python [t.py] [--a] ? b=? [--c] ?"),
        (&["!echo '{\"a\": 1}'"], "echo [{\"a\": 1}]"),
        (&["%run t.py --a 1"], "%run [t.py] [--a] [1]"),
        (&["%matplotlib inline\n%cd /x\n?f"], ""),
        (&["s = '''\n!ls\n'''"], ""),
        (&["x = '''", "!ls"], "ls"),
    ] {
        assert_eq!(commands_of(&notebook(cells)), expected, "{cells:?}");
    }
}

/// The parser panics at this text, which is more than an error.
#[test]
fn a_cell_that_the_parser_cannot_take_is_left_out() {
    let notebook = parse(&file(&notebook(&["import trl", "{]\n;", "x = 1"])));
    assert_eq!(notebook.errors.len(), 1, "{:?}", notebook.errors);
    assert_eq!(notebook.module.body().len(), 2);
}

#[test]
fn places_of_commands_are_those_of_the_file() {
    let source = file(&notebook(&["x = 1\n!pip install \"trl==0.9\" {x}"]));
    let notebook = parse(&source);
    let call = &notebook.commands[0].root.entries()[0].value;
    assert_eq!(source.slice(call.span), r#"pip install \"trl==0.9\" {x}"#);
    let install = crate::syntax::requirements::parse_pip_command(call, &source).expect("an installation");
    assert!(install.is_open);
    let specifiers = install.requirements[0].specifiers.as_ref().expect("a pin");
    assert_eq!(source.slice(specifiers.span), "==0.9");
}

#[test]
fn a_broken_cell_does_not_take_the_others_along() {
    let source = file(&notebook(&["x = 1", "y = '''", "z = 3"]));
    let notebook = parse(&source);
    assert_eq!(notebook.module.text(), "x = 1\nz = 3\n");
    assert_eq!(notebook.errors.len(), 1);
    assert_eq!(notebook.cell_of(notebook.errors[0].span.start), Some(1));
}

#[test]
fn forms_of_notebooks() {
    for (text, module, errors) in [
        (r#"{"cells": [{"cell_type": "code", "source": "a\nb"}]}"#, "a\nb\n", 0),
        (r#"{"worksheets": [{"cells": [{"cell_type": "code", "language": "python", "input": ["a"]}]}]}"#, "a\n", 0),
        (r#"{"cells": [{"cell_type": "markdown", "source": "a"}, {"cell_type": "raw", "source": "b"}]}"#, "", 0),
        (r#"{"cells": [{"cell_type": "code", "source": "a"}], "metadata": {"kernelspec": {"language": "R"}}}"#, "", 0),
        (r#"{"cells": [{"cell_type": "code"}, {"cell_type": "code", "source": null}, 1]}"#, "\n\n", 0),
        (r#"{"cells": []}"#, "", 0),
        ("{}", "", 1),
        ("", "", 1),
        ("nope", "", 1),
    ] {
        let notebook = parse(&file(text));
        assert_eq!((notebook.module.text(), notebook.errors.len()), (module, errors), "{text}");
    }
}

#[test]
fn large_notebooks_are_read_in_linear_time() {
    let output = "A".repeat(200_000);
    let cell =
        serde_json::json!({"cell_type": "code", "outputs": [{"data": output}], "source": lines("x = \"a\"\n!ls\n")});
    let many = serde_json::json!({"cells": vec![cell; 50]}).to_string();
    let long = notebook(&["x = \"a\"\n!ls --a {x}\n".repeat(10_000).as_str()]);
    for text in [many, long] {
        let start = std::time::Instant::now();
        let source = file(&text);
        assert!(!parse(&source).commands.is_empty());
        assert!(start.elapsed().as_secs() < 10, "took {:?}", start.elapsed());
    }
}

proptest! {
    #[test]
    fn any_text_is_survived(text in r"([ -~\n\t\x00-\x1fé]|!pip |%%|%run |\{a\}|'''|\\)*", cut in 0usize..400) {
        let whole = notebook(&[&text, "!ls"]);
        let cut: String = whole.chars().take(cut).collect();
        for text in [whole, cut] {
            let source = file(&text);
            let notebook = parse(&source);
            for document in notebook.documents() {
                for entry in document.root.entries() {
                    prop_assert!(text.get(entry.span.range()).is_some());
                }
            }
        }
    }

    #[test]
    fn any_json_string_is_survived(raw in r"([ -~é]|\\u[0-9a-f]{4}|\\ud83d\\ude00|\\[a-z])*") {
        parse(&file(&format!("{{\"cells\": [{{\"cell_type\": \"code\", \"source\": \"{raw}\"}}]}}")));
    }
}
