//! One function with unknown parameters, conditions over known values, and input that is no program.

use super::*;

/// `exception @ condition` of each raise in a function of module `main`.
fn raises(files: &[(&str, &str)], function: &str) -> Vec<String> {
    let project = Project::new(files);
    let trace = run_function(&project.modules["main"], function, &project).unwrap();
    trace.raises.iter().map(|raise| format!("{} @ {}", raise.exception, raise.when)).collect()
}

const TRAINER: &str = "
from peft import PeftModel
from .base import Base
class T(Base):
    def __init__(self, model, ref_model=None, args=None, peft_config=None, **kwargs):
        if ref_model is not None and peft_config is not None and not args.force_use_ref_model:
            raise ValueError(f'both {model} given')
        if not isinstance(model, str) and ref_model is model:
            raise ValueError('same')
        if peft_config is not None and isinstance(model, PeftModel):
            model = model.merge_and_unload()
        self.check(args)
        if args.loss_type not in ['sigmoid', 'ipo']:
            raise NotImplementedError
        super().__init__(model=model, args=args)
    def check(self, args):
        if args.label_smoothing > 0 and args.loss_type == 'ipo':
            raise RuntimeError('no')
def helper(args):
    if not args.use_peft:
        return None
    return args.r
";
const BASE: &str = "class Base:\n  def __init__(self, model, args):\n    if args.seed is None:\n      raise KeyError\n";

#[test]
fn a_constructor_raises_under_conditions_on_its_parameters() {
    let both = "ref_model is not None and peft_config is not None and not args.force_use_ref_model";
    let found = raises(&[("main", TRAINER), ("base", BASE)], "T.__init__");
    let kinds: Vec<&str> = found.iter().map(|raise| raise.split(' ').next().unwrap()).collect();
    assert_eq!(kinds, ["ValueError", "ValueError", "RuntimeError", "NotImplementedError", "KeyError"]);
    for part in both.split(" and ") {
        assert!(found[0].contains(part), "{}", found[0]);
    }
    assert!(found[1].contains("model is ref_model") && found[1].contains("not isinstance(model, str)"), "{}", found[1]);
    assert!(found[2].contains("args.label_smoothing > 0"), "{}", found[2]);
}

#[test]
fn what_a_function_reads_and_returns() {
    let project = Project::new(&[("main", TRAINER), ("base", BASE)]);
    let trace = run_function(&project.modules["main"], "helper", &project).unwrap();
    assert_eq!(show(trace.returned.as_ref().unwrap(), &trace), "None if not args.use_peft | args.r if args.use_peft");
    let reads: Vec<String> = trace.reads.iter().map(|read| format!("{} @ {}", read.path, read.when)).collect();
    assert_eq!(reads, ["args.use_peft @ True", "args.r @ args.use_peft"]);
    assert!(trace.raises.is_empty() && run_function(&project.modules["main"], "T.none", &project).is_none());
    let trace = run_function(&project.modules["main"], "T.__init__", &project).unwrap();
    assert_eq!(trace.raises[0].message.as_deref(), Some("both {...} given"));
}

/// A condition over the arguments of the call of `lib.f` in a script.
fn over(script: &str, expr: &str) -> String {
    let trace = run(&[(
        "main",
        &format!(
            "from lib import f, make\nfrom lib import Model, Config\nfrom peft import PeftModel, LoraConfig, get_peft_model\n{script}"
        ),
    )]);
    let call = trace.calls.iter().find(|event| &*event.object.callee == "lib.f").unwrap();
    let bindings: Vec<(&str, Value)> = call
        .object
        .args
        .iter()
        .map(|argument| (argument.name.as_deref().unwrap(), argument.or_default(&Value::NONE)))
        .collect();
    show_cond(&condition(expr, &bindings, &Project::new(&[])), &trace)
}

#[test]
fn conditions_over_arguments() {
    let both = "ref_model is not None and peft_config is not None";
    let table = [
        ("f(ref_model=Model(), peft_config=LoraConfig())", both, "True"),
        ("f(ref_model=None, peft_config=LoraConfig())", both, "False"),
        (
            "def main(a):\n  f(ref_model=None if a.p else Model(), peft_config=LoraConfig() if a.p else None)",
            both,
            "False",
        ),
        ("def main(a):\n  f(ref_model=Model(), peft_config=LoraConfig() if a.p else None)", both, "a.p"),
        (
            "def main(a):\n  kw = {}\n  if a.p:\n    kw['peft_config'] = LoraConfig()\n  f(ref_model=Model(), **kw)",
            both,
            "a.p",
        ),
        ("f(args=Config(force=True))", "not args.force", "False"),
        ("c = Config(force=True)\nc.force = False\nf(args=c)", "not args.force", "True"),
        ("f(args=Config())", "args.force", "Config(...).force"),
        ("m = Model()\nf(model=m, ref_model=m)", "ref_model is model", "True"),
        ("from copy import deepcopy\nm = Model()\nf(model=m, ref_model=deepcopy(m))", "ref_model is model", "False"),
        ("f(model=get_peft_model(Model(), 1))", "isinstance(model, PeftModel)", "True"),
        ("f(model='path')", "isinstance(model, str) and not isinstance(model, PeftModel)", "True"),
        ("f(args=Config(loss='exo'))", "args.loss in ('exo', 'ipo') and args.smooth == 0", "Config(...).smooth == 0"),
        ("f(a=1)", "unknown_name is None", "unknown_name is None"),
        ("f(a=1)", "... and a == 1", "..."),
        ("f(a=1)", "a == 2 and ...", "False"),
        ("f(a=1)", "a ==", "..."),
        ("f(a='x')", "a != 'x' or a.startswith('y')", "False"),
    ];
    for (script, expr, expected) in table {
        assert_eq!(over(script, expr), expected, "{script}: {expr}");
    }
}

