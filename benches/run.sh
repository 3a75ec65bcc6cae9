#!/usr/bin/env bash
# Times dpo-lint next to ruff and ripgrep, each pair in one run. Needs hyperfine, ruff and rg on the path.
# DPO_LINT names another binary than that of the release build.
set -euo pipefail
cd "$(dirname "$0")/.."
lint=${DPO_LINT:-$PWD/target/release/dpo-lint}
[[ -x $lint ]] || { echo "no release build: cargo build --release" >&2; exit 2; }
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

echo "== one project, against ruff"
hyperfine -N -i -w 10 -r 200 "$lint check fixtures/projects/medicalgpt" "ruff check --no-cache fixtures/projects/medicalgpt"

# 20,000 files in 400 folders: modules without a library, data, text; three of the folders hold a training project.
mkdir "$tree/.git"
for ((folder = 0; folder < 400; folder++)); do
  at=$tree/package$folder
  mkdir "$at"
  for ((file = 0; file < 40; file++)); do
    printf 'import os\n\n\ndef load_%d(path):\n    """Reads a table."""\n    return [row.split(",") for row in open(path)]\n' "$file" >"$at/module_$file.py"
  done
  for ((file = 0; file < 6; file++)); do printf 'name: job %d\nsteps:\n  - run: make\n' "$file" >"$at/job_$file.yml"; done
  for ((file = 0; file < 4; file++)); do printf '# Notes %d\n\nNothing in particular.\n' "$file" >"$at/notes_$file.md"; done
done
for project in medicalgpt handbook blog; do cp -r "fixtures/projects/$project" "$tree/package7/$project"; done
echo "== $(find "$tree" -type f | wc -l) files, against ripgrep"
hyperfine -N -i -w 3 -r 30 "$lint check $tree" "rg -l trl|peft $tree"

echo "== start-up, and the smallest script that needs the knowledge"
mkdir -p "$tree/alone/.git"
printf 'from trl import DPOConfig\n' >"$tree/alone/train.py"
hyperfine -N -i -w 5 -r 100 "$lint --version" "$lint check $tree/alone"
