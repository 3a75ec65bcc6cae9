//! Before and after, side by side. In every table the code that an edit is about stands between `«` and `»`.

use std::path::Path;

use super::*;
use crate::source::{SourceFile, Sources, Span};

/// The text without its marks, and the marked places.
fn unmark(marked: &str) -> (String, Vec<Range<usize>>) {
    let (mut text, mut open, mut ranges) = (String::new(), Vec::new(), Vec::new());
    for letter in marked.chars() {
        match letter {
            '«' => open.push(text.len()),
            '»' => ranges.push(open.pop().expect("an opening mark")..text.len()),
            _ => text.push(letter),
        }
    }
    (text, ranges)
}

fn parse(path: &str, text: &str) -> (std::sync::Arc<SourceFile>, PythonModule) {
    let source = Sources::default().add(Path::new(path).into(), text);
    let module = PythonModule::parse(&source);
    (source, module)
}

fn applied(text: &str, edits: &[Edit]) -> String {
    let mut text = text.to_owned();
    for edit in edits.iter().rev() {
        text.replace_range(edit.span.range(), &edit.text);
    }
    text
}

fn comments(module: &PythonModule) -> Vec<&str> {
    let mut all: Vec<&str> = module.comments().iter().map(|comment| module.slice(*comment)).collect();
    all.sort_unstable();
    all
}

/// Runs an edit on the marked place, with the line endings of Unix and of Windows, and behind a byte order mark.
#[track_caller]
fn check(marked: &str, expected: &str, edit: impl Fn(&PythonModule, &[Span]) -> Result<Vec<Edit>, EditError>) {
    let windows = |text: &str| text.replace('\n', "\r\n");
    let mark = |text: &str| format!("\u{feff}{text}");
    for convert in [&str::to_owned as &dyn Fn(&str) -> String, &windows, &mark] {
        let (text, ranges) = unmark(&convert(marked));
        let (source, module) = parse("train.py", &text);
        let spans: Vec<Span> = ranges.into_iter().map(|range| source.span(range)).collect();
        let edits = edit(&module, &spans).expect("an edit");
        let after = applied(&text, &edits);
        assert_eq!(after, convert(expected), "from {text}");
        let (_, again) = parse("train.py", &after);
        assert!(again.errors().len() <= module.errors().len(), "{after}\n{:?}", again.errors());
        assert_eq!(comments(&again), comments(&module), "{after}");
        assert!(edits.windows(2).all(|pair| pair[0].span.end < pair[1].span.start), "edits touch: {edits:?}");
    }
}

#[track_caller]
fn refused(marked: &str, edit: impl Fn(&PythonModule, Span) -> Result<Vec<Edit>, EditError>) -> EditError {
    let (text, ranges) = unmark(marked);
    let (source, module) = parse("train.py", &text);
    edit(&module, source.span(ranges[0].clone())).expect_err("a refusal")
}

#[test]
fn set_a_value() {
    let table = [
        ("f(a, ref_model=«ref»)", "f(a, ref_model=None)"),
        ("f(«ref», b)", "f(None, b)"),
        ("f(«ref»)", "f(None)"),
        ("f((«ref»), b)", "f(None, b)"),
        ("f(((«ref»)))", "f(None)"),
        ("type(«ref»)", "type(None)"),
        ("match(«ref»)", "match(None)"),
        ("f(g)(«ref»)", "f(g)(None)"),
        ("f[0](«ref»)", "f[0](None)"),
        ("d = {'ref_model': («ref»)}", "d = {'ref_model': None}"),
        ("d = dict(model=m, ref_model=«g(x, y=[1])»)", "d = dict(model=m, ref_model=None)"),
        ("ref: M = («load(x)»)  # c\n", "ref: M = None  # c\n"),
        ("return_ = («a») + b", "return_ = None + b"),
        ("f(x=«a if b else c»)", "f(x=None)"),
        (
            "f(\n    m,\n    ref_model=«load(\n        p,\n    )»,  # frozen\n)\n",
            "f(\n    m,\n    ref_model=None,  # frozen\n)\n",
        ),
        (
            "f(\n\tm,\n\tref_model=«load(  # one\n\t\tp,  # two\n\t)»,  # frozen\n)\n",
            "f(\n\tm,\n\t# one\n\t# two\n\tref_model=None,  # frozen\n)\n",
        ),
        ("if a:\n    ref = «load(  # why\n        p\n    )»\n", "if a:\n    # why\n    ref = None\n"),
        ("ref = (  # why\n    «load(p)»\n)\n", "# why\nref = None\n"),
        (
            "f(\n    ref_model=(\n        # the base\n        «ref»\n    ),\n)\n",
            "f(\n    # the base\n    ref_model=None,\n)\n",
        ),
        ("f('中', ref_model=«ref»)", "f('中', ref_model=None)"),
    ];
    for (before, after) in table {
        check(before, after, |module, spans| set_value(module, spans[0], "None"));
    }
}

