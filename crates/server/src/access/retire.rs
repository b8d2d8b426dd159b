//! Ends the connections of users that were deleted, idle ones too.

use std::sync::Arc;

use crate::node::Node;

/// Does so until the node stops.
pub async fn retire_connections_of_deleted_users(node: Arc<Node>) {
    let mut topology = node.watch_topology();
    let mut version = 0;
    loop {
        let users = Arc::clone(topology.borrow_and_update().users());
        if users.version() > version {
            version = users.version();
            let accounts = node.access.accounts(&node.topology());
            for client in node.clients.all() {
                if accounts.present(&client.account()).is_none() {
                    client.retire();
                }
            }
        }
        tokio::select! {
            changed = topology.changed() => if changed.is_err() { return },
            () = node.stopping.cancelled() => return,
        }
    }
}
