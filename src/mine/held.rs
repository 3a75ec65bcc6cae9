//! Classes that the fields of a class hold: a configuration is a tree of them.

use ruff_python_ast::{Expr, visitor};
use ruff_text_size::{Ranged, TextRange};

use super::library::{Library, Target};
use super::scope::Binding;
use super::surface::Surface;

/// An annotation with the classes of the package that it holds named in full, which are added to `held`; `None` where it holds none, or
/// where that is not asked for.
pub(super) fn annotation(
    library: &Library<'_>,
    module: &str,
    surface: &Surface,
    annotation: &Expr,
    held: &mut Vec<String>,
) -> Option<String> {
    if !surface.is_nested() {
        return None;
    }
    let mut names = Names { library, module, found: Vec::new() };
    visitor::Visitor::visit_expr(&mut names, annotation);
    if names.found.is_empty() {
        return None;
    }
    let text = library.modules.get(module)?.python.text();
    let (mut whole, mut at) = (String::new(), annotation.start());
    for (range, full) in names.found {
        whole.push_str(&text[at.to_usize()..range.start().to_usize()]);
        whole.push_str(&full);
        at = range.end();
        if !held.contains(&full) {
            held.push(full);
        }
    }
    whole.push_str(&text[at.to_usize()..annotation.end().to_usize()]);
    Some(whole.split_whitespace().collect::<Vec<_>>().join(" "))
}

struct Names<'l> {
    library: &'l Library<'l>,
    module: &'l str,
    found: Vec<(TextRange, String)>,
}

impl<'a> visitor::Visitor<'a> for Names<'_> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if matches!(expression, Expr::Name(_) | Expr::Attribute(_))
            && let Target::Definition(full) = self.library.resolve_expression(self.module, expression)
            && holds_fields(self.library, &full)
        {
            self.found.push((expression.range(), full));
            return;
        }
        visitor::walk_expr(self, expression);
    }
}

/// Whether a class is a dataclass or a model.
fn holds_fields(library: &Library<'_>, full: &str) -> bool {
    let Some((module, Binding::Class(class))) = library.definition(full) else { return false };
    let is_dataclass = class.decorator_list.iter().any(|decorator| {
        let called = match &decorator.expression {
            Expr::Call(call) => &*call.func,
            other => other,
        };
        super::definition::last_name(called) == "dataclass"
    });
    is_dataclass || super::model::is_model(library, module, class)
}
