//! Chaos: a real cluster, real clients, real faults, and the oracle's verdict.
//!
//! `cargo xtask chaos` builds the server and runs this; docs/consistency.md says what it covers.

mod client;
mod commands;
mod nemesis;
mod observation;
mod recorder;
mod report;
mod verdict;
mod workload;

use std::fs;
use std::io::BufWriter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use rivermark_oracle::Observation;
use rivermark_oracle::observation::Healed;
use rivermark_tests::Cluster;

use crate::client::{Client, REPLY_TIMEOUT};
use crate::nemesis::Nemesis;
use crate::recorder::Recorder;
use crate::report::RunReport;
use crate::workload::{STREAMS, Workload};

const NODES: u16 = 3;
const SHARDS: u16 = 3;
/// Clients go on this long after the last repair, to see that all is answered again.
const CALM: Duration = Duration::from_secs(5);
/// Work whose client has given up may still arrive.
const SETTLE: Duration = Duration::from_secs(2);

/// Injects faults into a cluster under load and judges what its clients saw.
#[derive(Parser)]
struct Arguments {
    /// How long faults are injected.
    #[arg(long)]
    minutes: f64,
    /// Decides which faults and operations there are; random if none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// Where a folder named after the seed takes the history, the report and the nodes' logs.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let faults_for = Duration::try_from_secs_f64(arguments.minutes * 60.0).context("--minutes")?;
    let seed = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let folder = arguments.out.join(seed.to_string());
    // What an earlier run of the seed left would pass for this one's.
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    println!("seed {seed}, {NODES} nodes, {SHARDS} shards, {:.0} s of faults", faults_for.as_secs_f64());
    let report = run(seed, faults_for, &folder)?;
    serde_json::to_writer_pretty(BufWriter::new(fs::File::create(folder.join("report.json"))?), &report)?;
    println!("{report}\n{}", folder.display());
    Ok(if report.judgement.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(seed: u64, faults_for: Duration, folder: &Path) -> Result<RunReport> {
    let recorder = Arc::new(Recorder::create(&folder.join("history.jsonl"))?);
    let mut cluster = Cluster::start(NODES, SHARDS);
    let ports: Arc<[u16]> = (0..NODES).map(|node| cluster.port(node)).collect();
    let mut operator = Client::new(Arc::clone(&recorder), Arc::clone(&ports), 0);
    workload::prepare(&cluster, &mut operator)?;
    let clients = Workload::start(&recorder, &ports, seed);
    let mut nemesis = Nemesis::new(seed, NODES, SHARDS);
    let mut findings = Vec::new();
    let deadline = Instant::now() + faults_for;
    // The harness panics when a node does not come back; that is a finding, and the history still counts.
    let came_back = catch_unwind(AssertUnwindSafe(|| nemesis.run(&mut cluster, &recorder, deadline))).is_ok();
    let healed_ns = nemesis.faults().last().map_or(0, |fault| fault.healed_ns);
    if came_back {
        sleep(CALM);
    } else {
        findings.push("a node or the cluster did not come back after a fault".to_owned());
    }
    let (unsent, panicked) = clients.finish();
    if panicked > 0 {
        findings.push(format!("{panicked} clients panicked"));
    }
    let mut observation = None;
    if came_back {
        let (end, found) = end(&cluster, &mut operator, healed_ns);
        observation = end;
        findings.extend(found);
    }
    keep_logs(&cluster, folder)?;
    drop(cluster);
    let history = recorder.take()?;
    if let Some(observation) = &observation {
        serde_json::to_writer(
            BufWriter::new(fs::File::create(folder.join("observation.json"))?),
            observation,
        )?;
    }
    println!("judging {} events", history.events.len());
    let judgement = verdict::judge(&history, observation.as_ref(), findings)?;
    Ok(RunReport::new(seed, &history, nemesis.faults(), unsent, judgement)?)
}

/// Drains the groups and reads the end; what went wrong with that.
fn end(cluster: &Cluster, operator: &mut Client, at_ns: u64) -> (Option<Observation>, Vec<String>) {
    sleep(SETTLE);
    // Its connection is of the time before the faults.
    operator.go_home();
    let mut findings = Vec::new();
    for key in STREAMS {
        match workload::drain(operator, key) {
            Ok(drained) => println!("drained {drained} entries of {key}"),
            Err(error) => findings.push(format!("{error:#}")),
        }
    }
    if !findings.is_empty() {
        return (None, findings);
    }
    let budget_ns = u64::try_from(REPLY_TIMEOUT.as_nanos()).expect("seconds");
    match observation::observe(cluster, NODES) {
        Ok((mut observation, differences)) => {
            observation.healed = Some(Healed { at_ns, budget_ns });
            (Some(observation), differences)
        }
        Err(error) => (None, vec![format!("reading the end: {error:#}")]),
    }
}

/// Copies what the nodes logged.
fn keep_logs(cluster: &Cluster, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(cluster.data())? {
        let path = entry?.path();
        if let (Some("log"), Some(name)) = (path.extension().and_then(|e| e.to_str()), path.file_name()) {
            fs::copy(&path, folder.join(name))?;
        }
    }
    Ok(())
}
