//! Starts `rivermark server` on free ports and talks to it in raw RESP.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const READY_MAX: Duration = Duration::from_secs(30);
const REPLY_MAX: Duration = Duration::from_secs(20);

/// A node with a data folder of its own.
pub struct Server {
    child: Child,
    pub port: u16,
    pub http: u16,
    arguments: Vec<String>,
    data: tempfile::TempDir,
}

impl Server {
    /// Starts a node with one replica a shard.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more flags.
    pub fn start_with(flags: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let [port, rpc, http] = free_ports();
        let mut arguments = vec![
            "server".to_owned(),
            format!("--data-dir={}", data.path().join("data").display()),
            format!("--rpc-address=127.0.0.1:{rpc}"),
            format!("--http-address=127.0.0.1:{http}"),
            "--log-level=warn".to_owned(),
        ];
        if !flags.iter().any(|flag| flag.starts_with("--port=")) {
            arguments.push(format!("--port={port}"));
        }
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let child = spawn(&arguments);
        let server = Self { child, port, http, arguments, data };
        server.wait_until_ready();
        server
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::new(TcpStream::connect(("127.0.0.1", self.port)).expect("the node listens"))
    }

    /// Status line and body of an HTTP GET.
    pub fn get(&self, path: &str) -> (u16, String) {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.http)) else { return (0, String::new()) };
        stream.set_read_timeout(Some(REPLY_MAX)).expect("a timeout");
        let request = format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, body.to_owned())
    }

    /// SIGTERM, then its exit status and how long it took.
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        self.signal(Signal::TERM);
        (self.child.wait().expect("it was a child"), began.elapsed())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("it was a child");
    }

    /// Starts the node again on its data.
    pub fn restart(&mut self) {
        self.child = spawn(&self.arguments);
        self.wait_until_ready();
    }

    /// Waits until it ends by itself.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        self.child.wait().expect("it was a child")
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a child has an id");
        kill_process(pid, signal).expect("the child was not reaped");
    }

    fn wait_until_ready(&self) {
        let began = Instant::now();
        while self.get("/readyz").0 != 200 {
            assert!(began.elapsed() < READY_MAX, "the node in {} is not ready", self.data.path().display());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(arguments: &[String]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_rivermark"))
        .args(arguments)
        .env_remove("RIVERMARK_PORT")
        .stdin(Stdio::null())
        .spawn()
        .expect("the binary was built")
}

/// Ports that nothing listens on, and that neither the kernel nor another test of this process hands out:
/// below the range connections are made from, each once.
pub fn free_ports<const N: usize>() -> [u16; N] {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    [(); N].map(|()| {
        loop {
            let number =
                std::process::id().wrapping_mul(61).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
            let port = 12_000 + (number % 20_000) as u16;
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    })
}

/// A connection that sends lines and checks replies byte by byte.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(REPLY_MAX)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self { stream }
    }

    /// Sends inline commands, one a line.
    pub fn send(&mut self, lines: &str) {
        let text: String = lines.lines().map(|line| format!("{}\r\n", line.trim())).collect();
        self.stream.write_all(text.as_bytes()).expect("sent");
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("sent");
    }

    /// Checks that exactly this comes next. Blanks stand for line ends.
    pub fn expect(&mut self, expected: &str) {
        let wanted: String = expected.split_ascii_whitespace().map(|word| format!("{word}\r\n")).collect();
        self.expect_raw(&wanted);
    }

    /// Checks that exactly these bytes come next.
    pub fn expect_raw(&mut self, wanted: &str) {
        let mut got = vec![0; wanted.len()];
        let mut read = 0;
        while read < got.len() {
            match self.stream.read(&mut got[read..]) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) => {
                    panic!("{error} after {:?}, wanted {wanted:?}", String::from_utf8_lossy(&got[..read]))
                }
            }
            let so_far = String::from_utf8_lossy(&got[..read]);
            assert!(wanted.as_bytes().starts_with(&got[..read]), "got {so_far:?}, wanted {wanted:?}");
        }
        assert_eq!(String::from_utf8_lossy(&got[..read]), wanted);
    }

    /// Sends one inline command and checks its reply.
    pub fn check(&mut self, command: &str, expected: &str) {
        self.send(command);
        self.expect(expected);
    }

    /// Sends one inline command and checks a one-line reply with blanks.
    pub fn check_line(&mut self, command: &str, line: &str) {
        self.send(command);
        self.expect_raw(&format!("{line}\r\n"));
    }

    /// Everything until the other side closes.
    pub fn read_to_end(&mut self) -> String {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).expect("closed in order");
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// One line, without its end.
    pub fn line(&mut self) -> String {
        self.until(b"\r\n")
    }

    /// One line of a text, without its end.
    pub fn text_line(&mut self) -> String {
        self.until(b"\n")
    }

    fn until(&mut self, end: &[u8]) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(end) {
            self.stream.read_exact(&mut byte).expect("a line");
            line.push(byte[0]);
        }
        line.truncate(line.len() - end.len());
        String::from_utf8_lossy(&line).into_owned()
    }

    /// The connection's number.
    pub fn id(&mut self) -> u64 {
        self.send("CLIENT ID");
        self.line().trim_start_matches(':').parse().expect("a number")
    }

    /// Waits until so many connections are blocked.
    pub fn wait_for_blocked(&mut self, count: usize) {
        let began = Instant::now();
        loop {
            self.send("INFO clients");
            let header = self.line();
            let length: usize = header.trim_start_matches('$').parse().expect("a length");
            let mut text = vec![0; length + 2];
            self.stream.read_exact(&mut text).expect("the text");
            if String::from_utf8_lossy(&text).contains(&format!("blocked_clients:{count}\r\n")) {
                return;
            }
            assert!(began.elapsed() < REPLY_MAX, "not {count} blocked clients");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
