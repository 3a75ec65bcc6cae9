//! Classes, dataclasses and functions of one release with what they accept.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::{self as ast, Decorator, Expr, Stmt};
use ruff_text_size::Ranged;

use super::library::{Library, Target, is_public, is_public_path};
use super::program::Program;
use super::scope::Binding;
use super::surface::Surface;
use crate::knowledge::{CallableKind, Forward, Guard, Method, Parameter, Read, Returns};
use crate::syntax::python::PythonModule;

/// Longer expressions are stored as `...`.
const MAX_SOURCE: usize = 160;

/// A callable of one release.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub kind: CallableKind,
    pub bases: Vec<String>,
    pub positional: Vec<String>,
    pub parameters: BTreeMap<String, Parameter>,
    pub any_keyword: bool,
    pub any_positional: bool,
    /// Whether the constructor is that of the bases.
    pub inherits: bool,
    /// Classes that its fields hold, by full name.
    pub holds: Vec<String>,
    pub guards: Vec<Guard>,
    pub before: Vec<Guard>,
    pub warnings: Vec<Guard>,
    pub reads: Vec<Read>,
    pub forwards: Vec<Forward>,
    pub returns: Vec<Returns>,
    pub methods: BTreeMap<String, Method>,
}

impl Definition {
    pub(super) fn new(kind: CallableKind) -> Self {
        Self {
            kind,
            bases: Vec::new(),
            positional: Vec::new(),
            parameters: BTreeMap::new(),
            any_keyword: false,
            any_positional: false,
            inherits: false,
            holds: Vec::new(),
            guards: Vec::new(),
            before: Vec::new(),
            warnings: Vec::new(),
            reads: Vec::new(),
            forwards: Vec::new(),
            returns: Vec::new(),
            methods: BTreeMap::new(),
        }
    }
}

/// The callables that users can reach, by full name: public ones of public modules, what a public module re-exports, and
/// the classes of the package that these derive from. `wanted` narrows the first two by full name and public name.
pub(super) fn definitions(
    library: &Library<'_>,
    surface: &Surface,
    wanted: &dyn Fn(&str, &str) -> bool,
) -> BTreeMap<String, Definition> {
    let mut queue: BTreeSet<String> = BTreeSet::new();
    for (module, scope) in library.scopes().filter(|(module, _)| is_public_path(module)) {
        for name in scope.bindings.keys().filter(|name| is_public(name)) {
            if let Target::Definition(full) = library.resolve(module, name)
                && wanted(&full, name)
            {
                queue.insert(full);
            }
        }
    }
    let mut found = BTreeMap::new();
    while let Some(full) = queue.pop_first() {
        let Some(definition) = define(library, surface, &full) else { continue };
        queue.extend(definition.holds.iter().filter(|held| !found.contains_key(*held)).cloned());
        let own =
            definition.bases.iter().filter(|base| library.definition(base).is_some() && !found.contains_key(*base));
        queue.extend(own.cloned());
        found.insert(full, definition);
    }
    forget_unusable_positions(&mut found);
    found
}

/// The parsers of modules that are programs, by full name.
pub(super) fn programs(library: &Library<'_>, wanted: &dyn Fn(&str, &str) -> bool) -> BTreeMap<String, Definition> {
    let modules = library.scopes().map(|(module, _)| module).filter(|module| is_public_path(module));
    let found = modules.filter_map(|module| {
        let Program { name, definition } = super::program::program(library, module)?;
        let full = format!("{module}.{name}");
        wanted(&full, &name).then_some((full, definition))
    });
    found.collect()
}

