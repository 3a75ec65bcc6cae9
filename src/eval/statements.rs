//! Statements: assignments, branches, loops, exceptions, definitions.

use std::sync::Arc;

use ruff_python_ast::{Expr, Stmt};

use super::interpreter::{Exit, Interpreter};
use super::truth::{distribute, truth};
use super::{Cond, Value};

impl Interpreter<'_> {
    pub(super) fn block(&mut self, body: &[Stmt]) {
        for statement in body {
            if !self.alive() || !self.enter() {
                return;
            }
            self.statement(statement);
            self.leave();
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Expr(node) => _ = self.expr(&node.value),
            Stmt::Assign(node) => self.assign_statement(node),
            Stmt::AnnAssign(node) => {
                if let Some(value) = &node.value {
                    let value = self.expr(value);
                    self.bind(&node.target, &value);
                }
            }
            Stmt::AugAssign(node) => {
                let left = self.expr(&node.target);
                let right = self.expr(&node.value);
                let value = self.operate(&left, node.op, &right, node);
                match &left {
                    // Only a list takes a list; a tuple that grows is another one.
                    Value::List(old) if matches!(&*node.value, Expr::List(_) | Expr::ListComp(_)) => {
                        self.change_list(old, &value, Some(&node.target));
                    }
                    _ => self.bind(&node.target, &value),
                }
            }
            Stmt::If(node) => {
                let test = self.condition(&node.test);
                self.if_chain(&test, &node.body, &node.elif_else_clauses);
            }
            Stmt::For(node) => self.for_loop(node),
            Stmt::While(node) => self.while_loop(node),
            Stmt::With(node) => self.with(&node.items, &node.body),
            Stmt::Try(node) => self.try_statement(node),
            Stmt::Match(node) => {
                let subject = self.expr(&node.subject);
                self.match_cases(&subject, &node.cases);
            }
            Stmt::Return(node) => {
                let value = node.value.as_ref().map_or(Value::NONE, |value| self.expr(value));
                self.exit(value);
            }
            Stmt::Raise(node) => self.raise(node),
            Stmt::Assert(node) => self.assert(node),
            Stmt::Break(_) => self.leave_loop(|inner, way| inner.breaks.push(way)),
            Stmt::Continue(_) => self.leave_loop(|inner, way| inner.continues.push(way)),
            Stmt::FunctionDef(node) => self.function_definition(node),
            Stmt::ClassDef(node) => self.class_definition(node),
            Stmt::Import(node) => self.import(node),
            Stmt::ImportFrom(node) => self.import_from(node),
            Stmt::Delete(node) => node.targets.iter().for_each(|target| self.delete(target)),
            Stmt::Global(node) => {
                let names = node.names.iter().map(|name| Arc::from(name.as_str()));
                if let Some(scope) = self.scopes.get_mut(self.frame.scope as usize) {
                    scope.globals.extend(names);
                }
            }
            Stmt::Nonlocal(node) => {
                let names = node.names.iter().map(|name| Arc::from(name.as_str()));
                if let Some(scope) = self.scopes.get_mut(self.frame.scope as usize) {
                    scope.nonlocals.extend(names);
                }
            }
            Stmt::TypeAlias(_) | Stmt::Pass(_) | Stmt::IpyEscapeCommand(_) => {}
        }
    }

    fn exit(&mut self, value: Value) {
        if self.alive() {
            let writes = self.store.writes(self.frame.mark);
            self.frame.exits.push(Exit { path: self.path.clone(), value, writes });
        }
        self.stop();
    }

    /// A condition as written.
    pub(super) fn condition(&mut self, test: &Expr) -> Cond {
        let value = self.expr(test);
        self.truth_of(&value)
    }

    /// Whether a value is true as it is now.
    pub(super) fn truth_of(&self, value: &Value) -> Cond {
        match value {
            Value::Dict(dict) => truth(&Value::Dict(self.content(dict))),
            Value::Choice(_) => distribute(value, |value| self.truth_of(value)),
            _ => truth(value),
        }
    }
}

/// The last component of a dotted name.
pub(super) fn short_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(node) => Some(node.attr.as_str()),
        Expr::Call(node) => short_name(&node.func),
        Expr::Subscript(node) => short_name(&node.value),
        _ => None,
    }
}
