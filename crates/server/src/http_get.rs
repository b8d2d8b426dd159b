//! One HTTP GET, for status and readiness of nodes.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Asks `address` (host:port) for `path`, within `deadline`.
///
/// # Errors
/// When the node cannot be reached, is late, or does not speak HTTP.
pub async fn http_get(address: &str, path: &str, deadline: Duration) -> anyhow::Result<(StatusCode, Bytes)> {
    tokio::time::timeout(deadline, get(address, path))
        .await
        .with_context(|| format!("http://{address}{path}: no answer within {} ms", deadline.as_millis()))?
        .with_context(|| format!("http://{address}{path}"))
}

async fn get(address: &str, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path).header(HOST, address).body(Empty::<Bytes>::new())?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), RESPONSE_BYTES_MAX).collect().await;
        Ok((status, body.map_err(|error| anyhow::anyhow!(error))?.to_bytes()))
    };
    // The connection makes progress only while polled; the exchange ends first.
    tokio::select! {
        answer = exchange => answer,
        closed = connection => match closed {
            Ok(()) => anyhow::bail!("closed before it answered"),
            Err(error) => Err(error.into()),
        },
    }
}
