use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::source::Sources;

/// Commands one per line, words in brackets, `?` for what is not known.
fn show(text: &str) -> String {
    let source = Sources::default().add("run.sh".into(), text);
    let document = parse(&source);
    let mut out: Vec<String> = document.root.entries().iter().map(entry).collect();
    out.extend(document.errors.iter().map(|error| format!("error: {}", error.message)));
    out.join("\n")
}

pub(crate) fn entry(entry: &Entry) -> String {
    match &entry.key {
        Some(key) => format!("{}={}", key.name, node(&entry.value)),
        None => node(&entry.value),
    }
}

fn node(value: &Node) -> String {
    match &value.kind {
        NodeKind::Call { callee, args, .. } => {
            let mut out = callee.clone();
            for arg in args {
                write!(out, " {}", self::entry(arg)).expect("a string");
            }
            out
        }
        NodeKind::List(items) => format!("({})", items.iter().map(self::entry).collect::<Vec<_>>().join(" ")),
        NodeKind::Map(items) => format!("{{{}}}", items.iter().map(self::entry).collect::<Vec<_>>().join(" ")),
        NodeKind::Opaque => "?".into(),
        _ => format!("[{}]", value.as_str().expect("shell scalars are strings").replace('\n', "\\n")),
    }
}

#[test]
fn commands() {
    for (text, expected) in [
        ("", ""),
        ("\n\n# nothing\n", ""),
        ("python train.py --beta 0.1", "python [train.py] [--beta] [0.1]"),
        ("python \\\n  train.py \\\n  --beta=0.1 # c\n", "python [train.py] beta=[0.1]"),
        ("python \\\r\n  train.py \\\r\n  --x 1\r\n", "python [train.py] [--x] [1]"),
        ("\u{feff}ls", "ls"),
        ("a 'b c' \"d e\" f\\ g $'x\\ny'", "a [b c] [d e] [f g] [x\\ny]"),
        ("a \"\" ''", "a [] []"),
        ("a b; c | d && e || f & g", "a [b]\nc\nd\ne\nf\ng"),
        ("if a; then b; elif c; then d; else e; fi", "a\nb\nc\nd\ne"),
        ("for i in 1 2; do run $i; done", "run ?"),
        ("while read x; do run $x; done < list.txt", "read [x]\nrun ?"),
        ("(a; b) | { c; }", "a\nb\nc"),
        ("f() { a $1; }; function g { b; }\nf x", "a ?\nb\nf [x]"),
        ("case $1 in a|b) x;; (*) y ;; esac; z", "x\ny\nz"),
        ("[[ $a == b && -n $c ]] && d", "d"),
        ("x=$(date +%s) y", "y {x=?}\ndate [+%s]"),
        ("echo $(python a.py --x 1) `b c`", "echo ? ?\npython [a.py] [--x] [1]\nb [c]"),
        ("cat <<EOF > c.yaml\nbeta: 1\nEOF\nnext", "cat <<=[beta: 1\\n] >=[c.yaml]\nnext"),
        ("B=1\ncat <<EOF\nb: $B\nEOF\n", "B=[1]\ncat <<=[b: 1\\n]"),
        ("cat <<'EOF'\nb: $B\nEOF\n", "cat <<=[b: $B\\n]"),
        ("cat <<-EOF\n\tx\n\tEOF\ny", "cat <<-=[\tx\\n]\ny"),
        ("a 2>&1 &> log >> x", "a >&=[1] &>=[log] >>=[x]"),
        ("python t.py --model <path> --beta 1", "python [t.py] [--model] ? [--beta] [1]"),
        ("CUDA_VISIBLE_DEVICES=0,1 python t.py", "python {CUDA_VISIBLE_DEVICES=[0,1]} [t.py]"),
        ("export A=1 B", "export A=[1] [B]"),
        ("a --b=$1 --c \"$2\" \"$@\"", "a b=? [--c] ? ?"),
        ("a # --flag 1\nb", "a\nb"),
        ("a \\ \nb", "a [ ]\nb"),
        ("a \\\n# --flag \\\n--next", "a\n--next"),
        ("m=$x\\\nk", "m=?"),
        ("a[1]=x; a[${#a[@]}]=$1", "a=?\na=?"),
        ("case \"`exec 2>/dev/null ; locale`\" in\n a) b;; esac", "exec >=[/dev/null]\nlocale\nb"),
        ("x=`cd \\`dirname $0\\`;pwd`/y", "x=?\ncd [`dirname] ?\npwd"),
        ("pip install trl>=0.9", "pip [install] [trl] >=[=0.9]"),
        ("中文 --名 'é'", "中文 [--名] [é]"),
    ] {
        assert_eq!(show(text), expected, "{text:?}");
    }
}

