//! Expressions.

use std::sync::Arc;

use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

use super::interpreter::{Code, Interpreter};
use super::numbers::fold;
use super::store::{Owner, Slot};
use super::truth::{boolean, choice, equal, merge_dicts, same, truth};
use super::{AttributeRead, Cond, Const, Dict, Order, Root, Symbol, Traced, Value};
use crate::source::Span;

/// Attributes of attributes beyond this many are not followed.
pub(super) const MAX_PATH: usize = 8;

/// A chain of `and` or `or` over more values than this is not followed.
const MAX_CHAIN: usize = 128;
/// Whether an entry is there is not followed through conditions written with more parts than this.
const MAX_PRESENCE: usize = 48;
/// A lookup by an unknown key in a dictionary of at most this many entries is a choice of them.
const MAX_TABLE: usize = 12;

/// A piece of an f-string.
pub(super) enum FStringPart {
    Literal(Arc<str>),
    /// A value, and whether it is written in a format of its own (`{x:.2f}`).
    Value(Value, bool),
}

impl Interpreter<'_> {
    pub(super) fn expr(&mut self, expr: &Expr) -> Value {
        if !self.enter() {
            return Value::Unknown;
        }
        let value = self.expression(expr);
        self.leave();
        value
    }

    fn expression(&mut self, expr: &Expr) -> Value {
        match expr {
            Expr::NoneLiteral(_) => Value::NONE,
            Expr::BooleanLiteral(node) => Value::bool(node.value),
            Expr::StringLiteral(node) => Value::str(node.value.to_str()),
            Expr::NumberLiteral(node) => match &node.value {
                ast::Number::Int(value) => match value.as_i64() {
                    Some(value) => Value::Const(Const::Int(value)),
                    None => self.fresh(expr),
                },
                ast::Number::Float(value) => Value::Const(Const::float(*value)),
                ast::Number::Complex { .. } => self.fresh(expr),
            },
            Expr::Name(node) => self.name(node.id.as_str()),
            Expr::Attribute(node) => {
                let owner = self.expr(&node.value);
                self.attribute(&owner, node.attr.as_str())
            }
            Expr::Call(node) => self.call(node),
            Expr::Named(node) => {
                let value = self.expr(&node.value);
                self.bind(&node.target, &value);
                value
            }
            Expr::BoolOp(node) => self.bool_op(node.op, &node.values),
            Expr::UnaryOp(node) => self.unary(node),
            Expr::BinOp(node) => {
                let left = self.expr(&node.left);
                let right = self.expr(&node.right);
                self.operate(&left, node.op, &right, node)
            }
            Expr::Compare(node) => self.comparison(node),
            Expr::If(node) => {
                let test = self.condition(&node.test);
                self.branch(&test, |state| state.expr(&node.body), |state| state.expr(&node.orelse))
            }
            Expr::List(node) => self.items(&node.elts, expr),
            Expr::Tuple(node) => self.items(&node.elts, expr),
            Expr::Set(node) => self.items(&node.elts, expr),
            Expr::Dict(node) => self.dict_display(node),
            Expr::Subscript(node) => {
                let owner = self.expr(&node.value);
                let key = self.expr(&node.slice);
                self.item(&owner, &key, expr)
            }
            Expr::Lambda(node) => self.lambda(node),
            Expr::ListComp(node) => self.comprehension(&node.generators, &node.elt, expr),
            Expr::SetComp(node) => self.comprehension(&node.generators, &node.elt, expr),
            Expr::Generator(node) => self.comprehension(&node.generators, &node.elt, expr),
            Expr::DictComp(node) => self.dict_comprehension(node),
            Expr::FString(node) => self.fstring(node, expr),
            Expr::Await(node) => self.expr(&node.value),
            Expr::Starred(node) => self.expr(&node.value),
            Expr::Yield(node) => {
                if let Some(value) = &node.value {
                    self.expr(value);
                }
                self.fresh(expr)
            }
            Expr::YieldFrom(node) => {
                self.expr(&node.value);
                self.fresh(expr)
            }
            // In a mined condition, `...` is what was not understood: unknown, but one thing.
            Expr::EllipsisLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::TString(_)
            | Expr::Slice(_)
            | Expr::IpyEscapeCommand(_) => self.fresh(expr),
        }
    }

    fn bool_op(&mut self, op: ast::BoolOp, values: &[Expr]) -> Value {
        let [first, rest @ ..] = values else { return Value::Unknown };
        if values.len() > MAX_CHAIN {
            return Value::Unknown;
        }
        let mut value = self.expr(first);
        if rest.is_empty() {
            return value;
        }
        if let Value::Unknown = value {
            // Its truth is asked for more than once.
            value = boolean(&Cond::opaque());
        }
        let test = self.truth_of(&value);
        let is_and = op == ast::BoolOp::And;
        // What is left of the value on its own side: `x or y` is `x` only where `x` is true.
        let (when, kept) = if is_and { (test.clone(), test.negate()) } else { (test.clone().negate(), test) };
        let own = restrict(&value, &kept);
        self.branch(&when, |state| state.bool_op(op, rest), |_| own)
    }

    fn unary(&mut self, node: &ast::ExprUnaryOp) -> Value {
        let value = self.expr(&node.operand);
        match (node.op, &value) {
            (ast::UnaryOp::Not, _) => boolean(&self.truth_of(&value).negate()),
            (ast::UnaryOp::USub, Value::Const(Const::Int(number))) => Value::Const(Const::Int(number.wrapping_neg())),
            (ast::UnaryOp::USub, Value::Const(Const::Float(bits))) => {
                Value::Const(Const::float(-f64::from_bits(*bits)))
            }
            (ast::UnaryOp::UAdd, _) => value,
            _ => self.fresh(node),
        }
    }

    fn comparison(&mut self, node: &ast::ExprCompare) -> Value {
        let mut left = self.expr(&node.left);
        let mut all = Cond::TRUE;
        for (op, right_node) in node.ops.iter().zip(node.comparators.iter()) {
            let right = self.expr(right_node);
            let cond = match op {
                ast::CmpOp::Is => same(&left, &right),
                ast::CmpOp::IsNot => same(&left, &right).negate(),
                ast::CmpOp::Eq => self.equal(&left, &right),
                ast::CmpOp::NotEq => self.equal(&left, &right).negate(),
                ast::CmpOp::Lt => self.ordered(&left, Order::Less, &right),
                ast::CmpOp::LtE => self.ordered(&left, Order::LessOrEqual, &right),
                ast::CmpOp::Gt => self.ordered(&left, Order::Greater, &right),
                ast::CmpOp::GtE => self.ordered(&left, Order::GreaterOrEqual, &right),
                ast::CmpOp::In => self.contains(&right, &left),
                ast::CmpOp::NotIn => self.contains(&right, &left).negate(),
            };
            all = all.and(cond);
            left = right;
        }
        boolean(&all)
    }

    // Displays.

    fn items(&mut self, elements: &[Expr], whole: &Expr) -> Value {
        let mut items = Vec::new();
        let mut known = true;
        for element in elements {
            if let Expr::Starred(starred) = element {
                match self.expr(&starred.value) {
                    Value::List(more) => items.extend(more.iter().cloned()),
                    _ => known = false,
                }
                continue;
            }
            let value = self.expr(element);
            items.push(Traced { value, span: self.span(element) });
        }
        if known { Value::List(items.into()) } else { self.fresh(whole) }
    }

    fn dict_display(&mut self, node: &ast::ExprDict) -> Value {
        let mut dict = Dict { id: self.id(), ..Dict::default() };
        for item in &node.items {
            let value = self.expr(&item.value);
            let Some(key) = &item.key else {
                self.update(&mut dict, &value);
                continue;
            };
            match self.expr(key) {
                Value::Const(key_value) => {
                    let written = ruff_text_size::TextRange::new(key.start(), item.value.end().max(key.start()));
                    let entry = Traced { value, span: self.span(&item.value) };
                    put(&mut dict, key_value, entry, Some(self.span(written)), Cond::TRUE);
                }
                _ => dict.open = true,
            }
        }
        Value::Dict(Arc::new(dict))
    }

    /// `dict.update(value)`.
    pub(super) fn update(&mut self, dict: &mut Dict, value: &Value) {
        let Some(other) = self.as_dict(value) else {
            dict.open = true;
            return;
        };
        dict.open |= other.open;
        for (key, entry, span) in &other.entries {
            let when = other.maybe.get(key).cloned().unwrap_or(Cond::TRUE);
            put(dict, key.clone(), entry.clone(), *span, when);
        }
    }

    /// A value as a mapping; `None` if nothing is known of it.
    pub(super) fn as_dict(&mut self, value: &Value) -> Option<Dict> {
        match value {
            Value::Dict(dict) => Some(Dict::clone(&self.content(dict))),
            Value::Const(Const::None) => Some(Dict::default()),
            Value::Choice(_) => {
                let value = super::truth::narrow(value, &self.path);
                let mut merged: Option<Dict> = None;
                for (when, value) in value.alternatives().into_iter().rev() {
                    let dict = match value {
                        Value::Choice(_) => None,
                        value => self.as_dict(&value),
                    };
                    let dict = dict.unwrap_or(Dict { open: true, ..Dict::default() });
                    merged = Some(match merged {
                        None => dict,
                        Some(rest) => merge_dicts(&when, &dict, &rest),
                    });
                }
                merged
            }
            Value::List(pairs) => {
                let mut dict = Dict { id: self.id(), ..Dict::default() };
                for pair in pairs.iter() {
                    match &pair.value {
                        Value::List(pair) => match &pair[..] {
                            [Traced { value: Value::Const(key), .. }, value] => {
                                put(&mut dict, key.clone(), value.clone(), None, Cond::TRUE);
                            }
                            _ => dict.open = true,
                        },
                        _ => dict.open = true,
                    }
                }
                Some(dict)
            }
            _ => None,
        }
    }

    fn lambda(&mut self, node: &ast::ExprLambda) -> Value {
        self.define(Code::Lambda(Arc::new(node.clone())), "<lambda>", node.range())
    }

    fn fstring(&mut self, node: &ast::ExprFString, whole: &Expr) -> Value {
        let shown = |part: &FStringPart| match part {
            FStringPart::Literal(text) | FStringPart::Value(Value::Const(Const::Str(text)), false) => {
                Some(text.to_string())
            }
            FStringPart::Value(Value::Const(part @ (Const::Int(_) | Const::Bool(_) | Const::None)), false) => {
                Some(part.to_string())
            }
            FStringPart::Value(..) => None,
        };
        match self.fstring_parts(node).iter().map(shown).collect::<Option<String>>() {
            Some(text) => Value::str(&text),
            None => self.fresh(whole),
        }
    }

    /// Evaluates an f-string piece by piece.
    pub(super) fn fstring_parts(&mut self, node: &ast::ExprFString) -> Vec<FStringPart> {
        let mut parts = Vec::new();
        for part in node.value.as_slice() {
            match part {
                ast::FStringPart::Literal(literal) => parts.push(FStringPart::Literal((&**literal).into())),
                ast::FStringPart::FString(fstring) => {
                    for element in &fstring.elements {
                        parts.push(match element {
                            ast::InterpolatedStringElement::Literal(literal) => {
                                FStringPart::Literal((&*literal.value).into())
                            }
                            ast::InterpolatedStringElement::Interpolation(inner) => {
                                FStringPart::Value(self.expr(&inner.expression), inner.format_spec.is_some())
                            }
                        });
                    }
                }
            }
        }
        parts
    }

    // Items.

    pub(super) fn item(&mut self, owner: &Value, key: &Value, node: &Expr) -> Value {
        match (owner, key) {
            (Value::Choice(_), _) => {
                let key = key.clone();
                self.each(owner, &mut |state, owner| state.item(owner, &key, node))
            }
            (_, Value::Choice(_)) if !matches!(owner, Value::External(_)) => {
                let owner = owner.clone();
                self.each(key, &mut |state, key| state.item(&owner, key, node))
            }
            (Value::List(items), Value::Const(Const::Int(index))) => {
                let back = usize::try_from(index.unsigned_abs()).ok();
                let at = if *index < 0 { back.and_then(|back| items.len().checked_sub(back)) } else { back };
                match at.and_then(|at| items.get(at)) {
                    Some(item) => item.value.clone(),
                    None => self.fresh(node),
                }
            }
            (Value::Dict(dict), Value::Const(key)) => {
                let content = self.content(dict);
                match content.entries.iter().find(|(known, ..)| known == key) {
                    Some((_, item, _)) => item.value.clone(),
                    None => self.fresh(node),
                }
            }
            // A table: whatever key is not in it raises.
            (Value::Dict(dict), Value::Symbol(_)) => {
                let content = self.content(dict);
                if content.open || content.entries.is_empty() || content.entries.len() > MAX_TABLE {
                    return self.fresh(node);
                }
                let entry = |(known, item, _): &(Const, Traced, Option<Span>)| {
                    (equal(key, &Value::Const(known.clone())), item.value.clone())
                };
                choice(content.entries.iter().map(entry))
            }
            (Value::External(path), Value::Const(Const::Str(name))) if &**path == "os.environ" => {
                self.environment(name)
            }
            (Value::External(_) | Value::Class(_), _) => owner.clone(),
            // The first part of a version, or a slice of it, stands for the version; a later part does not.
            (Value::Symbol(symbol), key)
                if symbol.is_release() && !matches!(key, Value::Const(key) if !key.equals(&Const::Int(0))) =>
            {
                owner.clone()
            }
            (Value::Symbol(_) | Value::Object(_) | Value::Instance(_), Value::Const(Const::Str(name))) => {
                let name = Arc::clone(name);
                self.attribute(owner, &name)
            }
            (Value::Symbol(_) | Value::Object(_) | Value::Instance(_), Value::Const(Const::Int(index))) => {
                let name = format!("[{index}]");
                self.attribute(owner, &name)
            }
            _ => self.fresh(node),
        }
    }

    // Operators.

    pub(super) fn operate(&mut self, left: &Value, op: ast::Operator, right: &Value, node: impl Ranged) -> Value {
        match (left, op, right) {
            (Value::Const(one), _, Value::Const(other)) => match fold(one, op, other) {
                Some(value) => Value::Const(value),
                None => self.fresh(node),
            },
            (Value::List(one), ast::Operator::Add, Value::List(other)) => {
                Value::List(one.iter().chain(other.iter()).cloned().collect())
            }
            (Value::Dict(one), ast::Operator::BitOr, other) => {
                let mut dict = Dict { id: self.id(), ..Dict::clone(&self.content(one)) };
                self.update(&mut dict, other);
                Value::Dict(Arc::new(dict))
            }
            (Value::Choice(choices), _, _) if choices.len() <= 4 => {
                let range = node.range();
                let parts: Vec<(Cond, Value)> =
                    choices.iter().map(|(when, left)| (when.clone(), self.operate(left, op, right, range))).collect();
                choice(parts)
            }
            (_, ast::Operator::BitAnd, _) if is_boolean(left) && is_boolean(right) => {
                boolean(&truth(left).and(truth(right)))
            }
            (_, ast::Operator::BitOr, _) if is_boolean(left) && is_boolean(right) => {
                boolean(&truth(left).or(truth(right)))
            }
            (Value::Symbol(_), _, Value::Choice(choices)) if self.lenient && choices.len() <= 4 => {
                let range = node.range();
                let parts: Vec<(Cond, Value)> =
                    choices.iter().map(|(when, right)| (when.clone(), self.operate(left, op, right, range))).collect();
                choice(parts)
            }
            _ => {
                let known = self.calculated(left, op, right).or_else(|| Self::summed(left, op, right));
                known.unwrap_or_else(|| self.fresh(node))
            }
        }
    }

    /// Remembers that an attribute of a parameter was read.
    pub(super) fn record_read(&mut self, value: &Value) {
        let Value::Symbol(symbol) = value else { return };
        if !matches!(symbol.root, Root::Parameter(_)) {
            return;
        }
        let read = AttributeRead { path: symbol.to_string().into(), when: self.path.clone() };
        if !self.trace.reads.contains(&read) {
            self.trace.reads.push(read);
        }
    }

    /// An attribute of something that is known by its symbol only.
    pub(super) fn symbol_attribute(&mut self, symbol: &Arc<Symbol>, name: &str) -> Value {
        let slot = Slot::Attribute(Owner::Symbol(Arc::clone(symbol)), name.into());
        if let Some(value) = self.store.get(&slot) {
            return super::truth::narrow(value, &self.path);
        }
        if symbol.path.len() >= MAX_PATH {
            return self.fresh_named(name);
        }
        // In a stored condition a name without a value is that of a package.
        if let ("__version__", true, Root::Unknown { label, .. }) = (name, self.detached, &symbol.root) {
            let root = Root::Release(Arc::clone(label));
            return Value::Symbol(Arc::new(Symbol { root, path: Vec::new() }));
        }
        if symbol.is_release() && matches!(name, "base_version" | "public" | "release" | "major" | "version") {
            return Value::Symbol(Arc::clone(symbol));
        }
        if name == "value" && self.chosen.contains(symbol) {
            return Value::Symbol(Arc::clone(symbol));
        }
        let value = self.composed(symbol, name).unwrap_or_else(|| Self::member(symbol, name));
        self.record_read(&value);
        value
    }
}

