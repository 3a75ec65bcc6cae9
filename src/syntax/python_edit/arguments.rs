//! Arguments of calls and entries of dictionaries.

use std::ops::{Range, RangeInclusive};

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_expr};
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

use super::comma::List;
use super::layout::{
    bytes, comments_in, indent, lift, line_end, line_start, newline, skip_blanks, starts_line, with_parentheses,
};
use super::{Change, EditError, edits};
use crate::source::Span;
use crate::syntax::Edit;
use crate::syntax::python::PythonModule;

/// Replaces a value - of a keyword, a positional argument, a dictionary's entry, an assignment - by `text`, parentheses
/// around it included. A positional argument keeps its place.
pub fn set_value(module: &PythonModule, value: Span, text: &str) -> Result<Vec<Edit>, EditError> {
    let range = with_parentheses(module, &bytes(module.range(value)));
    if range.is_empty() {
        return Err(EditError::NotFound);
    }
    let lifted = lift(module, &comments_in(module, &range), range.start)?;
    let replaced = Change::new(range, text);
    Ok(edits(module, lifted.into_iter().chain([replaced]).collect()))
}

/// Removes an argument of a call or an entry of a dictionary; `argument` is the whole of it (`ref_model=ref`,
/// `"ref_model": ref`).
pub fn remove_argument(module: &PythonModule, argument: Span) -> Result<Vec<Edit>, EditError> {
    remove_arguments(module, &[argument])
}

/// Removes several arguments of calls, or entries of dictionaries.
pub fn remove_arguments(module: &PythonModule, arguments: &[Span]) -> Result<Vec<Edit>, EditError> {
    let mut owners: Vec<(Items<'_>, Vec<usize>)> = Vec::new();
    for argument in arguments {
        let (found, index) = find_item(module, &bytes(module.range(*argument))).ok_or(EditError::NotFound)?;
        match owners.iter_mut().find(|(owner, _)| owner.range() == found.range()) {
            Some((_, gone)) => gone.push(index),
            None => owners.push((found, vec![index])),
        }
    }
    let mut changes = Vec::new();
    for (owner, mut gone) in owners {
        gone.sort_unstable();
        gone.dedup();
        let stays_positional = |index: &usize| owner.is_positional(*index) && !gone.contains(index);
        let last_positional = (0..owner.len()).rfind(stays_positional);
        if gone.iter().any(|index| owner.is_positional(*index) && last_positional.is_some_and(|last| last > *index)) {
            return Err(EditError::WouldShift);
        }
        let mut list = owner.list(module);
        // Neighbours go as one item, since both would take the comma between them.
        for run in runs(&gone).into_iter().rev() {
            let whole = list.items[*run.start()].start..list.items[*run.end()].end;
            let first = *run.start();
            list.items.splice(run, [whole]);
            let (removal, homeless) = list.remove(first);
            changes.extend(lift(module, &homeless, list.items[first].start)?);
            changes.extend(removal);
        }
    }
    Ok(edits(module, changes))
}

/// Sorted numbers as runs without a gap.
fn runs(numbers: &[usize]) -> Vec<RangeInclusive<usize>> {
    let mut runs: Vec<RangeInclusive<usize>> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some(run) if run.end() + 1 == *number => *run = *run.start()..=*number,
            _ => runs.push(*number..=*number),
        }
    }
    runs
}

/// Adds `name=value` to a call, as its last argument; `call` is the whole call.
pub fn insert_keyword(module: &PythonModule, call: Span, name: &str, value: &str) -> Result<Vec<Edit>, EditError> {
    insert_keywords(module, call, &[(name, value)])
}

/// Adds several `name=value` to a call, as its last arguments.
pub fn insert_keywords(module: &PythonModule, call: Span, keywords: &[(&str, &str)]) -> Result<Vec<Edit>, EditError> {
    let range = bytes(module.range(call));
    let is_it = |items: &Items<'_>| matches!(items, Items::Call(call) if bytes(*call) == range);
    let found = find(module, is_it).ok_or(EditError::NotFound)?;
    let Items::Call(call) = found else { return Err(EditError::NotFound) };
    if let Some((name, _)) = keywords.iter().find(|(name, _)| call.arguments.find_keyword(name).is_some()) {
        return Err(EditError::Duplicate((*name).to_owned()));
    }
    if matches!(&*call.arguments.args, [Expr::Generator(generator)] if !generator.parenthesized) {
        return Err(EditError::BareGenerator);
    }
    let items: Vec<String> = keywords.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Ok(edits(module, append(module, &found.list(module), &items)))
}

