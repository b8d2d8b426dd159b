//! Figures as a table and as JSON.

use anyhow::Result;
use comfy_table::{CellAlignment, Table};
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::arguments::{BenchArguments, Shape};
use crate::workload::Measurement;

/// All measurements of a target at a shape.
pub struct Row {
    name: String,
    shape: Shape,
    rates: Vec<f64>,
    errors: u64,
    latency_us: Histogram<u64>,
}

impl Row {
    /// No measurement yet.
    pub fn new(name: &str, shape: Shape) -> Self {
        let latency_us = Histogram::new(3).expect("three significant digits are supported");
        Self { name: name.to_owned(), shape, rates: Vec::new(), errors: 0, latency_us }
    }

    /// Adds one.
    ///
    /// # Errors
    /// If a latency exceeds what histograms hold.
    pub fn add(&mut self, measurement: Measurement) -> Result<()> {
        self.rates.push(measurement.rate());
        self.errors += measurement.errors;
        self.latency_us.add(&measurement.latency_us)?;
        Ok(())
    }

    fn median_rate(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    }
}

/// Prints a row a target and shape, with the ratio of the last target's median to each other's.
pub fn print_table(rows: &[Row], arguments: &BenchArguments) {
    let last = arguments.targets.last().map(|target| target.name.as_str()).unwrap_or_default();
    let ratio = format!("{last} is × of it");
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["shape", "target", "ops/s median", "min", "max", "p50 ms", "p99 ms", "errors", &ratio]);
    for row in rows {
        let of_last = rows.iter().find(|other| other.name == last && other.shape == row.shape);
        let (min, max) =
            row.rates.iter().fold((f64::MAX, 0f64), |(min, max), rate| (min.min(*rate), max.max(*rate)));
        let ms = |quantile| format!("{:.2}", row.latency_us.value_at_quantile(quantile) as f64 / 1000.0);
        table.add_row([
            row.shape.to_string(),
            row.name.clone(),
            format!("{:.0}", row.median_rate()),
            format!("{min:.0}"),
            format!("{max:.0}"),
            ms(0.5),
            ms(0.99),
            row.errors.to_string(),
            of_last.map(|o| format!("{:.2}", o.median_rate() / row.median_rate())).unwrap_or_default(),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    println!(
        "XADD, {} B values, {} streams, {} rounds of {} s; a pipeline's latency runs from its sending to its last reply",
        arguments.payload_bytes, arguments.streams, arguments.rounds, arguments.seconds
    );
}

#[derive(Serialize)]
struct Line<'a> {
    target: &'a str,
    connections: usize,
    pipeline: usize,
    ops_per_second: f64,
    errors: u64,
    p50_us: u64,
    p99_us: u64,
    max_us: u64,
}

/// Prints one measurement as a line of JSON.
///
/// # Errors
/// If it cannot be encoded.
pub fn print_json(target: &str, shape: Shape, measurement: &Measurement) -> Result<()> {
    let latency = &measurement.latency_us;
    let line = Line {
        target,
        connections: shape.connections,
        pipeline: shape.pipeline,
        ops_per_second: measurement.rate(),
        errors: measurement.errors,
        p50_us: latency.value_at_quantile(0.5),
        p99_us: latency.value_at_quantile(0.99),
        max_us: latency.max(),
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}
