//! `dpo-lint server`, driven as an editor drives it.

mod client;
#[path = "server/notebooks.rs"]
mod notebooks;

use std::path::Path;
use std::time::Duration;

use client::{Client, Options, apply, at, edits_of, range};
use serde_json::{Value, json};

const REQUIREMENTS: &str = "trl==0.16.0\n";

/// Two findings: an argument that trl 0.16 takes under another name, and one that it never had.
const SCRIPT: &str = "from trl import DPOConfig, DPOTrainer\n\nargs = DPOConfig(output_dir=\"out\")\n\
                      trainer = DPOTrainer(\"model\", args=args, tokenizer=tok)\nother = DPOTrainer(\"model\", no_such=1)\n";

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join(".git")).expect("a folder");
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file");
}

/// The code and first line of each diagnostic.
fn told(diagnostics: &Value) -> Vec<String> {
    let list = diagnostics["diagnostics"].as_array().expect("a list");
    list.iter()
        .map(|one| format!("{}:{}", one["range"]["start"]["line"], one["code"].as_str().unwrap_or("-")))
        .collect()
}

fn actions(client: &mut Client, name: &str, range: &Value, only: Option<&str>) -> Vec<Value> {
    let context = only.map_or_else(|| json!({"diagnostics": []}), |kind| json!({"diagnostics": [], "only": [kind]}));
    let params = json!({"textDocument": {"uri": client.uri(name)}, "range": range, "context": context});
    client.ask("textDocument/codeAction", params).as_array().expect("a list").clone()
}

#[test]
fn unsaved_text_is_checked_with_the_whole_project_around_it() {
    let folder = project(&[("requirements.txt", REQUIREMENTS), ("train.py", "")]);
    let mut client = Client::start(folder.path(), Options::default());
    client.open("train.py", SCRIPT);
    let found = client.diagnostics("train.py");
    assert_eq!(told(&found), ["3:renamed-argument", "4:unknown-argument"]);
    assert_eq!(found["version"], 1);
    let first = &found["diagnostics"][0];
    assert_eq!((&first["severity"], &first["source"]), (&json!(1), &json!("dpo-lint")));
    assert!(
        first["message"].as_str().is_some_and(|text| text.contains("help: pass it as `processing_class`")),
        "{first}"
    );
    let related = &first["relatedInformation"][0];
    assert_eq!(related["location"]["uri"], client.uri("requirements.txt"));
    assert_eq!(related["message"], "trl 0.16.0 is pinned here");

    // The declaration, unsaved, decides about the script.
    client.open("requirements.txt", "trl==0.12.2\n");
    let found = client.diagnostics("train.py");
    assert_eq!(told(&found), ["3:deprecated-argument", "4:unknown-argument"]);
    assert_eq!(found["diagnostics"][0]["tags"], json!([2]), "it is struck out");

    // What was written is mended, and what is closed counts as it is on the disk.
    client.change("train.py", 2, "import trl\n");
    assert_eq!(told(&client.diagnostics("train.py")), [""; 0]);
    client.close("train.py");
    client.close("requirements.txt");
    client.open("train.py", SCRIPT);
    // A check may have come between closing and opening, of the file without a version.
    let found = client.diagnostics_with("train.py", |found| found["version"] == 1);
    assert_eq!(told(&found), ["3:renamed-argument", "4:unknown-argument"]);
    assert_eq!(client.end(), Some(0));
}

