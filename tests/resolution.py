"""Compares the releases that the tool says an install gets with those that `uv pip compile` chooses.

    python tests/resolution.py target/release/dpo-lint [--python-version 3.12] [--as-of 2025-06-01] [--resolution lowest]

Both get the same requirements; `uv` asks the package index, so it needs a network, and the bundled data must be of the same day.
Prints the sets in which a pick differs, and how many were compared.

Two sets differ, and are meant to: `trl==0.12.2` with or without peft. The newest huggingface-hub does not go with any transformers that
trl 0.12.2 was made for; uv keeps huggingface-hub and goes back to transformers 4.12.2, older than any release that is known here, pip
keeps transformers 4.46.3, takes huggingface-hub 0.36.2 and so comes to what the tool says. Distributions that are not bundled limit
nothing here.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

LIBRARIES = ("trl", "transformers", "peft", "accelerate")
SETS = """
trl
transformers
peft
accelerate
trl peft
trl transformers
trl transformers peft accelerate
peft transformers
trl==0.7.11
trl==0.8.6
trl==0.9.6
trl==0.11.4
trl==0.12.2
trl==0.13.0
trl==0.19.1
trl==0.24.0
trl==0.28.0
trl==1.0.0
trl==0.12.2 peft
trl==0.12.2 transformers>=4.40
transformers==4.46.3 trl
transformers==4.40.0 trl
trl transformers==4.36.2
transformers<5 trl
trl transformers<4.50
trl<0.12 transformers<4.46
trl>=0.9,<0.10
trl~=0.11.0 peft~=0.12.0
trl>=0.7.1 transformers>=4.33 peft>=0.5
trl>=0.12 transformers<4.47
trl>=0.20 accelerate<1.5
accelerate==0.34.2 trl
accelerate<1.0 trl peft
accelerate==1.2.1 transformers==4.53.1
peft==0.10.0 transformers==4.57.6 trl==0.8.6
peft<0.14 transformers<4.49
peft==0.17.1 transformers==5.3.0 trl==0.29.1
trl!=1.16.0
trl!=1.16.0 transformers!=5.23.0
transformers==4.*
trl==0.9.* transformers==4.4*.*
trl<1 peft<0.15 accelerate<1
transformers>=4.51,<4.52 trl peft accelerate
trl==0.14.0 accelerate
trl>=0.15,<0.16 transformers>=4.48,<4.50
trl<=0.18.2
trl<0.17 transformers>=4.50
peft>=0.8 accelerate>=0.27,<0.30
trl==0.7.4 transformers==4.39.3
trl>0.8,<0.9 accelerate==0.29.3
trl==1.16.0 transformers==4.55.4
trl==0.12.2 transformers==4.50.0
trl==0.19.1 accelerate==1.2.1
""".split("\n")


def installed_by_uv(requirements, options):
    command = ["uv", "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate"]
    command += ["--python-version", options.python_version, "--resolution", options.resolution]
    if options.as_of:
        command += ["--exclude-newer", options.as_of]
    done = subprocess.run(command, input="\n".join(requirements), capture_output=True, text=True)
    if done.returncode:
        return None
    pins = (line.split("==") for line in done.stdout.split("\n") if "==" in line)
    return {name: version.split(";")[0].strip() for name, version in pins if name in LIBRARIES}


def said(binary, requirements, options):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / ".git").mkdir()
        (root / "requirements.txt").write_text("\n".join(requirements) + "\n")
        (root / ".python-version").write_text(options.python_version)
        header = f'[project]\nname = "x"\nversion = "1"\nrequires-python = "=={options.python_version}.*"\n'
        (root / "pyproject.toml").write_text(header)
        (root / "train.py").write_text("import trl, transformers, peft, accelerate\ntrl.DPOTrainer()\n")
        command = [binary, "versions", "--output-format", "json", "--resolution", options.resolution, folder]
        command += ["--as-of", options.as_of] if options.as_of else []
        done = subprocess.run(command, capture_output=True, text=True)
        report = json.loads(done.stdout)
    environment = report["environment"][0]
    return {one["package"]: one["in_effect"] for one in environment["packages"] if one["package"] in LIBRARIES}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--python-version", default="3.12")
    parser.add_argument("--as-of")
    parser.add_argument("--resolution", default="highest", choices=["highest", "lowest"])
    options = parser.parse_args()
    sets = [line.split() for line in SETS if line.strip()]
    different = unsolvable = 0
    for requirements in sets:
        real, ours = installed_by_uv(requirements, options), said(options.binary, requirements, options)
        if real is None:
            unsolvable += 1
        # What nothing asks for is not installed; the tool names what it assumes.
        elif any(ours.get(name) != version for name, version in real.items()):
            different += 1
            print(f"{' '.join(requirements)}\n  uv:   {real}\n  ours: {ours}", flush=True)
    solved = len(sets) - unsolvable
    print(f"{solved - different} of {solved} sets are resolved to the same releases; {unsolvable} have no solution for uv")


if __name__ == "__main__":
    main()
