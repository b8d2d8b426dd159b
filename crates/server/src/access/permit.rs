//! A request that waits and is tried again: each attempt is judged by the rights its user has then.

use std::sync::Arc;

use rivermark_protocol::commands::CommandSpec;
use rivermark_protocol::{ReplyError, Request};

use super::accounts::Account;
use super::log::Context;
use crate::clients::Client;
use crate::execute::authorise::authorise;
use crate::node::Node;

/// What was allowed when it was dispatched.
#[derive(Debug)]
pub struct Permit {
    account: Arc<Account>,
    spec: &'static CommandSpec,
    request: Request,
}

impl Permit {
    /// Of a request that was just authorised.
    pub fn new(account: &Arc<Account>, spec: &'static CommandSpec, request: &Request) -> Self {
        Self { account: Arc::clone(account), spec, request: request.clone() }
    }

    /// Whether it still is.
    ///
    /// # Errors
    /// The user has lost the right, or is no more.
    pub fn renew(&self, node: &Node, client: &Client) -> Result<(), ReplyError> {
        let accounts = node.access.accounts(&node.topology());
        let account = accounts.present(&self.account).ok_or(ReplyError::AuthenticationRequired)?;
        authorise(node, client, account, self.spec, &self.request, Context::TopLevel)
    }
}