#[test]
fn files_that_are_not_open_are_told_of_and_taken_back() {
    let yaml = "model_name_or_path: m\nstage: dpo\ndo_train: true\nfinetuning_type: lora\ndpo_beta: 0.1\ndataset: d\n\
                template: qwen\noutput_dir: out\n";
    let folder = project(&[("requirements.txt", "llamafactory==0.9.3\n"), ("dpo.yaml", yaml), ("train.py", SCRIPT)]);
    let mut client = Client::start(folder.path(), Options::default());
    let found = client.diagnostics("dpo.yaml");
    assert_eq!(told(&found), ["4:unknown-config-key"]);
    assert_eq!(found.get("version"), None, "it is not open");
    assert_eq!(client.registered(), ["workspace/didChangeWatchedFiles"]);
    write(folder.path(), "dpo.yaml", &yaml.replace("dpo_beta", "pref_beta"));
    client.notify("workspace/didChangeWatchedFiles", json!({"changes": [{"uri": client.uri("dpo.yaml"), "type": 2}]}));
    assert_eq!(told(&client.diagnostics("dpo.yaml")), [""; 0]);
    // Leaving the folder takes everything back.
    let folder = json!({"uri": client.uri(""), "name": "x"});
    client.notify("workspace/didChangeWorkspaceFolders", json!({"event": {"added": [], "removed": [folder]}}));
    assert_eq!(told(&client.diagnostics_with("train.py", |found| told(found).is_empty())), [""; 0]);
    assert_eq!(client.end(), Some(0));
}

#[test]
fn places_are_counted_as_negotiated() {
    let script = "from trl import DPOTrainer\nt = DPOTrainer(\"模𝄞型\", no_such=1)\n";
    for (offered, encoding, character) in [
        (Some(json!(["utf-16", "utf-8"])), "utf-8", 29),
        (Some(json!(["utf-32", "utf-16"])), "utf-16", 23),
        (None, "utf-16", 23),
    ] {
        let folder = project(&[("requirements.txt", REQUIREMENTS)]);
        let mut client = Client::start(folder.path(), Options { encodings: offered, ..Options::default() });
        assert_eq!(client.capabilities["positionEncoding"], encoding);
        client.open("train.py", script);
        let found = client.diagnostics("train.py");
        assert_eq!(found["diagnostics"][0]["range"], range((1, character), (1, character + 9)), "{encoding}");
        // A change in the middle of the line is made where the client means it.
        client.change_range("train.py", 2, &range((1, character), (1, character + 9)), "beta=0.1");
        let found = client.diagnostics("train.py");
        assert_eq!(told(&found), ["1:moved-argument"], "{encoding}");
        assert_eq!(found["diagnostics"][0]["range"]["end"], at(1, character + 8), "{encoding}");
        assert_eq!(client.end(), Some(0));
    }
}

#[test]
fn a_quick_fix_makes_the_text_that_the_command_line_makes() {
    let folder = project(&[("requirements.txt", REQUIREMENTS)]);
    let mut client = Client::start(folder.path(), Options::default());
    let script = SCRIPT.replace('\n', "\r\n");
    client.open("train.py", &script);
    let here = range((3, 45), (3, 45));
    let found = actions(&mut client, "train.py", &here, Some("quickfix"));
    let titles: Vec<&str> = found.iter().filter_map(|action| action["title"].as_str()).collect();
    assert_eq!(titles, ["Rename `tokenizer` to `processing_class`", "Ignore `renamed-argument` here with a comment"]);
    assert_eq!((&found[0]["isPreferred"], &found[0]["kind"]), (&json!(true), &json!("quickfix")));
    assert_eq!(found[0]["diagnostics"][0]["code"], "renamed-argument");
    assert_eq!(
        found[0]["edit"]["documentChanges"][0]["textDocument"],
        json!({"uri": client.uri("train.py"), "version": 1})
    );
    let fixed = apply(&script, &edits_of(&found[0], &client.uri("train.py")));
    assert_eq!(fixed, script.replace("tokenizer=", "processing_class="));

    assert_eq!(client.ask("codeAction/resolve", found[0].clone()), found[0], "there is nothing to add");
    let suppressed = apply(&script, &edits_of(&found[1], &client.uri("train.py")));
    assert_eq!(suppressed, script.replace("tok)", "tok)  # dpo-lint: ignore[renamed-argument] TODO: say why"));
    client.change("train.py", 2, &suppressed);
    let found = client.diagnostics_with("train.py", |found| found["version"] == 2);
    assert_eq!(told(&found), ["4:unknown-argument"]);
    // What may change the program is offered, and not preferred.
    client.change("train.py", 3, &SCRIPT.replace("no_such=1", "peft_confg=None"));
    let found = actions(&mut client, "train.py", &range((4, 30), (4, 31)), Some("quickfix"));
    assert_eq!(found[0]["title"], "Write `peft_config` (may change what the program does)");
    assert_eq!(found[0].get("isPreferred"), None);
    assert_eq!(client.end(), Some(0));
}

