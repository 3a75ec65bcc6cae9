//! Whether there is the memory that a run takes, and what is told of it.

use serde::Serialize;

use crate::runner::memory::{Estimate, Free, Limit, Machine, Part, Planned, estimate, shown};
use crate::runner::{Device, RunError};

/// What a run took.
pub(super) struct Used {
    /// What was estimated before.
    pub needed: u64,
    /// Of what.
    pub parts: Vec<Part>,
    /// The most that the process held, where the system tells.
    pub peak: Option<u64>,
}

/// Estimates what a run takes, before its weights are read; refuses one that cannot have it.
pub(super) fn enough(planned: &Planned<'_>, device: &Device, notes: &mut Vec<String>) -> Result<Estimate, RunError> {
    let needed = estimate(planned);
    let own = device.memory().map(|(free, _)| Free { bytes: free, by: Limit::Gpu });
    let free = own.or_else(|| Machine::here().free());
    needed.check(planned.held, free.as_ref())?;
    if let Some(free) = free.filter(|free| free.bytes < needed.bytes().saturating_sub(planned.held)) {
        let (all, left) = (shown(needed.bytes()), shown(free.bytes));
        notes.push(format!("about {all} of memory are needed, and {left} are {}", free.by));
    }
    Ok(needed)
}

/// The most that the process held, where that is where a run is computed.
pub(super) fn peak(device: &Device) -> Option<u64> {
    if device.memory().is_some() { None } else { Machine::here().peak() }
}

/// Bytes that the process holds of the memory in which a run is computed.
pub(super) fn held(device: &Device) -> u64 {
    if device.memory().is_some() { 0 } else { Machine::here().held() }
}

impl Used {
    /// In words.
    pub fn words(&self) -> String {
        let peak = self.peak.map(|peak| format!(", {} at most", shown(peak))).unwrap_or_default();
        format!("about {} estimated{peak}", shown(self.needed))
    }

    /// For programs.
    pub fn json(&self) -> Json<'_> {
        let parts = self.parts.iter().map(|part| JsonPart { what: &part.what, bytes: part.bytes }).collect();
        Json { estimated_bytes: self.needed, peak_bytes: self.peak, parts }
    }
}

/// What is told in JSON.
#[derive(Serialize)]
pub(super) struct Json<'r> {
    estimated_bytes: u64,
    peak_bytes: Option<u64>,
    parts: Vec<JsonPart<'r>>,
}

#[derive(Serialize)]
struct JsonPart<'r> {
    what: &'r str,
    bytes: u64,
}
