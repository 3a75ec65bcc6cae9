//! `setup.py`: requirements that stand in it as literals.
//!
//! A tiny evaluator follows what these files do in practice: lists that are joined, a table of all requirements from which
//! lists are picked by name (`deps["trl"]`, `deps_list("trl", "peft")`), extras filled one by one, and a requirements file
//! that is read in. What it does not follow is left out; nothing is run.

use std::collections::BTreeMap;
use std::path::Path;

use ruff_python_ast::{Expr, ExprCall, Operator, Stmt, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange};

use super::kind::Kind;
use super::statement::{Statements, Writer, specifiers_of};
use crate::source::SourceFile;
use crate::syntax::python::PythonModule;
use crate::syntax::requirements::{normalize, parse_requirement};

/// Reads a `setup.py`.
pub(super) fn read(source: &SourceFile) -> Statements {
    let module = PythonModule::parse(source);
    let mut script = Script::default();
    script.run(module.body(), 0);
    let mut writer = Writer::new(source);
    writer.syntax_errors(&module.errors());
    for (name, value) in script.arguments {
        match name.as_str() {
            "name" => {
                if let Value::Text(name, range) = &value {
                    writer.own_name(name, module.span(*range));
                }
            }
            "install_requires" => say(&mut writer, &module, &value, None),
            "python_requires" => {
                if let Value::Text(text, range) = &value {
                    writer.python(specifiers_of(text).ok(), module.span(*range));
                }
            }
            "extras_require" => {
                let Value::Table(extras) = value else { continue };
                for (extra, value) in extras {
                    say(&mut writer, &module, &value, Some(&format!("extra: {extra}")));
                }
            }
            _ => {}
        }
    }
    writer.said
}

/// What an expression is, as far as it matters for requirements.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(String, TextRange),
    List(Vec<Value>),
    Table(Vec<(String, Value)>),
    /// Something made of a file whose name looks like a requirements file's.
    File(String, TextRange),
    Unknown,
}

impl Value {
    fn is_small(&self) -> bool {
        fn spend(value: &Value, budget: usize) -> Option<usize> {
            let left = budget.checked_sub(1)?;
            match value {
                Value::List(items) => items.iter().try_fold(left, |left, item| spend(item, left)),
                Value::Table(entries) => entries.iter().try_fold(left, |left, (_, item)| spend(item, left)),
                Value::Text(..) | Value::File(..) | Value::Unknown => Some(left),
            }
        }
        spend(self, 5000).is_some()
    }
}

/// Expressions and blocks nested deeper than this are left out.
const MAX_DEPTH: usize = 100;

#[derive(Default)]
struct Script<'a> {
    variables: BTreeMap<&'a str, Value>,
    functions: BTreeMap<&'a str, &'a StmtFunctionDef>,
    /// Arguments of `setup()`.
    arguments: Vec<(String, Value)>,
}

fn say(writer: &mut Writer<'_>, module: &PythonModule, value: &Value, condition: Option<&str>) {
    match value {
        Value::Text(text, range) => {
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
                // A computed string may be anything.
                let span = module.span(*range);
                if parse_requirement(line, span).is_ok() {
                    writer.requirement(line, span, condition);
                }
            }
        }
        Value::List(items) => items.iter().for_each(|item| say(writer, module, item, condition)),
        Value::File(path, range) => writer.include(path, module.span(*range), false, condition),
        Value::Table(_) | Value::Unknown => {}
    }
}

