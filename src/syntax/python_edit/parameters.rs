//! Methods of a class and what they take.

use ruff_python_ast::{self as ast, Stmt};
use ruff_text_size::Ranged;

use super::layout::bytes;
use super::{Change, edits};
use crate::source::Span;
use crate::syntax::Edit;
use crate::syntax::python::PythonModule;

/// A method without decorators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Parameters that can be given by position, `self` left out.
    pub positional: Vec<String>,
    /// Parameters that can be given by name only.
    pub keyword_only: Vec<String>,
    /// Whether further positional arguments are accepted.
    pub any_positional: bool,
    /// Whether any other keyword is accepted.
    pub any_keyword: bool,
}

/// The methods that stand directly in the class of this span; one that is decorated or defined twice is left out.
pub fn methods(module: &PythonModule, class: Span) -> Vec<Method> {
    let functions = functions(module, class);
    let is_plain = |function: &&&ast::StmtFunctionDef| {
        function.decorator_list.is_empty()
            && functions.iter().filter(|other| other.name.as_str() == function.name.as_str()).count() == 1
    };
    functions.iter().filter(is_plain).filter_map(|function| method(module, function)).collect()
}

/// The functions that stand directly in the class of this span.
fn functions(module: &PythonModule, class: Span) -> Vec<&ast::StmtFunctionDef> {
    let Some(class) = class_at(module, module.body(), class) else { return Vec::new() };
    let functions = class.body.iter().filter_map(|statement| match statement {
        Stmt::FunctionDef(function) => Some(function),
        _ => None,
    });
    functions.collect()
}

fn class_at<'a>(module: &PythonModule, body: &'a [Stmt], span: Span) -> Option<&'a ast::StmtClassDef> {
    body.iter().find_map(|statement| match statement {
        Stmt::ClassDef(class) if module.span(class) == span => Some(class),
        Stmt::ClassDef(class) => class_at(module, &class.body, span),
        Stmt::FunctionDef(function) => class_at(module, &function.body, span),
        Stmt::If(branch) => class_at(module, &branch.body, span)
            .or_else(|| branch.elif_else_clauses.iter().find_map(|clause| class_at(module, &clause.body, span))),
        Stmt::Try(attempt) => class_at(module, &attempt.body, span),
        _ => None,
    })
}

fn method(module: &PythonModule, function: &ast::StmtFunctionDef) -> Option<Method> {
    let parameters = &function.parameters;
    let name = |parameter: &ast::ParameterWithDefault| parameter.parameter.name.to_string();
    // A parameter that has no name for the caller takes part in no call by name; such are too rare to follow.
    let positional = parameters.args.iter().skip(1).map(name).collect();
    (parameters.posonlyargs.is_empty() && !parameters.args.is_empty()).then(|| Method {
        name: function.name.to_string(),
        span: module.span(&function.name),
        positional,
        keyword_only: parameters.kwonlyargs.iter().map(name).collect(),
        any_positional: parameters.vararg.is_some(),
        any_keyword: parameters.kwarg.is_some(),
    })
}

/// Adds parameters that are `None` by default behind the last one of a method that has only plain ones.
pub fn add_parameters(module: &PythonModule, class: Span, method: &Method, names: &[&str]) -> Option<Vec<Edit>> {
    let function = functions(module, class).into_iter().find(|function| *function.name == *method.name)?;
    let parameters = &function.parameters;
    if parameters.vararg.is_some() || !parameters.kwonlyargs.is_empty() || parameters.kwarg.is_some() {
        return None;
    }
    let at = bytes(parameters.args.last()?.range()).end;
    let text = names.iter().fold(String::new(), |text, name| text + ", " + name + "=None");
    Some(edits(module, vec![Change::new(at..at, text)]))
}
