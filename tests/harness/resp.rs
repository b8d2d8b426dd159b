//! A client that hides nothing: bytes out, replies in, both protocols.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A reply as it came.
#[derive(Clone, PartialEq)]
pub enum Reply {
    /// `+`.
    Simple(String),
    /// `-`.
    Error(String),
    /// `:`.
    Integer(i64),
    /// `$` and verbatim `=`.
    Bulk(Vec<u8>),
    /// `$-1`.
    NilBulk,
    /// `*-1`.
    NilArray,
    /// `_` of RESP3.
    Null,
    /// `*`.
    Array(Vec<Reply>),
    /// `%`.
    Map(Vec<(Reply, Reply)>),
    /// `~`.
    Set(Vec<Reply>),
    /// `>`.
    Push(Vec<Reply>),
    /// `#`.
    Boolean(bool),
    /// `,`.
    Double(String),
}

impl Reply {
    /// A bulk or simple string as text.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Bulk(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Self::Simple(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The items of an array, set or push; nothing of others.
    pub fn items(&self) -> &[Reply] {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => items,
            _ => &[],
        }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple(text) => write!(f, "+{text}"),
            Self::Error(text) => write!(f, "-{text}"),
            Self::Integer(value) => write!(f, ":{value}"),
            Self::Bulk(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Self::NilBulk => f.write_str("$-1"),
            Self::NilArray => f.write_str("*-1"),
            Self::Null => f.write_str("_"),
            Self::Array(items) => f.debug_list().entries(items).finish(),
            Self::Set(items) => f.debug_set().entries(items).finish(),
            Self::Push(items) => write!(f, ">{items:?}"),
            Self::Map(pairs) => f.debug_map().entries(pairs.iter().map(|(k, v)| (k, v))).finish(),
            Self::Boolean(value) => write!(f, "#{value}"),
            Self::Double(text) => write!(f, ",{text}"),
        }
    }
}

/// A connection to a server.
pub struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    /// Connects to a port on loopback; replies are waited for at most 60 seconds.
    ///
    /// # Errors
    /// If nothing listens there.
    pub fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    /// Sends one command and reads its reply.
    ///
    /// # Errors
    /// If the connection breaks or the reply is not RESP.
    pub fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Reply> {
        self.send(&encode(arguments))?;
        self.reply()
    }

    /// Sends all commands at once and reads all replies.
    ///
    /// # Errors
    /// If the connection breaks or a reply is not RESP.
    pub fn pipeline(&mut self, commands: &[Vec<Vec<u8>>]) -> io::Result<Vec<Reply>> {
        let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
        self.send(&bytes)?;
        commands.iter().map(|_| self.reply()).collect()
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// The socket, for timeouts and half-closing.
    pub fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    /// Reads one reply.
    ///
    /// # Errors
    /// `UnexpectedEof` if the server closed, `InvalidData` if the bytes are not RESP.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let line = self.line()?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| invalid("an empty line"))?;
        match kind {
            "+" => Ok(Reply::Simple(rest.to_owned())),
            "-" => Ok(Reply::Error(rest.to_owned())),
            ":" => Ok(Reply::Integer(number(rest)?)),
            "," => Ok(Reply::Double(rest.to_owned())),
            "#" => Ok(Reply::Boolean(rest == "t")),
            "_" => Ok(Reply::Null),
            "$" | "=" => self.bulk(rest),
            "*" => self.items(rest).map(|items| items.map_or(Reply::NilArray, Reply::Array)),
            "~" => self.items(rest).map(|items| Reply::Set(items.unwrap_or_default())),
            ">" => self.items(rest).map(|items| Reply::Push(items.unwrap_or_default())),
            "%" => (0..number(rest)?)
                .map(|_| Ok((self.reply()?, self.reply()?)))
                .collect::<io::Result<_>>()
                .map(Reply::Map),
            _ => Err(invalid(&format!("reply line {line:?}"))),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !line.ends_with(b"\r\n") {
            return Err(invalid("a line without its end"));
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    fn bulk(&mut self, length: &str) -> io::Result<Reply> {
        let Ok(length) = usize::try_from(number(length)?) else { return Ok(Reply::NilBulk) };
        let mut bytes = vec![0; length + 2];
        self.reader.read_exact(&mut bytes)?;
        if !bytes.ends_with(b"\r\n") {
            return Err(invalid("a bulk string without its end"));
        }
        bytes.truncate(length);
        Ok(Reply::Bulk(bytes))
    }

    fn items(&mut self, count: &str) -> io::Result<Option<Vec<Reply>>> {
        let Ok(count) = usize::try_from(number(count)?) else { return Ok(None) };
        (0..count).map(|_| self.reply()).collect::<io::Result<_>>().map(Some)
    }
}

/// The request bytes of a command.
pub fn encode<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend(format!("${}\r\n", argument.as_ref().len()).bytes());
        bytes.extend(argument.as_ref());
        bytes.extend(b"\r\n");
    }
    bytes
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(|_| invalid(&format!("number {text:?}")))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not RESP: {what}"))
}