#[test]
fn a_comment_without_a_place_is_not_lost() {
    let set = |module: &PythonModule, span| set_value(module, span, "None");
    let table = ["x = \"\"\"a\nb\"\"\" + f(«g(\n  1,  # c\n)»)\n", "x = \\\n  f(«g(\n  1,  # c\n)»)\n"];
    for before in table {
        assert_eq!(refused(before, set), EditError::Comment("# c".to_owned()), "{before}");
    }
}

#[test]
fn remove_an_argument() {
    let table = [
        ("f(«a=1»)", "f()"),
        ("f(«a=1»,)", "f()"),
        ("f(\n    «a=1»,\n)\n", "f()\n"),
        ("f(«a=1», b=2)", "f(b=2)"),
        ("f(a, «b=2»)", "f(a)"),
        ("f(a, «b=2»,)", "f(a,)"),
        ("f(a, «b=2», c=3)", "f(a, c=3)"),
        ("f(a, «b»)", "f(a)"),
        ("f(a, «b», c=1)", "f(a, c=1)"),
        ("f(a, («b»), c=1)", "f(a, c=1)"),
        ("f(a, «*b», **c)", "f(a, **c)"),
        ("f(a, «**b»)", "f(a)"),
        ("f(\n    a,\n    «b=2»,\n    c=3,\n)\n", "f(\n    a,\n    c=3,\n)\n"),
        ("f(\n    a,\n    «b=2»,\n)\n", "f(\n    a,\n)\n"),
        ("f(\n    a,\n    «b=2»\n)\n", "f(\n    a\n)\n"),
        ("f(\n    a,  # first\n    «b=2»\n)\n", "f(\n    a  # first\n)\n"),
        ("f(\n    a,\n    «b=2»,  # why\n    c=3,\n)\n", "f(\n    a,\n    # why\n    c=3,\n)\n"),
        ("f(\n    a,\n    # above\n    «b=2»,\n    c=3,\n)\n", "f(\n    a,\n    # above\n    c=3,\n)\n"),
        ("f(\n    a,\n    «b=2»  # why\n)\n", "f(\n    a\n    # why\n)\n"),
        ("f(\n\ta,\n\t«b=g(\n\t\t1,  # one\n\t)»,  # why\n)\n", "f(\n\ta,\n\t# one\n\t# why\n)\n"),
        ("f(\n    a, «b=2»,\n    c=3,\n)\n", "f(\n    a,\n    c=3,\n)\n"),
        ("f(\n    a, «b=2»,  # why\n    c=3,\n)\n", "f(\n    a,  # why\n    c=3,\n)\n"),
        ("f(\n    a, «b=2»\n)\n", "f(\n    a\n)\n"),
        ("f(\n    «a=1», b=2,\n    c=3,\n)\n", "f(\n    b=2,\n    c=3,\n)\n"),
        ("f(a,\n  «b=2»)\n", "f(a)\n"),
        ("f(a,\n  «b=2»,\n  c=3)\n", "f(a,\n  c=3)\n"),
        ("f(«a=1»,\n  b=2)\n", "f(b=2)\n"),
        ("f(«a=1»,  # first\n  b=2)\n", "f(  # first\n  b=2)\n"),
        ("f(a,  # first\n  «b=2»)\n", "f(a  # first\n  )\n"),
        ("f(a  # odd, comma\n  , «b=2»)\n", "f(a  # odd, comma\n  )\n"),
        ("f(a, «b=g(  # c\n  1)», c=3)\n", "# c\nf(a, c=3)\n"),
        ("f(\n    «a=1»,  # only\n)\n", "f(\n    # only\n)\n"),
        ("f(g(h(«x=1», y=2), z=3), w=4)", "f(g(h(y=2), z=3), w=4)"),
        ("d = {«'a': 1», 'b': 2}", "d = {'b': 2}"),
        ("d = {'a': 1, «'b': 2»}", "d = {'a': 1}"),
        ("d = {'a': 1, **«b»}", "d = {'a': 1}"),
        ("d = {\n    'a': 1,\n    «'b': (2)»,  # why\n}\n", "d = {\n    'a': 1,\n    # why\n}\n"),
    ];
    for (before, after) in table {
        check(before, after, |module, spans| remove_argument(module, spans[0]));
    }
    assert_eq!(refused("f(«a», b)", remove_argument), EditError::WouldShift);
    assert_eq!(refused("f(«a», *b)", remove_argument), EditError::WouldShift);
    assert_eq!(refused("f(a) + «b»", remove_argument), EditError::NotFound);
}

