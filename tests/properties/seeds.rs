//! Texts to begin with: what the rules' pages show, the bundled projects, and a few of each format that have everything in them.

use std::path::{Path, PathBuf};

use dpo_lint::rules::{self, page};
use dpo_lint::syntax::Format;

use super::projects::HEADER;

/// The formats that have a parser.
pub const FORMATS: [Format; 11] = [
    Format::Python,
    Format::Notebook,
    Format::Yaml,
    Format::Json,
    Format::Jsonc,
    Format::Toml,
    Format::Shell,
    Format::Requirements,
    Format::Dockerfile,
    Format::Makefile,
    Format::Ini,
];

/// Files of a format.
pub fn of_format(format: Format) -> Vec<String> {
    let mut texts: Vec<String> = samples(format).iter().map(|text| (*text).to_owned()).collect();
    let all = pages().into_iter().chain(bundled()).flatten();
    texts.extend(all.filter(|(path, _)| Format::of(Path::new(path)) == Some(format)).map(|(_, text)| text));
    texts.sort();
    texts.dedup();
    texts
}

/// Projects, each as one text.
pub fn projects() -> Vec<String> {
    let join = |files: Vec<(String, String)>| {
        files.iter().fold(String::new(), |all, (path, text)| {
            let end = if text.ends_with('\n') { "" } else { "\n" };
            format!("{all}{HEADER}{path}\n{text}{end}")
        })
    };
    pages().into_iter().chain(bundled()).map(join).collect()
}

/// What the examples of all pages stand in.
fn pages() -> Vec<Vec<(String, String)>> {
    rules::all().iter().flat_map(|rule| page::examples(rule.meta().page)).map(|example| example.files).collect()
}

/// The projects under `fixtures`, sorted.
fn bundled() -> Vec<Vec<(String, String)>> {
    // The package of the fuzz targets lies in a folder of the repository.
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("fixtures/projects"));
    let root = above.into_iter().find(|folder| folder.is_dir()).expect("the fixtures of the repository");
    folders(&root).iter().map(|project| files(project, project)).collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of the repository");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn files(root: &Path, folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in folders(folder) {
        if path.is_dir() {
            found.extend(files(root, &path));
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let name = path.strip_prefix(root).expect("below").to_string_lossy().replace('\\', "/");
            found.push((name, text));
        }
    }
    found
}

/// A few texts that show all that a format has.
fn samples(format: Format) -> &'static [&'static str] {
    match format {
        Format::Python => &[
            "from trl import DPOTrainer as T, DPOConfig\nimport torch, peft # c\n\nx = T(\n    m, # 中\n    *a,\n    k=f'{v!r:>{w}}', **kw,\n)\n",
            "f(\n    a,\n    # own\n    b=1,  # behind\n    c=2  # before\n    ,\n    d=(3  # inside\n    ),\n    **{'e': 4,  # entry\n    },\n)\n\
             g(1, b=(2  # inner\n), c=3)\n",
            "def f(a, /, b: int = 1, *c, d, **e) -> 'x':\n\t'''d'''\n\tif (y := g(a)[0].b):\n\t\treturn lambda z: z\n\telse: pass\n",
            "@d\r\nclass A(B, metaclass=C):\r\n    async def g(self): return [i async for i in j if k]\r\n    match x:\r\n        case {'a': [b, *c]}: pass\r\n",
        ],
        Format::Notebook => &[
            "{\"cells\": [{\"cell_type\": \"code\", \"metadata\": {}, \"outputs\": [], \"source\": [\"!pip install \\\"trl==0.9\\\" {x}\\n\", \"from trl import DPOTrainer # c\\n\", \"g(1, b=(2 # inner\\n\", \"), c=3)\\n\", \"DPOTrainer(m, beta=0.1)\"]}, {\"cell_type\": \"code\", \"source\": \"%%bash\\npython t.py --a 1\\n\"}, {\"cell_type\": \"markdown\", \"source\": [\"# x\"]}], \"nbformat\": 4}\n",
        ],
        Format::Yaml => &[
            "# 头\nmodel: &m \"中\\n\" # c\nlist:\n  - - a\n    - {x: [1, *m], y: }\n  -\nt: |+2\n    z\n\n? k\n: !!float 1e-5\n<<: *m\n--- >\n x\n...\n",
            "\u{feff}a: 1\r\nb:\r\n- c: 'd''e'\r\n  f: yes # g\r\nh: !t [ ]\r\n",
        ],
        Format::Json | Format::Jsonc => &[
            "// c\n{\"a\\u00e9\": [1, -2.5e+3, {\"b\": null, /* 中 */}, NaN], \"é\": \"\\\"\\ud83d\\ude00\",}\n",
            "{\n  \"train_batch_size\": \"auto\",\n  \"zero_optimization\": {\"stage\": 3, \"a\": []}\n}",
        ],
        Format::Toml => &[
            "# c\r\na.'b c'.d = \"\"\"x\\\ny\"\"\" # 中\r\n[t . \"u\"]\r\nv = { w = 1, x.y = [1, # c\r\n 2] }\r\n[[l]]\r\nd = 2024-01-01T00:00:00Z\r\n",
            "[project]\ndependencies = [\n  \"trl>=0.9\", # c\n  'peft',\n]\n[tool.poetry.dependencies]\ntrl = {version = \"^0.9\", extras = [\"peft\"]}\n",
        ],
        Format::Shell => &[
            "#!/bin/bash\nset -e\nA=(1 \"$B\" ${C:-d})\nfor i in $(seq 1 3); do\n  accelerate launch --num_processes 8 \\\n    train.py --beta 0.1 --use_peft \"${A[@]}\" > log 2>&1 & # c\ndone\ncat <<EOF > x.yaml\na: $B\nEOF\nif [[ -f x ]]; then y; else z; fi\ncase $1 in a|b) c;; esac\n",
            "function f() { local x=`ls`; export P=\"a b\"; python t.py --x='q' --y=$((1+2)) <<< 'w'; }\r\nf && g || h; (i | j)\r\n",
        ],
        Format::Requirements => &[
            "# c\ntrl[peft]>=0.9,<1 ; python_version < '3.12' \\\n  --hash=sha256:ab # d\n-r other.txt\n-e git+https://x.org/y@v1#egg=z\npeft @ https://x.org/p.whl\n--extra-index-url=x\r\ntorch==2.*\n",
        ],
        Format::Dockerfile => &[
            "# syntax=x\nARG V=1\nFROM python:3.10 AS b\nENV A=1 B=\"x y\"\nRUN --mount=type=cache,target=/x pip install trl==$V \\\n    # c\n    && ls\nRUN <<E\npip install peft\nE\nCMD [\"python\", \"t.py\", \"--a\", \"1\"]\n",
        ],
        Format::Makefile => &[
            "A := 1 # c\nB ?= $(A) \\\n  2\ninclude x.mk\nifdef C\nall: x y | z ; @echo $$A\nendif\nx:\n\tpython t.py --a $(A) \\\n\t  --b '$(B)'\n\t-ls\ndefine D\nz\nendef\n",
        ],
        Format::Ini => &["[options]\n# c\ninstall_requires =\n  trl>=0.9 # d\n\n  peft\n; e\nK: 1\n[b\n=x\nz\n"],
    }
}
