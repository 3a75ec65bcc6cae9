//! What could be said and is not: outcomes that nobody meets.

use super::testing::lint;
use crate::diagnostic::Severity;

const SCRIPT: &str = "dpo.py";
const REQUIREMENTS: &str = "requirements.txt";

/// The codes of what is found, in the order of the places.
fn codes(files: &[(&str, &str)]) -> Vec<&'static str> {
    lint(files).1.into_iter().map(|finding| finding.code).collect()
}

#[test]
fn older_releases_count_only_where_a_floor_lets_them_in() {
    let imported = "from trl import DPOConfig, DPOTrainer\n";
    let called =
        "from trl import DPOTrainer\nDPOTrainer(model='gpt2', train_dataset=data, processing_class=tokenizer)\n";
    for (requirements, expected) in [
        ("trl>=0.8\n", 1),
        ("trl~=0.8\n", 1),
        // Whoever writes no floor installs a new release.
        ("trl\n", 0),
        ("trl!=0.19.0\n", 0),
        ("trl<1\n", 0),
        ("trl>=0.16\n", 0),
    ] {
        for script in [imported, called] {
            let found = codes(&[(REQUIREMENTS, requirements), (SCRIPT, script)]);
            assert_eq!(found, vec!["DPL206"; expected], "{requirements} {script}");
        }
    }
}

#[test]
fn files_that_pin_different_releases_are_not_both_meant() {
    let script = "from trl import DPOConfig, DPOTrainer\n";
    let found = codes(&[(REQUIREMENTS, "trl==0.12.2\n"), ("requirements-old.txt", "trl==0.7.1\n"), (SCRIPT, script)]);
    assert_eq!(found, [""; 0]);
}

/// Who calls it may ask for another release first.
#[test]
fn an_import_in_a_function_that_nothing_calls_is_a_warning() {
    let inside = "def export():\n    from trl import DPOConfig\n";
    for (called, severity) in [("", Severity::Warning), ("export()\n", Severity::Error)] {
        let (_, found) = lint(&[(REQUIREMENTS, "trl==0.8.6\n"), (SCRIPT, &format!("{inside}{called}"))]);
        let found: Vec<_> = found.into_iter().map(|finding| (finding.code, finding.severity)).collect();
        assert_eq!(found, [("DPL111", severity)], "{called}");
    }
}

const FLAGS: &str = "\
from dataclasses import dataclass
from peft import LoraConfig
from transformers import AutoModelForCausalLM, HfArgumentParser
from trl import DPOTrainer

@dataclass
class Arguments:
    use_peft: bool = False
    with_reference: bool = WITH_REFERENCE
    half: bool = False

args, = HfArgumentParser(Arguments).parse_args_into_dataclasses()
model = AutoModelForCausalLM.from_pretrained('gpt2')
reference = AutoModelForCausalLM.from_pretrained('gpt2') if args.with_reference else None
DPOTrainer(model, reference, tokenizer=load(), peft_config=LoraConfig() if args.use_peft else None)
";

#[test]
fn one_flag_may_differ_from_its_default_but_not_two() {
    for (default, expected) in [("True", 1), ("False", 0)] {
        let script = FLAGS.replace("WITH_REFERENCE", default);
        let found = codes(&[(REQUIREMENTS, "trl==0.8.6\n"), (SCRIPT, &script)]);
        assert_eq!(found, vec!["DPL001"; expected], "with_reference: {default}");
    }
}

#[test]
fn an_option_that_only_a_flag_could_set_is_not_set() {
    let script = "\
from peft import LoraConfig
from transformers import HfArgumentParser
from trl import DPOConfig, DPOTrainer

config, = HfArgumentParser(DPOConfig).parse_args_into_dataclasses()
DPOTrainer('gpt2', args=config, train_dataset=load(), peft_config=LoraConfig())
";
    let launch = "python dpo.py --output_dir out FLAG\n";
    for (flag, expected) in [("--sync_ref_model", 1), ("", 0)] {
        let launch = launch.replace("FLAG", flag);
        let files = [(REQUIREMENTS, "trl==0.29.0\n"), (SCRIPT, script), ("run.sh", &launch)];
        assert_eq!(codes(&files), vec!["DPL005"; expected], "{flag}");
        let unstarted = [(REQUIREMENTS, "trl==0.29.0\n"), (SCRIPT, script)];
        assert_eq!(codes(&unstarted), [""; 0]);
    }
}

