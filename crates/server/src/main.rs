//! The process edge of a node.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use rivermark_server::args::{Action, Arguments, ClusterAction, ServerArguments};
use rivermark_server::config::Config;
use rivermark_server::{admin, dev, logs, operate, start};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match perform(Arguments::parse().action) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rivermark: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(action: Action) -> anyhow::Result<ExitCode> {
    match action {
        // One thread: the kernel ties children to the thread that started them.
        Action::Dev(arguments) => on_one_thread(dev::run(arguments))?,
        Action::Server(arguments) => serve(&arguments),
        Action::Bench(arguments) => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(rivermark_bench::run(&arguments))?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Doctor(arguments) => {
            let is_sound = on_one_thread(admin::doctor(&arguments))??;
            Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Action::Health(arguments) => {
            on_one_thread(admin::health(&arguments))??;
            Ok(ExitCode::SUCCESS)
        }
        Action::Cluster { action: ClusterAction::Operate(arguments) } => {
            on_one_thread(operate::run(&arguments))??;
            Ok(ExitCode::SUCCESS)
        }
        Action::Cluster { action: ClusterAction::Status(arguments) } => {
            on_one_thread(admin::status(&arguments))??;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn on_one_thread<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}

fn serve(arguments: &ServerArguments) -> anyhow::Result<ExitCode> {
    if let Some(parent) = arguments.parent_pid {
        end_with(parent)?;
    }
    let config = Config::load(arguments.config.as_deref(), arguments)?;
    logs::install(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(start::run(config));
    // Tasks that are left, of connections cut off, must not keep the process.
    runtime.shutdown_background();
    ended.map(|()| ExitCode::SUCCESS)
}

/// Ends this process when its parent ends, however that happens.
fn end_with(parent: i32) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM)).context("asking to end with the parent")?;
    if getppid().map(Pid::as_raw_nonzero).is_none_or(|actual| actual.get() != parent) {
        anyhow::bail!("the process that started this one is gone");
    }
    Ok(())
}
