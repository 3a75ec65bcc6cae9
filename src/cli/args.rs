//! Flags and commands.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::engine::catalogue::Selector;
use crate::engine::settings::{FailOn, OutputFormat, Overrides, Target};
use crate::model::{Choice, Order};

/// Says, before a GPU is rented, what a preference-training project will do with the library versions it will really get.
#[derive(Debug, Parser)]
#[command(name = "dpo-lint", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
#[command(after_help = "Exit codes: 0 nothing that fails was found; 1 findings; 2 dpo-lint could not do its job")]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub check: CheckArgs,
    #[command(flatten)]
    pub global: GlobalArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check files and folders (the default command)
    Check(Box<CheckArgs>),
    /// Rewrite code, argument files, launch lines and declarations for other releases
    Migrate(Box<MigrateArgs>),
    /// Say which releases each script gets, and how that is known
    Versions(Box<VersionsArgs>),
    /// Train a run for some steps with its own settings, on a small model, and check what must hold
    Verify(Box<VerifyArgs>),
    /// Show the page of a rule
    Explain {
        /// Name or code
        rule: String,
    },
    /// List the rules
    Rules {
        /// How the list is written
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        output_format: ListFormat,
    },
    /// Print a JSON Schema of what a program or a class may be configured with, for editors
    #[command(
        after_help = "Examples: `dpo-lint schema llama-factory@0.9.3`, `dpo-lint schema axolotl`, `dpo-lint schema \"swift rlhf@3.5\"`,\n\
`dpo-lint schema trl.DPOConfig@1.16`. Without a release it is the newest one known. `dpo-lint schema config` is that of dpo-lint.toml."
    )]
    Schema {
        /// A framework or its command, or the full name of a class, and the release; `config`: this program
        #[arg(value_name = "NAME[@RELEASE]")]
        what: String,
    },
    /// Serve an editor: the Language Server Protocol over standard input and output
    Server,
    /// Write a first dpo-lint.toml into the working directory
    Init,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Learn releases that dpo-lint has never seen from a wheel or from where they are installed
    #[command(
        after_help = "What is learnt is kept in the user's cache folder, or in DPO_LINT_CACHE where that is set, \
and every check uses it. `--python` learns what is installed by itself."
    )]
    Learn(LearnArgs),
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct GlobalArgs {
    /// Say nothing but findings and errors of dpo-lint itself
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say what is read and which settings hold
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: clap::ColorChoice,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub project: ProjectArgs,

    /// Apply safe fixes
    #[arg(long, help_heading = "Fixing")]
    pub fix: bool,
    /// Apply fixes that may change what the program does, too
    #[arg(long, help_heading = "Fixing")]
    pub unsafe_fixes: bool,
    /// Then train each fixed run for some steps, as `dpo-lint verify` does
    #[arg(long, requires = "fix", conflicts_with = "diff", help_heading = "Fixing")]
    pub verify: bool,
    /// Show what --fix would change, and change nothing; exits with 1 if there is something to change
    #[arg(long, help_heading = "Fixing")]
    pub diff: bool,

    /// Rules to run: names, codes, code prefixes, ALL
    #[arg(long, value_name = "RULE", value_delimiter = ',', help_heading = "Rules")]
    pub select: Option<Vec<Selector>>,
    /// Rules not to run
    #[arg(long, value_name = "RULE", value_delimiter = ',', help_heading = "Rules")]
    pub ignore: Vec<Selector>,
    /// Rules to run besides those selected in the configuration
    #[arg(long, value_name = "RULE", value_delimiter = ',', help_heading = "Rules")]
    pub extend_select: Vec<Selector>,

    #[command(flatten)]
    pub environment: EnvironmentArgs,

    /// Patterns of files and folders to leave out, instead of the default ones
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', value_parser = pattern, help_heading = "Files")]
    pub exclude: Option<Vec<String>>,
    /// Patterns of files and folders to leave out as well
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', value_parser = pattern, help_heading = "Files")]
    pub extend_exclude: Vec<String>,
    /// Check again whenever a file changes, until Ctrl-C
    #[arg(long, conflicts_with_all = ["verify", "show_settings", "add_ignore", "write_baseline", "prune_baseline"], help_heading = "Output")]
    pub watch: bool,
    /// Show the settings that hold, and check nothing
    #[arg(long, help_heading = "Configuration")]
    pub show_settings: bool,

    /// Write a suppression comment with this reason for every finding
    #[arg(long, value_name = "REASON", value_parser = reason, conflicts_with_all = ["fix", "diff", "write_baseline", "prune_baseline"], help_heading = "Adoption")]
    pub add_ignore: Option<String>,
    /// Do not report the findings that this file knows
    #[arg(long, value_name = "FILE", help_heading = "Adoption")]
    pub baseline: Option<PathBuf>,
    /// Write what is found now to the baseline, and report nothing
    #[arg(long, conflicts_with_all = ["fix", "diff", "prune_baseline"], help_heading = "Adoption")]
    pub write_baseline: bool,
    /// Remove from the baseline what is not found any more
    #[arg(long, conflicts_with_all = ["fix", "diff"], help_heading = "Adoption")]
    pub prune_baseline: bool,

    /// How findings are written
    #[arg(long, value_name = "FORMAT", help_heading = "Output")]
    pub output_format: Option<OutputFormat>,
    /// Write findings to this file instead of standard output
    #[arg(long, short = 'o', value_name = "FILE", help_heading = "Output")]
    pub output_file: Option<PathBuf>,
    /// Count findings per rule instead of showing them
    #[arg(long, help_heading = "Output")]
    pub statistics: bool,
    /// The mildest severity that makes the exit code 1
    #[arg(long, value_name = "SEVERITY", help_heading = "Output")]
    pub fail_on: Option<FailOn>,
    /// Exit with 0 even if there are findings
    #[arg(long, short = 'e', help_heading = "Output")]
    pub exit_zero: bool,
}

