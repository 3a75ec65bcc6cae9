//! Code that is left without purpose when a fix removes the only reader of a variable.

use std::collections::BTreeSet;
use std::ops::Range;

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_stmt};
use ruff_python_ast::{Expr, Stmt};

use super::imports::{aliases, names, remove_aliases, unused};
use super::layout::bytes;
use super::scopes::{MODULE, Scopes, Variable};
use super::statements::{remove, tidy};
use super::usage::{Plan, Usage};
use super::{Change, EditError, edits};
use crate::source::Span;
use crate::syntax::Edit;
use crate::syntax::python::PythonModule;

/// Removes what was computed only for the code in `gone` (which another edit replaces): the statements that made the
/// variables read there, those that only made them ready (`ref_model.eval()`), and the imports that served nothing else.
/// Nothing is removed that has, or may have, another purpose.
pub fn remove_unused_after(module: &PythonModule, gone: &[Span]) -> Vec<Edit> {
    let gone: Vec<_> = gone.iter().map(|span| bytes(module.range(*span))).collect();
    let scopes = Scopes::of(module);
    let roots: Vec<_> = scopes
        .occurrences
        .iter()
        .filter(|place| place.is_read && gone.contains(&place.range))
        .map(|place| scopes.variable(place))
        .collect();
    let mut search = Search::new(module, &scopes, gone, roots.into_iter().collect());
    search.grow();
    search.finish().unwrap_or_default()
}

/// Removes the variable `name` that is written in the code at `scope` but read by nothing any more, with all that served
/// it alone. `None` when something may still need it.
pub fn remove_unused_reference(module: &PythonModule, name: &str, scope: Span) -> Option<Vec<Edit>> {
    remove_variable(module, name, scope).map(|(_, edits)| edits)
}

/// The scope that owns the variable comes with the edits.
fn remove_variable(module: &PythonModule, name: &str, scope: Span) -> Option<(usize, Vec<Edit>)> {
    let range = bytes(module.range(scope));
    let scopes = Scopes::of(module);
    let place = scopes.occurrences.iter().find(|place| {
        place.name == name && !place.is_read && range.start <= place.range.start && place.range.end <= range.end
    })?;
    let root = scopes.variable(place);
    let mut search = Search::new(module, &scopes, Vec::new(), BTreeSet::from([root]));
    if !search.try_add(root) {
        return None;
    }
    search.grow();
    search.finish().ok().filter(|edits| !edits.is_empty()).map(|edits| (root.0, edits))
}

/// A variable that is given a value and that nothing reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedValue {
    /// The variable.
    pub name: String,
    /// The statement that gives it the value.
    pub statement: Span,
    /// Whether other modules could import it.
    pub is_global: bool,
    /// What removes every such statement, with all that served it alone.
    pub edits: Vec<Edit>,
}

/// The variable that gets what the call at `maker` makes, if nothing reads it: `ref = load(p)`, `ref = load(p).eval()`,
/// `ref = load(p) if flag else None`. `None` also where something may read it in a way that cannot be seen.
pub fn unused_value(module: &PythonModule, maker: Span) -> Option<UnusedValue> {
    let maker = bytes(module.range(maker));
    let (name, statement) = assigned_from(module, &maker)?;
    let statement = module.span(statement);
    let (owner, edits) = remove_variable(module, name, statement)?;
    Some(UnusedValue { name: name.to_owned(), statement, is_global: owner == MODULE, edits })
}