/// The fields of a dataclass follow those of its bases. Where a base is not of this package (`TrainingArguments`, with a
/// hundred fields) nobody counts up to them, and the list would be the larger part of the stored file.
fn forget_unusable_positions(definitions: &mut BTreeMap<String, Definition>) {
    let mut outside: BTreeSet<String> = BTreeSet::new();
    loop {
        let more = definitions.iter().filter(|(name, definition)| {
            let is_outside = |base: &String| outside.contains(base) || !definitions.contains_key(base);
            definition.kind == CallableKind::Dataclass
                && !outside.contains(*name)
                && definition.bases.iter().any(is_outside)
        });
        let more: Vec<String> = more.map(|(name, _)| name.clone()).collect();
        if more.is_empty() {
            break;
        }
        outside.extend(more);
    }
    for (_, definition) in definitions.iter_mut().filter(|(name, _)| outside.contains(*name)) {
        definition.positional.clear();
    }
}

fn define(library: &Library<'_>, surface: &Surface, full: &str) -> Option<Definition> {
    let (module, binding) = library.definition(full)?;
    let python = &library.modules.get(module)?.python;
    match binding {
        Binding::Function(function) => Some(self::function(python, function)),
        Binding::Class(class) => Some(self::class(&At { library, surface, module, python }, class)),
        _ => None,
    }
}

fn function(python: &PythonModule, function: &ast::StmtFunctionDef) -> Definition {
    let mut definition = Definition::new(CallableKind::Function);
    signature(python, function, false, &mut definition);
    definition
}

fn class(at: &At<'_>, class: &ast::StmtClassDef) -> Definition {
    let At { library, module, python, .. } = *at;
    let bases: Vec<String> = class
        .bases()
        .iter()
        .filter_map(|base| match library.resolve_expression(module, base) {
            Target::Definition(name) | Target::External(name) => Some(name),
            _ => None,
        })
        .collect();
    let tuple = bases.iter().any(|base| base == "typing.NamedTuple");
    let dataclass = tuple || class.decorator_list.iter().any(|decorator| last_name(callee(decorator)) == "dataclass");
    let constructor = class.body.iter().find_map(|statement| match statement {
        Stmt::FunctionDef(method) if method.name.as_str() == "__init__" => Some(method),
        _ => None,
    });
    let model = super::model::is_model(library, module, class);
    let has_fields = (dataclass || model) && constructor.is_none();
    let kind = if has_fields { CallableKind::Dataclass } else { CallableKind::Class };
    let mut definition = Definition::new(kind);
    definition.bases = bases.into_iter().filter(|base| base != "object").collect();
    match constructor {
        Some(method) if passes_through(method) => definition.inherits = true,
        Some(method) => signature(python, method, true, &mut definition),
        None if has_fields => fields(at, model, class, &mut definition),
        None => definition.inherits = true,
    }
    definition
}

/// `def __init__(self, *args, **kwargs): ...; super().__init__(*args, **kwargs)` accepts what the base accepts.
fn passes_through(method: &ast::StmtFunctionDef) -> bool {
    let parameters = &method.parameters;
    let takes_all = parameters.iter_non_variadic_params().count() == 1;
    let (Some(_), Some(kwargs), true) = (&parameters.vararg, &parameters.kwarg, takes_all) else { return false };
    method.body.iter().any(|statement| {
        let Stmt::Expr(expression) = statement else { return false };
        let Expr::Call(call) = &*expression.value else { return false };
        let Expr::Attribute(function) = &*call.func else { return false };
        let forwards = |keyword: &ast::Keyword| {
            keyword.arg.is_none() && matches!(&keyword.value, Expr::Name(name) if name.id == kwargs.name.id)
        };
        function.attr.as_str() == "__init__" && call.arguments.keywords.iter().any(forwards)
    })
}

fn signature(python: &PythonModule, function: &ast::StmtFunctionDef, bound: bool, definition: &mut Definition) {
    let parameters = &function.parameters;
    let by_position = parameters.posonlyargs.iter().chain(&parameters.args).skip(usize::from(bound));
    for parameter in by_position {
        definition.positional.push(parameter.parameter.name.to_string());
        definition.parameters.insert(parameter.parameter.name.to_string(), self::parameter(python, parameter, false));
    }
    for parameter in &parameters.kwonlyargs {
        definition.parameters.insert(parameter.parameter.name.to_string(), self::parameter(python, parameter, true));
    }
    definition.any_positional = parameters.vararg.is_some();
    definition.any_keyword = parameters.kwarg.is_some();
    function.decorator_list.iter().for_each(|decorator| decorated(decorator, definition));
}

