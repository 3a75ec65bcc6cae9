//! Exceptions: handlers, context managers, what is raised.

use std::sync::Arc;

use pep440_rs::Operator;
use ruff_python_ast::{self as ast, Expr, Stmt};

use super::expressions::FStringPart;
use super::interpreter::Interpreter;
use super::statements::short_name;
use super::store::Writes;
use super::truth::{compare, join_paths};
use super::{Cond, Const, Order, RaiseEvent, Root, Symbol, Value};
use crate::source::Span;
use crate::syntax::requirements;

impl Interpreter<'_> {
    pub(super) fn with(&mut self, items: &[ast::WithItem], body: &[Stmt]) {
        let mut suppressed = Vec::new();
        for item in items {
            if let Expr::Call(call) = &item.context_expr {
                let callee = self.expr(&call.func);
                // A test that expects what it calls to fail is no program that fails.
                let expects = |name: &str| matches!(name, "assertRaises" | "assertRaisesRegex");
                let catches = match &callee {
                    Value::External(path) => matches!(&**path, "contextlib.suppress" | "pytest.raises"),
                    _ => matches!(&*call.func, Expr::Attribute(method) if expects(&method.attr)),
                };
                if catches {
                    suppressed.extend(call.arguments.args.iter().flat_map(exception_names));
                    continue;
                }
            }
            let context = self.expr(&item.context_expr);
            if let Some(target) = &item.optional_vars {
                let value = match &context {
                    Value::Object(_) | Value::Instance(_) => context,
                    _ => self.fresh(&item.context_expr),
                };
                self.bind(target, &value);
            }
        }
        if suppressed.is_empty() {
            return self.block(body);
        }
        let (before, writes, end) = self.guarded(&suppressed, |state| state.block(body));
        let failed = Cond::opaque();
        self.path = if end == Cond::FALSE { before.and(failed.clone()) } else { end };
        self.merge(&failed, &Writes::new(), &writes);
    }

    /// Evaluates something under handlers for `names`, undone; the path before, what was written, and the path after.
    fn guarded(&mut self, names: &[Arc<str>], body: impl FnOnce(&mut Self)) -> (Cond, Writes, Cond) {
        let (before, mark, outer) = (self.path.clone(), self.store.mark(), self.caught.len());
        self.caught.extend(names.iter().cloned());
        body(self);
        self.caught.truncate(outer);
        let end = std::mem::replace(&mut self.path, before.clone());
        (before, self.store.take(mark), end)
    }

    pub(super) fn try_statement(&mut self, node: &ast::StmtTry) {
        let mut names = Vec::new();
        for ast::ExceptHandler::ExceptHandler(handler) in &node.handlers {
            if handler.body.last().is_some_and(Stmt::is_raise_stmt) {
                // What it catches still ends the program.
                continue;
            }
            names.extend(handled_names(handler));
        }
        let start = self.path.clone();
        let (before, body, body_end) = self.guarded(&names, |state| state.block(&node.body));
        let mark = self.store.mark();
        // Without an exception.
        self.store.apply(body.clone());
        self.path = body_end;
        if self.alive() {
            self.block(&node.orelse);
        }
        let mut end = self.path.clone();
        let mut writes = self.store.take(mark);
        for ast::ExceptHandler::ExceptHandler(handler) in &node.handlers {
            let raised = Cond::opaque();
            self.path = before.clone();
            self.path = self.assume(&raised);
            // How far the body came is not known.
            self.merge(&Cond::opaque(), &body, &Writes::new());
            if let Some(name) = &handler.name {
                let value = self.fresh_named(name);
                self.assign(name, value);
            }
            let outer = self.handling.len();
            self.handling.extend(handled_names(handler));
            self.block(&handler.body);
            self.handling.truncate(outer);
            let handled = self.store.take(mark);
            if self.path == Cond::FALSE {
                continue;
            }
            if end == Cond::FALSE {
                (end, writes) = (self.path.clone(), handled);
                continue;
            }
            end = if end == before { end } else { join_paths(&end, &self.path) };
            self.merge(&raised, &handled, &writes);
            writes = self.store.take(mark);
        }
        self.store.apply(writes);
        self.path.clone_from(&end);
        if !node.finalbody.is_empty() {
            // Reached on every way, those that leave included.
            self.path = start;
            self.block(&node.finalbody);
            if self.path != Cond::FALSE {
                self.path = end;
            }
        }
    }

    pub(super) fn raise(&mut self, node: &ast::StmtRaise) {
        let (class, message) = match node.exc.as_deref() {
            Some(Expr::Call(call)) => (Some(&*call.func), call.arguments.args.first()),
            other => (other, None),
        };
        let exception: Arc<str> = class.and_then(short_name).unwrap_or("").into();
        if let Some(exc) = &node.exc {
            self.expr(exc);
        }
        let message = message.and_then(|message| self.message(message));
        let (span, when, caught) = (self.span(node), self.path.clone(), self.caught.clone());
        self.trace.raises.push(RaiseEvent { span, exception, message, when, caught });
        self.stop();
    }

    pub(super) fn assert(&mut self, node: &ast::StmtAssert) {
        let test = self.condition(&node.test);
        let fails = self.assume(&test.clone().negate());
        if fails != Cond::FALSE {
            let message = node.msg.as_ref().and_then(|message| self.message(message));
            let (span, caught) = (self.span(node), self.caught.clone());
            let exception = "AssertionError".into();
            self.trace.raises.push(RaiseEvent { span, exception, message, when: fails, caught });
        }
        if !self.lenient {
            self.path = self.assume(&test);
        }
    }

    /// Goes on only with the releases that a requirement (`trl>=0.8.6,<=0.9.6`) admits.
    pub(super) fn require(&mut self, requirement: &str) {
        let nowhere = Span::new(self.frame.module.file(), 0, 0);
        let Ok(read) = requirements::parse_requirement(requirement, nowhere) else { return };
        let package = Value::Symbol(Arc::new(Symbol { root: Root::Release(read.name.into()), path: Vec::new() }));
        for specifier in read.specifiers.iter().flat_map(|specifiers| specifiers.parsed.iter()) {
            let orders: &[Order] = match specifier.operator() {
                Operator::LessThan => &[Order::Less],
                Operator::LessThanEqual => &[Order::LessOrEqual],
                Operator::GreaterThan => &[Order::Greater],
                Operator::GreaterThanEqual => &[Order::GreaterOrEqual],
                Operator::Equal => &[Order::GreaterOrEqual, Order::LessOrEqual],
                _ => &[],
            };
            let version = Value::str(&specifier.version().to_string());
            for order in orders {
                let holds = compare(&package, *order, &version);
                self.path = self.assume(&holds);
            }
        }
    }

    /// A message as far as it is literal.
    fn message(&mut self, expr: &Expr) -> Option<Arc<str>> {
        match expr {
            Expr::FString(node) => {
                let shown = |part: FStringPart| match part {
                    FStringPart::Literal(text) | FStringPart::Value(Value::Const(Const::Str(text)), _) => {
                        text.to_string()
                    }
                    FStringPart::Value(Value::Const(known), _) => known.to_string(),
                    FStringPart::Value(..) => String::from("{...}"),
                };
                Some(self.fstring_parts(node).into_iter().map(shown).collect::<String>().into())
            }
            _ => match self.expr(expr) {
                Value::Const(Const::Str(text)) => Some(text),
                _ => None,
            },
        }
    }
}

/// The exceptions that a handler is for; `*` for all of them.
fn handled_names(handler: &ast::ExceptHandlerExceptHandler) -> Vec<Arc<str>> {
    handler.type_.as_deref().map_or_else(|| vec!["*".into()], exception_names)
}

/// The classes that an `except` names, by their last component; `*` for those that catch everything.
fn exception_names(class: &Expr) -> Vec<Arc<str>> {
    match class {
        Expr::Tuple(node) => node.elts.iter().flat_map(exception_names).collect(),
        Expr::Name(_) | Expr::Attribute(_) => {
            let name = short_name(class).unwrap_or_default();
            vec![if matches!(name, "Exception" | "BaseException") { "*".into() } else { name.into() }]
        }
        _ => vec!["*".into()],
    }
}