#[test]
fn what_is_parsed_from_text_is_no_model() {
    let script = "\
import argparse
from peft import LoraConfig
from trl import DPOTrainer

parser = argparse.ArgumentParser()
parser.add_argument('--model', default=None)
args = parser.parse_args()
DPOTrainer(args.model, peft_config=LoraConfig())
";
    assert_eq!(codes(&[(REQUIREMENTS, "trl==0.27.0\n"), (SCRIPT, script)]), [""; 0]);
}

#[test]
fn a_release_that_does_not_take_the_arguments_does_not_come_to_its_checks() {
    let script = "from peft import LoraConfig\nfrom transformers import AutoModelForCausalLM\nfrom trl import DPOTrainer\n\
        model = AutoModelForCausalLM.from_pretrained('a')\nother = AutoModelForCausalLM.from_pretrained('b')\n\
        DPOTrainer(model, other, peft_config=LoraConfig(), force_use_ref_model=True)\n";
    let found = codes(&[(REQUIREMENTS, "trl<0.9\n"), (SCRIPT, script)]);
    assert!(!found.contains(&"DPL001"), "{found:?}");
}

#[test]
fn a_name_that_is_missing_twice_is_said_once() {
    let script = "from trl import PPOTrainer\nfrom trl import PPOConfig, PPOTrainer\n";
    let (_, found) = lint(&[(REQUIREMENTS, "trl==1.16.0\n"), (SCRIPT, script)]);
    let messages: Vec<_> = found.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(messages, ["`trl` of trl 1.16.0 has no `PPOTrainer` and `PPOConfig`"]);
    assert_eq!(found[0].related.len(), 3, "each place is shown, and the declaration");
}

#[test]
fn settings_of_one_call_are_one_finding() {
    let script = "from trl import DPOConfig, DPOTrainer\n\
        DPOTrainer(model='a', args=DPOConfig('out'), train_dataset=data, beta=1, max_length=2, tokenizer=tokenizer)\n";
    let (_, found) = lint(&[(REQUIREMENTS, "trl==1.16.0\n"), (SCRIPT, script)]);
    let messages: Vec<_> = found.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`DPOTrainer` of trl 1.16.0 takes `beta` and `max_length` as part of `DPOConfig`",
            "`DPOTrainer` of trl 1.16.0 takes `processing_class`, not `tokenizer` any more"
        ]
    );
    assert_eq!(found[0].versions[0].affected, ["0.13.0 - 1.16.0"]);
}

