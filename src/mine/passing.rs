//! Constructors whose `**kwargs` go to the constructor of the base and nowhere else: they take what that one takes.
//!
//! Written down as parameters of the class, since whoever names a component in a configuration counts on its keywords alone.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{self as ast, Expr, Stmt};

use super::definition::Definition;
use super::library::Library;
use super::scope::Binding;

/// Gives classes the keywords that they hand on to a base which is among the definitions and takes nothing else.
pub(super) fn describe(library: &Library<'_>, definitions: &mut BTreeMap<String, Definition>) {
    let open: Vec<String> =
        definitions.iter().filter(|(_, one)| one.any_keyword).map(|(name, _)| name.clone()).collect();
    // A base that hands on itself comes before those that derive from it: each round settles one more generation.
    for _ in 0..open.len() {
        let mut changed = false;
        for name in &open {
            changed |= hand_on(library, name, definitions);
        }
        if !changed {
            break;
        }
    }
}

fn hand_on(library: &Library<'_>, name: &str, definitions: &mut BTreeMap<String, Definition>) -> bool {
    let Some(definition) = definitions.get(name).filter(|one| one.any_keyword) else { return false };
    let Some((_, Binding::Class(class))) = library.definition(name) else { return false };
    let Some(Handed { positional, named }) = handed(class) else { return false };
    let base = definition.bases.first().and_then(|base| definitions.get(base));
    let Some(base) = base.filter(|base| !base.any_keyword && !base.inherits) else { return false };
    let given: BTreeSet<&str> =
        base.positional.iter().take(positional).map(String::as_str).chain(named.iter().map(String::as_str)).collect();
    let rest = base.parameters.iter().filter(|(name, _)| !given.contains(name.as_str()));
    let rest: Vec<_> = rest.map(|(name, parameter)| (name.clone(), parameter.clone())).collect();
    let Some(definition) = definitions.get_mut(name) else { return false };
    definition.any_keyword = false;
    for (name, mut parameter) in rest {
        parameter.keyword_only = true;
        definition.parameters.entry(name).or_insert(parameter);
    }
    true
}

/// What a constructor says to its base besides `**kwargs`.
struct Handed {
    positional: usize,
    named: Vec<String>,
}

fn handed(class: &ast::StmtClassDef) -> Option<Handed> {
    let constructor = class.body.iter().find_map(|statement| match statement {
        Stmt::FunctionDef(method) if method.name.as_str() == "__init__" => Some(method),
        _ => None,
    })?;
    let kwargs = constructor.parameters.kwarg.as_ref()?.name.as_str();
    let mut uses = Uses { kwargs, others: 0, calls: Vec::new() };
    uses.visit_body(&constructor.body);
    let (0, [call]) = (uses.others, &uses.calls[..]) else { return None };
    // What `*args` holds is given by position, and nobody does that here.
    let positional = call.arguments.args.iter().filter(|one| !one.is_starred_expr()).count();
    let named = call.arguments.keywords.iter().filter_map(|keyword| Some(keyword.arg.as_ref()?.to_string()));
    Some(Handed { positional, named: named.collect() })
}

/// What becomes of `**kwargs`.
struct Uses<'a> {
    kwargs: &'a str,
    /// Uses that are neither a call of the base's constructor nor a question that changes nothing.
    others: usize,
    calls: Vec<&'a ast::ExprCall>,
}

impl Uses<'_> {
    fn is_it(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Name(name) if name.id.as_str() == self.kwargs)
    }
}

impl<'a> Visitor<'a> for Uses<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => {
                if let Expr::Attribute(function) = &*call.func {
                    if function.attr.as_str() == "get" && self.is_it(&function.value) {
                        call.arguments.args.iter().for_each(|argument| self.visit_expr(argument));
                        return;
                    }
                    let spreads = |keyword: &ast::Keyword| keyword.arg.is_none() && self.is_it(&keyword.value);
                    if is_super(&function.value)
                        && function.attr.as_str() == "__init__"
                        && call.arguments.keywords.iter().any(spreads)
                    {
                        self.calls.push(call);
                        return;
                    }
                }
                walk_expr(self, expr);
            }
            Expr::Name(_) if self.is_it(expr) => self.others += 1,
            _ => walk_expr(self, expr),
        }
    }
}

fn is_super(expr: &Expr) -> bool {
    matches!(expr, Expr::Call(call) if matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "super"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::definition::definitions;
    use crate::mine::surface::Surface;
    use crate::mine::wheel::Modules;

    #[test]
    fn what_goes_to_the_base_is_taken() {
        let text = "
class Base:
    def __init__(self, llm, lora=None, tokenizer=None): ...
class Direct(Base):
    def __init__(self, llm, beta=0.1, **kwargs):
        super().__init__(llm, tokenizer=None, **kwargs)
        self.on = kwargs.get('lora', None)
class Again(Direct):
    def __init__(self, *args, gamma=1, **kwargs):
        super().__init__(*args, **kwargs)
class Other(Base):
    def __init__(self, llm, **kwargs):
        kwargs.pop('extra', None)
        super().__init__(llm, **kwargs)
";
        let modules = Modules::parse([("p/__init__.py".to_owned(), text.to_owned())]);
        let library = Library::new(&modules);
        let mut found = definitions(&library, &Surface::default(), &|_, _| true);
        describe(&library, &mut found);
        let shown = |name: &str| {
            let one = &found[name];
            let names: Vec<&str> = one.parameters.keys().map(String::as_str).collect();
            format!("{}{}", names.join(" "), if one.any_keyword { " **" } else { "" })
        };
        assert_eq!(shown("p.Direct"), "beta llm lora");
        assert_eq!(shown("p.Again"), "beta gamma llm lora");
        assert_eq!(shown("p.Other"), "llm **");
    }
}
