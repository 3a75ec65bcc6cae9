//! The releases that a project is taken to.

use pep440_rs::{Version, VersionSpecifiers};

use crate::engine::settings::Target;
use crate::knowledge::{Knowledge, Package};

/// A release to get to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    package: String,
    version: Version,
    /// Its place among the known releases of the package.
    release: Option<usize>,
}

impl Goal {
    /// The release that the user means: `trl==1.16` is the newest release of that series. Of a package that is not known only the
    /// declarations can be rewritten, and any release will do.
    pub fn resolve(target: &Target, knowledge: &Knowledge) -> Result<Self, String> {
        let (name, written) = target.as_str().split_once("==").unwrap_or((target.as_str(), ""));
        let package = crate::syntax::requirements::normalize(name);
        let version: Version = written.parse().map_err(|error| format!("`{written}` is not a version: {error}"))?;
        let Some(known) = knowledge.package(&package) else { return Ok(Self { package, version, release: None }) };
        let Some(release) = meant(known, &version) else {
            let range = known.intervals(&known.all()).join(", ");
            return Err(format!("dpo-lint knows no release {written} of {package}, but {range}"));
        };
        Ok(Self { package, version: known.versions()[release].clone(), release: Some(release) })
    }

    /// Normalised distribution name.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// The version to declare.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Its place among the known releases of the package.
    pub fn release(&self) -> Option<usize> {
        self.release
    }

    /// `trl==1.16.0`
    pub fn requirement(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }
}

fn meant(package: &Package, version: &Version) -> Option<usize> {
    if version.release().len() > 2 {
        return package.index_of(version);
    }
    let series: VersionSpecifiers = format!("=={version}.*").parse().ok()?;
    package.matching(&series).iter().next_back().or_else(|| package.index_of(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_its_newest_release() {
        for (written, expected) in [
            ("trl==1.14", Ok("trl==1.14.2")),
            ("trl==0.11.4", Ok("trl==0.11.4")),
            ("TRL==1.16", Ok("trl==1.16.0")),
            ("datasets==9", Ok("datasets==9")),
            ("trl==99.0", Err("dpo-lint knows no release 99.0 of trl, but ")),
        ] {
            let target: Target = written.parse().expect("a target");
            match (Goal::resolve(&target, Knowledge::bundled()), expected) {
                (Ok(goal), Ok(expected)) => assert_eq!(goal.requirement(), expected),
                (Err(why), Err(expected)) => assert!(why.starts_with(expected), "{why}"),
                (found, _) => panic!("{written}: {found:?}"),
            }
        }
    }
}
