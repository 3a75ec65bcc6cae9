//! Writes the documentation as mdBook reads it:
//!
//! ```sh
//! cargo run --release --example site -- target/site && mdbook build target/site
//! ```
//!
//! What is written by hand lies in `docs`; the pages of rules come from their doc comments, and the picture on each is drawn from
//! what the rule says of its own example in every release.

mod book;
mod timeline;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("usage: site FOLDER")?;
    Ok(book::write(&folder, &timeline::of)?)
}
