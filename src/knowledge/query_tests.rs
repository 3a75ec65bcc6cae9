//! Questions put to the bundled packages.

use super::query::*;
use super::{Knowledge, Package};

#[test]
fn what_is_taken_is_in_the_signature() {
    let knowledge = Knowledge::bundled();
    let package = knowledge.package("trl").expect("it is known");
    let newest = |name: &str| knowledge.package(name)?.all().iter().next_back();
    let mut found = 0;
    for definition in package.definitions() {
        for release in package.all().iter().step_by(12) {
            let in_effect = |name: &str| if name == "trl" { Some(release) } else { newest(name) };
            let Some(signature) = knowledge.signature(package, definition, &in_effect) else { continue };
            for name in signature.parameters.keys().copied().chain(["no_such_parameter"]) {
                let expected = match signature.parameters.get(name) {
                    Some(parameter) => Takes::Parameter(parameter),
                    None if signature.any_keyword => Takes::AnyKeyword,
                    None if signature.complete => Takes::Nothing,
                    None => Takes::Unknown,
                };
                assert_eq!(knowledge.takes(package, definition, name, &in_effect), expected, "{definition} {name}");
                found += 1;
            }
        }
    }
    assert!(found > 10_000, "{found} parameters were compared");
}

#[test]
fn a_dataclass_takes_the_fields_of_its_bases_and_not_their_constructors() {
    let json = r#"{"package":"p","releases":[{"version":"1.0"}],"exports":{},"callables":{
        "p.Field":{"kind":[{"kind":"dataclass"}],"parameters":{"field":[{}]}},
        "p.Plain":{"kind":[{"kind":"class"}],"bases":[{"names":["p.Field"]}],"any_keyword":"-","parameters":{"plain":[{}]}},
        "p.Data":{"kind":[{"kind":"dataclass"}],"bases":[{"names":["p.Plain"]}],"parameters":{"own":[{}]}}}}"#;
    let knowledge = Knowledge::new([Package::load("p", json).expect("it is valid")]);
    let package = knowledge.package("p").expect("it is there");
    let signature = package.signature("p.Data", 0).expect("it exists");
    assert_eq!(signature.parameters.keys().copied().collect::<Vec<_>>(), ["field", "own"]);
    assert!(signature.complete && !signature.any_keyword);
    for (name, is_taken) in [("own", true), ("field", true), ("plain", false), ("other", false)] {
        let takes = knowledge.takes(package, "p.Data", name, &|_| Some(0));
        assert_eq!(takes != Takes::Nothing, is_taken, "{name}");
    }
}

#[test]
fn how_many_fields_a_dataclass_with_a_foreign_base_takes_in_order_is_not_known() {
    let knowledge = Knowledge::bundled();
    let package = knowledge.package("trl").expect("it is known");
    let release = package.releases().iter().position(|release| release.version == "1.9.0").expect("it is known");
    let collator = "trl.trainer.dpo_trainer.DataCollatorForVisionPreference";
    let signature = package.signature(collator, release).expect("it exists");
    assert!(signature.any_positional, "the processor may be passed by its place");
}

#[test]
fn a_configuration_leaves_its_package_for_the_class_it_derives_from() {
    let knowledge = Knowledge::bundled();
    let package = knowledge.package("trl").expect("it is known");
    let newest = |name: &str| knowledge.package(name)?.all().iter().next_back();
    let bases = knowledge.outside_bases(package, "trl.trainer.dpo_config.DPOConfig", &newest);
    let names: Vec<_> = bases.iter().map(|(package, base)| (package.name(), *base)).collect();
    assert_eq!(names, [("transformers", "transformers.training_args.TrainingArguments")]);
}

#[test]
fn defaults_and_literals_differ_by_release() {
    let knowledge = Knowledge::bundled();
    let peft = knowledge.package("peft").expect("it is bundled");
    let at = |version: &str| {
        let release = peft.releases().iter().position(|release| release.version == version).expect("it is known");
        peft.signature("peft.tuners.lora.config.LoraConfig", release).expect("it exists")
    };
    let (old, new) = (at("0.7.1"), at("0.21.2"));
    assert!(!old.parameters.contains_key("use_dora") && new.parameters.contains_key("use_dora"));
    assert_eq!(new.parameters["bias"].literals(), ["none", "all", "lora_only"]);
    assert!(old.default_changes(&new).iter().all(|change| change.parameter != "r"), "it is 8 in both");
    let trl = knowledge.package("trl").expect("it is bundled");
    let config = |version: &str| {
        let release = trl.releases().iter().position(|release| release.version == version).expect("it is known");
        trl.signature("trl.trainer.dpo_config.DPOConfig", release).expect("it exists")
    };
    let (old, new) = (config("0.15.2"), config("0.16.0"));
    let changes = old.default_changes(&new);
    let change = changes.iter().find(|change| change.parameter == "ref_model_sync_steps");
    assert_eq!(change.map(|change| (change.before, change.after)), Some((Some("64"), Some("512"))));
}
