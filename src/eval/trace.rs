//! What an evaluation leaves behind, and what it asks of its host.

use std::sync::Arc;

use super::{Class, Cond, Object, Traced, Value};
use crate::source::{FileId, Span};
use crate::syntax::python::PythonModule;

/// Everything worth knowing of one evaluation, in the order it happened.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Calls of things outside the project (and of project classes that derive from such things).
    pub calls: Vec<CallEvent>,
    /// `raise` statements that were reached.
    pub raises: Vec<RaiseEvent>,
    /// Imports that were reached.
    pub imports: Vec<ImportEvent>,
    /// Attributes read from a [`super::Root::Parameter`] symbol (used by the miner), each path once per condition.
    pub reads: Vec<AttributeRead>,
    /// Argument parsers that were built.
    pub parsers: Vec<Parser>,
    /// Their flags; a [`FlagId`] is an index.
    pub flags: Vec<Flag>,
    /// What the names of the entry module stand for in the end, when a configuration was evaluated.
    pub names: Vec<(Arc<str>, Value)>,
    /// What the evaluated function returned, when one function was evaluated.
    pub returned: Option<Value>,
    /// Files whose code took part, the entry first.
    pub files: Vec<FileId>,
    /// Whether the step budget ran out; what was recorded until then holds, but more may have happened.
    pub exhausted: bool,
}

/// One argument of a call, after `*args` and `**kwargs` with known content were unpacked.
#[derive(Debug, Clone)]
pub struct Argument {
    /// The keyword, `None` for a positional argument.
    pub name: Option<Arc<str>>,
    /// The value and the expression it was written as (of an unpacked dictionary: the entry's value).
    pub value: Traced,
    /// The whole argument as written: `ref_model=ref`, `ref`, or the dictionary's entry `"ref_model": ref`.
    pub span: Span,
    /// The expression that was unpacked (`**kwargs`), if the argument came out of one.
    pub unpacked: Option<Span>,
    /// Under which condition it is passed at all, given that the call is reached: a dictionary's entry may be set only in
    /// a branch. Nearly always [`Cond::TRUE`].
    pub when: Cond,
}

/// A call that was reached.
#[derive(Debug, Clone)]
pub struct CallEvent {
    /// The object that the call made; its `callee`, `span` and `args` describe the call.
    pub object: Arc<Object>,
    /// Under which condition the call is reached.
    pub when: Cond,
    /// Exception names caught around it (`TypeError`; `*` for a bare `except` or `Exception`).
    pub caught: Vec<Arc<str>>,
    /// Exception names in whose handlers it stands.
    pub handling: Vec<Arc<str>>,
    /// Whether more arguments may be present than `args` shows (`**unknown`, `*unknown`).
    pub open: bool,
    /// For a call of a project class that derives from something outside (`class Mine(DPOTrainer)`), or its
    /// `super().__init__(...)`: that project class. The object's callee is then the outside base.
    pub through: Option<Arc<Class>>,
    /// Spans of the project calls that led here, outermost first; empty at module level.
    pub stack: Vec<Span>,
    /// Whether the function around it was evaluated without a caller, its parameters unknown.
    pub uncalled: bool,
    /// Who makes it.
    pub by: Caller,
}

/// Who makes a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Caller {
    /// The script, where it writes the call.
    #[default]
    Script,
    /// A program, of a dictionary of its configuration.
    Program,
    /// The same, with arguments of the program's own.
    ProgramWithMore,
}

/// A `raise` that was reached.
#[derive(Debug, Clone)]
pub struct RaiseEvent {
    /// The statement.
    pub span: Span,
    /// Class name as written, without module.
    pub exception: Arc<str>,
    /// The message, where it is a literal; parts of an f-string that are not known are written `{...}`.
    pub message: Option<Arc<str>>,
    /// Under which condition it is reached.
    pub when: Cond,
    /// Exception names caught around it.
    pub caught: Vec<Arc<str>>,
}

/// An `import` of something outside the project that was reached.
#[derive(Debug, Clone)]
pub struct ImportEvent {
    /// Dotted module: `trl.trainer`.
    pub module: Arc<str>,
    /// The imported name (`from module import name`), `None` for `import module`.
    pub name: Option<Arc<str>>,
    /// The alias as written, name and `as` included.
    pub span: Span,
    /// Under which condition.
    pub when: Cond,
    /// Exception names caught around it (`ImportError`).
    pub caught: Vec<Arc<str>>,
    /// Whether it stands in a function that nothing in the script calls.
    pub uncalled: bool,
}

impl ImportEvent {
    /// Whether it happens whenever its code is reached, and stops it when it fails.
    pub fn is_certain(&self) -> bool {
        let catches = |caught: &str| matches!(caught, "ImportError" | "ModuleNotFoundError" | "Exception" | "*");
        self.when == Cond::TRUE && !self.caught.iter().any(|caught| catches(caught))
    }
}

