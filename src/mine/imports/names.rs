//! Conditions in the source of a library read as statements about installed packages.

use std::collections::BTreeMap;

use ruff_python_ast::{self as ast, CmpOp, Expr, Stmt, UnaryOp};

use super::guard::Guard;
use super::release::{Lookup, Parsed};

/// Packages without which nothing here runs.
pub(super) const PRESENT: [&str; 2] = ["torch", "numpy"];

/// Names are followed this far.
const MAX_HOPS: u32 = 12;

/// What parameters of a function stand for.
type Bound<'a> = BTreeMap<&'a str, &'a Expr>;

/// Reads conditions of one module.
pub(super) struct Conditions<'l, 'a> {
    pub(super) lookup: &'l dyn Lookup<'a>,
    pub(super) module: &'a Parsed,
}

impl<'a> Conditions<'_, 'a> {
    /// When an expression is true.
    pub(super) fn guard(&self, expression: &'a Expr) -> Guard {
        self.read(self.module, expression, &Bound::new(), 0)
    }

    fn read(&self, module: &'a Parsed, expression: &'a Expr, bound: &Bound<'a>, hops: u32) -> Guard {
        if hops > MAX_HOPS {
            return Guard::unknown();
        }
        let inner = |expression: &'a Expr| self.read(module, expression, bound, hops + 1);
        match expression {
            Expr::BooleanLiteral(literal) if literal.value => Guard::always(),
            Expr::BooleanLiteral(_) | Expr::NoneLiteral(_) => Guard::never(),
            Expr::UnaryOp(not) if not.op == UnaryOp::Not => inner(&not.operand).negate(),
            Expr::BoolOp(all) if all.op == ast::BoolOp::And => {
                all.values.iter().fold(Guard::always(), |guard, each| guard.and(&inner(each)))
            }
            Expr::BoolOp(any) => any.values.iter().fold(Guard::never(), |guard, each| guard.or(&inner(each))),
            Expr::Name(name) => match name.id.as_str() {
                "TYPE_CHECKING" => Guard::never(),
                _ => self.name(module, &name.id, bound, hops),
            },
            Expr::Attribute(attribute) if attribute.attr.as_str() == "TYPE_CHECKING" => Guard::never(),
            Expr::Compare(compare) => self.comparison(module, compare, bound, hops),
            Expr::Call(call) => self.call(module, call, bound, hops),
            // `_is_package_available("x")[0]`
            Expr::Subscript(part) => match &*part.value {
                Expr::Call(call) if is_number(&part.slice, 0) => plain(&self.call(module, call, bound, hops)),
                _ => Guard::unknown(),
            },
            _ => Guard::unknown(),
        }
    }

    fn name(&self, module: &'a Parsed, name: &str, bound: &Bound<'a>, hops: u32) -> Guard {
        if let Some(value) = bound.get(name) {
            return self.read(module, value, &Bound::new(), hops + 1);
        }
        match self.lookup.value(module, name) {
            Some((module, value)) => self.read(module, value, &Bound::new(), hops + 1),
            None => Guard::unknown(),
        }
    }

    /// `version.parse(transformers.__version__) >= version.parse("4.46")`, `find_spec("peft") is not None`.
    fn comparison(&self, module: &'a Parsed, compare: &'a ast::ExprCompare, bound: &Bound<'a>, hops: u32) -> Guard {
        let ([op], [right]) = (&*compare.ops, &*compare.comparators) else { return Guard::unknown() };
        if let (CmpOp::Is | CmpOp::IsNot, Expr::NoneLiteral(_), Expr::Call(call)) = (op, right, &*compare.left) {
            let Some(name) = spec(call) else { return Guard::unknown() };
            let there = installed(&name);
            return if *op == CmpOp::Is { there.negate() } else { there };
        }
        let Some(op) = operator(*op) else { return Guard::unknown() };
        let left = self.release_of(module, &compare.left, hops);
        let version = self.version(module, right, bound, hops);
        if let (Some(package), Some(version)) = (left, version) {
            return compared(&package, op, &version);
        }
        let version = self.version(module, &compare.left, bound, hops);
        match (self.release_of(module, right, hops), version) {
            (Some(package), Some(version)) => compared(&package, turned(op), &version),
            _ => Guard::unknown(),
        }
    }

    /// The package whose release an expression is: `parse(importlib.metadata.version("peft"))`, `Version(trl.__version__)`.
    fn release_of(&self, module: &'a Parsed, expression: &'a Expr, hops: u32) -> Option<String> {
        if hops > MAX_HOPS {
            return None;
        }
        match expression {
            Expr::Attribute(attribute) if attribute.attr.as_str() == "__version__" => match &*attribute.value {
                Expr::Name(name) => Some(name.id.to_string()),
                _ => None,
            },
            // `parse(...).base_version`
            Expr::Attribute(attribute) => self.release_of(module, &attribute.value, hops + 1),
            Expr::Call(call) => {
                let name = called(call)?;
                let first = call.arguments.args.first()?;
                match (name, first) {
                    ("version" | "_get_version", Expr::StringLiteral(text)) => Some(text.value.to_str().to_owned()),
                    ("parse" | "Version", inner) => self.release_of(module, inner, hops + 1),
                    _ => None,
                }
            }
            Expr::Name(name) => {
                let (module, value) = self.lookup.value(module, &name.id)?;
                self.release_of(module, value, hops + 1)
            }
            _ => None,
        }
    }

    /// `"4.46"`, `version.parse("4.46")`, a constant that is one.
    fn version(&self, module: &'a Parsed, expression: &'a Expr, bound: &Bound<'a>, hops: u32) -> Option<String> {
        if hops > MAX_HOPS {
            return None;
        }
        match expression {
            Expr::StringLiteral(text) => Some(text.value.to_str().to_owned()).filter(|text| is_version(text)),
            Expr::Call(call) if matches!(called(call)?, "parse" | "Version") => {
                self.version(module, call.arguments.args.first()?, bound, hops + 1)
            }
            Expr::Name(name) => {
                let known = bound.get(name.id.as_str()).map(|value| (module, *value));
                let (module, value) = known.or_else(|| self.lookup.value(module, &name.id))?;
                self.version(module, value, &Bound::new(), hops + 1)
            }
            _ => None,
        }
    }

    fn call(&self, module: &'a Parsed, call: &'a ast::ExprCall, bound: &Bound<'a>, hops: u32) -> Guard {
        let Some(name) = called(call) else { return Guard::unknown() };
        let text = |at: usize| match call.arguments.args.get(at) {
            Some(Expr::StringLiteral(text)) => Some(text.value.to_str()),
            _ => None,
        };
        // `is_transformers_version(">=", "4.46")`
        if let Some(package) = name.strip_prefix("is_").and_then(|rest| rest.strip_suffix("_version")) {
            let version = call.arguments.args.get(1).and_then(|one| self.version(module, one, bound, hops));
            return match (text(0).and_then(known_operator), version) {
                (Some(op), Some(version)) => compared(package, op, &version),
                _ => Guard::unknown(),
            };
        }
        if name == "compare_versions" {
            let version = call.arguments.args.get(2).and_then(|one| self.version(module, one, bound, hops));
            return match (text(0), text(1).and_then(known_operator), version) {
                (Some(package), Some(op), Some(version)) => compared(package, op, &version),
                _ => Guard::unknown(),
            };
        }
        if name == "_is_package_available" {
            let asks_version = call.arguments.find_keyword("return_version").is_some();
            let Some(package) = text(0).filter(|_| !asks_version) else { return Guard::unknown() };
            return match self.lookup.foreign(module, name) {
                Some(function) => asked(package, &function),
                None => installed(package),
            };
        }
        if name == "bool" {
            return call
                .arguments
                .args
                .first()
                .map_or_else(Guard::never, |one| self.read(module, one, bound, hops + 1));
        }
        let function = self.lookup.function(module, name);
        if let Some(package) = name.strip_prefix("is_").and_then(|rest| rest.strip_suffix("_available")) {
            return self.available(module, call, package, function, hops);
        }
        match function {
            Some((home, function)) => self.function(home, function, call, hops),
            None => Guard::unknown(),
        }
    }

    /// `is_peft_available()`, `is_accelerate_available(min_version="1.1")`.
    fn available(
        &self,
        module: &'a Parsed,
        call: &'a ast::ExprCall,
        package: &str,
        function: Option<(&'a Parsed, &'a ast::StmtFunctionDef)>,
        hops: u32,
    ) -> Guard {
        let given = call.arguments.find_argument_value("min_version", 0);
        let minimum = given.and_then(|one| self.version(module, one, &Bound::new(), hops));
        if given.is_some() && minimum.is_none() {
            return Guard::unknown();
        }
        let default = function.and_then(|(home, function)| {
            let parameter = function.parameters.iter().find(|one| one.name().as_str() == "min_version")?;
            self.version(home, parameter.default()?, &Bound::new(), hops)
        });
        if let Some(minimum) = minimum.or(default) {
            return compared(package, ">=", &minimum);
        }
        match function {
            Some((home, function)) => match returned(function) {
                Some(_) => match self.function(home, function, call, hops) {
                    unknown if unknown == Guard::unknown() => installed(package),
                    read => read,
                },
                None => installed(package),
            },
            // The other package may ask for a newest enough one.
            None if package == "accelerate" => installed(package).and(&Guard::unknown()),
            None => installed(package),
        }
    }

    /// A function that is one `return`.
    fn function(
        &self,
        home: &'a Parsed,
        function: &'a ast::StmtFunctionDef,
        call: &'a ast::ExprCall,
        hops: u32,
    ) -> Guard {
        let Some(value) = returned(function) else { return Guard::unknown() };
        let parameters = function.parameters.iter().map(|one| (one.name().as_str(), one.default()));
        let bound = parameters.enumerate().filter_map(|(at, (name, default))| {
            Some((name, call.arguments.find_argument_value(name, at).or(default)?))
        });
        self.read(home, value, &bound.collect(), hops + 1)
    }
}

