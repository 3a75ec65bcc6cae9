//! Files that are tables: CSV and Parquet.

use std::path::Path;

use minijinja::Value;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, List, Map};

use super::read::syntax;
use super::{DataError, Place};
use crate::runner::open;

/// Cells that pandas, with which datasets reads such files, takes for missing.
const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// The rows of a CSV file, its first line the names.
pub(super) fn csv(path: &Path) -> Result<Vec<(Place, Value)>, DataError> {
    separated(path, b',')
}

/// The same with tabs.
pub(super) fn tsv(path: &Path) -> Result<Vec<(Place, Value)>, DataError> {
    separated(path, b'\t')
}

fn separated(path: &Path, delimiter: u8) -> Result<Vec<(Place, Value)>, DataError> {
    let bytes = open::bytes(path).map_err(|error| DataError::Read { path: path.to_path_buf(), error })?;
    if let Some(line) = unclosed(&bytes, delimiter) {
        return Err(syntax(path, line, String::from("is no CSV: a quote that is opened here is never closed")));
    }
    let wrong = |error: csv::Error| {
        let line = error.position().map_or(1, |position| position.line() as usize);
        syntax(path, line, format!("is no CSV: {error}"))
    };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(&bytes[..]);
    let names = reader.headers().map_err(wrong)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let line = record.position().map_or(0, |position| position.line() as usize);
        let cells = names.iter().zip(&record).filter(|(_, cell)| !MISSING.contains(cell));
        let object = Value::from_pairs(cells.map(|(name, cell)| (name.to_owned(), Value::from(cell))));
        rows.push((Place { path: path.to_path_buf(), line, is_row: false }, object));
    }
    Ok(rows)
}

/// The line of a quote that is never closed: all that follows it would be one cell.
fn unclosed(bytes: &[u8], delimiter: u8) -> Option<usize> {
    let (mut line, mut opened, mut is_start, mut is_quoted) = (1, 1, true, false);
    for &byte in bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) {
        line += usize::from(byte == b'\n');
        // Two quotes in a row close a cell and open it again, which comes to the same. Only a quote at the start of a cell opens one.
        if byte == b'"' && (is_quoted || is_start) {
            if !is_quoted {
                opened = line;
            }
            is_quoted = !is_quoted;
        } else if !is_quoted {
            is_start = byte == delimiter || byte == b'\n' || byte == b'\r';
        }
    }
    is_quoted.then_some(opened)
}

/// The rows of a Parquet file.
pub(super) fn parquet(path: &Path) -> Result<Vec<(Place, Value)>, DataError> {
    let open = |error| DataError::Read { path: path.to_path_buf(), error };
    let place = |row| Place { path: path.to_path_buf(), line: row, is_row: true };
    let wrong = |row: usize, error: &parquet::errors::ParquetError| DataError::Syntax {
        place: place(row),
        message: format!("cannot be read as Parquet: {error}"),
    };
    let file = open::open(path).map_err(open)?;
    let reader = SerializedFileReader::new(file).map_err(|error| wrong(1, &error))?;
    let mut rows = Vec::new();
    for (at, row) in reader.get_row_iter(None).map_err(|error| wrong(1, &error))?.enumerate() {
        let row = row.map_err(|error| wrong(at + 1, &error))?;
        rows.push((place(at + 1), object(row.get_column_iter())));
    }
    Ok(rows)
}

fn object<'r>(columns: impl Iterator<Item = (&'r String, &'r Field)>) -> Value {
    Value::from_pairs(columns.map(|(name, field)| (name.clone(), value(field))))
}

