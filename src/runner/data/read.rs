//! Reads a data file into rows.

use std::path::{Path, PathBuf};

use minijinja::Value;

use super::{DataError, Place, Row, json, table};
use crate::runner::open;

/// The rows of a file, told by its ending. Every row must be good, as TRL demands it.
pub fn read(path: &Path) -> Result<Vec<Row>, DataError> {
    let cannot = |error| DataError::Read { path: path.to_path_buf(), error };
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let objects = match ending.as_deref() {
        Some("jsonl" | "json" | "ndjson") => {
            let bytes = open::bytes(path).map_err(cannot)?;
            let text = String::from_utf8(bytes).map_err(|error| {
                let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
                syntax(path, line, String::from("is no UTF-8"))
            })?;
            return parse(path, &text);
        }
        Some("csv") => table::csv(path)?,
        Some("tsv") => table::tsv(path)?,
        Some("parquet") => table::parquet(path)?,
        _ => return Err(DataError::Format { path: path.to_path_buf() }),
    };
    rows(path, objects)
}

/// The rows of a text in JSON or JSON lines, which stands in the file of this name.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Row>, DataError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let object = |element: &json::Element<'_>| {
        let value: Value = serde_json::from_str(element.text).map_err(|error| {
            syntax(path, element.line + error.line().saturating_sub(1), format!("is no JSON: {error}"))
        })?;
        Ok((Place { path: path.to_path_buf(), line: element.line, is_row: false }, value))
    };
    let objects: Result<Vec<(Place, Value)>, DataError> = json::elements(text).iter().map(object).collect();
    rows(path, objects?)
}

fn rows(path: &Path, objects: Vec<(Place, Value)>) -> Result<Vec<Row>, DataError> {
    if objects.is_empty() {
        return Err(DataError::Empty { path: path.to_path_buf() });
    }
    let mut rows: Vec<Row> = Vec::with_capacity(objects.len());
    let mut bad = Vec::new();
    for (place, object) in objects {
        match Row::new(place, &object) {
            Ok(row) => rows.push(row),
            Err(row) => bad.push(row),
        }
    }
    if bad.is_empty() { Ok(rows) } else { Err(DataError::Rows(bad)) }
}

pub(super) fn syntax(path: &Path, line: usize, message: String) -> DataError {
    DataError::Syntax { place: Place { path: PathBuf::from(path), line, is_row: false }, message }
}

#[cfg(test)]
mod tests {
    use super::super::Text;
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Row>, String> {
        parse(Path::new("pairs.jsonl"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_sample_is_good() {
        let rows = parsed(super::super::SAMPLE).expect("rows");
        assert_eq!(rows.len(), 32);
        assert_eq!(rows[4].chosen, Text::Plain(String::from(" Eight.")));
        assert_eq!(rows[4].place.to_string(), "pairs.jsonl:5");
    }

    #[test]
    fn bad_rows_are_named_with_their_lines() {
        let text = "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}\n{\"prompt\": \"a\", \"chosen\": \"b\"}\n\
                    {\"chosen\": 1, \"rejected\": \"c\"}\n{\"chosen\": [{\"content\": \"x\"}], \"rejected\": \"c\"}\n[]\n";
        let error = parsed(text).expect_err("bad rows");
        assert_eq!(
            error,
            "pairs.jsonl:2: has no `rejected`, only `prompt`, `chosen`\n\
             pairs.jsonl:3: `chosen` is a number, neither text nor a list of messages\n\
             pairs.jsonl:4: message 1 of `chosen` has no `role`\n\
             pairs.jsonl:5: is no object with the keys `chosen` and `rejected`\n\
             TRL stops at such a row and trains on none of the others"
        );
    }

    #[test]
    fn a_broken_line_is_named() {
        let error =
            parsed("{\"chosen\": \"b\", \"rejected\": \"c\"}\n{\"chosen\": \"b\", \"rejec").expect_err("no JSON");
        assert!(error.starts_with("pairs.jsonl:2: is no JSON: "), "{error}");
    }

    #[test]
    fn other_files_are_refused() {
        let error = read(Path::new("pairs.txt")).expect_err("no ending");
        assert_eq!(error.to_string(), "pairs.txt has to end in .jsonl, .json, .csv or .parquet");
        assert_eq!(parsed("").expect_err("no rows"), "pairs.jsonl has no rows");
    }
}