#[test]
fn variables() {
    for (text, expected) in [
        ("A=1; run $A ${A} \"$A/x\" '$A'", "run [1] [1] [1/x] [$A]"),
        ("run $A ${A:-d} ${A-d} ${A:-$B} ${A%x}", "run ? [d] [d] ? ?"),
        ("A=x; run ${A:-d}", "run [x]"),
        (": ${A:=d}; run $A", ": [d]\nrun [d]"),
        ("A='--a 1 --b'; run $A \"$A\"", "run [--a] [1] [--b] [--a 1 --b]"),
        ("A=\"--a 1 \\\n --b\"; run $A", "run [--a] [1] [--b]"),
        ("A=; run $A x", "run [x]"),
        ("A=(--a 1 '--b=c d'); run \"${A[@]}\" ${A[*]}", "run [--a] [1] b=[c d] [--a 1 --b=c d]"),
        ("A=(--a)\nA+=(--b $X)\nrun \"${A[@]}\"", "run [--a] [--b] ?"),
        ("A=a; A+=b; run $A", "run [ab]"),
        ("A=1; if x; then A=2; run $A; fi; run $A", "x\nrun [2]\nrun ?"),
        ("A=1; if x; then A=2; else run $A; fi", "x\nrun [1]"),
        ("A=1; if x; then y; fi; run $A", "x\ny\nrun [1]"),
        ("A=1; [ -z $x ] && A=2; run $A", "[ [-z] ? []]\nrun ?"),
        ("cd x && A=2; run $A", "cd [x]\nrun [2]"),
        ("x || A=2; run $A", "x\nrun ?"),
        ("A=1; for i in 1 2; do run $A; A=2; run $A; done; run $A", "run ?\nrun [2]\nrun ?"),
        ("A=1; for i in 1 2; do run $A; done", "run [1]"),
        ("A=1; (A=2; run $A); run $A", "run [2]\nrun [1]"),
        ("{ A=2; }; run $A", "run [2]"),
        ("A=1; f() { run $A; }; f", "run [1]\nf"),
        ("A=1; f() { run $A; }; A=2; f", "run ?\nf"),
        ("A=1; f() { A=3; }; f; run $A", "f\nrun ?"),
        ("A=1; f() { local A=3; run $A; }; f; run $A", "local A=[3]\nrun [3]\nf\nrun [1]"),
        ("A=1; read A; run $A", "read [A]\nrun ?"),
        (
            "read -r -d '' A <<E\nx --a 1 \\\n --b\n\nE\nrun $A",
            "read [-r] [-d] [] [A] <<=[x --a 1  --b\\n\\n]\nrun [x] [--a] [1] [--b]",
        ),
        ("read -r A <<E\nx\nE\nrun $A", "read [-r] [A] <<=[x\\n]\nrun ?"),
        ("A=1; source x.env; run $A ${B:-c}", "source [x.env]\nrun ? ?"),
        ("A=1; source activate env; run $A", "source [activate] [env]\nrun [1]"),
        ("A=1; unset A; run ${A:-d}", "unset [A]\nrun [d]"),
        ("A=1; ((A++)); run $A", "run ?"),
        ("A=$1; run $A", "run ?"),
        ("export A=7; run $A", "export A=[7]\nrun [7]"),
        ("A=(x y); run $A ${A[0]}", "run ? ?"),
    ] {
        let shown: String = show(text).lines().filter(|line| !line.starts_with('A')).collect::<Vec<_>>().join("\n");
        assert_eq!(shown, expected, "{text:?}");
    }
}

/// `[span text|name=value span text]` for every flag of the last command.
fn show_flags(text: &str) -> String {
    let source = Sources::default().add("run.sh".into(), text);
    let document = parse(&source);
    let last = &document.root.entries().last().expect("a command").value;
    let show = |entry: &Entry| {
        let value = match &entry.value.kind {
            NodeKind::Opaque if entry.value.span.start == entry.value.span.end => "-".into(),
            _ => node(&entry.value),
        };
        format!("{}:{}@{}", entry.name().unwrap_or(""), value, source.slice(entry.span).replace("\\\n", "~"))
    };
    flags(last).iter().map(show).collect::<Vec<_>>().join(" | ")
}

