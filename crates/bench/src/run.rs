//! Rounds: every target once a round, so that drift hits all alike.

use anyhow::Result;

use crate::arguments::BenchArguments;
use crate::report::{Row, print_json, print_table};
use crate::workload::measure;

/// Measures and prints.
///
/// # Errors
/// If a target cannot be measured.
pub async fn run(arguments: &BenchArguments) -> Result<()> {
    let mut rows = Vec::new();
    for shape in &arguments.shapes {
        let mut of_shape: Vec<Row> =
            arguments.targets.iter().map(|target| Row::new(&target.name, *shape)).collect();
        for _ in 0..arguments.rounds.max(1) {
            for (target, row) in arguments.targets.iter().zip(&mut of_shape) {
                let measurement = measure(target, *shape, arguments).await?;
                if arguments.json {
                    print_json(&target.name, *shape, &measurement)?;
                }
                row.add(measurement)?;
            }
        }
        rows.extend(of_shape);
    }
    if !arguments.json {
        print_table(&rows, arguments);
    }
    Ok(())
}
