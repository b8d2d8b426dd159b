//! What tests need beyond Rust: a real redis-server and a Python environment with real clients. Both are
//! installed here, so that a fresh machine needs one command.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether a program answers `--version`.
pub fn has_program(name: &str) -> bool {
    succeeds(name, &["--version"])
}

/// Whether a program is there and ends well with these arguments.
pub fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Makes sure a program from a Debian package is there, installing it where this process may.
///
/// # Errors
/// Why it is not there, in a sentence for the report.
pub fn ensure_debian_program(program: &str, package: &str) -> Result<(), String> {
    if has_program(program) {
        return Ok(());
    }
    println!("{program} is missing; installing Debian's {package}");
    let is_root = rustix::process::geteuid().is_root();
    let apt = |arguments: &[&str]| {
        let mut command = if is_root { Command::new("apt-get") } else { Command::new("sudo") };
        if !is_root {
            command.args(["-n", "apt-get"]);
        }
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments).stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let install = ["install", "-y", "--no-install-recommends", package];
    let installed = apt(&install) || (apt(&["update"]) && apt(&install));
    if !installed {
        return Err(format!("{program} is not installed and `apt-get install {package}` did not work"));
    }
    // Debian starts the service on its default port; tests start servers of their own.
    let _ =
        Command::new("service").args([package, "stop"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    has_program(program).then_some(()).ok_or_else(|| format!("{package} brought no {program}"))
}

/// The Python of a virtual environment that holds the packages of `requirements`.
///
/// # Errors
/// Why there is none, in a sentence for the report.
pub fn ensure_python(environment: &Path, requirements: &Path) -> Result<PathBuf, String> {
    let python = environment.join("bin/python");
    if !python.exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(environment).status();
        if !made.is_ok_and(|status| status.success()) {
            return Err("python3 -m venv did not work".to_owned());
        }
    }
    let installed = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(requirements)
        .status();
    if !installed.is_ok_and(|status| status.success()) {
        return Err(format!("pip could not install {}", requirements.display()));
    }
    Ok(python)
}

/// Whether the npm registry answers.
pub fn npm_is_reachable() -> bool {
    has_program("npm") && succeeds("npm", &["ping", "--fetch-retries=0", "--fetch-timeout=3000"])
}