#[test]
fn flags_take_their_values() {
    for (text, expected) in [
        ("p t.py --a 1 --b", ":[t.py]@t.py | a:[1]@--a 1 | b:-@--b"),
        ("p --a=1 --b='x y' \"--c=z\"", "a:[1]@--a=1 | b:[x y]@--b='x y' | c:[z]@\"--c=z\""),
        ("p --t a b \\\n c --lr -1e-4 -x 2", "t:([a] [b] [c])@--t a b ~ c | lr:[-1e-4]@--lr -1e-4 | x:[2]@-x 2"),
        ("p --a -- --b c", "a:-@--a | :[--b]@--b | :[c]@c"),
        ("p --a $1 \"$@\"", "a:(? ?)@--a $1 \"$@\""),
        ("A=(--a\n1 --b)\np \"${A[@]}\" x", "a:[1]@--a\n1 | b:([x])@--b"),
        ("A=\"--a 1 --b\"\np $A", "a:[1]@--a 1 | b:-@--b"),
        ("X=3; p --a $X", "a:[3]@--a $X"),
    ] {
        let expected = expected.replace("b:([x])@--b", "b:[x]@--b)\np \"${A[@]}\" x");
        assert_eq!(show_flags(text), expected, "{text:?}");
    }
}

fn edited(text: &str, name: &str, edit: impl Fn(&SourceFile, &Node, &Entry) -> Option<super::super::Edit>) -> String {
    let source = Sources::default().add("run.sh".into(), text);
    let document = parse(&source);
    let last = &document.root.entries().last().expect("a command").value;
    let grouped = flags(last);
    let flag = grouped.iter().find(|flag| flag.name() == Some(name)).expect("the flag");
    let Some(edit) = edit(&source, last, flag) else { return "none".into() };
    let mut out = text.to_owned();
    out.replace_range(edit.span.range(), &edit.text);
    out
}

#[test]
fn a_removed_flag_leaves_the_command_whole() {
    for (text, name, expected) in [
        ("p t.py \\\n  --a 1 \\\n  --b 2\nnext=1; p --b", "b", "p t.py \\\n  --a 1 \\\n  --b 2\nnext=1; p"),
        ("p t.py \\\n  --a 1 \\\n  --b 2\n", "b", "p t.py \\\n  --a 1\n"),
        ("p t.py \\\n  --a 1 \\\n  --b 2\n", "a", "p t.py \\\n  --b 2\n"),
        ("p t.py \\\r\n  --a 1 \\\r\n  --b 2\r\n", "b", "p t.py \\\r\n  --a 1\r\n"),
        ("p --a 1 --b 2", "a", "p --b 2"),
        ("p --a=1 --b 2 # c", "b", "p --a=1 # c"),
        ("A=(--a 1 --b)\np \"${A[@]}\"", "a", "A=(--b)\np \"${A[@]}\""),
        ("A=(\n  --a 1\n  --b\n)\np \"${A[@]}\"", "a", "A=(\n  --b\n)\np \"${A[@]}\""),
        ("A=(\n  # c\n  --a 1 --b\n)\np \"${A[@]}\"", "a", "A=(\n  # c\n  --b\n)\np \"${A[@]}\""),
        ("A=(\n  # c\n  --a 1)\np \"${A[@]}\"", "a", "A=(\n  # c\n  )\np \"${A[@]}\""),
        ("A=\"--a 1 --b\"\np $A", "b", "A=\"--a 1\"\np $A"),
        ("A=(--a)\np \"${A[@]}\" x", "a", "none"),
    ] {
        assert_eq!(edited(text, name, remove_flag), expected, "{text:?}");
    }
}

#[test]
fn flags_are_set_and_renamed() {
    for (text, expected) in [
        ("p --a 1 \\\n --b", "p --a 'x y' \\\n --b"),
        ("p --a=1", "p --a='x y'"),
        ("p --a", "p --a 'x y'"),
        ("p --a \\\n --b", "p --a 'x y' \\\n --b"),
        ("p --a 1 2", "p --a 'x y'"),
        ("p --a=", "p --a='x y'"),
    ] {
        assert_eq!(edited(text, "a", |source, _, flag| set_flag(source, flag, "x y")), expected, "{text:?}");
    }
    for (text, expected) in [("p --a 1", "p --zz 1"), ("p -a=1", "p -zz=1"), ("p \"--a=1\"", "p \"--zz=1\"")] {
        assert_eq!(edited(text, "a", |source, _, flag| rename_flag(source, flag, "zz")), expected, "{text:?}");
    }
    for (word, expected) in [("0.1", "0.1"), ("", "''"), ("it's", r"'it'\''s'"), ("$x", "'$x'"), ("a/b-c", "a/b-c")] {
        assert_eq!(quote(word), expected);
    }
}

