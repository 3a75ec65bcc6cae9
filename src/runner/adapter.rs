//! LoRA and DoRA adapters: where they sit, their first values, and their files, all as PEFT has them.

use std::path::Path;

use fancy_regex::Regex;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use super::error::RunError;
use super::kernels::linear::{Adapter, row_lengths};
use super::kernels::{Mat, Real};
use super::model::files::{TensorFile, in_rows};
use super::model::weights::{AdapterIds, Kind, Slot, SlotId, Weights};
use super::model::{Family, Model};
use super::open;
use super::rng::Generator;
use super::spec::{BiasTraining, LoraSpec, Targets};

/// What PEFT puts before the name of a module.
const PREFIX: &str = "base_model.model.";

/// The output layer.
pub(super) const HEAD: &str = "lm_head";

/// Which modules get an adapter.
pub(super) enum Matcher {
    Linear,
    Names(Vec<String>),
    Regex(Box<Regex>),
}

impl Matcher {
    pub(super) fn new(targets: &Targets, family: Family) -> Result<Matcher, RunError> {
        Ok(match targets {
            Targets::AllLinear => Matcher::Linear,
            Targets::Names(names) => Matcher::Names(names.clone()),
            Targets::Default => Matcher::Names(match family {
                Family::Gpt2 => vec!["c_attn".to_owned()],
                Family::Phi3 => return Err(RunError::unsupported("target_modules", "PEFT has no default for phi3")),
                _ => vec!["q_proj".to_owned(), "v_proj".to_owned()],
            }),
            Targets::Regex(pattern) => {
                let whole = Regex::new(&format!("^(?:{pattern})$"));
                let whole = whole.map_err(|error| RunError::unsupported("target_modules", error.to_string()))?;
                Matcher::Regex(Box::new(whole))
            }
        })
    }

    /// Whether it means a module that is no linear layer between others.
    pub(super) fn names(&self, path: &str) -> bool {
        !matches!(self, Matcher::Linear) && self.takes(path)
    }

    pub(super) fn takes(&self, path: &str) -> bool {
        match self {
            Matcher::Linear => true,
            Matcher::Names(names) => names.iter().any(|name| ends_with(path, name)),
            Matcher::Regex(pattern) => pattern.is_match(path).unwrap_or(false),
        }
    }
}

/// What modules with some ends of paths have of their own.
pub(super) struct Pattern<T> {
    end: Regex,
    value: T,
}

impl<T: Copy> Pattern<T> {
    pub(super) fn all(setting: &str, of: &[(String, T)]) -> Result<Vec<Pattern<T>>, RunError> {
        let one = |(end, value): &(String, T)| {
            let end = Regex::new(&format!(r"^(.*\.)?({end})$"));
            let end = end.map_err(|error| RunError::unsupported(setting, error.to_string()))?;
            Ok(Pattern { end, value: *value })
        };
        of.iter().map(one).collect()
    }

    /// Of several that fit the first one counts.
    pub(super) fn find(all: &[Pattern<T>], path: &str) -> Option<T> {
        all.iter().find(|one| one.end.is_match(path).unwrap_or(false)).map(|one| one.value)
    }
}

/// Whether a path is `name` or ends with it as a whole part.
pub(super) fn ends_with(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// Makes fresh adapters, in the order of the modules.
struct Fresh<'s> {
    spec: &'s LoraSpec,
    ranks: Vec<Pattern<usize>>,
    alphas: Vec<Pattern<f64>>,
    generator: Generator,
}

