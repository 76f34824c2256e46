//! Child processes that cannot hang: no input, all output to a file, and a limit on their time.

use std::fs::File;
use std::io;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Success,
    Failure,
    /// It ran past its limit, and was killed with its descendants.
    TimedOut,
}

/// Runs the command with both of its outputs appended to `log`.
///
/// # Errors
/// The command could not be started.
pub(crate) fn run(command: &mut Command, log: &File, limit: Duration) -> io::Result<Ended> {
    let mut child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?).spawn()?;
    let started = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() { Ended::Success } else { Ended::Failure });
        }
        if started.elapsed() >= limit {
            kill_family(&mut child)?;
            return Ok(Ended::TimedOut);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

/// Kills the child, and what it started: cargo's death alone would leave a hanging test program behind.
fn kill_family(child: &mut Child) -> io::Result<()> {
    let mut family = vec![child.id()];
    if let Ok(parents) = parents_of_all() {
        let mut at = 0;
        while let Some(&parent) = family.get(at) {
            family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            at += 1;
        }
    }
    child.kill()?;
    child.wait()?;
    if let Some(descendants) = family.get(1..).filter(|some| !some.is_empty()) {
        let ids = descendants.iter().map(u32::to_string);
        Command::new("kill").arg("-KILL").args(ids).stderr(Stdio::null()).status()?;
    }
    Ok(())
}

/// Each process and its parent, from `/proc` where there is one, else from `ps`.
fn parents_of_all() -> io::Result<Vec<(u32, u32)>> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        let listing = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).stdin(Stdio::null()).output()?;
        let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
        return Ok(listing.lines().filter_map(ps_line).collect());
    };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    Ok(ids
        .filter_map(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, parent_in_stat(&stat)?))
        })
        .collect())
}

/// The fourth field of `/proc/PID/stat`; the second is a name that can itself hold spaces and parentheses.
fn parent_in_stat(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

fn ps_line(line: &str) -> Option<(u32, u32)> {
    let mut fields = line.split_whitespace();
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{parent_in_stat, ps_line};

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent_in_stat("4231 (a) b (c)) S 77 4231 9 0 -1"), Some(77));
        assert_eq!(parent_in_stat("4231 (half"), None);
        assert_eq!(ps_line("  12   1"), Some((12, 1)));
        assert_eq!(ps_line(""), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_child_past_its_limit_dies_with_its_own_children() -> std::io::Result<()> {
        use std::fs::OpenOptions;
        use std::process::Command;
        use std::time::{Duration, Instant};

        use super::{Ended, run};

        let path = std::env::temp_dir().join(format!("xtask-process-{}.log", std::process::id()));
        let log = OpenOptions::new().create(true).append(true).open(&path)?;
        let mut hangs = Command::new("sh");
        hangs.args(["-c", "sleep 600 & echo $!; wait"]);
        let started = Instant::now();
        let ended = run(&mut hangs, &log, Duration::from_millis(300))?;
        let grandchild = std::fs::read_to_string(&path)?;
        std::fs::remove_file(&path)?;
        assert_eq!(ended, Ended::TimedOut);
        assert!(started.elapsed() < Duration::from_secs(60), "the limit held");
        // A killed process may stay a zombie for a moment where nobody reaps it; it no longer sleeps.
        let sleeps = || {
            std::fs::read_to_string(format!("/proc/{}/stat", grandchild.trim()))
                .is_ok_and(|stat| !stat.contains(") Z"))
        };
        while sleeps() && started.elapsed() < Duration::from_secs(60) {
            std::thread::yield_now();
        }
        assert!(!sleeps(), "the grandchild lives on");
        Ok(())
    }
}