/// Which project is meant.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct ProjectArgs {
    /// Files and folders; `-` reads standard input (with --stdin-filename) [default: .]
    pub paths: Vec<PathBuf>,

    /// Use this configuration file
    #[arg(long, value_name = "FILE", conflicts_with = "isolated", help_heading = "Configuration")]
    pub config: Option<PathBuf>,
    /// Use no configuration file
    #[arg(long, help_heading = "Configuration")]
    pub isolated: bool,

    /// Leave out excluded files even when they are named on the command line
    #[arg(long, help_heading = "Files")]
    pub force_exclude: bool,
    /// Leave out what git ignores (the default)
    #[arg(long, overrides_with = "no_respect_gitignore", help_heading = "Files")]
    pub respect_gitignore: bool,
    /// Read what git ignores, too
    #[arg(long, overrides_with = "respect_gitignore", help_heading = "Files")]
    pub no_respect_gitignore: bool,
    /// The name of the file that standard input stands for
    #[arg(long, value_name = "PATH", help_heading = "Files")]
    pub stdin_filename: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing to do; 1 there is something to change, or something is left to do by hand; \
2 dpo-lint could not do its job"
)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    pub project: ProjectArgs,
    /// The release to get to: trl==1.16 is the newest of its series (repeatable)
    #[arg(long, required = true, value_name = "PACKAGE==VERSION", help_heading = "Migrating")]
    pub to: Vec<Target>,
    /// Make the changes instead of showing them
    #[arg(long, help_heading = "Migrating")]
    pub write: bool,
}

/// Which releases the project is judged by.
#[derive(Debug, Clone, Args)]
pub(super) struct EnvironmentArgs {
    /// Judge by this release, whatever the project declares: trl==0.12.2 (repeatable)
    #[arg(long, value_name = "PACKAGE==VERSION", help_heading = "Environment")]
    pub target: Vec<Target>,
    /// Judge by what is installed for this interpreter or in this virtual environment
    #[arg(long, value_name = "PATH", help_heading = "Environment")]
    pub python: Option<PathBuf>,
    /// Which of the allowed releases an install is taken to get
    #[arg(long, value_name = "END", default_value = "highest", help_heading = "Environment")]
    pub resolution: Resolution,
    /// Judge as if today were this day: 2025-03-01
    #[arg(long, value_name = "DATE", value_parser = day, help_heading = "Environment")]
    pub as_of: Option<String>,
}

/// An end of what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Resolution {
    Highest,
    Lowest,
}

impl EnvironmentArgs {
    /// What the command line says about releases over the configuration file.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            targets: self.target.clone(),
            python: self.python.clone(),
            choice: self.choice(),
            ..Overrides::default()
        }
    }

    /// What an installer is taken to choose.
    pub fn choice(&self) -> Choice {
        let order = match self.resolution {
            Resolution::Highest => Order::Highest,
            Resolution::Lowest => Order::Lowest,
        };
        Choice { order, as_of: self.as_of.clone() }
    }
}