#[test]
fn what_from_pretrained_takes_is_no_finding() {
    let call = |arguments: &str| {
        format!(
            "from transformers import AutoModelForCausalLM\nAutoModelForCausalLM.from_pretrained('gpt2', {arguments})\n"
        )
    };
    for (requirements, arguments, expected) in [
        ("transformers==5.3.0", "load_in_8bit=False", 1),
        ("transformers==5.3.0", "dtype='auto', torch_dtype='auto', attn_implementation='sdpa', token=None", 0),
        ("transformers==4.57.6", "load_in_8bit=True, use_auth_token=True", 0),
        ("transformers==4.57.6", "use_flash_attention_2=True", 1),
        ("transformers==4.40.0", "use_flash_attention_2=True, load_in_4bit=True", 0),
        ("transformers==4.40.0", "dtype='auto'", 1),
        // No floor asks for a release that old.
        ("transformers", "dtype='auto'", 0),
        ("transformers>=4.40", "dtype='auto'", 1),
        ("transformers>=4.40", "some_attribute_of_the_configuration=1", 0),
    ] {
        let found = codes(&[(REQUIREMENTS, requirements), (SCRIPT, &call(arguments))]);
        let found: Vec<_> = found.into_iter().filter(|code| *code == "DPL114").collect();
        assert_eq!(found.len(), expected, "{requirements} {arguments}");
    }
    // Nothing is known of what these call, or a human has thought of it.
    for script in [
        "from transformers import AutoTokenizer\nAutoTokenizer.from_pretrained('gpt2', use_auth_token=True)\n",
        "from unsloth import FastLanguageModel\nFastLanguageModel.from_pretrained('gpt2', load_in_4bit=True)\n",
        "import transformers\nfrom packaging import version\nfrom transformers import AutoModel\n\
         old = version.parse(transformers.__version__) < version.parse('5.0.0')\n\
         model = AutoModel.from_pretrained('gpt2', load_in_8bit=True) if old else AutoModel.from_pretrained('gpt2')\n",
        "from transformers import AutoModel\ntry:\n    model = AutoModel.from_pretrained('gpt2', use_auth_token=True)\n\
         except TypeError:\n    model = AutoModel.from_pretrained('gpt2', token=True)\n",
        "from transformers import LlamaForCausalLM\nclass Mine(LlamaForCausalLM):\n    def __init__(self, config, dtype2=0):\n        \
         super().__init__(config)\nMine.from_pretrained('gpt2', use_auth_token=True)\n",
        "from transformers import AutoModel\ndef load(**kwargs):\n    return AutoModel.from_pretrained('gpt2', **kwargs)\n",
    ] {
        assert_eq!(codes(&[(REQUIREMENTS, "transformers==5.3.0"), (SCRIPT, script)]), [""; 0], "{script}");
    }
}

#[test]
fn what_is_deprecated_is_named_where_it_is_passed() {
    let config = |argument: &str| format!("from trl import SFTConfig\nSFTConfig(output_dir='out', {argument})\n");
    let model =
        |argument: &str| format!("from transformers import AutoModel\nAutoModel.from_pretrained('gpt2', {argument})\n");
    for (requirements, script, expected) in [
        ("trl==0.19.1", config("max_seq_length=512"), vec!["DPL115"]),
        ("trl==0.19.1", config("max_seq_length=None"), vec![]),
        ("trl==0.19.1", config("max_length=512"), vec![]),
        // A release that does not take it at all has another finding.
        ("trl==0.20.0", config("max_seq_length=512"), vec!["DPL102"]),
        ("trl==1.16.0", config("loss_type='chunked_nll'"), vec!["DPL115"]),
        ("trl==1.16.0", config("loss_type='nll'"), vec![]),
        // The default is nobody's mistake.
        ("trl==1.6.0", config("packing=False"), vec![]),
        ("transformers==4.56.0", model("torch_dtype='auto'"), vec!["DPL115"]),
        ("transformers==4.55.4", model("torch_dtype='auto'"), vec![]),
        ("transformers==4.56.0", model("dtype='auto'"), vec![]),
    ] {
        assert_eq!(codes(&[(REQUIREMENTS, requirements), (SCRIPT, &script)]), expected, "{requirements} {script}");
    }
    let (_, found) = lint(&[(REQUIREMENTS, "trl==0.19.1"), (SCRIPT, &config("max_seq_length=512"))]);
    assert!(found[0].notes.iter().any(|note| note == "trl 0.20.0 takes it no more"), "{:?}", found[0].notes);
}

#[test]
fn releases_that_refuse_a_redundant_reference_are_named_once() {
    let script = "from copy import deepcopy\nfrom peft import LoraConfig\nfrom transformers import AutoModelForCausalLM\n\
        from trl import DPOTrainer\nmodel = AutoModelForCausalLM.from_pretrained('a')\n\
        DPOTrainer(model, deepcopy(model), tokenizer=load(), peft_config=LoraConfig())\n";
    let (_, found) = lint(&[(REQUIREMENTS, "trl==0.7.1\n"), (SCRIPT, script)]);
    let effects: Vec<_> =
        found[0].versions.iter().map(|scope| (scope.affected.join(", "), scope.effect.clone())).collect();
    let refuses = Some("refuses this call with an exception".to_owned());
    assert_eq!(effects, [("0.7.1".to_owned(), None), ("0.7.11 - 0.8.6".to_owned(), refuses)]);
    assert_eq!(found[0].notes, [""; 0]);
}