#[test]
fn flags_of_an_array_of_strings_stay_strings() {
    let edited = |text: &str, edit: &dyn Fn(&SourceFile, &Node, &Entry) -> Option<super::super::Edit>| {
        let source = Sources::default().add("Dockerfile".into(), text);
        let document = crate::syntax::parse(Format::Dockerfile, &source);
        let call = super::super::shell::commands(&document)[0];
        let flags = flags(call);
        let flag = flags.iter().find(|flag| flag.name() == Some("a")).expect("the flag");
        edit(&source, call, flag).map(|edit| {
            let mut out = text.to_owned();
            out.replace_range(edit.span.range(), &edit.text);
            out
        })
    };
    for (text, set, renamed) in [
        (r#"CMD ["p", "--a", "1"]"#, r#"CMD ["p", "--a", "new"]"#, r#"CMD ["p", "--zz", "1"]"#),
        (r#"CMD ["p", "--a=1", "--b"]"#, r#"CMD ["p", "--a=new", "--b"]"#, r#"CMD ["p", "--zz=1", "--b"]"#),
        (r#"CMD ["p", "--a", "--b"]"#, r#"CMD ["p", "--a", "new", "--b"]"#, r#"CMD ["p", "--zz", "--b"]"#),
        (r#"CMD ["p", "--a", "1", "2"]"#, r#"CMD ["p", "--a", "new"]"#, r#"CMD ["p", "--zz", "1", "2"]"#),
    ] {
        assert_eq!(edited(text, &|source, _, flag| set_flag(source, flag, "new")).as_deref(), Some(set));
        assert_eq!(edited(text, &|source, _, flag| set_flag(source, flag, "x y")), None, "{text}");
        assert_eq!(edited(text, &|source, _, flag| rename_flag(source, flag, "zz")).as_deref(), Some(renamed));
    }
}

#[test]
fn what_is_not_closed_is_an_error() {
    for text in ["a 'b", "a \"b", "a $(b", "a `b", "a ${b", "A=(b", "if a; then b", "a )", "fi", "cat <<E\nx", "[[ a"] {
        assert!(show(text).contains("error: "), "{text:?}: {}", show(text));
    }
    assert!(!show("a 'b' \"c $(d)\" `e` ${f}; if g; then h; fi").contains("error"));
}

#[test]
fn deep_and_large_texts_are_read_in_linear_time() {
    for unit in
        ["$(", "`", "(", "{ ", "if ", "${A:-", "\"", "'", "<<E\n", "a=(", "[[ ", "case x in ", ")", "\\\n", "A=$A$A\n"]
    {
        let text = unit.repeat(50_000);
        let start = std::time::Instant::now();
        show(&text);
        assert!(start.elapsed().as_secs() < 10, "{unit:?} took {:?}", start.elapsed());
    }
    let text =
        "A=1\nARGS=(--a $A --b \"x y\")\nif x; then\npython t.py \"${ARGS[@]}\" \\\n --c $A > log\nfi\n".repeat(12_000);
    let start = std::time::Instant::now();
    let source = Sources::default().add("run.sh".into(), text);
    assert!(parse(&source).root.entries().len() > 40_000);
    assert!(start.elapsed().as_secs() < 10, "took {:?}", start.elapsed());
}

proptest! {
    #[test]
    fn any_text_is_survived(text in r#"([ -~\n\r\t\x00-\x1f\\"'$(){}<>|&;#=`中é\[\]]|\$\(|\$\{|<<E|\nE\n|if |fi|case |in |esac|A=|--a )*"#) {
        let source = Sources::default().add("run.sh".into(), text.as_str());
        let document = parse(&source);
        for entry in document.root.entries() {
            prop_assert!(text.get(entry.span.range()).is_some());
            for flag in flags(&entry.value) {
                prop_assert!(text.get(flag.span.range()).is_some());
                prop_assert!(text.get(flag.value.span.range()).is_some());
                if let Some(edit) = remove_flag(&source, &entry.value, &flag) {
                    prop_assert!(text.get(edit.span.range()).is_some());
                }
            }
        }
    }
}
