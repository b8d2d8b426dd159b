//! Replicas of a shard that applied the same log hold the same machine.
//!
//! Digests are compared at equal applied indexes. A replica that was asked at another index than the
//! rest of its shard is no violation and no proof either: it is reported as undecided.

use std::collections::BTreeMap;

use crate::evidence::Evidence;
use crate::observation::ReplicaDigest;
use crate::violation::{Findings, Invariant, Violation};

/// Checks every shard that was observed.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    let replicas = evidence.observation().map_or(&[][..], |observation| &observation.replicas);
    let mut shards: BTreeMap<u32, BTreeMap<u64, Vec<&ReplicaDigest>>> = BTreeMap::new();
    for replica in replicas {
        shards.entry(replica.shard).or_default().entry(replica.applied).or_default().push(replica);
    }
    for (shard, by_applied) in shards {
        for (applied, group) in &by_applied {
            if group.windows(2).all(|pair| pair[0].digest == pair[1].digest) {
                continue;
            }
            let each: Vec<String> =
                group.iter().map(|replica| format!("node {} {}", replica.node, replica.digest)).collect();
            let message = format!("shard {shard} at log entry {applied}: {}", each.join(", "));
            findings.violations.push(Violation::new(Invariant::ReplicasAgree, &[], message));
        }
        if by_applied.len() > 1 {
            let applied: Vec<String> = by_applied.keys().map(u64::to_string).collect();
            let why = format!("shard {shard}: replicas were asked at log entries {}", applied.join(", "));
            findings.undecided.push(why);
        }
    }
    findings
}