#[test]
fn remove_several_arguments() {
    let table = [
        ("f(«a=1», «b=2», c=3)", "f(c=3)"),
        ("f(a=1, «b=2», «c=3»)", "f(a=1)"),
        ("f(«a=1», b=2, «c=3»)", "f(b=2)"),
        ("f(«a=1», «b=2»)", "f()"),
        ("f(x, «a», «b»)", "f(x)"),
        ("f(\n    m,\n    «a=1»,\n    «b=2»,  # why\n    c=3,\n)\n", "f(\n    m,\n    # why\n    c=3,\n)\n"),
        ("f(\n    m,\n    «a=1»,\n    c=3,\n    «b=2»\n)\n", "f(\n    m,\n    c=3\n)\n"),
        ("f(«a=1», b=g(«c=2», d=3))", "f(b=g(d=3))"),
        ("d = {«'a': 1», «'b': 2»}\nf(«k=1», **d)", "d = {}\nf(**d)"),
    ];
    for (before, after) in table {
        check(before, after, remove_arguments);
    }
    let (text, ranges) = unmark("f(«a», b, «c»)");
    let (source, module) = parse("train.py", &text);
    let spans: Vec<Span> = ranges.into_iter().map(|range| source.span(range)).collect();
    assert_eq!(remove_arguments(&module, &spans), Err(EditError::WouldShift));
}

#[test]
fn insert_several_keywords() {
    let table = [
        ("«f()»", "f(j=1, k=True)"),
        ("«f(a,)»", "f(a, j=1, k=True,)"),
        ("«f(\n    a,\n    b,\n)»\n", "f(\n    a,\n    b,\n    j=1,\n    k=True,\n)\n"),
        ("«f(\n    a,\n    b  # last\n)»\n", "f(\n    a,\n    b,  # last\n    j=1,\n    k=True\n)\n"),
        ("«f(\n    # nothing yet\n)»\n", "f(\n    # nothing yet\n    j=1,\n    k=True,\n)\n"),
    ];
    for (before, after) in table {
        check(before, after, |module, spans| insert_keywords(module, spans[0], &[("j", "1"), ("k", "True")]));
    }
}

#[test]
fn insert_a_keyword() {
    let table = [
        ("«f()»", "f(k=True)"),
        ("«f(a)»", "f(a, k=True)"),
        ("«f(a,)»", "f(a, k=True,)"),
        ("«f(a, **b)»", "f(a, **b, k=True)"),
        ("«f((x for x in y))»", "f((x for x in y), k=True)"),
        ("«f(\n    a,\n    b,\n)»\n", "f(\n    a,\n    b,\n    k=True,\n)\n"),
        ("«f(\n    a,\n    b\n)»\n", "f(\n    a,\n    b,\n    k=True\n)\n"),
        ("«f(\n    a,\n    b  # last\n)»\n", "f(\n    a,\n    b,  # last\n    k=True\n)\n"),
        ("«f(\n\ta,\n\tb,  # last\n)»\n", "f(\n\ta,\n\tb,  # last\n\tk=True,\n)\n"),
        ("«f(\n    a,\n    b,\n    # note\n)»\n", "f(\n    a,\n    b,\n    k=True,\n    # note\n)\n"),
        ("«f(a,\n  b)»\n", "f(a,\n  b,\n  k=True)\n"),
        ("«f(\n    a, b\n)»\n", "f(\n    a, b,\n    k=True\n)\n"),
        ("«f(a, b=g(\n    1,\n))»\n", "f(a, b=g(\n    1,\n), k=True)\n"),
        ("«f(\n    # nothing yet\n)»\n", "f(\n    # nothing yet\n    k=True,\n)\n"),
        ("«f(\n\t# nothing yet\n)»\n", "f(\n\t# nothing yet\n\tk=True,\n)\n"),
        ("if a:\n    «f(  # why\n    )»\n", "if a:\n    f(  # why\n        k=True,\n    )\n"),
        ("g(«f(a)», b)", "g(f(a, k=True), b)"),
    ];
    for (before, after) in table {
        check(before, after, |module, spans| insert_keyword(module, spans[0], "k", "True"));
    }
    let insert = |module: &PythonModule, span| insert_keyword(module, span, "k", "True");
    assert_eq!(refused("«f(a, k=False)»", insert), EditError::Duplicate("k".to_owned()));
    assert_eq!(refused("«f(x for x in y)»", insert), EditError::BareGenerator);
    assert_eq!(refused("«f(a)[0]»", insert), EditError::NotFound);
}

