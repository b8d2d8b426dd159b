//! The developer's commands. `cargo xtask test` is all that continuous integration runs.

mod bench;
mod chaos;
mod image;
mod plan;
mod prerequisites;
mod servers;
mod soak;
mod test;
mod workspace;

use clap::{Parser, Subcommand};

/// Rivermark's developer commands.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Format, lint, unit tests, differential, cluster and client tests; installs what they need.
    Test(test::TestArguments),
    /// Rivermark beside redis-server with `appendfsync always`, in one run.
    Bench(bench::BenchArguments),
    /// A container image of the statically linked binary.
    Image(image::ImageArguments),
    /// Five million small XADDs, trimmed: memory and disk stay bounded.
    Soak(soak::SoakArguments),
    /// Faults on real processes under load, judged by the oracle: docs/consistency.md.
    Chaos(chaos::ChaosArguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Test(arguments) => test::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Image(arguments) => image::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Chaos(arguments) => chaos::run(&arguments),
    }
}
