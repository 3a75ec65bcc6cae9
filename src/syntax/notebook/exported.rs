//! Notebooks that were exported as scripts: what were commands are calls of `get_ipython()`.

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

use super::{Kind, commands, join_modules, kind_of, push_escaped, shell_cell};
use crate::source::SourceFile;
use crate::syntax::Document;
use crate::syntax::embedded::Embedded;
use crate::syntax::python::PythonModule;

/// Whether a script is an exported notebook.
pub fn is_exported(source: &SourceFile) -> bool {
    source.text().contains("get_ipython()")
}

/// Every command of an exported notebook, in order.
pub fn exported_documents(source: &SourceFile) -> Vec<Document> {
    let module = PythonModule::parse(source);
    let mut cells = Cells { source, found: Vec::new() };
    cells.visit_body(module.body());
    cells.found.into_iter().flat_map(|cell| documents(source, &cell)).collect()
}

/// The commands of one cell.
fn documents(source: &SourceFile, cell: &Embedded<'_>) -> Vec<Document> {
    match kind_of(cell.text()) {
        Kind::Python(range) => {
            let (text, module, _) = join_modules(source, vec![cell.slice(range)], &mut Vec::new());
            commands(&module, &text)
        }
        Kind::Shell(range) => vec![shell_cell(cell.slice(range)).document],
        Kind::Other => Vec::new(),
    }
}

/// The calls, written as the cells that they come from.
struct Cells<'s> {
    source: &'s SourceFile,
    found: Vec<Embedded<'s>>,
}

impl Cells<'_> {
    fn call(&mut self, call: &ast::ExprCall) -> Option<()> {
        let Expr::Attribute(attribute) = &*call.func else { return None };
        let Expr::Call(receiver) = &*attribute.value else { return None };
        let Expr::Name(name) = &*receiver.func else { return None };
        if name.id.as_str() != "get_ipython" {
            return None;
        }
        let strings: Vec<&ast::ExprStringLiteral> =
            call.arguments.args.iter().map_while(Expr::as_string_literal_expr).collect();
        let mut written = Embedded::empty(self.source.id(), usize::from(call.start()));
        match (attribute.attr.as_str(), &strings[..]) {
            ("system" | "getoutput" | "getoutput_sx", [command, ..]) => self.write(&mut written, &[("!", command)]),
            ("run_line_magic" | "magic", [line]) => self.write(&mut written, &[("%", line)]),
            ("run_line_magic", [name, line]) => self.write(&mut written, &[("%", name), (" ", line)]),
            ("run_cell_magic", [name, line, body]) => {
                self.write(&mut written, &[("%%", name), (" ", line), ("\n", body)]);
            }
            _ => return None,
        }
        self.found.push(written);
        Some(())
    }

    /// Adds strings, each after a mark of the notebook's syntax.
    fn write(&self, written: &mut Embedded<'_>, parts: &[(&str, &ast::ExprStringLiteral)]) {
        for (mark, string) in parts {
            let start = usize::from(string.start());
            written.push_as(mark, start..start);
            for literal in &string.value {
                let content = literal.content_range();
                let Some(raw) = self.source.text().get(content.to_std_range()) else { continue };
                let at = usize::from(content.start());
                if literal.flags.prefix().is_raw() { written.push(raw, at) } else { push_escaped(written, raw, at) }
            }
        }
    }
}

impl<'a> Visitor<'a> for Cells<'_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Call(call) = expr {
            self.call(call);
        }
        walk_expr(self, expr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn calls_are_the_commands_that_they_were() {
        for (script, expected) in [
            ("get_ipython().system('pip install trl==0.12.2')\n", &["pip install trl==0.12.2"][..]),
            ("x = get_ipython().getoutput(\"pip install trl\")\n", &["pip install trl"]),
            ("get_ipython().run_line_magic('pip', 'install trl')\n", &["pip', 'install trl"]),
            (
                "get_ipython().run_cell_magic('bash', '', 'pip install trl\\npip list')\n",
                &["pip install trl\\npip list"],
            ),
            (
                "get_ipython().run_cell_magic('capture', '', '# a\\n!pip install \"trl\"\\nimport os\\n')\n",
                &["pip install \"trl\""],
            ),
            ("get_ipython().run_cell_magic('html', '', '!pip install trl')\n", &[]),
            ("get_ipython().system(command)\nother().system('pip install trl')\n", &[]),
        ] {
            let source = Sources::default().add("a.py".into(), script);
            let found = exported_documents(&source);
            let texts: Vec<&str> = found.iter().map(|document| source.slice(document.root.span).trim()).collect();
            assert_eq!(texts, expected, "{script}");
        }
    }
}
