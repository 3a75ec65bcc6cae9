//! References that a run can do without: which trainer, which release, which adapter, and what is left of them.

use super::testing::lint;
use crate::diagnostic::{Applicability, Diagnostic, Severity};
use crate::syntax::edit;

/// A script that gives `trainer` a model and a second one loaded from the same place, and an adapter.
fn script(import: &str, trainer: &str, config: &str, adapter: &str) -> String {
    format!(
        "from peft import LoraConfig
from transformers import AutoModelForCausalLM
{import}

model = AutoModelForCausalLM.from_pretrained('Qwen/Qwen2.5-0.5B')
ref_model = AutoModelForCausalLM.from_pretrained('Qwen/Qwen2.5-0.5B')
trainer = {trainer}(
    model=model, ref_model=ref_model, args={config}(output_dir='out'), peft_config=LoraConfig({adapter})
)
"
    )
}

/// What one rule finds.
fn found(rule: &str, requirements: &str, script: &str) -> Vec<Diagnostic> {
    let (_, found) = lint(&[("requirements.txt", requirements), ("train.py", script)]);
    found.into_iter().filter(|finding| finding.rule == rule).collect()
}

const REDUNDANT: &str = "redundant-reference-model";
const UNUSED: &str = "unused-reference-model";

/// The best fix of the only finding.
fn fix_of(found: &[Diagnostic]) -> Option<Applicability> {
    assert!(found.len() <= 1, "{found:?}");
    found.first().map(|finding| finding.fixes[0].applicability)
}

#[test]
fn only_trainers_that_do_without_it_hold_a_reference_for_nothing() {
    let (safe, unsafe_) = (Some(Applicability::Safe), Some(Applicability::Unsafe));
    for (trainer, requirement, expected) in [
        ("DPOTrainer", "trl==1.16.0", safe),
        ("DPOTrainer", "trl==0.28.0", safe),
        ("DPOTrainer", "trl==0.7.4", safe),
        // These call the missing model.
        ("DPOTrainer", "trl==0.5.0", None),
        ("DPOTrainer", "trl==0.6.0", None),
        // This one refuses both, which another rule says.
        ("DPOTrainer", "trl==0.24.0", None),
        ("KTOTrainer", "trl==0.8.6", safe),
        ("KTOTrainer", "trl==0.24.0", safe),
        ("KTOTrainer", "trl==1.16.0", safe),
        ("BCOTrainer", "trl==0.11.4", safe),
        ("BCOTrainer", "trl==0.24.0", safe),
        ("OnlineDPOTrainer", "trl==0.13.0", safe),
        ("OnlineDPOTrainer", "trl==0.24.0", safe),
        // An older allowed release fails under DeepSpeed without it.
        ("OnlineDPOTrainer", "trl>=0.11,<0.14", unsafe_),
        ("OnlineDPOTrainer", "trl==0.11.4", None),
        // These generate with it.
        ("NashMDTrainer", "trl==0.24.0", None),
        ("XPOTrainer", "trl==0.24.0", None),
    ] {
        let config = trainer.replace("Trainer", "Config");
        let has_config =
            !requirement.contains("==0.5") && !requirement.contains("==0.6") && !requirement.contains("0.7.4");
        let (import, config) = if has_config {
            (format!("from trl import {trainer}, {config}"), config)
        } else {
            (
                format!("from transformers import TrainingArguments\nfrom trl import {trainer}"),
                "TrainingArguments".into(),
            )
        };
        let found = found(REDUNDANT, requirement, &script(&import, trainer, &config, ""));
        assert_eq!(fix_of(&found), expected, "{trainer} with {requirement}");
    }
}

#[test]
fn an_adapter_that_changes_the_base_needs_its_reference() {
    for (adapter, expected) in [
        ("task_type='CAUSAL_LM'", true),
        ("bias='none', init_lora_weights='gaussian'", true),
        ("init_lora_weights=False", true),
        ("init_lora_weights='pissa'", false),
        ("init_lora_weights=how()", false),
        ("bias='all'", false),
    ] {
        let import = "from trl import DPOConfig, DPOTrainer";
        let script = script(import, "DPOTrainer", "DPOConfig", adapter);
        assert_eq!(!found(REDUNDANT, "trl==1.16.0", &script).is_empty(), expected, "{adapter}");
        // Where the release refuses both, the reference still has to go, but not without being asked.
        let refused = found("ref-model-with-peft-config", "trl==0.24.0", &script);
        let applicability = if expected { Applicability::Safe } else { Applicability::Unsafe };
        assert_eq!(fix_of(&refused), Some(applicability), "{adapter}");
    }
}

