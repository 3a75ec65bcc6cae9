"""Makes `schemas/companions/<package>.json`: the releases of a distribution of which nothing but the metadata is known.

The input is the project's page in the JSON form that the public index of Python packages offers, as for `index.py`; it says what
the newest release requires, and nothing of the others. Those that have a wheel in WHEELS are asked for it. A release is dated by its
first file, and withdrawn when all of its files are; pre-releases are left out.

    python schemas/companions.py OLDEST [WHEELS] < PAGE > schemas/companions/<package>.json
"""

import email
import json
import pathlib
import sys
import zipfile

from index import key, withdrawn


def required(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    # What only an extra needs is left out, as for the other large libraries.
    return [one for one in metadata.get_all("Requires-Dist") or [] if "extra ==" not in one]


def main(oldest, wheels=None):
    page = json.load(sys.stdin)
    found = {wheel.name.split("-")[1]: wheel for wheel in pathlib.Path(wheels).glob("*.whl")} if wheels else {}
    releases = []
    for version in sorted((v for v in page["releases"] if v.replace(".post", ".").replace(".", "").isdigit()), key=key):
        files = page["releases"][version]
        if not files or key(version) < key(oldest):
            continue
        release = {"version": version, "date": min(one["upload_time"] for one in files)[:10]}
        if files[0]["requires_python"]:
            release["requires_python"] = files[0]["requires_python"]
        if version in found:
            release["requires"] = required(found[version])
        release.update(withdrawn(files))
        releases.append(json.dumps(release))
    package = page["info"]["name"]
    lines = ",\n".join(f"  {release}" for release in releases)
    print(f'{{\n "package": "{package}",\n "partial": true,\n "releases": [\n{lines}\n ],\n "exports": {{}},\n "callables": {{}}\n}}')


if __name__ == "__main__":
    main(*sys.argv[1:])