fn parameter(python: &PythonModule, parameter: &ast::ParameterWithDefault, keyword_only: bool) -> Parameter {
    Parameter {
        default: parameter.default.as_deref().map(|default| source(python, default)),
        annotation: parameter.parameter.annotation.as_deref().map(|annotation| source(python, annotation)),
        keyword_only,
        ..Parameter::default()
    }
}

/// Decorators that change what a function accepts: `@deprecate_kwarg("tokenizer", new_name="processing_class")` and
/// `@_deprecate_arguments(deprecated_args=["beta"])`. They are known by their arguments, since every library has its own.
fn decorated(decorator: &Decorator, definition: &mut Definition) {
    let Expr::Call(call) = &decorator.expression else { return };
    let keyword = |name: &str| call.arguments.find_keyword(name).map(|keyword| &keyword.value);
    // transformers: `deprecate_kwarg(old_name, version, new_name=None, ...)`.
    let third = call.arguments.args.get(2).filter(|_| last_name(callee(decorator)) == "deprecate_kwarg");
    if let (Some(Expr::StringLiteral(old)), Some(Expr::StringLiteral(new))) =
        (call.arguments.args.first().or(keyword("old_name")), keyword("new_name").or(third))
    {
        let alias = Parameter {
            alias_of: Some(new.value.to_str().to_owned()),
            default: Some("...".to_owned()),
            ..Parameter::default()
        };
        definition.parameters.entry(old.value.to_str().to_owned()).or_insert(Parameter { keyword_only: true, ..alias });
    }
    if let Some(Expr::List(names)) = keyword("deprecated_args") {
        for name in &names.elts {
            let Expr::StringLiteral(name) = name else { continue };
            if let Some(parameter) = definition.parameters.get_mut(name.value.to_str()) {
                parameter.deprecated = true;
            }
        }
    }
}

/// Where a class stands.
struct At<'a> {
    library: &'a Library<'a>,
    surface: &'a Surface,
    module: &'a str,
    python: &'a PythonModule,
}

/// The fields of a dataclass, or of a model of pydantic.
fn fields(at: &At<'_>, model: bool, class: &ast::StmtClassDef, definition: &mut Definition) {
    let python = at.python;
    let decorator = class.decorator_list.iter().find(|decorator| last_name(callee(decorator)) == "dataclass");
    let mut keyword_only = decorator.is_some_and(|decorator| flag(&decorator.expression, "kw_only") == Some(true));
    for statement in &class.body {
        let Stmt::AnnAssign(assign) = statement else { continue };
        let Expr::Name(name) = &*assign.target else { continue };
        match last_name(unsubscripted(&assign.annotation)) {
            "ClassVar" => continue,
            "KW_ONLY" => {
                keyword_only = true;
                continue;
            }
            _ => {}
        }
        if model && name.id.as_str() == "model_config" {
            continue;
        }
        let Some(default) = field_default(python, model, assign.value.as_deref()) else { continue };
        let keyword_only = assign.value.as_deref().and_then(|value| flag(value, "kw_only")).unwrap_or(keyword_only);
        let annotation = if model { unannotated(&assign.annotation) } else { &assign.annotation };
        let choices = super::choices::choices(
            at.library,
            at.module,
            annotation,
            assign.value.as_deref(),
            at.surface.is_by_name(),
        );
        let annotation = Some(
            super::held::annotation(at.library, at.module, at.surface, annotation, &mut definition.holds)
                .unwrap_or_else(|| source(python, annotation)),
        );
        if !keyword_only && !model {
            definition.positional.push(name.id.to_string());
        }
        let keyword_only = keyword_only && !model;
        let super::choices::Found { words: choices, values, is_listed, .. } = choices;
        let words = if is_listed { choices.clone() } else { Vec::new() };
        let field = Parameter { default, annotation, keyword_only, choices, values, words, ..Parameter::default() };
        // A model takes a value by another name, too.
        let aliases = assign.value.as_deref().filter(|_| model).map(super::model::aliases).unwrap_or_default();
        definition.parameters.extend(aliases.into_iter().map(|alias| (alias, field.clone())));
        definition.parameters.insert(name.id.to_string(), field);
    }
    definition.any_keyword |= model && super::model::takes_any(class);
    let former = super::host::post_init(class).map(super::alias::aliases).unwrap_or_default();
    for (old, new) in former {
        if let Some(parameter) = definition.parameters.get_mut(&old) {
            parameter.alias_of = Some(new);
        }
    }
}

