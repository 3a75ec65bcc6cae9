//! Packs `schemas/knowledge`, `schemas/frameworks`, `schemas/companions` and `schemas/imports` so that starting the tool costs the same
//! however much is known. Each file is split into its parts (modules, callables), which are written as `MessagePack`: it has the members
//! of JSON by name, and is read several times as fast. Neighbouring parts are compressed together, and a sorted table says where each of
//! them is: by LZ4, which is the fastest to read, and what few runs ask for by deflate, which makes it a third smaller. What was written
//! by hand stays JSON, compressed as a whole: to read all its kinds of facts from `MessagePack` takes half a megabyte of program.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use imported::ImportedModule;
use pack::Compressor;

#[allow(dead_code, reason = "only the stored form is used here")]
#[path = "src/knowledge/imported.rs"]
mod imported;
#[allow(dead_code, reason = "the same")]
#[path = "src/knowledge/intervals.rs"]
mod intervals;
#[allow(dead_code, reason = "the same")]
#[path = "src/knowledge/pack.rs"]
mod pack;
#[allow(dead_code, reason = "the same")]
#[path = "src/knowledge/stored.rs"]
mod stored;

/// A module is cut into pieces of about this length: most questions are about one name of it.
const PIECE: usize = 2 << 10;

/// The one file in the folder that was not mined.
const CURATED: &str = "curated";

/// A mined file. What is not listed here would be lost, so it is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mined {
    package: String,
    #[serde(default)]
    partial: bool,
    releases: Vec<serde_json::Map<String, Value>>,
    exports: BTreeMap<String, Module>,
    callables: BTreeMap<String, Value>,
}

/// A module, or a piece of one.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Module {
    #[serde(rename = "in", default, skip_serializing_if = "String::is_empty")]
    releases: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    dynamic: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    definitions: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    others: BTreeMap<String, String>,
}

/// What importing the modules of a library does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MinedImports {
    package: String,
    checked: Option<Value>,
    minimum: Option<Value>,
    modules: BTreeMap<String, ImportedModule>,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    fold_functions();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut packages: BTreeMap<String, Places> = BTreeMap::new();
    let kinds = [("knowledge", [BY_DEPTH, CALLED]), ("frameworks", [DENSE, DENSE]), ("companions", [DENSE, DENSE])];
    for (kind, compressors) in kinds {
        pack_all(kind, &out, |text, list| {
            let mined: Mined = serde_json::from_str(text)?;
            let places = Places::of(&mined.releases);
            let package = mined.package.clone();
            pack(mined, &places, compressors, &out, list)?;
            packages.insert(package, places);
            Ok(())
        })?;
    }
    for (name, path) in [(CURATED, "knowledge/curated.json"), ("consumers", "consumers.json")] {
        let path = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("schemas").join(path);
        println!("cargo::rerun-if-changed={}", path.display());
        let written: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        fs::write(out.join(format!("{name}.lz4")), compressed(&serde_json::to_vec(&written)?))?;
    }
    pack_all("imports", &out, |text, list| {
        let mined: MinedImports = serde_json::from_str(text)?;
        let places = packages.get(&mined.package).ok_or("the knowledge of this library is missing")?;
        pack_imports(mined, places, &out, list)
    })
}

