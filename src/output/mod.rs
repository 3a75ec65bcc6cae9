//! How findings are written: for people, for editors and logs, for programs. Pure functions to a writer.

mod concise;
mod json;
mod place;
mod summary;
mod text;

pub use concise::write_concise;
pub use json::write_json;
pub use place::{shown_path, shown_places};
pub use summary::{Summary, counted, write_statistics, write_summary};
pub use text::{Style, write_text};
