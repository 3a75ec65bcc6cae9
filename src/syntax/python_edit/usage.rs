//! Statements that do nothing but compute certain variables.

use std::collections::BTreeSet;
use std::ops::Range;

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_expr};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::Ranged;

use super::layout::bytes;
use super::scopes::Scopes;

/// Methods of a model that change nothing but the model.
const OWN_METHODS: &[&str] = &[
    "bfloat16",
    "bool",
    "cpu",
    "cuda",
    "disable_adapters",
    "double",
    "enable_input_require_grads",
    "eval",
    "float",
    "gradient_checkpointing_disable",
    "gradient_checkpointing_enable",
    "half",
    "load_adapter",
    "load_state_dict",
    "merge_adapter",
    "requires_grad_",
    "resize_token_embeddings",
    "set_adapter",
    "tie_weights",
    "to",
    "train",
    "update",
    "zero_grad",
];

/// Methods of a model that walk over its parts.
const WALKS: &[&str] =
    &["buffers", "children", "modules", "named_buffers", "named_modules", "named_parameters", "parameters"];

/// Functions and methods that have no effect beside their result. Classes named `...Config` count as well.
const QUIET_CALLS: &[&str] = &[
    "bool",
    "copy",
    "deepcopy",
    "device",
    "dict",
    "float",
    "format",
    "from_pretrained",
    "get",
    "getattr",
    "hasattr",
    "inference_mode",
    "int",
    "isinstance",
    "items",
    "join",
    "keys",
    "len",
    "list",
    "no_grad",
    "Path",
    "set",
    "str",
    "tuple",
    "type",
    "values",
];

/// Functions that return a model but change the one they are given.
const CHANGES_ITS_ARGUMENT: &[&str] =
    &["get_peft_model", "prepare_model_for_kbit_training", "prepare_model_for_int8_training"];

/// What is looked for.
pub(super) struct Usage<'s, 'a> {
    pub scopes: &'s Scopes<'a>,
    /// The scope whose statements are judged.
    pub owner: usize,
    /// Its variables that nothing else needs.
    pub dead: &'s BTreeSet<&'a str>,
    /// The dead variables whose value may be any call: the reference itself, whose making is what is to go.
    pub roots: &'s BTreeSet<&'a str>,
    /// Imports that bind nothing that is needed, by the start of the statement.
    pub dead_imports: &'s BTreeSet<usize>,
}

/// Statements to remove, in the order of the source.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub removals: Vec<Removal>,
}

/// One statement or `else` clause to remove.
#[derive(Debug)]
pub(super) struct Removal {
    pub range: Range<usize>,
    /// Whether the block would be empty without a `pass` in its place.
    pub needs_pass: bool,
}

impl Plan {
    pub(super) fn covers(&self, range: &Range<usize>) -> bool {
        self.removals.iter().any(|gone| gone.range.start <= range.start && range.end <= gone.range.end)
    }
}

