//! The programs that launch lines are made of, by name.

/// What a word starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// A Python file, run as a program.
    Script,
    /// A Python interpreter.
    Python,
    /// A launcher of Python scripts, named by so many words.
    Launcher { name: &'static str, words: usize },
    /// A program that runs another one, named by so many words.
    Wrapper { name: &'static str, words: usize },
    /// A training framework's own program, which a command follows.
    Tool(&'static str),
}

const WRAPPERS: [&str; 24] = [
    "sudo",
    "env",
    "time",
    "exec",
    "nohup",
    "nice",
    "ionice",
    "srun",
    "sbatch",
    "mpirun",
    "mpiexec",
    "xvfb-run",
    "timeout",
    "stdbuf",
    "numactl",
    "taskset",
    "command",
    "proxychains",
    "proxychains4",
    "singularity",
    "apptainer",
    "catchsegv",
    "nsys",
    "unbuffer",
];

/// Wrappers whose name has a second word.
const RUNNERS: [&str; 7] = ["uv", "poetry", "pdm", "conda", "mamba", "pixi", "rye"];

/// Framework programs that take a command.
const TOOLS: [&str; 9] = ["trl", "llamafactory-cli", "lmf", "swift", "megatron", "axolotl", "tune", "xtuner", "oumi"];

/// What starts at a word; `is_script` says whether it names a Python file.
pub(super) fn start(word: Option<&str>, next: Option<&str>, is_script: bool) -> Option<Start> {
    if is_script {
        return Some(Start::Script);
    }
    let name = base(word?);
    let find = |names: &[&'static str]| names.iter().copied().find(|known| *known == name);
    if name == "%run" {
        return Some(Start::Python);
    }
    if ["python", "pypy", "ipython"].iter().any(|python| is_version_of(name, python)) {
        return Some(Start::Python);
    }
    match (name, next) {
        ("torchrun", _) => return Some(Start::Launcher { name: "torchrun", words: 1 }),
        ("deepspeed", _) => return Some(Start::Launcher { name: "deepspeed", words: 1 }),
        ("accelerate", Some("launch")) => return Some(Start::Launcher { name: "accelerate launch", words: 2 }),
        ("oumi", Some("distributed")) => return Some(Start::Wrapper { name: "oumi distributed", words: 2 }),
        ("ray", Some("job")) => return Some(Start::Wrapper { name: "ray job submit", words: 2 }),
        ("accelerate-launch", _) => return Some(Start::Launcher { name: "accelerate launch", words: 1 }),
        _ => {}
    }
    if let (Some(name), Some("run")) = (find(&RUNNERS), next) {
        return Some(Start::Wrapper { name, words: 2 });
    }
    if let Some(name) = find(&WRAPPERS) {
        return Some(Start::Wrapper { name, words: 1 });
    }
    let takes_command = next.is_some_and(|next| !next.starts_with('-'));
    find(&TOOLS).filter(|_| takes_command).map(Start::Tool)
}

/// The launcher that a module is (`python -m torch.distributed.run`).
pub(super) fn launcher_module(module: &str) -> Option<&'static str> {
    match module {
        "torch.distributed.run" | "torch.distributed.launch" => Some("torchrun"),
        "accelerate.commands.launch" => Some("accelerate launch"),
        "deepspeed.launcher.runner" | "deepspeed.launcher.launch" => Some("deepspeed"),
        _ => None,
    }
}

/// Flags of `accelerate launch`, `torchrun` and `deepspeed` that take no value, dashes and underscores alike. From the
/// argument parsers of accelerate 1.x, torch 2.x and deepspeed 0.1x.
const BARE: [&str; 29] = [
    "m",
    "module",
    "no_python",
    "multi_gpu",
    "cpu",
    "tpu",
    "mps",
    "quiet",
    "q",
    "use_deepspeed",
    "use_fsdp",
    "use_megatron_lm",
    "use_xpu",
    "ipex",
    "same_network",
    "debug",
    "standalone",
    "no_local_rank",
    "force_multi",
    "save_pid",
    "enable_each_rank_log",
    "use_env",
    "downcast_bf16",
    "tpu_use_cluster",
    "tpu_use_sudo",
    "enable_cpu_affinity",
    "main",
    "no_ssh",
    "use_parallelism_config",
];

/// Whether a launcher's flag stands alone.
pub(super) fn is_bare(flag: &str) -> bool {
    let name = flag.trim_start_matches('-').replace('-', "_");
    BARE.contains(&name.as_str())
}

/// Whether the value of a wrapper's flag may look like a program: `uv run --with trl`, `--python python3.11`.
pub(super) fn takes_program_name(flag: &str) -> bool {
    const FLAGS: [&str; 10] =
        ["--with", "--with-editable", "--python", "-p", "--extra", "--group", "-n", "--name", "-J", "--job-name"];
    FLAGS.contains(&flag)
}

/// Whether a module is a framework's program, which a command follows: `python -m oumi train`.
pub(super) fn is_tool(module: &str) -> bool {
    TOOLS.contains(&module)
}

/// A program's name without its folder.
pub(super) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn is_version_of(name: &str, program: &str) -> bool {
    let version = name.strip_prefix(program);
    version.is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}