/// Sets an entry of a dictionary; where it is set only under a condition, an older entry stays otherwise.
pub(super) fn put(dict: &mut Dict, key: Const, entry: Traced, span: Option<Span>, when: Cond) {
    if let Some(at) = dict.entries.iter().position(|(known, ..)| *known == key) {
        let old = dict.maybe.remove(&key).unwrap_or(Cond::TRUE);
        let value = super::truth::choose(&when, &entry.value, &dict.entries[at].1.value);
        let present = super::truth::either(&old, &when);
        let present = if present.size() > MAX_PRESENCE { Cond::opaque() } else { present };
        if present != Cond::TRUE {
            dict.maybe.insert(key.clone(), present);
        }
        let span = if when == Cond::TRUE { span } else { None };
        dict.entries[at] = (key, Traced { value, span: entry.span }, span);
    } else {
        if when != Cond::TRUE {
            dict.maybe.insert(key.clone(), when);
        }
        dict.entries.push((key, entry, span));
    }
}

/// The alternatives of a value that are possible under `kept`.
fn restrict(value: &Value, kept: &Cond) -> Value {
    super::truth::narrow(value, kept)
}

fn is_boolean(value: &Value) -> bool {
    match value {
        Value::Const(Const::Bool(_)) => true,
        Value::Choice(choices) => choices.iter().all(|(_, value)| is_boolean(value)),
        _ => false,
    }
}
