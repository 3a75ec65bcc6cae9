//! What a constructor hands on to that of a base class in another package.
//!
//! A trainer of TRL ends in `super().__init__(model=model, args=args, ...)`, and the checks of that constructor, mined from its own
//! package, hold for the trainer's arguments as well. What is handed on is kept as an expression over the trainer's parameters.

use std::sync::Arc;

use super::condition::sufficient;
use crate::eval::{Atom, CallEvent, Cond, Root, Trace, Value};
use crate::knowledge::Forward;

/// Longer expressions are of no use.
const MAX_LENGTH: usize = 160;

/// What is not known.
const UNKNOWN: &str = "...";

/// The parameters of the outside constructor that get something known from the constructor of a class, by name.
pub(super) fn forwards(trace: &Trace, class: &str) -> Vec<Forward> {
    // A configuration that the constructor makes itself is built through a class of the package, too.
    let is_own = |call: &&CallEvent| call.through.as_ref().is_some_and(|through| *through.name == *class);
    let mut calls = trace.calls.iter().filter(is_own);
    // Two different calls of it: which one is made depends on more than the parameters.
    let (Some(call), None) = (calls.next(), calls.next()) else { return Vec::new() };
    let arguments = call.object.args.iter().filter_map(|argument| {
        let value = written(&argument.value.value).filter(|value| value.len() <= MAX_LENGTH)?;
        Some(Forward { parameter: argument.name.as_deref()?.to_owned(), value })
    });
    let mut forwards: Vec<Forward> = arguments.collect();
    forwards.sort_by(|one, other| one.parameter.cmp(&other.parameter));
    forwards
}

/// A value as an expression over the parameters: `eval_dataset if eval_dataset is None else ...`.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::Const(constant) => Some(constant.to_string()),
        Value::Symbol(symbol) if matches!(symbol.root, Root::Parameter(_)) => Some(symbol.to_string()),
        Value::Choice(_) => {
            let known = value.alternatives().into_iter().filter_map(|(when, value)| {
                // Where that is not sure, neither is the value.
                let text = written(&value)?;
                let when = sufficient(&when).or_else(|| where_missing(&value, &when))?;
                Some(format!("{text} if {when} else "))
            });
            let known: Vec<String> = known.collect();
            (!known.is_empty()).then(|| known.concat() + UNKNOWN)
        }
        _ => None,
    }
}

/// What is `None` often goes through a function untouched, whatever is asked on the way.
fn where_missing(value: &Value, when: &Cond) -> Option<String> {
    let Value::Symbol(symbol) = value else { return None };
    let is_missing = Cond::Atom(Atom::IsNone(Arc::clone(symbol)));
    is_missing.implies(when).then(|| is_missing.to_string())
}

#[cfg(test)]
mod tests {
    use crate::mine::behaviour::describe;
    use crate::mine::definition::definitions;
    use crate::mine::library::Library;
    use crate::mine::surface::Surface;
    use crate::mine::wheel::Modules;

    fn forwards(init: &str) -> Vec<(String, String)> {
        let text = format!(
            "from transformers import Trainer\nclass Config(Trainer):\n    pass\nclass Base(Trainer):\n    pass\nclass T(Base):\n    \
             def __init__(self, model=None, args=None, eval_dataset=None, flag=False):\n{init}"
        );
        let modules = Modules::parse([("p/__init__.py".to_owned(), text)]);
        let library = Library::new(&modules);
        let mut found = definitions(&library, &crate::mine::surface::Surface::default(), &|_, _| true);
        describe(&library, &Surface::default(), &mut found);
        found["p.T"].forwards.iter().map(|one| (one.parameter.clone(), one.value.clone())).collect()
    }

    #[test]
    fn what_is_handed_on_is_over_the_own_parameters() {
        let init = "        if args is None:\n            args = Config()\n        if eval_dataset is not None:\n            \
                    eval_dataset = self.prepare(eval_dataset)\n        \
                    super().__init__(model=model, args=args, eval_dataset=eval_dataset, n=3, lost=load())\n";
        let expected = [
            ("args", "args if args is not None else ..."),
            ("eval_dataset", "eval_dataset if eval_dataset is None else ..."),
            ("model", "model"),
            ("n", "3"),
        ];
        let found = forwards(init);
        let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_none_goes_through_branches_that_are_not_known() {
        let init = "        if not (load() and flag or read(model)):\n            if eval_dataset is not None:\n                \
                    eval_dataset = self.prepare(eval_dataset)\n        super().__init__(eval_dataset=eval_dataset)\n";
        let expected = ("eval_dataset".to_owned(), "eval_dataset if eval_dataset is None else ...".to_owned());
        assert_eq!(forwards(init), [expected]);
    }

    #[test]
    fn two_ways_to_the_base_are_not_told_apart() {
        let init = "        if flag:\n            super().__init__(model=model)\n        else:\n            \
                    super().__init__(model=None)\n";
        assert_eq!(forwards(init), []);
    }
}
