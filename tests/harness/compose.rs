//! The cluster of `deploy/compose`, in containers.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::ports::free_base;
use crate::resp::Connection;

/// What a container of the composition is called.
pub const SERVICES: [&str; 4] = ["node-1", "node-2", "node-3", "router"];

/// How long containers may take to become healthy.
const HEALTHY_WITHIN: Duration = Duration::from_secs(120);

/// Three nodes and a router in containers, under a project name of their own.
pub struct Compose {
    project: String,
    base: u16,
}

impl Compose {
    /// Starts the composition on new volumes and waits until every service is healthy.
    ///
    /// # Panics
    /// If compose fails or a service does not get healthy within two minutes.
    pub fn start(image: &str) -> Self {
        let base = free_base(&[0, 1, 2, 3, 2000, 2001, 2002, 2003]);
        let composition = Self { project: format!("rivermark-test-{base}"), base };
        composition.compose(image, &["up", "-d"]);
        composition.wait_until_healthy(&SERVICES);
        composition
    }

    /// The published RESP port of a service, by its place in [`SERVICES`].
    pub fn port(&self, service: u16) -> u16 {
        self.base + service
    }

    /// The published HTTP port of a service, by its place in [`SERVICES`].
    pub fn http_port(&self, service: u16) -> u16 {
        self.base + 2000 + service
    }

    /// A connection to a service, by its place in [`SERVICES`].
    ///
    /// # Panics
    /// If nothing listens.
    pub fn connect(&self, service: u16) -> Connection {
        Connection::open(self.port(service)).unwrap_or_else(|error| panic!("service {service}: {error}"))
    }

    /// The engine's name of a service's container.
    pub fn container(&self, service: &str) -> String {
        format!("{}_{service}_1", self.project)
    }

    /// Runs `docker` with a verb, options and a service's container.
    ///
    /// # Panics
    /// If the engine refuses.
    pub fn docker(&self, verb: &[&str], service: &str) {
        let output = Command::new("docker").args(verb).arg(self.container(service)).output();
        expect_success(&format!("docker {verb:?} {service}"), &output.expect("docker runs"));
    }

    /// Waits until services are healthy by the image's own health check.
    ///
    /// # Panics
    /// If one does not get healthy within two minutes.
    pub fn wait_until_healthy(&self, services: &[&str]) {
        let deadline = Instant::now() + HEALTHY_WITHIN;
        for service in services {
            while self.health(service) != "healthy" {
                assert!(
                    Instant::now() < deadline,
                    "{service} is {}:\n{}",
                    self.health(service),
                    self.logs(service)
                );
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }

    fn health(&self, service: &str) -> String {
        let output = Command::new("docker")
            .args(["inspect", "--format", "{{.State.Health.Status}}"])
            .arg(self.container(service))
            .output()
            .expect("docker runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What a service logged last.
    pub fn logs(&self, service: &str) -> String {
        let output =
            Command::new("docker").args(["logs", "--tail", "40"]).arg(self.container(service)).output();
        output.map_or_else(
            |error| error.to_string(),
            |output| {
                let (out, err) =
                    (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                format!("{out}{err}")
            },
        )
    }

    fn compose(&self, image: &str, arguments: &[&str]) {
        let mut command = Command::new("docker-compose");
        command.arg("--project-name").arg(&self.project).arg("--file").arg(file()).args(arguments);
        command.env("RIVERMARK_IMAGE", image);
        for (index, name) in ["1", "2", "3", "ROUTER"].into_iter().enumerate() {
            let index = u16::try_from(index).expect("four services");
            command.env(format!("RIVERMARK_PORT_{name}"), self.port(index).to_string());
            command.env(format!("RIVERMARK_HTTP_PORT_{name}"), self.http_port(index).to_string());
        }
        expect_success("docker-compose", &command.output().expect("docker-compose runs"));
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        // A failing test already says why; what it leaves behind would only disturb the next.
        let _ = Command::new("docker-compose")
            .arg("--project-name")
            .arg(&self.project)
            .arg("--file")
            .arg(file())
            .args(["down", "--volumes", "--timeout", "1"])
            .output();
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/compose/docker-compose.yml")
}

fn expect_success(what: &str, output: &Output) {
    assert!(output.status.success(), "{what}:\n{}", String::from_utf8_lossy(&output.stderr));
}