/// Lets functions that came out the same be one in a release: a hundredth of the program. Only the linker that rustup's own toolchain
/// takes by default is known to understand it, so nothing is asked for where another one may be meant.
fn fold_functions() {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let target = "x86_64-unknown-linux-gnu";
    let is_usual = is("PROFILE", "release") && is("TARGET", target) && is("HOST", target);
    let is_changed = env::var_os("RUSTC_LINKER").is_some() || !is("CARGO_ENCODED_RUSTFLAGS", "");
    let sysroot = || Command::new(env::var_os("RUSTC")?).args(["--print", "sysroot"]).output().ok();
    let has_linker = || {
        let found = String::from_utf8(sysroot()?.stdout).ok()?;
        Some(Path::new(found.trim()).join("lib/rustlib").join(target).join("bin/gcc-ld/ld.lld").exists())
    };
    if is_usual && !is_changed && has_linker() == Some(true) {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}

/// For what nearly every run asks for.
const FAST: Compressor = Compressor { fast: compressed, dense: deflated, is_rare: |_| false };

/// For what only projects of one framework ask for.
const DENSE: Compressor = Compressor { is_rare: |_| true, ..FAST };

/// For exports: few scripts import from a module as deep as `transformers.models.llama`.
const BY_DEPTH: Compressor =
    Compressor { is_rare: |part| part.split(':').next().is_some_and(|module| module.matches('.').count() > 1), ..FAST };

/// For callables: few scripts call what lies as deep as `trl.experimental.bco.bco_trainer`.
const CALLED: Compressor =
    Compressor { is_rare: |part| part.split(':').next().is_some_and(|module| module.matches('.').count() > 3), ..FAST };

/// Releases by version, with their place in the list.
struct Places(BTreeMap<String, usize>);

impl Places {
    fn of(releases: &[serde_json::Map<String, Value>]) -> Self {
        let versions =
            releases.iter().map(|release| release.get("version").and_then(Value::as_str).unwrap_or_default());
        Self(versions.enumerate().map(|(place, version)| (version.to_owned(), place)).collect())
    }

    /// Facts as pairs, their releases named by places.
    fn paired(&self, value: Value) -> Value {
        pack::paired(value, &|releases| self.place(releases))
    }

    /// Writes an interval text in places.
    fn place(&self, intervals: &mut String) {
        *intervals = intervals::placed(intervals, |version| self.0.get(version).copied());
    }
}

/// Packs every mined file of a folder under `schemas`, and writes the list of them.
fn pack_all(
    kind: &str,
    out: &Path,
    mut pack: impl FnMut(&str, &mut String) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("schemas").join(kind);
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    let mut files: Vec<PathBuf> = entries.into_iter().filter(|path| is_mined(path)).collect();
    files.sort();
    let mut list = String::from("&[\n");
    for path in files {
        pack(&fs::read_to_string(&path)?, &mut list).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    list.push_str("]\n");
    fs::write(out.join(format!("{kind}.rs")), list)?;
    Ok(())
}

fn is_mined(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
        && path.file_stem().is_some_and(|stem| stem != CURATED)
}

/// Writes the packed form of one file and adds the expression that includes it to `list`. Exports and callables have a compressor
/// each.
fn pack(
    mined: Mined,
    places: &Places,
    [for_exports, for_callables]: [Compressor; 2],
    out: &Path,
    list: &mut String,
) -> Result<(), Box<dyn Error>> {
    let package = &mined.package;
    writeln!(list, "Stored {{ name: {package:?}, partial: {},", mined.partial)?;
    // `versions` asks for them, and who is told of a release that fails.
    let requirements = deflated(&message(&mined.releases)?);
    let whole: [(&str, Vec<u8>); 4] = [
        ("releases", message(&brief(&mined.releases))?),
        ("requirements", requirements),
        ("needs", message(&needs(&mined.releases, false))?),
        ("extra_needs", message(&needs(&mined.releases, true))?),
    ];
    for (member, data) in whole {
        let file = format!("{package}.{member}");
        fs::write(out.join(&file), data)?;
        writeln!(list, "{member}: include_bytes!({file:?}),")?;
    }
    let mut exports = BTreeMap::new();
    for (name, module) in mined.exports {
        cut(&name, module, places, &mut exports)?;
    }
    let callables = mined.callables.into_iter().map(|(name, callable)| Ok((name, message(&places.paired(callable))?)));
    let callables = callables.collect::<Result<_, Box<dyn Error>>>()?;
    for (kind, parts, compressor) in [("exports", &exports, for_exports), ("callables", &callables, for_callables)] {
        writeln!(list, "{kind}: {},", table(&format!("{package}.{kind}"), parts, compressor, out)?)?;
    }
    list.push_str("},\n");
    Ok(())
}

/// Cuts a module into pieces of neighbouring names. The first one has the name of the module, each other one that and its own
/// first name: `trl:DPOTrainer`.
fn cut(
    name: &str,
    mut module: Module,
    places: &Places,
    pieces: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(), Box<dyn Error>> {
    places.place(&mut module.releases);
    places.place(&mut module.dynamic);
    for releases in module.others.values_mut() {
        places.place(releases);
    }
    let piece = || Module { releases: module.releases.clone(), dynamic: module.dynamic.clone(), ..Module::default() };
    let names: BTreeSet<String> = module.definitions.keys().chain(module.others.keys()).cloned().collect();
    let (mut key, mut current, mut length) = (name.to_owned(), piece(), 0);
    for one in names {
        if length > PIECE {
            pieces.insert(key, message(&current)?);
            (key, current, length) = (format!("{name}:{one}"), piece(), 0);
        }
        if let Some(facts) = module.definitions.remove(&one) {
            let facts = places.paired(facts);
            length += one.len() + message(&facts)?.len();
            current.definitions.insert(one.clone(), facts);
        }
        if let Some(releases) = module.others.remove(&one) {
            length += one.len() + releases.len();
            current.others.insert(one, releases);
        }
    }
    pieces.insert(key, message(&current)?);
    Ok(())
}

/// As small as LZ4 can: it is done once, and read as fast.
fn compressed(bytes: &[u8]) -> Vec<u8> {
    // Of nothing it would read a byte.
    if bytes.is_empty() {
        return vec![0; 5];
    }
    let mode = lz4::block::CompressionMode::HIGHCOMPRESSION(12);
    lz4::block::compress(bytes, Some(mode), true).expect("memory for a block")
}

/// Smaller still, and slower to read.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("less than 2 GiB") | pack::DEFLATED;
    let mut block = DeflateEncoder::new(length.to_le_bytes().to_vec(), Compression::best());
    block.write_all(bytes).expect("memory for a block");
    block.finish().expect("memory for a block")
}

fn message(value: &impl Serialize) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(pack::written(value)?)
}

/// The same for the imports of a library.
fn pack_imports(mined: MinedImports, places: &Places, out: &Path, list: &mut String) -> Result<(), Box<dyn Error>> {
    let package = &mined.package;
    let checks = format!("{package}.checks");
    let members = [("checked", mined.checked), ("minimum", mined.minimum)];
    let members: BTreeMap<&str, Value> =
        members.into_iter().filter_map(|(name, value)| Some((name, places.paired(value?)))).collect();
    fs::write(out.join(&checks), message(&members)?)?;
    let modules = mined.modules.into_iter().map(|(name, mut module)| {
        module.for_each_interval(|releases| places.place(releases));
        Ok((name, message(&module.to_text())?))
    });
    let modules = table(&format!("{package}.imports"), &modules.collect::<Result<_, Box<dyn Error>>>()?, FAST, out)?;
    writeln!(list, "StoredImports {{ name: {package:?}, checks: include_bytes!({checks:?}), modules: {modules} }},")?;
    Ok(())
}

/// The releases without what they require, which is most of the text and seldom asked for.
fn brief(releases: &[serde_json::Map<String, Value>]) -> Vec<serde_json::Map<String, Value>> {
    let mut releases = releases.to_vec();
    for release in &mut releases {
        release.remove("requires");
    }
    releases
}

/// What releases require, whatever extras are asked for or only with one: each requirement once, with the first and last release
/// of every run of releases that have it.
fn needs(releases: &[serde_json::Map<String, Value>], of_extras: bool) -> BTreeMap<&str, Vec<(usize, usize)>> {
    let mut needs: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
    for (at, release) in releases.iter().enumerate() {
        let requires = release.get("requires").and_then(Value::as_array).into_iter().flatten();
        for requirement in requires.filter_map(Value::as_str).filter(|text| text.contains("extra ==") == of_extras) {
            let runs = needs.entry(requirement).or_default();
            match runs.last_mut() {
                Some((_, last)) if *last + 1 >= at => *last = at,
                _ => runs.push((at, at)),
            }
        }
    }
    needs
}

/// Writes the names and the compressed data of parts; returns the expression of the table over them. `parts` has the start of
/// each name and of each part, `chunks` the first part of each chunk and the start of its data, both with the end at the end.
fn table(
    name: &str,
    parts: &BTreeMap<String, Vec<u8>>,
    compressor: Compressor,
    out: &Path,
) -> Result<String, Box<dyn Error>> {
    let pack::Packing { names, parts, chunks, data } = pack::packed(parts, compressor).ok_or("too long")?;
    let (names_file, data_file) = (format!("{name}.names"), format!("{name}.lz4"));
    fs::write(out.join(&names_file), compressed(names.as_bytes()))?;
    fs::write(out.join(&data_file), data)?;
    Ok(format!(
        "Table {{ names: include_bytes!({names_file:?}), parts: &{parts:?}, chunks: &{chunks:?}, \
         data: include_bytes!({data_file:?}) }}"
    ))
}