impl Fresh<'_> {
    /// The rank of a module, and what its adapter is multiplied with.
    fn rank(&self, path: &str) -> (usize, f64) {
        let rank = Pattern::find(&self.ranks, path).unwrap_or(self.spec.rank);
        let root = if self.spec.rslora { (rank as f64).sqrt() } else { rank as f64 };
        (rank, Pattern::find(&self.alphas, path).unwrap_or(self.spec.alpha) / root)
    }

    /// For a layer with a row for each output.
    fn linear<T: Real>(&mut self, weights: &mut Weights<T>, path: &str, weight: SlotId) -> AdapterIds {
        let (rank, scale) = self.rank(path);
        let base = weights.get(weight, true);
        let (outputs, inputs) = (base.rows(), base.cols());
        // PyTorch fills both layers when they are made; PEFT then fills A again, and B with 0.
        self.generator.skip(rank * inputs + outputs * rank);
        let a = self.generator.kaiming_uniform(rank * inputs, inputs).into_iter().map(T::of_f32).collect();
        let (a, b) = (Mat::new(rank, inputs, a).beside(base), Mat::zeros(outputs, rank).beside(base));
        let magnitude = self.spec.dora.then(|| {
            let adapter = Adapter { a: &a, b: &b, magnitude: None, scale: T::of(scale), dropout: None };
            row_lengths(base, &adapter)
        });
        AdapterIds {
            a: weights.push(format!("{path}.lora_A.weight"), Kind::Adapter, a),
            b: weights.push(format!("{path}.lora_B.weight"), Kind::Adapter, b),
            magnitude: magnitude
                .map(|magnitude| weights.push(format!("{path}.lora_magnitude_vector"), Kind::Adapter, magnitude)),
            scale,
            dropout: self.spec.dropout,
        }
    }

    /// For a table with a row for each token, through which nothing is dropped.
    fn embedding<T: Real>(&mut self, weights: &mut Weights<T>, path: &str, table: SlotId) -> AdapterIds {
        let (rank, scale) = self.rank(path);
        let base = weights.get(table, true);
        let (tokens, width) = (base.rows(), base.cols());
        // Both are filled when they are made; then A with 0, and B again.
        self.generator.normal(rank * tokens);
        self.generator.normal(width * rank);
        let b = self.generator.normal(width * rank).into_iter().map(T::of_f32).collect();
        let (a, b) = (Mat::zeros(rank, tokens).beside(base), Mat::new(width, rank, b).beside(base));
        AdapterIds {
            a: weights.push(format!("{path}.lora_embedding_A"), Kind::Adapter, a),
            b: weights.push(format!("{path}.lora_embedding_B"), Kind::Adapter, b),
            magnitude: None,
            scale,
            dropout: 0.0,
        }
    }
}

/// Refuses what is not implemented, or makes no sense.
fn check(spec: &LoraSpec) -> Result<(), RunError> {
    if spec.rank == 0 {
        return Err(RunError::unsupported("r", "PEFT needs a positive value"));
    }
    if !(0.0..1.0).contains(&spec.dropout) {
        return Err(RunError::unsupported("lora_dropout", "it is a share below 1"));
    }
    Ok(())
}

/// Puts a fresh adapter on a model and marks what is trained. The first values are those that PEFT draws after `seed` was set.
pub fn attach<T: Real>(model: &mut Model<T>, spec: &LoraSpec, seed: u64) -> Result<(), RunError> {
    check(spec)?;
    let matcher = Matcher::new(&spec.targets, model.config.family)?;
    let [embedding, head] = model.tables();
    let mut weights = model.weights.clone();
    let table = module(&weights.slots()[embedding]).to_owned();
    let tables = [&table[..], HEAD, "transformer.wpe"].map(|path| matcher.names(path));
    if tables[2] {
        return Err(RunError::unsupported("target_modules", "an adapter on transformer.wpe is not implemented"));
    }
    if spec.dora && (tables[0] || tables[1]) {
        return Err(RunError::unsupported("use_dora", "on an embedding or the output layer it is not implemented"));
    }
    let mut fresh = Fresh {
        spec,
        ranks: Pattern::all("rank_pattern", &spec.rank_pattern)?,
        alphas: Pattern::all("alpha_pattern", &spec.alpha_pattern)?,
        generator: Generator::new(seed),
    };
    if tables[0] {
        model.embedding_adapter = Some(fresh.embedding(&mut weights, &table, embedding));
    }
    let mut found = tables[0] || tables[1];
    for ids in model.linears_mut() {
        if !matcher.takes(&ids.path) {
            continue;
        }
        found = true;
        ids.adapter = Some(fresh.linear(&mut weights, &ids.path, ids.weight));
        if let (BiasTraining::LoraOnly, Some(bias)) = (spec.bias, ids.bias) {
            weights.slots_mut()[bias].trainable = true;
        }
    }
    if tables[1] {
        model.head_adapter = Some(fresh.linear(&mut weights, HEAD, head));
    }
    if !found {
        return Err(RunError::unsupported("target_modules", "no module of the model has such a name"));
    }
    model.weights = weights;
    mark(model, spec)
}

