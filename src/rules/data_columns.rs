//! The columns of local data: what its first rows have.

use std::collections::BTreeSet;
use std::path::Path;

use super::Context;

/// Of a data file so much is read.
const START: usize = 1 << 16;

/// And of that so many rows.
const ROWS: usize = 32;

/// The format of a data file that can be looked into, by its ending.
pub(super) fn format_of(path: &str) -> Option<&'static str> {
    match Path::new(path).extension()?.to_str()? {
        "json" | "jsonl" => Some("json"),
        "csv" => Some("csv"),
        _ => None,
    }
}

/// The first bytes of a data file in a folder.
pub(super) fn start_in(folder: &Path, file: &str, context: &Context<'_>) -> Option<Vec<u8>> {
    context.disk.read_start(&folder.join(file), START).ok()
}

/// The first bytes of a data file, seen from a folder or from one above.
pub(super) fn start_of(path: &str, from: &Path, context: &Context<'_>) -> Option<Vec<u8>> {
    if path.contains(['*', '?', '[', '{', ':']) || Path::new(path).is_absolute() {
        return None;
    }
    from.ancestors().map(|folder| folder.join(path)).find_map(|file| context.disk.read_start(&file, START).ok())
}

/// The columns of the first rows; `None` where they cannot be told.
pub(super) fn columns(start: &[u8], format: &str) -> Option<BTreeSet<String>> {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The end may be in the middle of a letter.
        Err(error) => std::str::from_utf8(&start[..error.valid_up_to()]).ok()?,
    };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if format == "csv" {
        let header = text.lines().next()?;
        let names = header.split(',').map(|name| name.trim().trim_matches('"').to_owned());
        return (header.contains(',') && start.len() < START || text.contains('\n')).then(|| names.collect());
    }
    let mut columns = BTreeSet::new();
    let mut rest = text.strip_prefix('[').unwrap_or(text);
    for _ in 0..ROWS {
        rest = rest.trim_start_matches([' ', '\n', '\r', '\t', ',']);
        let mut rows =
            serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Map<String, serde_json::Value>>();
        let Some(Ok(row)) = rows.next() else { break };
        columns.extend(row.into_iter().map(|(name, _)| name));
        let read = rows.byte_offset();
        rest = rest.get(read..)?;
    }
    (!columns.is_empty()).then_some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_the_first_rows() {
        for (text, format, expected) in [
            ("{\"a\": 1, \"b\": [1]}\n{\"a\": 2, \"c\": null}\n", "json", "a b c"),
            ("[\n {\"a\": 1},\n {\"b\": 2}\n]", "json", "a b"),
            ("\u{feff}{\"a\": {\"x\": 1}}\n{\"b\": \"cut of", "json", "a"),
            ("{\"a\": \"cut of", "json", ""),
            ("[1, 2]", "json", ""),
            ("a,\"b\",c\n1,2,3\n", "csv", "a b c"),
        ] {
            let found = columns(text.as_bytes(), format).unwrap_or_default();
            assert_eq!(found.into_iter().collect::<Vec<_>>().join(" "), expected, "{text}");
        }
    }
}