/// The default of a field, `Some(None)` when it is required, `None` when the constructor does not take it.
#[expect(clippy::option_option, reason = "not a field, a required field, a field with a default")]
fn field_default(python: &PythonModule, model: bool, value: Option<&Expr>) -> Option<Option<String>> {
    let Some(value) = value else { return Some(None) };
    let Expr::Call(call) = value else { return Some(Some(source(python, value))) };
    match last_name(&call.func) {
        "field" | "HfArg" => {}
        "Field" if model => {
            let given = call.arguments.args.first().filter(|first| !first.is_ellipsis_literal_expr());
            if let Some(given) = given {
                return Some(Some(source(python, given)));
            }
        }
        "PrivateAttr" if model => return None,
        _ => return Some(Some(source(python, value))),
    }
    if flag(value, "init") == Some(false) {
        return None;
    }
    let keyword = |name: &str| call.arguments.find_keyword(name).map(|keyword| &keyword.value);
    Some(match (keyword("default"), keyword("default_factory")) {
        (Some(default), _) => Some(source(python, default)),
        (None, Some(Expr::Lambda(lambda))) => Some(source(python, &*lambda.body)),
        (None, Some(factory)) => Some(format!("{}()", source(python, factory))),
        (None, None) => None,
    })
}

/// A literal `True` or `False` given by keyword to a call.
fn flag(call: &Expr, name: &str) -> Option<bool> {
    let Expr::Call(call) = call else { return None };
    match &call.arguments.find_keyword(name)?.value {
        Expr::BooleanLiteral(literal) => Some(literal.value),
        _ => None,
    }
}

/// `int` of `Annotated[int, Field(ge=1)]`.
fn unannotated(annotation: &Expr) -> &Expr {
    let Expr::Subscript(subscript) = annotation else { return annotation };
    match &*subscript.slice {
        Expr::Tuple(parts) if last_name(&subscript.value) == "Annotated" => parts.elts.first().unwrap_or(annotation),
        _ => annotation,
    }
}

fn callee(decorator: &Decorator) -> &Expr {
    match &decorator.expression {
        Expr::Call(call) => &call.func,
        other => other,
    }
}

fn unsubscripted(expression: &Expr) -> &Expr {
    match expression {
        Expr::Subscript(subscript) => &subscript.value,
        other => other,
    }
}

/// The last part of a dotted name.
pub(super) fn last_name(expression: &Expr) -> &str {
    match expression {
        Expr::Name(name) => &name.id,
        Expr::Attribute(attribute) => &attribute.attr,
        _ => "",
    }
}

