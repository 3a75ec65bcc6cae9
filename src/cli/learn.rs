//! `dpo-lint learn`: mines releases that the tool lacks into the user's cache, or writes down the stored form of a library.
//! Also what every check does with them.

use std::path::{Path, PathBuf};

use super::args::LearnArgs;
use super::terminal::Terminal;
use super::{Exit, Failure};
use crate::knowledge::{Knowledge, Learnt, Package};
use crate::lower;
use crate::mine::{self, Cache, WheelsOfLibrary};
use crate::source::OsFileSystem;
use crate::syntax::requirements::normalize;

/// Names the folder of the cache.
const VARIABLE: &str = "DPO_LINT_CACHE";

pub(super) fn run(args: &LearnArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match &args.output {
        Some(folder) if args.imports => imports(&args.paths, folder),
        Some(output) => write_down(args, output, terminal),
        None => add(args, terminal),
    }
}

/// The stored form of a library, as it is under `schemas/knowledge`.
fn write_down(args: &LearnArgs, output: &Path, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let package = args.package.as_deref().ok_or_else(|| Failure::Message("--output needs --package".to_owned()))?;
    let index = args.index.as_ref().map(|path| {
        let wrong = |error| Failure::Message(format!("cannot read {}: {error}", path.display()));
        std::fs::read_to_string(path).map_err(wrong)
    });
    let index = index.transpose()?;
    let options = mine::Options { package, index: index.as_deref(), only: &args.only };
    let text = mine::render(&mine::mine(&options, &args.paths).map_err(|error| Failure::Message(error.to_string()))?);
    if output == Path::new("-") {
        terminal.out(|out| out.write_all(text.as_bytes()))?;
    } else {
        let wrong = |error| Failure::Message(format!("cannot write {}: {error}", output.display()));
        std::fs::write(output, text).map_err(wrong)?;
    }
    Ok(Exit::Clean)
}

/// Adds to the cache what the paths have and the tool lacks.
fn add(args: &LearnArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let cache = cache().ok_or_else(|| Failure::Message(format!("there is no home folder; set {VARIABLE}")))?;
    for path in &args.paths {
        for found in releases(path, args.package.as_deref())? {
            let Found { package, version, place } = &found;
            if found.is_built_in() {
                terminal.out(|out| writeln!(out, "{package} {version} is built in"))?;
                continue;
            }
            let learnt = found.mine().map_err(|error| Failure::Message(error.to_string()))?;
            let wrong = |error| Failure::Message(format!("cannot write to {}: {error}", cache.folder().display()));
            cache.keep(&learnt).map_err(wrong)?;
            terminal.out(|out| writeln!(out, "learnt {package} {version} from {}", place.display()))?;
        }
    }
    Ok(Exit::Clean)
}

/// What is known: what is built in, what was learnt, and what is installed for these interpreters, which is learnt now if it
/// is new. `None` where that is what is built in.
pub(super) fn knowledge<'a>(
    pythons: impl Iterator<Item = &'a Path>,
    quiet: bool,
    terminal: &mut Terminal,
) -> Option<Knowledge> {
    let cache = cache();
    let (mut learnt, notes) = cache.as_ref().map(Cache::load).unwrap_or_default();
    let mut say = |text: &str| {
        if !quiet {
            terminal.note_line(text);
        }
    };
    for note in &notes {
        say(note);
    }
    for found in pythons.flat_map(installed).filter(|found| !found.is_built_in()) {
        let Found { package, version, place } = &found;
        let is_it = |one: &Learnt| one.package() == package && one.version() == version;
        let source = mine::installed_source(package, place).unwrap_or_default();
        if learnt.iter().any(|one| is_it(one) && one.source() == source) {
            continue;
        }
        let one = match found.mine() {
            Ok(one) => one,
            Err(error) => {
                say(&format!("{package} {version} is new to dpo-lint and cannot be learnt: {error}"));
                continue;
            }
        };
        say(&format!("{package} {version} is new to dpo-lint: learnt from {}", place.display()));
        if let Some(Err(error)) = cache.as_ref().map(|cache| cache.keep(&one)) {
            say(&format!("it is learnt anew each time: {error}"));
        }
        learnt.retain(|other| !is_it(other));
        learnt.push(one);
    }
    (!learnt.is_empty()).then(|| Knowledge::with(learnt))
}

