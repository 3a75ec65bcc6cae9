//! How much memory this process can still have, as Linux tells it in files. Elsewhere nothing is known, and nothing refused.

use std::fmt;
use std::path::{Path, PathBuf};

/// What can still be had, and what limits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// So much.
    pub bytes: u64,
    /// By what.
    pub by: Limit,
}

/// What limits memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The machine has no more.
    Machine,
    /// The control group of the process may have no more.
    Group,
    /// The process may have no more addresses, or data: `ulimit -v` and `ulimit -d`.
    Process,
    /// A GPU has no more.
    Gpu,
}

impl fmt::Display for Limit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Machine => "free on this machine",
            Self::Group => "left to the control group (container) of this process",
            Self::Process => "left to this process by `ulimit`",
            Self::Gpu => "free on the GPU",
        })
    }
}

/// Where the files are.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        Self { root: PathBuf::from("/") }
    }

    fn text(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }

    /// What the process holds in memory.
    pub fn held(&self) -> u64 {
        self.text("proc/self/status").and_then(|text| kilobytes(&text, "VmRSS:")).unwrap_or(0)
    }

    /// The most that it held.
    pub fn peak(&self) -> Option<u64> {
        kilobytes(&self.text("proc/self/status")?, "VmHWM:")
    }

    /// The least of what the machine, the control group and the limits of the process leave.
    pub fn free(&self) -> Option<Free> {
        let found =
            [(Limit::Machine, self.of_machine()), (Limit::Group, self.of_group()), (Limit::Process, self.of_process())];
        let known = found.into_iter().filter_map(|(by, bytes)| Some(Free { bytes: bytes?, by }));
        known.min_by_key(|free| free.bytes)
    }

    /// Whether addresses or data of the process are limited.
    pub fn is_limited(&self) -> bool {
        self.of_process().is_some()
    }

    fn of_machine(&self) -> Option<u64> {
        let text = self.text("proc/meminfo")?;
        Some(kilobytes(&text, "MemAvailable:")? + kilobytes(&text, "SwapFree:").unwrap_or(0))
    }

    fn of_process(&self) -> Option<u64> {
        let (limits, status) = (self.text("proc/self/limits")?, self.text("proc/self/status")?);
        let left = |limit: &str, used: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(limit))?;
            let most: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(most.saturating_sub(kilobytes(&status, used)?))
        };
        let all = [left("Max address space", "VmSize:"), left("Max data size", "VmData:")];
        all.into_iter().flatten().min()
    }

    /// Of the group and all above it.
    fn of_group(&self) -> Option<u64> {
        let text = self.text("proc/self/cgroup")?;
        let all = text.lines().flat_map(|line| self.of_hierarchy(line));
        all.min()
    }

    fn of_hierarchy(&self, line: &str) -> Vec<u64> {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return Vec::new();
        };
        let path = Path::new(path.trim_start_matches('/'));
        let is_first = controllers.split(',').any(|one| one == "memory");
        let (mount, names) = if controllers.is_empty() {
            ("sys/fs/cgroup", ["memory.max", "memory.current", "inactive_file "])
        } else if is_first {
            ("sys/fs/cgroup/memory", ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "])
        } else {
            return Vec::new();
        };
        let [most, used, cached] = names;
        let left = |folder: &Path| {
            let read = |name: &str| self.text(&folder.join(name).to_string_lossy());
            let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
            // Pages of files that nobody uses are given back when they are needed.
            let stat = read("memory.stat").unwrap_or_default();
            let cached = stat.lines().find_map(|line| line.strip_prefix(cached)?.trim().parse::<u64>().ok());
            Some(number(most)?.saturating_sub(number(used)?.saturating_sub(cached.unwrap_or(0))))
        };
        path.ancestors().filter_map(|part| left(&Path::new(mount).join(part))).collect()
    }
}

/// The number of kilobytes that follows a word at the beginning of a line, in bytes.
fn kilobytes(text: &str, word: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|number| number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        let machine = Machine { root: folder.path().to_owned() };
        (folder, machine)
    }

    const MEMORY: (&str, &str) = ("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    4000 kB\nSwapFree: 96 kB\n");

    #[test]
    fn the_machine_is_asked_for_what_is_available() {
        let (_folder, machine) = machine(&[MEMORY]);
        assert_eq!(machine.free(), Some(Free { bytes: 4096 * 1024, by: Limit::Machine }));
        let (_folder, nothing) = self::machine(&[]);
        assert_eq!((nothing.free(), nothing.held(), nothing.peak()), (None, 0, None));
    }

    #[test]
    fn a_control_group_may_leave_less() {
        let newer = [
            MEMORY,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/b/memory.current", "1000\n"),
            ("sys/fs/cgroup/a/memory.max", "5000\n"),
            ("sys/fs/cgroup/a/memory.current", "4000\n"),
            ("sys/fs/cgroup/a/memory.stat", "anon 3400\ninactive_file 600\nactive_file 7\n"),
        ];
        let (_folder, found) = machine(&newer);
        assert_eq!(found.free(), Some(Free { bytes: 1600, by: Limit::Group }));
        let older = [
            MEMORY,
            ("proc/self/cgroup", "3:cpu,memory:/x\n2:pids:/x\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "3000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n"),
        ];
        let (_folder, found) = machine(&older);
        assert_eq!(found.free(), Some(Free { bytes: 2000, by: Limit::Group }));
    }

    #[test]
    fn a_limit_of_the_process_may_leave_less() {
        let limits = "Limit    Soft Limit  Hard Limit  Units\nMax data size    unlimited   unlimited   bytes\n\
                      Max address space    3072000   unlimited   bytes\n";
        let status = "VmPeak: 9 kB\nVmSize:\t 1000 kB\nVmHWM:   800 kB\nVmRSS:   700 kB\nVmData: 1 kB\n";
        let (_folder, found) = machine(&[MEMORY, ("proc/self/limits", limits), ("proc/self/status", status)]);
        assert_eq!(found.free(), Some(Free { bytes: 2000 * 1024, by: Limit::Process }));
        assert_eq!((found.held(), found.peak(), found.is_limited()), (700 * 1024, Some(800 * 1024), true));
        let (_folder, free) = machine(&[MEMORY, ("proc/self/status", status)]);
        assert!(!free.is_limited());
    }
}
