//! LATENCY: what the latency monitor and the counters of commands know.

use std::fmt::Write;

use bytes::Bytes;
use rivermark_protocol::commands::parsed::LatencyCommand;
use rivermark_protocol::commands::table;
use rivermark_protocol::{Frame, ReplyError};

use crate::clock::unix_time;
use crate::latency::{LatencyEvent, Sample, Series};
use crate::node::Node;
use crate::stats::CommandStats;

/// Samples a graph shows, one a column.
const GRAPH_COLUMNS: usize = 80;
const GRAPH_ROWS: usize = 4;

/// Runs a subcommand.
///
/// # Errors
/// A graph of an event of which nothing is known.
pub fn execute(node: &Node, command: LatencyCommand) -> Result<Frame, ReplyError> {
    Ok(match command {
        LatencyCommand::Latest => Frame::Array(known(node).into_iter().map(latest).collect()),
        LatencyCommand::History(event) => {
            let series = LatencyEvent::from_name(&event).map(|event| node.latency.of(event));
            let samples = series.unwrap_or_default().samples;
            Frame::Array(samples.into_iter().map(|sample| integers([sample.unix_s, sample.ms])).collect())
        }
        LatencyCommand::Graph(event) => {
            let known = LatencyEvent::from_name(&event).map(|known| (known, node.latency.of(known)));
            match known.filter(|(_, series)| !series.samples.is_empty()) {
                Some((known, series)) => Frame::Verbatim(Bytes::from(graph(known, &series, unix_time().0))),
                None => return Err(ReplyError::NoLatencySamples(event)),
            }
        }
        LatencyCommand::Reset(events) => {
            let asked = |event: &LatencyEvent| {
                events.is_empty() || events.iter().any(|name| LatencyEvent::from_name(name) == Some(*event))
            };
            let reset =
                LatencyEvent::ALL.into_iter().filter(asked).filter(|event| node.latency.reset(*event));
            Frame::Integer(reset.count() as i64)
        }
        LatencyCommand::Doctor => Frame::Verbatim(Bytes::from(doctor(node))),
        LatencyCommand::Histogram(names) => histogram(node, &names),
    })
}

fn known(node: &Node) -> Vec<(LatencyEvent, Series)> {
    let all = LatencyEvent::ALL.into_iter().map(|event| (event, node.latency.of(event)));
    all.filter(|(_, series)| !series.samples.is_empty()).collect()
}

fn integers<const N: usize>(numbers: [u64; N]) -> Frame {
    Frame::Array(numbers.map(|number| Frame::Integer(number.cast_signed())).into())
}

fn latest((event, series): (LatencyEvent, Series)) -> Frame {
    let last = series.samples.back().copied().unwrap_or(Sample { unix_s: 0, ms: 0 });
    let numbers = [last.unix_s, last.ms, series.max_ms].map(|number| Frame::Integer(number.cast_signed()));
    Frame::Array(std::iter::once(Frame::literal(event.name())).chain(numbers).collect())
}