impl<'a> Script<'a> {
    fn run(&mut self, body: &'a [Stmt], depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for statement in body {
            self.statement(statement, depth + 1);
        }
    }

    fn statement(&mut self, statement: &'a Stmt, depth: usize) {
        match statement {
            Stmt::Assign(assign) => {
                let value = self.eval(&assign.value, depth);
                for target in &assign.targets {
                    self.assign(target, value.clone());
                }
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    let value = self.eval(value, depth);
                    self.assign(&assign.target, value);
                }
            }
            Stmt::AugAssign(assign) if assign.op == Operator::Add => {
                let joined = join(self.eval(&assign.target, depth), self.eval(&assign.value, depth));
                self.assign(&assign.target, joined);
            }
            Stmt::Expr(expression) => self.expression(&expression.value, depth),
            Stmt::FunctionDef(function) => _ = self.functions.insert(function.name.as_str(), function),
            // Either branch may run; what both say counts.
            Stmt::If(branch) => {
                self.run(&branch.body, depth);
                for clause in &branch.elif_else_clauses {
                    self.run(&clause.body, depth);
                }
            }
            Stmt::With(with) => {
                for item in &with.items {
                    let value = self.eval(&item.context_expr, depth);
                    if let Some(target) = &item.optional_vars {
                        self.assign(target, value);
                    }
                }
                self.run(&with.body, depth);
            }
            Stmt::Try(attempt) => {
                self.run(&attempt.body, depth);
                self.run(&attempt.orelse, depth);
                self.run(&attempt.finalbody, depth);
            }
            _ => {}
        }
    }

    fn assign(&mut self, target: &'a Expr, value: Value) {
        // `a = [a, a]`, often enough, would fill the memory.
        let value = if value.is_small() { value } else { Value::Unknown };
        match target {
            Expr::Name(name) => _ = self.variables.insert(name.id.as_str(), value),
            Expr::Subscript(subscript) => {
                let (Expr::Name(name), Some(key)) = (&*subscript.value, literal(&subscript.slice)) else { return };
                if let Some(Value::Table(entries)) = self.variables.get_mut(name.id.as_str()) {
                    entries.retain(|(before, _)| *before != key);
                    entries.push((key, value));
                }
            }
            _ => {}
        }
    }

    /// `setup(...)`, `required.append(...)`, `extras.update(...)`.
    fn expression(&mut self, expression: &'a Expr, depth: usize) {
        let Expr::Call(call) = expression else { return };
        match &*call.func {
            Expr::Name(name) if name.id.as_str() == "setup" => self.setup(call, depth),
            Expr::Attribute(method) if method.attr.as_str() == "setup" => self.setup(call, depth),
            Expr::Attribute(method) => {
                let (Expr::Name(name), Some(argument)) = (&*method.value, call.arguments.args.first()) else { return };
                let mut more = self.eval(argument, depth);
                match method.attr.as_str() {
                    "append" => more = Value::List(vec![more]),
                    "extend" | "update" => {}
                    _ => return,
                }
                if let Some(before) = self.variables.remove(name.id.as_str()) {
                    self.assign(&method.value, join(before, more));
                }
            }
            _ => {}
        }
    }

    fn setup(&mut self, call: &'a ExprCall, depth: usize) {
        for keyword in &call.arguments.keywords {
            let value = self.eval(&keyword.value, depth);
            match (&keyword.arg, value) {
                (Some(name), value) => self.arguments.push((name.to_string(), value)),
                (None, Value::Table(entries)) => self.arguments.extend(entries),
                (None, _) => {}
            }
        }
    }

    fn eval(&self, expression: &Expr, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return Value::Unknown;
        }
        let eval = |expression: &Expr| self.eval(expression, depth + 1);
        match expression {
            Expr::StringLiteral(text) => Value::Text(text.value.to_str().to_owned(), text.range()),
            Expr::Name(name) => self.variables.get(name.id.as_str()).cloned().unwrap_or(Value::Unknown),
            Expr::List(list) => self.list(&list.elts, depth),
            Expr::Tuple(tuple) => self.list(&tuple.elts, depth),
            Expr::Set(set) => self.list(&set.elts, depth),
            Expr::Starred(starred) => eval(&starred.value),
            Expr::BinOp(sum) if sum.op == Operator::Add => join(eval(&sum.left), eval(&sum.right)),
            Expr::If(choice) => join(eval(&choice.body), eval(&choice.orelse)),
            Expr::Dict(dict) => Value::Table(
                dict.items
                    .iter()
                    .flat_map(|item| match (&item.key, eval(&item.value)) {
                        (Some(key), value) => literal(key).map(|key| (key, value)).into_iter().collect(),
                        (None, Value::Table(entries)) => entries,
                        (None, _) => Vec::new(),
                    })
                    .collect(),
            ),
            Expr::Subscript(subscript) => match (eval(&subscript.value), literal(&subscript.slice)) {
                (Value::Table(entries), Some(key)) => look_up(&entries, &key).unwrap_or(Value::Unknown),
                (file @ Value::File(..), _) => file,
                _ => Value::Unknown,
            },
            Expr::ListComp(list) => self.comprehension(&list.elt, list.generators.first(), depth),
            Expr::Generator(list) => self.comprehension(&list.elt, list.generators.first(), depth),
            Expr::SetComp(set) => self.comprehension(&set.elt, set.generators.first(), depth),
            // `{name: requirement for ... in (re.findall(...) for x in _deps)}`: a table by name.
            Expr::DictComp(dict) => match dict.generators.first().map(|generator| eval(&generator.iter)) {
                Some(Value::List(items)) => by_name(&items),
                _ => Value::Unknown,
            },
            Expr::Call(call) => self.call(call, depth),
            Expr::Attribute(attribute) => match eval(&attribute.value) {
                file @ Value::File(..) => file,
                _ => Value::Unknown,
            },
            _ => Value::Unknown,
        }
    }

    fn list(&self, items: &[Expr], depth: usize) -> Value {
        let mut values = Vec::new();
        for item in items {
            match self.eval(item, depth + 1) {
                Value::List(inner) if item.is_starred_expr() => values.extend(inner),
                value => values.push(value),
            }
        }
        Value::List(values)
    }

    /// The items that a comprehension goes over, or those of a table that they name. A filter is not applied.
    fn comprehension(&self, element: &Expr, over: Option<&ruff_python_ast::Comprehension>, depth: usize) -> Value {
        let Some(over) = over else { return Value::Unknown };
        let items = self.eval(&over.iter, depth + 1);
        match (element, &items) {
            (Expr::Subscript(pick), Value::List(names)) => match self.eval(&pick.value, depth + 1) {
                Value::Table(entries) => picked(&entries, names).unwrap_or(items),
                _ => items,
            },
            _ => items,
        }
    }

    fn call(&self, call: &ExprCall, depth: usize) -> Value {
        let first = || call.arguments.args.first().map_or(Value::Unknown, |first| self.eval(first, depth + 1));
        let found = match &*call.func {
            Expr::Name(name) => match name.id.as_str() {
                "list" | "sorted" | "set" | "tuple" => first(),
                "dict" => Value::Table(
                    call.arguments
                        .keywords
                        .iter()
                        .filter_map(|one| Some((one.arg.as_ref()?.to_string(), self.eval(&one.value, depth + 1))))
                        .collect(),
                ),
                function => self.own_function(function, call, depth),
            },
            Expr::Attribute(method) => match (self.eval(&method.value, depth + 1), method.attr.as_str()) {
                (Value::Table(entries), "values") => Value::List(entries.into_iter().map(|(_, value)| value).collect()),
                (Value::Text(text, range), "split" | "splitlines") => {
                    Value::List(text.split('\n').map(|line| Value::Text(line.trim().to_owned(), range)).collect())
                }
                (value @ (Value::File(..) | Value::Text(..)), _) => value,
                (items @ Value::List(_), "copy") => items,
                _ => Value::Unknown,
            },
            _ => Value::Unknown,
        };
        if matches!(found, Value::List(_) | Value::Table(_) | Value::File(..)) {
            return found;
        }
        // `open("requirements.txt")`, `parse_requirements(os.path.join(here, "requirements.txt"))`.
        let mut arguments = call.arguments.args.iter().map(|argument| self.eval(argument, depth + 1));
        arguments.find_map(requirements_file).unwrap_or(found)
    }

    /// A function of the file: `deps_list("trl", "peft")` picks from a table, another one may read a file.
    fn own_function(&self, name: &str, call: &ExprCall, depth: usize) -> Value {
        let Some(function) = self.functions.get(name) else { return Value::Unknown };
        let names = self.list(&call.arguments.args, depth);
        if let Value::List(names) = &names
            && !names.is_empty()
        {
            let mut tables = self.variables.values().filter_map(|value| match value {
                Value::Table(entries) => picked(entries, names),
                _ => None,
            });
            if let Some(found) = tables.next() {
                return found;
            }
        }
        let mut inner = Script { variables: self.variables.clone(), ..Script::default() };
        inner.run(&function.body, depth + MAX_DEPTH / 3);
        let file = inner.variables.into_values().find_map(requirements_file);
        file.or_else(|| {
            returned(&function.body).and_then(|value| requirements_file(self.eval(value, depth + MAX_DEPTH / 3)))
        })
        .unwrap_or(Value::Unknown)
    }
}