#[test]
fn all_safe_fixes_are_made_at_once() {
    let more = "late = DPOTrainer(\"model\", tokenizer=tok, peft_confg=None)\n";
    let script = format!("{SCRIPT}{more}");
    for resolves in [true, false] {
        let folder = project(&[("requirements.txt", REQUIREMENTS)]);
        let mut client = Client::start(folder.path(), Options { resolves, ..Options::default() });
        client.open("train.py", &script);
        let all = range((0, 0), (0, 0));
        let mut found = actions(&mut client, "train.py", &all, Some("source.fixAll"));
        assert_eq!(found.len(), 1, "{found:?}");
        let mut action = found.remove(0);
        assert_eq!(action["kind"], "source.fixAll.dpo-lint");
        if resolves {
            assert_eq!(action.get("edit"), None, "it comes later");
            action = client.ask("codeAction/resolve", action);
        }
        let fixed = apply(&script, &edits_of(&action, &client.uri("train.py")));
        assert_eq!(fixed, script.replace("tokenizer=", "processing_class="), "resolves: {resolves}");
        assert_eq!(actions(&mut client, "train.py", &all, Some("source.organizeImports")), [Value::Null; 0]);
        client.change("train.py", 2, &fixed);
        assert_eq!(actions(&mut client, "train.py", &all, Some("source.fixAll.dpo-lint")), [Value::Null; 0]);
        assert_eq!(client.end(), Some(0));
    }
}

