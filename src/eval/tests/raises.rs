//! Functions without a caller: under which conditions they raise.

use super::*;

/// The conditions under which `f` of a module raises, in order.
fn raises(body: &str) -> String {
    let project = Project::new(&[("main", body)]);
    let trace = run_function(&project.modules["main"], "f", &project).expect("the module defines f");
    let shown = trace.raises.iter().map(|event| format!("{} if {}", event.exception, event.when));
    shown.collect::<Vec<_>>().join("; ")
}

#[test]
fn a_later_check_does_not_repeat_the_earlier_ones() {
    let table = [
        ("if a:\n    raise E()\n  if b:\n    raise F()", "E if a; F if b"),
        ("if a:\n    raise E()\n  elif b:\n    raise F()\n  if c:\n    raise G()", "E if a; F if b; G if c"),
        ("if a:\n    x = 1\n  else:\n    raise E()\n  if x == b:\n    raise F()", "E if not a; F if b == 1"),
        (
            "if a:\n    if b:\n      raise E()\n    x = c\n  else:\n    x = None\n  if x:\n    raise F()",
            "E if a and b; F if a and c",
        ),
        ("assert a\n  if b:\n    raise F()", "AssertionError if not a; F if b"),
        // A return is no failure, and neither is what is caught.
        ("if a:\n    return\n  if b:\n    raise F()", "F if b and not a"),
        ("for x in c:\n    if a:\n      continue\n    if b:\n      raise F()", "F if b and not a"),
        (
            "try:\n    if a:\n      raise E()\n    if b:\n      raise F()\n  except E:\n    pass",
            "E if a; F if b and not a",
        ),
        ("g(a)\n  if b:\n    raise F()\n\ndef g(x):\n  if x is None:\n    raise E()", "E if a is None; F if b"),
    ];
    for (body, expected) in table {
        assert_eq!(raises(&format!("def f(a, b, c):\n  {body}\n")), expected, "{body}");
    }
}

#[test]
fn what_is_empty_when_a_module_is_read_may_be_filled_by_others() {
    for (registry, expected) in [("{}", "E if not ..."), ("[]", "E if not ..."), ("{'a': 1}", "E if a != 'a'")] {
        let module = format!("R = {registry}\ndef f(a):\n  if a not in R:\n    raise E()\n");
        let project = Project::new(&[("main", &module)]);
        let trace = run_function(&project.modules["main"], "f", &project).expect("the module defines f");
        let shown = trace.raises.iter().map(|event| format!("{} if {}", event.exception, event.when));
        assert_eq!(shown.collect::<Vec<_>>().join("; "), expected, "{registry}");
    }
}

#[test]
fn questions_are_shown_as_python() {
    let table = [
        ("if 'ipo' in a.loss:\n    raise E()", "E if 'ipo' in a.loss"),
        ("if hasattr(a, 'x') and a[0] is None:\n    raise E()", "E if hasattr(a, 'x') and a[0] is None"),
    ];
    for (body, expected) in table {
        assert_eq!(raises(&format!("def f(a, b, c):\n  {body}\n")), expected, "{body}");
    }
}

#[test]
fn numbers_and_lists_made_of_parameters_are_asked_about() {
    let module = "import enum\n\nclass Kind(str, enum.Enum):\n  A = 'a'\n  B = 'b'\n\ndef f(a, b):\n";
    let table = [
        ("if a.x < b.y:\n    raise E()", "E if a.x - b.y < 0"),
        ("if 3 > a.x:\n    raise E()", "E if a.x < 3"),
        ("c = [one.strip() for one in a.split(',')]\n  if c is None:\n    raise E()", ""),
        (
            "c, d = [one for one in a.split(',')], list(map(float, b))\n  if len(c) != len(d):\n    raise E()",
            "E if len(a.split(',')) - len(b) != 0",
        ),
        ("if a != int(a):\n    raise E()", "E if a - int(a) != 0"),
        ("if int(a.x) + int(a.y) + b > 1:\n    raise E()", "E if (int(a.x) + int(a.y)) + b > 1"),
        ("if a.x + a.y > 1:\n    raise E()", "E if a.x + a.y > 1"),
        (
            "if isinstance(a, bool):\n    a = ['a'] if a else ''\n  if isinstance(a, str):\n    [Kind(one) for one in a.split()]",
            "ValueError if any(_ not in ('a', 'b') for _ in a.split()) and not (isinstance(a, bool) and not a) and \
             (isinstance(a, str) and not isinstance(a, bool)); ValueError if one != 'a' and one != 'b' and \
             ((isinstance(a, bool) and not a) or (isinstance(a, str) and not isinstance(a, bool)))",
        ),
        // Fewer may be left.
        ("c = [one for one in a if one]\n  if len(c) == 0:\n    raise E()", "E if len(...) == 0"),
        (
            "[Kind(one) for one in a.split()]",
            "ValueError if any(_ not in ('a', 'b') for _ in a.split()); ValueError if one != 'a' and one != 'b'",
        ),
        (
            "def split(x):\n    if isinstance(x, str):\n      return [one.strip() for one in x.split(',')]\n    return x\n  \
             a.x = split(a.x)\n  if a.x is not None and len(a.x) != len(b):\n    raise E()",
            "E if not (a.x is None and not isinstance(a.x, str)) and not ((len(a.x) - len(b) == 0 and not isinstance(a.x, str)) or \
             (len(a.x.split(',')) - len(b) == 0 and isinstance(a.x, str)))",
        ),
    ];
    for (body, expected) in table {
        let project = Project::new(&[("main", &format!("{module}  {body}\n"))]);
        let trace = run_function(&project.modules["main"], "f", &project).expect("the module defines f");
        let shown = trace.raises.iter().map(|event| format!("{} if {}", event.exception, event.when));
        assert_eq!(shown.collect::<Vec<_>>().join("; "), expected, "{body}");
    }
}
