//! What a Python expression may be.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::{Cond, FlagId, ParserId};
use crate::source::{FileId, Span};

/// A constant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Const {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number in 64 bits.
    Int(i64),
    /// A float, kept by its bits so that constants can be compared and ordered.
    Float(u64),
    /// A string.
    Str(Arc<str>),
}

impl Const {
    /// A float constant.
    pub fn float(value: f64) -> Self {
        Self::Float(value.to_bits())
    }

    /// Python's truth value.
    pub fn truthy(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(bits) => f64::from_bits(*bits) != 0.0,
            Self::Str(text) => !text.is_empty(),
        }
    }

    /// The number, of an int, a float or a bool.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            #[expect(clippy::cast_precision_loss, reason = "compared as Python compares an int with a float")]
            Self::Int(value) => Some(*value as f64),
            Self::Float(bits) => Some(f64::from_bits(*bits)),
            Self::None | Self::Str(_) => None,
        }
    }

    /// Python's `==`: numbers by value, the rest by kind and value.
    #[expect(clippy::float_cmp, reason = "Python compares floats exactly")]
    pub fn equals(&self, other: &Self) -> bool {
        match (self.number(), other.number()) {
            (Some(left), Some(right)) => left == right,
            _ => self == other,
        }
    }
}

/// As Python's `repr` writes it.
impl fmt::Display for Const {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => out.write_str("None"),
            Self::Bool(true) => out.write_str("True"),
            Self::Bool(false) => out.write_str("False"),
            Self::Int(value) => write!(out, "{value}"),
            Self::Float(bits) => write!(out, "{:?}", f64::from_bits(*bits)),
            Self::Str(text) => {
                let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
                let escaped = text.replace('\\', "\\\\").replace('\n', "\\n").replace(quote, &format!("\\{quote}"));
                write!(out, "{quote}{escaped}{quote}")
            }
        }
    }
}

/// A value whose content is not known but whose identity is: the same symbol twice is the same value twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol {
    /// Where it comes from.
    pub root: Root,
    /// Attributes read from it, in order: `["use_peft"]` of `args.use_peft`.
    pub path: Vec<Arc<str>>,
}

/// Where a symbol comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Root {
    /// A parameter of a function that was evaluated without a caller.
    Parameter(Arc<str>),
    /// A field filled from the command line or an argument file; see [`super::Flag`].
    Flag(FlagId),
    /// An environment variable.
    Environment(Arc<str>),
    /// `package.__version__`.
    Release(Arc<str>),
    /// The result of a call, a loop variable, ...: numbered, `label` is for messages (`load_model(...)`).
    Unknown {
        /// Unique in one [`super::Trace`].
        id: u32,
        /// How the source writes it, shortened.
        label: Arc<str>,
    },
}

impl Symbol {
    /// Whether it is the version of a package itself.
    pub(super) fn is_release(&self) -> bool {
        matches!(self.root, Root::Release(_)) && self.path.is_empty()
    }
}

/// As a reader would write it: `args.use_peft`, `load_model(...)`, `'ipo' in args.loss_type`.
impl fmt::Display for Symbol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = match &self.root {
            Root::Parameter(name) => name.to_string(),
            Root::Flag(flag) => format!("flag#{}", flag.0),
            Root::Environment(name) => format!("os.environ[{name:?}]"),
            Root::Release(package) => format!("{package}.__version__"),
            Root::Unknown { label, .. } => label.to_string(),
        };
        out.write_str(&self.path.iter().fold(root, |owner, step| step_of(&owner, step)))
    }
}

/// One step of a path: an attribute, an item, or a question about the value so far.
fn step_of(owner: &str, step: &str) -> String {
    let question = |name: &str| step.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(item) = question("contains") {
        format!("{item} in {owner}")
    } else if let Some(name) = question("hasattr") {
        format!("hasattr({owner}, '{name}')")
    } else if let Some(number) = super::numbers::written(owner, step) {
        number
    } else if step.starts_with('[') {
        format!("{owner}{step}")
    } else {
        format!("{owner}.{step}")
    }
}

/// What an expression may be. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing is known, not even identity.
    Unknown,
    /// A constant.
    Const(Const),
    /// Unknown content, known identity.
    Symbol(Arc<Symbol>),
    /// What a call of something outside the project returned (`trl.DPOConfig(...)`).
    Object(Arc<Object>),
    /// An instance of a class of the project.
    Instance(Arc<Instance>),
    /// A list, tuple or set whose items are known.
    List(Arc<[Traced]>),
    /// A dictionary.
    Dict(Arc<Dict>),
    /// A function of the project, or a method bound to `receiver`.
    Function(Arc<Function>),
    /// A class of the project.
    Class(Arc<Class>),
    /// Something outside the project, by its full name: `trl.DPOTrainer`, `os.environ`, `torch`.
    External(Arc<str>),
    /// A module of the project.
    Module(FileId),
    /// One of several, exhaustive and mutually exclusive.
    Choice(Arc<[(Cond, Value)]>),
}

