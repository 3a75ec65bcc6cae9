//! Statements: assignments, branches, loops, exceptions, definitions.

use std::sync::Arc;

use ruff_python_ast::{self as ast, Expr, Stmt};

use super::interpreter::{Exit, Interpreter, Loop};
use super::store::{Owner, Slot, Writes};
use super::truth::{choice, choose, decide, equal, join_paths, truth};
use super::{Cond, Const, Dict, RaiseEvent, Traced, Tri, Value};

/// A loop over a literal list of at most this many items binds its variable to a choice of them.
const MAX_ITEMS: usize = 8;

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
                self.bind(&node.target, &value);
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

    // Assignment.

    fn assign_statement(&mut self, node: &ast::StmtAssign) {
        let value = self.expr(&node.value);
        for target in &node.targets {
            self.bind(target, &value);
        }
    }

    pub(super) fn bind(&mut self, target: &Expr, value: &Value) {
        if !self.enter() {
            return;
        }
        match target {
            Expr::Name(name) => self.assign(&name.id, value.clone()),
            Expr::Attribute(node) => {
                let owner = self.expr(&node.value);
                self.store_attribute(&owner, &node.attr, value);
            }
            Expr::Subscript(node) => {
                let owner = self.expr(&node.value);
                let key = self.expr(&node.slice);
                let stored = Traced { value: value.clone(), span: self.span(target) };
                self.store_item(&owner, &key, stored, Some(&node.value));
            }
            Expr::Starred(node) => self.bind(&node.value, value),
            Expr::Tuple(node) => self.unpack(&node.elts, value),
            Expr::List(node) => self.unpack(&node.elts, value),
            _ => {}
        }
        self.leave();
    }

    fn unpack(&mut self, targets: &[Expr], value: &Value) {
        for (index, target) in targets.iter().enumerate() {
            let item = if let Expr::Starred(starred) = target {
                self.fresh(&*starred.value)
            } else {
                let starred_before = targets[..index].iter().any(Expr::is_starred_expr);
                let from_end = targets.len() - index;
                self.unpacked(value, targets.len(), if starred_before { Err(from_end) } else { Ok(index) }, target)
            };
            self.bind(target, &item);
        }
    }

    /// One item of an unpacked value, counted from the start (`Ok`) or from the end.
    fn unpacked(&mut self, value: &Value, count: usize, at: Result<usize, usize>, target: &Expr) -> Value {
        match value {
            Value::List(items) => {
                let index = at.map_or_else(|from_end| items.len().checked_sub(from_end), Some);
                match index.and_then(|index| items.get(index)) {
                    Some(item) => item.value.clone(),
                    None => self.fresh(target),
                }
            }
            Value::Choice(choices) => {
                // `None` cannot be unpacked, nor can a list that is too short.
                let fits = |value: &Value| match value {
                    Value::Const(Const::None) => false,
                    Value::List(items) => items.len() == count || at.is_err(),
                    _ => true,
                };
                let fitting: Vec<_> = choices.iter().filter(|(_, value)| fits(value)).cloned().collect();
                let parts: Vec<(Cond, Value)> =
                    fitting.into_iter().map(|(when, value)| (when, self.unpacked(&value, count, at, target))).collect();
                choice(parts)
            }
            Value::Symbol(symbol) => match at {
                Ok(index) => Self::member(symbol, &format!("[{index}]")),
                Err(_) => self.fresh(target),
            },
            _ => self.fresh(target),
        }
    }

    pub(super) fn store_attribute(&mut self, owner: &Value, name: &str, value: &Value) {
        let own = |owner| Slot::Attribute(owner, name.into());
        let slot = match owner {
            Value::Object(object) => own(Owner::Id(object.id)),
            Value::Instance(instance) => own(Owner::Id(instance.id)),
            Value::Symbol(symbol) => own(Owner::Symbol(Arc::clone(symbol))),
            Value::External(path) => {
                // Patching a method changes the class for everyone.
                self.patched.insert(if name.starts_with("__") {
                    Arc::clone(path)
                } else {
                    format!("{path}.{name}").into()
                });
                own(Owner::External(Arc::clone(path)))
            }
            Value::Class(class) => match self.classes.get(&class.id) {
                Some(state) => Slot::Variable(state.scope, name.into()),
                None => return,
            },
            Value::Module(file) => match self.modules.get(file) {
                Some(state) => Slot::Variable(state.scope, name.into()),
                None => return,
            },
            Value::Choice(_) => {
                let value = value.clone();
                self.each(owner, &mut |state, owner| {
                    state.store_attribute(owner, name, &value);
                    Value::NONE
                });
                return;
            }
            _ => return,
        };
        self.store.set(slot, Some(value.clone()));
    }

    pub(super) fn store_item(&mut self, owner: &Value, key: &Value, item: Traced, written: Option<&Expr>) {
        match (owner, key) {
            (Value::Choice(_), _) => {
                self.each(owner, &mut |state, owner| {
                    state.store_item(owner, key, item.clone(), written);
                    Value::NONE
                });
            }
            (Value::Dict(dict), Value::Const(key)) => {
                let mut content = Dict::clone(&self.content(dict));
                content.maybe.remove(key);
                match content.entries.iter_mut().find(|(known, ..)| known == key) {
                    Some(entry) => *entry = (key.clone(), item, None),
                    None => content.entries.push((key.clone(), item, None)),
                }
                self.set_content(dict, content, written);
            }
            (Value::Dict(dict), _) => {
                let mut content = Dict::clone(&self.content(dict));
                content.open = true;
                self.set_content(dict, content, written);
            }
            (Value::External(path), Value::Const(Const::Str(name))) if &**path == "os.environ" => {
                let slot = Slot::Attribute(Owner::External(Arc::clone(path)), Arc::clone(name));
                self.store.set(slot, Some(item.value));
            }
            (Value::Symbol(_) | Value::Object(_) | Value::Instance(_), Value::Const(Const::Str(name))) => {
                self.store_attribute(owner, name, &item.value);
            }
            (Value::List(items), Value::Const(Const::Int(index))) => {
                let Some(at) = usize::try_from(*index).ok().filter(|at| *at < items.len()) else { return };
                let mut items = items.to_vec();
                items[at] = item;
                if let Some(written) = written {
                    self.bind(written, &Value::List(items.into()));
                }
            }
            _ => {}
        }
    }

    /// Changes a dictionary for everyone who holds it.
    pub(super) fn set_content(&mut self, dict: &Arc<Dict>, mut content: Dict, written: Option<&Expr>) {
        content.id = dict.id;
        let content = Value::Dict(Arc::new(content));
        if dict.id != 0 {
            self.dicts.entry(dict.id).or_insert_with(|| Arc::clone(dict));
            self.store.set(Slot::Content(dict.id), Some(content));
        } else if let Some(written) = written {
            self.bind(written, &content);
        }
    }

    fn delete(&mut self, target: &Expr) {
        match target {
            Expr::Name(name) => {
                let name: Arc<str> = name.id.as_str().into();
                let scope = self.target_scope(&name);
                self.store.set(Slot::Variable(scope, name), None);
            }
            Expr::Subscript(node) => {
                let owner = self.expr(&node.value);
                let key = self.expr(&node.slice);
                self.remove_item(&owner, &key, Some(&node.value));
            }
            Expr::Attribute(node) => {
                let owner = self.expr(&node.value);
                if let Value::Object(_) | Value::Instance(_) | Value::Symbol(_) = owner {
                    let gone = self.fresh(node);
                    self.store_attribute(&owner, &node.attr, &gone);
                }
            }
            Expr::Tuple(node) => node.elts.iter().for_each(|target| self.delete(target)),
            _ => {}
        }
    }

    pub(super) fn remove_item(&mut self, owner: &Value, key: &Value, written: Option<&Expr>) {
        self.each(owner, &mut |state, owner| {
            let Value::Dict(dict) = owner else { return Value::NONE };
            let mut content = Dict::clone(&state.content(dict));
            if let Value::Const(key) = key {
                content.entries.retain(|(known, ..)| known != key);
                content.maybe.remove(key);
            } else {
                // Any of them may be gone.
                let keys: Vec<Const> = content.entries.iter().map(|(key, ..)| key.clone()).collect();
                for key in keys {
                    let when = content.maybe.remove(&key).unwrap_or(Cond::TRUE);
                    content.maybe.insert(key, when.and(Cond::opaque()));
                }
            }
            state.set_content(dict, content, written);
            Value::NONE
        });
    }

    // Branches.

    fn if_chain(&mut self, test: &Cond, body: &[Stmt], clauses: &[ast::ElifElseClause]) {
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

    fn match_cases(&mut self, subject: &Value, cases: &[ast::MatchCase]) {
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

    fn leave_loop(&mut self, push: impl FnOnce(&mut Loop, (Cond, Writes))) {
        if let Some(mark) = self.frame.loops.last().map(|inner| inner.mark) {
            let way = (self.path.clone(), self.store.writes(mark));
            if let Some(inner) = self.frame.loops.last_mut() {
                push(inner, way);
            }
        }
        self.stop();
    }

    fn for_loop(&mut self, node: &ast::StmtFor) {
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

    fn while_loop(&mut self, node: &ast::StmtWhile) {
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

    // Exceptions.

    fn with(&mut self, items: &[ast::WithItem], body: &[Stmt]) {
        let mut suppressed = Vec::new();
        for item in items {
            if let Expr::Call(call) = &item.context_expr {
                let callee = self.expr(&call.func);
                if matches!(&callee, Value::External(path) if &**path == "contextlib.suppress") {
                    suppressed.extend(call.arguments.args.iter().flat_map(|arg| self.exception_names(arg)));
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

    fn try_statement(&mut self, node: &ast::StmtTry) {
        let mut names = Vec::new();
        for ast::ExceptHandler::ExceptHandler(handler) in &node.handlers {
            match &handler.type_ {
                None => names.push("*".into()),
                Some(class) => names.extend(self.exception_names(class)),
            }
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
            self.block(&handler.body);
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

    /// The classes that an `except` names, by their last component; `*` for those that catch everything.
    fn exception_names(&mut self, class: &Expr) -> Vec<Arc<str>> {
        match class {
            Expr::Tuple(node) => node.elts.iter().flat_map(|class| self.exception_names(class)).collect(),
            Expr::Name(_) | Expr::Attribute(_) => {
                let name = short_name(class).unwrap_or_default();
                vec![if matches!(name, "Exception" | "BaseException") { "*".into() } else { name.into() }]
            }
            _ => vec!["*".into()],
        }
    }

    fn raise(&mut self, node: &ast::StmtRaise) {
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

    fn assert(&mut self, node: &ast::StmtAssert) {
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

    /// A message as far as it is literal.
    fn message(&mut self, expr: &Expr) -> Option<Arc<str>> {
        match expr {
            Expr::FString(node) => {
                let mut text = String::new();
                for part in node.value.as_slice() {
                    match part {
                        ast::FStringPart::Literal(literal) => text.push_str(literal),
                        ast::FStringPart::FString(fstring) => {
                            for element in &fstring.elements {
                                match element {
                                    ast::InterpolatedStringElement::Literal(literal) => text.push_str(&literal.value),
                                    ast::InterpolatedStringElement::Interpolation(inner) => {
                                        match self.expr(&inner.expression) {
                                            Value::Const(Const::Str(known)) => text.push_str(&known),
                                            Value::Const(known) => text.push_str(&known.to_string()),
                                            _ => text.push_str("{...}"),
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                Some(text.into())
            }
            _ => match self.expr(expr) {
                Value::Const(Const::Str(text)) => Some(text),
                _ => None,
            },
        }
    }

    /// A condition as written.
    pub(super) fn condition(&mut self, test: &Expr) -> Cond {
        let value = self.expr(test);
        truth(&value)
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
