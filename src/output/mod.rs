//! How findings are written: for people, for editors and logs, for programs. Pure functions to a writer.

mod concise;
mod github;
mod gitlab;
mod json;
mod junit;
mod matrix;
mod place;
mod printable;
mod rooted;
mod sarif;
mod summary;
#[cfg(test)]
mod testing;
mod text;
mod versions;

pub use concise::write_concise;
pub use github::write_github;
pub use gitlab::write_gitlab;
pub use json::{write_json, write_versions_json};
pub use junit::write_junit;
pub use matrix::{write_matrix, write_matrix_json};
pub use place::{shown_path, shown_places};
pub use printable::{printable, printable_lines};
pub use rooted::Rooted;
pub use sarif::write_sarif;
pub use summary::{Summary, counted, write_json_statistics, write_statistics, write_summary};
pub use text::{Style, write_text};
pub use versions::write_versions;