/// The plain variable that is assigned what the call at `maker` makes, and the assignment.
fn assigned_from<'a>(module: &'a PythonModule, maker: &Range<usize>) -> Option<(&'a str, &'a Stmt)> {
    struct Finder<'a, 'r> {
        maker: &'r Range<usize>,
        found: Option<(&'a str, &'a Stmt)>,
    }
    impl<'a> SourceOrderVisitor<'a> for Finder<'a, '_> {
        fn visit_stmt(&mut self, stmt: &'a Stmt) {
            let (target, value) = match stmt {
                Stmt::Assign(assign) => {
                    (assign.targets.first().filter(|_| assign.targets.len() == 1), Some(&*assign.value))
                }
                Stmt::AnnAssign(assign) => (Some(&*assign.target), assign.value.as_deref()),
                _ => (None, None),
            };
            if let (Some(Expr::Name(name)), Some(value)) = (target, value)
                && yields(value, self.maker)
            {
                self.found = Some((name.id.as_str(), stmt));
            }
            walk_stmt(self, stmt);
        }

        fn visit_expr(&mut self, _: &'a Expr) {}
    }
    let mut finder = Finder { maker, found: None };
    finder.visit_body(module.body());
    finder.found
}

/// Whether an expression may be what the call at `maker` makes, or the result of a method of it.
fn yields(expr: &Expr, maker: &Range<usize>) -> bool {
    match expr {
        Expr::Call(call) if bytes(call) == *maker => true,
        Expr::Call(call) => matches!(&*call.func, Expr::Attribute(method) if yields(&method.value, maker)),
        Expr::If(choice) => yields(&choice.body, maker) || yields(&choice.orelse, maker),
        _ => false,
    }
}

struct Search<'s, 'a> {
    module: &'a PythonModule,
    scopes: &'s Scopes<'a>,
    gone: Vec<Range<usize>>,
    /// Variables whose making may go whatever call makes them.
    roots: BTreeSet<Variable<'a>>,
    dead: BTreeSet<Variable<'a>>,
    plan: Plan,
}

impl<'s, 'a> Search<'s, 'a> {
    fn new(
        module: &'a PythonModule,
        scopes: &'s Scopes<'a>,
        gone: Vec<Range<usize>>,
        roots: BTreeSet<Variable<'a>>,
    ) -> Self {
        Self { module, scopes, gone, roots, dead: BTreeSet::new(), plan: Plan::default() }
    }

    /// Adds variables that only removed code reads, until there are none.
    fn grow(&mut self) {
        let mut refused: BTreeSet<Variable<'a>> = BTreeSet::new();
        loop {
            let reads = self.scopes.occurrences.iter().filter(|place| place.is_read && self.is_gone(&place.range));
            let next = reads
                .map(|place| self.scopes.variable(place))
                .find(|variable| !self.dead.contains(variable) && !refused.contains(variable));
            let Some(variable) = next else { break };
            if self.try_add(variable) {
                // What was needed before may now serve removed code only.
                refused.clear();
            } else {
                refused.insert(variable);
            }
        }
    }

    /// Counts a variable as dead if all its places then lie in code that goes.
    fn try_add(&mut self, variable: Variable<'a>) -> bool {
        if !self.may_die(variable) {
            return false;
        }
        let mut dead = self.dead.clone();
        dead.insert(variable);
        let plan = self.plan(&dead, &BTreeSet::new());
        let is_covered = |range: &Range<usize>| plan.covers(range) || contains(&self.gone, range);
        let mut places = self.scopes.places(variable);
        if !places.all(|place| is_covered(&place.range)) {
            return false;
        }
        self.dead = dead;
        self.plan = plan;
        true
    }

    /// Whether a variable is the kind that may go: assigned, in a module or function, and not offered to others.
    fn may_die(&self, variable: Variable<'a>) -> bool {
        let (owner, name) = variable;
        let scopes = self.scopes;
        let is_module = owner == MODULE;
        let is_offered = is_module
            && (self.module.path().file_name().is_some_and(|file| file == "__init__.py")
                || scopes.words.iter().any(|(word, _)| *word == name)
                    && scopes.occurrences.iter().any(|at| at.name == "__all__"));
        scopes.is_assigned(variable)
            && scopes.fixed(variable) == 0
            && !scopes.all[owner].body.is_empty()
            && !scopes.is_opaque
            && !is_offered
            && !scopes.escapes.iter().any(|line| names(line, name))
    }

    fn plan(&self, dead: &BTreeSet<Variable<'a>>, dead_imports: &BTreeSet<usize>) -> Plan {
        let mut plan = Plan::default();
        let none = BTreeSet::new();
        let mut owners: BTreeSet<usize> = dead.iter().map(|(owner, _)| *owner).collect();
        if !dead_imports.is_empty() {
            owners.extend(0..self.scopes.all.len());
        }
        for owner in owners {
            let of = |set: &BTreeSet<Variable<'a>>| {
                set.iter().filter(|(at, _)| *at == owner).map(|(_, name)| *name).collect()
            };
            let (dead, roots): (BTreeSet<&str>, BTreeSet<&str>) = (of(dead), of(&self.roots));
            let dead_imports = if dead_imports.is_empty() { &none } else { dead_imports };
            let usage = Usage { scopes: self.scopes, owner, dead: &dead, roots: &roots, dead_imports };
            usage.sweep(self.scopes.all[owner].body, &mut plan);
        }
        plan
    }

    fn is_gone(&self, range: &Range<usize>) -> bool {
        contains(&self.gone, range) || self.plan.covers(range)
    }

    fn finish(mut self) -> Result<Vec<Edit>, EditError> {
        let imports = unused(self.module, self.scopes, |range| self.is_gone(range));
        let (whole, parts): (Vec<_>, Vec<_>) =
            imports.into_iter().partition(|(_, (stmt, gone))| gone.len() == aliases(stmt).len());
        self.plan = self.plan(&self.dead, &whole.into_iter().map(|(start, _)| start).collect());
        let mut changes: Vec<Change> = Vec::new();
        for removal in &self.plan.removals {
            changes.extend(remove(self.module, &removal.range, removal.needs_pass)?);
        }
        for (_, (stmt, gone)) in &parts {
            changes.push(remove_aliases(self.module, stmt, gone)?);
        }
        Ok(edits(self.module, tidy(self.module.text(), changes)))
    }
}

fn contains(ranges: &[Range<usize>], range: &Range<usize>) -> bool {
    ranges.iter().any(|outer| outer.start <= range.start && range.end <= outer.end)
}
