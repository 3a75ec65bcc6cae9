//! What rules about the settings of a trainer find, and what they leave alone.

use super::testing::lint_by;

fn found(code: &str, requirements: &str, script: &str, more: &[(&str, &str)]) -> usize {
    let mut files = vec![("requirements.txt", requirements), ("train.py", script)];
    files.extend_from_slice(more);
    lint_by(&files, &|rule| rule.meta().code == code).1.len()
}

#[test]
fn prompts_that_leave_no_room_for_answers() {
    let script = |trainer: &str, config: &str, args: &str| {
        format!(
            "from trl import {config}, {trainer}\nargs = {config}(output_dir='o', {args})\n{trainer}(load(), args=args, train_dataset=data())\n"
        )
    };
    let check = |trl: &str, trainer: &str, args: &str| {
        let config = trainer.replace("Trainer", "Config");
        found("DPL605", &format!("trl=={trl}\n"), &script(trainer, &config, args), &[])
    };
    let equal = "max_length=512, max_prompt_length=512";
    for (trl, trainer, args, expected) in [
        ("0.11.4", "DPOTrainer", equal, 1),
        ("0.11.4", "DPOTrainer", "max_length=512, max_prompt_length=1024", 1),
        ("0.11.4", "DPOTrainer", "max_length=512, max_prompt_length=256", 0),
        // Without a length of the whole nothing is cut to it here.
        ("0.11.4", "DPOTrainer", "max_prompt_length=1024", 0),
        ("0.24.0", "KTOTrainer", equal, 1),
        ("0.24.0", "ORPOTrainer", equal, 1),
        // Here the end is kept, unless it is said otherwise.
        ("0.24.0", "DPOTrainer", equal, 0),
        ("0.24.0", "DPOTrainer", "max_length=512, max_prompt_length=512, truncation_mode='keep_start'", 1),
        ("0.24.0", "DPOTrainer", "max_prompt_length=1024, truncation_mode='keep_start'", 1),
        ("0.24.0", "DPOTrainer", "max_prompt_length=n, max_length=512, truncation_mode='keep_start'", 0),
        // It refuses that itself.
        ("0.24.0", "CPOTrainer", equal, 0),
        ("1.16.0", "DPOTrainer", "max_length=512", 0),
    ] {
        assert_eq!(check(trl, trainer, args), expected, "{trl} {trainer} {args}");
    }
}

#[test]
fn label_smoothing_that_a_loss_does_not_use() {
    let check = |trl: &str, args: &str| {
        let script = format!(
            "from trl import DPOConfig, DPOTrainer\nargs = DPOConfig(output_dir='o', {args})\nDPOTrainer(load(), args=args, train_dataset=data())\n"
        );
        found("DPL702", &format!("trl=={trl}\n"), &script, &[])
    };
    for (trl, args, expected) in [
        ("1.16.0", "label_smoothing=0.1", 1),
        ("0.28.0", "label_smoothing=0.1", 0),
        ("1.16.0", "label_smoothing=0.0", 0),
        ("1.16.0", "label_smoothing=0.1, loss_type='robust'", 0),
        ("1.16.0", "label_smoothing=0.5, loss_type='robust'", 1),
        ("0.24.0", "label_smoothing=0.5, loss_type='robust'", 1),
        ("1.16.0", "label_smoothing=0.1, loss_type=['sigmoid', 'robust']", 0),
        ("1.16.0", "label_smoothing=0.1, loss_type=['sigmoid', 'sft']", 1),
        ("0.24.0", "label_smoothing=0.1, loss_type='ipo'", 1),
        ("1.16.0", "label_smoothing=0.1, loss_type=choose()", 0),
        ("1.16.0", "label_smoothing=x, loss_type='ipo'", 0),
    ] {
        assert_eq!(check(trl, args), expected, "{trl} {args}");
    }
    // What a parser fills is known where the project starts the script.
    let script = "from trl import DPOConfig, DPOTrainer, TrlParser\nargs, = TrlParser(DPOConfig).parse_args_and_config()\nDPOTrainer(load(), args=args, train_dataset=data())\n";
    let run = |line: &str| found("DPL702", "trl==1.16.0\n", script, &[("run.sh", line)]);
    assert_eq!(run("python train.py --label_smoothing 0.1"), 1);
    assert_eq!(run("python train.py --label_smoothing 0.1 --loss_type robust"), 0);
    assert_eq!(run("python train.py --label_smoothing 0.1 \"$@\""), 0);
    assert_eq!(run("python train.py"), 0);
    let derived = "from trl import DPOConfig, DPOTrainer\nclass T(DPOTrainer):\n    def dpo_loss(self): ...\nT(load(), args=DPOConfig(label_smoothing=0.1), train_dataset=data())\n";
    assert_eq!(found("DPL702", "trl==1.16.0\n", derived, &[]), 0);
}

