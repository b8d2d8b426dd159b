//! Steps run one after the other; the report at the end names each with its time.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What became of a step.
enum Verdict {
    Passed,
    Failed,
    Skipped(String),
}

/// A run's steps so far.
#[derive(Default)]
pub struct Plan {
    results: Vec<(String, Verdict, Duration)>,
}

impl Plan {
    /// Runs a command as a step. A step that fails does not stop the ones after it.
    pub fn run(&mut self, name: &str, command: &mut Command) -> bool {
        println!("\n=== {name}");
        let start = Instant::now();
        let passed = match command.status() {
            Ok(status) => status.success(),
            Err(error) => {
                println!("cannot start {:?}: {error}", command.get_program());
                false
            }
        };
        let verdict = if passed { Verdict::Passed } else { Verdict::Failed };
        self.results.push((name.to_owned(), verdict, start.elapsed()));
        passed
    }

    /// Records that a step was left out, and why.
    pub fn skip(&mut self, name: &str, reason: impl Into<String>) {
        let reason = reason.into();
        println!("\n=== {name}\nskipped: {reason}");
        self.results.push((name.to_owned(), Verdict::Skipped(reason), Duration::ZERO));
    }

    /// Prints the report.
    ///
    /// # Errors
    /// If a step failed.
    pub fn finish(self) -> Result<()> {
        println!("\n=== report");
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        for (name, verdict, took) in &self.results {
            let word = match verdict {
                Verdict::Passed => {
                    passed += 1;
                    "passed".to_owned()
                }
                Verdict::Failed => {
                    failed += 1;
                    "FAILED".to_owned()
                }
                Verdict::Skipped(reason) => {
                    skipped += 1;
                    format!("skipped: {reason}")
                }
            };
            println!("{:>7.1} s  {name}: {word}", took.as_secs_f64());
        }
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        if failed > 0 {
            bail!("{failed} step(s) failed");
        }
        Ok(())
    }
}