#[test]
fn hovering_tells_the_rule_and_what_each_release_does() {
    let yaml = "model_name_or_path: m\nstage: dpo\ndo_train: true\nfinetuning_type: lora\npref_beta: 0.1\ndataset: d\n\
                template: qwen\noutput_dir: out\n";
    let folder = project(&[("requirements.txt", "trl==0.16.0\nllamafactory==0.9.3\n"), ("dpo.yaml", yaml)]);
    let mut client = Client::start(folder.path(), Options::default());
    client.open("train.py", SCRIPT);
    let mut hover = |name: &str, place: Value| {
        let answer =
            client.ask("textDocument/hover", json!({"textDocument": {"uri": client.uri(name)}, "position": place}));
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    };
    let tokenizer = hover("train.py", at(3, 44));
    for part in [
        "`tokenizer: Optional[PreTrainedTokenizerBase]` of `DPOTrainer`",
        "**trl 0.16.0** does not have it (`TypeError`) (pinned)",
        "- trl 0.5.0 - 0.11.4: takes it, default `None`",
        "- trl 0.12.0 - 0.15.2: takes it as a deprecated name of `processing_class`",
        "# renamed-argument (DPL102)",
        "```python\nfrom trl",
    ] {
        assert!(tokenizer.contains(part), "{part} in\n{tokenizer}");
    }
    let field = hover("train.py", at(2, 20));
    assert!(
        field.contains("**transformers ") && field.contains("- transformers 4.28.0 - 4.48.3: takes it, required"),
        "{field}"
    );
    let finding = hover("train.py", at(4, 30));
    assert!(finding.starts_with("# unknown-argument (DPL101)"), "{finding}");
    assert_eq!(hover("train.py", at(0, 3)), "");
    let key = hover("dpo.yaml", at(4, 2));
    assert!(
        key.contains("**llamafactory 0.9.3** takes it, default `0.1`") || key.contains("0.9.3** takes it"),
        "{key}"
    );
    assert!(key.contains("read by LLaMA-Factory 0.9.3"), "{key}");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn names_and_choices_of_the_release_in_effect_are_completed() {
    let folder = project(&[("requirements.txt", REQUIREMENTS)]);
    let mut client = Client::start(folder.path(), Options::default());
    client.open("train.py", SCRIPT);
    client.diagnostics("train.py");
    let mut version = 1;
    let mut complete = |text: &str| -> (Vec<Value>, String) {
        let offset = text.find('|').expect("a place");
        let text = text.replacen('|', "", 1);
        version += 1;
        client.change("train.py", version, &text);
        let before = &text[..offset];
        let line = before.matches('\n').count();
        let character = before.rsplit('\n').next().unwrap_or_default().len();
        let params = json!({"textDocument": {"uri": client.uri("train.py")}, "position": at(line, character)});
        let items = client.ask("textDocument/completion", params)["items"].as_array().expect("a list").clone();
        let applied = items.first().map(|item| apply(&text, &[item["textEdit"].clone()])).unwrap_or_default();
        (items, applied)
    };
    let labels = |items: &[Value]| -> Vec<String> {
        items.iter().filter_map(|item| item["label"].as_str().map(str::to_owned)).collect()
    };
    let import = "from trl import DPOConfig as C, DPOTrainer\n";
    let (items, applied) = complete(&format!("{import}a = C(beta=0.1, lo|\nb = 2\n"));
    let names = labels(&items);
    assert!(names.contains(&"loss_type".to_owned()) && names.contains(&"learning_rate".to_owned()), "{names:?}");
    assert!(!names.contains(&"beta".to_owned()), "it is given");
    assert!(!names.contains(&"max_prompt_lenght".to_owned()));
    assert!(applied.contains(&format!("C(beta=0.1, {}=\n", names[0])), "{applied}");
    // A field that trl 0.16 does not have yet.
    assert!(!names.contains(&"loss_weights".to_owned()), "{names:?}");

    let (items, applied) = complete(&format!("{import}a = C(loss_type=\"|\")\n"));
    assert_eq!(labels(&items)[0], "aot", "{items:?}");
    assert!(applied.ends_with("C(loss_type=\"aot\")\n"), "{applied}");
    let (items, _) = complete(&format!("{import}a = C(loss_type=|)\n"));
    assert!(labels(&items).contains(&"\"sigmoid\"".to_owned()));
    let (items, _) = complete(&format!("{import}a = C(disable_dropout=|)\n"));
    assert_eq!(labels(&items), ["False", "True"]);
    let (items, _) = complete("class C:\n    pass\na = C(|)\n");
    assert_eq!(labels(&items), [""; 0], "nothing of a library");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn keys_of_argument_files_are_completed_for_their_reader() {
    let script = "from trl import DPOConfig, ModelConfig, ScriptArguments, TrlParser\n\
                  parser = TrlParser((ScriptArguments, DPOConfig, ModelConfig))\n\
                  script, training, model = parser.parse_args_and_config()\n";
    let framework = "model_name_or_path: m\nstage: dpo\ndo_train: true\nfinetuning_type: lora\ndataset: d\n\
                     template: qwen\noutput_dir: out\n";
    let folder = project(&[
        ("requirements.txt", "trl==0.16.0\nllamafactory==0.9.3\n"),
        ("dpo.py", script),
        ("run.sh", "python dpo.py --config recipe.yaml\n"),
        ("recipe.yaml", "beta: 0.1\noutput_dir: out\n"),
        ("framework.yaml", framework),
    ]);
    let mut client = Client::start(folder.path(), Options::default());
    for (name, text) in [("recipe.yaml", "beta: 0.1\noutput_dir: out\n"), ("framework.yaml", framework)] {
        client.open(name, text);
        client.diagnostics(name);
    }
    let mut version = 1;
    let mut complete = |name: &str, text: &str| -> Vec<String> {
        version += 1;
        client.change(name, version, text);
        let line = text.trim_end_matches('\n').matches('\n').count();
        let character = text.trim_end_matches('\n').rsplit('\n').next().unwrap_or_default().len();
        let params = json!({"textDocument": {"uri": client.uri(name)}, "position": at(line, character)});
        let items = client.ask("textDocument/completion", params)["items"].as_array().expect("a list").clone();
        items.iter().filter_map(|item| item["textEdit"]["newText"].as_str().map(str::to_owned)).collect()
    };
    let keys = complete("recipe.yaml", "beta: 0.1\noutput_dir: out\nlo\n");
    assert!(keys.contains(&"loss_type: ".to_owned()) && keys.contains(&"use_peft: ".to_owned()), "{keys:?}");
    assert!(!keys.contains(&"beta: ".to_owned()) && !keys.contains(&"loss_weights: ".to_owned()), "{keys:?}");
    let choices = complete("recipe.yaml", "beta: 0.1\noutput_dir: out\nloss_type:\n");
    assert!(choices.contains(&" sigmoid".to_owned()), "{choices:?}");
    let keys = complete("framework.yaml", &format!("{framework}pref\n"));
    assert!(keys.contains(&"pref_beta: ".to_owned()), "{keys:?}");
    let choices = complete("framework.yaml", &format!("{framework}pref_loss: si\n"));
    assert!(choices.contains(&"sigmoid".to_owned()) && choices.contains(&"simpo".to_owned()), "{choices:?}");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn keys_below_others_are_completed_and_explained() {
    let recipe = "base_model: m\nrl: dpo\nadapter: lora\nlora_r: 8\nmicro_batch_size: 1\nlearning_rate: 1e-5\n\
                  datasets:\n  - path: a/b\n    split: train\n";
    let start = ("run.sh", "axolotl train dpo.yaml\n");
    let folder = project(&[("requirements.txt", "axolotl==0.12.0\n"), start, ("dpo.yaml", recipe)]);
    let mut client = Client::start(folder.path(), Options::default());
    client.open("dpo.yaml", recipe);
    client.diagnostics("dpo.yaml");
    let text = format!("{recipe}    ty\n");
    client.change("dpo.yaml", 2, &text);
    let (line, document) = (text.lines().count() - 1, json!({"uri": client.uri("dpo.yaml")}));
    let params = json!({"textDocument": document, "position": at(line, 6)});
    let items = client.ask("textDocument/completion", params)["items"].as_array().expect("a list").clone();
    let keys: Vec<&str> = items.iter().filter_map(|item| item["label"].as_str()).collect();
    assert!(keys.contains(&"type") && keys.contains(&"data_files"), "{keys:?}");
    assert!(!keys.contains(&"path") && !keys.contains(&"base_model") && !keys.contains(&"lora_r"), "{keys:?}");
    let params = json!({"textDocument": document, "position": at(line - 1, 6)});
    let text = client.ask("textDocument/hover", params)["contents"]["value"].to_string();
    assert!(text.contains("`split: ") && text.contains("axolotl 0.12.0"), "{text}");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_check_that_is_overtaken_shows_nothing() {
    let folder = project(&[("requirements.txt", REQUIREMENTS)]);
    for number in 0..40 {
        write(folder.path(), &format!("script_{number}.py"), &SCRIPT.repeat(2));
    }
    let mut client = Client::start(folder.path(), Options { is_tracing: true, ..Options::default() });
    client.open("train.py", SCRIPT);
    client.diagnostics("train.py");
    // Each change comes when the check of the one before has begun.
    let mut version = 1;
    while version < 40 && !client.traced("a check was overtaken") {
        version += 1;
        client.change("train.py", version, &format!("{SCRIPT}# {version}\n"));
        std::thread::sleep(Duration::from_millis(180));
    }
    assert!(version < 40, "no check was ended");
    version += 1;
    client.change("train.py", version, "import trl\n");
    let last = client.diagnostics_with("train.py", |found| found["version"] == version);
    assert_eq!(told(&last), [""; 0]);
    // Nothing old is shown afterwards.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(client.seen("train.py").last(), Some(&json!(version)));
    // A question that nobody waits for any more is not answered.
    client.change("train.py", version + 1, SCRIPT);
    let id = client
        .request("textDocument/hover", json!({"textDocument": {"uri": client.uri("train.py")}, "position": at(3, 44)}));
    client.notify("$/cancelRequest", json!({"id": id}));
    assert_eq!(client.answer(id)["error"]["code"], -32800);
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_file_that_is_broken_does_not_silence_the_others() {
    let folder = project(&[("requirements.txt", REQUIREMENTS), ("other.py", SCRIPT)]);
    let mut client = Client::start(folder.path(), Options::default());
    client.open("train.py", &SCRIPT.replace("no_such=1)", "no_such=1"));
    let found = client.diagnostics("train.py");
    assert!(told(&found).contains(&"3:renamed-argument".to_owned()), "what can be read is judged: {found}");
    assert_eq!(told(&client.diagnostics_with("other.py", |found| !told(found).is_empty())).len(), 2);
    client.change("train.py", 2, "def (:\n  \"\"\"\n");
    client.diagnostics_with("train.py", |found| found["version"] == 2);
    client.change("train.py", 3, SCRIPT);
    assert_eq!(told(&client.diagnostics_with("train.py", |found| found["version"] == 3)).len(), 2);
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_configuration_is_read_again_and_its_mistakes_are_shown() {
    let folder = project(&[("requirements.txt", REQUIREMENTS), ("dpo-lint.toml", "ignore = [\"unknown-argument\"]\n")]);
    let mut client = Client::start(folder.path(), Options::default());
    client.open("train.py", SCRIPT);
    assert_eq!(told(&client.diagnostics("train.py")), ["3:renamed-argument"]);
    write(folder.path(), "dpo-lint.toml", "ignor = []\n");
    client.notify(
        "workspace/didChangeWatchedFiles",
        json!({"changes": [{"uri": client.uri("dpo-lint.toml"), "type": 2}]}),
    );
    let found = client.diagnostics("dpo-lint.toml");
    assert!(
        found["diagnostics"][0]["message"].as_str().is_some_and(|text| text.contains("unknown key `ignor`")),
        "{found}"
    );
    assert_eq!(told(&client.diagnostics_with("train.py", |found| told(found).is_empty())), [""; 0]);
    write(folder.path(), "dpo-lint.toml", "");
    // What the editor says beats the file.
    let settings = json!({"settings": {"dpo-lint": {"target": ["trl==0.12.2"]}}});
    client.notify("workspace/didChangeConfiguration", settings);
    assert_eq!(told(&client.diagnostics("dpo-lint.toml")), [""; 0]);
    let found = client.diagnostics_with("train.py", |found| told(found).len() == 2);
    assert_eq!(told(&found), ["3:deprecated-argument", "4:unknown-argument"]);
    client.notify("workspace/didChangeConfiguration", json!({"settings": {"dpo-lint": {}}}));
    let found = client.diagnostics_with("train.py", |found| told(found)[0] != "3:deprecated-argument");
    assert_eq!(told(&found), ["3:renamed-argument", "4:unknown-argument"]);
    assert_eq!(client.end(), Some(0));
}

#[test]
fn the_protocol_is_kept_in_the_end_and_where_nothing_is_asked() {
    let folder = project(&[("requirements.txt", REQUIREMENTS)]);
    let mut client = Client::start(folder.path(), Options::default());
    let id = client.request("textDocument/rename", json!({}));
    assert_eq!(client.answer(id)["error"]["code"], -32601);
    let id = client.request("textDocument/hover", json!({"textDocument": {"uri": client.uri("requirements.txt")}}));
    assert_eq!(client.answer(id)["error"]["code"], -32602);
    let elsewhere = json!({"textDocument": {"uri": "untitled:Untitled-1"}, "position": at(0, 0)});
    assert_eq!(client.ask("textDocument/hover", elsewhere), Value::Null);
    assert_eq!(client.ask("shutdown", Value::Null), Value::Null);
    let id = client.request("textDocument/hover", json!({}));
    assert_eq!(client.answer(id)["error"]["code"], -32600);
    client.notify("exit", Value::Null);
    assert_eq!(client.wait(), Some(0));

    let mut client = Client::start(folder.path(), Options::default());
    client.notify("exit", Value::Null);
    assert_eq!(client.wait(), Some(1), "without a shutdown");
    let mut client = Client::start(folder.path(), Options::default());
    client.hang_up();
    assert_eq!(client.wait(), Some(1), "the editor is gone");

    let mut client = Client::spawn(folder.path());
    let id = client.request("textDocument/hover", json!({}));
    assert_eq!(client.answer(id)["error"]["code"], -32002, "before it is initialised");
    client.notify("exit", Value::Null);
    assert_eq!(client.wait(), Some(1));
}
