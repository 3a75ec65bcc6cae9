#![allow(clippy::format_push_string, clippy::format_collect, reason = "tests write what they saw as one line")]

use proptest::prelude::*;

use super::*;
use crate::source::Sources;

/// `name[extras]specifiers;marker@url` from the parts and, after `|`, the text under each span.
fn show(source: &SourceFile, requirement: &Requirement) -> String {
    let mut out = requirement.name.clone();
    assert!(requirement.span.contains(requirement.name_span));
    for extra in &requirement.extras {
        out += &format!("[{}]", extra.text);
    }
    if let Some(specifiers) = &requirement.specifiers {
        assert_eq!(source.slice(specifiers.span), specifiers.text);
        out += &format!(" {}", specifiers.parsed);
    }
    if let Some(url) = &requirement.url {
        out += &format!(" @{}", url.text);
    }
    if let Some(marker) = &requirement.marker {
        out += &format!(" ;{}", marker.text);
    }
    format!("{out} |{}", source.slice(requirement.span))
}

fn one(text: &str) -> String {
    let padded = format!("  '{text}'");
    let source = Sources::default().add("x".into(), padded.as_str());
    match parse_requirement(text, source.span(3..3 + text.len())) {
        Ok(requirement) => show(&source, &requirement),
        Err(error) => format!("error at `{}`: {}", source.slice(error.span), error.message),
    }
}

#[test]
fn requirements() {
    for (text, expected) in [
        ("trl", "trl |trl"),
        ("trl==0.12.*", "trl ==0.12.* |trl==0.12.*"),
        (" trl >= 0.9 , < 1 ", "trl >=0.9, <1 |trl >= 0.9 , < 1"),
        ("trl (>=0.9,)", "trl >=0.9 |trl (>=0.9,)"),
        ("trl~=0.12", "trl ~=0.12 |trl~=0.12"),
        ("TRL.x_y[peft, vllm]==1", "TRL.x_y[peft][vllm] ==1 |TRL.x_y[peft, vllm]==1"),
        ("trl[]>=1", "trl >=1 |trl[]>=1"),
        ("trl>=1 ; python_version < \"3.9\"", "trl >=1 ;python_version < \"3.9\" |trl>=1 ; python_version < \"3.9\""),
        (
            "trl @ https://x/y.whl ; os_name=='nt'",
            "trl @https://x/y.whl ;os_name=='nt' |trl @ https://x/y.whl ; os_name=='nt'",
        ),
        ("trl@git+https://h/trl@v1", "trl @git+https://h/trl@v1 |trl@git+https://h/trl@v1"),
        (
            "git+https://h/o/r.git@v0.9#egg=trl[peft]&x=1",
            "trl[peft] @git+https://h/o/r.git@v0.9#egg=trl[peft]&x=1 |git+https://h/o/r.git@v0.9#egg=trl[peft]&x=1",
        ),
        ("git+https://h/o/trl.git@v0.9.6", "trl @git+https://h/o/trl.git@v0.9.6 |git+https://h/o/trl.git@v0.9.6"),
        ("git+https://h/o/trl", "trl @git+https://h/o/trl |git+https://h/o/trl"),
        (
            "https://h/trl-0.9.6-py3-none-any.whl",
            "trl @https://h/trl-0.9.6-py3-none-any.whl |https://h/trl-0.9.6-py3-none-any.whl",
        ),
        (
            "https://h/flash-attn-2.1.tar.gz",
            "flash-attn @https://h/flash-attn-2.1.tar.gz |https://h/flash-attn-2.1.tar.gz",
        ),
    ] {
        assert_eq!(one(text), expected, "{text:?}");
    }
    for (text, place) in [
        ("", ""),
        ("==1", "==1"),
        ("trl=0.9", "=0.9"),
        ("trl>=", ">="),
        ("trl>=0.9 <1", ">=0.9 <1"),
        ("trl 0.9", "0.9"),
        ("trl[peft", "[peft"),
        ("trl>=1;", ";"),
        ("trl @", ""),
        ("trl==0.9.foo", "==0.9.foo"),
        ("-trl", "-trl"),
        ("中文", "中文"),
    ] {
        assert!(one(text).starts_with(&format!("error at `{place}`: ")), "{text:?}: {}", one(text));
    }
}

