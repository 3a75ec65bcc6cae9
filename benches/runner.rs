//! Steps per second of the runner on a run that `benches/runner.py` wrote, and how far its losses are from those of TRL.
//!
//! `cargo bench --features runner --bench runner -- FILE`, or with `--features cuda` and `FILE cuda` on a GPU.

use std::time::Instant;

use dpo_lint::runner::{Device, LoraSpec, Model, OptimizerSpec, Pair, RunSpec, Schedule, Targets, Trainer};
use serde_json::Value;

/// The most memory that this process held, in MB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let size = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    size.unwrap_or(f64::NAN) / 1024.0
}

/// Seconds that all threads have worked.
fn worked() -> f64 {
    let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = line.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

#[expect(clippy::print_stdout, reason = "a program that prints")]
fn main() {
    let begun = Instant::now();
    let mut words = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let Some(path) = words.next() else { return };
    let device = match words.next() {
        Some(_) => Device::gpu().expect("a GPU"),
        None => Device::default(),
    };
    let run: Value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
    let ids = |value: &Value| serde_json::from_value::<Vec<u32>>(value.clone()).expect("tokens");
    let pair = |pair: &Value| Pair {
        prompt: ids(&pair[0]),
        chosen: ids(&pair[1]),
        rejected: ids(&pair[2]),
        rejected_prompt: None,
    };
    let batches: Vec<Vec<Pair>> = run["batches"]
        .as_array()
        .expect("batches")
        .iter()
        .map(|b| b.as_array().expect("pairs").iter().map(pair).collect())
        .collect();
    let spec = RunSpec {
        lora: Some(LoraSpec {
            rank: run["lora"]["r"].as_u64().expect("a rank") as usize,
            alpha: run["lora"]["lora_alpha"].as_f64().expect("a number"),
            targets: Targets::Names(serde_json::from_value(run["lora"]["target_modules"].clone()).expect("names")),
            ..LoraSpec::default()
        }),
        optimizer: OptimizerSpec {
            learning_rate: run["args"]["learning_rate"].as_f64().expect("a number"),
            schedule: Schedule::Constant,
            ..RunSpec::default().optimizer
        },
        ..RunSpec::default()
    };
    let model = match run["model"].as_str() {
        Some(folder) => Model::load(folder.as_ref()),
        None => Model::random(&run["config"], run["weights"].as_u64().expect("a seed")),
    };
    let mut trainer = Trainer::new(model.expect("a model"), &spec, &device).expect("a run");
    println!("ready after {:.3} s", begun.elapsed().as_secs_f64());
    let mut times = Vec::new();
    let (mut worst, mut after_first) = (0.0_f64, 0.0);
    for (at, batch) in batches.iter().enumerate() {
        let start = Instant::now();
        let found = trainer.step(std::slice::from_ref(batch)).expect("a step");
        times.push(start.elapsed().as_secs_f64());
        if let Some(loss) = run["steps"][at]["loss"].as_f64() {
            worst = worst.max((loss - found.loss).abs());
        }
        if at == 0 {
            after_first = worked();
            println!("first loss {} after {:.3} s", found.loss, begun.elapsed().as_secs_f64());
        }
    }
    // The first step fills the caches.
    let mut later = times[1..].to_vec();
    later.sort_by(f64::total_cmp);
    let middle = later[later.len() / 2];
    #[expect(clippy::cast_precision_loss, reason = "a few steps")]
    let cpu = (worked() - after_first) / later.len() as f64;
    let taken = device.memory().map(|(free, all)| format!("{} MB of the GPU are taken, ", (all - free) >> 20));
    let taken = taken.unwrap_or_default();
    println!(
        "runner {middle:.4} s a step on {} ({cpu:.3} s of both cores), fastest {:.4}, {:.0} MB, {taken}losses {worst:.1e} from TRL's",
        device.name(),
        later[0],
        peak()
    );
}