impl<'a> Usage<'_, 'a> {
    /// The largest statements of a block that only compute dead variables.
    pub(super) fn sweep(&self, body: &'a [Stmt], plan: &mut Plan) {
        let only_dead = self.is_dead_body(body);
        let is_root = std::ptr::eq(body, self.scopes.all[super::scopes::MODULE].body);
        let mut first = true;
        for stmt in body {
            if self.is_dead(stmt) {
                let needs_pass = only_dead && first && !is_root && !body.iter().any(Stmt::is_pass_stmt);
                plan.removals.push(Removal { range: bytes(stmt), needs_pass });
                first = false;
            } else {
                self.sweep_inside(stmt, plan);
            }
        }
    }

    fn sweep_inside(&self, stmt: &'a Stmt, plan: &mut Plan) {
        match stmt {
            Stmt::If(branch) => {
                self.sweep(&branch.body, plan);
                for clause in &branch.elif_else_clauses {
                    if clause.test.is_none() && self.is_dead_body(&clause.body) {
                        plan.removals.push(Removal { range: bytes(clause), needs_pass: false });
                    } else {
                        self.sweep(&clause.body, plan);
                    }
                }
            }
            Stmt::With(with) => self.sweep(&with.body, plan),
            Stmt::For(each) => [&each.body, &each.orelse].into_iter().for_each(|body| self.sweep(body, plan)),
            Stmt::While(each) => [&each.body, &each.orelse].into_iter().for_each(|body| self.sweep(body, plan)),
            Stmt::Try(attempt) => bodies_of(attempt).for_each(|body| self.sweep(body, plan)),
            Stmt::Match(choice) => choice.cases.iter().for_each(|case| self.sweep(&case.body, plan)),
            _ => {}
        }
    }

    /// Whether a block holds dead statements and nothing else.
    fn is_dead_body(&self, body: &[Stmt]) -> bool {
        body.iter().any(|stmt| self.is_dead(stmt)) && body.iter().all(|stmt| stmt.is_pass_stmt() || self.is_dead(stmt))
    }

    /// Whether several blocks together do.
    fn are_dead_bodies<'b>(&self, bodies: impl Iterator<Item = &'b [Stmt]> + Clone) -> bool {
        bodies.clone().any(|body| self.is_dead_body(body))
            && bodies.into_iter().all(|body| body.iter().all(|stmt| stmt.is_pass_stmt() || self.is_dead(stmt)))
    }

    /// Whether a statement only computes dead variables.
    fn is_dead(&self, stmt: &Stmt) -> bool {
        match stmt {
            Stmt::Assign(assign) => {
                matches!(&assign.targets[..], [target] if self.is_dead_assignment(target, Some(&assign.value)))
            }
            Stmt::AnnAssign(assign) => self.is_dead_assignment(&assign.target, assign.value.as_deref()),
            Stmt::AugAssign(assign) => self.is_dead_assignment(&assign.target, Some(&assign.value)),
            Stmt::Delete(delete) => delete.targets.iter().all(|target| self.is_dead_name(target)),
            Stmt::Expr(expr) => self.is_own_call(&expr.value, OWN_METHODS),
            Stmt::If(branch) => {
                let clauses = &branch.elif_else_clauses;
                is_quiet(&branch.test)
                    && clauses.iter().filter_map(|clause| clause.test.as_ref()).all(is_quiet)
                    && self.are_dead_bodies(
                        std::iter::once(&branch.body[..]).chain(clauses.iter().map(|clause| &clause.body[..])),
                    )
            }
            Stmt::With(with) => {
                let is_plain = |item: &ast::WithItem| item.optional_vars.is_none() && is_quiet(&item.context_expr);
                with.items.iter().all(is_plain) && self.is_dead_body(&with.body)
            }
            Stmt::Try(attempt) => self.are_dead_bodies(bodies_of(attempt).map(|body| &body[..])),
            Stmt::For(each) => self.is_dead_walk(each),
            Stmt::Import(_) | Stmt::ImportFrom(_) => self.dead_imports.contains(&stmt.start().to_usize()),
            _ => false,
        }
    }

    fn is_dead_assignment(&self, target: &Expr, value: Option<&Expr>) -> bool {
        if let Expr::Name(name) = target {
            let is_root = self.roots.contains(name.id.as_str());
            let may_go = |value: &Expr| if is_root { may_be_dropped(value) } else { is_quiet(value) };
            return self.is_dead_name(target) && value.is_none_or(may_go);
        }
        root(target).is_some_and(|root| self.is_dead_name(root)) && value.is_none_or(is_quiet)
    }

    fn is_dead_name(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Name(name) if self.dead.contains(name.id.as_str()))
    }

    /// `ref_model.eval()`, `ref_model.config.update(...)`, `ref_model.to(device).eval()`.
    fn is_own_call(&self, expr: &Expr, methods: &[&str]) -> bool {
        let Expr::Call(call) = expr else { return false };
        let Expr::Attribute(method) = &*call.func else { return false };
        let is_known = methods.contains(&method.attr.as_str());
        let receiver = match &*method.value {
            Expr::Call(_) => self.is_own_call(&method.value, OWN_METHODS),
            object => root(object).is_some_and(|root| self.is_dead_name(root)),
        };
        is_known && receiver && arguments(call).all(is_quiet)
    }

    /// `for p in ref_model.parameters(): p.requires_grad = False`.
    fn is_dead_walk(&self, each: &ast::StmtFor) -> bool {
        let mut names = BTreeSet::new();
        let plain = match &*each.target {
            Expr::Name(name) => names.insert(name.id.as_str()),
            Expr::Tuple(tuple) => tuple.elts.iter().all(|item| match item {
                Expr::Name(name) => {
                    names.insert(name.id.as_str());
                    true
                }
                _ => false,
            }),
            _ => false,
        };
        if !plain || !each.orelse.is_empty() || !self.is_own_call(&each.iter, WALKS) {
            return false;
        }
        // The loop's names must mean nothing outside of it, other loops that set them first aside.
        let range = bytes(each);
        let is_free = names.iter().all(|name| !self.scopes.reads_outside_loops((self.owner, name), &range));
        let dead: BTreeSet<&str> = self.dead.iter().copied().chain(names).collect();
        let inner = Usage { dead: &dead, roots: &BTreeSet::new(), dead_imports: self.dead_imports, ..*self };
        is_free && each.body.iter().all(|stmt| stmt.is_pass_stmt() || inner.is_dead(stmt))
    }
}

