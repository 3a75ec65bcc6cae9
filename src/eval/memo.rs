//! Answers about conditions that were given before.

use std::cell::RefCell;
use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::worlds::{spend, work_done};
use super::{Cond, Tri};

/// So many questions are remembered.
const MOST: usize = 1 << 14;

/// An answer, and the work that it took.
struct Answer {
    known: Cond,
    question: Cond,
    worth: Tri,
    work: usize,
}

thread_local! {
    /// Of each thread. By a hash, so that a question need not be copied to be looked up.
    static ANSWERS: RefCell<FxHashMap<u64, Answer>> = RefCell::default();
}

/// What `decide` says of `question` where `known` holds; its work is counted each time, so that an evaluation ends at the same
/// place whatever was asked before.
pub(super) fn decided(known: &Cond, question: &Cond, decide: impl FnOnce() -> Tri) -> Tri {
    let hash = FxBuildHasher.hash_one((known, question));
    let found = ANSWERS.with_borrow(|answers| {
        let found = answers.get(&hash).filter(|one| one.question == *question && one.known == *known);
        found.map(|one| (one.worth, one.work))
    });
    if let Some((answer, work)) = found {
        spend(work);
        return answer;
    }
    let before = work_done();
    let answer = decide();
    let work = usize::try_from(work_done() - before).unwrap_or(usize::MAX);
    ANSWERS.with_borrow_mut(|answers| {
        if answers.len() >= MOST {
            answers.clear();
        }
        answers.insert(hash, Answer { known: known.clone(), question: question.clone(), worth: answer, work });
    });
    answer
}
