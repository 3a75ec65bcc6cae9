//! What is bound to what, with a journal, so that the two ways through a branch can be undone and joined.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Symbol, Value};

/// A place that holds a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    /// A name in a scope.
    Variable(u32, Arc<str>),
    /// An attribute that was stored.
    Attribute(Owner, Arc<str>),
    /// The present content of a dictionary, by its id.
    Content(u32),
    /// The call of the outside base's constructor for an instance, by its id.
    Base(u32),
}

/// What an attribute is stored on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// An object or an instance.
    Id(u32),
    /// Something known by its symbol.
    Symbol(Arc<Symbol>),
    /// Something outside the project: `trl` in `trl.DPOTrainer = Mine`.
    External(Arc<str>),
}

/// New values by slot; `None`: unbound.
pub(super) type Writes = BTreeMap<Slot, Option<Value>>;

#[derive(Debug, Default)]
pub(super) struct Store {
    slots: BTreeMap<Slot, Value>,
    /// What each write replaced, oldest first.
    journal: Vec<(Slot, Option<Value>)>,
}

impl Store {
    pub(super) fn get(&self, slot: &Slot) -> Option<&Value> {
        self.slots.get(slot)
    }

    pub(super) fn set(&mut self, slot: Slot, value: Option<Value>) {
        let old = match value {
            Some(value) => self.slots.insert(slot.clone(), value),
            None => self.slots.remove(&slot),
        };
        self.journal.push((slot, old));
    }

    /// The slots whose values `change` turns into others, with these.
    pub(super) fn replaced(&self, change: &dyn Fn(&Value) -> Option<Value>) -> Vec<(Slot, Value)> {
        let changed = |(slot, value): (&Slot, &Value)| {
            let value = change(value)?;
            Some((slot.clone(), value))
        };
        self.slots.iter().filter_map(changed).collect()
    }

    /// What the last write replaced.
    pub(super) fn last_replaced(&self) -> Option<&Value> {
        self.journal.last()?.1.as_ref()
    }

    /// A point to come back to.
    pub(super) fn mark(&self) -> usize {
        self.journal.len()
    }

    /// What was written since `mark`.
    pub(super) fn writes(&self, mark: usize) -> Writes {
        let slots = self.journal.iter().skip(mark).map(|(slot, _)| slot);
        slots.map(|slot| (slot.clone(), self.slots.get(slot).cloned())).collect()
    }

    /// Undoes what was written since `mark`, and returns it.
    pub(super) fn take(&mut self, mark: usize) -> Writes {
        let writes = self.writes(mark);
        while self.journal.len() > mark {
            let Some((slot, old)) = self.journal.pop() else { break };
            match old {
                Some(old) => _ = self.slots.insert(slot, old),
                None => _ = self.slots.remove(&slot),
            }
        }
        writes
    }

    pub(super) fn apply(&mut self, writes: Writes) {
        for (slot, value) in writes {
            self.set(slot, value);
        }
    }

    /// Makes what was written since `mark` immune against undoing.
    pub(super) fn commit(&mut self, mark: usize) {
        self.journal.truncate(mark);
    }

    /// The names bound in a scope.
    pub(super) fn variables(&self, scope: u32) -> Vec<(Arc<str>, Value)> {
        let slots = self.slots.range(Slot::Variable(scope, Arc::from(""))..);
        let own = slots.map_while(|(slot, value)| match slot {
            Slot::Variable(of, name) if *of == scope => Some((Arc::clone(name), value.clone())),
            _ => None,
        });
        own.collect()
    }

    /// The attributes stored on an owner, by name.
    pub(super) fn attributes(&self, owner: &Owner) -> Vec<(Arc<str>, Value)> {
        let first = Slot::Attribute(owner.clone(), Arc::from(""));
        let slots = self.slots.range(first..);
        let own = slots.map_while(|(slot, value)| match slot {
            Slot::Attribute(of, name) if of == owner => Some((Arc::clone(name), value.clone())),
            _ => None,
        });
        own.collect()
    }
}