#[test]
fn quantised_models_without_an_adapter() {
    let head = "from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training\nfrom transformers import AutoModelForCausalLM, BitsAndBytesConfig, Trainer, TrainingArguments\nfrom trl import DPOConfig, DPOTrainer\nbits = BitsAndBytesConfig(load_in_4bit=True)\n";
    let load = "model = AutoModelForCausalLM.from_pretrained('q/w', quantization_config=bits)\n";
    let dpo = "DPOTrainer(model, args=DPOConfig(output_dir='o'), train_dataset=data())\n";
    for (body, expected) in [
        (format!("{load}{dpo}"), 1),
        (format!("{load}Trainer(model=model, args=TrainingArguments('o'), train_dataset=data())\n"), 1),
        (format!("{load}{dpo}").replace("train_dataset", "peft_config=LoraConfig(), train_dataset"), 0),
        (format!("{load}{dpo}").replace("train_dataset", "peft_config=config, train_dataset"), 0),
        (format!("{load}model = get_peft_model(model, LoraConfig())\n{dpo}"), 0),
        (format!("{load}model.config.use_cache = False\n{dpo}"), 1),
        (format!("def load():\n    {load}    return model\nm = load()\n{dpo}").replace("(model, args", "(m, args"), 0),
        (format!("{load}model.add_adapter(LoraConfig())\n{dpo}"), 0),
        (format!("{load}model = prepare_model_for_kbit_training(model)\n{dpo}"), 0),
        (format!("{load}add_lora(model)\n{dpo}"), 0),
        (format!("if four:\n    {load}else:\n    model = load()\n{dpo}"), 0),
        (format!("bits = BitsAndBytesConfig(load_in_4bit=four)\n{load}{dpo}"), 0),
        (format!("{load}{dpo}").replace("DPOTrainer(model,", "DPOTrainer(model, **options,"), 0),
        (format!("class T(DPOTrainer): ...\n{load}{dpo}").replace("\nDPOTrainer(", "\nT("), 0),
        (format!("model = AutoModelForCausalLM.from_pretrained('q/w')\n{dpo}"), 0),
    ] {
        let script = format!("{head}{body}");
        assert_eq!(found("DPL011", "trl==1.16.0\ntransformers==5.20.0\n", &script, &[]), expected, "{body}");
    }
}