#[test]
fn rename_an_argument() {
    let table = [
        ("f(«tokenizer=t», x=1)", "f(processing_class=t, x=1)"),
        ("f(«tokenizer = t»)", "f(processing_class = t)"),
        ("d = {«'tokenizer': t»}", "d = {'processing_class': t}"),
        ("d = {«\"tokenizer\" : t»}", "d = {\"processing_class\" : t}"),
    ];
    for (before, after) in table {
        check(before, after, |module, spans| rename_argument(module, spans[0], "processing_class"));
    }
    let rename = |module: &PythonModule, span| rename_argument(module, span, "x");
    assert_eq!(refused("f(«a=1», x=2)", rename), EditError::Duplicate("x".to_owned()));
    assert_eq!(refused("d = {«'a': 1», 'x': 2}", rename), EditError::Duplicate("x".to_owned()));
    assert_eq!(refused("f(«a», b=2)", rename), EditError::NotFound);
}

/// Sets the marked value to `None` and removes what served it alone.
#[test]
fn a_name_is_brought_into_a_module() {
    let full = "transformers.BitsAndBytesConfig";
    for (before, after) in [
        ("from transformers import A\n«f()»\n", "from transformers import A, BitsAndBytesConfig\nf()\n"),
        (
            "from transformers import (\n    A,\n    B,  # b\n)\n«f()»\n",
            "from transformers import (\n    A,\n    B,\n    BitsAndBytesConfig,  # b\n)\nf()\n",
        ),
        ("from x import *\n«f()»\n", "from x import *\nfrom transformers import BitsAndBytesConfig\nf()\n"),
    ] {
        check(before, after, |module, _| bring(module, full).map(|(_, edits)| edits));
    }
    for (text, spelled) in [
        ("import transformers\n", Some("transformers.BitsAndBytesConfig")),
        ("import transformers as t\n", Some("t.BitsAndBytesConfig")),
        ("from transformers import BitsAndBytesConfig as B\n", Some("B")),
        ("def f():\n    from transformers import A\n", None),
    ] {
        let (_, module) = parse("train.py", text);
        assert_eq!(bring(&module, full).ok(), spelled.map(|spelled| (spelled.to_owned(), Vec::new())), "{text}");
    }
}

#[test]
fn parameters_are_added_behind_the_last_one() {
    for (before, after) in [
        (
            "«class T(B):\n    def f(self, a, b=1):\n        pass»\n",
            "class T(B):\n    def f(self, a, b=1, x=None, y=None):\n        pass\n",
        ),
        (
            "if one:\n    «class T(B):\n        def f(\n            self,\n            a: int,  # a\n        ):\n            pass»\n",
            "if one:\n    class T(B):\n        def f(\n            self,\n            a: int, x=None, y=None,  # a\n        ):\n            pass\n",
        ),
        (
            "def g():\n    «class T(B):\n        def f(self): pass»\n",
            "def g():\n    class T(B):\n        def f(self, x=None, y=None): pass\n",
        ),
    ] {
        check(before, after, |module, spans| {
            let method = methods(module, spans[0]).pop().ok_or(EditError::NotFound)?;
            add_parameters(module, spans[0], &method, &["x", "y"]).ok_or(EditError::NotFound)
        });
    }
    for (text, count) in [
        ("«class T(B):\n    @d\n    def f(self): pass»\n", 0),
        ("«class T(B):\n    def f(self): pass\n    def f(self, a): pass»\n", 0),
        ("«class T(B):\n    def f(self, *a, k, **b): pass»\n", 1),
        ("«class T(B):\n    f = g»\n", 0),
    ] {
        let (plain, ranges) = unmark(text);
        let (source, module) = parse("train.py", &plain);
        let class = source.span(ranges[0].clone());
        let found = methods(&module, class);
        assert_eq!(found.len(), count, "{text}");
        assert!(found.iter().all(|method| add_parameters(&module, class, method, &["x"]).is_none()), "{text}");
    }
}