#[test]
fn methods_that_take_what_the_base_passes_are_fine() {
    let script = |base: &str, methods: &str| {
        format!(
            "from transformers import Trainer\nfrom trl import PPOTrainer, SFTTrainer\n\n\
             class Mine({base}):\n{methods}\ntrainer = Mine(model=model, train_dataset=data)\n"
        )
    };
    let loss = "    def compute_loss(self, model, inputs, return_outputs=False):\n        pass\n";
    let step = "    def training_step(self, model, inputs):\n        pass\n";
    let log = "    def log(self, logs):\n        pass\n";
    for (requirements, base, methods, expected) in [
        ("transformers==4.57.6", "Trainer", loss, 1),
        ("transformers==4.57.6\ntrl==0.24.0", "SFTTrainer", loss, 1),
        ("transformers>=4.40", "Trainer", loss, 1),
        ("transformers==4.45.2", "Trainer", loss, 0),
        ("transformers==4.57.6", "Trainer", step, 1),
        ("transformers==4.57.6", "Trainer", log, 1),
        ("transformers==4.46.3", "Trainer", log, 0),
        // What calls it is the project's own.
        ("transformers==4.57.6", "Trainer", &(loss.to_owned() + &step.replace("inputs)", "inputs, items=None)")), 0),
        ("transformers==4.57.6", "Trainer", &loss.replace("=False", "=False, **kwargs"), 0),
        ("transformers==4.57.6", "Trainer", &loss.replace("=False", "=False, num_items_in_batch=None"), 0),
        ("transformers==4.57.6", "Trainer", &loss.replace("=False", "=False, *, num_items_in_batch=None"), 0),
        ("transformers==4.57.6", "Trainer", &step.replace("self, model, inputs", "self, *args"), 0),
        ("transformers==4.57.6", "Trainer", &step.replace("inputs)", "inputs, whatever=None)"), 0),
        ("transformers==4.57.6", "Trainer", &loss.replace("    def", "    @adapted\n    def"), 0),
        // Its own loop calls nothing of the sort.
        ("transformers==4.57.6\ntrl==0.24.0", "PPOTrainer", loss, 0),
    ] {
        let found = codes(&[(REQUIREMENTS, requirements), (SCRIPT, &script(base, methods))]);
        let found = found.into_iter().filter(|code| *code == "DPL116").count();
        assert_eq!(found, expected, "{requirements} {base}\n{methods}");
    }
}

#[test]
fn values_that_fail_later_are_those_that_the_release_does_not_know() {
    for (requirements, call, expected) in [
        ("trl==1.16.0", "trl.DPOConfig(output_dir='out', loss_type='orpo')", 1),
        ("trl==1.16.0", "trl.DPOConfig(output_dir='out', loss_type=['sigmoid', 'orpo'])", 1),
        ("trl==1.16.0", "trl.DPOConfig(output_dir='out', loss_type=['sigmoid', 'sft'])", 0),
        ("trl==1.16.0", "trl.DPOConfig(output_dir='out', loss_type=name)", 0),
        ("trl==0.28.0", "trl.DPOConfig(output_dir='out', loss_type='aot_pair')", 0),
        ("peft==0.18.0", "peft.LoraConfig(bias='some')", 1),
        ("peft==0.18.0", "peft.LoraConfig(init_lora_weights='pissa_niter_16', bias='all', task_type='CAUSAL_LM')", 0),
        ("peft==0.18.0", "peft.LoraConfig(init_lora_weights=False, task_type=peft.TaskType.CAUSAL_LM)", 0),
        ("peft==0.13.0", "peft.LoraConfig(init_lora_weights='orthogonal')", 1),
        ("peft==0.18.0", "peft.LoraConfig(r=0)", 1),
        ("peft==0.18.0", "peft.LoraConfig(r=rank)", 0),
    ] {
        let script = format!("import peft\nimport trl\n{call}\n");
        let requirements = format!("{requirements}\ntransformers==5.3.0\n");
        let found = codes(&[(REQUIREMENTS, &requirements), (SCRIPT, &script)]);
        let found = found.into_iter().filter(|code| *code == "DPL701").count();
        assert_eq!(found, expected, "{requirements} {call}");
    }
}