/// The value of the only `return` of a function whose other statements do not branch.
fn returned(function: &ast::StmtFunctionDef) -> Option<&Expr> {
    let (last, rest) = function.body.split_last()?;
    let is_plain = |statement: &Stmt| matches!(statement, Stmt::Expr(_) | Stmt::Import(_) | Stmt::ImportFrom(_));
    match last {
        Stmt::Return(one) if rest.iter().all(is_plain) => one.value.as_deref(),
        _ => None,
    }
}

/// The last part of the name of what is called.
pub(super) fn called(call: &ast::ExprCall) -> Option<&str> {
    match &*call.func {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        _ => None,
    }
}

/// `importlib.util.find_spec("peft")`
fn spec(call: &ast::ExprCall) -> Option<String> {
    match (called(call)?, call.arguments.args.first()?) {
        ("find_spec", Expr::StringLiteral(text)) => Some(text.value.to_str().to_owned()),
        _ => None,
    }
}

/// Whether a literal says, of itself, that a package is installed: `vllm`, `vllm>=0.10`.
pub(super) fn is_about(literal: &str, package: &str) -> bool {
    literal.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with(['<', '>', '=', '!']))
}

fn installed(package: &str) -> Guard {
    if PRESENT.contains(&package) { Guard::always() } else { Guard::literal(package.to_owned()) }
}

