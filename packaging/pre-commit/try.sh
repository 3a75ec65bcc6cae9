#!/usr/bin/env bash
# Shows that hooks and wheel work where there is no Rust: builds a wheel, makes a mirror, and installs both offline with the real
# pre-commit, pip and uv on a PATH without cargo and rustc. Takes minutes, most of them for the wheel.
#
#     packaging/pre-commit/try.sh [WHEEL]
#
# Needs git, python3 and, on the PATH, `pre-commit`, `uv` and (without WHEEL) `maturin`: pip install pre-commit uv maturin.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
wheels=$scratch/wheels
mkdir "$wheels"

step() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

step "the wheel"
if [ $# -gt 0 ]; then
    cp "$1" "$wheels"
else
    (cd "$root" && maturin build --locked --out "$wheels")
fi
# What the installation of any repository needs, since nothing comes from an index below.
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$wheels" setuptools
ls "$wheels"

step "the mirror"
export GIT_AUTHOR_NAME=try GIT_AUTHOR_EMAIL=try@localhost GIT_COMMITTER_NAME=try GIT_COMMITTER_EMAIL=try@localhost
"$here/mirror.sh" "$scratch/mirror"
tag=$(git -C "$scratch/mirror" describe --tags)

# Only what is needed, under its own name: cargo may live in the same folder as git.
bin=$scratch/bin
mkdir "$bin"
for tool in git python3 pre-commit uv uvx bash env cat sed uname dirname; do
    path=$(command -v "$tool") || fail "no $tool"
    # The interpreter below a virtual environment, which is no part of what is tried.
    if [ "$tool" = python3 ]; then path=$(python3 -c 'import sys; print(sys._base_executable)'); fi
    # A link would make Python look for its library beside it.
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$path" > "$bin/$tool"
    chmod +x "$bin/$tool"
done
ln -sf /bin/sh "$bin/sh"
without_rust() {
    env -i PATH="$bin" HOME="$scratch/home" TMPDIR="$scratch" PRE_COMMIT_HOME="$scratch/pre-commit" \
        PIP_NO_INDEX=1 PIP_FIND_LINKS="$wheels" PIP_DISABLE_PIP_VERSION_CHECK=1 VIRTUALENV_NO_DOWNLOAD=1 \
        UV_CACHE_DIR="$scratch/uv" UV_OFFLINE=1 UV_PYTHON_DOWNLOADS=never DPO_LINT_CACHE="$scratch/none" \
        GIT_AUTHOR_NAME=try GIT_AUTHOR_EMAIL=try@localhost GIT_COMMITTER_NAME=try GIT_COMMITTER_EMAIL=try@localhost "$@"
}
mkdir "$scratch/home"
for tool in cargo rustc maturin; do
    if without_rust sh -c "command -v $tool"; then fail "$tool is still on the PATH"; fi
done

step "a project with one mistake"
project=$scratch/project
mkdir "$project"
cd "$project"
git init --quiet
echo "trl==0.16.0" > requirements.txt
printf 'from trl import DPOTrainer\n\n\ndef train(model, data, tok):\n    DPOTrainer(model, train_dataset=data, tokenizer=tok)\n' \
    > train.py
cat > .pre-commit-config.yaml << EOF
repos:
  - repo: $scratch/mirror
    rev: $tag
    hooks:
      - id: dpo-lint
      - id: dpo-lint-fix
EOF
git add --all

step "pre-commit: dpo-lint finds it"
if without_rust pre-commit run dpo-lint --all-files > "$scratch/out" 2>&1; then
    cat "$scratch/out"
    fail "nothing was found"
fi
cat "$scratch/out"
grep -q "DPL102" "$scratch/out" || fail "another finding, or none"

step "pre-commit: dpo-lint-fix mends it, as a commit runs it"
without_rust pre-commit install
if without_rust env SKIP=dpo-lint git commit --quiet --message one > "$scratch/out" 2>&1; then
    cat "$scratch/out"
    fail "a hook that changes files must fail the commit"
fi
cat "$scratch/out"
grep -q "processing_class=tok" train.py || fail "not mended"
git add train.py
without_rust git commit --quiet --message one
echo "committed: $(git log --format=%s -n 1)"

step "pip"
without_rust python3 -m venv "$scratch/venv"
without_rust "$scratch/venv/bin/pip" install --quiet dpo-lint
without_rust "$scratch/venv/bin/dpo-lint" --version
without_rust "$scratch/venv/bin/dpo-lint" check || fail "the project is mended"

step "uvx"
without_rust uvx --no-index --find-links "$wheels" dpo-lint --version
without_rust uvx --no-index --find-links "$wheels" dpo-lint check || fail "the project is mended"

step "all of it works without Rust"