#[test]
fn a_value_that_goes_to_another_class_is_not_judged_by_this_one() {
    let script = "from trl import CPOConfig, DPOConfig\n\
        def build(kind):\n    kwargs = {'output_dir': 'out'}\n    cls = DPOConfig\n    \
        if kind == 'simpo':\n        cls = CPOConfig\n        kwargs['loss_type'] = 'simpo'\n    return cls(**kwargs)\n";
    assert_eq!(codes(&[(REQUIREMENTS, "trl==0.19.1\n"), (SCRIPT, script)]), [""; 0]);
    let always = script
        .replace("    if kind == 'simpo':\n        cls = CPOConfig\n        kwargs", "    if True:\n        kwargs");
    assert_eq!(codes(&[(REQUIREMENTS, "trl==0.19.1\n"), (SCRIPT, &always)]), ["DPL701"]);
}

/// A trainer of one's own whose mixins derive from a base of the trainer of TRL.
#[test]
fn what_a_constructor_hands_on_reaches_the_trainer_that_derives_from_the_others() {
    let script = "from transformers import Trainer\nfrom trl import GRPOTrainer\nclass Mixin(Trainer):\n    pass\n\
                  class Own(Mixin, GRPOTrainer):\n    pass\n\
                  class Mine(Own):\n    def __init__(self, model, reward_funcs, data):\n        \
                  super().__init__(model=model, reward_funcs=reward_funcs, train_dataset=data, ref_model=model)\n\
                  Mine('gpt2', score, data)\n";
    let (_, found) = lint(&[(REQUIREMENTS, "trl==1.8.0\ntransformers==5.14.1\n"), (SCRIPT, script)]);
    let said: Vec<_> = found.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(said, ["`GRPOTrainer` of trl 1.8.0 has no parameter `ref_model`"]);
}

#[test]
fn a_test_that_expects_a_failure_is_no_failure() {
    let call = "KTOTrainer(model=model, ref_model=model, args=KTOConfig('out'), train_dataset=data)";
    let head = "import pytest\nfrom transformers import AutoModelForCausalLM\nfrom trl import KTOConfig, KTOTrainer\n\
                model = AutoModelForCausalLM.from_pretrained('gpt2')\n";
    for (script, expected) in [
        (format!("{head}{call}\n"), vec!["DPL002"]),
        (format!("{head}with pytest.raises(ValueError, match='same'):\n    {call}\n"), vec![]),
        (
            format!("{head}def check(self):\n    with self.assertRaises(ValueError):\n        {call}\ncheck(it)\n"),
            vec![],
        ),
        (format!("{head}with pytest.warns(UserWarning):\n    {call}\n"), vec!["DPL002"]),
    ] {
        assert_eq!(codes(&[(REQUIREMENTS, "trl==1.9.0"), (SCRIPT, &script)]), expected, "{script}");
    }
}

/// One function builds the arguments of every trainer, another picks the trainer.
#[test]
fn arguments_that_may_be_the_trainers_own_are_not_plain() {
    let script = |class: &str| {
        format!(
            "from transformers import TrainingArguments\nfrom trl import GRPOConfig, GRPOTrainer\n{class}\n\
             GRPOTrainer(model='gpt2', reward_funcs=score, args=Arguments('out'), train_dataset=data)\n"
        )
    };
    for (class, expected) in [
        ("Arguments = TrainingArguments", vec!["DPL104"]),
        ("Arguments = TrainingArguments if plain() else GRPOConfig", vec![]),
        ("Arguments = TrainingArguments if plain() else load()", vec![]),
    ] {
        assert_eq!(codes(&[(REQUIREMENTS, "trl==1.8.0"), (SCRIPT, &script(class))]), expected, "{class}");
    }
}