/// An attribute path read from a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeRead {
    /// `args.model_init_kwargs`.
    pub path: Arc<str>,
    /// Under which condition.
    pub when: Cond,
}

/// Index into [`Trace::flags`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlagId(pub u32);

/// Index into [`Trace::parsers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParserId(pub u32);

/// Something that fills values from the command line or an argument file.
#[derive(Debug, Clone)]
pub struct Parser {
    /// Which one.
    pub kind: ParserKind,
    /// Where it is built.
    pub span: Span,
    /// The dataclasses it fills, in order; empty for argparse and functions.
    pub classes: Vec<Value>,
    /// Files it reads by a literal path (`parse_yaml_file("x.yaml")`).
    pub files: Vec<Traced>,
    /// Whether it may have been asked to pass over what it does not know.
    pub is_lenient: bool,
    /// Whether it was asked to read the command line.
    pub reads_command_line: bool,
}

/// The parsers with a meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParserKind {
    /// `argparse.ArgumentParser`.
    Argparse,
    /// `transformers.HfArgumentParser` and classes of the project that derive from it.
    HfArgumentParser,
    /// `trl.TrlParser`.
    TrlParser,
    /// A function whose parameters are the flags: fire, click, typer, tyro.
    Function,
    /// A function whose parameter hydra composes of files.
    Hydra,
}

/// Where a flag is declared.
#[derive(Debug, Clone)]
pub enum FlagOwner {
    /// A field of a dataclass of the project.
    Class(Arc<Class>),
    /// A field of a class outside the project (`trl.ModelConfig`); its default is a library fact.
    External(Arc<str>),
    /// `add_argument`, or a parameter of a function.
    Parser,
}

/// A value that a launch line or an argument file decides.
#[derive(Debug, Clone)]
pub struct Flag {
    /// The parser that fills it.
    pub parser: ParserId,
    /// Attribute name: `use_peft`.
    pub name: Arc<str>,
    /// How it may be written on a command line: `--use_peft`, `--use-peft`; empty if only a file can set it.
    pub options: Vec<String>,
    /// Where it is declared.
    pub owner: FlagOwner,
    /// The default; [`Value::Unknown`] when it is required, computed, or a library fact.
    pub default: Value,
    /// `action="store_true"`, `store_false`: the value that the bare flag stands for.
    pub bare: Option<super::Const>,
    /// What converts the word on a command line, as `add_argument(type=...)` says.
    pub converter: Option<Traced>,
    /// The declaration, when it is in the project.
    pub declared: Option<Span>,
}

/// What a call outside the project returns, as far as the host knows.
#[derive(Debug, Clone)]
pub enum Summary {
    /// An object of its own, never `None` (a constructor, `from_pretrained`).
    Object,
    /// A copy of the argument at this position or of this name: as `None` as the argument is.
    Copy(usize, Arc<str>),
    /// The argument itself (`accelerator.prepare(model)`, `model.to(device)` has the receiver at position 0).
    Same(usize, Arc<str>),
    /// One of several, each under a Python expression over the parameter names; the last one is the rest.
    /// `None` stands for the value `None`, `Some(callee)` for an object made by that callee.
    Cases(Vec<(String, Option<Arc<str>>)>),
    /// A known value.
    Value(Value),
    /// Builds an argument parser.
    Parser(ParserKind),
}

/// What the interpreter asks of the layer above.
///
/// Evaluation runs on a thread of its own, for its stack; hence `Sync`.
pub trait Host: Sync {
    /// The module of the project that `dotted` names, seen from `importer`; `level` counts the leading dots.
    fn module(&self, importer: FileId, dotted: &str, level: u32) -> Option<Arc<PythonModule>>;

    /// Whether the modules that [`Self::module`] finds are evaluated, or only known to be there; `level` counts the dots of the import.
    fn enters_modules(&self, _level: u32) -> bool {
        true
    }

    /// What a call of `callee` (a full name) returns; `None`: nothing is known, the result is a fresh symbol that may be
    /// `None`.
    fn call(&self, callee: &str) -> Option<Summary>;

    /// The value of `object.attribute` for an object of a class outside the project (a field's default, for
    /// conditions that are evaluated for one release); `None`: not known.
    fn attribute(&self, object: &Object, attribute: &str) -> Option<Value>;

    /// Whether an object made by calling `callee` is an instance of the class with the short name `class`
    /// (`PeftModel`, `str`); `None`: not known.
    fn is_instance(&self, callee: &str, class: &str) -> Option<bool>;

    /// Whether a class outside the project, by its full name, is known to derive from one of another package.
    fn derives(&self, _class: &str, _base: &str) -> bool {
        false
    }
}
