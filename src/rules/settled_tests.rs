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
