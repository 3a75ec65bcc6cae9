//! What reaches a call.

use super::*;

/// Evaluates a script and shows what reaches `f`, a function that nobody knows; `a`, `b`, `c` are unknown, `args` is too.
fn reaches(body: &str) -> String {
    let script = format!("from lib import f, make\nfrom lib import A as _A\n{body}");
    calls(&[("main", &script)], "lib.f")
}

#[test]
fn values_that_reach_a_call() {
    let table = [
        // Straight lines.
        ("x = 1\nf(x)", "1"),
        ("x = y = 'a'\nf(x + y)", "'aa'"),
        ("x, (y, *z) = 1, (2, 3)\nf(y)", "2"),
        ("f((n := 3), n)", "3, 3"),
        // Branches, correlated.
        (
            "def main(args):\n  p = None if args.peft else 1\n  r = 2 if args.peft else None\n  f(p, r)",
            "None if args.peft | 1 if not args.peft, 2 if args.peft | None if not args.peft",
        ),
        ("def main(args):\n  x = 1\n  if args.a:\n    x = 2\n  f(x)", "2 if args.a | 1 if not args.a"),
        (
            "def main(args):\n  if args.a:\n    f(1)\n  elif args.b:\n    f(2)\n  else:\n    f(3)",
            "1 @ args.a; 2 @ args.b and not args.a; 3 @ not args.a and not args.b",
        ),
        ("def main(args):\n  if not args.a:\n    return\n  f(1)", "1 @ args.a"),
        ("def main(args):\n  args.a = False\n  if args.a:\n    f(1)\n  f(args.a)", "False"),
    ];
    for (script, expected) in table {
        assert_eq!(reaches(script), expected, "{script}");
    }
}
