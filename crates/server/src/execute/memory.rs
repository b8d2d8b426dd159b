//! MEMORY STATS and DOCTOR: this node's memory, as far as it is measured.

use bytes::Bytes;
use rivermark_protocol::Frame;
use rivermark_protocol::commands::parsed::MemoryCommand;

use crate::node::Node;
use crate::process;

/// Below this much resident memory there is nothing to remark.
const REMARKABLE_BYTES: u64 = 5 * 1024 * 1024;
/// Clients' buffers, on average, beyond which DOCTOR speaks of them; as the reference.
const CLIENT_BYTES_REMARKABLE: u64 = 200 * 1024;
/// How much of the machine's memory the node may take before DOCTOR speaks of it, in percent.
const SYSTEM_PERCENT_REMARKABLE: u64 = 85;

/// Runs a subcommand.
pub fn execute(node: &Node, command: MemoryCommand) -> Frame {
    match command {
        MemoryCommand::Stats => stats(node),
        MemoryCommand::Doctor => Frame::Verbatim(Bytes::from(doctor(&Figures::of(node)))),
    }
}

struct Figures {
    resident: u64,
    peak: u64,
    system: u64,
    clients: u64,
    client_bytes: u64,
}

impl Figures {
    fn of(node: &Node) -> Self {
        let clients = node.clients.all();
        Self {
            resident: process::resident_bytes(),
            peak: process::peak_bytes(),
            system: process::system_bytes(),
            clients: clients.len() as u64,
            client_bytes: clients.iter().map(|client| client.memory_bytes() as u64).sum(),
        }
    }
}

fn stats(node: &Node) -> Frame {
    let figures = Figures::of(node);
    let keys: usize = node.raft.statuses().iter().map(|replica| replica.keys).sum();
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    let integer = |value: u64| Frame::Integer(value.cast_signed());
    Frame::fields([
        ("peak.allocated", integer(figures.peak)),
        ("total.allocated", integer(figures.resident)),
        ("clients.normal", integer(figures.client_bytes)),
        ("keys.count", integer(keys as u64)),
        ("peak.percentage", Frame::Double(percent(figures.resident, figures.peak))),
        ("allocator.resident", integer(figures.resident)),
    ])
}

fn doctor(figures: &Figures) -> String {
    if figures.resident < REMARKABLE_BYTES {
        return "This node uses very little memory: there is nothing to look for.\n".to_owned();
    }
    let mut remarks = String::new();
    if figures.peak > figures.resident * 3 / 2 {
        remarks.push_str(
            " * Peak memory: at some time this node took more than 150 % of what it takes now. The allocator \
             gives memory back only in part.\n",
        );
    }
    if figures.system > 0 && figures.resident > figures.system / 100 * SYSTEM_PERCENT_REMARKABLE {
        remarks.push_str(
            " * Machine: this node takes most of the memory of its machine. Streams live in memory: trim \
             them, or move shards to more nodes.\n",
        );
    }
    if figures.clients > 0 && figures.client_bytes / figures.clients > CLIENT_BYTES_REMARKABLE {
        remarks.push_str(
            " * Clients: the buffers of connections take more than 200 KiB each on average. CLIENT LIST shows \
             which (tot-mem), and whether a client does not read its replies (obl).\n",
        );
    }
    if remarks.is_empty() {
        "Nothing remarkable about the memory of this node.\n".to_owned()
    } else {
        format!("About the memory of this node:\n{remarks}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;
    const CALM: Figures =
        Figures { resident: GIB, peak: GIB, system: 4 * GIB, clients: 2, client_bytes: 1000 };

    #[test]
    fn doctor_speaks_of_what_is_remarkable_only() {
        assert!(doctor(&Figures { resident: 1, ..CALM }).contains("very little"));
        assert!(doctor(&CALM).starts_with("Nothing remarkable"));
        for (figures, word) in [
            (Figures { peak: 2 * GIB, ..CALM }, "Peak"),
            (Figures { system: GIB + 1, ..CALM }, "Machine"),
            (Figures { client_bytes: GIB, ..CALM }, "Clients"),
        ] {
            let text = doctor(&figures);
            assert!(text.contains(word) && text.matches(" * ").count() == 1, "{text}");
        }
    }
}
