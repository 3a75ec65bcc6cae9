//! Methods that a class of another package calls, and that a class overrides: what it takes there.
//!
//! A trainer of TRL is called by the training loop of transformers. Which methods that is about `schemas/surface.json` says.

use std::collections::BTreeMap;

use ruff_python_ast::{Parameters, Stmt};

use super::definition::Definition;
use super::library::Library;
use super::scope::Binding;
use super::surface::Surface;
use crate::knowledge::Method;

/// Adds the methods to the classes that define them.
pub(super) fn describe(library: &Library<'_>, surface: &Surface, definitions: &mut BTreeMap<String, Definition>) {
    for (name, definition) in definitions {
        let Some((_, Binding::Class(class))) = library.definition(name) else { continue };
        for statement in &class.body {
            let Stmt::FunctionDef(method) = statement else { continue };
            if surface.overrides(&method.name) {
                definition.methods.insert(method.name.to_string(), taken(&method.parameters));
            }
        }
    }
}

fn taken(parameters: &Parameters) -> Method {
    let names = |list: &[ruff_python_ast::ParameterWithDefault]| -> Vec<String> {
        list.iter().map(|one| one.parameter.name.to_string()).collect()
    };
    let by_position = names(&parameters.posonlyargs).into_iter().chain(names(&parameters.args));
    Method {
        positional: by_position.skip(1).collect(),
        keyword_only: names(&parameters.kwonlyargs),
        any_positional: parameters.vararg.is_some(),
        any_keyword: parameters.kwarg.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::definition::definitions;
    use crate::mine::wheel::Modules;

    #[test]
    fn only_methods_that_others_call_are_written_down() {
        let text = "class T:\n    def log(self, logs, *, at=1, **kwargs): ...\n    def own(self, x): ...\n";
        let modules = Modules::parse([("p/__init__.py".to_owned(), text.to_owned())]);
        let library = Library::new(&modules);
        let mut found = definitions(&library, &Surface::default(), &|_, _| true);
        describe(&library, &Surface::of("trl"), &mut found);
        let log = Method {
            positional: vec!["logs".to_owned()],
            keyword_only: vec!["at".to_owned()],
            any_positional: false,
            any_keyword: true,
        };
        assert_eq!(found["p.T"].methods, [("log".to_owned(), log)].into());
    }
}
