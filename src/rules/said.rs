//! Settings of argument files, launch lines and configurations that a release does not take, and how they are said there: curated, as
//! for arguments in a script (`rewritten`).

use super::versions::enumerate;
use crate::eval::{Const, expression};
use crate::knowledge::Rewrite;
use crate::lower::{Analysis, Instead, ReleaseHost};
use crate::source::Span;

/// A setting that takes, with others, the place of one that a release does not have.
pub(super) struct New<'a> {
    name: &'a str,
    /// Its value as Python.
    text: String,
    there: Option<Span>,
}

/// Where a setting is set, and to what, if that is a single value.
pub(super) type Given = (Span, Option<Const>);

/// What comes instead of a value that was set; `there` tells what is set of the settings that it becomes. `None` where one of them has a
/// value that cannot be kept.
pub(super) fn instead<'a>(
    rewrite: &'a Rewrite,
    value: Option<&Const>,
    there: impl Fn(&str) -> Option<Given>,
) -> Option<Vec<New<'a>>> {
    let value = match value? {
        // A number that the loader of a file takes for a text, and the parser for a number.
        Const::Str(text) => text.parse().map_or_else(|_| Const::Str(text.clone()), Const::float),
        other => other.clone(),
    };
    let new = rewrite.becomes.iter().map(|new| {
        let keeps = new.value.contains("{old}");
        let given = there(&new.argument);
        let old = match &given {
            Some((_, old)) => Some(old.as_ref()?.to_string()).filter(|_| keeps),
            None => new.old.clone(),
        };
        let text = new.value.replace("{value}", &value.to_string());
        let text = if keeps { text.replace("{old}", &old?) } else { text };
        // What is set already and would be lost is a human's to decide about.
        let is_lost = given.is_some() && !keeps;
        (!is_lost).then(|| New { name: &new.argument, text, there: given.map(|(place, _)| place) })
    });
    new.collect()
}

