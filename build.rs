//! Packs `schemas/knowledge` and `schemas/imports` so that starting the tool costs the same however much is known. Each file is split into its parts
//! (modules, callables); neighbouring parts are compressed together, and a sorted table says where each of them is.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Parts are compressed together up to this length: more would save space and take longer to unpack.
const CHUNK: usize = 8 << 10;

/// A module is cut into pieces of about this length: most questions are about one name of it.
const PIECE: usize = 2 << 10;

/// The one file in the folder that was not mined.
const CURATED: &str = "curated";

/// A mined file. What is not listed here would be lost, so it is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mined<'a> {
    package: String,
    #[serde(default)]
    partial: bool,
    #[serde(borrow)]
    releases: &'a RawValue,
    #[serde(borrow)]
    exports: BTreeMap<String, Module<'a>>,
    #[serde(borrow)]
    callables: BTreeMap<String, &'a RawValue>,
}

/// A module, or a piece of one.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Module<'a> {
    #[serde(rename = "in", default, skip_serializing_if = "str::is_empty")]
    releases: &'a str,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    dynamic: &'a str,
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    definitions: BTreeMap<&'a str, Box<RawValue>>,
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    others: BTreeMap<&'a str, Box<RawValue>>,
}

/// What importing the modules of a library does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MinedImports<'a> {
    package: String,
    #[serde(borrow)]
    checked: Option<&'a RawValue>,
    #[serde(borrow)]
    minimum: Option<&'a RawValue>,
    #[serde(borrow)]
    modules: BTreeMap<String, &'a RawValue>,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    pack_all("knowledge", &out, |text, list| pack(&serde_json::from_str(text)?, &out, list))?;
    pack_all("imports", &out, |text, list| pack_imports(&serde_json::from_str(text)?, &out, list))
}

/// Packs every mined file of a folder under `schemas`, and writes the list of them.
fn pack_all(
    kind: &str,
    out: &Path,
    pack: impl Fn(&str, &mut String) -> Result<(), Box<dyn Error>>,
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

/// Writes the packed form of one file and adds the expression that includes it to `list`.
fn pack(mined: &Mined<'_>, out: &Path, list: &mut String) -> Result<(), Box<dyn Error>> {
    let package = &mined.package;
    fs::write(out.join(format!("{package}.releases")), brief(mined.releases)?)?;
    fs::write(out.join(format!("{package}.releases.z")), deflate(mined.releases.get().as_bytes())?)?;
    writeln!(list, "Stored {{ name: {package:?}, partial: {},", mined.partial)?;
    writeln!(list, "releases: include_str!({:?}),", format!("{package}.releases"))?;
    writeln!(list, "requirements: include_bytes!({:?}),", format!("{package}.releases.z"))?;
    fs::write(out.join(format!("{package}.needs")), needs(mined.releases)?)?;
    writeln!(list, "needs: include_str!({:?}),", format!("{package}.needs"))?;
    let mut pieces = BTreeMap::new();
    for (name, module) in &mined.exports {
        cut(name, module, &mut pieces)?;
    }
    let exports: BTreeMap<&str, &str> = pieces.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let callables = mined.callables.iter().map(|(name, text)| Ok((name.as_str(), paired(text)?)));
    let callables: BTreeMap<&str, String> = callables.collect::<Result<_, serde_json::Error>>()?;
    let callables = callables.iter().map(|(name, text)| (*name, text.as_str())).collect();
    for (kind, parts) in [("exports", &exports), ("callables", &callables)] {
        writeln!(list, "{kind}: {},", table(&format!("{package}.{kind}"), parts, out)?)?;
    }
    list.push_str("},\n");
    Ok(())
}

/// Cuts a module into pieces of neighbouring names. The first one has the name of the module, each other one that and its own
/// first name: `trl:DPOTrainer`.
fn cut<'a>(name: &str, module: &Module<'a>, pieces: &mut BTreeMap<String, String>) -> Result<(), serde_json::Error> {
    let piece = || Module { releases: module.releases, dynamic: module.dynamic, ..Module::default() };
    let mut names: Vec<&'a str> = module.definitions.keys().chain(module.others.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    let (mut key, mut current, mut length) = (name.to_owned(), piece(), 0);
    for one in names {
        if length > PIECE {
            pieces.insert(key, serde_json::to_string(&current)?);
            (key, current, length) = (format!("{name}:{one}"), piece(), 0);
        }
        let facts = [(&module.definitions, &mut current.definitions), (&module.others, &mut current.others)];
        for (all, taken) in facts {
            if let Some(text) = all.get(one) {
                length += one.len() + text.get().len();
                taken.insert(one, RawValue::from_string(paired(text)?)?);
            }
        }
    }
    pieces.insert(key, serde_json::to_string(&current)?);
    Ok(())
}