/// The module that a tensor belongs to.
fn module<T>(slot: &Slot<T>) -> &str {
    slot.name.rsplit_once('.').map_or("", |(module, _)| module)
}

/// Marks what is trained besides biases of layers with an adapter.
fn mark<T: Real>(model: &mut Model<T>, spec: &LoraSpec) -> Result<(), RunError> {
    let saved = |path: &str| spec.modules_to_save.iter().any(|name| ends_with(path, name));
    if saved("lm_head") || saved("model.embed_tokens") || saved("transformer.wte") {
        model.untie();
    }
    let mut missing: Vec<&String> = spec.modules_to_save.iter().collect();
    for slot in model.weights.slots_mut() {
        let module = module(slot).to_owned();
        if slot.kind == Kind::Adapter {
            slot.trainable = true;
        } else if saved(&module) {
            missing.retain(|name| !ends_with(&module, name));
            slot.original = Some(slot.value.clone());
            slot.trainable = true;
        } else if spec.bias == BiasTraining::All && slot.kind == Kind::Bias {
            slot.trainable = true;
        }
    }
    match missing.first() {
        None => Ok(()),
        Some(name) => Err(RunError::unsupported("modules_to_save", format!("no module with numbers is named {name}"))),
    }
}

/// A tensor as files hold it: its sizes and numbers.
fn file_form<T: Real>(slot: &Slot<T>) -> (Vec<usize>, Vec<u8>) {
    let value = &slot.value;
    let vector = matches!(slot.kind, Kind::Norm | Kind::Bias) || slot.name.ends_with("lora_magnitude_vector");
    let bytes = |numbers: &[T]| numbers.iter().flat_map(|number| (number.wide() as f32).to_le_bytes()).collect();
    match slot.kind {
        _ if vector => (vec![value.cols()], bytes(&value.host())),
        Kind::Turned => (vec![value.cols(), value.rows()], bytes(&value.turned().host())),
        _ => (vec![value.rows(), value.cols()], bytes(&value.host())),
    }
}

/// A file that is to become another one. Like any new file it may be read by whom the user lets read, and not by its owner alone.
pub fn part(folder: &Path, suffix: &str) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".dpo-lint-").suffix(suffix);
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(mode);
    builder.tempfile_in(folder)
}

/// Writes a file as a whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    let failed = |source| RunError::Write { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = part(folder, "").map_err(failed)?;
    // Of the file itself: its own error names the part.
    std::io::Write::write_all(file.as_file_mut(), bytes).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn write_tensors<'a, T: Real>(path: &Path, slots: impl Iterator<Item = (String, &'a Slot<T>)>) -> Result<(), RunError> {
    let forms: Vec<_> = slots.map(|(name, slot)| (name, file_form(slot))).collect();
    let views = forms.iter().map(|(name, (shape, bytes))| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).expect("sizes and bytes agree"))
    });
    let metadata = Some([("format".to_owned(), "pt".to_owned())].into());
    let bytes = safetensors::serialize(views, metadata)
        .map_err(|error| RunError::content(path, "tensors", error.to_string()))?;
    write(path, &bytes)
}

/// The paths of all modules with an adapter.
fn adapted<T: Real>(model: &Model<T>) -> Vec<String> {
    let mut copy = model.clone();
    let with = copy.linears_mut().into_iter().filter(|ids| ids.adapter.is_some());
    let mut paths: Vec<String> = with.map(|ids| ids.path.clone()).collect();
    let table = model.embedding_adapter.map(|_| module(&model.weights.slots()[model.tables()[0]]).to_owned());
    paths.extend(table);
    paths.extend(model.head_adapter.map(|_| HEAD.to_owned()));
    paths
}

