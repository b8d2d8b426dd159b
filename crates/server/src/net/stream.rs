//! A client's stream, plain or TLS, read and written as far as it goes without waiting.
//!
//! Over TLS nothing decrypted stays behind in a read, so whoever waits for the socket to become readable has
//! seen all there is. Encrypted output may stay behind in a write ([`ClientStream::holds_output`]).

use std::io::{self, BufRead, IoSlice, Read, Write};

use bytes::BytesMut;
use rivermark_router::Transport;
use rustls::ServerConnection;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// The stream of a client's connection.
pub enum ClientStream {
    /// TCP as it is.
    Plain(TcpStream),
    /// TLS, its handshake done.
    Tls(Box<TlsSocket>),
}

impl ClientStream {
    /// A stream whose handshake is done, and what the client sent with the end of it.
    ///
    /// # Errors
    /// What the client sent is not TLS.
    pub fn after_handshake(stream: TlsStream<TcpStream>) -> io::Result<(Self, BytesMut)> {
        let (socket, session) = stream.into_inner();
        let mut tls = Box::new(TlsSocket { socket, session });
        let mut early = BytesMut::new();
        tls.decrypt(&mut early)?;
        Ok((Self::Tls(tls), early))
    }

    /// What it is.
    pub fn transport(&self) -> Transport {
        match self {
            Self::Plain(_) => Transport::Plain,
            Self::Tls(_) => Transport::Tls,
        }
    }

    /// The socket beneath.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.socket,
        }
    }

    /// Waits until the socket can do one of these.
    ///
    /// # Errors
    /// The runtime is going down.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.socket().ready(interest).await
    }

    /// Reads what is there; zero is the end.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; everything else is the end of the connection.
    pub fn try_read_buf(&mut self, input: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.try_read_buf(input),
            Self::Tls(tls) => tls.read(input),
        }
    }

    /// Writes what can be taken.
    ///
    /// # Errors
    /// `WouldBlock` if nothing can; everything else is the end of the connection.
    pub fn try_write(&mut self, output: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.try_write(output),
            Self::Tls(tls) => tls.write(output),
        }
    }

    /// Whether something that was written has not reached the socket yet.
    pub fn holds_output(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.session.wants_write(),
        }
    }

    /// Writes of that what the socket takes.
    ///
    /// # Errors
    /// The end of the connection.
    pub fn try_flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => no_wait(tls.push()),
        }
    }

    /// Tells the client that nothing more will come, as far as that goes without waiting, and gives the
    /// socket back.
    pub fn finish(self) -> TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(mut tls) => {
                tls.session.send_close_notify();
                // A client that takes nothing learns it from the socket's end.
                let _ = tls.push();
                tls.socket
            }
        }
    }
}

/// A socket and the TLS session spoken over it.
pub struct TlsSocket {
    socket: TcpStream,
    session: ServerConnection,
}

impl TlsSocket {
    fn read(&mut self, input: &mut BytesMut) -> io::Result<usize> {
        loop {
            let received = self.session.read_tls(&mut Nonblocking(&self.socket))?;
            let Decrypted { bytes, is_last } = self.decrypt(input)?;
            // A client may go away without saying so: each request tells its own length, so that nobody can
            // make a part of one pass for the whole.
            if received == 0 || bytes > 0 || is_last {
                return Ok(bytes);
            }
        }
    }

    fn write(&mut self, output: &[u8]) -> io::Result<usize> {
        loop {
            let taken = self.session.writer().write(output)?;
            let pushed = self.push();
            if taken > 0 {
                return no_wait(pushed).map(|()| taken);
            }
            pushed?;
        }
    }

    /// Moves everything decrypted to `input`.
    fn decrypt(&mut self, input: &mut BytesMut) -> io::Result<Decrypted> {
        let state = self.session.process_new_packets().map_err(|error| {
            // Says why, as far as the socket takes it.
            let _ = self.push();
            io::Error::new(io::ErrorKind::InvalidData, error)
        })?;
        let before = input.len();
        let mut reader = self.session.reader();
        loop {
            let taken = match reader.fill_buf() {
                Ok(chunk) => {
                    input.extend_from_slice(chunk);
                    chunk.len()
                }
                Err(error) if is_no_more(&error) => 0,
                Err(error) => return Err(error),
            };
            if taken == 0 {
                return Ok(Decrypted { bytes: input.len() - before, is_last: state.peer_has_closed() });
            }
            reader.consume(taken);
        }
    }

    /// Writes what is encrypted until the socket takes no more.
    fn push(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut Nonblocking(&self.socket))?;
        }
        Ok(())
    }
}

/// What decrypting came to.
struct Decrypted {
    bytes: usize,
    /// The client said that nothing follows.
    is_last: bool,
}

/// Nothing is there, or the client went away without saying so.
fn is_no_more(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::UnexpectedEof)
}

fn no_wait(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        outcome => outcome,
    }
}

/// A socket as [`Read`] and [`Write`] that do not wait.
struct Nonblocking<'a>(&'a TcpStream);

impl Read for Nonblocking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Nonblocking<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.try_write(buffer)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
