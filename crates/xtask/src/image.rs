//! `cargo xtask image`: a container image that holds one statically linked binary and nothing else.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::prerequisites::{has_program, succeeds};
use crate::workspace::{cargo, root, target_directory};

/// The one target whose C library can be linked in whole without a further toolchain.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// How the binary is optimised.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Profile {
    /// For use.
    Release,
    /// For tests: built sooner.
    Dev,
}

/// What to build.
#[derive(Args)]
pub struct ImageArguments {
    /// Name of the image.
    #[arg(long, default_value = "rivermark")]
    tag: String,
    /// How the binary is optimised.
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
}

/// Builds the binary and the image.
///
/// # Errors
/// If the binary cannot be built or no container engine takes the image.
pub fn run(arguments: &ImageArguments) -> Result<()> {
    if !engine_is_there() {
        bail!("no container engine answers `docker info`");
    }
    let binary = static_binary(arguments.profile)?;
    build(&binary, &arguments.tag)?;
    println!("{}", arguments.tag);
    Ok(())
}

/// Whether a container engine answers.
pub fn engine_is_there() -> bool {
    succeeds("docker", &["info"])
}

/// Whether compose is there.
pub fn compose_is_there() -> bool {
    has_program("docker-compose")
}

fn static_binary(profile: Profile) -> Result<PathBuf> {
    let root = root();
    let mut build = cargo(&root);
    build.args(["build", "--quiet", "--locked", "--bin", "rivermark", "--target", TARGET]);
    let folder = match profile {
        Profile::Release => {
            build.arg("--release");
            "release"
        }
        Profile::Dev => "debug",
    };
    // With a target given, build scripts and procedural macros are spared the flag, which they cannot have.
    let built = build.env("RUSTFLAGS", "-C target-feature=+crt-static").status()?;
    if !built.success() {
        bail!("the static binary could not be built");
    }
    Ok(target_directory().join(TARGET).join(folder).join("rivermark"))
}

/// Lays out the image's root beside the binary and hands it to the engine.
fn build(binary: &Path, tag: &str) -> Result<()> {
    let context = target_directory().join("image");
    if context.exists() {
        std::fs::remove_dir_all(&context)?;
    }
    // A volume mounted on /data takes this folder's owner: the node runs as nobody in particular.
    std::fs::create_dir_all(context.join("data"))?;
    let copied = Command::new("strip").arg("-o").arg(context.join("rivermark")).arg(binary).status();
    if !copied.is_ok_and(|status| status.success()) {
        std::fs::copy(binary, context.join("rivermark")).context("copying the binary")?;
    }
    let status = Command::new("docker")
        .args(["build", "--quiet", "--tag", tag, "--file"])
        .arg(root().join("deploy/Dockerfile.scratch"))
        .arg(&context)
        .env("DOCKER_BUILDKIT", "0")
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("docker build failed");
    }
    Ok(())
}
