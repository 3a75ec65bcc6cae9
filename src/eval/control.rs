//! Branches and loops.

use std::sync::Arc;

use ruff_python_ast::{self as ast, Expr, Stmt};

use super::interpreter::{Interpreter, Loop};
use super::store::Writes;
use super::truth::{choice, choose, decide, equal, join_paths};
use super::{Cond, Const, Traced, Tri, Value};

/// A loop over a literal list of at most this many items binds its variable to a choice of them.
const MAX_ITEMS: usize = 8;

impl Interpreter<'_> {
    pub(super) fn if_chain(&mut self, test: &Cond, body: &[Stmt], clauses: &[ast::ElifElseClause]) {
        self.branch(
            test,
            |state| {
                state.block(body);
                Value::NONE
            },
            |state| {
                if let [clause, rest @ ..] = clauses {
                    match &clause.test {
                        Some(test) => {
                            let test = state.condition(test);
                            if state.enter() {
                                state.if_chain(&test, &clause.body, rest);
                                state.leave();
                            }
                        }
                        None => state.block(&clause.body),
                    }
                }
                Value::NONE
            },
        );
    }

    pub(super) fn match_cases(&mut self, subject: &Value, cases: &[ast::MatchCase]) {
        let [case, rest @ ..] = cases else { return };
        let mut test = self.pattern(subject, &case.pattern);
        if let Some(guard) = &case.guard {
            let guard = self.condition(guard);
            test = test.and(guard);
        }
        self.branch(
            &test,
            |state| {
                state.block(&case.body);
                Value::NONE
            },
            |state| {
                if state.enter() {
                    state.match_cases(subject, rest);
                    state.leave();
                }
                Value::NONE
            },
        );
    }

    /// Whether a pattern matches; binds its names.
    fn pattern(&mut self, subject: &Value, pattern: &ast::Pattern) -> Cond {
        match pattern {
            ast::Pattern::MatchValue(node) => {
                let value = self.expr(&node.value);
                equal(subject, &value)
            }
            ast::Pattern::MatchSingleton(node) => {
                let constant = match node.value {
                    ast::Singleton::None => Const::None,
                    ast::Singleton::True => Const::Bool(true),
                    ast::Singleton::False => Const::Bool(false),
                };
                super::truth::same(subject, &Value::Const(constant))
            }
            ast::Pattern::MatchOr(node) => {
                let parts: Vec<Cond> = node.patterns.iter().map(|pattern| self.pattern(subject, pattern)).collect();
                Cond::any(parts)
            }
            ast::Pattern::MatchAs(node) => {
                let test = node.pattern.as_ref().map_or(Cond::TRUE, |pattern| self.pattern(subject, pattern));
                if let Some(name) = &node.name {
                    self.assign(name, subject.clone());
                }
                test
            }
            ast::Pattern::MatchClass(node)
                if node.arguments.patterns.is_empty() && node.arguments.keywords.is_empty() =>
            {
                let class = self.expr(&node.cls);
                self.instance_of(subject, &class, &node.cls)
            }
            other => {
                self.bind_captures(other);
                Cond::opaque()
            }
        }
    }

    fn bind_captures(&mut self, pattern: &ast::Pattern) {
        if !self.enter() {
            return;
        }
        let fresh = |state: &mut Self, name: &Option<ast::Identifier>| {
            if let Some(name) = name {
                let value = state.fresh_named(name);
                state.assign(name, value);
            }
        };
        match pattern {
            ast::Pattern::MatchSequence(node) => node.patterns.iter().for_each(|pattern| self.bind_captures(pattern)),
            ast::Pattern::MatchMapping(node) => {
                node.patterns.iter().for_each(|pattern| self.bind_captures(pattern));
                fresh(self, &node.rest);
            }
            ast::Pattern::MatchClass(node) => {
                node.arguments.patterns.iter().for_each(|pattern| self.bind_captures(pattern));
                node.arguments.keywords.iter().for_each(|keyword| self.bind_captures(&keyword.pattern));
            }
            ast::Pattern::MatchStar(node) => fresh(self, &node.name),
            ast::Pattern::MatchAs(node) => {
                if let Some(pattern) = &node.pattern {
                    self.bind_captures(pattern);
                }
                fresh(self, &node.name);
            }
            ast::Pattern::MatchOr(node) => node.patterns.iter().for_each(|pattern| self.bind_captures(pattern)),
            ast::Pattern::MatchValue(_) | ast::Pattern::MatchSingleton(_) => {}
        }
        self.leave();
    }

    // Loops.

    pub(super) fn leave_loop(&mut self, push: impl FnOnce(&mut Loop, (Cond, Writes))) {
        if let Some(mark) = self.frame.loops.last().map(|inner| inner.mark) {
            let way = (self.path.clone(), self.store.writes(mark));
            if let Some(inner) = self.frame.loops.last_mut() {
                push(inner, way);
            }
        }
        self.stop();
    }

    pub(super) fn for_loop(&mut self, node: &ast::StmtFor) {
        let items = self.expr(&node.iter);
        if self.unroll(&items, node) {
            return self.block(&node.orelse);
        }
        let (item, certain) = self.item_of(&items, &node.iter, &node.target);
        let target = &node.target;
        self.repeat(certain, false, |state| {
            state.bind(target, &item);
            state.block(&node.body);
        });
        self.block(&node.orelse);
    }

    /// Evaluates the body once per item of a short literal list, where nothing leaves the loop early.
    fn unroll(&mut self, items: &Value, node: &ast::StmtFor) -> bool {
        let Value::List(items) = items else { return false };
        let rounds = self.unrolled * items.len();
        if items.is_empty() || rounds > MAX_ITEMS || breaks(&node.body) {
            return false;
        }
        let outer = std::mem::replace(&mut self.unrolled, rounds);
        for item in items.iter() {
            if !self.alive() {
                break;
            }
            let (writes, _) = self.round(&mut |state: &mut Self| {
                state.bind(&node.target, &item.value);
                state.block(&node.body);
            });
            self.store.apply(writes);
        }
        self.unrolled = outer;
        true
    }

    pub(super) fn while_loop(&mut self, node: &ast::StmtWhile) {
        let test = self.condition(&node.test);
        match decide(&self.path, &test) {
            Tri::No => self.block(&node.orelse),
            Tri::Yes => self.repeat(true, test == Cond::TRUE, |state| state.block(&node.body)),
            Tri::Maybe => {
                self.branch(
                    &test,
                    |state| {
                        state.repeat(true, false, |state| state.block(&node.body));
                        Value::NONE
                    },
                    |_| Value::NONE,
                );
                self.block(&node.orelse);
            }
        }
    }

    /// What the variable of a loop over `items` may be, and whether there is at least one.
    pub(super) fn item_of(&mut self, items: &Value, iter: &Expr, target: &Expr) -> (Value, bool) {
        match items {
            Value::List(items) if !items.is_empty() && items.len() <= MAX_ITEMS => {
                let values = items.iter().map(|item| item.value.clone());
                let alternatives = super::truth::exclusive(items.len()).into_iter().zip(values);
                (choice(alternatives), true)
            }
            Value::List(items) => (self.fresh(target), !items.is_empty()),
            Value::Dict(dict) => {
                let content = self.content(dict);
                let key = |(key, ..): &(Const, Traced, Option<crate::source::Span>)| Traced {
                    value: Value::Const(key.clone()),
                    span: self.span(iter),
                };
                let keys: Arc<[Traced]> = content.entries.iter().map(key).collect();
                if content.open || keys.is_empty() {
                    return (self.fresh(target), false);
                }
                let (item, _) = self.item_of(&Value::List(keys), iter, target);
                (item, content.maybe.is_empty())
            }
            _ => (self.fresh(target), false),
        }
    }

    /// Evaluates the body of a loop. Where it changes what was there before, it is evaluated once more from the state that a
    /// later round sees; what the first round left in the trace is dropped then.
    fn repeat(&mut self, certain: bool, endless: bool, mut body: impl FnMut(&mut Self)) {
        let base = self.path.clone();
        let mark = self.store.mark();
        let events = self.event_mark();
        let (first, _) = self.round(&mut body);
        let later = Cond::opaque();
        let carried = first.iter().any(|(slot, value)| match (self.store.get(slot), value) {
            (Some(old), Some(new)) => !super::truth::identical(old, new),
            _ => false,
        });
        let mut writes = first;
        if carried && self.alive_at(&base) {
            self.rewind_events(events);
            let before = self.store.mark();
            self.path = base.clone();
            for (slot, value) in &writes {
                if let (Some(old), Some(new)) = (self.store.get(slot).cloned(), value) {
                    let either = choose(&later, new, &old);
                    self.store.set(slot.clone(), Some(either));
                }
            }
            debug_assert!(before >= mark);
            let (second, ends) = self.round(&mut body);
            writes = second;
            self.store.take(mark);
            self.path = ends;
        }
        if certain {
            self.store.apply(writes);
        } else {
            self.merge(&Cond::opaque(), &writes, &Writes::new());
        }
        if self.path == Cond::FALSE && !endless && !certain {
            self.path = base.and(Cond::opaque());
        }
    }

    fn alive_at(&self, base: &Cond) -> bool {
        *base != Cond::FALSE && !self.trace.exhausted
    }

    /// One round of a loop, undone; what it wrote by its end, and the path there.
    fn round(&mut self, body: &mut impl FnMut(&mut Self)) -> (Writes, Cond) {
        let mark = self.store.mark();
        self.frame.loops.push(Loop { mark, ..Loop::default() });
        body(self);
        let inner = self.frame.loops.pop().unwrap_or_default();
        let mut end = self.path.clone();
        let mut writes = self.store.take(mark);
        for (path, other) in inner.continues.into_iter().chain(inner.breaks) {
            if end == Cond::FALSE {
                (end, writes) = (path, other);
                continue;
            }
            self.merge(&super::truth::beyond(&path, &end), &other, &writes);
            writes = self.store.take(mark);
            end = join_paths(&path, &end);
        }
        self.path = end.clone();
        (writes, end)
    }
}

fn breaks(body: &[Stmt]) -> bool {
    struct Finder(bool);
    impl<'a> ast::visitor::Visitor<'a> for Finder {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            self.0 |= statement.is_break_stmt();
            ast::visitor::walk_stmt(self, statement);
        }
        fn visit_expr(&mut self, _: &'a Expr) {}
    }
    let mut finder = Finder(false);
    ast::visitor::walk_body(&mut finder, body);
    finder.0
}