/// Gives an argument of a call or an entry of a dictionary another name; the quotes of a dictionary's key stay.
pub fn rename_argument(module: &PythonModule, argument: Span, name: &str) -> Result<Vec<Edit>, EditError> {
    let range = bytes(module.range(argument));
    let (found, index) = find_item(module, &range).ok_or(EditError::NotFound)?;
    if found.has_key(name) {
        return Err(EditError::Duplicate(name.to_owned()));
    }
    let key = found.key(index).ok_or(EditError::NotFound)?;
    Ok(edits(module, vec![Change::new(key, name)]))
}

/// Passes positional arguments by name: pairs of the argument and its parameter.
pub fn name_positional(module: &PythonModule, arguments: &[(Span, &str)]) -> Result<Vec<Edit>, EditError> {
    let mut changes = Vec::new();
    for (argument, name) in arguments {
        let (found, index) = find_item(module, &bytes(module.range(*argument))).ok_or(EditError::NotFound)?;
        let Items::Call(call) = found else { return Err(EditError::NotFound) };
        let all = Items::arguments(call);
        match all.get(index) {
            Some(ast::ArgOrKeyword::Arg(Expr::Generator(generator))) if !generator.parenthesized => {
                return Err(EditError::BareGenerator);
            }
            Some(ast::ArgOrKeyword::Arg(Expr::Starred(_)) | ast::ArgOrKeyword::Keyword(_)) | None => {
                return Err(EditError::NotFound);
            }
            Some(ast::ArgOrKeyword::Arg(_)) => {}
        }
        if found.has_key(name) {
            return Err(EditError::Duplicate((*name).to_owned()));
        }
        let start = found.ranges(module)[index].start;
        changes.push(Change::new(start..start, format!("{name}=")));
    }
    Ok(edits(module, changes))
}