/// Facts written as pairs of the releases and what holds there; see `Fact` in `src/knowledge/stored.rs`.
fn paired(text: &RawValue) -> Result<String, serde_json::Error> {
    let mut value = serde_json::from_str(text.get())?;
    pair(&mut value);
    serde_json::to_string(&value)
}

fn pair(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => members.values_mut().for_each(pair),
        serde_json::Value::Array(items) => {
            for item in items.iter_mut() {
                if let Some(fact) = item.as_object_mut() {
                    let releases = fact.remove("in").unwrap_or_else(|| String::new().into());
                    *item = vec![releases, std::mem::take(item)].into();
                }
            }
        }
        _ => {}
    }
}

/// The same for the imports of a library.
fn pack_imports(mined: &MinedImports<'_>, out: &Path, list: &mut String) -> Result<(), Box<dyn Error>> {
    let package = &mined.package;
    let checks = [("checked", mined.checked), ("minimum", mined.minimum)];
    let checks = checks.into_iter().filter_map(|(name, text)| Some(format!("{name:?}:{}", text?.get())));
    let checks = format!("{{{}}}", checks.collect::<Vec<_>>().join(","));
    let modules = mined.modules.iter().map(|(name, text)| (name.as_str(), text.get())).collect();
    let modules = table(&format!("{package}.imports"), &modules, out)?;
    writeln!(list, "StoredImports {{ name: {package:?}, checks: {checks:?}, modules: {modules} }},")?;
    Ok(())
}

/// The releases without what they require, which is most of the text and seldom asked for.
fn brief(releases: &RawValue) -> Result<String, serde_json::Error> {
    let mut releases: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(releases.get())?;
    for release in &mut releases {
        release.remove("requires");
    }
    serde_json::to_string(&releases)
}

/// What releases require whatever extras are asked for: each requirement once, with the first and last release of every run of
/// releases that have it.
fn needs(releases: &RawValue) -> Result<String, serde_json::Error> {
    #[derive(Deserialize)]
    struct Release {
        #[serde(default)]
        requires: Vec<String>,
    }
    let releases: Vec<Release> = serde_json::from_str(releases.get())?;
    let mut needs: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
    for (at, release) in releases.iter().enumerate() {
        for requirement in release.requires.iter().filter(|text| !text.contains("extra ==")) {
            let runs = needs.entry(requirement).or_default();
            match runs.last_mut() {
                Some((_, last)) if *last + 1 >= at => *last = at,
                _ => runs.push((at, at)),
            }
        }
    }
    serde_json::to_string(&needs)
}

/// Writes the names and the compressed text of parts; returns the expression of the table over them. `parts` has the start of
/// each name and of each text, `chunks` the first part of each chunk and the start of its data, both with the end at the end.
fn table(name: &str, parts: &BTreeMap<&str, &str>, out: &Path) -> Result<String, Box<dyn Error>> {
    let (mut names, mut data, mut chunk) = (String::new(), Vec::new(), String::new());
    let (mut places, mut chunks) = (Vec::new(), vec![(0, 0)]);
    let mut length = 0;
    for (part, text) in parts {
        if !chunk.is_empty() && chunk.len() + text.len() > CHUNK {
            data.extend(deflate(chunk.as_bytes())?);
            chunks.push((places.len(), data.len()));
            chunk.clear();
        }
        places.push((names.len(), length));
        names.push_str(part);
        chunk.push_str(text);
        length += text.len();
    }
    data.extend(deflate(chunk.as_bytes())?);
    chunks.push((places.len(), data.len()));
    places.push((names.len(), length));
    u32::try_from(length)?;
    let (names_file, data_file) = (format!("{name}.names"), format!("{name}.z"));
    fs::write(out.join(&names_file), names)?;
    fs::write(out.join(&data_file), data)?;
    Ok(format!(
        "Table {{ names: include_str!({names_file:?}), parts: &{places:?}, chunks: &{chunks:?}, \
         data: include_bytes!({data_file:?}) }}"
    ))
}

fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}
