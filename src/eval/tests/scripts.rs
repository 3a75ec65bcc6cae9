//! What reaches a call: one small script per row.

use super::*;

/// Evaluates a script and shows what reaches `f`, a function outside the project of which nothing is known, like `g` and
/// `make`.
fn reaches(body: &str) -> String {
    let script = format!("from lib import f, g, make\n{body}");
    calls(&[("main", &script)], "lib.f")
}

fn check(table: &[(&str, &str)]) {
    for (script, expected) in table {
        assert_eq!(reaches(script), *expected, "{script}");
    }
}

#[test]
fn straight_lines() {
    check(&[
        ("x = y = 'a'\nf(x + y)", "'aa'"),
        ("x, (y, *z) = 1, (2, 3)\nf(y)", "2"),
        ("f((n := 3), n)", "3, 3"),
        ("x: int = 3\nf(-x, x * 2, x > 2, f\"{x}a\", 'a' 'b', x if x > 2 else 4)", "-3, 6, True, '3a', 'ab', 3"),
        ("x = 1\nx += 2\nf(x)", "3"),
        ("items = []\nitems.append(1)\nitems += [2]\nf(*items, *[3])", "1, 2, 3"),
        ("f([i for i in [1, 2]], {k: v for k, v in [('a', 1)]})", "[1, 2], {'a': 1}"),
        ("x = lambda a, b=2: a + b\nf(x(1))", "3"),
        ("del f\nf(1)", ""),
        ("from functools import partial\nh = partial(f, 1, b=2)\nh(3, c=4)", "1, 3, b=2, c=4"),
    ]);
}

#[test]
fn a_list_changes_for_everyone_who_holds_it() {
    check(&[
        ("a = []\nb = a\na.append(1)\nf(b)", "[1]"),
        ("a = []\nb = a\nb += [1]\nf(a)", "[1]"),
        ("a = [1]\nb = a\na[0] = 2\nf(b)", "[2]"),
        ("a = []\nd = {'k': a, 'l': [a]}\na.append(1)\nf(d)", "{'k': [1], 'l': [[1]]}"),
        ("a = []\ndef get():\n  return a\nget().append(1)\nf(a)", "[1]"),
        ("a = []\nfor l in [a]:\n  l.append(1)\nf(a)", "[1]"),
        ("d = {'k': []}\nb = d['k']\nd['k'].append(1)\nf(b)", "[1]"),
        ("def add(l):\n  l.append(1)\na = []\nadd(a)\nf(a)", "[1]"),
        (
            "def main(args):\n  a = []\n  b = a if args.x else [7]\n  a.append(1)\n  f(b)",
            "[1] if args.x | [7] if not args.x",
        ),
        (
            "def main(args):\n  a = []\n  b = a\n  if args.x:\n    a.append(1)\n  f(b)",
            "[1] if args.x | [] if not args.x",
        ),
        // What only looks alike stays as it is.
        ("a = []\nb = []\na.append(1)\nf(b)", "[]"),
        ("a = []\nb = list(a)\nc = a.copy()\nd = a + []\ne = a[:]\na.append(1)\nf(b, c, d)", "[], [], []"),
        ("a = (1,)\nb = a\na += (2,)\nf(b)", "[1]"),
        ("a = []\nb = a\na = a + [1]\nf(b)", "[]"),
    ]);
}

#[test]
fn methods_are_looked_up_as_python_does() {
    let diamond = "class A:\n  def m(self): return 'A'\n  def n(self): return 'A'\nclass B(A): pass\n\
                   class C(A):\n  def m(self): return 'C'\nclass D(B, C):\n  def n(self): return super().n()\n";
    let chain = "class A:\n  def m(self): return ['A']\nclass B(A):\n  def m(self): return ['B'] + super().m()\n\
                 class C(A):\n  def m(self): return ['C'] + super().m()\nclass D(B, C):\n  def m(self): return ['D'] + super().m()\n";
    let outside = "from somewhere import X\nclass A(X):\n  k = 1\nclass B(X):\n  k = 2\nclass C(A, B): pass\nclass D(unknown(), A): pass\n";
    check(&[
        (&format!("{diamond}f(D().m(), D().n(), B().m())"), "'C', 'A', 'A'"),
        (&format!("{chain}f(D().m(), B().m())"), "['D', 'B', 'C', 'A'], ['B', 'A']"),
        (&format!("{outside}f(C().k)"), "1"),
        // Python refuses this class; whatever is said of it, the rest goes on.
        ("class A: k = 1\nclass B(A): k = 2\nclass C(A, B): pass\nf(C().k)", "1"),
    ]);
}

