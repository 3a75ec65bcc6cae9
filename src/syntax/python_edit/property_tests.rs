//! Calls of any layout: an edit changes the tree as wanted and nothing else, and no comment is lost.

use proptest::prelude::*;
use ruff_python_ast as ast;
use ruff_python_ast::comparable::ComparableStmt;

use super::*;
use crate::source::Sources;

/// A call before it has a layout.
#[derive(Debug, Clone)]
struct Call {
    items: Vec<String>,
    /// What stands before each item and before the closing bracket.
    gaps: Vec<String>,
    /// What stands between each item and its comma.
    tails: Vec<String>,
    trailing_comma: bool,
    windows: bool,
}

impl Call {
    fn text(&self) -> String {
        let mut text = "if a:\n    x = f(".to_owned();
        for (index, item) in self.items.iter().enumerate() {
            text += &self.gaps[index];
            text += item;
            if index + 1 < self.items.len() || self.trailing_comma {
                text += &self.tails[index];
                text.push(',');
            }
        }
        text += &self.gaps[self.items.len()];
        text += ")  # end\ny = 2\n";
        if self.windows { text.replace('\n', "\r\n") } else { text }
    }
}

fn call() -> impl Strategy<Value = Call> {
    let value = prop_oneof![
        Just("b"),
        Just("g(1, k=2)"),
        Just("(\n  b  # in\n)"),
        Just("[1,\n 2]"),
        Just("'a, # b'"),
        Just("'''a\nb'''"),
        Just("lambda q, r: q"),
        Just("{'a': 1}"),
        Just("'中'"),
    ];
    let gap = prop_oneof![
        4 => Just(""),
        4 => Just(" "),
        4 => Just("\n        "),
        2 => Just("\n\t"),
        1 => Just("  # gap\n        "),
        1 => Just("\n        # own line\n        "),
        1 => Just(" \\\n  "),
    ];
    let tail = prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("  # tail\n    ")];
    (prop::collection::vec((value, gap.clone(), tail), 1..5), gap, 0_usize..5, any::<bool>(), any::<bool>()).prop_map(
        |(parts, last, positional, trailing_comma, windows)| Call {
            items: parts
                .iter()
                .enumerate()
                .map(|(at, (value, ..))| if at < positional { (*value).to_owned() } else { format!("k{at}={value}") })
                .collect(),
            gaps: parts.iter().map(|(_, gap, _)| *gap).chain([last]).map(str::to_owned).collect(),
            tails: parts.iter().map(|(.., tail)| (*tail).to_owned()).collect(),
            trailing_comma,
            windows,
        },
    )
}

fn parse(text: &str) -> PythonModule {
    PythonModule::parse(&Sources::default().add("a.py".into(), text))
}

fn comments(module: &PythonModule) -> Vec<&str> {
    let mut all: Vec<&str> = module.comments().iter().map(|comment| module.slice(*comment)).collect();
    all.sort_unstable();
    all
}

/// The expected call on one line: only its tree counts.
fn same_tree(text: &str, items: &[String]) -> bool {
    let plain = Call {
        items: items.to_vec(),
        gaps: vec![String::new(); items.len() + 1],
        tails: vec![String::new(); items.len()],
        trailing_comma: false,
        windows: text.contains("\r\n"),
    };
    let (left, right) = (parse(text), parse(&plain.text()));
    let tree = |module: &'_ PythonModule| -> Vec<String> {
        module.body().iter().map(|stmt| format!("{:?}", ComparableStmt::from(stmt))).collect()
    };
    left.errors().is_empty() && tree(&left) == tree(&right)
}

fn verify(before: &PythonModule, result: Result<Vec<Edit>, EditError>, items: &[String]) -> Result<(), TestCaseError> {
    let edits = match result {
        // Refusing is always allowed; the tables say where it must not happen.
        Err(EditError::Comment(_) | EditError::WouldShift) => return Ok(()),
        other => other.map_err(|error| TestCaseError::fail(error.to_string()))?,
    };
    let mut text = before.text().to_owned();
    for edit in edits.iter().rev() {
        text.replace_range(edit.span.range(), &edit.text);
    }
    let after = parse(&text);
    prop_assert!(same_tree(&text, items), "{}\nbecame\n{text}\nwanted {items:?}", before.text());
    prop_assert_eq!(comments(before), comments(&after), "{}\nbecame\n{}", before.text(), text);
    prop_assert!(
        !before.text().contains('\r') || !text.replace("\r\n", "").contains('\n'),
        "line endings mixed: {text:?}"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn edits_keep_the_rest(call in call(), pick in 0_usize..5) {
        let text = call.text();
        let module = parse(&text);
        prop_assume!(module.errors().is_empty());
        let pick = pick % call.items.len();
        let ast::Stmt::If(branch) = &module.body()[0] else { panic!("an if") };
        let ast::Stmt::Assign(assign) = &branch.body[0] else { panic!("an assignment") };
        let ast::Expr::Call(node) = &*assign.value else { panic!("a call") };
        let arguments: Vec<_> = node.arguments.args.iter().map(ast::ArgOrKeyword::Arg)
            .chain(node.arguments.keywords.iter().map(ast::ArgOrKeyword::Keyword)).collect();
        let (whole, value) = (module.span(arguments[pick]), module.span(arguments[pick].value()));

        let mut wanted = call.items.clone();
        wanted[pick] = match wanted[pick].split_once('=').filter(|(key, _)| key.starts_with('k')) {
            Some((key, _)) => format!("{key}=None"),
            None => "None".to_owned(),
        };
        verify(&module, set_value(&module, value, "None"), &wanted)?;

        let mut wanted = call.items.clone();
        wanted.remove(pick);
        verify(&module, remove_argument(&module, whole), &wanted)?;

        let mut wanted = call.items.clone();
        wanted.push("new=True".to_owned());
        verify(&module, insert_keyword(&module, module.span(node), "new", "True"), &wanted)?;
    }
}