#[track_caller]
fn check_unused(before: &str, after: &str) {
    check(before, after, |module, spans| {
        let mut edits = set_value(module, spans[0], "None")?;
        edits.extend(remove_unused_after(module, spans));
        edits.sort();
        Ok(edits)
    });
}

#[test]
fn what_served_the_reference_alone_goes_with_it() {
    let table = [
        ("ref = load(p)\nf(ref_model=«ref»)\n", "f(ref_model=None)\n"),
        ("ref: M = load(p)\nf(ref_model=«ref»)\n", "f(ref_model=None)\n"),
        ("m = load(p)\nref = load(p)\nf(m, «ref»)\n", "m = load(p)\nf(m, None)\n"),
        // What only makes it ready.
        (
            "ref = load(p)\nref.eval()\nref.requires_grad_(False)\nref.config.use_cache = False\nref = ref.to(d)\nf(«ref»)\n",
            "f(None)\n",
        ),
        ("ref = load(p)\nfor w in ref.parameters():\n    w.requires_grad = False\nf(«ref»)\n", "f(None)\n"),
        (
            "ref = load(p)\nfor n, w in ref.named_parameters():\n    if 'x' in n:\n        w.requires_grad_(False)\nf(«ref»)\n",
            "f(None)\n",
        ),
        ("ref = load(p)\nif ref is not None:\n    ref.eval()\nf(«ref»)\n", "f(None)\n"),
        ("ref = load(p)\ndel ref\nf(«ref»)\n", "f(None)\n"),
        ("with torch.no_grad():\n    ref = load(p)\nf(«ref»)\n", "f(None)\n"),
        ("try:\n    ref = load(p)\nexcept OSError:\n    ref = None\nf(«ref»)\n", "f(None)\n"),
        // Branches.
        ("if a.lora:\n    ref = None\nelse:\n    ref = load(p)\nf(«ref»)\n", "f(None)\n"),
        ("if a.lora:\n    x = 1\nelse:\n    ref = load(p)\nf(«ref», x)\n", "if a.lora:\n    x = 1\nf(None, x)\n"),
        (
            "if a.lora:\n    ref = load(p)\nelse:\n    x = 1\nf(«ref»)\n",
            "if a.lora:\n    pass\nelse:\n    x = 1\nf(None)\n",
        ),
        (
            "if a:\n    x = 1\nelif b:\n    ref = load(p)\n    ref.eval()\nf(«ref»)\n",
            "if a:\n    x = 1\nelif b:\n    pass\nf(None)\n",
        ),
        ("if log('x'):\n    ref = load(p)\nf(«ref»)\n", "if log('x'):\n    pass\nf(None)\n"),
        ("if a: ref = load(p)\nelse: x = 1\nf(«ref»)\n", "if a: pass\nelse: x = 1\nf(None)\n"),
        // In a function, with what it needs in turn.
        (
            "def main(a):\n    path = a.ref or a.model\n    cfg = QConfig(bits=4)\n    ref = load(path, cfg)\n    f(m, «ref»)\n",
            "def main(a):\n    f(m, None)\n",
        ),
        (
            "def main(a):\n    n = count()\n    ref = load(n)\n    f(«ref»)\n",
            "def main(a):\n    n = count()\n    f(None)\n",
        ),
        ("PATH = 'x'\ndef main():\n    f(«load(PATH)»)\n", "def main():\n    f(None)\n"),
        // Comments stay, blank lines do not pile up.
        ("# the reference\nref = load(p)  # frozen\nf(«ref»)\n", "# the reference\n# frozen\nf(None)\n"),
        ("if a:\n    ref = load(  # big\n        p,\n    )\nf(«ref»)\n", "# big\nf(None)\n"),
        ("if g():\n    ref = load(  # big\n        p,\n    )\nf(«ref»)\n", "if g():\n    # big\n    pass\nf(None)\n"),
        ("x = 1\n\nref = load(p)\nref.eval()\n\nf(«ref»)\n", "x = 1\n\nf(None)\n"),
        ("ref = load(p)\n\nf(«ref»)\n", "f(None)\n"),
        ("x = 1; ref = load(p); y = 2\nf(«ref»)\n", "x = 1; y = 2\nf(None)\n"),
        ("x = 1; ref = load(p)\nf(«ref»)\n", "x = 1\nf(None)\n"),
        ("ref = load(p);\nf(«ref»)\n", "f(None)\n"),
    ];
    for (before, after) in table {
        check_unused(before, after);
    }
}

