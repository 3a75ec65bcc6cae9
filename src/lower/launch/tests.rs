#![allow(clippy::format_push_string, clippy::format_collect, reason = "tests write what they saw as one line")]

use proptest::prelude::*;

use super::*;
use crate::source::Sources;
use crate::syntax;

fn node(node: &Node) -> String {
    match &node.kind {
        NodeKind::List(items) => items.iter().map(|item| self::node(&item.value)).collect::<Vec<_>>().join(","),
        NodeKind::Opaque if node.span.start == node.span.end => String::new(),
        NodeKind::Opaque => "?".into(),
        _ => node.as_str().unwrap_or("~").to_owned(),
    }
}

fn entries(entries: &[Entry]) -> String {
    let entry = |entry: &Entry| match entry.name() {
        Some(name) => format!("{name}={}", node(&entry.value)),
        None => node(&entry.value),
    };
    entries.iter().map(entry).collect::<Vec<_>>().join(" ")
}

/// `launcher(flags) > program: flags; configs; environment`.
fn show_as(format: Format, text: &str) -> String {
    let source = Sources::default().add("run".into(), text);
    let document = syntax::parse(format, &source);
    launches(&document, &source).iter().map(shown).collect::<Vec<_>>().join("\n")
}

/// One launch, in a line.
pub(super) fn shown(launch: &Launch) -> String {
    let word = |word: &Word| word.text.clone().unwrap_or_else(|| "?".into());
    let mut out = String::new();
    for launcher in &launch.launchers {
        out += &format!("{}({}) > ", launcher.name, entries(&launcher.flags));
    }
    out += &match &launch.program {
        Program::Script { path, known_end } if path.text.is_none() => format!("?{known_end}"),
        Program::Script { path, .. } => word(path),
        Program::Module(module) => format!("-m {}", word(module)),
        Program::Command { tool, command } => format!("{tool}:{}", word(command)),
    };
    out += &format!(": {}", entries(&launch.flags));
    if !launch.configs.is_empty() {
        out += &format!("; {}", launch.configs.iter().map(word).collect::<Vec<_>>().join(" "));
    }
    if !launch.environment.is_empty() {
        out += &format!("; {}", entries(&launch.environment));
    }
    if let Some(directory) = &launch.directory {
        out += &format!("; in {}", word(directory));
    }
    out + if launch.is_open { " open" } else { "" } + if launch.is_cut { " cut" } else { "" }
}

