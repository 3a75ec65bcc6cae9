//! The matrix of two packages, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::versions::write_rows;
use crate::engine::matrix::Matrix;
use crate::lower::Pair;

/// Writes one line for each cell.
pub fn write_matrix(out: &mut dyn Write, matrix: &Matrix) -> io::Result<()> {
    let mut rows = vec![[matrix.rows.clone(), matrix.columns.clone(), "outcome".to_owned(), "why".to_owned()]];
    for line in &matrix.lines {
        for (at, cell) in line.cells.iter().enumerate() {
            let outcome = match cell.outcome {
                Pair::Works => "works",
                Pair::FailsInTraining => "training fails",
                Pair::Fails => "cannot be imported",
                Pair::Contradiction => "cannot be installed",
            };
            let first = if at == 0 { line.releases.clone() } else { String::new() };
            rows.push([first, cell.releases.clone(), outcome.to_owned(), cell.reason.clone().unwrap_or_default()]);
        }
    }
    write_rows(out, &rows)
}

/// Writes what `schemas/matrix.schema.json` describes.
pub fn write_matrix_json(out: &mut dyn Write, matrix: &Matrix) -> io::Result<()> {
    let cells = |line: &'_ crate::engine::matrix::Line| -> Vec<JsonCell> {
        let cell = |cell: &crate::engine::matrix::Cell| JsonCell {
            releases: cell.releases.clone(),
            outcome: word(cell.outcome),
            reason: cell.reason.clone(),
        };
        line.cells.iter().map(cell).collect()
    };
    let lines = matrix.lines.iter().map(|line| JsonLine { releases: &line.releases, cells: cells(line) });
    let written = JsonMatrix {
        version: env!("CARGO_PKG_VERSION"),
        rows: &matrix.rows,
        columns: &matrix.columns,
        lines: lines.collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &written)?;
    writeln!(out)
}

fn word(outcome: Pair) -> &'static str {
    match outcome {
        Pair::Works => "works",
        Pair::FailsInTraining => "fails_in_training",
        Pair::Fails => "fails",
        Pair::Contradiction => "contradiction",
    }
}

#[derive(Serialize)]
struct JsonMatrix<'a> {
    version: &'static str,
    rows: &'a str,
    columns: &'a str,
    lines: Vec<JsonLine<'a>>,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    releases: &'a str,
    cells: Vec<JsonCell>,
}

#[derive(Serialize)]
struct JsonCell {
    releases: String,
    outcome: &'static str,
    reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::engine::matrix::{Cell, Line};

    fn matrix() -> Matrix {
        let cell = |releases: &str, outcome, reason: Option<&str>| Cell {
            releases: releases.to_owned(),
            outcome,
            reason: reason.map(str::to_owned),
        };
        let cells = vec![
            cell("1.0", Pair::Contradiction, Some("a 1.0 needs b>=2")),
            cell("2.0", Pair::Works, None),
            cell("2.5", Pair::FailsInTraining, Some("`y` is another method")),
            cell("3.0 - 4.0", Pair::Fails, Some("`x` is gone")),
        ];
        Matrix {
            rows: "a".to_owned(),
            columns: "b".to_owned(),
            lines: vec![Line { releases: "1.0 - 1.5".to_owned(), cells }],
        }
    }

    #[test]
    fn cells_are_lines_of_a_table() {
        let mut out = Vec::new();
        write_matrix(&mut out, &matrix()).expect("memory");
        let expected = "  a          b          outcome              why
  1.0 - 1.5  1.0        cannot be installed  a 1.0 needs b>=2
             2.0        works
             2.5        training fails       `y` is another method
             3.0 - 4.0  cannot be imported   `x` is gone
";
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }

    #[test]
    fn the_form_for_programs_is_what_its_schema_says() {
        let schema: Value = serde_json::from_str(include_str!("../../schemas/matrix.schema.json")).expect("JSON");
        let schema = jsonschema::validator_for(&schema).expect("a schema");
        let mut out = Vec::new();
        write_matrix_json(&mut out, &matrix()).expect("memory");
        let mut written: Value = serde_json::from_slice(&out).expect("JSON");
        assert!(schema.is_valid(&written), "{written:#}");
        written["lines"][0]["cells"][0]["outcome"] = "perhaps".into();
        assert!(!schema.is_valid(&written), "the schema is closed");
    }
}
