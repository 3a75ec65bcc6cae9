"""Reads signatures a second time, with Python's own parser, and compares them with the mined files.

    python tests/signatures.py WHEELS [COUNT] [SEED]

WHEELS holds the wheels of each package in a folder of its own. COUNT pairs of a release and a callable are drawn; each is
parsed from the wheel by `ast` and compared with `schemas/knowledge`, intervals read anew here. What both leave to bases is
not followed. Differences are printed; the exit code is 1 if there are any.
"""

import ast
import json
import random
import re
import sys
import zipfile
from pathlib import Path

SCHEMAS = Path(__file__).parent.parent / "schemas"


def holds(intervals, at, places):
    """Whether release number `at` is in a text such as `0.7.11 - 0.27.2, 0.28.0 -`."""
    if not intervals:
        return True
    for interval in intervals.split(", "):
        first, dash, last = interval.partition("-") if " - " not in interval else interval.partition(" - ")
        first, last = first.strip(), last.strip()
        low = places[first] if first else 0
        high = places[last] if last else (len(places) if dash else low)
        if low <= at <= high:
            return True
    return False


def stored(callable_, at, places):
    """Parameters with their defaults, aliases that a decorator adds left out."""
    parameters = {}
    for name, facts in callable_.get("parameters", {}).items():
        for fact in facts:
            if holds(fact.get("in", ""), at, places):
                if "alias_of" not in fact:
                    parameters[name] = fact.get("default")
                break
    return parameters


def normal(text):
    try:
        return ast.dump(ast.parse(text, mode="eval"))
    except SyntaxError:
        return text


def last(node):
    node = node.func if isinstance(node, ast.Call) else node
    node = node.value if isinstance(node, ast.Subscript) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def field(node):
    """The default of a field as source; `False` where the constructor does not take it."""
    if not (isinstance(node, ast.Call) and last(node) in ("field", "HfArg")):
        return node and ast.unparse(node)
    keywords = {one.arg: one.value for one in node.keywords}
    if isinstance(keywords.get("init"), ast.Constant) and keywords["init"].value is False:
        return False
    if "default" in keywords:
        return ast.unparse(keywords["default"])
    factory = keywords.get("default_factory")
    if isinstance(factory, ast.Lambda):
        return ast.unparse(factory.body)
    return factory and f"{ast.unparse(factory)}()"


def arguments(node, bound):
    everything = node.args
    positional = everything.posonlyargs + everything.args
    padded = [None] * (len(positional) - len(everything.defaults)) + everything.defaults
    pairs = list(zip(positional, padded))[bound:] + list(zip(everything.kwonlyargs, everything.kw_defaults))
    return {one.arg: default and ast.unparse(default) for one, default in pairs}


def read(tree, name):
    """The same from source; `None`: not read here."""
    found = None
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            if found is not None:
                return None
            found = node
    if found is None or not isinstance(found, ast.ClassDef):
        return found and arguments(found, 0)
    for statement in found.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return arguments(statement, 1)
    is_tuple = any(last(one) == "NamedTuple" for one in found.bases)
    if not is_tuple and not any(last(one) == "dataclass" for one in found.decorator_list):
        return {}
    fields = {}
    for statement in found.body:
        if isinstance(statement, ast.AnnAssign) and last(statement.annotation) != "ClassVar":
            default = field(statement.value)
            if default is not False:
                fields[statement.target.id] = default
    return fields


def main(wheels, count=300, seed=0):
    pairs = []
    packages = {}
    for path in sorted(SCHEMAS.glob("knowledge/*.json")):
        package = path.stem
        if package == "curated" or not (wheels / package).is_dir():
            continue
        known = json.loads(path.read_text())
        places = {one["version"]: at for at, one in enumerate(known["releases"])}
        archives = {re.split("-", one.name)[1]: one for one in (wheels / package).glob("*.whl")}
        packages[package] = known, places, archives
        for name, callable_ in known["callables"].items():
            here = [v for v, at in places.items() if holds(callable_.get("in", ""), at, places) and v in archives]
            pairs += [(package, version, name) for version in here]
    compared = skipped = different = 0
    # Every package counts the same, however many releases it has.
    by_package = {package: [pair for pair in pairs if pair[0] == package] for package in packages}
    chance = random.Random(seed)
    sample = [pair for own in by_package.values() for pair in chance.sample(own, min(len(own), count // len(packages)))]
    for package, version, name in sample:
        known, places, archives = packages[package]
        module, short = name.rsplit(".", 1)
        with zipfile.ZipFile(archives[version]) as archive:
            names = set(archive.namelist())
            path = module.replace(".", "/")
            path = f"{path}.py" if f"{path}.py" in names else f"{path}/__init__.py"
            tree = ast.parse(archive.read(path)) if path in names else None
        expected = tree and read(tree, short)
        if expected is None:
            skipped += 1
            continue
        found = stored(known["callables"][name], places[version], places)
        compared += 1
        same = found.keys() == expected.keys() and all(
            found[one] == "..." or normal(str(found[one])) == normal(str(expected[one])) for one in found
        )
        if not same:
            different += 1
            both = found.keys() & expected.keys()
            print(f"{package} {version} {name}")
            print("  only in the mined file:", {one: found[one] for one in found.keys() - expected.keys()})
            print("  only in the source:", {one: expected[one] for one in expected.keys() - found.keys()})
            print("  defaults:", {one: (found[one], expected[one]) for one in both
                                  if found[one] != "..." and normal(str(found[one])) != normal(str(expected[one]))})
    print(f"{compared} compared, {skipped} left out (defined twice in one module or not there), {different} different")
    return different > 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