/// The name of a tensor in the files of PEFT, which wraps modules that have an adapter.
fn peft_name<T>(adapted: &[String], slot: &Slot<T>) -> String {
    match slot.name.strip_suffix(".bias") {
        Some(path) if adapted.iter().any(|other| other == path) => format!("{PREFIX}{path}.base_layer.bias"),
        _ => format!("{PREFIX}{}", slot.name),
    }
}

/// Writes the adapter: `adapter_model.safetensors` and `adapter_config.json`. `base` is what the configuration names as the
/// model that it belongs to.
pub fn save<T: Real>(model: &Model<T>, spec: &LoraSpec, base: &str, folder: &Path) -> Result<(), RunError> {
    std::fs::create_dir_all(folder).map_err(|source| RunError::Write { path: folder.to_owned(), source })?;
    let trained = model.weights.slots().iter().filter(|slot| slot.trainable);
    let adapted = adapted(model);
    let named = trained.map(|slot| (peft_name(&adapted, slot), slot));
    write_tensors(&folder.join("adapter_model.safetensors"), named)?;
    let targets = match &spec.targets {
        Targets::Names(names) => json!(names),
        Targets::Regex(pattern) => json!(pattern),
        Targets::AllLinear | Targets::Default => json!(adapted),
    };
    let bias = match spec.bias {
        BiasTraining::None => "none",
        BiasTraining::All => "all",
        BiasTraining::LoraOnly => "lora_only",
    };
    let saved = (!spec.modules_to_save.is_empty()).then_some(&spec.modules_to_save);
    let pattern = |entries: Vec<(String, Value)>| Value::Object(entries.into_iter().collect());
    let config = json!({
        "alpha_pattern": pattern(spec.alpha_pattern.iter().map(|(end, alpha)| (end.clone(), json!(alpha))).collect()),
        "base_model_name_or_path": base,
        "bias": bias,
        "fan_in_fan_out": model.config.family == Family::Gpt2,
        "inference_mode": true,
        "init_lora_weights": true,
        "lora_alpha": spec.alpha,
        "lora_dropout": spec.dropout,
        "modules_to_save": saved,
        "peft_type": "LORA",
        "r": spec.rank,
        "rank_pattern": pattern(spec.rank_pattern.iter().map(|(end, rank)| (end.clone(), json!(rank))).collect()),
        "target_modules": targets,
        "task_type": "CAUSAL_LM",
        "use_dora": spec.dora,
        "use_rslora": spec.rslora,
    });
    let text = serde_json::to_string_pretty(&config).expect("a value without keys that are no text");
    write(&folder.join("adapter_config.json"), text.as_bytes())
}

/// Writes a whole model: `model.safetensors` and `config.json`.
pub fn save_model<T: Real>(model: &Model<T>, folder: &Path) -> Result<(), RunError> {
    std::fs::create_dir_all(folder).map_err(|source| RunError::Write { path: folder.to_owned(), source })?;
    let all = model.weights.slots().iter().filter(|slot| slot.kind != Kind::Adapter);
    write_tensors(&folder.join("model.safetensors"), all.map(|slot| (slot.name.clone(), slot)))?;
    let text = serde_json::to_string_pretty(&model.config.raw).expect("a value that was read as JSON");
    write(&folder.join("config.json"), text.as_bytes())
}

