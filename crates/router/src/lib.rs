//! Pure routing: keys and topology in, route or redirect out.
//!
//! **Pure.** Which shard leads where and which nodes answer is observed elsewhere and arrives as an
//! argument ([`Observation`]); nothing here remembers anything.
//!
//! [`route`] says which shards a request concerns, [`redirect`] whether a client should go elsewhere (only
//! if the setting `cluster-redirects` says so: by default any node answers for any key),
//! [`cluster_view`] what CLUSTER SLOTS, SHARDS, NODES and INFO tell clients that find leaders themselves.

pub mod cluster_view;
pub mod node_name;
pub mod observation;
pub mod redirect;
pub mod route;
pub mod transport;

pub use node_name::NodeName;
pub use observation::Observation;
pub use redirect::Redirect;
pub use route::{Route, RouteError, ShardKeys};
pub use transport::Transport;