/// The name at the root of `a.b[0].c`.
fn root(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Attribute(attribute) => root_or_self(&attribute.value),
        Expr::Subscript(subscript) if is_quiet(&subscript.slice) => root_or_self(&subscript.value),
        Expr::Name(_) => Some(expr),
        _ => None,
    }
}

fn root_or_self(expr: &Expr) -> Option<&Expr> {
    if expr.is_name_expr() { Some(expr) } else { root(expr) }
}

fn arguments(call: &ast::ExprCall) -> impl Iterator<Item = &Expr> {
    call.arguments.args.iter().chain(call.arguments.keywords.iter().map(|keyword| &keyword.value))
}

fn bodies_of(attempt: &ast::StmtTry) -> impl Iterator<Item = &ast::Suite> + Clone {
    let handlers = attempt.handlers.iter().map(|ast::ExceptHandler::ExceptHandler(handler)| &handler.body);
    std::iter::once(&attempt.body).chain(handlers).chain([&attempt.orelse, &attempt.finalbody])
}

/// Whether evaluating an expression leaves nothing behind.
fn is_quiet(expr: &Expr) -> bool {
    !has_effect(expr, |call| !is_quiet_call(call))
}

/// Whether the making of a reference can be left out: any call, but not one that changes another model on the way.
fn may_be_dropped(expr: &Expr) -> bool {
    !has_effect(expr, |call| {
        let path = callee(&call.func);
        let name = path.last().copied().unwrap_or_default();
        let wraps_in_place = path.iter().any(|part| part.starts_with("PeftModel"));
        let shares_layers = name == "create_reference_model" && call.arguments.len() > 1;
        CHANGES_ITS_ARGUMENT.contains(&name) || wraps_in_place || shares_layers
    })
}

fn is_quiet_call(call: &ast::ExprCall) -> bool {
    let path = callee(&call.func);
    let name = path.last().copied().unwrap_or_default();
    let wraps_in_place = path.iter().any(|part| part.starts_with("PeftModel"));
    let copies = name == "create_reference_model" && call.arguments.len() == 1;
    !wraps_in_place && (copies || QUIET_CALLS.contains(&name) || name.ends_with("Config"))
}

/// `["torch", "nn", "Linear"]`; of `f(x).y` only `["y"]`.
fn callee(expr: &Expr) -> Vec<&str> {
    match expr {
        Expr::Name(name) => vec![name.id.as_str()],
        Expr::Attribute(attribute) => {
            let mut path = callee(&attribute.value);
            path.push(attribute.attr.as_str());
            path
        }
        _ => Vec::new(),
    }
}

fn has_effect(expr: &Expr, is_loud: impl Fn(&ast::ExprCall) -> bool) -> bool {
    struct Effects<F> {
        is_loud: F,
        found: bool,
    }
    impl<'a, F: Fn(&ast::ExprCall) -> bool> SourceOrderVisitor<'a> for Effects<F> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            self.found |= match expr {
                Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_) | Expr::Named(_) | Expr::IpyEscapeCommand(_) => {
                    true
                }
                Expr::Call(call) => (self.is_loud)(call),
                _ => false,
            };
            walk_expr(self, expr);
        }
    }
    let mut effects = Effects { is_loud, found: false };
    effects.visit_expr(expr);
    effects.found
}