#[test]
fn a_reference_with_other_weights_is_no_copy() {
    let plain = script("from trl import DPOConfig, DPOTrainer", "DPOTrainer", "DPOConfig", "");
    let reference = "ref_model = AutoModelForCausalLM.from_pretrained('Qwen/Qwen2.5-0.5B'";
    for (from, to) in [
        (reference, "ref_model = AutoModelForCausalLM.from_pretrained('me/sft'"),
        (reference, &format!("{reference}, load_in_4bit=True")),
        (reference, &format!("{reference}, revision='main'")),
        ("trainer =", "model.load_state_dict(weights())\ntrainer ="),
        ("output_dir='out'", "output_dir='out', sync_ref_model=True"),
    ] {
        let changed = plain.replacen(from, to, 1);
        assert_ne!(changed, plain);
        assert!(found(REDUNDANT, "trl==1.16.0", &changed).is_empty(), "{changed}");
    }
    assert!(!found(REDUNDANT, "trl==1.16.0", &plain).is_empty());
    // Quantised by two configurations that say the same, or not.
    for (other, expected) in [("4", 1), ("8", 0)] {
        let quantised = |bits: &str| {
            format!("'Qwen/Qwen2.5-0.5B', quantization_config=BitsAndBytesConfig(load_in_{bits}bit=True))\n")
        };
        let load = "'Qwen/Qwen2.5-0.5B')\n";
        let changed = plain.replacen(load, &quantised("4"), 1).replacen(load, &quantised(other), 1);
        let changed =
            changed.replacen("import AutoModelForCausalLM", "import AutoModelForCausalLM, BitsAndBytesConfig", 1);
        assert_eq!(found(REDUNDANT, "trl==1.16.0", &changed).len(), expected, "{changed}");
    }
}

/// A script whose trainer gets no reference, with `lines` before it.
fn without_reference(lines: &str) -> String {
    format!(
        "from copy import deepcopy
from transformers import AutoModelForCausalLM
from trl import DPOConfig, DPOTrainer

model = AutoModelForCausalLM.from_pretrained('Qwen/Qwen2.5-0.5B')
{lines}trainer = DPOTrainer(model=model, args=DPOConfig(output_dir='out'))
"
    )
}

#[test]
fn an_unused_reference_is_removed_with_what_served_it() {
    let load = "AutoModelForCausalLM.from_pretrained";
    for (lines, left) in [
        (format!("ref_model = {load}('me/sft')\n"), ""),
        (format!("second = {load}('Qwen/Qwen2.5-0.5B')\nsecond.eval()\n"), ""),
        ("frozen = deepcopy(model)\n".to_owned(), ""),
        (
            format!(
                "path = 'me/sft'\nref = {load}(path).eval()\nfor p in ref.parameters():\n    p.requires_grad = False\n"
            ),
            "",
        ),
        (
            format!("if flag():\n    ref_model = {load}('a')  # big\nelse:\n    ref_model = None\n"),
            "if flag():\n    # big\n    pass\n",
        ),
        (
            format!("def load_it():\n    return {load}('me/sft')\n\nmodel_ref = load_it()\n"),
            "def load_it():\n    return AutoModelForCausalLM.from_pretrained('me/sft')\n\n",
        ),
    ] {
        let script = without_reference(&lines);
        let found = found(UNUSED, "trl==0.24.0", &script);
        assert_eq!(found.len(), 1, "{script}");
        let fixed = edit::apply(&script, &found[0].fixes[0].edits).expect("edits that fit");
        let import = if lines.contains("deepcopy") { "from copy import deepcopy\n" } else { "" };
        let expected = without_reference(left).replacen(import, "", 1);
        assert_eq!(fixed, expected);
    }
}

#[test]
fn a_reference_that_may_be_used_stays() {
    let load = "AutoModelForCausalLM.from_pretrained";
    for lines in [
        format!("ref_model = {load}('me/sft')\nprint(ref_model)\n"),
        format!("ref_model = {load}('me/sft')\ndef score():\n    return ref_model\n"),
        format!("ref_model = {load}('me/sft')\nglobals()['x'] = 1\n"),
        format!("ref_model = {load}('me/sft')\n__all__ = ['ref_model']\n"),
        format!(
            "def load_it():\n    global ref_model\n    ref_model = {load}('me/sft')\n\nload_it()\nprint(ref_model)\n"
        ),
        format!("class Run:\n    ref_model = {load}('me/sft')\n"),
        format!("ref_model = {load}('me/sft')\nexec(open('rest.py').read())\n"),
        format!("x, ref_model = 1, {load}('me/sft')\n"),
        // Another model is no reference.
        format!("judge = {load}('me/judge')\n"),
        "ref_path = deepcopy('x')\n".to_owned(),
        // What a helper loads need not be what it returns.
        format!("def run():\n    m = {load}('me/x')\n    return m.name\n\nname = run()\n"),
    ] {
        let script = without_reference(&lines);
        assert_eq!(found(UNUSED, "trl==0.24.0", &script), [], "{script}");
    }
    // Without a trainer that could take it, nothing is known of its purpose.
    let lone = "from transformers import AutoModelForCausalLM\nimport trl\nref_model = AutoModelForCausalLM.from_pretrained('x')\n";
    assert_eq!(found(UNUSED, "trl==0.24.0", lone), []);
}