#[test]
fn imports_go_with_their_last_use() {
    let table = [
        ("from copy import deepcopy\nf(«deepcopy(m)»)\n", "f(None)\n"),
        ("import copy\nref = copy.deepcopy(m)\nf(«ref»)\n", "f(None)\n"),
        ("import copy\nx = copy.copy(m)\nf(«copy.deepcopy(m)»)\n", "import copy\nx = copy.copy(m)\nf(None)\n"),
        ("from a import b, c\nb()\nf(«c(m)»)\n", "from a import b\nb()\nf(None)\n"),
        ("from a import c, b\nb()\nf(«c(m)»)\n", "from a import b\nb()\nf(None)\n"),
        ("from a import b, c, d\nb()\nf(«c(d)»)\n", "from a import b\nb()\nf(None)\n"),
        ("from a import c, b, d\nb()\nf(«c(d)»)\n", "from a import b\nb()\nf(None)\n"),
        ("from a import c as x, b\nb()\nf(«x(m)»)\n", "from a import b\nb()\nf(None)\n"),
        (
            "from trl import (\n    DPOTrainer,\n    create_reference_model,  # for the reference\n)\nDPOTrainer(m, «create_reference_model(m)»)\n",
            "from trl import (\n    DPOTrainer,\n    # for the reference\n)\nDPOTrainer(m, None)\n",
        ),
        ("from a import b, \\\n    c\nb()\nf(«c(m)»)\n", "from a import b\nb()\nf(None)\n"),
        ("from a import (b, c)\nb()\nf(«c(m)»)\n", "from a import (b)\nb()\nf(None)\n"),
        ("def g():\n    from copy import deepcopy\n    return f(«deepcopy(m)»)\n", "def g():\n    return f(None)\n"),
        // Wanted for another reason.
        (
            "from copy import deepcopy  # noqa: F401\nf(«deepcopy(m)»)\n",
            "from copy import deepcopy  # noqa: F401\nf(None)\n",
        ),
        ("from a import c as c\nf(«c(m)»)\n", "from a import c as c\nf(None)\n"),
        ("from a import c\n__all__ = ['c']\nf(«c(m)»)\n", "from a import c\n__all__ = ['c']\nf(None)\n"),
        ("import a.b\nf(«a.b.c(m)»)\n", "import a.b\nf(None)\n"),
        ("from a import C\ndef g(x: 'C'): ...\nf(«C(m)»)\n", "from a import C\ndef g(x: 'C'): ...\nf(None)\n"),
        (
            "try:\n    from a import c\nexcept ImportError:\n    c = None\nf(«c(m)»)\n",
            "try:\n    from a import c\nexcept ImportError:\n    c = None\nf(None)\n",
        ),
    ];
    for (before, after) in table {
        check_unused(before, after);
    }
}

