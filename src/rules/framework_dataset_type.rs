//! Data sets of a framework's configuration of a kind that the release does not know any more.

use super::declare::declare_rule;
use super::framework::{Reader, label, push_of_each, readers};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::knowledge::DataKind;
use crate::lower::Analysis;
use crate::syntax::{Node, NodeKind};

declare_rule! {
    /// ## What it does
    ///
    /// Reports data sets in configurations of axolotl whose `type` begins with `sharegpt`, which was taken out, and data sets with a
    /// `conversation`, which no kind of data reads any more but `alpaca_chat`.
    ///
    /// ## Why it matters
    ///
    /// axolotl refuses the kind when it validates the configuration. The `conversation`, which said how the turns are written, is kept
    /// without a word: the model is trained with another template than the file asks for.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// axolotl==0.9.2
    /// ```
    ///
    /// ```yaml,bad
    /// base_model: Qwen/Qwen2.5-0.5B
    /// datasets:
    ///   - path: data.jsonl
    ///     type: sharegpt
    ///     conversation: chatml
    /// sequence_len: 2048
    /// micro_batch_size: 1
    /// gradient_accumulation_steps: 8
    /// output_dir: out
    /// ```
    ///
    /// ```yaml,good
    /// base_model: Qwen/Qwen2.5-0.5B
    /// chat_template: chatml
    /// datasets:
    ///   - path: data.jsonl
    ///     type: chat_template
    ///     field_messages: conversations
    ///     message_property_mappings:
    ///       role: from
    ///       content: value
    /// sequence_len: 2048
    /// micro_batch_size: 1
    /// gradient_accumulation_steps: 8
    /// output_dir: out
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: which template and which fields the data needs is not known.
    ///
    /// ## Versions
    ///
    /// The kinds are known by release (`schemas/consumers.json`); all releases of axolotl that are known refuse `sharegpt`.
    ///
    /// ## References
    ///
    /// - axolotl pull request 2021, issues 1649, 1683, 1833 and 1957
    FrameworkDatasetType = "framework-dataset-type", "DPL608", Error, "the framework does not know this kind of data set any more"
}

impl Rule for FrameworkDatasetType {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_of_each(found, readers(analysis, context), check);
    }
}

fn check(reader: &Reader<'_>) -> Vec<Diagnostic> {
    let kinds: Vec<&DataKind> = reader.data_kinds().collect();
    let Some(key) = reader.configuration.get("datasets").filter(|_| !kinds.is_empty()) else { return Vec::new() };
    let NodeKind::List(items) = &key.value.target().kind else { return Vec::new() };
    let sets = items.iter().map(|item| item.value.target());
    sets.flat_map(|set| kinds.iter().filter_map(|kind| judge(reader, kind, set))).collect()
}

fn judge(reader: &Reader<'_>, kind: &DataKind, set: &Node) -> Option<Diagnostic> {
    let entry = set.entry(&kind.key)?;
    let of = set.get("type")?.as_str()?;
    if !kind.is_meant(of) || entry.value.as_str().is_none_or(|word| word.contains(['$', '{', '<'])) {
        return None;
    }
    let value = entry.value.as_str()?;
    let title = reader.title();
    let (severity, message) = match &kind.raises {
        Some(_) => (Severity::Error, format!("{title} has no data sets of the kind `{value}` any more")),
        None => {
            (Severity::Warning, format!("{title} does not look at `{}` of a data set of the kind `{of}`", kind.key))
        }
    };
    let outcome = kind.raises.as_deref().unwrap_or("it is kept without a word");
    let mut finding = reader.finding(&FrameworkDatasetType::META, severity, message, label(entry.span, outcome));
    finding.notes.extend(kind.says.as_ref().map(|says| format!("it says: {says}")));
    finding.help = Some(kind.instead.clone());
    Some(finding)
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::lint_by;

    #[test]
    fn kinds_that_are_gone_and_keys_that_nobody_reads() {
        let found = |requirements: &str, set: &str| {
            let yaml = format!(
                "base_model: a/b\ndatasets:\n  - path: d.jsonl\n{set}sequence_len: 1\nmicro_batch_size: 1\ngradient_accumulation_steps: 1\n"
            );
            let files = [("requirements.txt", requirements), ("a.yml", &*yaml)];
            let (_, found) = lint_by(&files, &|rule| rule.meta().code == "DPL608");
            found.iter().map(|one| format!("{:?} {}", one.severity, one.message)).collect::<Vec<_>>()
        };
        let pin = "axolotl==0.9.2\n";
        let gone = |kind: &str| format!("Error axolotl 0.9.2 has no data sets of the kind `{kind}` any more");
        let unread = "Warning axolotl 0.9.2 does not look at `conversation` of a data set of the kind `chat_template`";
        for (set, expected) in [
            ("    type: sharegpt\n", vec![gone("sharegpt")]),
            ("    type: sharegpt.load_role\n", vec![gone("sharegpt.load_role")]),
            ("    type: chat_template\n    conversation: chatml\n", vec![unread.to_owned()]),
            ("    type: alpaca_chat.load_qa\n    conversation: chatml\n", vec![]),
            ("    type: chat_template\n", vec![]),
            ("    type: {{kind}}\n", vec![]),
            ("    type:\n      field_instruction: a\n    conversation: chatml\n", vec![]),
            ("    conversation: chatml\n", vec![]),
            ("    type: my_sharegpt\n", vec![]),
        ] {
            assert_eq!(found(pin, set), expected, "{set}");
        }
        // Without a declaration the newest release is meant, and what is said is no error.
        assert_eq!(found("", "    type: sharegpt\n").len(), 1);
        assert!(found("", "    type: sharegpt\n")[0].starts_with("Warning"));
    }
}
