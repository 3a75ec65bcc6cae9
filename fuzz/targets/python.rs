#![no_main]

use libfuzzer_sys::fuzz_target;
use properties::properties;

fuzz_target!(|text: &str| properties::python(text));