/// Something with arguments or entries.
#[derive(Clone, Copy)]
enum Items<'a> {
    Call(&'a ast::ExprCall),
    Dict(&'a ast::ExprDict),
}

impl<'a> Items<'a> {
    fn len(self) -> usize {
        match self {
            Self::Call(call) => call.arguments.len(),
            Self::Dict(dict) => dict.items.len(),
        }
    }

    /// The arguments in the order of the source.
    fn arguments(call: &'a ast::ExprCall) -> Vec<ast::ArgOrKeyword<'a>> {
        let mut all: Vec<_> = call.arguments.args.iter().map(ast::ArgOrKeyword::Arg).collect();
        all.extend(call.arguments.keywords.iter().map(ast::ArgOrKeyword::Keyword));
        all.sort_by_key(Ranged::start);
        all
    }

    /// The items with parentheses and stars of their own.
    fn ranges(self, module: &PythonModule) -> Vec<Range<usize>> {
        match self {
            Self::Call(call) => {
                Self::arguments(call).into_iter().map(|item| with_parentheses(module, &bytes(item))).collect()
            }
            Self::Dict(dict) => {
                dict.items.iter().map(|item| dict_item(module, dict.start().to_usize() + 1, item)).collect()
            }
        }
    }

    /// The item at `range`; its parentheses may be in or out.
    fn index_of(self, module: &PythonModule, range: &Range<usize>) -> Option<usize> {
        let tree: Vec<_> = match self {
            Self::Call(call) => Self::arguments(call).into_iter().map(bytes).collect(),
            Self::Dict(dict) => dict.items.iter().map(bytes).collect(),
        };
        let is_near = tree.iter().any(|item| item.start < range.end && range.start < item.end);
        tree.iter()
            .position(|item| item == range)
            .or_else(|| self.ranges(module).iter().position(|item| is_near && item == range))
    }

    /// Where all of it stands.
    fn range(self) -> Range<usize> {
        match self {
            Self::Call(call) => bytes(call),
            Self::Dict(dict) => bytes(dict),
        }
    }

    fn is_positional(self, index: usize) -> bool {
        match self {
            Self::Call(call) => matches!(Self::arguments(call).get(index), Some(ast::ArgOrKeyword::Arg(_))),
            Self::Dict(_) => false,
        }
    }

    fn has_key(self, name: &str) -> bool {
        match self {
            Self::Call(call) => call.arguments.find_keyword(name).is_some(),
            Self::Dict(dict) => {
                let is_name = |key: &Expr| matches!(key, Expr::StringLiteral(text) if text.value.to_str() == name);
                dict.items.iter().any(|item| item.key.as_ref().is_some_and(is_name))
            }
        }
    }

    /// Where the name of an item stands, quotes excluded.
    fn key(self, index: usize) -> Option<Range<usize>> {
        match self {
            Self::Call(call) => match Self::arguments(call).get(index)? {
                ast::ArgOrKeyword::Keyword(keyword) => keyword.arg.as_ref().map(bytes),
                ast::ArgOrKeyword::Arg(_) => None,
            },
            Self::Dict(dict) => match dict.items.get(index)?.key.as_ref()? {
                Expr::StringLiteral(text) => text.as_single_part_string().map(|part| bytes(part.content_range())),
                _ => None,
            },
        }
    }

    /// The items between their brackets.
    fn list(self, module: &PythonModule) -> List<'_> {
        let text = module.text();
        let whole = match self {
            Self::Call(call) => bytes(&call.arguments),
            Self::Dict(dict) => bytes(dict),
        };
        let inner = whole.start + 1..whole.end.saturating_sub(1).max(whole.start + 1);
        List { text, comments: comments_in(module, &(0..text.len())), inner, items: self.ranges(module) }
    }
}

/// The range of a dictionary's entry, `**` and parentheses included.
fn dict_item(module: &PythonModule, open: usize, item: &ast::DictItem) -> Range<usize> {
    let value = with_parentheses(module, &bytes(&item.value));
    let start = match &item.key {
        Some(key) => with_parentheses(module, &bytes(key)).start,
        None => module.text()[open..value.start].rfind("**").map_or(value.start, |stars| open + stars),
    };
    start..value.end
}

/// Adds items behind the last one, in the layout of the list.
fn append(module: &PythonModule, list: &List<'_>, items: &[String]) -> Vec<Change> {
    let text = module.text();
    let close = list.inner.end;
    let Some(bottom) = list.items.last() else {
        if !starts_line(text, close) {
            let after = list.inner.start;
            return vec![Change::new(after..after, items.join(", "))];
        }
        let start = line_start(text, close);
        let above = list.comments.iter().rev().find(|comment| comment.end < start && starts_line(text, comment.start));
        let indent = match above.filter(|comment| comment.start > list.inner.start) {
            Some(comment) => indent(text, comment.start).to_owned(),
            None => indent(text, close).to_owned() + unit(text),
        };
        let lines = items.iter().map(|item| format!("{indent}{item},{}", newline(text)));
        return vec![Change::new(start..start, lines.collect::<String>())];
    };
    let comma = list.comma_after(list.items.len() - 1);
    let end = comma.map_or(bottom.end, |comma| comma + 1);
    let closes_own_line = text[end..close].contains(['\n', '\r']);
    if !starts_line(text, bottom.start) && !closes_own_line {
        let items = items.join(", ");
        return vec![match comma {
            Some(_) => Change::new(end..end, format!(" {items},")),
            None => Change::new(end..end, format!(", {items}")),
        }];
    }
    // Lines of their own, below the last item and the comment beside it.
    let start = format!("{}{}", newline(text), indent(text, line_with(list, text).unwrap_or(bottom.start)));
    let lines = items.iter().map(|item| format!("{start}{item}")).collect::<Vec<_>>().join(",");
    let line = if comma.is_some() { lines + "," } else { lines };
    let below = if list.comments.iter().any(|comment| comment.start == skip_blanks(text, end)) {
        line_end(text, end)
    } else {
        end
    };
    match comma {
        Some(_) => vec![Change::new(below..below, line)],
        None => vec![Change::new(end..end, ","), Change::new(below..below, line)],
    }
}

/// One step of indentation, as the first indented line of the text has it.
fn unit(text: &str) -> &str {
    if text.contains("\n\t") { "\t" } else { "    " }
}

/// The last item that starts a line: its indentation is the list's.
fn line_with(list: &List<'_>, text: &str) -> Option<usize> {
    list.items.iter().rev().map(|item| item.start).find(|start| starts_line(text, *start))
}

/// The call or dictionary that has the item at `range`, and the item's position.
fn find_item<'a>(module: &'a PythonModule, range: &Range<usize>) -> Option<(Items<'a>, usize)> {
    let found = find(module, |items| items.index_of(module, range).is_some())?;
    Some((found, found.index_of(module, range)?))
}

/// The call or dictionary that `is_it` accepts.
fn find<'a>(module: &'a PythonModule, is_it: impl Fn(&Items<'a>) -> bool) -> Option<Items<'a>> {
    struct Finder<'a, F> {
        is_it: F,
        found: Option<Items<'a>>,
    }
    impl<'a, F: Fn(&Items<'a>) -> bool> SourceOrderVisitor<'a> for Finder<'a, F> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            let items = match expr {
                Expr::Call(call) => Some(Items::Call(call)),
                Expr::Dict(dict) => Some(Items::Dict(dict)),
                _ => None,
            };
            if let Some(items) = items.filter(|items| self.found.is_none() && (self.is_it)(items)) {
                self.found = Some(items);
            }
            walk_expr(self, expr);
        }
    }
    let mut finder = Finder { is_it, found: None };
    finder.visit_body(module.body());
    finder.found
}