fn returned(body: &[Stmt]) -> Option<&Expr> {
    body.iter().find_map(|statement| match statement {
        Stmt::Return(back) => back.value.as_deref(),
        Stmt::With(with) => returned(&with.body),
        _ => None,
    })
}

/// A value that stands for a requirements file: its name, or what was made of it.
fn requirements_file(value: Value) -> Option<Value> {
    match value {
        Value::Text(name, range) => {
            let is_list = Kind::of(Path::new(&name)) == Some(Kind::Requirements);
            is_list.then(|| Value::File(name.trim_start_matches('/').to_owned(), range))
        }
        file @ Value::File(..) => Some(file),
        _ => None,
    }
}

fn literal(expression: &Expr) -> Option<String> {
    Some(expression.as_string_literal_expr()?.value.to_str().to_owned())
}

/// Lists are joined, tables merged; what is unknown adds nothing.
fn join(left: Value, right: Value) -> Value {
    match (left, right) {
        (Value::Unknown, other) | (other, Value::Unknown) => other,
        (Value::Table(mut entries), Value::Table(more)) => {
            entries.extend(more);
            Value::Table(entries)
        }
        // Text put together from parts is no requirement that can be pointed at.
        (Value::Text(..), Value::Text(..)) => Value::Unknown,
        (left, right) => {
            let items = |value| if let Value::List(items) = value { items } else { vec![value] };
            Value::List(items(left).into_iter().chain(items(right)).collect())
        }
    }
}