/// What to do, for a reader.
pub(super) fn advice(rewrite: &Rewrite, new: Option<&[New<'_>]>) -> String {
    let names: Vec<String> = match new {
        Some(new) => new.iter().map(|one| format!("`{}={}`", one.name, one.text)).collect(),
        None => rewrite.becomes.iter().map(|new| format!("`{}`", new.argument)).collect(),
    };
    format!("set {} instead", enumerate(&names))
}

/// The edits that write the new settings where the old one stands.
pub(super) fn written(
    analysis: &Analysis,
    place: Span,
    new: &[New<'_>],
    host: &ReleaseHost<'_>,
) -> Option<crate::lower::Rewrite> {
    let new: Vec<Instead<'_>> = new
        .iter()
        .map(|one| Instead { name: one.name, value: expression(&one.text, host), there: one.there })
        .collect();
    analysis.written.instead(place, &new)
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::lint;
    use crate::syntax::edit;

    const TRL: &str = "\
from trl import DPOConfig, DPOTrainer, TrlParser

(args,) = TrlParser((DPOConfig,)).parse_args_and_config()
trainer = DPOTrainer(\"m\", args=args, train_dataset=data)
";

    /// What the fixes of `removed-argument` make of the files, those beside the script that do not change left out.
    fn mended(files: &[(&str, &str)]) -> Vec<String> {
        let files = [files, &[("requirements.txt", "trl==1.16.0\n")]].concat();
        let (sources, found) = lint(&files);
        let edits: Vec<_> = found
            .iter()
            .filter(|finding| finding.rule == "removed-argument")
            .flat_map(|finding| finding.fixes.first().map(|fix| fix.edits.clone()).unwrap_or_default())
            .collect();
        let after = files.iter().filter_map(|(path, text)| {
            let file = sources.find(std::path::Path::new(path))?.id();
            let own: Vec<_> = edits.iter().filter(|edit| edit.span.file == file).cloned().collect();
            (!own.is_empty()).then(|| edit::apply(text, &own).expect("edits that fit"))
        });
        after.collect()
    }

    #[track_caller]
    fn check_file(path: &str, before: &str, after: &str) {
        let line = format!("python dpo.py --config {path}\n");
        assert_eq!(mended(&[("dpo.py", TRL), (path, before), ("run.sh", &line)]), [after], "{before}");
    }

    #[test]
    fn a_file_says_it_in_place() {
        let path = "c.yaml";
        let both = "loss_type: [sigmoid, sft]\nloss_weights: [1.0, 1.0]";
        check_file(
            path,
            "rpo_alpha: 1.0  # as they did\nseed: 1\n",
            &format!("{both}\nseed: 1\n").replace("sft]", "sft]  # as they did"),
        );
        check_file(
            path,
            "# the loss\r\nrpo_alpha: 1.0\r\n",
            "# the loss\r\nloss_type: [sigmoid, sft]\r\nloss_weights: [1.0, 1.0]\r\n",
        );
        check_file(
            path,
            "loss_type: 'ipo'\nseed: 1\nrpo_alpha: 5e-2\n",
            "loss_type: ['ipo', 'sft']\nseed: 1\nloss_weights: [1.0, 0.05]\n",
        );
        check_file(
            path,
            "rpo_alpha: 1\nloss_type: hinge # h\n",
            "loss_weights: [1.0, 1]\nloss_type: [hinge, sft] # h\n",
        );
        check_file(
            path,
            "{seed: 1, rpo_alpha: 0.5}\n",
            "{seed: 1, loss_type: [sigmoid, sft], loss_weights: [1.0, 0.5]}\n",
        );
        check_file(path, "seed: 1\nrpo_alpha: null\n", "seed: 1\n");
        check_file(
            "c.json",
            "{\n  \"rpo_alpha\": 1.0,\n  \"seed\": 1\n}\n",
            "{\n  \"loss_type\": [\"sigmoid\", \"sft\"],\n  \"loss_weights\": [1.0, 1.0],\n  \"seed\": 1\n}\n",
        );
        check_file(
            "c.toml",
            "loss_type = \"ipo\"\nrpo_alpha = 1e-7 # w\n",
            "loss_type = [\"ipo\", \"sft\"]\nloss_weights = [1.0, 1.0e-7] # w\n",
        );
    }

    #[test]
    fn a_launch_line_says_it_in_place() {
        for (before, after) in [
            (
                "python dpo.py --rpo_alpha 1.0 --seed 1\n",
                "python dpo.py --loss_type sigmoid sft --loss_weights 1.0 1.0 --seed 1\n",
            ),
            (
                "python dpo.py \\\n  --rpo_alpha=0.5 \\\n  --loss_type=ipo\n",
                "python dpo.py \\\n  --loss_weights 1.0 0.5 \\\n  --loss_type ipo sft\n",
            ),
            (
                "python dpo.py \\\n  --rpo_alpha 0.5 \\\n  --seed 1\n",
                "python dpo.py \\\n  --loss_type sigmoid sft \\\n  --loss_weights 1.0 0.5 \\\n  --seed 1\n",
            ),
        ] {
            assert_eq!(mended(&[("dpo.py", TRL), ("run.sh", before)]), [after]);
        }
        // What the file sets, the line sets instead.
        let line = "python dpo.py --config c.yaml --rpo_alpha 2\n";
        let after = "python dpo.py --config c.yaml --loss_type ipo sft --loss_weights 1.0 2\n";
        assert_eq!(mended(&[("dpo.py", TRL), ("c.yaml", "loss_type: ipo\n"), ("run.sh", line)]), [after]);
    }

    #[test]
    fn what_cannot_be_kept_is_left() {
        let nothing: [&str; 0] = [];
        for (file, line) in [
            ("rpo_alpha: 1.0\nloss_type: [ipo, sft]\n", "python dpo.py --config c.yaml\n"),
            ("rpo_alpha: 1.0\nloss_weights: [1.0]\n", "python dpo.py --config c.yaml\n"),
            ("rpo_alpha: 1.0\n", "python dpo.py --config c.yaml\npython dpo.py --config c.yaml --loss_type ipo\n"),
            ("rpo_alpha: &a 1.0\nbeta: *a\n", "python dpo.py --config c.yaml\n"),
            ("seed: 1\n", "python dpo.py --rpo_alpha $ALPHA\n"),
            ("seed: 1\n", "A=(--rpo_alpha 1)\npython dpo.py \"${A[@]}\"\npython dpo.py --seed 1 \"${A[@]}\"\n"),
        ] {
            assert_eq!(mended(&[("dpo.py", TRL), ("c.yaml", file), ("run.sh", line)]), nothing, "{file}{line}");
        }
    }
}