/// Nothing but the value itself may change.
#[test]
fn code_with_another_purpose_stays() {
    let table = [
        "ref = load(p)\nprint(ref)\nf(«ref»)\n",
        "ref = load(p)\nref.save_pretrained('x')\nf(«ref»)\n",
        "ref, tok = load(p)\nf(«ref»)\n",
        "ref = m2 = load(p)\nf(«ref»)\n",
        "ref = get_peft_model(base, c)\nf(«ref»)\n",
        "ref = PeftModel.from_pretrained(base, p)\nf(«ref»)\n",
        "ref = create_reference_model(m, num_shared_layers=6)\nf(«ref»)\n",
        "def g(ref):\n    f(«ref»)\n",
        "ref = load(p)\ndef g():\n    return ref\nf(«ref»)\n",
        "ref = load(p)\ndef g(x=ref, ref=None): ...\nf(«ref»)\n",
        "ref = load(p)\nx = [y for y in ref]\nf(«ref»)\n",
        "ref = load(p)\nx = lambda: ref\nf(«ref»)\n",
        "ref = load(p)\nprint(f'{ref}')\nf(«ref»)\n",
        "ref = load(p)\nx = locals()\nf(«ref»)\n",
        "ref = load(p)\n__all__ = ['ref']\nf(«ref»)\n",
        "with load(p) as ref:\n    f(«ref»)\n",
        "for ref in xs:\n    f(«ref»)\n",
        "class A:\n    ref = load(p)\n    x = f(«ref»)\n",
        "ref = load(p)\nfor w in ref.parameters():\n    w.requires_grad = False\n    n += w.numel()\nf(«ref»)\n",
        "ref = load(p)\nfor w in ref.parameters():\n    w.requires_grad = False\nprint(w)\nf(«ref»)\n",
        "async def g():\n    ref = await load(p)\n    f(«ref»)\n",
        "def g():\n    global ref\n    ref = load(p)\nf(«ref»)\n",
    ];
    for before in table {
        let (plain, ranges) = unmark(before);
        let mut after = plain.clone();
        after.replace_range(ranges[0].clone(), "None");
        check_unused(before, &after);
    }
}

#[test]
fn a_package_offers_its_names_to_others() {
    let (text, ranges) = unmark("from copy import deepcopy\nref = deepcopy(m)\nf(«ref»)\n");
    let (source, module) = parse("pkg/__init__.py", &text);
    assert_eq!(remove_unused_after(&module, &[source.span(ranges[0].clone())]), []);
}

#[test]
fn a_reference_nothing_reads_is_removed() {
    let remove = |module: &PythonModule, spans: &[Span]| {
        remove_unused_reference(module, "ref", spans[0]).ok_or(EditError::NotFound)
    };
    check("from copy import deepcopy\n«ref = deepcopy(m)\nref.eval()\nf(m, None)\n»", "f(m, None)\n", remove);
    check("def g(m):\n    «ref = load(m)»\n    return f(m, None)\n", "def g(m):\n    return f(m, None)\n", remove);
    let refuse = |module: &PythonModule, span| remove(module, &[span]);
    assert_eq!(refused("«ref = load(m)»\nprint(ref)\n", refuse), EditError::NotFound);
    assert_eq!(refused("«x = 1»\n", refuse), EditError::NotFound);
}

/// A cell's lines as a notebook holds them.
fn notebook(lines: &[&str]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| format!("      {}", serde_json::Value::from(*line))).collect();
    let first = "    {\"cell_type\": \"code\", \"source\": [\"m = 1\"]}";
    format!(
        "{{\n  \"cells\": [\n{first},\n    {{\"cell_type\": \"code\", \"source\": [\n{}\n    ]}}\n  ],\n  \"nbformat\": 4\n}}\n",
        lines.join(",\n")
    )
}

#[test]
fn notebooks_stay_notebooks() {
    let text =
        notebook(&["ref = load('a\"b')  # big\n", "ref.eval()\n", "f(\n", "    m,\n", "    ref_model=ref,\n", ")"]);
    let source = Sources::default().add("a.ipynb".into(), &*text);
    let module = crate::syntax::notebook::parse(&source).module;
    let value = text.find("ref,").expect("the value");
    let value = source.span(value..value + 3);
    let mut edits = set_value(&module, value, "None").expect("an edit");
    edits.extend(remove_unused_after(&module, &[value]));
    edits.sort();
    let after = applied(&text, &edits);
    let expected = notebook(&["# big\n", "", "f(\n", "    m,\n", "    ref_model=None,\n", ")"]);
    assert_eq!(after, expected);
    let call = text.find("f(").expect("the call")..text.find(")\"\n").expect("its end") + 1;
    let edits = insert_keyword(&module, source.span(call), "k", "\"x\"").expect("an edit");
    let line = r#"    ref_model=ref,\n    k=\"x\",\n""#;
    assert!(applied(&text, &edits).contains(line), "{}", applied(&text, &edits));
}
