"""Makes `schemas/index/<package>.json` from what a package index says of a project.

The input is the project's page in the JSON form that the public index of Python packages offers (`info`, `releases`); a
release is dated by its first file, and withdrawn when all of its files are. Releases without a wheel for every platform are
left out, but for `--archives` (a framework of which an installer builds the archive), and so are pre-releases, which nobody gets
without asking.

    curl --silent PAGE | python schemas/index.py OLDEST [--archives] > schemas/index/<package>.json
"""

import json
import re
import sys


def key(version):
    return tuple(int(part) for part in re.findall(r"\d+", version.replace(".post", ".")))


def withdrawn(files):
    """Whether a release was, and why, in the words of its maintainers."""
    if not all(one["yanked"] for one in files):
        return {}
    reason = (files[0]["yanked_reason"] or "").strip()
    return {"yanked": True, "because": reason} if reason else {"yanked": True}


def main(oldest, archives=None):
    releases = json.load(sys.stdin)["releases"]
    lines = []
    for version in sorted((v for v in releases if re.fullmatch(r"[\d.]+(\.post\d+)?", v)), key=key):
        files = [one for one in releases[version] if archives or one["filename"].endswith("-none-any.whl")]
        if not files or key(version) < key(oldest):
            continue
        entry = {
            "date": min(one["upload_time"] for one in releases[version])[:10],
            "requires_python": files[0]["requires_python"],
            "yanked": False,
        }
        entry.update(withdrawn(releases[version]))
        lines.append(f' "{version}": {json.dumps(entry)}')
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main(*sys.argv[1:])