#[test]
fn attributes_of_one_object_are_one_symbol() {
    let trace = run(&[("main", "from lib import f, Config\nc = Config()\nif c.x:\n  f(args=c)\n")]);
    let call = trace.calls.iter().find(|event| &*event.object.callee == "lib.f").unwrap();
    let args = call.object.args[0].value.value.clone();
    let cond = condition("args.x", &[("args", args)], &Project::new(&[]));
    assert!(call.when.implies(&cond), "{} does not imply {cond}", call.when);
}

#[test]
fn default_expressions() {
    let host = Project::new(&[]);
    let table = [
        ("1e-6", "1e-6"),
        ("None", "None"),
        ("-100", "-100"),
        ("['a', 'b']", "['a', 'b']"),
        ("x +", "?"),
        ("{'a': 1}", "{'a': 1}"),
    ];
    for (text, expected) in table {
        assert_eq!(show(&expression(text, &host), &Trace::default()), expected);
    }
}

#[test]
fn spans_point_at_what_is_written() {
    let script = "from lib import f\ndef go(**kw):\n  f(**kw)\nd = {'a': 1}\ngo(ref_model=None, **d)\n";
    let trace = run(&[("main", script)]);
    let call = trace.calls.iter().find(|event| &*event.object.callee == "lib.f").unwrap();
    let written: Vec<&str> = call.object.args.iter().map(|argument| &script[argument.span.range()]).collect();
    assert_eq!(written, ["ref_model=None", "'a': 1"]);
    assert!(call.object.args.iter().all(|argument| argument.unpacked.is_some()));
    assert_eq!(call.stack.iter().map(|span| &script[span.range()]).collect::<Vec<_>>(), ["go(ref_model=None, **d)"]);
}

#[test]
fn no_input_panics() {
    let script = include_str!("sample.py");
    let lines: Vec<&str> = script.lines().collect();
    // A small generator of our own, so that every run sees the same mutations.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below.max(1) as u64) as usize
    };
    for _ in 0..300 {
        let mut mutated: Vec<String> = lines.iter().map(ToString::to_string).collect();
        for _ in 0..=random(4) {
            let at = random(mutated.len());
            match random(5) {
                0 => _ = mutated.remove(at),
                1 => mutated.insert(at, mutated[random(mutated.len())].clone()),
                2 => {
                    let cut = mutated[at].char_indices().map(|(index, _)| index).nth(random(20)).unwrap_or(0);
                    mutated[at].truncate(cut);
                }
                3 => mutated[at] = mutated[at].trim_start().to_owned(),
                _ => mutated.truncate(at.max(1)),
            }
            if mutated.is_empty() {
                break;
            }
        }
        run(&[("main", &mutated.join("\n")), ("helper", script)]);
    }
}

#[test]
fn deep_and_endless_input_ends() {
    let deep = format!("x = {}1{}\n", "(".repeat(3000), ")".repeat(3000));
    let sum = format!("x = {}\n", vec!["1"; 5000].join(" + "));
    let many = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<Vec<_>>().concat();
    let branches = many(60, &|index| format!("if make({index}):\n  x = {index}\n"));
    let chain = many(60, &|index| format!("  if a.x{index}:\n    d['k{index}'] = x\n    x = a.y{index}\n"));
    let elifs = many(300, &|index| format!("  elif a == {index}:\n    x = {index}\n"));
    let texts = [
        deep,
        sum,
        format!("from lib import make\n{branches}print(x)\n"),
        format!("def main(a):\n  x = 1\n  d = {{}}\n{chain}  print(x, **d)\n"),
        format!("def main(a):\n  if a:\n    x = 1\n{elifs}"),
        "def f(n):\n  return f(n) + f(n) + f(n)\nf(1)\n".into(),
        "while True:\n  x = [x, x]\n".into(),
        "class A(A): pass\nclass B(A, B): pass\nB()\n".into(),
        "a = {}\na['a'] = a\nprint(**a)\n".into(),
        "import main\nfrom main import *\n".into(),
        "\u{feff}x = 1\r\nif x:\r\n\ty = '中文'".into(),
    ];
    for text in &texts {
        let start = std::time::Instant::now();
        run(&[("main", text)]);
        assert!(start.elapsed().as_secs() < 20, "{}", &text[..60.min(text.len())]);
    }
}