/// A release in a wheel or a `site-packages` folder.
struct Found {
    package: String,
    version: pep440_rs::Version,
    place: PathBuf,
}

impl Found {
    fn is_built_in(&self) -> bool {
        let package = Knowledge::bundled().package(&self.package);
        package.is_some_and(|package| package.index_of(&self.version).is_some())
    }

    fn mine(&self) -> Result<Learnt, mine::MineError> {
        mine::learn(&self.package, &self.place)
    }
}

/// The releases at a path that a user names, of a package or of all that the tool knows.
fn releases(path: &Path, only: Option<&str>) -> Result<Vec<Found>, Failure> {
    let bundled = Knowledge::bundled();
    let known: Vec<&str> = bundled.packages().chain(bundled.frameworks()).map(Package::name).collect();
    let mut found = if path.is_dir() || path.extension().is_none_or(|extension| extension != "whl") {
        installed(path)
    } else {
        let wrong = |error: mine::MineError| Failure::Message(error.to_string());
        let (name, version) = mine::distribution(path).map_err(wrong)?;
        let package = normalize(&name);
        if !known.contains(&package.as_str()) {
            let what = format!("{}: dpo-lint asks nothing about {package}, only about", path.display());
            return Err(Failure::Message(format!("{what} {}", known.join(", "))));
        }
        let wrong = |_| Failure::Message(format!("{}: `{version}` is no version", path.display()));
        vec![Found { package, version: version.parse().map_err(wrong)?, place: path.to_path_buf() }]
    };
    found.retain(|found| only.is_none_or(|only| normalize(only) == found.package));
    if found.is_empty() {
        let wanted = only.map_or_else(|| known.join(", "), str::to_owned);
        return Err(Failure::Message(format!("{}: neither a wheel of {wanted} nor a folder with it", path.display())));
    }
    Ok(found)
}

/// The packages that the tool asks about, as far as they are installed.
fn installed(python: &Path) -> Vec<Found> {
    let found = lower::installed(&OsFileSystem, python).into_iter();
    let found = found.filter(|(package, _)| Knowledge::bundled().package(package).is_some());
    found.map(|(package, (version, place))| Found { package, version, place }).collect()
}

/// The user's cache: `DPO_LINT_CACHE`, or a folder where the platform keeps such things.
fn cache() -> Option<Cache> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let platform = || {
        let home = std::env::home_dir();
        match std::env::consts::OS {
            "windows" => set("LOCALAPPDATA"),
            "macos" => home.map(|home| home.join("Library").join("Caches")),
            _ => {
                set("XDG_CACHE_HOME").filter(|path| path.is_absolute()).or_else(|| home.map(|home| home.join(".cache")))
            }
        }
    };
    let folder = set(VARIABLE).or_else(|| platform().map(|folder| folder.join("dpo-lint").join("releases")));
    folder.map(Cache::new)
}
/// Each folder holds the wheels of the library that it is named after.
fn imports(folders: &[PathBuf], output: &Path) -> Result<Exit, Failure> {
    let failed = |path: &Path, error: std::io::Error| Failure::Message(format!("{}: {error}", path.display()));
    let mut libraries = Vec::new();
    for folder in folders {
        let package = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut wheels = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
            let path = entry.map_err(|error| failed(folder, error))?.path();
            wheels.extend(Some(path).filter(|path| path.extension().is_some_and(|extension| extension == "whl")));
        }
        libraries.push(WheelsOfLibrary { package, wheels });
    }
    for mined in mine::mine_imports(&libraries).map_err(|error| Failure::Message(error.to_string()))? {
        let path = output.join(mined.package()).with_extension("json");
        std::fs::write(&path, mine::render_imports(&mined)).map_err(|error| failed(&path, error))?;
    }
    Ok(Exit::Clean)
}
