//! XADD from many connections, closed loop: each connection sends its pipeline, waits for every reply,
//! and sends the next.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::{Buf, BytesMut};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::arguments::{BenchArguments, Shape, Target};
use crate::reply::{Front, front};

/// What one measurement found.
pub struct Measurement {
    /// Commands acknowledged in the measured time.
    pub commands: u64,
    /// Error replies in it.
    pub errors: u64,
    /// The measured time.
    pub took: Duration,
    /// Microseconds from sending a pipeline to its last reply.
    pub latency_us: Histogram<u64>,
}

impl Measurement {
    /// Commands a second.
    pub fn rate(&self) -> f64 {
        self.commands as f64 / self.took.as_secs_f64()
    }
}

/// Measures one target at one shape.
///
/// # Errors
/// If the target cannot be reached or breaks a connection.
pub async fn measure(target: &Target, shape: Shape, arguments: &BenchArguments) -> Result<Measurement> {
    let start = Instant::now() + arguments.warm_up();
    let end = start + arguments.measured();
    let mut connections = JoinSet::new();
    for number in 0..shape.connections {
        let address = target.addresses[number % target.addresses.len()].clone();
        let request = request(number, shape, arguments);
        let pipeline = shape.pipeline;
        connections.spawn(async move { drive(&address, &request, pipeline, start, end).await });
    }
    let mut total =
        Measurement { commands: 0, errors: 0, took: arguments.measured(), latency_us: Histogram::new(3)? };
    while let Some(result) = connections.join_next().await {
        let part = result?.with_context(|| format!("measuring {}", target.name))?;
        total.commands += part.commands;
        total.errors += part.errors;
        total.latency_us.add(&part.latency_us)?;
    }
    Ok(total)
}

/// The bytes of one pipeline; each connection writes to streams of its own choice in turn.
fn request(connection: usize, shape: Shape, arguments: &BenchArguments) -> Vec<u8> {
    let value = "x".repeat(arguments.payload_bytes);
    let mut bytes = Vec::new();
    for position in 0..shape.pipeline {
        let key = format!("bench:{}", (connection + position) % arguments.streams.max(1));
        let maxlen = arguments.maxlen.to_string();
        let words = ["XADD", &key, "MAXLEN", "~", &maxlen, "*", "f", &value];
        bytes.extend(format!("*{}\r\n", words.len()).bytes());
        for word in words {
            bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
        }
    }
    bytes
}

async fn drive(
    address: &str,
    request: &[u8],
    pipeline: usize,
    start: Instant,
    end: Instant,
) -> Result<Measurement> {
    let mut socket = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    socket.set_nodelay(true)?;
    let mut found = Measurement { commands: 0, errors: 0, took: end - start, latency_us: Histogram::new(3)? };
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    loop {
        let sent = Instant::now();
        if sent >= end {
            return Ok(found);
        }
        socket.write_all(request).await?;
        let errors = replies(&mut socket, &mut buffer, pipeline).await?;
        let done = Instant::now();
        if sent >= start && done <= end {
            found.commands += pipeline as u64;
            found.errors += errors;
            found.latency_us.record((done - sent).as_micros() as u64)?;
        }
    }
}

/// Reads `count` replies; how many were errors.
async fn replies(socket: &mut TcpStream, buffer: &mut BytesMut, count: usize) -> Result<u64> {
    let (mut left, mut errors) = (count, 0);
    while left > 0 {
        match front(buffer) {
            Front::Reply(length) => {
                buffer.advance(length);
                left -= 1;
            }
            Front::Error(length) => {
                buffer.advance(length);
                errors += 1;
                left -= 1;
            }
            Front::Incomplete => {
                if socket.read_buf(buffer).await? == 0 {
                    bail!("the server closed the connection");
                }
            }
        }
    }
    Ok(errors)
}