fn look_up(entries: &[(String, Value)], key: &str) -> Option<Value> {
    entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone())
}

/// The values of a table under these names; `None` unless each is one of its keys.
fn picked(entries: &[(String, Value)], names: &[Value]) -> Option<Value> {
    let pick = |name: &Value| if let Value::Text(name, _) = name { look_up(entries, name) } else { None };
    names.iter().map(pick).collect::<Option<Vec<Value>>>().map(Value::List)
}

/// A list of requirements as a table by package.
fn by_name(items: &[Value]) -> Value {
    let entry = |item: &Value| {
        let Value::Text(text, _) = item else { return None };
        let end = text.find(|c: char| !(c.is_alphanumeric() || "._-".contains(c))).unwrap_or(text.len());
        Some([(text[..end].to_owned(), item.clone()), (normalize(&text[..end]), item.clone())])
    };
    Value::Table(items.iter().filter_map(entry).flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn declared(text: &str) -> String {
        let sources = Sources::default();
        let said = read(&sources.add("setup.py".into(), text));
        let mut out: Vec<String> = said
            .declarations
            .iter()
            .map(|one| {
                let condition = one.condition.as_ref().map(|condition| format!(" ({condition})")).unwrap_or_default();
                format!("{}{condition}", one.requirement())
            })
            .collect();
        out.extend(said.includes.iter().map(|include| format!("-r {}", include.path)));
        out.extend(said.python.map(|python| format!("python{python}")));
        out.join(" ")
    }

    #[test]
    fn what_setup_files_do() {
        for (text, expected) in [
            ("setup(install_requires=['trl>=0.9', 'peft'], python_requires='>=3.10')", "trl>=0.9 peft python>=3.10"),
            (
                "import setuptools\nreq = ['trl']\nreq += ['peft']\nreq.append('accelerate')\nsetuptools.setup(install_requires=req)",
                "trl peft accelerate",
            ),
            ("a = ['trl']\nsetup(install_requires=a + ['peft'] + unknown())", "trl peft"),
            ("setup(install_requires='trl\\npeft')", "trl peft"),
            ("setup(install_requires='''\ntrl\npeft\n'''.split())", "trl peft"),
            ("setup(extras_require={'rlhf': ['trl==0.9.6']})", "trl==0.9.6 (extra: rlhf)"),
            (
                "_deps = ['trl>=0.9.6', 'flash-attn', 'peft']\n\
                 deps = {b: a for a, b in (re.findall(r'x', x)[0] for x in _deps)}\n\
                 def deps_list(*pkgs):\n    return [deps[pkg] for pkg in pkgs]\n\
                 extras = {}\nextras['tests'] = deps_list('peft')\nextras['dev'] = extras['tests'] + ['ruff']\n\
                 install_requires = [deps['trl'], deps['flash-attn']]\n\
                 setup(install_requires=install_requires, extras_require=extras)",
                "trl>=0.9.6 flash-attn peft (extra: tests) peft (extra: dev) ruff (extra: dev)",
            ),
            ("d = {'trl': 'trl==0.9.6'}\nsetup(install_requires=list(d.values()))", "trl==0.9.6"),
            (
                "with open('requirements.txt') as f:\n    r = f.read().splitlines()\nsetup(install_requires=r)",
                "-r requirements.txt",
            ),
            ("setup(install_requires=open(os.path.join(here, 'requirements.txt')).readlines())", "-r requirements.txt"),
            (
                "def fetch():\n    with open('requirements.txt') as f:\n        return [l.strip() for l in f if l]\nsetup(install_requires=fetch())",
                "-r requirements.txt",
            ),
            (
                "def fetch(path):\n    with open(path) as f:\n        return f.read().split()\nsetup(install_requires=fetch('requirements.txt'))",
                "-r requirements.txt",
            ),
            ("x = dict(install_requires=['trl'])\nif __name__ == '__main__':\n    setup(**x)", "trl"),
            ("setup(long_description=open('README.md').read(), install_requires=f())", ""),
            ("setup(install_requires=[f'trl=={v}'])", ""),
            ("def f():\n    return f()\nsetup(install_requires=f())", ""),
            ("setup(", ""),
        ] {
            assert_eq!(declared(text), expected, "{text}");
        }
    }

    #[test]
    fn nesting_does_not_overflow() {
        let sum = format!("setup(install_requires={}['trl'])", "['x'] + ".repeat(3000));
        declared(&sum);
        declared(&format!("setup(install_requires={}", "[".repeat(5000)));
        declared(&format!("a = ['trl']\n{}setup(install_requires=a)", "a = [a, a]\n".repeat(200)));
        declared(&format!("def f():\n{}    return f()\nsetup(install_requires=f())", "    x = f()\n".repeat(9)));
    }
}
