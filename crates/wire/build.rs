//! Compiles `proto/` without protoc: protox parses, tonic-prost-build generates.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let files = protox::compile(["raft/v1/raft.proto", "peer/v1/peer.proto"], [&root])?;
    // Payloads stay slices of the received buffer.
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
