//! The GPU against TRL, and against the CPU with 64 bits: `cargo test --features cuda --lib gpu_tests -- --ignored --test-threads 1`.

use super::golden_tests;
use super::kernels::attention::{Attention, Group, Groups, Inputs};
use super::kernels::dropout::Dropout;
use super::kernels::gpu::{Gpu, guarded};
use super::kernels::{Mat, Real};
use super::model::gradient_tests::{FAMILIES, adapters, pairs, run};
use super::{Device, LoraSpec, RunError, Targets};

fn gpu() -> Device {
    Device::gpu().expect("a GPU")
}

/// Every golden file of a run.
fn goldens() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = std::fs::read_dir(folder).expect("golden files").map(|entry| entry.expect("a file").path());
    let is_run = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path).is_ok_and(|text| text.contains("\"batches\"") && text.contains("\"total_steps\""))
    };
    let json = files.filter(|path| path.extension().is_some_and(|end| end == "json")).filter(is_run);
    let mut names: Vec<String> = json.map(|path| path.file_stem().expect("a name").to_string_lossy().into()).collect();
    names.sort();
    names
}

#[test]
#[ignore = "needs a GPU"]
fn runs_of_trl() {
    let (gpu, names) = (gpu(), goldens());
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        golden_tests::compare_on(&name, &gpu);
    }
}

/// Compares all gradients of a run. The same numbers are dropped in both places.
fn compare(device: &Device, name: &str, lora: Option<LoraSpec>, drops: Option<u64>) {
    let exact =
        run::<f64>(name, lora.clone(), drops, &Device::default()).gradients(&pairs(), drops).expect("gradients");
    let there = run::<f32>(name, lora, drops, device);
    let found = device.run(|| there.gradients(&pairs(), drops)).expect("gradients");
    assert_eq!(exact.len(), found.len());
    for ((id, exact), (_, found)) in exact.into_iter().zip(found) {
        let slot = &there.model().weights().slots()[id].name;
        let (exact, found) = (exact.expect("a gradient"), found.expect("a gradient"));
        let largest = exact.data().iter().fold(0.0_f64, |most, number| most.max(number.abs()));
        for (exact, found) in exact.data().iter().zip(found.host().iter()) {
            let apart = (exact - f64::from(*found)).abs();
            assert!(apart <= 2e-5 * largest + 1e-7, "{name}: {slot}: {found} instead of {exact}");
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn gradients_of_every_family() {
    let gpu = gpu();
    let dropping = LoraSpec { rank: 2, dropout: 0.2, targets: Targets::AllLinear, ..LoraSpec::default() };
    for family in FAMILIES {
        compare(&gpu, family, None, None);
        compare(&gpu, family, None, Some(7));
        compare(&gpu, family, Some(dropping.clone()), Some(8));
    }
    compare(&gpu, "qwen3", Some(LoraSpec { dora: true, ..dropping }), Some(9));
    for (family, lora) in adapters() {
        compare(&gpu, family, Some(lora), None);
    }
}

/// Numbers of about one, the same each time.
fn drawn<T: Real>(rows: usize, cols: usize, seed: u64) -> Mat<T> {
    let number = |at: u64| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) >> 40) as f32 / 8_388_608.0 - 1.0;
    Mat::new(rows, cols, (0..(rows * cols) as u64).map(|at| T::of_f32(number(seed * 100_000 + at + 1))).collect())
}

fn attended<T: Real>(form: &Attention, groups: &[Group], place: impl Fn(Mat<T>) -> Mat<T>) -> Vec<Mat<T>> {
    let rows = groups.iter().map(Group::len).sum();
    let (wide, narrow) = (form.heads * form.width, form.kv_heads * form.width);
    let q = place(drawn(rows, wide, 1));
    let (k, v) = (place(drawn(rows, narrow, 2)), place(drawn(rows, narrow, 3)));
    let groups = Groups::new(groups, &q);
    let inputs = Inputs { q: &q, k: &k, v: &v };
    let (out, sums) = form.forward(&groups, inputs);
    let gradients = form.backward(&groups, inputs, &out, &sums, &place(drawn(rows, wide, 4)));
    [out, sums].into_iter().chain(gradients).collect()
}

/// More rows than a block takes at once, on either side.
#[test]
#[ignore = "needs a GPU"]
fn attention_over_many_rows() {
    let gpu = Gpu::open().expect("a GPU");
    let groups = [
        Group { start: 0, prefix: 150, answers: vec![201, 9] },
        Group { start: 360, prefix: 0, answers: vec![130, 0, 3] },
    ];
    let plain = Attention { heads: 6, kv_heads: 2, width: 64, scale: 0.3, cap: None, window: None, dropout: None };
    let dropout = Some(Dropout { share: 0.3, key: 5 });
    let windowed = Attention { window: Some(140), kv_heads: 6, width: 20, ..plain };
    let dropping = Attention { dropout, cap: Some(0.8), width: 256, heads: 2, ..plain };
    for form in [plain, windowed, dropping, Attention { dropout, width: 7, ..windowed }] {
        let exact = attended::<f64>(&form, &groups, |matrix| matrix);
        let found = attended::<f32>(&form, &groups, |matrix| matrix.to_gpu(&gpu));
        for (which, (exact, found)) in exact.iter().zip(&found).enumerate() {
            for (at, (exact, found)) in exact.data().iter().zip(found.host().iter()).enumerate() {
                let apart = (exact - f64::from(*found)).abs();
                assert!(apart < 2e-4 * (1.0 + exact.abs()), "{form:?}, {which}, {at}: {found} instead of {exact}");
            }
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn too_little_memory_is_an_error() {
    let gpu = Gpu::open().expect("a GPU");
    let error = guarded(|| gpu.zeros(1 << 44)).expect_err("there is no such GPU");
    assert!(matches!(&error, RunError::Gpu(what) if what.contains("memory")), "{error}");
    assert_eq!(guarded(|| gpu.zeros(3).to_host()).expect("it goes on"), [0.0; 3]);
}