#[test]
fn branches() {
    check(&[
        (
            "def main(args):\n  p = None if args.peft else 1\n  r = 2 if args.peft else None\n  f(p, r)",
            "None if args.peft | 1 if not args.peft, 2 if args.peft | None if not args.peft",
        ),
        ("def main(args):\n  x = 1\n  if args.a:\n    x = 2\n  f(x)", "2 if args.a | 1 if not args.a"),
        (
            "def main(args):\n  if args.a:\n    f(1)\n  elif args.b:\n    f(2)\n  else:\n    f(3)",
            "1 @ args.a; 2 @ args.b and not args.a; 3 @ not args.a and not args.b",
        ),
        // The same question again: only what is possible is left.
        ("def main(args):\n  x = 1 if args.a else 2\n  if args.a:\n    f(x)", "1 @ args.a"),
        ("def main(args):\n  if not args.a:\n    return\n  f(1)", "1 @ args.a"),
        (
            "def main(args):\n  import sys\n  if args.a:\n    sys.exit(1)\n  f(1)\n  raise ValueError('x')\n  f(2)",
            "1 @ not args.a",
        ),
        ("def main(args):\n  assert args.a\n  f(1 if args.a else 2)", "1 @ args.a"),
        (
            "def main(args):\n  x = args.a or 5\n  y = args.b and 6\n  f(x, y)",
            "5 if not args.a | args.a if args.a, 6 if args.b | args.b if not args.b",
        ),
        (
            "def main(args):\n  if args.a == 'x' and args.b > 3 or args.c in ('p', 'q'):\n    f(1)",
            "1 @ args.c == 'p' or args.c == 'q' or (args.a == 'x' and args.b > 3)",
        ),
        (
            "def main(args):\n  a, b = (1, 2) if args.x else (3, 4)\n  f(a, b)",
            "1 if args.x | 3 if not args.x, 2 if args.x | 4 if not args.x",
        ),
        (
            "def main(args):\n  match args.kind:\n    case 'a': x = 1\n    case _: x = 2\n  f(x)",
            "1 if args.kind == 'a' | 2 if args.kind != 'a'",
        ),
        ("def main(args):\n  t = f if args.k else g\n  t(2)", "2 @ args.k"),
        ("def main(args):\n  {'dpo': f, 'g': g}[args.kind](1)", "1 @ args.kind == 'dpo'"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  f(1)", ""),
        ("if __name__ == '__main__':\n  f(1)", "1"),
        ("def main(a):\n  if a.x:\n    y = 1\n  else:\n    y = 1\n  f(y)", "1"),
    ]);
}

#[test]
fn loops() {
    check(&[
        ("for m in ['a', 'b']:\n  f(m)", "'a'; 'b'"),
        ("def main(xs):\n  for i in range(3):\n    f(i)\n    if i: break\n  f(i)", "i; i"),
        ("def main(args):\n  while True:\n    x = 1\n    if args.y: break\n  f(x)", "1"),
        ("kw = {}\nfor k, v in {'a': 1, 'b': 2}.items():\n  kw[k] = v\nf(**kw)", "a=1, b=2"),
        // What a later round sees is joined with what the first one sees.
        ("def main(xs):\n  m = 1\n  for x in xs:\n    f(m)\n    m = 2", "2 if ... | 1 if not ..."),
        ("def main(xs):\n  m = 1\n  for x in xs:\n    m = 2\n  f(m)", "2 if ... | 1 if not ..."),
        ("def main(xs):\n  for x in xs:\n    if x: continue\n    f(1)\n  f(2)", "1 @ not x; 2"),
    ]);
}

#[test]
fn exceptions() {
    check(&[
        ("try:\n  f(1)\nexcept TypeError:\n  f(2)\nf(3)", "1 caught TypeError; 2 @ ...; 3"),
        ("try:\n  f(1)\nexcept (a.B, C):\n  raise\nexcept Exception:\n  pass", "1 caught *"),
        ("try:\n  f(1)\nexcept:\n  pass\nfinally:\n  f(2)", "1 caught *; 2"),
        ("def main():\n  try:\n    return f(1)\n  except E:\n    raise\n  finally:\n    f(2)", "1; 2"),
        ("x = 1\ntry:\n  x = make()\nexcept E:\n  raise\nf(x)", "make()"),
        (
            "from contextlib import suppress\nx = 1\nwith suppress(E):\n  f(x)\n  x = 2\nf(x)",
            "1 caught E; 1 if ... | 2 if not ...",
        ),
    ]);
}

#[test]
fn keyword_dictionaries() {
    check(&[
        ("kw = {}\nkw['a'] = 1\nif kw:\n  f(1 if not kw else 2)", "2"),
        (
            "kw = dict(a=1, b=2)\nkw.update(c=3)\nkw.pop('a')\nkw.setdefault('b', 9)\nf(**{**kw, 'd': 4})",
            "b=2, c=3, d=4",
        ),
        ("def main(args):\n  kw = {'a': 1}\n  if args.p:\n    kw['b'] = 2\n  f(**kw)", "a=1, b=2 [args.p]"),
        (
            "def main(args):\n  if args.p:\n    kw = {'a': 1, 'b': 2}\n  else:\n    kw = {'a': 3}\n  f(**kw)",
            "a=1 if args.p | 3 if not args.p, b=2 [args.p]",
        ),
        ("def add(d):\n  d['x'] = 1\nkw = {'y': 2}\nadd(kw)\nf(**kw)", "y=2, x=1"),
        ("kw = {'a': 1}\nother = kw.copy()\nother['b'] = 2\nf(**kw)", "a=1"),
        ("kw = {}\nkw['a'] = 1\nif kw:\n  f(1 if not kw else 2)", "2"),
        ("kw = {'a': 1} | {'b': 2}\ndel kw['a']\nf(**kw)", "b=2"),
        ("kw = {'a': 1}\nf(kw['a'], kw.get('b'), kw.get('c', 3), 'a' in kw, **make())", "1, None, 3, True, **"),
        ("kw = {'a': None, 'b': 1}\nf(**{k: v for k, v in kw.items() if v is not None})", "b=1"),
        (
            "import inspect\nkw = {'a': 1}\nok = inspect.signature(g).parameters\nf(**{k: v for k, v in kw.items() if k in ok})",
            "a=1 ['a' in inspect.signature(...).parameters]",
        ),
        ("def main(model, ref=None, **kw):\n  f(ref, **kw)\nmain(1, ref=2, b=3)", "2, b=3"),
        ("def main(model, **kw):\n  f(model, **kw)", "model, **"),
    ]);
}

#[test]
fn identity() {
    check(&[
        (
            "m = make()\nr = m\nf(r is m, r is make(), m is None)",
            "True, True if make() is make() | False if make() is not make(), True if make() is None | False if make() is not None",
        ),
        ("from lib import Model\nm = Model()\nr = Model()\nf(m is m, m is r, m is None)", "True, False, False"),
        (
            "from copy import deepcopy\nfrom lib import Model\nm = Model()\nf(deepcopy(m), deepcopy(None))",
            "copy of Model(), None",
        ),
        (
            "from trl import create_reference_model as c\ndef main(m):\n  f(c(m))",
            "None if m is None | copy of m if m is not None",
        ),
        ("from lib import Model\nm = Model()\nf(m.to('cuda').eval() is m)", "True"),
        (
            "from accelerate import Accelerator\nfrom lib import Model\na = Accelerator()\nm = Model()\nf(a.prepare(m) is m)",
            "True",
        ),
        ("def main(args):\n  args.a = False\n  if args.a:\n    f(1)\n  f(args.a)", "False"),
        (
            "def main(args):\n  setattr(args, 'y', 2)\n  f(args.y, getattr(args, 'z', None), getattr(None, 'z', 3))",
            "2, args.z, 3",
        ),
        (
            "from lib import Config\nc = Config(beta=0.1)\nf(c.beta)\nc.beta = 3\nmake(c)\nf(c)",
            "0.1; Config(beta=0.1) .beta=3",
        ),
        ("def main(cfg):\n  f(cfg['a'], cfg.a, cfg.get('a'), cfg.pop('a'))", "cfg.a, cfg.a, cfg.a, cfg.a"),
    ]);
}

#[test]
fn functions_and_classes() {
    let class = "class A:\n  k = 9\n  def __init__(self, x=1, **kw):\n    self.x = x\n    self.kw = kw\n  @property\n  def y(self):\n    \
        return self.x\n  @staticmethod\n  def s(a):\n    return a\n  @classmethod\n  def c(cls, v):\n    return cls(v)\n  \
        def __call__(self, z):\n    return z\nclass B(A):\n  def __init__(self, *a, **k):\n    super().__init__(*a, **k)\n    self.z = 4\n";
    let members = format!("{class}b = B(2, q=3)\nf(b.y, b.s(5), B.c(7).x, b(8), b.z, b.kw, b.k)");
    check(&[
        // What one function without a caller does is not seen by the next, only by those inside it.
        ("x = 0\ndef a():\n  global x\n  x = 1\n  def c():\n    f(x)\ndef b():\n  f(x)", "1; 0"),
        (&members, "2, 5, 7, 8, 4, {'q': 3}, 9"),
        (
            "def load(args):\n  if args.x:\n    return None\n  return make()\ndef main(args):\n  f(load(args))",
            "None if args.x | make() if not args.x",
        ),
        (
            "def load(args):\n  if args.x:\n    return 1, None\n  return 2, 3\ndef main(args):\n  m, r = load(args)\n  f(m, r)",
            "1 if args.x | 2 if not args.x, None if args.x | 3 if not args.x",
        ),
        ("def outer(x):\n  def inner(y):\n    f(x, y)\n  return inner\nouter(1)(2)", "1, 2"),
        (
            "def deco(fn):\n  def inner(*a):\n    return fn(*a)\n  return inner\n@deco\ndef main(x):\n  f(x)\nmain(3)",
            "3",
        ),
        ("def gen(n):\n  global G\n  G = n\ngen(4)\nf(G)", "4"),
        ("def outer():\n  n = 1\n  def inner():\n    nonlocal n\n    n = 2\n  inner()\n  f(n)\nouter()", "2"),
        (
            "def set(a):\n  if a.x:\n    a.y = 1\n    return\n  a.y = 2\ndef main(a):\n  set(a)\n  f(a.y)",
            "1 if a.x | 2 if not a.x",
        ),
        ("async def main(a):\n  f(await make())\nimport asyncio\nasyncio.run(main(1))", "make()"),
        (
            "from dataclasses import dataclass, field\n@dataclass\nclass D:\n  a: int\n  b: int = 2\n  c: list = field(default_factory=list)\n  \
            def __post_init__(self):\n    self.d = self.a\nx = D(1)\nf(x.a, x.b, x.c, x.d)",
            "1, 2, [], 1",
        ),
        // Functions without a caller: parameters are unknown, the constructor runs first.
        (
            "class R:\n  def __init__(self, a):\n    self.a = a\n    self.ref = None\n  def go(self):\n    f(self.a.b, self.ref)",
            "a.b, None",
        ),
        (
            "class R:\n  def one(self):\n    self.x = 1\n  def two(self):\n    self.x = 2\n  def go(self):\n    f(self.x)",
            "self.x",
        ),
        ("def b():\n  b()\n  f(1)\nb()", "1; 1"),
        // What one of them does is not seen by the next.
        ("x = 0\ndef a():\n  global x\n  x = 1\n  def c():\n    f(x)\ndef b():\n  f(x)", "1; 0"),
    ]);
}

#[test]
fn what_may_be_installed() {
    check(&[
        (
            "import trl\nv = trl.__version__.split('.')\nif int(v[0]) >= 1 or int(v[1]) >= 12:\n  f(1)",
            "1 @ int(...) >= 12 or trl.__version__ >= \"1\"",
        ),
        (
            "from transformers.utils import is_peft_available as p\nif p():\n  f(1)\nif not p():\n  f(2)",
            "1 @ p(); 2 @ not p()",
        ),
        (
            "import trl\nfrom packaging import version\nif version.parse(trl.__version__) >= version.parse('0.12'):\n  f(1)\nelse:\n  f(2)",
            "1 @ trl.__version__ >= \"0.12\"; 2 @ not (trl.__version__ >= \"0.12\")",
        ),
        ("from trl import __version__ as v\nif v < '0.9':\n  f(1)", "1 @ not (trl.__version__ >= \"0.9\")"),
        (
            "from importlib.metadata import version\nif version('trl').startswith('0.9'):\n  f(1)",
            "1 @ trl.__version__.startswith(\"0.9\")",
        ),
        (
            "import trl\nif tuple(int(p) for p in trl.__version__.split('.')[:2]) >= (0, 13):\n  f(1)",
            "1 @ trl.__version__ >= \"0.13\"",
        ),
        (
            "import trl\nif tuple(map(int, trl.__version__.split('.'))) < (1, 0):\n  f(1)",
            "1 @ not (trl.__version__ >= \"1.0\")",
        ),
        (
            "from transformers.utils.versions import require_version\nrequire_version('trl>=0.8.6,<=0.9.6', 'Fix it')\nf(1)",
            "1 @ trl.__version__ <= \"0.9.6\" and trl.__version__ >= \"0.8.6\"",
        ),
        (
            "import trl\nif hasattr(trl, 'X'):\n  f(1)\nelse:\n  f(2)",
            "1 @ hasattr(trl, \"X\"); 2 @ not hasattr(trl, \"X\")",
        ),
        (
            "import os\nf(os.environ.get('X', '0') == '1')",
            "True if os.environ[\"X\"] == '1' | False if os.environ[\"X\"] != '1'",
        ),
    ]);
}

#[test]
fn instances_of() {
    check(&[
        (
            "def main(m):\n  if isinstance(m, str):\n    f(1)\n  elif isinstance(m, (int, float)):\n    f(2)",
            "1 @ isinstance(m, str); 2 @ not isinstance(m, str) and (isinstance(m, float) or isinstance(m, int))",
        ),
        (
            "from peft import get_peft_model, PeftModel\ndef main(m):\n  m = get_peft_model(m, 1)\n  f(isinstance(m, PeftModel), isinstance(m, str))",
            "True, False",
        ),
        ("f(isinstance('a', str), isinstance(None, str), isinstance([], list))", "True, False, True"),
        ("class A: pass\nclass B(A): pass\nf(isinstance(B(), A), isinstance(A(), B))", "True, False"),
    ]);
}

/// Calls of `trl.DPOTrainer`.
fn trainers(files: &[(&str, &str)]) -> String {
    calls(files, "trl.DPOTrainer")
}

#[test]
fn names_come_from_where_they_are_imported() {
    let table = [
        ("from trl import DPOTrainer as T\nT(1)", "1"),
        ("import trl\ntrl.DPOTrainer(1)", "1"),
        ("import trl as t\nt.DPOTrainer(1)", "1"),
        ("from trl import *\nDPOTrainer(1)", "1"),
        ("from trl import *\nfrom other import *\nDPOTrainer(1)", ""),
        ("from other import DPOTrainer\nDPOTrainer(1)", ""),
        ("class DPOTrainer: pass\nDPOTrainer(1)", ""),
        ("try:\n  from trl import DPOTrainer\nexcept ImportError:\n  DPOTrainer = None\nDPOTrainer(1)", "1"),
        ("try:\n  from trl import DPOTrainer as T\nexcept ImportError:\n  from other import T\nT(1)", "1 @ not ..."),
        // Patched: nobody knows what it is then.
        ("import trl\ntrl.DPOTrainer = 3\nfrom trl import DPOTrainer\nDPOTrainer(1)", ""),
        ("from trl import DPOTrainer\nfrom other import patch\nDPOTrainer = patch(DPOTrainer)\nDPOTrainer(1)", ""),
        ("from trl import DPOTrainer\nDPOTrainer.__init__ = 3\nDPOTrainer(1)", ""),
        // Subclasses.
        (
            "from trl import DPOTrainer\nclass M(DPOTrainer): pass\nM('m', ref_model=None)",
            "'m', ref_model=None through main.M",
        ),
        (
            "from trl import DPOTrainer as T\nclass M(T):\n  def __init__(self, m, *a, **k):\n    super().__init__(model=m, *a, **k)\nM(1, 2, b=3)",
            "2, model=1, b=3 through main.M",
        ),
        (
            "from trl import DPOTrainer as T\nclass M(T):\n  def __init__(self, **k):\n    T.__init__(self, model=1, **k)\nM(a=2)",
            "model=1, a=2 through main.M",
        ),
        (
            "from trl import DPOTrainer as T\nclass X:\n  def __init__(self, **k):\n    super().__init__(b=1, **k)\nclass M(X, T): pass\nM(a=2)",
            "b=1, a=2 through main.M",
        ),
    ];
    for (script, expected) in table {
        assert_eq!(trainers(&[("main", script)]), expected, "{script}");
    }
}

#[test]
fn modules_of_the_project() {
    let util = "from trl import DPOTrainer\nK = 7\ndef train(m, **kw):\n  if m:\n    DPOTrainer(m, **kw)\nif __name__ == '__main__':\n  train(0)\n";
    let table = [
        ("from util import train\ntrain(1, a=K2)\nK2 = 1", "1, a=K2"),
        ("import util\nutil.train(1, a=util.K)", "1, a=7"),
        ("import util as u\nu.train(u.K)", "7"),
        ("from util import *\ntrain(K)", "7"),
        ("def main():\n  from util import train\n  train(2)\nmain()", "2"),
        ("from pkg import sub\nsub.go(3)", "3"),
        ("import pkg.sub\npkg.sub.go(4)", "4"),
        ("from pkg.sub import go\ngo(5)", "5"),
        ("from .util import train\ntrain(6)", "6"),
    ];
    for (script, expected) in table {
        let files = [
            ("main", script),
            ("util", util),
            ("pkg", ""),
            ("pkg.sub", "from ..util import train\ndef go(x):\n  train(x)\n"),
        ];
        assert_eq!(trainers(&files), expected, "{script}");
    }
}

#[test]
fn flags() {
    let argparse = "import argparse\np = argparse.ArgumentParser()\ng = p.add_argument_group('x')\ng.add_argument('--use-peft', \
        action='store_true')\np.add_argument('-b', '--beta', type=float, default=0.1)\n";
    let dataclasses = "from dataclasses import dataclass, field\nfrom transformers import HfArgumentParser as P\nfrom trl import \
        DPOConfig, TrlParser\n@dataclass\nclass Base:\n  use_peft: bool = field(default=True)\n@dataclass\nclass S(Base):\n  n: str = 'x'\n";
    let rows = [
        (
            argparse,
            "a = p.parse_args()\nf(a.beta, 1 if a.use_peft else 2)",
            "args.beta, 1 if args.use_peft | 2 if not args.use_peft",
        ),
        (argparse, "a, rest = p.parse_known_args()\nf(**vars(a))", "beta=args.beta, use_peft=args.use_peft"),
        (argparse, "a = p.parse_args()\na.beta = 5\ndef go(o):\n  f(o.beta)\ngo(a)", "5"),
        (
            dataclasses,
            "s, t = P((S, DPOConfig)).parse_args_into_dataclasses()\nf(s.use_peft, s.n, t.beta, t)",
            "args.use_peft, args.n, args.beta, DPOConfig()",
        ),
        (dataclasses, "(s,) = P(S).parse_args_into_dataclasses()\nf(s.n)", "args.n"),
        (dataclasses, "s = P(S).parse_args_into_dataclasses()[0]\nf(s.n)", "args.n"),
        (dataclasses, "s, t = TrlParser((S, DPOConfig)).parse_args_and_config()\nf(s.n, t.beta)", "args.n, args.beta"),
        (
            dataclasses,
            "s, t, r = P((S, DPOConfig)).parse_args_into_dataclasses(return_remaining_strings=True)\nf(t.beta)",
            "args.beta",
        ),
        (
            dataclasses,
            "class H4(P):\n  def parse(self):\n    return self.parse_args_into_dataclasses()[0]\nf(H4(S).parse().n)",
            "args.n",
        ),
        (
            dataclasses,
            "from trl import get_peft_config\nm, t = TrlParser((S, DPOConfig)).parse_args_and_config()\nf(get_peft_config(m))",
            "None if not args.use_peft | LoraConfig() if args.use_peft",
        ),
        (
            "",
            "import fire\ndef main(model, beta: float = 0.1):\n  f(model, beta)\nfire.Fire(main)",
            "args.model, args.beta",
        ),
        (
            "",
            "import click\n@click.command()\n@click.option('--use-peft', is_flag=True)\ndef main(use_peft):\n  f(use_peft)\nmain()",
            "args.use_peft",
        ),
        ("", "import hydra\n@hydra.main(config_path='.')\ndef main(cfg):\n  f(cfg.lora['r'])\nmain()", "args.lora.r"),
        ("", "import tyro\nfrom trl import DPOConfig\na = tyro.cli(DPOConfig)\nf(a.beta)", "args.beta"),
        ("", "import os\nf(os.getenv('X'), os.environ['Y'])", "os.environ[\"X\"], os.environ[\"Y\"]"),
        (
            "",
            "import yaml\nc = yaml.safe_load(open('x'))\nf(c['a']['b'], c.get('d'))",
            "yaml.safe_load(...).a.b, yaml.safe_load(...).d",
        ),
    ];
    for (start, end, expected) in rows {
        assert_eq!(reaches(&format!("{start}{end}")), expected, "{end}");
    }
}

#[test]
fn declared_flags() {
    let trace = run(&[(
        "main",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--use-peft', action='store_true')\np.add_argument('--ref', \
         dest='r', required=True)\np.add_argument('--x', action=argparse.BooleanOptionalAction, default=None)\n",
    )]);
    let shown: Vec<String> = trace
        .flags
        .iter()
        .map(|flag| format!("{} {:?} {} {:?}", flag.name, flag.options, show(&flag.default, &trace), flag.bare))
        .collect();
    assert_eq!(
        shown,
        [
            "use_peft [\"--use-peft\"] False Some(Bool(true))",
            "r [\"--ref\"] ? None",
            "x [\"--x\", \"--no-x\"] None Some(Bool(true))",
        ]
    );
}

/// Subparsers may have flags of one name; which subparser runs is not known.
#[test]
fn flags_of_subparsers_that_differ_have_no_known_default() {
    let trace = run(&[(
        "main",
        "import argparse\np = argparse.ArgumentParser()\nsub = p.add_subparsers(dest='command')\n\
         a = sub.add_parser('train')\na.add_argument('--peft', default=True)\na.add_argument('--beta', default=0.1)\n\
         a.add_argument('--dry', action='store_true')\na.add_argument('--only', default=3)\n\
         b = sub.add_parser('eval')\nb.add_argument('--peft', '--lora', dest='peft', default=False)\n\
         b.add_argument('--beta', default=0.1)\nb.add_argument('--dry', default=False)\n",
    )]);
    let shown: Vec<String> = trace
        .flags
        .iter()
        .map(|flag| format!("{} {:?} {} {:?}", flag.name, flag.options, show(&flag.default, &trace), flag.bare))
        .collect();
    assert_eq!(
        shown,
        [
            r#"peft ["--peft", "--lora"] ? None"#,
            r#"beta ["--beta"] 0.1 None"#,
            r#"dry ["--dry"] False None"#,
            r#"only ["--only"] 3 None"#,
        ]
    );
}