#[test]
fn a_text_with_escapes_has_one_place() {
    let source = Sources::default().add("x".into(), r#""trl\u003e=1""#);
    let base = source.span(0..source.text().len());
    let requirement = parse_requirement("trl>=1", base).expect("valid");
    assert_eq!(requirement.specifiers.expect("one").span, base);
}

#[test]
fn conda_specifications() {
    for (text, expected) in [
        ("trl=0.12", "trl ==0.12.* |trl=0.12"),
        ("trl==0.12", "trl ==0.12 |trl==0.12"),
        ("trl 0.12.*", "trl ==0.12.* |trl 0.12.*"),
        ("conda-forge::trl=0.12=py_0", "trl ==0.12.* |trl=0.12=py_0"),
        ("trl >=0.9,<1", "trl >=0.9, <1 |trl >=0.9,<1"),
        ("trl", "trl |trl"),
    ] {
        let source = Sources::default().add("x".into(), text);
        let requirement = parse_conda_requirement(text, source.span(0..text.len())).expect("valid");
        assert_eq!(show(&source, &requirement), expected, "{text:?}");
    }
}

fn show_file(text: &str) -> String {
    let source = Sources::default().add("requirements.txt".into(), text);
    let file = parse(&source);
    let item = |item: &Item| match item {
        Item::Requirement(requirement) => {
            let hashes: String = requirement.hashes.iter().map(|hash| format!(" #{}", hash.text)).collect();
            let editable = if requirement.is_editable { "-e " } else { "" };
            let line = source.slice(requirement.line_span).escape_debug();
            format!("{editable}{}{hashes} |{line}", show(&source, requirement))
        }
        Item::Include { path, is_constraint } => format!("include {} {is_constraint}", source.slice(path.span)),
        Item::Path { path, is_editable } => format!("path {} {is_editable}", source.slice(path.span)),
        Item::Setting { name, value, .. } => {
            format!("{name} {}", value.as_ref().map_or("", |value| source.slice(value.span)))
        }
        Item::Unknown(span) => format!("unknown {}", source.slice(*span)),
    };
    let comments = file.comments.iter().map(|comment| source.slice(*comment).to_owned());
    let errors = file.errors.iter().map(|error| format!("error at {}: {}", source.slice(error.span), error.message));
    file.items.iter().map(item).chain(comments).chain(errors).collect::<Vec<_>>().join("\n")
}

#[test]
fn files() {
    for (text, expected) in [
        ("", ""),
        ("\u{feff}trl==1\r\n", "trl ==1 |trl==1 |trl==1\\r\\n"),
        ("trl==1 # c\npeft", "trl ==1 |trl==1 |trl==1 # c\\n\npeft |peft |peft\n# c"),
        ("#x\n  \n# y\\\ntrl", "trl |trl |trl\n#x\n# y\\"),
        (
            "trl==1 \\\n  --hash=sha256:aa \\\n  --hash sha256:bb\npeft",
            "trl ==1 |trl==1 #sha256:aa #sha256:bb |trl==1 \\\\\\n  --hash=sha256:aa \\\\\\n  --hash sha256:bb\\n\npeft |peft |peft",
        ),
        (
            "trl>=1 -C cmake.args=\"-DA=ON\"\npeft",
            "trl >=1 |trl>=1 |trl>=1 -C cmake.args=\\\"-DA=ON\\\"\\n\npeft |peft |peft",
        ),
        (
            "-r base.txt\n-rb.txt\n--requirement=c.txt\n-c d.txt",
            "include base.txt false\ninclude b.txt false\ninclude c.txt false\ninclude d.txt true",
        ),
        ("--index-url https://x\n-i y\n--pre\n-f=z", "--index-url https://x\n--index-url y\n--pre \n--find-links z"),
        (
            "-e .\n-e .[dev]\n./a/b\n--editable=git+https://h/trl#egg=trl",
            "path . true\npath .[dev] true\npath ./a/b false\n-e trl @git+https://h/trl#egg=trl |git+https://h/trl#egg=trl |--editable=git+https://h/trl#egg=trl",
        ),
        (
            "git+https://h/trl#egg=trl # c",
            "trl @git+https://h/trl#egg=trl |git+https://h/trl#egg=trl |git+https://h/trl#egg=trl # c\n# c",
        ),
        ("${X}\ntrl==${V}\ntrl==1", "unknown ${X}\nunknown trl==${V}\ntrl ==1 |trl==1 |trl==1"),
        (
            "--nope\n-r\ntrl=1",
            "error at --nope: `--nope` is no option of a requirements file\nerror at -r: `-r` needs a value\nerror at =1: `=1` is no version specifier: Unexpected end of version specifier, expected version. Did you mean `==1`?",
        ),
    ] {
        let shown = show_file(text);
        if text.contains("--nope") {
            assert_eq!(shown.lines().count(), expected.lines().count());
            assert!(shown.contains("error at =1"), "{shown}");
        } else {
            assert_eq!(shown, expected, "{text:?}");
        }
    }
}

#[test]
fn a_requirement_split_by_a_continuation_is_one() {
    let source = Sources::default().add("requirements.txt".into(), "trl>=0.9,\\\n<1\npeft\n");
    let file = parse(&source);
    let first = file.requirements().next().expect("trl");
    assert_eq!(first.allowed().to_string(), ">=0.9, <1");
    assert_eq!(source.slice(first.span), "trl>=0.9,\\\n<1");
}

fn pip(text: &str) -> String {
    let source = Sources::default().add("run.sh".into(), text);
    let document = super::super::shell::parse(&source);
    let last = &document.root.entries().last().expect("a command").value;
    let Some(install) = parse_pip_command(last, &source) else { return "none".into() };
    let texts = |texts: &[Text]| texts.iter().map(|text| text.text.as_str()).collect::<Vec<_>>().join(" ");
    let requirements: Vec<String> =
        install.requirements.iter().map(|requirement| show_or_span(&source, requirement)).collect();
    format!(
        "{:?} {} r({}) c({}) p({}){}{}",
        install.installer,
        requirements.join(", "),
        texts(&install.files),
        texts(&install.constraints),
        texts(&install.paths),
        if install.is_open { " open" } else { "" },
        install.errors.iter().map(|error| format!(" error {}", source.slice(error.span))).collect::<String>()
    )
}

fn show_or_span(source: &SourceFile, requirement: &Requirement) -> String {
    let written = source.slice(requirement.span);
    let specifiers = requirement.specifiers.as_ref().map_or(String::new(), |found| found.parsed.to_string());
    format!("{}{specifiers}|{written}", requirement.name)
}

#[test]
fn installation_commands() {
    for (text, expected) in [
        ("pip install trl", "Pip trl|trl r() c() p()"),
        ("pip install -q -U \"trl>=0.9\" 'peft==0.1'", "Pip trl>=0.9|trl>=0.9, peft==0.1|peft==0.1 r() c() p()"),
        ("pip3 -q install trl[peft]==1", "Pip trl==1|trl[peft]==1 r() c() p()"),
        ("python3 -m pip install -r a.txt -c b.txt -e .[dev]", "Pip  r(a.txt) c(b.txt) p(.[dev])"),
        ("$PY -m pip install --requirement=a.txt trl", "Pip trl|trl r(a.txt) c() p()"),
        ("uv pip install --system trl==1", "Pip trl==1|trl==1 r() c() p()"),
        ("uv add trl", "Project trl|trl r() c() p()"),
        ("conda install -c conda-forge -y trl=0.12", "Conda trl==0.12.*|trl=0.12 r() c() p()"),
        ("sudo -H pip install trl", "Pip trl|trl r() c() p()"),
        ("!pip install trl==1", "Pip trl==1|trl==1 r() c() p()"),
        ("%pip install trl==1", "Pip trl==1|trl==1 r() c() p()"),
        ("V=0.9; pip install trl==$V", "Pip trl==0.9|trl==$V r() c() p()"),
        ("P='trl==1 peft'; pip install $P $Q", "Pip trl==1|trl==1, peft|peft r() c() p() open"),
        ("pip install --index-url https://x/simple torch", "Pip torch|torch r() c() p()"),
        ("pip install trl>=0.9", "Pip trl|trl r() c() p()"),
        ("pip install \"trl=0.9\"", "Pip  r() c() p() error =0.9"),
        ("pip install git+https://h/trl.git@main", "Pip trl|git+https://h/trl.git@main r() c() p()"),
        ("pip uninstall trl", "none"),
        ("pip freeze", "none"),
        ("echo pip install trl", "none"),
    ] {
        assert_eq!(pip(text), expected, "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_survived(text in r"([ -~\n\r\t\x00-\x1f中é]|trl|>=|\[|\\\n|--hash=|-r |-e |git\+https://|#egg=| @ )*") {
        let source = Sources::default().add("requirements.txt".into(), text.as_str());
        for requirement in parse(&source).requirements() {
            prop_assert!(text.get(requirement.span.range()).is_some());
            prop_assert!(text.get(requirement.line_span.range()).is_some());
        }
        let _ = parse_conda_requirement(&text, source.span(0..text.len()));
        let _ = parse_requirement(&text, source.span(0..0));
    }
}
