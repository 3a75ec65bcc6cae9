//! Arithmetic with parameters: `save_steps % eval_steps`, `len(loss_weights)`.
//!
//! Only where a function is asked when it raises, see [`super::run_function`]. What comes out is not known, but has a name of its own,
//! so that a question about it can be asked again where the parameters are known.

use std::sync::Arc;

use ruff_python_ast::Operator;

use super::calls::Site;
use super::expressions::MAX_PATH;
use super::interpreter::Interpreter;
use super::truth::{compare, distribute, equal};
use super::{Cond, Const, Order, Root, Symbol, Traced, Value};

const LENGTH: &str = "len()";
const WHOLE: &str = "int()";
/// A list with something for each item of what comes before.
const EACH: &str = "[...]";

impl Interpreter<'_> {
    /// `left % right` and `left - right`; `None` where nothing is known of it.
    pub(super) fn calculated(&self, left: &Value, operator: Operator, right: &Value) -> Option<Value> {
        let sign = match operator {
            Operator::Mod => '%',
            Operator::Sub => '-',
            // Texts and lists are put together with the same sign.
            Operator::Add if matches!(left, Value::Symbol(symbol) if symbol.is_number()) => '+',
            _ => return None,
        };
        let right = match right {
            Value::Const(constant) if constant.number().is_some() => constant.to_string(),
            other => self.parameter(other)?.to_string(),
        };
        let right = if right.contains(' ') { format!("({right})") } else { right };
        Some(Self::member(self.parameter(left)?, &format!("{sign} {right}")))
    }

    /// `left < right` and its kin; of two parameters their difference is compared.
    pub(super) fn ordered(&self, left: &Value, order: Order, right: &Value) -> Cond {
        match (left, right) {
            (Value::Choice(_), _) => distribute(left, |left| self.ordered(left, order, right)),
            (_, Value::Choice(_)) => distribute(right, |right| self.ordered(left, order, right)),
            _ => match self.parameter(right).and_then(|_| self.calculated(left, Operator::Sub, right)) {
                Some(difference) => compare(&difference, order, &Value::Const(Const::Int(0))),
                None => compare(left, order, right),
            },
        }
    }

    /// A list that has one item for each of a parameter's: `[item.strip() for item in names.split(",")]`.
    pub(super) fn listed(&self, source: &Value) -> Option<Value> {
        let symbol = self.parameter(source)?;
        Some(if symbol.is_list() { source.clone() } else { Self::member(symbol, EACH) })
    }

    /// `list(items)`, `map(float, items)`: a list as long as the items.
    pub(super) fn list_of(&mut self, items: &Value, item: &dyn Fn(&Value) -> Value, site: &Site) -> Value {
        match items {
            Value::Choice(_) => self.each(items, &mut |state, items| state.list_of(items, item, site)),
            Value::List(items) => {
                let one = |known: &Traced| Traced { value: item(&known.value), span: known.span };
                Value::List(items.iter().map(one).collect())
            }
            other => self.listed(other).unwrap_or_else(|| self.fresh_named(&site.label)),
        }
    }

    /// `left + right` of flags, a number where both are: `args.max_source_length + args.max_target_length`.
    pub(super) fn summed(left: &Value, operator: Operator, right: &Value) -> Option<Value> {
        let (Value::Symbol(left), Operator::Add) = (left, operator) else { return None };
        let is_flag = |symbol: &Symbol| matches!(symbol.root, Root::Flag(_));
        let right = match right {
            Value::Const(constant) if constant.number().is_some() => constant.to_string(),
            Value::Symbol(symbol) if is_flag(symbol) && symbol.path.is_empty() => symbol.to_string(),
            _ => return None,
        };
        (is_flag(left) && left.path.len() < MAX_PATH).then(|| Self::member(left, &format!("+ {right}")))
    }

    /// `len(value)`.
    pub(super) fn length(&mut self, value: &Value, site: &Site) -> Value {
        let count = |count: usize| Value::Const(Const::Int(i64::try_from(count).unwrap_or(i64::MAX)));
        match value {
            Value::Choice(_) => self.each(value, &mut |state, value| state.length(value, site)),
            Value::List(items) => count(items.len()),
            Value::Const(Const::Str(text)) => count(text.chars().count()),
            other => match self.parameter(other) {
                // As long as what it was made of.
                Some(symbol) if symbol.is_list() => {
                    let mut source = Symbol::clone(symbol);
                    source.path.pop();
                    Self::member(&Arc::new(source), LENGTH)
                }
                Some(symbol) => Self::member(symbol, LENGTH),
                None => self.fresh_named(&site.label),
            },
        }
    }

    /// `int(value)` of a parameter; a whole number is itself.
    pub(super) fn whole(&mut self, value: &Value, site: &Site) -> Value {
        match value {
            Value::Choice(_) => self.each(value, &mut |state, value| state.whole(value, site)),
            Value::Symbol(symbol) if self.wholes.contains(symbol) => value.clone(),
            other => match self.parameter(other) {
                Some(symbol) => Self::member(symbol, WHOLE),
                None => self.fresh_named(&site.label),
            },
        }
    }

    /// Whether two numbers are equal; `None` where they are not known to be numbers.
    pub(super) fn equal_numbers(&mut self, one: &Arc<Symbol>, other: &Arc<Symbol>) -> Option<Cond> {
        if other.path.split_last().is_some_and(|(last, path)| &**last == WHOLE && *path == one.path) {
            // `if steps != int(steps): raise`: after that it is whole.
            self.wholes.insert(Arc::clone(one));
            return self.equal_by_difference(one, other);
        }
        if !one.is_number() || !other.is_number() {
            return None;
        }
        self.equal_by_difference(one, other)
    }

    fn equal_by_difference(&self, one: &Arc<Symbol>, other: &Arc<Symbol>) -> Option<Cond> {
        let [one, other] = [one, other].map(|symbol| Value::Symbol(Arc::clone(symbol)));
        let difference = self.calculated(&one, Operator::Sub, &other)?;
        Some(equal(&difference, &Value::Const(Const::Int(0))))
    }

    /// A parameter, or something that belongs to it.
    fn parameter<'v>(&self, value: &'v Value) -> Option<&'v Arc<Symbol>> {
        let Value::Symbol(symbol) = value else { return None };
        let is_parameter = matches!(symbol.root, Root::Parameter(_)) && symbol.path.len() < MAX_PATH;
        (self.lenient && is_parameter).then_some(symbol)
    }
}

