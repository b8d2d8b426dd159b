//! Files as the durable crates see them.
//!
//! Two implementations: [`OsFileSystem`], and [`SimulatedFileSystem`], a disk in memory whose crash
//! loses what was not synced, tears the last write, fails a sync or runs full, so that recovery is
//! tested against what real disks do. Nothing below this crate is mocked and nothing above it opens a
//! file on its own.
//!
//! The contract both keep:
//! * bytes written are durable only after [`File::sync_data`] returned;
//! * a created, renamed or removed name is durable only after [`FileSystem::sync_directory`] on its folder;
//! * after a failed sync nothing is known about the bytes since the last good one: the caller must stop.

mod os;
mod simulated;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use os::OsFileSystem;
pub use simulated::{CrashOptions, SimulatedFileSystem, Unsynced};

/// A handle shared by everything that touches the disk.
pub type SharedFileSystem = Arc<dyn FileSystem>;

/// Names and folders.
pub trait FileSystem: Debug + Send + Sync + 'static {
    /// Creates a folder and its missing parents; no error if it exists.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// The files and folders in a folder, sorted by path.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;
    /// Creates a file for reading and writing; an error if it exists.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Gives a file another name, replacing what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a folder's names durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// Bytes an unprivileged process may still write to the file system that holds `path`.
    fn available_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// One open file. Offsets and lengths are bytes.
pub trait File: Debug + Send + Sync + 'static {
    /// Writes all of `bytes` at `offset`, growing the file if needed.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Writes all of `parts`, one after the other, at `offset`, with as few system calls as possible.
    fn write_all_vectored_at(&self, parts: &mut [IoSlice<'_>], offset: u64) -> io::Result<()>;
    /// Fills `bytes` from `offset`; `UnexpectedEof` if the file is shorter.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// The file's length.
    fn length(&self) -> io::Result<u64>;
    /// Cuts or extends (with zeros) the file.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Makes all written bytes durable (fdatasync).
    fn sync_data(&self) -> io::Result<()>;
}