/// Reads the configuration of an adapter that PEFT saved.
pub fn load_spec(folder: &Path) -> Result<LoraSpec, RunError> {
    let path = folder.join("adapter_config.json");
    let text = open::text(&path).map_err(|source| RunError::Read { path: path.clone(), source })?;
    let raw: Value = serde_json::from_str(&text)
        .map_err(|error| RunError::content(&path, format!("line {}", error.line()), error.to_string()))?;
    let wrong = |key: &str, reason: &str| RunError::content(&path, format!("`{key}`"), reason);
    let number = |key: &str| raw[key].as_f64().ok_or_else(|| wrong(key, "is missing or no number"));
    let flag = |key: &str| raw[key].as_bool().unwrap_or(false);
    let names = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    if raw["peft_type"].as_str() != Some("LORA") {
        return Err(wrong("peft_type", "is not LORA"));
    }
    let pattern = |key: &str| -> Result<Vec<(String, f64)>, RunError> {
        let entries = raw[key].as_object().into_iter().flatten();
        let entry = |(end, value): (&String, &Value)| Some((end.clone(), value.as_f64()?));
        entries.map(|one| entry(one).ok_or_else(|| wrong(key, "holds something that is no number"))).collect()
    };
    let targets = match &raw["target_modules"] {
        Value::String(pattern) if pattern == "all-linear" => Targets::AllLinear,
        Value::String(pattern) => Targets::Regex(pattern.clone()),
        Value::Array(_) => Targets::Names(names(&raw["target_modules"])),
        _ => Targets::Default,
    };
    let bias = match raw["bias"].as_str() {
        None | Some("none") => BiasTraining::None,
        Some("all") => BiasTraining::All,
        Some("lora_only") => BiasTraining::LoraOnly,
        Some(_) => return Err(wrong("bias", "is neither none, all nor lora_only")),
    };
    #[expect(clippy::cast_sign_loss, reason = "a rank is positive")]
    let rank_pattern = pattern("rank_pattern")?.into_iter().map(|(end, rank)| (end, rank as usize)).collect();
    Ok(LoraSpec {
        rank: raw["r"].as_u64().ok_or_else(|| wrong("r", "is missing or no whole number"))? as usize,
        alpha: number("lora_alpha")?,
        dropout: 0.0,
        targets,
        rslora: flag("use_rslora"),
        dora: flag("use_dora"),
        modules_to_save: names(&raw["modules_to_save"]),
        bias,
        rank_pattern,
        alpha_pattern: pattern("alpha_pattern")?,
    })
}

/// Puts an adapter that was saved by PEFT, or by [`save`], on a model.
pub fn load<T: Real>(model: &mut Model<T>, folder: &Path) -> Result<LoraSpec, RunError> {
    let spec = load_spec(folder)?;
    attach(model, &spec, 0)?;
    let path = folder.join("adapter_model.safetensors");
    let mut file = TensorFile::open(&path)?;
    let mut left = file.names();
    let adapted = adapted(model);
    for slot in model.weights.slots_mut().iter_mut().filter(|slot| slot.trainable) {
        let name = peft_name(&adapted, slot);
        let (shape, _) = file_form(slot);
        if file.shape(&name).is_some_and(|found| found != shape) {
            return Err(RunError::content(&path, format!("tensor `{name}`"), format!("is not of the sizes {shape:?}")));
        }
        let numbers: Vec<T> = file.read(&name)?.into_iter().map(T::of_f32).collect();
        let (rows, cols) = (slot.value.rows(), slot.value.cols());
        let value = in_rows(slot.kind, rows, cols, numbers);
        slot.value = std::sync::Arc::new(value);
        left.retain(|other| *other != name);
    }
    // PEFT keeps the tables beside an adapter on one of them.
    for at in model.tables() {
        let slot = &mut model.weights.slots_mut()[at];
        let names = ["weight", "base_layer.weight"].map(|end| format!("{PREFIX}{}.{end}", module(slot)));
        let Some(name) = names.iter().find(|name| left.contains(name)) else { continue };
        let (rows, cols) = (slot.value.rows(), slot.value.cols());
        if file.shape(name) != Some(&[rows, cols]) {
            return Err(RunError::content(&path, format!("tensor `{name}`"), "is not of the sizes of the model"));
        }
        slot.value = std::sync::Arc::new(Mat::new(rows, cols, file.read(name)?.into_iter().map(T::of_f32).collect()));
        left.retain(|other| !names.contains(other));
    }
    if model.config.tied {
        let names = ["weight", "base_layer.weight"].map(|end| format!("{PREFIX}{HEAD}.{end}"));
        left.retain(|name| !names.contains(name));
    }
    match left.first() {
        None => Ok(spec),
        Some(name) => {
            Err(RunError::content(&path, format!("tensor `{name}`"), "belongs to no trained module of the model"))
        }
    }
}
