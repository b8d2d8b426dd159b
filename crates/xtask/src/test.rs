//! `cargo xtask test`: every ring of tests that a change must pass.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::image;
use crate::plan::Plan;
use crate::prerequisites::{ensure_debian_program, ensure_python, npm_is_reachable};
use crate::workspace::{cargo, root, target_directory};

/// Kept apart from the image a user may have built.
const TEST_IMAGE: &str = "rivermark-test";

/// What to run.
#[derive(Args)]
pub struct TestArguments {
    /// Only the steps whose name contains one of these words.
    #[arg(value_name = "STEP")]
    only: Vec<String>,
}

impl TestArguments {
    fn wants(&self, step: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| step.contains(word.as_str()))
    }
}

/// Runs the steps and reports.
///
/// # Errors
/// If a step failed.
pub fn run(arguments: &TestArguments) -> Result<()> {
    let root = root();
    let mut plan = Plan::default();
    for (name, cargo_arguments) in CARGO_STEPS {
        if arguments.wants(name) {
            plan.run(name, cargo(&root).args(*cargo_arguments));
        }
    }
    let built = plan.run("build rivermark", cargo(&root).args(["build", "--bin", "rivermark"]));
    if !built {
        plan.skip("black-box tests", "there is no binary to test");
        return plan.finish();
    }
    run_black_box(arguments, &root, &mut plan);
    run_clients(arguments, &root, &mut plan);
    run_compose(arguments, &root, &mut plan);
    plan.finish()
}

/// Steps that need nothing but cargo, in order.
const CARGO_STEPS: &[(&str, &[&str])] = &[
    ("format", &["fmt", "--all", "--check"]),
    ("clippy", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
    ("tidy", &["test", "--quiet", "-p", "rivermark-tests", "--test", "tidy"]),
    ("unit", &["test", "--quiet", "--workspace", "--exclude", "rivermark-tests"]),
];

fn run_black_box(arguments: &TestArguments, root: &Path, plan: &mut Plan) {
    // The cluster tests trace system calls where they can, and say so where they cannot.
    if arguments.wants("cluster")
        && let Err(reason) = ensure_debian_program("strace", "strace")
    {
        plan.skip("trace of fdatasync", reason);
    }
    for target in ["protocol", "cluster"] {
        if arguments.wants(target) {
            plan.run(target, &mut black_box(root, target));
        }
    }
    if arguments.wants("scripts") {
        match ensure_debian_program("redis-server", "redis-server") {
            Ok(()) => {
                plan.run("scripts", &mut black_box(root, "scripts"));
            }
            Err(reason) => plan.skip("scripts", reason),
        }
    }
    if arguments.wants("differential") {
        match ensure_debian_program("redis-server", "redis-server") {
            Ok(()) => {
                plan.run("differential", &mut black_box(root, "compat"));
            }
            Err(reason) => plan.skip("differential", reason),
        }
    }
}

fn black_box(root: &Path, target: &str) -> Command {
    let mut command = cargo(root);
    command.args(["test", "--quiet", "-p", "rivermark-tests", "--test", target]);
    // Each test starts a cluster of its own; on two cores more than two at once only slow each other.
    command.args(["--", "--test-threads=1"]).env("RIVERMARK_BIN", binary());
    command
}

fn run_clients(arguments: &TestArguments, root: &Path, plan: &mut Plan) {
    let folder = root.join("tests/clients");
    if arguments.wants("clients redis-rs") {
        plan.run("clients redis-rs", &mut black_box(root, "redis-rs"));
    }
    if arguments.wants("clients python") {
        // Those of the tests that run Debian's redis-cli and redis-benchmark skip themselves without them.
        if let Err(reason) = ensure_debian_program("redis-benchmark", "redis-tools") {
            plan.skip("clients redis-tools", reason);
        }
        match ensure_python(&target_directory().join("python"), &folder.join("requirements.txt")) {
            Ok(python) => {
                let mut command = Command::new(python);
                command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).arg(&folder);
                command.env("RIVERMARK_BIN", binary()).env("PYTHONDONTWRITEBYTECODE", "1");
                plan.run("clients python", &mut command);
            }
            Err(reason) => plan.skip("clients python", reason),
        }
    }
    if arguments.wants("clients ioredis") {
        if npm_is_reachable() {
            let mut command = Command::new("sh");
            command.args(["-c", "npm ci --silent && npm test --silent"]).current_dir(folder.join("ioredis"));
            command.env("RIVERMARK_BIN", binary());
            plan.run("clients ioredis", &mut command);
        } else {
            plan.skip("clients ioredis", "the npm registry is not reachable from here");
        }
    }
}

fn run_compose(arguments: &TestArguments, root: &Path, plan: &mut Plan) {
    if !arguments.wants("compose") {
        return;
    }
    if !image::engine_is_there() || !image::compose_is_there() {
        plan.skip("compose", "there is no container engine with docker-compose here");
        return;
    }
    let mut xtask = Command::new(std::env::current_exe().expect("this program has a path"));
    if plan.run("compose image", xtask.args(["image", "--profile", "dev", "--tag", TEST_IMAGE])) {
        plan.run("compose", black_box(root, "compose").env("RIVERMARK_IMAGE", TEST_IMAGE));
    }
}

fn binary() -> PathBuf {
    target_directory().join("debug/rivermark")
}