fn asked(package: &str, function: &str) -> Guard {
    if PRESENT.contains(&package) { Guard::always() } else { Guard::literal(format!("{package}@{function}")) }
}

/// The same without the function that is asked: its first value was taken.
fn plain(guard: &Guard) -> Guard {
    let text = guard.to_string();
    match text.split_once('@') {
        Some((package, _)) if !text.contains(' ') => Guard::literal(package.to_owned()),
        _ => guard.clone(),
    }
}

fn compared(package: &str, op: &str, version: &str) -> Guard {
    Guard::literal(format!("{package}{op}{version}"))
}

fn is_version(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && !text.contains(' ')
}

fn is_number(expression: &Expr, number: u64) -> bool {
    matches!(expression, Expr::NumberLiteral(ast::ExprNumberLiteral { value: ast::Number::Int(value), .. })
        if value.as_u64() == Some(number))
}

fn operator(op: CmpOp) -> Option<&'static str> {
    Some(match op {
        CmpOp::Lt => "<",
        CmpOp::LtE => "<=",
        CmpOp::Gt => ">",
        CmpOp::GtE => ">=",
        CmpOp::Eq => "==",
        CmpOp::NotEq => "!=",
        _ => return None,
    })
}

fn known_operator(text: &str) -> Option<&'static str> {
    ["<", "<=", ">", ">=", "==", "!="].into_iter().find(|one| *one == text)
}

/// The operator with its sides exchanged.
fn turned(op: &'static str) -> &'static str {
    match op {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        other => other,
    }
}
