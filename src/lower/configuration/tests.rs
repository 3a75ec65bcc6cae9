//! Which files are configurations of which program, and what is in them.

use crate::eval::{Const, Value};
use crate::knowledge::{Knowledge, Parameter, Reading};
use crate::lower::configuration::{kind_of, read};
use crate::lower::{Request, analyse};
use crate::model::Choice;
use crate::source::{MemoryFileSystem, Sources};

/// The program and the keys of each configuration.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let disk = MemoryFileSystem::default();
    for (path, text) in files {
        disk.insert(*path, *text);
    }
    let mut paths: Vec<std::path::PathBuf> = files.iter().map(|(path, _)| (*path).into()).collect();
    paths.sort();
    let sources = Sources::default();
    let request = Request {
        file_system: &disk,
        sources: &sources,
        knowledge: Knowledge::bundled(),
        files: &paths,
        targets: &[],
        python: None,
        choice: &Choice::default(),
        is_stopped: &|| false,
    };
    let analysis = analyse(&request);
    let shown = analysis.configurations.iter().map(|one| {
        let keys: Vec<&str> = one.keys.iter().map(|key| key.name.as_str()).collect();
        let open = if one.is_open { " ..." } else { "" };
        format!("{} {}: {}{open}", one.path.display(), one.consumer.name, keys.join(" "))
    });
    shown.collect()
}

#[test]
fn a_command_says_who_reads_a_file() {
    let yaml = "learning_rate: 1.0e-5\nmodel: x\n";
    for (run, expected) in [
        ("llamafactory-cli train a.yaml beta=1", "a.yaml llamafactory-cli train: learning_rate model beta"),
        ("FORCE_TORCHRUN=1 llamafactory-cli train configs/none.yaml", "run.sh llamafactory-cli train:  ..."),
        ("swift rlhf --rlhf_type dpo --ref-model y", "run.sh swift rlhf: rlhf_type ref_model"),
        ("axolotl train a.yaml --learning-rate 1e-4", "a.yaml axolotl: learning_rate model learning_rate"),
        ("accelerate launch -m axolotl.cli.train a.yaml", "a.yaml axolotl: learning_rate model"),
        ("trl dpo --config a.yaml --beta 0.2", "a.yaml trl dpo: learning_rate model beta"),
        ("swift sft $MORE --model x", "run.sh swift sft: model ..."),
        ("MORE='--beta=0.2'\ntrl dpo --config a.yaml $MORE", "a.yaml trl dpo: learning_rate model beta"),
    ] {
        assert_eq!(found(&[("a.yaml", yaml), ("run.sh", run)]), [expected], "{run}");
    }
    assert!(found(&[("a.yaml", yaml), ("run.sh", "mytool train a.yaml")]).is_empty());
}

#[test]
fn a_script_of_the_source_of_a_program_starts_it() {
    let source = [
        ("lf/src/llamafactory/__init__.py", ""),
        ("lf/src/llamafactory/hparams.py", "from transformers import HfArgumentParser\n"),
        ("lf/src/train.py", "from llamafactory.train.tuner import run_exp\nrun_exp()\n"),
        ("src/train.py", "import transformers\n"),
        ("lf/a.yaml", "beta: 1\n"),
    ];
    let none: [&str; 0] = [];
    let found = |path: &str, run: &str| found(&[&source[..], &[(path, run)]].concat());
    let of_file = ["lf/a.yaml llamafactory-cli train: beta"];
    assert_eq!(found("lf/run.sh", "torchrun src/train.py a.yaml"), of_file);
    assert_eq!(found("lf/examples/run.sh", "accelerate launch --num_processes 2 src/train.py a.yaml"), of_file);
    let inside = found("run.sh", "cd lf\npython src/train.py a.yaml");
    assert!(inside.iter().all(|one| one.contains("llamafactory-cli train: ")) && inside.len() == 1, "{inside:?}");
    assert_eq!(found("lf/run.sh", "python src/train.py --stage sft"), ["lf/run.sh llamafactory-cli train: stage"]);
    // Another script of the same name.
    assert_eq!(found("run.sh", "torchrun src/train.py a.yaml"), none);
    assert_eq!(found("lf/run.sh", "torchrun src/other.py a.yaml"), none);
}

