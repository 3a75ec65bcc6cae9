//! The documentation as mdBook reads it: every page is there, and every link between pages leads somewhere.

#[path = "../examples/site/book.rs"]
mod book;
#[path = "../examples/site/timeline.rs"]
mod timeline;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use dpo_lint::engine::catalogue::{catalogue, find};

fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("it can be read").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let own = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "md"));
    own.chain(folders.iter().flat_map(|folder| pages(folder))).collect()
}

/// The targets of the links of a page, code left out.
fn links(text: &str) -> Vec<String> {
    let prose = text.split("```").step_by(2);
    let found = prose.flat_map(|part| part.split("](").skip(1));
    found.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// How mdBook names a heading.
fn anchor(heading: &str) -> String {
    let letters = heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .collect::<String>();
    letters.trim().replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    book::write(folder.path(), &|_| Some("<svg/>".to_owned())).expect("the pages can be written");
    let source = folder.path().join("src");
    let all = pages(&source);
    let mut followed = 0;
    for page in &all {
        let text = fs::read_to_string(page).expect("it is text");
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { page.clone() } else { page.with_file_name("").join(path) };
            assert!(target.is_file(), "{}: {link}", page.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).expect("it is text");
                let headings: BTreeSet<String> = text
                    .lines()
                    .filter(|line| line.starts_with('#'))
                    .map(|line| anchor(line.trim_start_matches('#')))
                    .collect();
                assert!(headings.contains(heading), "{}: {link}", page.display());
            }
            followed += 1;
        }
    }
    assert!(followed > catalogue().len(), "the pages are linked");
    let summary = fs::read_to_string(source.join("SUMMARY.md")).expect("it was written");
    for meta in catalogue() {
        assert!(summary.contains(&format!("(rules/{}.md)", meta.name)), "{}", meta.name);
    }
    assert_eq!(all.len(), links(&summary).len() + 1, "every page is in the table of contents");
}

#[test]
fn a_picture_shows_what_releases_make_of_the_example() {
    let meta = find("import-missing").expect("it is a rule");
    let picture = timeline::of(meta).expect("releases decide what the rule says");
    assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"));
    // `DPOConfig` came with 0.9.2.
    assert!(picture.contains("trl 0.9.2 to ") && picture.contains("to 0.8.6: error"), "{picture}");
    assert!(timeline::of(find("duplicate-key").expect("it is a rule")).is_none(), "no release decides that");
}
