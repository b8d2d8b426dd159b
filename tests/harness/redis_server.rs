//! A real redis-server, the judge of the differential tests.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::ports::free_base;

/// A redis-server of its own, without persistence unless asked for, ended on drop.
pub struct RedisServer {
    port: u16,
    child: Child,
    _folder: TempDir,
}

impl RedisServer {
    /// Starts one.
    ///
    /// # Panics
    /// If there is no `redis-server` or it does not answer within ten seconds.
    pub fn start(extra: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_base(&[0]);
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(folder.path())
            .args(extra)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed: cargo xtask test sees to it");
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { port, child, _folder: folder }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
