//! Whether the methods that a class of one library overrides take what the class of another library below it passes to them.
//!
//! Such a pair is imported without a word, and the training fails at its first step.

use super::closure::{Reason, Refusal};
use super::curated::BaseCall;
use super::query::Resolution;
use super::stored::{Callable, Method};
use super::{Knowledge, Package};

/// A chain of base classes is not followed further than this.
const MAX_BASES: usize = 16;

/// A class of a library and those of the same library that it derives from, the closest first.
struct Chain<'a> {
    classes: Vec<(&'a str, &'a Callable)>,
    /// The first class outside: `transformers.Trainer`.
    outside: &'a str,
}

impl Knowledge {
    /// Why the training of a class fails, if the library below calls one of its methods in another way. `in_effect` tells the release
    /// of a package.
    pub fn misfit_override(
        &self,
        package: &Package,
        class: &str,
        in_effect: &dyn Fn(&str) -> Option<usize>,
    ) -> Option<Refusal> {
        let release = in_effect(package.name())?;
        let Resolution::Definition(definition) = package.resolve(class, release) else { return None };
        let chain = chain(package, definition, release)?;
        let defined = |name: &str| {
            chain
                .classes
                .iter()
                .find_map(|(definition, class)| Some((*definition, package.at(class.methods.get(name)?, release)?)))
        };
        self.curated().base_calls(chain.outside).find_map(|call| {
            let calling = self.package(&call.package)?;
            let calls = in_effect(calling.name()).filter(|at| calling.includes(&call.releases, *at))?;
            let (definition, method) = defined(&call.method).filter(|(_, method)| !call.suits(method))?;
            if call.unless.iter().any(|name| defined(name).is_some()) {
                return None;
            }
            let (module, _) = definition.rsplit_once('.')?;
            Some(Refusal {
                package: package.name().to_owned(),
                release: package.brief()[release].version.clone(),
                module: module.to_owned(),
                reason: Reason::Called {
                    package: calling.name().to_owned(),
                    release: calling.brief()[calls].version.clone(),
                    defined: written(&call.method, &method.positional, &method.keyword_only),
                    called: written(&call.method, &call.positional, &call.keywords),
                },
            })
        })
    }
}

fn chain<'a>(package: &'a Package, definition: &'a str, release: usize) -> Option<Chain<'a>> {
    let mut classes = Vec::new();
    let mut current = definition;
    for _ in 0..MAX_BASES {
        let class = package.callable_at(current, release)?;
        classes.push((current, class));
        let bases = package.at(&class.bases, release)?;
        // A class of several bases is a library's own affair, as long as only one of them leads outside.
        let is_own = |base: &&str| package.callable_at(base, release).is_some();
        match bases.iter().find(is_own) {
            Some(own) => current = own,
            None => return Some(Chain { classes, outside: bases.iter().next_back()? }),
        }
    }
    None
}

impl BaseCall {
    /// The parameters that a method would need to take the call.
    pub fn missing(&self, method: &Method) -> Vec<&str> {
        let by_position = self.positional.iter().skip(method.positional.len());
        let by_position = by_position.filter(|_| !method.any_positional);
        let is_taken = |name: &&String| {
            method.any_keyword
                || method.keyword_only.contains(name)
                || method.positional.iter().skip(self.positional.len()).any(|known| known == *name)
        };
        let by_name = self.keywords.iter().filter(|name| !is_taken(name));
        by_position.chain(by_name).map(String::as_str).collect()
    }

    /// Whether a method takes the call, and is not another one of the same name.
    fn suits(&self, method: &Method) -> bool {
        self.missing(method).is_empty() && (self.mistaken.is_empty() || method.positional != self.mistaken)
    }
}

/// `log(logs, start_time)`
fn written(method: &str, positional: &[String], keywords: &[String]) -> String {
    let keywords = keywords.iter().map(|name| format!("{name}=..."));
    let all: Vec<String> = positional.iter().cloned().chain(keywords).collect();
    format!("{method}({})", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trainers_are_called_as_transformers_calls_them() {
        let knowledge = Knowledge::bundled();
        let [trl, transformers] = ["trl", "transformers"].map(|name| knowledge.package(name).expect("it is built in"));
        let place = |package: &Package, version: &str| package.index_of(&version.parse().expect("a version"));
        for (trainer, release, other, expected) in [
            ("DPOTrainer", "0.9.6", "4.45.2", None),
            ("DPOTrainer", "0.9.6", "4.46.0", Some("get_batch_samples(model, batch)")),
            ("DPOTrainer", "0.11.4", "4.57.6", Some("compute_loss(model, inputs, return_outputs)")),
            ("DPOTrainer", "0.12.1", "4.46.3", None),
            ("DPOTrainer", "0.12.1", "4.47.1", Some("log(logs)")),
            ("DPOTrainer", "0.13.0", "4.57.6", None),
            ("RewardTrainer", "0.7.4", "4.46.3", Some("compute_loss(model, inputs, return_outputs)")),
            ("SFTTrainer", "0.9.6", "4.57.6", None),
            ("OnlineDPOTrainer", "0.11.4", "4.46.3", Some("training_step(model, inputs)")),
            ("GRPOTrainer", "0.16.1", "4.51.3", None),
            ("GRPOTrainer", "0.16.1", "4.57.6", Some("_get_train_sampler()")),
            ("GRPOTrainer", "1.16.0", "5.20.0", None),
            // What has a loop of its own is called by nobody else.
            ("PPOTrainer", "0.11.4", "4.57.6", None),
        ] {
            let in_effect = |name: &str| match name {
                "trl" => place(trl, release),
                "transformers" => place(transformers, other),
                _ => None,
            };
            let found = knowledge.misfit_override(trl, &format!("trl.{trainer}"), &in_effect);
            let found = found.map(|refusal| match refusal.reason {
                Reason::Called { defined, .. } => defined,
                reason => panic!("{reason:?}"),
            });
            assert_eq!(found.as_deref(), expected, "{trainer} {release} {other}");
        }
    }
}