/// A day as it is written in the list of releases.
fn day(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let is_number = |part: &&str, length| part.len() == length && part.bytes().all(|digit| digit.is_ascii_digit());
    match parts.as_slice() {
        [year, month, day] if is_number(year, 4) && is_number(month, 2) && is_number(day, 2) => Ok(text.to_owned()),
        _ => Err("write a day as 2025-03-01".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(super) struct VersionsArgs {
    #[command(flatten)]
    pub project: ProjectArgs,
    #[command(flatten)]
    pub environment: EnvironmentArgs,
    /// Say instead which releases of two packages can be imported together; no project is read
    #[arg(long, num_args = 2, value_names = ["PACKAGE", "PACKAGE"], conflicts_with_all = ["target", "python", "paths"])]
    pub matrix: Option<Vec<String>>,
    /// How the list is written
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub output_format: ListFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "PATHS may name one run: its script, its launch script or its argument file.\n\
Exit codes: 0 everything holds; 1 something does not; 2 dpo-lint could not do its job")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    pub project: ProjectArgs,
    #[command(flatten)]
    pub environment: EnvironmentArgs,
    /// Train the model in this folder, with its tokenizer [default: a small random model of the project's architecture]
    #[arg(long, value_name = "DIR", help_heading = "Training")]
    pub model: Option<PathBuf>,
    /// Train on the pairs in this file: .jsonl, .json, .csv or .parquet [default: pairs that come with dpo-lint]
    #[arg(long, value_name = "FILE", help_heading = "Training")]
    pub data: Option<PathBuf>,
    /// How many steps to train [default: 10, or all where the run has fewer]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Training")]
    pub steps: Option<u32>,
    /// Train as it was before the fix as well: with a second model as reference
    #[arg(long, help_heading = "Training")]
    pub before_fix: bool,
    /// Where to compute
    #[arg(long, value_name = "DEVICE", default_value = "cpu", help_heading = "Training")]
    pub device: Device,
    /// Keep the adapter, metrics.jsonl and plots in this folder
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub save: Option<PathBuf>,
    /// How the report is written
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub format: ListFormat,
}

/// Where numbers are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Device {
    Cpu,
    Cuda,
}

#[derive(Debug, Args)]
pub(super) struct LearnArgs {
    /// The package to learn, by distribution name [default: all that dpo-lint asks about]
    #[arg(long, value_name = "NAME")]
    pub package: Option<String>,
    /// Write what was mined to this file instead (`-`: standard output), in the form that is built into dpo-lint; with
    /// --imports, into this folder
    #[arg(long, short, value_name = "FILE", help_heading = "Writing down")]
    pub output: Option<PathBuf>,
    /// Mine what the libraries import from each other; takes folders of wheels, one for each library and named after it, with
    /// --output a folder, without --package
    #[arg(long, requires = "output", conflicts_with_all = ["package", "index", "only"], help_heading = "Writing down")]
    pub imports: bool,
    /// Upload day and withdrawal of each release, which no wheel knows of itself
    #[arg(long, value_name = "FILE", requires = "output", help_heading = "Writing down")]
    pub index: Option<PathBuf>,
    /// Classes and functions to keep [default: everything public]
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "output", help_heading = "Writing down")]
    pub only: Vec<String>,
    /// Wheels, `site-packages` folders, virtual environments or interpreters
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

impl VerifyArgs {
    /// What `check --fix --verify` trains: the same project, with all that can be left out left out.
    pub fn after(check: &CheckArgs) -> Self {
        Self {
            project: check.project.clone(),
            environment: check.environment.clone(),
            model: None,
            data: None,
            steps: None,
            before_fix: false,
            device: Device::Cpu,
            save: None,
            format: ListFormat::Text,
        }
    }
}

impl CheckArgs {
    /// What the command line says over the configuration file.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            select: self.select.clone(),
            extend_select: self.extend_select.clone(),
            ignore: self.ignore.clone(),
            exclude: self.exclude.clone(),
            extend_exclude: self.extend_exclude.clone(),
            baseline: self.baseline.clone(),
            fail_on: self.fail_on,
            output_format: self.output_format,
            ..self.environment.overrides()
        }
    }
}

/// What can stand at the end of a suppression comment.
fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    match () {
        () if text.is_empty() => Err("say why these findings are to be ignored".to_owned()),
        () if text.contains(['\n', '\r', '#']) => Err("a reason is one line without `#`".to_owned()),
        () => Ok(text.to_owned()),
    }
}

fn pattern(text: &str) -> Result<String, String> {
    crate::engine::settings::check_pattern(text).map(|()| text.to_owned())
}

/// The engine keeps one table of names for configuration files and the command line; clap wants a trait.
macro_rules! value_enum {
    ($type:ty) => {
        impl ValueEnum for $type {
            fn value_variants<'a>() -> &'a [Self] {
                const VARIANTS: [$type; <$type>::NAMES.len()] = {
                    let mut variants = [<$type>::NAMES[0].1; <$type>::NAMES.len()];
                    let mut at = 0;
                    while at < variants.len() {
                        variants[at] = <$type>::NAMES[at].1;
                        at += 1;
                    }
                    variants
                };
                &VARIANTS
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                let (name, _) = Self::NAMES.iter().find(|(_, value)| value == self)?;
                Some(PossibleValue::new(*name))
            }
        }
    };
}

value_enum!(FailOn);
value_enum!(OutputFormat);