/// A value and the expression that made it.
#[derive(Debug, Clone)]
pub struct Traced {
    /// The value.
    pub value: Value,
    /// The expression it was written as.
    pub span: Span,
}

/// What a call of something outside the project returned.
#[derive(Debug, Clone)]
pub struct Object {
    /// Unique in one [`super::Trace`]; two evaluations of one call are two objects.
    pub id: u32,
    /// Full name of what was called: `trl.DPOTrainer`, `transformers.AutoModelForCausalLM.from_pretrained`.
    pub callee: Arc<str>,
    /// The whole call.
    pub span: Span,
    /// Its arguments.
    pub args: Vec<super::Argument>,
    /// Attributes stored on it afterwards, latest last; wins over what the constructor would set.
    pub stored: Vec<(Arc<str>, Value)>,
    /// The object it is a copy of (`copy.deepcopy(model)`), when [`super::Summary::Copy`] said so.
    pub copy_of: Option<Value>,
    /// What the method was called on (`model.to(device)`); the callee then starts with what made the receiver, or with
    /// `?` where nothing is known of it.
    pub receiver: Option<Value>,
    /// The parser that filled it from the command line or a file; its attributes are that parser's flags.
    pub parsed: Option<ParserId>,
}

/// An instance of a class of the project.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Unique in one [`super::Trace`].
    pub id: u32,
    /// Its class.
    pub class: Arc<Class>,
    /// Its attributes when it was passed to something outside the project or returned, by name.
    pub stored: Vec<(Arc<str>, Value)>,
    /// As its base outside the project sees it: the call of that base's constructor.
    pub object: Option<Arc<Object>>,
    /// The parser that filled it from the command line or a file.
    pub parsed: Option<ParserId>,
}

/// A dictionary with what is known of its content.
#[derive(Debug, Clone, Default)]
pub struct Dict {
    /// Unique in one [`super::Trace`]; 0 for a dictionary that is not shared.
    pub id: u32,
    /// Known entries in insertion order: key, value, the span of the whole entry where it was written as one.
    pub entries: Vec<(Const, Traced, Option<Span>)>,
    /// Whether other keys may be present (`**unknown`, an update with something unknown).
    pub open: bool,
    /// Known keys that are present only under a condition.
    pub maybe: BTreeMap<Const, Cond>,
}

/// A function of the project. The body is found again by `id`.
#[derive(Debug, Clone)]
pub struct Function {
    /// Unique in one [`super::Trace`]: each evaluation of one definition is a function of its own.
    pub id: u32,
    /// Full dotted name: `scripts.dpo.main`.
    pub name: Arc<str>,
    /// The whole definition.
    pub span: Span,
    /// The instance or class it is bound to.
    pub receiver: Option<Value>,
}

/// A class of the project.
#[derive(Debug, Clone)]
pub struct Class {
    /// Unique in one [`super::Trace`].
    pub id: u32,
    /// Full dotted name.
    pub name: Arc<str>,
    /// The whole definition.
    pub span: Span,
    /// Its bases in order.
    pub bases: Vec<Value>,
    /// Whether `@dataclass` (or an equivalent) builds its constructor.
    pub dataclass: bool,
    /// The order in which attributes are looked up behind the class itself, once somebody has asked.
    pub(super) order: OnceLock<Vec<Value>>,
}

impl Value {
    /// `None`.
    pub const NONE: Self = Self::Const(Const::None);

    /// A string constant.
    pub fn str(text: &str) -> Self {
        Self::Const(Const::Str(text.into()))
    }

    /// `True` or `False`.
    pub const fn bool(value: bool) -> Self {
        Self::Const(Const::Bool(value))
    }

    /// The alternatives under their conditions; a value that is no choice has one, under `Cond::TRUE`.
    pub fn alternatives(&self) -> Vec<(Cond, Value)> {
        match self {
            Self::Choice(choices) => choices
                .iter()
                .flat_map(|(when, value)| {
                    value.alternatives().into_iter().map(move |(inner, value)| (when.clone().and(inner), value))
                })
                .collect(),
            other => vec![(Cond::TRUE, other.clone())],
        }
    }
}
