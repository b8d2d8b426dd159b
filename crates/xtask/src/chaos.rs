//! `cargo xtask chaos`: faults on real processes under load, judged by the oracle.

use anyhow::{Result, bail};
use clap::Args;

use crate::workspace::{cargo, root, target_directory};

/// How long, and which faults.
#[derive(Args)]
pub struct ChaosArguments {
    /// How long faults are injected.
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// Repeats the faults of another run; random if none is given.
    #[arg(long)]
    seed: Option<u64>,
}

/// Builds the server and runs the rig.
///
/// # Errors
/// If something cannot be built, or the run found a violation or could not decide.
pub fn run(arguments: &ChaosArguments) -> Result<()> {
    let root = root();
    let built = cargo(&root).args(["build", "--quiet", "--bin", "rivermark"]).status()?;
    if !built.success() {
        bail!("there is no binary to test");
    }
    let mut rig = cargo(&root);
    rig.args(["run", "--quiet", "-p", "rivermark-chaos", "--", "--out"]);
    rig.arg(root.join("target/chaos")).args(["--minutes", &arguments.minutes.to_string()]);
    if let Some(seed) = arguments.seed {
        rig.args(["--seed", &seed.to_string()]);
    }
    let passed = rig.env("RIVERMARK_BIN", target_directory().join("debug/rivermark")).status()?.success();
    if !passed {
        bail!("the run did not pass");
    }
    Ok(())
}
