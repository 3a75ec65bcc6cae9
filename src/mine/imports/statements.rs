//! What happens when a module is imported, statement by statement.

use ruff_python_ast::{self as ast, ExceptHandler, Expr, Stmt};

use super::guard::Guard;
use super::names::{Conditions, called};
use super::release::{Lookup, Parsed};

/// Something that importing a module does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// `import a.b` or, with a name, `from a.b import name`.
    Import { module: String, name: Option<String> },
    /// `raise ImportError(...)`
    Raise,
    /// `require_version("accelerate>=0.20")`
    Require(String),
}

/// Exceptions that an import which cannot be made raises.
const CAUGHT: [&str; 5] = ["ImportError", "ModuleNotFoundError", "Exception", "BaseException", "RuntimeError"];

/// What importing a module does, in order.
pub(super) fn events<'a>(lookup: &dyn Lookup<'a>, module: &'a Parsed) -> Vec<(Event, Guard)> {
    let mut reader = Reader { conditions: Conditions { lookup, module }, module, events: Vec::new() };
    reader.block(module.python.body(), Guard::always(), false);
    reader.events
}

struct Reader<'l, 'a> {
    conditions: Conditions<'l, 'a>,
    module: &'a Parsed,
    events: Vec<(Event, Guard)>,
}

impl<'a> Reader<'_, 'a> {
    /// Reads statements that run under a guard; says under which the next ones do. What is `tried` harms nobody.
    fn block(&mut self, body: &'a [Stmt], mut guard: Guard, tried: bool) -> Guard {
        for statement in body {
            if guard.is_never() {
                break;
            }
            guard = self.statement(statement, guard, tried);
        }
        guard
    }

    fn statement(&mut self, statement: &'a Stmt, guard: Guard, tried: bool) -> Guard {
        match statement {
            Stmt::Import(import) if !tried => {
                for alias in &import.names {
                    let module = alias.name.to_string();
                    self.events.push((Event::Import { module, name: None }, guard.clone()));
                }
            }
            Stmt::ImportFrom(import) if !tried => {
                let written = import.module.as_ref().map_or("", |module| module.as_str());
                let module = self.module.absolute(written, import.level);
                for alias in &import.names {
                    let name = Some(alias.name.to_string());
                    self.events.push((Event::Import { module: module.clone(), name }, guard.clone()));
                }
            }
            Stmt::Expr(expression) if !tried => {
                if let Expr::Call(call) = &*expression.value
                    && called(call).is_some_and(|name| matches!(name, "require_version" | "require_version_core"))
                    && let Some(Expr::StringLiteral(text)) = call.arguments.args.first()
                {
                    self.events.push((Event::Require(text.value.to_str().to_owned()), guard.clone()));
                }
            }
            Stmt::Raise(_) => {
                if !tried {
                    self.events.push((Event::Raise, guard));
                }
                return Guard::never();
            }
            Stmt::If(branch) => return self.branch(branch, &guard, tried),
            Stmt::Try(attempt) => return self.attempt(attempt, guard, tried),
            Stmt::With(with) => return self.block(&with.body, guard, tried),
            Stmt::ClassDef(class) => {
                self.block(&class.body, guard.clone(), tried);
            }
            Stmt::For(each) => {
                self.block(&each.body, guard.and(&Guard::unknown()), tried);
            }
            _ => {}
        }
        guard
    }

    fn branch(&mut self, branch: &'a ast::StmtIf, guard: &Guard, tried: bool) -> Guard {
        let condition = self.conditions.guard(&branch.test);
        let mut after = self.block(&branch.body, guard.and(&condition), tried);
        let mut left = guard.and(&condition.negate());
        for clause in &branch.elif_else_clauses {
            let condition = clause.test.as_ref().map_or_else(Guard::always, |test| self.conditions.guard(test));
            after = after.or(&self.block(&clause.body, left.and(&condition), tried));
            left = left.and(&condition.negate());
        }
        after = after.or(&left);
        // Both ways lead on: what comes next depends on neither.
        let ended = [&branch.body].into_iter().chain(branch.elif_else_clauses.iter().map(|clause| &clause.body));
        if ended.into_iter().any(|body| matches!(body.last(), Some(Stmt::Raise(_)))) { after } else { guard.clone() }
    }

    fn attempt(&mut self, attempt: &'a ast::StmtTry, guard: Guard, tried: bool) -> Guard {
        let is_caught = attempt.handlers.iter().any(catches);
        let raised = attempt.body.iter().any(|one| matches!(one, Stmt::If(_) | Stmt::Raise(_)));
        // A body that only raises a signal of its own imports nothing, and its `else` runs where it does not raise.
        let after = self.block(&attempt.body, guard.clone(), tried || is_caught || raised);
        for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
            self.block(&handler.body, guard.and(&Guard::unknown()), tried);
        }
        self.block(&attempt.orelse, after, tried);
        self.block(&attempt.finalbody, guard.clone(), tried);
        guard
    }
}

/// Whether a handler catches an import that cannot be made and goes on.
fn catches(handler: &ExceptHandler) -> bool {
    let ExceptHandler::ExceptHandler(handler) = handler;
    let names: Vec<&Expr> = match handler.type_.as_deref() {
        None => return true,
        Some(Expr::Tuple(tuple)) => tuple.elts.iter().collect(),
        Some(one) => vec![one],
    };
    let is_named = names.iter().any(|one| matches!(one, Expr::Name(name) if CAUGHT.contains(&name.id.as_str())));
    is_named && !matches!(handler.body.last(), Some(Stmt::Raise(_)))
}