#[test]
fn reward_models_with_several_outputs() {
    let check = |trl: &str, model: &str, more: &str| {
        let script = format!(
            "from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification as Classifier\n\
             from trl import RewardConfig, RewardTrainer\nmodel = {model}\n{more}\n\
             RewardTrainer(model, args=RewardConfig(output_dir='o'), train_dataset=data())\n"
        );
        found("DPL707", &format!("trl=={trl}\n"), &script, &[])
    };
    let plain = "Classifier.from_pretrained('gpt2')";
    for (trl, model, more, expected) in [
        ("1.16.0", plain, "", 1),
        ("0.29.0", plain, "", 1),
        // Nothing is checked there.
        ("0.28.0", plain, "", 0),
        ("1.16.0", "Classifier.from_pretrained('gpt2', num_labels=1)", "", 0),
        ("1.16.0", "Classifier.from_pretrained('mine/reward', num_labels=3)", "", 1),
        ("1.16.0", "Classifier.from_pretrained('mine/reward', num_labels=n)", "", 0),
        // It may be a reward model.
        ("1.16.0", "Classifier.from_pretrained('mine/reward')", "", 0),
        ("1.16.0", "Classifier.from_pretrained('gpt2', config=AutoConfig.from_pretrained('mine'))", "", 0),
        ("1.16.0", "Classifier.from_pretrained('gpt2', **more)", "", 0),
        ("1.16.0", "AutoModelForCausalLM.from_pretrained('gpt2')", "", 1),
        ("1.16.0", plain, "model.config.pad_token_id = 0", 1),
        ("1.16.0", plain, "model.config.num_labels = 1", 0),
        ("1.16.0", plain, "prepare(model)", 0),
    ] {
        assert_eq!(check(trl, model, more), expected, "{trl} {model} {more}");
    }
}

#[test]
fn methods_that_ppo_lost() {
    let check = |trl: &str, more: &str| {
        let script =
            format!("from trl import PPOConfig, PPOTrainer\ntrainer = PPOTrainer(PPOConfig(), a, b, c, d)\n{more}\n");
        found("DPL117", &format!("trl=={trl}\n"), &script, &[])
    };
    let steps = "for batch in trainer.dataloader:\n  trainer.generate(batch)\n  trainer.step(batch)";
    for (trl, more, expected) in [
        ("0.12.0", steps, 1),
        ("0.24.0", "if do_train:\n  trainer.step(q, r, s)", 1),
        ("0.11.4", steps, 0),
        ("0.24.0", "trainer.train()", 0),
        ("0.24.0", "try:\n  trainer.step(q, r, s)\nexcept AttributeError:\n  trainer.train()", 0),
        ("0.24.0", "if hasattr(trainer, 'step'):\n  trainer.step(q, r, s)", 0),
        // The name itself is gone.
        ("1.16.0", steps, 0),
    ] {
        assert_eq!(check(trl, more), expected, "{trl} {more}");
    }
    let own = "from trl import PPOTrainer\nclass Mine(PPOTrainer):\n  def step(self, q):\n    pass\nMine(a, b, c, d).step(q)\n";
    assert_eq!(found("DPL117", "trl==0.24.0\n", own, &[]), 0);
}

#[test]
fn targets_of_reports_that_no_release_knows() {
    let check = |transformers: &str, callee: &str, target: &str| {
        let script = format!("from {callee} as Config\nConfig(output_dir='o', report_to={target})\n");
        found("DPL701", &format!("transformers=={transformers}\ntrl==0.24.0\n"), &script, &[])
    };
    let (plain, dpo) = ("transformers import TrainingArguments", "trl import DPOConfig");
    for (transformers, callee, target, expected) in [
        ("4.57.1", plain, "'wanbd'", 1),
        ("4.57.1", plain, "['wandb', 'tensorbord']", 1),
        ("4.57.1", dpo, "'wanbd'", 1),
        ("4.57.1", plain, "'wandb'", 0),
        ("4.57.1", plain, "['tensorboard', 'mlflow']", 0),
        ("4.57.1", plain, "'none'", 0),
        ("4.57.1", plain, "None", 0),
        ("4.57.1", dpo, "'trackio'", 0),
        ("4.53.3", dpo, "'trackio'", 1),
        ("4.49.0", plain, "'swanlab'", 1),
        ("4.50.0", plain, "'swanlab'", 0),
    ] {
        assert_eq!(check(transformers, callee, target), expected, "{transformers} {callee} {target}");
    }
}