/// Commands that were called, of those asked for; a container stands for its subcommands.
fn histogram(node: &Node, names: &[Bytes]) -> Frame {
    let mut told: Vec<(&'static str, &CommandStats)> = Vec::new();
    if names.is_empty() {
        told = node.stats.called();
    }
    for spec in names.iter().filter_map(|name| table::find_full(name)) {
        for spec in std::iter::once(spec).chain(spec.subcommands) {
            told.extend(node.stats.of(spec.name).map(|stats| (spec.name, stats)));
        }
    }
    let fields = told.into_iter().filter_map(|(name, stats)| {
        let durations = stats.durations().filter(|_| stats.calls.get() > 0)?.by_power_of_two();
        let calls = durations.last().map_or(0, |(_, calls)| *calls);
        let pair = |(bound, calls): (u64, u64)| {
            (Frame::Integer(bound.cast_signed()), Frame::Integer(calls.cast_signed()))
        };
        let durations = Frame::Map(durations.into_iter().map(pair).collect());
        let value =
            Frame::fields([("calls", Frame::Integer(calls.cast_signed())), ("histogram_usec", durations)]);
        Some((Frame::literal(name), value))
    });
    Frame::Map(fields.collect())
}

/// Columns of the latest samples, oldest first, each as high as its sample is between the least and the greatest, with
/// its age written below.
fn graph(event: LatencyEvent, series: &Series, now_s: u64) -> String {
    let skipped = series.samples.len().saturating_sub(GRAPH_COLUMNS);
    let samples: Vec<Sample> = series.samples.iter().skip(skipped).copied().collect();
    let high = samples.iter().map(|sample| sample.ms).max().unwrap_or(0);
    let low = samples.iter().map(|sample| sample.ms).min().unwrap_or(0);
    let mut text = format!(
        "{} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        event.name(),
        series.max_ms,
        "-".repeat(GRAPH_COLUMNS)
    );
    // Three steps a row.
    let steps = (GRAPH_ROWS * 3) as u64;
    let height = |sample: &Sample| (sample.ms - low) * (steps - 1) / (high - low).max(1);
    for row in (0..GRAPH_ROWS as u64).rev() {
        let cell = |sample: &Sample| match height(sample).checked_sub(row * 3) {
            None => ' ',
            Some(0) => '_',
            Some(1) => 'o',
            Some(2) => '#',
            Some(_) => '|',
        };
        let line: String = samples.iter().map(cell).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
    let ages: Vec<Vec<char>> =
        samples.iter().map(|sample| age(now_s.saturating_sub(sample.unix_s)).chars().collect()).collect();
    for row in 0..ages.iter().map(Vec::len).max().unwrap_or(0) {
        let line: String = ages.iter().map(|age| age.get(row).copied().unwrap_or(' ')).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn doctor(node: &Node) -> String {
    let known = known(node);
    if node.tunables.latency_threshold().is_none() && known.is_empty() {
        return "The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> switches it on.\n"
            .to_owned();
    }
    if known.is_empty() {
        return "No event was slower than latency-monitor-threshold.\n".to_owned();
    }
    let mut text = "Events slower than latency-monitor-threshold on this node:\n\n".to_owned();
    for (number, (event, series)) in known.iter().enumerate() {
        let count = series.samples.len() as u64;
        let average = series.samples.iter().map(|sample| sample.ms).sum::<u64>() / count.max(1);
        let _ = writeln!(
            text,
            "{}. {}: in {count} seconds, {average} ms on average, {} ms at most. {}",
            number + 1,
            event.name(),
            series.max_ms,
            advice(*event)
        );
    }
    text
}

fn advice(event: LatencyEvent) -> &'static str {
    match event {
        LatencyEvent::Command => "SLOWLOG GET shows which commands; large ranges and KEYS take their time.",
        LatencyEvent::FastCommand => {
            "Writes wait for the disks of a quorum and reads for its word: compare log-sync and raft-commit."
        }
        LatencyEvent::LogSync => "The disk of this node is slow to sync, or shared with others.",
        LatencyEvent::RaftCommit => {
            "A quorum answered late: if log-sync is short here, look at the other nodes' disks and the network."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_has_a_column_a_sample() {
        let samples = [(0, 1), (3600, 6), (7190, 12)].map(|(unix_s, ms)| Sample { unix_s, ms });
        let series = Series { samples: samples.into(), max_ms: 40 };
        let text = graph(LatencyEvent::LogSync, &series, 7200);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "log-sync - high 12 ms, low 1 ms (all time high 40 ms)");
        assert_eq!(lines[2..], ["  #", "  |", " #|", "_||", "", "211", "hh0", "  s"]);
    }

    #[test]
    fn a_graph_shows_the_latest_only() {
        let samples = (0..100).map(|unix_s| Sample { unix_s, ms: 5 }).collect();
        let text = graph(LatencyEvent::Command, &Series { samples, max_ms: 5 }, 100);
        assert!(text.lines().skip(2).all(|line| line.len() <= GRAPH_COLUMNS), "{text}");
        assert!(text.contains("high 5 ms, low 5 ms"));
    }
}