#[test]
fn a_file_that_no_command_names_is_known_by_its_keys() {
    let yaml = "model_name_or_path: x\nstage: dpo\nfinetuning_type: lora\noutput_dir: out\n";
    assert_eq!(
        found(&[("a.yaml", yaml)]),
        ["a.yaml llamafactory-cli train: model_name_or_path stage finetuning_type output_dir"]
    );
    assert!(found(&[("a.yaml", "model_name_or_path: x\noutput_dir: out\nbeta: 0.1\n")]).is_empty());
    let merged = "base: &b\n  x: 1\n<<: *b\nmodel_name_or_path: x\nstage: dpo\ntemplate: y\ndo_train: true\n";
    assert_eq!(
        found(&[("a.yaml", merged)])[0].split(": ").nth(1),
        Some("base x model_name_or_path stage template do_train")
    );
}

#[test]
fn values_are_read_as_the_program_reads_them() {
    use Reading::{Omegaconf, Pydantic, SafeYaml, Trl, Words};
    let shown = |text: &str, annotation: &str, reading: Reading| {
        let source = Sources::default().add("a.yaml".into(), format!("k: {text}\n"));
        let document = crate::syntax::parse(crate::syntax::Format::Yaml, &source);
        let entry = document.root.entries().first().expect("one entry");
        let key = super::Key { name: "k".into(), value: entry.value.clone(), span: entry.span, on_command_line: false };
        let parameter = Parameter { annotation: Some(annotation.to_owned()), ..Parameter::default() };
        match read(&key, &kind_of(&parameter), reading) {
            Ok(Value::Const(Const::Float(bits))) => format!("float {}", f64::from_bits(bits)),
            Ok(Value::Const(value)) => value.to_string(),
            Ok(Value::List(items)) => format!("{} items", items.len()),
            Ok(_) => "?".to_owned(),
            Err(reason) => format!("! {reason}"),
        }
    };
    for (text, annotation, reading, expected) in [
        ("1e-5", "float", SafeYaml, "'1e-5'"),
        ("1e-5", "float", Omegaconf, "float 0.00001"),
        ("1e-5", "Optional[float]", Pydantic, "float 0.00001"),
        ("1e-5", "float | None", Trl, "float 0.00001"),
        ("two", "int", Trl, "! `two` is no whole number"),
        ("'2'", "Optional[int]", Trl, "2"),
        ("2.5", "int", Trl, "float 2.5"),
        ("x", "Literal['a', 'b']", Trl, "'x'"),
        ("1e-5", "float", Words, "float 0.00001"),
        ("abc", "float", Words, "! `abc` is no number"),
        ("abc", "float", SafeYaml, "'abc'"),
        ("yess", "bool | None", Pydantic, "! `yess` is no truth value"),
        ("true", "bool", Words, "True"),
        ("2.5", "int", Pydantic, "! `2.5` is no whole number"),
        ("2.0", "int", Pydantic, "2"),
        ("x", "Literal['a', 'b']", Words, "! `x` is none of its values"),
        ("x", "Literal['a', 'b'] | str", Words, "'x'"),
        ("[1, 2]", "list[int]", Pydantic, "2 items"),
        ("[1, x]", "List[int]", Words, "! `x` is no whole number"),
        ("[a, b]", "Union[SaveStrategy, str]", Words, "! a list"),
        ("[a, b]", "Union[str, list[str]]", Words, "2 items"),
        ("x", "Literal['a', 'b', None]", Words, "! `x` is none of its values"),
        ("{a: 1}", "dict[str, str]", Pydantic, "! `1` is no text"),
        ("{a: x}", "dict[str, str] | None", Pydantic, "?"),
        ("[1, 2]", "int", Pydantic, "! a list"),
        ("7", "list[str] | None", Pydantic, "! `7` is no list"),
        ("7", "Something", Pydantic, "?"),
        ("null", "int", Pydantic, "None"),
    ] {
        assert_eq!(shown(text, annotation, reading), expected, "{text} as {annotation} by {reading:?}");
    }
}