fn value(field: &Field) -> Value {
    match field {
        Field::Bool(value) => Value::from(*value),
        Field::Byte(value) => Value::from(*value),
        Field::Short(value) => Value::from(*value),
        Field::Int(value) => Value::from(*value),
        Field::Long(value) => Value::from(*value),
        Field::UByte(value) => Value::from(*value),
        Field::UShort(value) => Value::from(*value),
        Field::UInt(value) => Value::from(*value),
        Field::ULong(value) => Value::from(*value),
        Field::Float(value) => Value::from(*value),
        Field::Double(value) => Value::from(*value),
        Field::Str(text) => Value::from(text.as_str()),
        Field::Group(row) => object(row.get_column_iter()),
        Field::ListInternal(list) => list_value(list),
        Field::MapInternal(map) => map_value(map),
        // Dates and bytes are in no preference pair; a column of them is passed over.
        _ => Value::from(()),
    }
}

fn list_value(list: &List) -> Value {
    list.elements().iter().map(value).collect()
}

fn map_value(map: &Map) -> Value {
    Value::from_pairs(map.entries().iter().map(|(key, field)| (value(key), value(field))))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::{Row, read};

    fn fixture(name: &str) -> Vec<Row> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/runner").join(name);
        read(&path).expect("rows")
    }

    #[test]
    fn parquet_holds_what_json_holds() {
        for name in ["plain", "chat"] {
            let (rows, expected) = (fixture(&format!("{name}.parquet")), fixture(&format!("{name}.jsonl")));
            assert_eq!(rows.len(), expected.len());
            for (row, expected) in rows.iter().zip(&expected) {
                assert_eq!((&row.prompt, &row.chosen), (&expected.prompt, &expected.chosen), "{}", row.place);
                assert_eq!(row.rejected, expected.rejected, "{}", row.place);
            }
        }
        assert!(fixture("chat.parquet")[2].place.to_string().ends_with("chat.parquet, row 3"));
    }

    #[test]
    fn rows_of_csv_have_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pairs.csv");
        std::fs::write(&path, "prompt,chosen,rejected\na,\"b,\nc\",d\ne,f,\n").expect("a file");
        let error = read(&path).expect_err("an empty cell").to_string();
        assert!(error.contains("pairs.csv:4: has no `rejected`, only `prompt`, `chosen`"), "{error}");
        std::fs::write(&path, "prompt,chosen,rejected\na,\"b,\nc\",d\n").expect("a file");
        let rows = read(&path).expect("rows");
        assert_eq!(rows[0].chosen, super::super::Text::Plain(String::from("b,\nc")));
        std::fs::write(&path, "prompt,chosen,rejected\na,b\n").expect("a file");
        assert!(read(&path).expect_err("too few cells").to_string().contains(":2: is no CSV"));
    }

    #[test]
    fn a_quote_that_is_never_closed_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pairs.csv");
        std::fs::write(&path, "prompt,chosen,rejected\na,b,c\na,b,\"c\na,b,c\n").expect("a file");
        let error = read(&path).expect_err("a broken file").to_string();
        assert!(error.contains("pairs.csv:3: is no CSV: a quote that is opened here is never closed"), "{error}");
        std::fs::write(&path, "prompt,chosen,rejected\na\"s,\"b\"\"\n\"\"\",5\" long\n").expect("a file");
        assert_eq!(read(&path).expect("rows")[0].chosen, super::super::Text::Plain(String::from("b\"\n\"")));
    }

    /// As pandas reads them, with which datasets reads such files.
    #[test]
    fn some_words_are_missing_cells() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pairs.csv");
        std::fs::write(&path, "prompt,chosen,rejected\na,b,None\na,NA,c\na,none,c\n").expect("a file");
        let error = read(&path).expect_err("missing cells").to_string();
        assert!(error.contains("pairs.csv:2: has no `rejected`") && error.contains(":3: has no `chosen`"), "{error}");
        assert!(!error.contains(":4:"), "{error}");
    }

    #[test]
    fn broken_parquet_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pairs.parquet");
        std::fs::write(&path, "no parquet").expect("a file");
        let error = read(&path).expect_err("broken").to_string();
        assert!(error.contains("pairs.parquet, row 1: cannot be read as Parquet"), "{error}");
    }
}
