#!/usr/bin/env bash
# Writes the release that this checkout is into a mirror for pre-commit: a repository whose hooks are ours and whose installation
# is that of the published wheel. Commits and tags it; whoever runs it pushes.
#
#     packaging/pre-commit/mirror.sh FOLDER
#
# FOLDER is a checkout of the mirror, or does not exist yet.
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: $0 FOLDER" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=$1
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)

if [ ! -e "$folder" ]; then
    git init --quiet "$folder"
elif [ ! -e "$folder/.git" ]; then
    echo "$folder is there and no git repository of its own" >&2
    exit 2
fi
if [ -n "$(git -C "$folder" status --porcelain)" ]; then
    echo "$folder has changes that are not committed" >&2
    exit 2
fi
if git -C "$folder" rev-parse --quiet --verify "refs/tags/v$version" > /dev/null; then
    echo "$folder has v$version already" >&2
    exit 2
fi

# The hooks have one source. YAML and licences are copied byte by byte.
cp "$root/.pre-commit-hooks.yaml" "$root/LICENSE-APACHE" "$root/LICENSE-MIT" "$folder"
for name in pyproject.toml README.md; do
    sed "s/@VERSION@/$version/g" "$here/mirror/$name" > "$folder/$name"
done
git -C "$folder" add --all
git -C "$folder" commit --quiet --message "dpo-lint $version"
git -C "$folder" tag "v$version"
echo "$folder has v$version; to publish it: git -C $folder push origin HEAD v$version"
