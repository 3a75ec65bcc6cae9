"""Compares the mined signatures with those of installed libraries, which Python itself tells.

    VENV/bin/python tests/installed.py [COUNT] [SEED]

Run it with the interpreter of an environment that has some of the libraries. Of each whose release is known, COUNT classes and
functions are drawn and imported; `dataclasses.fields` or `inspect.signature` of them is compared with `schemas/knowledge`, with
inheritance followed here a second time, across packages. What cannot be imported there, and classes that get their constructor
from a library that is not mined, are counted and left out. Differences are printed; the exit code is 1 if there are any.
"""

import ast
import dataclasses
import importlib
import importlib.metadata
import inspect
import json
import random
import sys
from pathlib import Path

from signatures import SCHEMAS, holds

# Bases that add nothing to a constructor.
BARE = {"abc.ABC", "typing.Generic", "typing.Protocol", "builtins.object", "object", "transformers.utils.PushToHubMixin"}
REQUIRED = object()
UNTOLD = object()


class Package:
    def __init__(self, known, version):
        self.known = known
        self.places = {one["version"]: at for at, one in enumerate(known["releases"])}
        self.at = self.places[version]

    def holds(self, fact, key="in"):
        return holds(fact.get(key, ""), self.at, self.places)

    def marked(self, owner, key):
        """Whether a text such as `inherits` is there and holds."""
        return bool(owner.get(key)) and self.holds(owner, key)

    def fact(self, facts):
        return next((fact for fact in facts if self.holds(fact)), None)

    def callable(self, name):
        found = self.known["callables"].get(name)
        return found if found and self.holds(found) else None

    def exported(self, dotted):
        module, _, name = dotted.rpartition(".")
        found = self.known["exports"].get(module)
        fact = found and self.holds(found) and self.fact(found.get("definitions", {}).get(name, []))
        return fact["at"] if fact else None


class Unknown(Exception):
    """A base that is not mined has a say."""


def base(packages, package, name):
    if package.callable(name):
        return package, name
    other = packages.get(name.split(".")[0])
    definition = other and (other.exported(name) or name)
    return (other, definition) if other and other.callable(definition) else None


def mined(packages, package, name, for_fields=False):
    """Parameters with the text of their defaults, and whether any other keyword is taken."""
    one = package.callable(name)
    kind = package.fact(one["kind"])["kind"]
    bases = (package.fact(one.get("bases", [])) or {"names": []})["names"]
    bases = [name for name in bases if name not in BARE]
    parameters, any_keyword = {}, False
    is_dataclass = kind == "dataclass"
    inherits = package.marked(one, "inherits")
    if is_dataclass or for_fields or inherits:
        for outer in reversed(bases if is_dataclass or for_fields else bases[:1]):
            found = base(packages, package, outer)
            if found is None:
                raise Unknown(outer)
            more, keyword = mined(packages, *found, for_fields or is_dataclass)
            parameters.update(more)
            any_keyword |= keyword
    if not is_dataclass and (for_fields or inherits):
        return parameters, any_keyword
    for name, facts in one.get("parameters", {}).items():
        fact = package.fact(facts)
        # An alias of a decorator is no parameter of the function.
        if fact is not None and "alias_of" not in fact:
            parameters[name] = fact.get("default", REQUIRED)
    return parameters, any_keyword or package.marked(one, "any_keyword")


def told(value):
    """The same from Python itself: one reading, or two where a constructor hands on whatever it gets."""
    if inspect.isclass(value) and dataclasses.is_dataclass(value) and "__init__" in vars(value) and is_made(value):
        fields = [one for one in dataclasses.fields(value) if one.init]
        return [({one.name: default(one) for one in fields}, False)]
    if inspect.isclass(value) and value.__init__ is object.__init__:
        return [({}, False)]
    function = value.__init__ if inspect.isclass(value) else value
    parameters = list(inspect.signature(function).parameters.values())[1 if inspect.isclass(value) else 0 :]
    named = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    defaults = {one.name: REQUIRED if one.default is one.empty else one.default for one in named}
    reading = defaults, any(one.kind == one.VAR_KEYWORD for one in parameters)
    if not inspect.isclass(value) or len(parameters) != 2 or named:
        return [reading]
    makers = [one for one in value.__mro__ if "__init__" in vars(one)]
    return [reading, *told(makers[1])]


def is_made(value):
    """Whether the constructor is that of `dataclass`."""
    return value.__init__.__code__.co_filename == "<string>"


def default(field):
    if field.default is not dataclasses.MISSING:
        return field.default
    return REQUIRED if field.default_factory is dataclasses.MISSING else UNTOLD


def differs(text, value):
    """Whether two defaults are not the same; only what is a constant on both sides is compared."""
    if text is REQUIRED or value is REQUIRED:
        return text is not value
    try:
        return ast.literal_eval(text) != value and isinstance(value, (bool, int, float, str, type(None)))
    except (ValueError, SyntaxError):
        return False


def compare(packages, package, name):
    """What differs; empty where that is nothing."""
    module, short = name.rsplit(".", 1)
    value = getattr(importlib.import_module(module), short)
    if getattr(value, "_is_protocol", False):
        raise Unknown(name)
    parameters, any_keyword = mined(packages, package, name)
    readings = [difference(parameters, any_keyword, *reading) for reading in told(value)]
    return "" if "" in readings else readings[0]


def difference(parameters, any_keyword, expected, takes_any):
    lines = [f"only mined: {one}" for one in sorted(parameters.keys() - expected.keys())]
    lines += [f"only real: {one}" for one in sorted(expected.keys() - parameters.keys())]
    both = sorted(parameters.keys() & expected.keys())
    lines += [f"{one}: {parameters[one]!r} is {expected[one]!r}" for one in both if differs(parameters[one], expected[one])]
    if any_keyword != takes_any:
        lines.append(f"any keyword: {any_keyword} is {takes_any}")
    return "; ".join(lines)


def main(count=50, seed=0):
    packages = {}
    for path in sorted(SCHEMAS.glob("knowledge/*.json")):
        try:
            version = importlib.metadata.version(path.stem)
            packages[path.stem] = Package(json.loads(path.read_text()), version)
            print(path.stem, version)
        except (importlib.metadata.PackageNotFoundError, KeyError):
            continue
    chance = random.Random(seed)
    same = different = absent = unknown = 0
    for package in packages.values():
        names = [name for name in package.known["callables"] if package.callable(name)]
        # Tests and examples that come with a package are none of its interface.
        names = [name for name in names if ".test" not in name and not name.rsplit(".", 1)[1].startswith("_")]
        for name in chance.sample(names, min(count, len(names))):
            try:
                found = compare(packages, package, name)
            except Unknown:
                unknown += 1
                continue
            except Exception:  # Importing runs the library: anything can happen.
                absent += 1
                continue
            if found:
                different += 1
                print(f"{name}: {found}")
            else:
                same += 1
    print(f"{same} the same, {different} different; left out: {absent} not importable here, {unknown} with an unknown base")
    return different > 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main(*map(int, sys.argv[1:])))