/// What Python makes of two constants; `None` where that is not known.
pub(super) fn fold(left: &Const, op: Operator, right: &Const) -> Option<Const> {
    match (left, right) {
        (Const::Str(one), Const::Str(other)) if op == Operator::Add => Some(Const::Str(format!("{one}{other}").into())),
        (Const::Str(one), Const::Str(other)) if op == Operator::Div => {
            Some(Const::Str(format!("{one}/{other}").into()))
        }
        (Const::Int(one), Const::Int(other)) => match op {
            Operator::Add => one.checked_add(*other).map(Const::Int),
            Operator::Sub => one.checked_sub(*other).map(Const::Int),
            Operator::Mult => one.checked_mul(*other).map(Const::Int),
            Operator::FloorDiv if *other > 0 => Some(Const::Int(one.div_euclid(*other))),
            Operator::Mod if *other > 0 => Some(Const::Int(one.rem_euclid(*other))),
            Operator::Pow => u32::try_from(*other).ok().and_then(|power| one.checked_pow(power)).map(Const::Int),
            #[expect(clippy::cast_precision_loss, reason = "as Python divides")]
            Operator::Div if *other != 0 => Some(Const::float(*one as f64 / *other as f64)),
            _ => None,
        },
        _ => {
            let (one, other) = (left.number()?, right.number()?);
            Some(Const::float(match op {
                Operator::Add => one + other,
                Operator::Sub => one - other,
                Operator::Mult => one * other,
                Operator::Div if other != 0.0 => one / other,
                Operator::Pow => one.powf(other),
                _ => return None,
            }))
        }
    }
}

/// The step of a path that asks whether any item is none of some constants.
pub(super) fn strangers(constants: &[String]) -> String {
    format!("any not in ({})", constants.join(", "))
}

/// A step of a symbol's path that is a number made of what comes before, as Python writes it.
pub(super) fn written(owner: &str, step: &str) -> Option<String> {
    Some(match step {
        LENGTH | WHOLE => step.replace("()", &format!("({owner})")),
        EACH => format!("[... for _ in {owner}]"),
        step if step.starts_with("any ") => {
            let items = owner.strip_prefix("[... for _ in ").and_then(|rest| rest.strip_suffix(']')).unwrap_or(owner);
            format!("any(_ {} for _ in {items})", &step["any ".len()..])
        }
        step if is_operation(step) && owner.contains(' ') => format!("({owner}) {step}"),
        step if is_operation(step) => format!("{owner} {step}"),
        _ => return None,
    })
}

fn is_operation(step: &str) -> bool {
    step.starts_with("% ") || step.starts_with("- ") || step.starts_with("+ ")
}

impl Symbol {
    /// Whether it is a number that was made of something.
    fn is_number(&self) -> bool {
        self.path.last().is_some_and(|step| matches!(&**step, LENGTH | WHOLE) || is_operation(step))
    }

    /// Whether it is a list that was made item by item, so never `None`.
    pub(super) fn is_list(&self) -> bool {
        self.path.last().is_some_and(|step| &**step == EACH)
    }

    /// The same with the fields of an object in place of what they are read from: `self.a % self.b` is `a % b`. `None` for the
    /// object itself.
    pub fn of_fields(&self, object: &str) -> Option<Self> {
        let (field, rest) = self.path.split_first()?;
        let owned = format!("{object}.");
        let bare = |step: &Arc<str>| {
            if is_operation(step) { step.replace(&owned, "").into() } else { Arc::clone(step) }
        };
        Some(Self { root: Root::Parameter(Arc::clone(field)), path: rest.iter().map(bare).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(steps: &[&str]) -> Symbol {
        Symbol { root: Root::Parameter("self".into()), path: steps.iter().map(|step| (*step).into()).collect() }
    }

    #[test]
    fn operations_are_written_as_python() {
        for (steps, shown, fields) in [
            (&["a", "% self.b"][..], "self.a % self.b", Some("a % b")),
            (&["a", "len()", "- len(self.b)"], "len(self.a) - len(self.b)", Some("len(a) - len(b)")),
            (&["a", "split(',')", "[...]"], "[... for _ in self.a.split(',')]", Some("[... for _ in a.split(',')]")),
            (&["a", "- 1", "% self.b"], "(self.a - 1) % self.b", Some("(a - 1) % b")),
            (&[], "self", None),
        ] {
            assert_eq!(symbol(steps).to_string(), shown);
            let fields_of = symbol(steps).of_fields("self").map(|symbol| symbol.to_string());
            assert_eq!(fields_of.as_deref(), fields);
        }
    }
}
