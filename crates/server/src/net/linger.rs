//! Ends a connection so that the client sees the last reply.
//!
//! Closing a socket with unread input sends a reset, and a reset may destroy replies the client has not read
//! yet. So the sending side is closed first, and input is thrown away until the client closes or is too slow.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

const LINGER: Duration = Duration::from_secs(1);
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Closes the connection for sending and discards input for a bounded time.
pub async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let drain = async {
        let mut discarded = 0;
        let mut buffer = vec![0; 16 * 1024];
        while discarded < DISCARDED_BYTES_MAX && stream.readable().await.is_ok() {
            match stream.try_read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => discarded += read,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
    };
    // A client that neither closes nor reads has had its chance.
    let _ = timeout(LINGER, drain).await;
}