#[test]
fn another_module_may_read_the_reference() {
    let script = without_reference("ref_model = deepcopy(model)\n");
    for (other, expected) in [
        ("import trl\nfrom train import ref_model\n", 0),
        ("import trl\nimport train\nprint(train.ref_model)\n", 0),
        ("import trl\nfrom train import *\nprint(ref_model)\n", 0),
        ("import trl\nref_model = 1\ntrl.train()\n", 1),
        ("import trl\nfrom train import model\n", 1),
    ] {
        let (_, found) = lint(&[("requirements.txt", "trl==0.24.0"), ("train.py", &script), ("score.py", other)]);
        assert_eq!(found.iter().filter(|finding| finding.rule == UNUSED).count(), expected, "{other}");
    }
}

#[test]
fn a_notebook_cell_that_is_not_read_may_use_the_reference() {
    let cell = |source: &str| format!("{{\"cell_type\": \"code\", \"source\": {}}}", serde_json::Value::from(source));
    let script = without_reference("ref_model = deepcopy(model)\n");
    for (last, expected) in [
        ("print(1)", 1),
        ("ref_model", 0),
        ("%%R -i ref_model\nx", 0),
        ("print(ref_model", 0),
        ("!echo {ref_model}", 0),
        ("print(model", 1),
    ] {
        let notebook =
            format!("{{\"cells\": [{}, {}], \"nbformat\": 4, \"metadata\": {{}}}}", cell(&script), cell(last));
        let (_, found) = lint(&[("requirements.txt", "trl==0.24.0"), ("train.ipynb", &notebook)]);
        assert_eq!(found.iter().filter(|finding| finding.rule == UNUSED).count(), expected, "{last}");
    }
}

#[test]
fn what_a_missing_recipe_asks_for_is_not_known() {
    let script = "from transformers import AutoModelForCausalLM\nfrom trl import DPOConfig, DPOTrainer, ModelConfig, TrlParser, get_peft_config\n\nargs, model_args = TrlParser((DPOConfig, ModelConfig)).parse_args_and_config()\nmodel = AutoModelForCausalLM.from_pretrained(model_args.model_name_or_path)\nref_model = AutoModelForCausalLM.from_pretrained(model_args.model_name_or_path)\nDPOTrainer(model, ref_model, args=args, peft_config=get_peft_config(model_args))\n";
    let recipe = "output_dir: out\nuse_peft: true\nmodel_name_or_path: a/b\n";
    let run = "python dpo.py --config recipe.yaml\n";
    let pin = ("requirements.txt", "trl==0.24.0\n");
    for (files, expected) in [
        (vec![pin, ("dpo.py", script), ("run.sh", run), ("recipe.yaml", recipe)], Applicability::Safe),
        (vec![pin, ("dpo.py", script), ("run.sh", run)], Applicability::Unsafe),
        (vec![pin, ("dpo.py", script)], Applicability::Safe),
    ] {
        let (_, found) = crate::rules::testing::lint_by(&files, &|rule| rule.meta().code == "DPL001");
        assert_eq!(found.len(), 1, "{files:?}");
        assert_eq!(found[0].fixes[0].applicability, expected, "{files:?}");
    }
}

#[test]
fn a_recipe_that_asks_for_the_reference_in_vain_is_one_finding() {
    let script = "from trl import DPOConfig, DPOTrainer, TrlParser\n\n(args,) = TrlParser((DPOConfig,)).parse_args_and_config()\n";
    let trains = format!("{script}DPOTrainer('a/b', args=args)\n");
    let recipe = "output_dir: out\nforce_use_ref_model: true\nmax_prompt_length: 512\n";
    let run = "python dpo.py --config recipe.yaml\n";
    let found = |script: &str| {
        let files =
            [("requirements.txt", "trl==0.29.0\n"), ("dpo.py", script), ("run.sh", run), ("recipe.yaml", recipe)];
        let is_asked = |rule: &dyn crate::rules::Rule| matches!(rule.meta().code, "DPL013" | "DPL110");
        let (sources, found) = crate::rules::testing::lint_by(&files, &is_asked);
        let found = crate::rules::without_consequences(found);
        let at = |one: &crate::diagnostic::Diagnostic| {
            sources.get(one.primary.span.file).position(one.primary.span.start).line
        };
        let mut found: Vec<_> = found.iter().map(|one| (at(one), one.rule, one.severity)).collect();
        found.sort_unstable();
        found
    };
    let error = Severity::Error;
    let length = (3, "removed-argument", error);
    assert_eq!(found(&trains), [(2, "force-use-ref-model", error), length]);
    // Where no trainer gets it, it is a key like any other.
    assert_eq!(found(script), [(2, "removed-argument", error), length]);
}
