//! One module of one release: what importing it does, with the names of the package followed.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::{Expr, Stmt};

use super::guard::{Guard, UNKNOWN};
use super::release::Linked;
use super::statements::{Event, events};

/// A module, mined.
#[derive(Debug, Default)]
pub(super) struct Mined {
    pub(super) dynamic: bool,
    /// Modules of the package, each with the ways in which it is loaded.
    pub(super) loads: BTreeMap<String, BTreeSet<String>>,
    /// `module:name` of other packages.
    pub(super) needs: BTreeMap<String, BTreeSet<String>>,
    pub(super) requires: BTreeMap<String, BTreeSet<String>>,
    pub(super) raises: BTreeSet<String>,
    /// Distributions that are checked whenever the package is imported.
    pub(super) checked: BTreeSet<String>,
    /// `("accelerate", "0.26.0")`
    pub(super) minimum: BTreeMap<String, String>,
}

/// Mines one module.
pub(super) fn mine(linked: &Linked<'_>, name: &str) -> Option<Mined> {
    let module = linked.module(name)?;
    let mut mined = Mined { dynamic: linked.is_dynamic(name), ..Mined::default() };
    for (event, guard) in events(linked, module) {
        match event {
            Event::Raise => mined.raises.extend(guard.ways().filter(|way| !is_unsure(way))),
            Event::Require(text) => add(&mut mined.requires, text, &guard),
            Event::Import { module, name } if linked.is_own(&module) => own(linked, &mut mined, module, name, &guard),
            Event::Import { module, name } => {
                let name = name.filter(|name| name != "*").unwrap_or_default();
                add(&mut mined.needs, format!("{module}:{name}"), &guard);
            }
        }
    }
    mined.loads.remove(name);
    for statement in module.python.body() {
        let Stmt::Assign(assign) = statement else { continue };
        let [Expr::Name(target)] = &*assign.targets else { continue };
        match (target.id.as_str(), &*assign.value) {
            ("pkgs_to_check_at_runtime", value) => mined.checked.extend(words(value)),
            (constant, Expr::StringLiteral(version)) => {
                if let Some(package) = constant.strip_suffix("_MIN_VERSION") {
                    mined.minimum.insert(package.to_lowercase(), version.value.to_str().to_owned());
                }
            }
            _ => {}
        }
    }
    Some(mined)
}

fn is_unsure(way: &str) -> bool {
    way.split(' ').any(|literal| literal == UNKNOWN)
}

fn own(linked: &Linked<'_>, mined: &mut Mined, module: String, name: Option<String>, guard: &Guard) {
    if linked.module(&module).is_none() {
        return;
    }
    let route = name.and_then(|name| linked.route(&module, &name)).unwrap_or_default();
    for module in route.into_iter().chain([module]) {
        add(&mut mined.loads, module, guard);
    }
}

/// What cannot be told to happen is left out: nothing would follow from it.
fn add(table: &mut BTreeMap<String, BTreeSet<String>>, key: String, guard: &Guard) {
    let sure: Vec<String> = guard.ways().filter(|way| !is_unsure(way)).collect();
    if sure.is_empty() {
        return;
    }
    let ways = table.entry(key).or_default();
    ways.extend(sure);
    // What always happens needs no other way.
    if ways.contains("") {
        *ways = BTreeSet::from([String::new()]);
    }
}

/// The words of a list of strings, or of `"a b".split()`.
fn words(value: &Expr) -> Vec<String> {
    match value {
        Expr::List(list) => list.elts.iter().flat_map(words).collect(),
        Expr::StringLiteral(text) => text.value.to_str().split_whitespace().map(str::to_owned).collect(),
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(attribute) if attribute.attr.as_str() == "split" => words(&attribute.value),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