/// The text of an expression on one line.
pub(super) fn source(python: &PythonModule, expression: impl Ranged) -> String {
    let text = python.slice(expression);
    let line = if text.contains('\n') {
        let joined = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        [
            ("( ", "("),
            ("[ ", "["),
            ("{ ", "{"),
            (", )", ")"),
            (", ]", "]"),
            (", }", "}"),
            (" )", ")"),
            (" ]", "]"),
            (" }", "}"),
        ]
        .iter()
        .fold(joined, |text, (from, to)| text.replace(from, to))
    } else {
        text.to_owned()
    };
    if line.len() > MAX_SOURCE { "...".to_owned() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::wheel::Modules;

    /// The definitions of a package of one module, each as `name(parameters)`.
    fn show(text: &str) -> Vec<String> {
        let modules = Modules::parse([("p/__init__.py".to_owned(), text.to_owned())]);
        let library = Library::new(&modules);
        let shown = definitions(&library, &Surface::default(), &|_, _| true).into_iter().map(|(name, definition)| {
            let mut parts: Vec<String> = definition.positional.clone();
            parts.extend(definition.any_positional.then(|| "*".to_owned()));
            for (name, parameter) in &definition.parameters {
                let star = if parameter.keyword_only { "*" } else { "" };
                let text = |part: &Option<String>, sign: &str| {
                    part.as_ref().map(|text| format!("{sign}{text}")).unwrap_or_default()
                };
                parts.push(format!(
                    "{star}{name}{}{}{}{}",
                    text(&parameter.annotation, ": "),
                    text(&parameter.default, " = "),
                    text(&parameter.alias_of, " -> "),
                    if parameter.deprecated { " deprecated" } else { "" },
                ));
            }
            parts.extend(definition.any_keyword.then(|| "**".to_owned()));
            let bases = definition.bases.join(", ");
            let inherits = if definition.inherits { " inherits" } else { "" };
            format!("{name}({}) <{bases}>{inherits}", parts.join("; "))
        });
        shown.collect()
    }

    #[test]
    fn functions_and_constructors() {
        assert_eq!(
            show("def f(a, b: int = 1, *, c='x', **kw): ...\ndef _g(): ..."),
            ["p.f(a; b; a; b: int = 1; *c = 'x'; **) <>"]
        );
        assert_eq!(
            show(
                "from transformers import Trainer\nclass T(Trainer):\n  @deprecate_kwarg('tokenizer', new_name='proc')\n  \
                  @_deprecate_arguments(version='1', deprecated_args=['beta'])\n  def __init__(self, proc=None, beta=0.1): ..."
            ),
            ["p.T(proc; beta; beta = 0.1 deprecated; proc = None; *tokenizer = ... -> proc) <transformers.Trainer>"]
        );
        assert_eq!(
            show(
                "class T:\n  @deprecate_kwarg('tokenizer', '0.16.0', 'proc', raise_if_both_names=True)\n  def __init__(self, proc): ..."
            ),
            ["p.T(proc; proc; *tokenizer = ... -> proc) <>"]
        );
        assert_eq!(
            show(
                "class A:\n  def __init__(self, x): ...\n@dataclass\nclass B(A):\n  def __init__(self, *args, **kwargs):\n    \
                  warn()\n    super().__init__(*args, **kwargs)\nclass C(A): ..."
            ),
            ["p.A(x; x) <>", "p.B() <p.A> inherits", "p.C() <p.A> inherits"]
        );
    }

    #[test]
    fn private_bases_are_kept() {
        assert_eq!(
            show("class _A:\n  def __init__(self, x): ...\nclass B(_A): ..."),
            ["p.B() <p._A> inherits", "p._A(x; x) <>"]
        );
    }

    #[test]
    fn dataclass_fields() {
        assert_eq!(
            show(
                "import dataclasses\nfrom dataclasses import dataclass, field\n@dataclass\nclass C:\n  need: str\n  \
                  beta: float = field(\n    default=0.1, metadata={'help': 'x'}\n  )\n  items: list = field(default_factory=list)\n  \
                  kind: ClassVar[int] = 1\n  made: int = field(init=False)\n  pair: list = field(default_factory=lambda: [1,\n 2,\n ])\n  \
                  req: int = field(metadata={})\n  last: int = dataclasses.field(default=None, kw_only=True)\n  plain = 3"
            ),
            [
                "p.C(need; beta; items; pair; req; beta: float = 0.1; items: list = list(); *last: int = None; need: str; \
              pair: list = [1, 2]; req: int) <>"
            ]
        );
    }
}
