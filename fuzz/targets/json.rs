#![no_main]

use dpo_lint::syntax::Format;
use libfuzzer_sys::fuzz_target;
use properties::properties;

fuzz_target!(|text: &str| properties::reads(Format::Json, text));