#[test]
fn launch_lines() {
    for (text, expected) in [
        ("python train.py --beta 0.1 \\ \n  --bf16", "python() > train.py: beta=0.1 cut"),
        ("python train.py --beta 0.1 --bf16", "python() > train.py: beta=0.1 bf16="),
        ("python3.10 -u -W ignore a/t.py x", "python(u= W=ignore) > a/t.py: x"),
        ("./train.py --a 1", "./train.py: a=1"),
        ("python -m trl.scripts.dpo --a=1", "python() > -m trl.scripts.dpo: a=1"),
        ("torchrun --nproc_per_node 8 --standalone t.py --a 1", "torchrun(nproc_per_node=8 standalone=) > t.py: a=1"),
        ("torchrun --nproc_per_node=8 -m pkg.train --a 1", "torchrun(nproc_per_node=8 m=) > -m pkg.train: a=1"),
        ("python -m torch.distributed.run --nnodes 1 t.py", "python() > torchrun(nnodes=1) > t.py: "),
        (
            "accelerate launch --config_file ds.yaml --multi_gpu t.py r.yaml --config_file x.yaml",
            "accelerate launch(config_file=ds.yaml multi_gpu=) > t.py: r.yaml config_file=x.yaml; r.yaml x.yaml",
        ),
        ("accelerate launch -m axolotl.cli.train c.yml", "accelerate launch(m=) > -m axolotl.cli.train: c.yml; c.yml"),
        ("accelerate launch --no_python python t.py", "accelerate launch(no_python=) > python() > t.py: "),
        ("accelerate launch trl dpo --beta 1", "accelerate launch() > trl:dpo: beta=1"),
        ("deepspeed --num_gpus 2 t.py --deepspeed ds.json", "deepspeed(num_gpus=2) > t.py: deepspeed=ds.json"),
        ("trl dpo --config c.yaml --beta 0.2", "trl:dpo: config=c.yaml beta=0.2; c.yaml"),
        ("llamafactory-cli train c.yaml lr=1", "llamafactory-cli:train: c.yaml lr=1; c.yaml"),
        ("swift rlhf --rlhf_type dpo", "swift:rlhf: rlhf_type=dpo"),
        ("axolotl train c.yml", "axolotl:train: c.yml; c.yml"),
        (
            "oumi distributed torchrun -m oumi train -c c.yaml --training.max_steps 5",
            "oumi distributed() > torchrun(m=) > oumi:train: c=c.yaml training.max_steps=5; c.yaml",
        ),
        ("oumi train -c c.yaml", "oumi:train: c=c.yaml; c.yaml"),
        (
            "ray job submit --address=x -- python3 -m a.b --c 1",
            "ray job submit(submit address=x) > python() > -m a.b: c=1",
        ),
        ("srun --jobid $J -N1 torchrun t.py", "srun(jobid=? N1=) > torchrun() > t.py: "),
        ("uv run --with trl python t.py", "uv(with=trl) > python() > t.py: "),
        ("uv run t.py", "uv() > t.py: "),
        ("nohup env A=1 python t.py > log 2>&1 &", "nohup() > env(A=1) > python() > t.py: ; A=1"),
        ("CUDA_VISIBLE_DEVICES=0 python t.py", "python() > t.py: ; CUDA_VISIBLE_DEVICES=0"),
        ("export A=1 B=2\nA=3\nB=4 python t.py", "python() > t.py: ; B=2 A=3 B=4"),
        ("cd x && python t.py", "python() > t.py: ; in x"),
        ("python $ROOT/a/t.py", "python() > ?a/t.py: "),
        ("python \"$(dirname \"$0\")/t.py\" --a 1", "python() > ?t.py: a=1"),
        ("$PY t.py --a 1", "$PY() > t.py: a=1"),
        ("PY=python\n$PY t.py --a 1", "python() > t.py: a=1"),
        ("ARGS=(--a 1)\npython t.py \"${ARGS[@]}\" --b $X", "python() > t.py: a=1 b=?"),
        ("L='accelerate launch --multi_gpu'\n$L t.py", "accelerate launch(multi_gpu=) > t.py: "),
        ("accelerate launch $ARGS t.py --a 1", "accelerate launch(?) > t.py: a=1 open"),
        ("python t.py \"$@\"", "python() > t.py: ? open"),
        ("python t.py --a 1 $EXTRA", "python() > t.py: a=1,? open"),
        ("python t.py --a $1 --b \"$2\"", "python() > t.py: a=? b=?"),
        ("python t.py --bf16 \"$@\"", "python() > t.py: bf16=? open"),
        ("bash -c 'python t.py --a 1'", "python() > t.py: a=1"),
        ("srun bash -c \"torchrun t.py\"", "torchrun() > t.py: "),
        ("for b in 0.1 0.5; do python t.py --beta $b; done", "python() > t.py: beta=?"),
        ("if x; then\n python a.py\nelse\n python b.py\nfi", "python() > a.py: \npython() > b.py: "),
        ("python -c 'x'; python -V; ls a.txt; echo t; pip install trl; trl --help; accelerate config", ""),
        ("cat t.py", ""),
        (
            "axolotl train a.yaml --debug -- --num_processes 4 --mixed_precision=bf16",
            "accelerate launch(num_processes=4 mixed_precision=bf16) > axolotl:train: a.yaml debug=; a.yaml",
        ),
        (
            "axolotl train a.yaml --launcher torchrun -- --nproc_per_node=2",
            "torchrun(nproc_per_node=2) > axolotl:train: a.yaml launcher=torchrun; a.yaml",
        ),
        ("axolotl train a.yaml -- \"$@\"", "accelerate launch(?) > axolotl:train: a.yaml; a.yaml open"),
    ] {
        assert_eq!(show_as(Format::Shell, text), expected, "{text:?}");
    }
}

#[test]
fn launch_lines_of_other_files() {
    for (format, text, expected) in [
        (
            Format::Dockerfile,
            "FROM x\nENV A=1\nWORKDIR /w\nRUN export B=2 && python a.py\nCMD [\"python\", \"t.py\", \"--a=1\"]\n",
            "python() > a.py: ; A=1 B=2; in /w\npython() > t.py: a=1; A=1; in /w",
        ),
        (Format::Makefile, "A = --a 1\nx:\n\t@python t.py $(A)\n", "python() > t.py: a=1"),
    ] {
        assert_eq!(show_as(format, text), expected);
    }
}

#[test]
fn many_launch_lines_are_read_in_linear_time() {
    let exports: String = (0..5_000).map(|index| format!("export V{index}=1\npython t.py --a $V{index}\n")).collect();
    let start = std::time::Instant::now();
    assert_eq!(show_as(Format::Shell, &exports).lines().count(), 5_000);
    assert!(start.elapsed().as_secs() < 20, "took {:?}", start.elapsed());
}

#[test]
fn a_flag_of_a_notebook_is_removed_where_the_command_stays_whole() {
    let text = r#"{"cells": [{"cell_type": "code", "source": ["!python t.py --a 1 \\\n", "  --b 2"]}]}"#;
    let source = Sources::default().add("run.ipynb".into(), text);
    let notebook = syntax::notebook::parse(&source);
    let launch = &launches(&notebook.commands[0], &source)[0];
    let removed = |name| shell::remove_flag(&source, &launch.call, launch.flag(&[name]).expect("the flag"));
    assert_eq!(removed("a").map(|edit| source.slice(edit.span).to_owned()), Some(" --a 1".into()));
    assert_eq!(removed("b"), None);
}

proptest! {
    #[test]
    fn any_text_is_survived(text in r#"(python |t\.py |accelerate launch |torchrun |-m |--a |"\$@" |\$X |bash -c '|'|=|\n|[ -~é])*"#) {
        for format in [Format::Shell, Format::Dockerfile, Format::Makefile] {
            show_as(format, &text);
        }
    }
}
