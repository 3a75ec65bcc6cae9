//! Values from the command line: argument parsers and the flags they declare.

use std::sync::Arc;

use ruff_python_ast::{self as ast, Expr};

use super::calls::{Args, Site};
use super::interpreter::Interpreter;
use super::store::{Owner, Slot};
use super::truth::identical;
use super::{
    Argument, Class, Cond, Const, Flag, FlagId, FlagOwner, Object, Parser, ParserId, ParserKind, Root, Symbol, Traced,
    Value,
};
use crate::source::Span;

impl Interpreter<'_> {
    pub(super) fn build_parser(&mut self, kind: ParserKind, id: u32, object: &Arc<Object>) {
        let named = |argument: &&Argument| matches!(argument.name.as_deref(), None | Some("dataclass_types"));
        let classes = match kind {
            ParserKind::HfArgumentParser | ParserKind::TrlParser => object.args.iter().find(named),
            ParserKind::Argparse | ParserKind::Function | ParserKind::Hydra => None,
        };
        let classes = match classes.map(|argument| &argument.value.value) {
            Some(Value::List(items)) => items.iter().map(|item| item.value.clone()).collect(),
            Some(other) => vec![other.clone()],
            None => Vec::new(),
        };
        let parser = self.new_parser(kind, object.span, classes);
        self.parsers.insert(id, parser);
    }

    fn new_parser(&mut self, kind: ParserKind, span: Span, classes: Vec<Value>) -> ParserId {
        self.trace.parsers.push(Parser {
            kind,
            span,
            classes,
            files: Vec::new(),
            is_lenient: false,
            reads_command_line: false,
        });
        ParserId(self.trace.parsers.len() as u32 - 1)
    }

    pub(super) fn parser_method(
        &mut self,
        parser: ParserId,
        receiver: &Value,
        name: &str,
        args: &Args,
        site: &Site,
    ) -> Option<Value> {
        let kind = self.trace.parsers.get(parser.0 as usize)?.kind;
        if let Some(parser) = self.trace.parsers.get_mut(parser.0 as usize) {
            parser.is_lenient |= is_lenient(name, args);
            // Words that it is given are read in place of the command line.
            let is_given = !args.list.is_empty() && (args.positional(0).is_some() || args.keyword("args").is_some());
            let reads = matches!(name, "parse_args" | "parse_args_into_dataclasses" | "parse_args_and_config");
            parser.reads_command_line |= reads && !is_given && !args.open;
        }
        match name {
            "add_argument" => {
                self.add_argument(parser, args, site);
                Some(self.fresh_named(&site.label))
            }
            "add_argument_group" | "add_mutually_exclusive_group" | "add_subparsers" | "add_parser" => {
                Some(receiver.clone())
            }
            "set_defaults" => {
                for argument in &args.list {
                    let Some(name) = &argument.name else { continue };
                    let flag = self.flag(parser, "", name, || FlagOwner::Parser);
                    if let Some(flag) = self.trace.flags.get_mut(flag.0 as usize) {
                        flag.default = argument.value.value.clone();
                    }
                }
                Some(Value::NONE)
            }
            "error" | "exit" => {
                self.stop();
                Some(Value::Unknown)
            }
            "parse_args" => Some(self.namespace(parser, site)),
            "parse_known_args" => {
                let rest = self.fresh_named("remaining arguments");
                let items = [self.namespace(parser, site), rest];
                Some(Value::List(items.map(|value| Traced { value, span: site.span }).into()))
            }
            _ if name.starts_with("parse") && kind != ParserKind::Argparse => {
                Some(self.parse_into_dataclasses(parser, name, args, site))
            }
            _ => None,
        }
    }

    /// What `parse_args` returns.
    fn namespace(&mut self, parser: ParserId, site: &Site) -> Value {
        let (object, open) = self.new_object("argparse.ArgumentParser.parse_args", Args::default(), None, site);
        self.push_event(&object, open, None);
        let object = Arc::new(Object { parsed: Some(parser), ..Object::clone(&object) });
        self.objects.insert(object.id, Arc::clone(&object));
        Value::Object(object)
    }

    fn parse_into_dataclasses(&mut self, parser: ParserId, method: &str, args: &Args, site: &Site) -> Value {
        if method.ends_with("_file") {
            let file = args.list.iter().find(|argument| matches!(argument.value.value, Value::Const(Const::Str(_))));
            if let (Some(file), Some(parser)) = (file, self.trace.parsers.get_mut(parser.0 as usize)) {
                parser.files.push(file.value.clone());
            }
        }
        let classes =
            self.trace.parsers.get(parser.0 as usize).map(|parser| parser.classes.clone()).unwrap_or_default();
        let mut values: Vec<Value> = classes.iter().map(|class| self.filled(parser, class, site)).collect();
        let own = (parser, Arc::from(""));
        let declares = self.flags.keys().any(|(of, owner, _)| (*of, Arc::clone(owner)) == own);
        if declares {
            values.push(self.namespace(parser, site));
        }
        if args
            .keyword("return_remaining_strings")
            .is_some_and(|value| matches!(value, Value::Const(Const::Bool(true))))
        {
            values.push(self.fresh_named("remaining arguments"));
        }
        // A parser of the project that has a `parse` of its own hands out a single dataclass as it is.
        if method == "parse" && values.len() == 1 {
            return values.remove(0);
        }
        Value::List(values.into_iter().map(|value| Traced { value, span: site.span }).collect())
    }

    /// A dataclass filled by a parser.
    fn filled(&mut self, parser: ParserId, class: &Value, site: &Site) -> Value {
        match class {
            Value::Class(class) => {
                let instance = self.new_instance(class, Some(parser));
                for (field, owner) in self.all_fields(class) {
                    let value = self.field_flag(parser, &field, &owner);
                    self.store.set(Slot::Attribute(Owner::Id(instance.id), field.name), Some(value));
                }
                let value = Value::Instance(instance);
                if self.class_attribute(class, "__post_init__").is_some() {
                    self.call_method(&value, "__post_init__", Args::default(), site);
                }
                value
            }
            Value::External(path) => {
                let (object, _) = self.new_object(path, Args { list: Vec::new(), open: true }, None, site);
                let object = Arc::new(Object { parsed: Some(parser), ..Object::clone(&object) });
                self.objects.insert(object.id, Arc::clone(&object));
                Value::Object(object)
            }
            _ => self.fresh_named(&site.label),
        }
    }

    fn field_flag(&mut self, parser: ParserId, field: &super::interpreter::Field, owner: &Arc<Class>) -> Value {
        let class = Arc::clone(owner);
        let key = owner.name.to_string();
        let id = self.flag(parser, &key, &field.name, move || FlagOwner::Class(class));
        if let Some(flag) = self.trace.flags.get_mut(id.0 as usize) {
            flag.default = field.default.clone().unwrap_or(Value::Unknown);
            flag.declared = Some(field.span);
            if field.annotation.contains("bool") {
                flag.bare = Some(Const::Bool(true));
            }
        }
        symbol(id)
    }

    /// The flag of that name, declared now if it is new.
    fn flag(&mut self, parser: ParserId, owner_key: &str, name: &str, owner: impl FnOnce() -> FlagOwner) -> FlagId {
        let key = (parser, Arc::from(owner_key), Arc::from(name));
        if let Some(known) = self.flags.get(&key) {
            return *known;
        }
        let id = FlagId(self.trace.flags.len() as u32);
        self.trace.flags.push(Flag {
            parser,
            name: name.into(),
            options: spellings(name),
            owner: owner(),
            default: Value::Unknown,
            bare: None,
            converter: None,
            declared: None,
        });
        self.flags.insert(key, id);
        id
    }

    pub(super) fn has_flag(&self, parser: ParserId, name: &str) -> bool {
        self.flags.keys().any(|(of, _, known)| *of == parser && &**known == name)
    }

    /// An attribute of what a parser filled, outside the project; `None` where it is no flag.
    pub(super) fn parsed_attribute(&mut self, parser: ParserId, class: &Arc<str>, name: &str) -> Option<Value> {
        if (self.detached && !self.keep_flags) || name.starts_with('_') {
            return None;
        }
        if &**class == "argparse.ArgumentParser.parse_args" {
            let key = (parser, Arc::from(""), Arc::from(name));
            return self.flags.get(&key).copied().map(symbol);
        }
        let owner = Arc::clone(class);
        let key = class.to_string();
        Some(symbol(self.flag(parser, &key, name, move || FlagOwner::External(owner))))
    }

    /// Every attribute that is known, and whether there may be more.
    pub(super) fn parsed_attributes(&self, parser: ParserId, class: &Arc<str>) -> (Vec<(Arc<str>, Value)>, bool) {
        let is_namespace = &**class == "argparse.ArgumentParser.parse_args";
        let owner = if is_namespace { "" } else { &**class };
        let own = self.flags.iter().filter(|((of, known, _), _)| *of == parser && &**known == owner);
        (own.map(|((_, _, name), id)| (Arc::clone(name), symbol(*id))).collect(), !is_namespace)
    }

    fn add_argument(&mut self, parser: ParserId, args: &Args, site: &Site) {
        let spelled = args.list.iter().filter(|argument| argument.name.is_none());
        let spelled: Vec<Arc<str>> = spelled
            .filter_map(|argument| match &argument.value.value {
                Value::Const(Const::Str(text)) => Some(Arc::clone(text)),
                _ => None,
            })
            .collect();
        let long = spelled.iter().find(|option| option.starts_with("--")).or(spelled.first());
        let name = match (args.text(usize::MAX, "dest"), long) {
            (Some(dest), _) => dest,
            (None, Some(long)) => long.trim_start_matches('-').replace('-', "_").into(),
            (None, None) => return,
        };
        let id = self.flag(parser, "", &name, || FlagOwner::Parser);
        let action = args.text(usize::MAX, "action");
        let (bare, default) = match action.as_deref() {
            Some("store_true") => (Some(Const::Bool(true)), Some(Value::bool(false))),
            Some("store_false") => (Some(Const::Bool(false)), Some(Value::bool(true))),
            _ => (None, None),
        };
        let boolean =
            matches!(args.keyword("action"), Some(Value::External(path)) if path.ends_with("BooleanOptionalAction"));
        let constant = match (args.keyword("const"), args.text(usize::MAX, "nargs").as_deref()) {
            (Some(Value::Const(constant)), Some("?")) => Some(constant.clone()),
            _ => None,
        };
        let required = matches!(args.keyword("required"), Some(Value::Const(Const::Bool(true))))
            || spelled.iter().all(|option| !option.starts_with('-'));
        let converter = args.list.iter().find(|argument| argument.name.as_deref() == Some("type"));
        let converter = converter.map(|argument| argument.value.clone());
        let given = args.keyword("default").cloned();
        let Some(flag) = self.trace.flags.get_mut(id.0 as usize) else { return };
        let mut options: Vec<String> =
            spelled.iter().filter(|option| option.starts_with('-')).map(ToString::to_string).collect();
        if boolean {
            options.push(format!("--no-{}", name.replace('_', "-")));
        }
        let bare = if boolean { Some(Const::Bool(true)) } else { bare.or(constant) };
        let default = given.or(default).unwrap_or(if required { Value::Unknown } else { Value::NONE });
        if flag.declared.is_some_and(|declared| declared != site.span) {
            // Two subparsers have a flag of this name; which of them runs is not known.
            flag.options
                .extend(options.into_iter().filter(|option| !flag.options.contains(option)).collect::<Vec<_>>());
            flag.bare = flag.bare.take().filter(|known| Some(known) == bare.as_ref());
            if !identical(&flag.default, &default) {
                flag.default = Value::Unknown;
            }
            flag.converter = None;
            return;
        }
        flag.options = options;
        flag.bare = bare;
        flag.default = default;
        flag.converter = converter;
        flag.declared = Some(site.span);
    }

    // Functions whose parameters are flags.

    /// The parser of a function that a decorator makes a command.
    pub(super) fn command(&mut self, node: &ast::StmtFunctionDef) -> Option<ParserId> {
        let names = self.decorator_names(&node.decorator_list);
        let is_command = names.iter().any(|path| {
            matches!(&**path, "hydra.main" | "click.command" | "typer.Typer.command" | "typer.Typer.callback")
                || (path.ends_with(".command") && !path.starts_with("discord"))
        });
        if !is_command {
            return None;
        }
        if names.iter().any(|path| &**path == "hydra.main") {
            return Some(self.composed_command(node));
        }
        let parser = self.new_parser(ParserKind::Function, self.span(node), Vec::new());
        for decorator in &node.decorator_list {
            let Expr::Call(call) = &decorator.expression else { continue };
            if !matches!(&*call.func, Expr::Attribute(func) if matches!(func.attr.as_str(), "option" | "argument")) {
                continue;
            }
            let mut args = self.arguments(&call.arguments);
            if matches!(args.keyword("is_flag"), Some(Value::Const(Const::Bool(true)))) {
                let span = self.span(call);
                let value = Traced { value: Value::str("store_true"), span };
                let name = Some("action".into());
                args.list.push(Argument { name, value, span, unpacked: None, when: Cond::TRUE });
            }
            let site = self.site(call);
            self.add_argument(parser, &args, &site);
        }
        Some(parser)
    }

    /// The parser of a function whose parameter hydra composes of files: `@hydra.main(config_path="conf", config_name="dpo")`.
    fn composed_command(&mut self, node: &ast::StmtFunctionDef) -> ParserId {
        let parser = self.new_parser(ParserKind::Hydra, self.span(node), Vec::new());
        for decorator in &node.decorator_list {
            let Expr::Call(call) = &decorator.expression else { continue };
            let args = self.arguments(&call.arguments);
            let (Some(folder), Some(name)) = (args.text(0, "config_path"), args.text(1, "config_name")) else {
                continue;
            };
            let span = self.span(call);
            let file = Traced { value: Value::str(&format!("{folder}/{name}")), span };
            if let Some(parser) = self.trace.parsers.get_mut(parser.0 as usize) {
                parser.files.push(file);
            }
        }
        parser
    }

    /// A value below what hydra composes: each is a flag whose name is its path, the whole has none.
    pub(super) fn composed(&mut self, symbol: &Symbol, name: &str) -> Option<Value> {
        let Root::Flag(of) = symbol.root else { return None };
        let owner = self.trace.flags.get(of.0 as usize).filter(|_| symbol.path.is_empty())?;
        let (parser, path) = (owner.parser, Arc::clone(&owner.name));
        let is_composed = self.trace.parsers.get(parser.0 as usize)?.kind == ParserKind::Hydra;
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !name.starts_with('_');
        let is_deep = path.matches('.').count() >= super::expressions::MAX_PATH;
        if !is_composed || !is_name || is_deep || (self.detached && !self.keep_flags) {
            return None;
        }
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let id = self.flag(parser, "", &path, || FlagOwner::Parser);
        if let Some(flag) = self.trace.flags.get_mut(id.0 as usize) {
            flag.options.clear();
        }
        Some(self::symbol(id))
    }

    /// A parameter of a command.
    pub(super) fn command_flag(&mut self, parser: ParserId, name: &str, default: Option<&Value>) -> Value {
        let is_composed =
            self.trace.parsers.get(parser.0 as usize).is_some_and(|parser| parser.kind == ParserKind::Hydra);
        let name = if is_composed { "" } else { name };
        let known = self.flags.contains_key(&(parser, Arc::from(""), Arc::from(name)));
        let id = self.flag(parser, "", name, || FlagOwner::Parser);
        if let (false, Some(default), Some(flag)) = (known, default, self.trace.flags.get_mut(id.0 as usize)) {
            flag.default = default.clone();
            if matches!(default, Value::Const(Const::Bool(_))) {
                flag.bare = Some(Const::Bool(true));
            }
        }
        symbol(id)
    }

    /// `fire.Fire(main)`, `tyro.cli(Config)`: calls it with flags.
    pub(super) fn run_command(&mut self, args: &Args, site: &Site) -> Option<Value> {
        let callee = args.positional(0)?.clone();
        match &callee {
            Value::Class(_) | Value::External(_) => {
                let parser = self.new_parser(ParserKind::Function, site.span, vec![callee.clone()]);
                Some(self.filled(parser, &callee, site))
            }
            Value::Function(function) => {
                let definition = self.definitions.get(&function.id).cloned()?;
                let parser = self.new_parser(ParserKind::Function, site.span, Vec::new());
                let mut given = Args::default();
                for parameter in definition.code.parameters()?.iter_non_variadic_params() {
                    let name = parameter.name().as_str();
                    let default = definition.defaults.get(name).cloned();
                    let value = self.command_flag(parser, name, default.as_ref());
                    let span = definition.module.span(parameter);
                    given.list.push(Argument {
                        name: Some(name.into()),
                        value: Traced { value, span },
                        span,
                        unpacked: None,
                        when: Cond::TRUE,
                    });
                }
                Some(self.call_function(function, given, site))
            }
            _ => None,
        }
    }
}

fn symbol(flag: FlagId) -> Value {
    Value::Symbol(Arc::new(Symbol { root: Root::Flag(flag), path: Vec::new() }))
}

/// `--use_peft`, `--use-peft`.
fn spellings(name: &str) -> Vec<String> {
    let mut options = vec![format!("--{name}")];
    if name.contains('_') {
        options.push(format!("--{}", name.replace('_', "-")));
    }
    options
}

/// Whether a parser's method may pass over options that no flag has.
fn is_lenient(method: &str, args: &Args) -> bool {
    let is = |name: &str, wanted: bool| {
        args.keyword(name).is_some_and(|value| !matches!(value, Value::Const(Const::Bool(given)) if *given != wanted))
    };
    method == "parse_known_args"
        || is("return_remaining_strings", true)
        || is("allow_extra_keys", true)
        || is("fail_with_unknown_args", false)
}
