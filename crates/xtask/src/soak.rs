//! `cargo xtask soak`: memory is bounded by data, disk by data and a bounded log.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::servers::{RIVERMARK_PORT, release_binary, start_rivermark};
use crate::workspace::target_directory;

/// How much to write.
#[derive(Args)]
pub struct SoakArguments {
    /// XADDs in all.
    #[arg(long, default_value_t = 5_000_000)]
    entries: u64,
    /// Each stream is trimmed to this length, exactly.
    #[arg(long, default_value_t = 10_000)]
    maxlen: u64,
    /// Streams the entries are spread over.
    #[arg(long, default_value_t = 4)]
    streams: u64,
}

const PIPELINE: u64 = 500;
/// What a node may take beyond its data: the program, buffers, the log's cache of recent entries.
const RESIDENT_MIB_MAX: u64 = 512;
/// Log segments kept for followers and in stock, and two snapshots.
const DISK_MIB_MAX: u64 = 1024;

/// Writes small entries to a three-node cluster and watches each node's memory and disk.
///
/// # Errors
/// If a bound is exceeded or an entry is refused.
pub fn run(arguments: &SoakArguments) -> Result<()> {
    let binary = release_binary()?;
    let data = target_directory().join("soak-data");
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    let cluster = start_rivermark(&binary, &data, 3)?;
    let mut connection = BufReader::new(TcpStream::connect(("127.0.0.1", RIVERMARK_PORT))?);
    let (mut written, mut reported) = (0, 0);
    let (mut resident_max, mut disk_max) = (0, 0);
    let start = Instant::now();
    while written < arguments.entries {
        let count = PIPELINE.min(arguments.entries - written);
        write_some(&mut connection, written, count, arguments)?;
        written += count;
        if written - reported >= arguments.entries / 20 || written == arguments.entries {
            reported = written;
            let resident =
                cluster.node_pids.iter().map(|pid| resident_mib(*pid)).collect::<Result<Vec<_>>>()?;
            let disk = (1..=3)
                .map(|node| disk_mib(&data.join(format!("node-{node}"))))
                .collect::<Result<Vec<_>>>()?;
            let rate = written as f64 / start.elapsed().as_secs_f64();
            println!("{written:>9} entries  {rate:>8.0}/s  resident MiB {resident:?}  disk MiB {disk:?}");
            resident_max = resident_max.max(resident.into_iter().max().unwrap_or_default());
            disk_max = disk_max.max(disk.into_iter().max().unwrap_or_default());
        }
    }
    ensure!(resident_max <= RESIDENT_MIB_MAX, "a node took {resident_max} MiB of memory");
    ensure!(disk_max <= DISK_MIB_MAX, "a node took {disk_max} MiB of disk");
    println!("bounded: at most {resident_max} MiB of memory and {disk_max} MiB of disk a node");
    Ok(())
}

fn write_some(
    connection: &mut BufReader<TcpStream>,
    first: u64,
    count: u64,
    arguments: &SoakArguments,
) -> Result<()> {
    let mut request = Vec::new();
    let maxlen = arguments.maxlen.to_string();
    for number in first..first + count {
        let key = format!("soak:{}", number % arguments.streams.max(1));
        let value = number.to_string();
        let words = ["XADD", &key, "MAXLEN", "=", &maxlen, "*", "n", &value];
        write!(request, "*{}\r\n", words.len())?;
        for word in words {
            write!(request, "${}\r\n{word}\r\n", word.len())?;
        }
    }
    connection.get_mut().write_all(&request)?;
    let mut line = String::new();
    for _ in 0..count {
        line.clear();
        connection.read_line(&mut line)?;
        let length: usize = match line.strip_prefix('$').map(|text| text.trim().parse()) {
            Some(Ok(length)) => length,
            _ => bail!("an XADD was answered {line:?}"),
        };
        let mut id = vec![0; length + 2];
        connection.read_exact(&mut id)?;
    }
    Ok(())
}

fn resident_mib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line =
        status.lines().find(|line| line.starts_with("VmRSS:")).context("a running process has a size")?;
    Ok(line.split_whitespace().nth(1).context("the line holds a number")?.parse::<u64>()? / 1024)
}

fn disk_mib(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                // Removed meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(bytes / (1024 * 1024))
}
