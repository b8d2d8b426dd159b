//! What to measure, against whom.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

/// Measures XADD on one or more servers in turn and prints throughput, latency and ratios.
///
/// Example: rivermark bench --target redis=127.0.0.1:7000 --target rivermark=127.0.0.1:6379
#[derive(Args, Clone, Debug)]
pub struct BenchArguments {
    /// A server, as name=host:port; several are measured in turn and compared with the last.
    #[arg(long = "target", default_value = "rivermark=127.0.0.1:6379")]
    pub targets: Vec<Target>,
    /// Connections x commands in flight on each.
    #[arg(long = "shape", default_values = ["1x1", "50x1", "50x32"])]
    pub shapes: Vec<Shape>,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Seconds before each measurement that are not counted.
    #[arg(long, default_value_t = 1)]
    pub warm_up_seconds: u64,
    /// Measurements of each target and shape; the median is compared.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Bytes of an entry's value.
    #[arg(long, default_value_t = 100)]
    pub payload_bytes: usize,
    /// Streams the entries are spread over.
    #[arg(long, default_value_t = 16)]
    pub streams: usize,
    /// Trim each stream to about this length, so that a long run does not fill the memory.
    #[arg(long, default_value_t = 100_000)]
    pub maxlen: u64,
    /// Print JSON, one object a measurement.
    #[arg(long)]
    pub json: bool,
}

impl BenchArguments {
    /// How long one measurement counts.
    pub fn measured(&self) -> Duration {
        Duration::from_secs(self.seconds.max(1))
    }

    /// How long it runs before that.
    pub fn warm_up(&self) -> Duration {
        Duration::from_secs(self.warm_up_seconds)
    }
}

/// A server to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What the report calls it.
    pub name: String,
    /// host:port of each of its nodes, separated by commas; connections are spread over them.
    pub addresses: Vec<String>,
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, addresses) = text.split_once('=').context("a target is name=host:port[,host:port]")?;
        let addresses: Vec<String> = addresses.split(',').map(str::to_owned).collect();
        if addresses.iter().any(|address| !address.contains(':')) {
            bail!("a target's address is host:port");
        }
        Ok(Self { name: name.to_owned(), addresses })
    }
}

/// Connections and commands in flight on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Connections.
    pub connections: usize,
    /// Commands sent before replies are awaited.
    pub pipeline: usize,
}

impl FromStr for Shape {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (connections, pipeline) =
            text.split_once('x').context("a shape is CONNECTIONSxPIPELINE, as 50x32")?;
        let shape = Self { connections: connections.parse()?, pipeline: pipeline.parse()? };
        if shape.connections == 0 || shape.pipeline == 0 {
            bail!("a shape has at least one connection and one command");
        }
        Ok(shape)
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.connections, self.pipeline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_targets_parse_or_say_why() {
        assert_eq!("50x32".parse::<Shape>().expect("a shape"), Shape { connections: 50, pipeline: 32 });
        for bad in ["50", "0x1", "1x0", "ax1"] {
            assert!(bad.parse::<Shape>().is_err(), "{bad}");
        }
        let target: Target = "a=h:1,h:2".parse().expect("a target");
        assert_eq!(target.addresses, ["h:1", "h:2"]);
        for bad in ["h:1", "a=h"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
