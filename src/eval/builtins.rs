//! Python's own functions and methods, and those of its standard library that decide what a script does.

use std::sync::Arc;

use super::calls::{Args, Site};
use super::expressions::put;
use super::interpreter::Interpreter;
use super::store::{Owner, Slot};
use super::truth::{boolean, choose, is_none, truth};
use super::{Cond, Const, Dict, ParserKind, Root, Symbol, Traced, Value};

impl Interpreter<'_> {
    /// A method of something built in; `None` where it is nothing special.
    pub(super) fn builtin_method(&mut self, receiver: &Value, name: &str, args: &Args, site: &Site) -> Option<Value> {
        match receiver {
            Value::Const(Const::Str(text)) => Some(self.string_method(text, name, args, site)),
            Value::Const(_) => Some(self.fresh_named(&site.label)),
            Value::Dict(dict) => Some(self.dict_method(dict, name, args, site)),
            Value::List(items) => Some(self.list_method(items, name, args, site)),
            Value::Object(object) => {
                let parser = *self.parsers.get(&object.id)?;
                self.parser_method(parser, receiver, name, args, site)
            }
            Value::Instance(instance) => {
                let parser = *self.parsers.get(&instance.id)?;
                self.parser_method(parser, receiver, name, args, site)
            }
            Value::External(path) if &**path == "os.environ" => match name {
                "get" | "pop" => Some(self.environment_or_default(args, site)),
                "setdefault" => {
                    let value = self.environment_or_default(args, site);
                    if let Some(name) = args.text(0, "key") {
                        self.store.set(Slot::Attribute(Owner::External(Arc::clone(path)), name), Some(value.clone()));
                    }
                    Some(value)
                }
                _ => None,
            },
            Value::Symbol(symbol) => match name {
                "split" | "rsplit" | "strip" | "replace" | "removeprefix" | "partition" if symbol.is_release() => {
                    Some(receiver.clone())
                }
                "get" | "pop" if !args.list.is_empty() => {
                    let key = args.text(0, "key")?;
                    let value = self.symbol_attribute(symbol, &key);
                    Some(match args.positional(1).cloned() {
                        // Where the key is missing the default stands in; `None` is what `get` says of it.
                        Some(default) if !matches!(default, Value::Const(Const::None)) => {
                            choose(&is_none(&value), &default, &value)
                        }
                        _ => value,
                    })
                }
                "lower" | "upper" | "strip" | "casefold" | "split"
                    if args.list.is_empty() && symbol.path.len() < super::expressions::MAX_PATH =>
                {
                    Some(Self::member(symbol, &format!("{name}()")))
                }
                "split" if args.list.len() == 1 && symbol.path.len() < super::expressions::MAX_PATH => {
                    let by = args.text(0, "sep")?;
                    Some(Self::member(symbol, &format!("split({})", Const::Str(by))))
                }
                "startswith" | "endswith" => {
                    let text = args.text(0, "prefix")?;
                    (symbol.path.len() < super::expressions::MAX_PATH)
                        .then(|| Self::member(symbol, &format!("{name}({:?})", &*text)))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn string_method(&mut self, text: &Arc<str>, name: &str, args: &Args, site: &Site) -> Value {
        let argument = args.text(0, "");
        match (name, argument) {
            ("lower" | "casefold", _) => Value::str(&text.to_lowercase()),
            ("upper", _) => Value::str(&text.to_uppercase()),
            ("strip", None) => Value::str(text.trim()),
            ("startswith", Some(prefix)) => Value::bool(text.starts_with(&*prefix)),
            ("endswith", Some(suffix)) => Value::bool(text.ends_with(&*suffix)),
            ("split", by) if args.list.is_empty() || by.as_ref().is_some_and(|by| !by.is_empty()) => {
                let part = |part: &str| Traced { value: Value::str(part), span: site.span };
                Value::List(match by {
                    Some(by) => text.split(&*by).map(part).collect(),
                    None => text.split_whitespace().map(part).collect(),
                })
            }
            ("replace", Some(old)) if !old.is_empty() => match args.text(1, "") {
                Some(new) => Value::str(&text.replace(&*old, &new)),
                None => self.fresh_named(&site.label),
            },
            ("isdigit", _) => Value::bool(!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())),
            _ => self.fresh_named(&site.label),
        }
    }

    fn list_method(&mut self, items: &Arc<[Traced]>, name: &str, args: &Args, site: &Site) -> Value {
        let item =
            |value: &Value| Traced { value: value.clone(), span: args.list.first().map_or(site.span, |arg| arg.span) };
        let mut changed = items.to_vec();
        let result = match (name, args.positional(0)) {
            ("append", Some(value)) => {
                changed.push(item(value));
                Value::NONE
            }
            // Of a set: what it holds already does not make it longer.
            ("add", Some(value))
                if items.is_empty() || is_constant(value) && items.iter().all(|one| is_constant(&one.value)) =>
            {
                let is_same =
                    |one: &Traced| matches!((&one.value, value), (Value::Const(one), Value::Const(new)) if one == new);
                if !items.iter().any(is_same) {
                    changed.push(item(value));
                }
                Value::NONE
            }
            ("extend" | "update", Some(Value::List(more))) => {
                changed.extend(more.iter().cloned());
                Value::NONE
            }
            ("insert", Some(Value::Const(Const::Int(at)))) => {
                if let Some(value) = args.positional(1) {
                    let at = usize::try_from(*at).unwrap_or(0).min(changed.len());
                    changed.insert(at, item(value));
                }
                Value::NONE
            }
            ("pop", None) => match changed.pop() {
                Some(last) => last.value,
                None => self.fresh_named(&site.label),
            },
            ("copy", _) => return Value::List(items.to_vec().into()),
            ("add" | "extend" | "update" | "remove" | "insert" | "pop" | "sort" | "reverse" | "clear", _) => {
                let unknown = self.fresh_named(&site.label);
                self.change_list(items, &unknown, site.receiver.as_deref());
                return self.fresh_named(&site.label);
            }
            _ => return self.fresh_named(&site.label),
        };
        self.change_list(items, &Value::List(changed.into()), site.receiver.as_deref());
        result
    }

    fn dict_method(&mut self, dict: &Arc<Dict>, name: &str, args: &Args, site: &Site) -> Value {
        let content = self.content(dict);
        let receiver = site.receiver.clone();
        let key = match args.positional(0) {
            Some(Value::Const(key)) => Some(key.clone()),
            _ => None,
        };
        match name {
            "get" | "pop" | "setdefault" => {
                let default = args.get(1, "default").cloned();
                let Some(key) = key else {
                    if name == "pop" {
                        self.remove_item(&Value::Dict(Arc::clone(dict)), &Value::Unknown, receiver.as_deref());
                    }
                    return self.fresh_named(&site.label);
                };
                let value = self.entry_or(&content, &key, default.as_ref().unwrap_or(&Value::NONE), site);
                if name == "pop" {
                    self.remove_item(&Value::Dict(Arc::clone(dict)), &Value::Const(key), receiver.as_deref());
                } else if name == "setdefault" {
                    let mut changed = Dict::clone(&content);
                    let span = args.list.get(1).map_or(site.span, |argument| argument.span);
                    changed.maybe.remove(&key);
                    put(&mut changed, key, Traced { value: value.clone(), span }, None, Cond::TRUE);
                    self.set_content(dict, changed, receiver.as_deref());
                }
                value
            }
            "update" => {
                let mut changed = Dict::clone(&content);
                if let Some(other) = args.positional(0) {
                    self.update(&mut changed, other);
                }
                add_keywords(&mut changed, args);
                self.set_content(dict, changed, receiver.as_deref());
                Value::NONE
            }
            "clear" => {
                self.set_content(dict, Dict::default(), receiver.as_deref());
                Value::NONE
            }
            "copy" => {
                let id = self.id();
                Value::Dict(Arc::new(Dict { id, ..Dict::clone(&content) }))
            }
            "items" | "keys" | "values" if !content.open && content.maybe.is_empty() => {
                let item = |(key, value, _): &(Const, Traced, Option<crate::source::Span>)| {
                    let key = Traced { value: Value::Const(key.clone()), span: value.span };
                    match name {
                        "keys" => key,
                        "values" => value.clone(),
                        _ => Traced { span: value.span, value: Value::List([key, value.clone()].into()) },
                    }
                };
                Value::List(content.entries.iter().map(item).collect())
            }
            "items" | "keys" | "values" => self.fresh_named(&site.label),
            // A class of dictionaries that has methods of its own: what it holds then is not known.
            _ if !name.starts_with("__") => {
                let mut changed = Dict { open: true, ..Dict::clone(&content) };
                changed.entries.iter_mut().for_each(|(_, item, _)| item.value = Value::Unknown);
                self.set_content(dict, changed, receiver.as_deref());
                self.fresh_named(&site.label)
            }
            _ => self.fresh_named(&site.label),
        }
    }

    /// An entry, or the default where it is not there.
    fn entry_or(&mut self, dict: &Dict, key: &Const, default: &Value, site: &Site) -> Value {
        match dict.entries.iter().find(|(known, ..)| known == key) {
            Some((_, entry, _)) => match dict.maybe.get(key) {
                Some(when) => choose(when, &entry.value, default),
                None => entry.value.clone(),
            },
            None if dict.open => self.fresh_named(&site.label),
            None => default.clone(),
        }
    }

    fn environment_or_default(&mut self, args: &Args, site: &Site) -> Value {
        let Some(name) = args.text(0, "key") else { return self.fresh_named(&site.label) };
        let value = self.environment(&name);
        match args.get(1, "default") {
            Some(default) => choose(&is_none(&value), default, &value),
            None => value,
        }
    }

    /// A function of Python itself; `None` where it is nothing special.
    pub(super) fn builtin_call(&mut self, path: &str, args: &Args, site: &Site) -> Option<Value> {
        if let Some(name) = path.strip_prefix("builtins.") {
            return Some(self.builtin_function(name, args, site));
        }
        let last = path.rsplit('.').next().unwrap_or_default();
        match path {
            "sys.exit" | "os._exit" | "os.abort" => {
                self.stop();
                Some(Value::Unknown)
            }
            "os.getenv" | "os.environ.get" => Some(self.environment_or_default(args, site)),
            "os.path.join" => {
                let parts: Option<Vec<Arc<str>>> = (0..args.list.len()).map(|index| args.text(index, "")).collect();
                match parts {
                    Some(parts) if !args.open => Some(Value::str(&parts.join("/"))),
                    _ => Some(self.fresh_named(&site.label)),
                }
            }
            "copy.deepcopy" | "copy.copy" if self.outside(path).is_none() => {
                let original = args.get(0, "x").cloned()?;
                let (object, open) = self.new_object(path, args.clone(), None, site);
                self.push_event(&object, open, None);
                Some(self.copied(&object, &original))
            }
            "typing.cast" => args.positional(1).cloned(),
            "functools.partial" => Some(Value::Object(self.new_object(path, args.clone(), None, site).0)),
            "dataclasses.asdict" => args.get(0, "obj").cloned().map(|value| self.attributes_of(&value)),
            "collections.OrderedDict" => Some(self.builtin_function("dict", args, site)),
            "argparse.ArgumentParser" => {
                let (object, open) = self.new_object(path, args.clone(), None, site);
                self.push_event(&object, open, None);
                self.build_parser(ParserKind::Argparse, object.id, &object);
                Some(Value::Object(object))
            }
            "fire.Fire" | "typer.run" | "tyro.cli" | "simple_parsing.parse" => self.run_command(args, site),
            "transformers.utils.versions.require_version" => {
                self.require(&args.text(0, "requirement")?);
                None
            }
            "importlib.metadata.version" | "importlib_metadata.version" => {
                let package = args.text(0, "distribution_name")?;
                Some(Value::Symbol(Arc::new(Symbol { root: Root::Release(package), path: Vec::new() })))
            }
            _ if matches!(
                last,
                "parse" | "Version" | "LooseVersion" | "StrictVersion" | "parse_version" | "LegacyVersion"
            ) =>
            {
                let value = args.positional(0)?;
                let is_release = match value {
                    Value::Symbol(symbol) => symbol.is_release(),
                    Value::Const(Const::Str(_)) => path.contains("ersion"),
                    _ => false,
                };
                is_release.then(|| value.clone())
            }
            _ => None,
        }
    }

    fn builtin_function(&mut self, name: &str, args: &Args, site: &Site) -> Value {
        let first = args.positional(0).cloned();
        let release = |value: &Value| matches!(value, Value::Symbol(symbol) if symbol.is_release());
        match (name, first) {
            ("exit" | "quit", _) => {
                self.stop();
                Value::Unknown
            }
            ("bool", Some(value)) => boolean(&self.truth_of(&value)),
            ("dict", first) => {
                let mut dict = Dict { id: self.id(), open: args.open, ..Dict::default() };
                if let Some(first) = first {
                    self.update(&mut dict, &first);
                }
                add_keywords(&mut dict, args);
                Value::Dict(Arc::new(dict))
            }
            ("list" | "tuple" | "set" | "frozenset", None) if !args.open => Value::List([].into()),
            ("list" | "tuple" | "set" | "frozenset" | "sorted" | "iter", Some(Value::List(items))) => {
                Value::List(items.to_vec().into())
            }
            ("list" | "tuple" | "str" | "float" | "int", Some(value)) if release(&value) => value,
            ("map", Some(_)) if args.positional(1).is_some_and(release) => {
                args.positional(1).cloned().unwrap_or(Value::Unknown)
            }
            ("map", Some(_)) if args.list.len() == 2 => {
                let items = args.positional(1).cloned().unwrap_or(Value::Unknown);
                self.list_of(&items, &|_| Value::Unknown, site)
            }
            ("list" | "tuple", Some(value)) => self.list_of(&value, &Value::clone, site),
            ("int", Some(Value::Const(Const::Str(text)))) => match text.trim().parse() {
                Ok(number) => Value::Const(Const::Int(number)),
                Err(_) => self.fresh_named(&site.label),
            },
            ("int", Some(Value::Const(Const::Bool(value)))) => Value::Const(Const::Int(i64::from(value))),
            ("int", Some(Value::Const(Const::Float(bits)))) => match whole_part(f64::from_bits(bits)) {
                Some(number) => Value::Const(Const::Int(number)),
                None => self.fresh_named(&site.label),
            },
            ("int", Some(value @ Value::Const(Const::Int(_)))) | ("str", Some(value @ Value::Const(Const::Str(_)))) => {
                value
            }
            ("str", Some(Value::Const(constant))) => Value::str(&constant.to_string()),
            ("float", Some(Value::Const(constant))) => match (&constant, constant.number()) {
                (_, Some(number)) => Value::Const(Const::float(number)),
                (Const::Str(text), None) => match text.trim().parse() {
                    Ok(number) => Value::Const(Const::float(number)),
                    Err(_) => self.fresh_named(&site.label),
                },
                _ => self.fresh_named(&site.label),
            },
            ("len", Some(value)) => self.length(&value, site),
            ("int", Some(value)) => self.whole(&value, site),
            ("getattr", Some(owner)) => self.getattr(&owner, args, site),
            ("hasattr", Some(owner)) => {
                let Some(name) = args.text(1, "") else { return self.fresh_named(&site.label) };
                let cond = self.has_attribute(&owner, &name);
                boolean(&cond)
            }
            ("setattr", Some(owner)) => {
                if let (Some(name), Some(value)) = (args.text(1, ""), args.positional(2)) {
                    self.store_attribute(&owner, &name, &value.clone());
                }
                Value::NONE
            }
            ("vars", Some(owner)) => self.attributes_of(&owner),
            ("type", Some(Value::Instance(instance))) => Value::Class(Arc::clone(&instance.class)),
            ("isinstance", Some(value)) => match args.positional(1) {
                Some(Value::External(class)) => {
                    let class: Arc<str> = class.rsplit('.').next().unwrap_or_default().into();
                    boolean(&self.is_a(&value, &class))
                }
                _ => boolean(&Cond::opaque()),
            },
            ("any" | "all", Some(Value::List(items))) => {
                let tests = items.iter().map(|item| truth(&item.value));
                boolean(&if name == "any" { Cond::any(tests) } else { Cond::all(tests) })
            }
            ("enumerate", Some(Value::List(items))) => {
                let pair = |(index, item): (usize, &Traced)| {
                    let index = Traced { value: Value::Const(integer(index)), span: item.span };
                    Traced { span: item.span, value: Value::List([index, item.clone()].into()) }
                };
                Value::List(items.iter().enumerate().map(pair).collect())
            }
            ("zip", Some(Value::List(left))) => match args.positional(1) {
                Some(Value::List(right)) if args.list.len() == 2 => {
                    let pair = |(left, right): (&Traced, &Traced)| Traced {
                        span: left.span,
                        value: Value::List([left.clone(), right.clone()].into()),
                    };
                    Value::List(left.iter().zip(right.iter()).map(pair).collect())
                }
                _ => self.fresh_named(&site.label),
            },
            _ => self.fresh_named(&site.label),
        }
    }

    fn getattr(&mut self, owner: &Value, args: &Args, site: &Site) -> Value {
        let Some(name) = args.text(1, "") else { return self.fresh_named(&site.label) };
        let Some(default) = args.positional(2).cloned() else { return self.attribute(owner, &name) };
        let missing = match owner {
            Value::Const(_) => true,
            Value::Instance(_) => self.has_attribute(owner, &name) == Cond::FALSE,
            _ => false,
        };
        if missing { default } else { self.attribute(owner, &name) }
    }

    fn has_attribute(&mut self, owner: &Value, name: &str) -> Cond {
        let slot = |owner| Slot::Attribute(owner, name.into());
        match owner {
            Value::Choice(_) => {
                let parts: Vec<Cond> = owner
                    .alternatives()
                    .into_iter()
                    .map(|(when, owner)| when.and(self.has_attribute(&owner, name)))
                    .collect();
                Cond::any(parts)
            }
            Value::Instance(instance) => {
                let stored = self.store.get(&slot(Owner::Id(instance.id))).is_some();
                if stored || self.class_attribute(&instance.class, name).is_some() {
                    return Cond::TRUE;
                }
                if self.external_base(&instance.class).is_some() { Cond::opaque() } else { Cond::FALSE }
            }
            Value::Object(object) => match object.parsed {
                _ if self.store.get(&slot(Owner::Id(object.id))).is_some() => Cond::TRUE,
                Some(parser) if self.has_flag(parser, name) => Cond::TRUE,
                _ => self.hasattr_symbol(&object.callee, object.id, name),
            },
            Value::Symbol(symbol) => {
                if self.store.get(&slot(Owner::Symbol(Arc::clone(symbol)))).is_some() {
                    return Cond::TRUE;
                }
                truth(&Self::member(symbol, &format!("hasattr({name})")))
            }
            Value::External(path) => self.hasattr_symbol(path, 0, name),
            Value::List(_) | Value::Dict(_) | Value::Const(Const::Str(_)) if name == "__len__" => Cond::TRUE,
            Value::Const(_) => Cond::FALSE,
            _ => Cond::opaque(),
        }
    }

    /// The same question about the same thing has the same answer.
    fn hasattr_symbol(&mut self, of: &str, id: u32, name: &str) -> Cond {
        let key = format!("hasattr({of}#{id}, {name})");
        let known = if let Some(known) = self.pure.get(&key) {
            known.clone()
        } else {
            let short = of.rsplit('.').next().unwrap_or_default();
            let value = self.fresh_named(&format!("hasattr({short}, {name:?})"));
            self.pure.insert(key, value.clone());
            value
        };
        truth(&known)
    }
}

/// What `int` makes of a float; `None` for what is no number that fits.
fn whole_part(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the numbers left are whole and small enough to be exact")]
    (number.abs() < 2f64.powi(53)).then(|| number.trunc() as i64)
}

fn integer(count: usize) -> Const {
    Const::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn add_keywords(dict: &mut Dict, args: &Args) {
    dict.open |= args.open;
    for argument in &args.list {
        if let Some(name) = &argument.name {
            let key = Const::Str(Arc::clone(name));
            put(dict, key, argument.value.clone(), Some(argument.span), argument.when.clone());
        }
    }
}

fn is_constant(value: &Value) -> bool {
    matches!(value, Value::Const(_))
}
