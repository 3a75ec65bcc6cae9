//! The order in which a class looks its attributes up.

use std::sync::Arc;

use super::truth::identical;
use super::value::{Class, Value};

/// Classes and bases of one class that are looked at.
const MAX_BASES: usize = 64;

/// What stands behind a class in the order of its attributes. Kept without the class itself, which would never be freed.
pub(super) fn behind(class: &Arc<Class>) -> &[Value] {
    class.order.get_or_init(|| {
        let whole = Value::Class(Arc::clone(class));
        let mut budget = MAX_BASES;
        let order = linearize(&whole, &mut budget).unwrap_or_else(|| depth_first(whole));
        order.into_iter().skip(1).collect()
    })
}

/// The C3 order of a class: itself, then the orders of its bases and the list of its bases, merged so that none of them is
/// contradicted. `None` where that cannot be, or after `budget` steps.
fn linearize(class: &Value, budget: &mut usize) -> Option<Vec<Value>> {
    *budget = budget.checked_sub(1)?;
    let Value::Class(known) = class else { return Some(vec![class.clone()]) };
    // What is not known is nobody's base a second time.
    let bases: Vec<Value> = known.bases.iter().filter(|base| identical(base, base)).cloned().collect();
    let mut lists = bases.iter().map(|base| linearize(base, budget)).collect::<Option<Vec<_>>>()?;
    lists.push(bases);
    let mut order = vec![class.clone()];
    loop {
        lists.retain(|list| !list.is_empty());
        if lists.is_empty() {
            return Some(order);
        }
        let is_later = |one: &Value| lists.iter().any(|list| list[1..].iter().any(|other| identical(one, other)));
        let next = lists.iter().map(|list| &list[0]).find(|head| !is_later(head))?.clone();
        for list in &mut lists {
            list.retain(|one| !identical(one, &next));
        }
        order.push(next);
    }
}

fn depth_first(class: Value) -> Vec<Value> {
    let mut order: Vec<Value> = Vec::new();
    let mut todo = vec![class];
    while let Some(next) = todo.pop() {
        if order.len() > MAX_BASES || order.iter().any(|known| identical(known, &next)) {
            continue;
        }
        if let Value::Class(class) = &next {
            todo.extend(class.bases.iter().rev().cloned());
        }
        order.push(next);
    }
    order
}
