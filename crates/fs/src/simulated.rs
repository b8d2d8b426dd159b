//! A disk in memory that crashes.
//!
//! Every file keeps what was synced apart from the writes made since; every name change waits for its
//! folder's sync. [`SimulatedFileSystem::crash`] yields the disk a power cut would leave: each unsynced
//! write kept, lost or torn at page or sector granularity, each unsynced name change kept or lost,
//! decided by a seed, so that the same seed gives the same disk. Operations that change the disk are
//! counted and the power can be cut at any of them, so a test can visit every crash point.
//!
//! After a failed sync the pages it covered count as clean, as on Linux: a later sync succeeds without
//! making them durable. Not modelled: folders themselves (durable once created), and reordering by
//! anything finer than a 512-byte sector.

mod disk;
mod file;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::{File, FileSystem};
use disk::Disk;
use file::SimulatedFile;

/// How a power cut treats what was not synced.
#[derive(Debug, Clone, Copy)]
pub struct CrashOptions {
    /// Decides the fate of every unsynced write and name.
    pub seed: u64,
    /// What may happen to an unsynced write.
    pub unsynced: Unsynced,
}

/// What a power cut may do to unsynced writes and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// Each is kept, lost or, if a write, torn, at random.
    Random,
    /// All are lost.
    Lost,
    /// All are kept, as when only the process dies.
    Kept,
}

impl CrashOptions {
    /// A power cut whose damage is drawn from `seed`.
    pub fn random(seed: u64) -> Self {
        Self { seed, unsynced: Unsynced::Random }
    }
}

/// A shared handle to one simulated disk. Clones see the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimulatedFileSystem {
    disk: Arc<Mutex<Disk>>,
}

impl SimulatedFileSystem {
    /// An empty disk without a capacity limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power: every handle of this disk fails from now on. Returns the disk that the next
    /// start finds, without the injected faults.
    pub fn crash(&self, options: CrashOptions) -> Self {
        let mut disk = self.disk.lock();
        disk.power = disk::Power::Off;
        Self { disk: Arc::new(Mutex::new(disk.after_power_cut(options))) }
    }

    /// An independent copy of the disk as the running system sees it, all of it synced, without faults.
    pub fn copy(&self) -> Self {
        Self { disk: Arc::new(Mutex::new(self.disk.lock().settled())) }
    }

    /// Operations so far that changed or synced the disk.
    pub fn operations(&self) -> u64 {
        self.disk.lock().operations
    }

    /// Cuts the power at the `n`-th changing operation from the disk's birth (the first is 1). A write
    /// that meets the cut counts as issued, so it may be kept, lost or torn; any other operation does
    /// not happen.
    pub fn cut_power_at(&self, n: u64) {
        self.disk.lock().power = disk::Power::CutAt(n);
    }

    /// True once the power is off.
    pub fn is_powered_off(&self) -> bool {
        self.disk.lock().power == disk::Power::Off
    }

    /// The next `count` syncs of files fail with EIO.
    pub fn fail_next_syncs(&self, count: u64) {
        self.disk.lock().faults.syncs = count;
    }

    /// The next `count` writes fail with EIO.
    pub fn fail_next_writes(&self, count: u64) {
        self.disk.lock().faults.writes = count;
    }

    /// The next `count` reads fail with EIO.
    pub fn fail_next_reads(&self, count: u64) {
        self.disk.lock().faults.reads = count;
    }

    /// Limits what all files together may hold; growing beyond it fails with ENOSPC.
    pub fn set_capacity_bytes(&self, bytes: Option<u64>) {
        self.disk.lock().capacity_bytes = bytes;
    }

    /// Flips one bit of a file, durably: bit 0 is the lowest of the first byte.
    ///
    /// # Panics
    /// If the file does not exist or is shorter.
    pub fn flip_bit(&self, path: &Path, bit: u64) {
        self.disk.lock().edit(path, |bytes| bytes[(bit / 8) as usize] ^= 1 << (bit % 8));
    }

    /// Overwrites bytes of a file, durably, as decay or a misdirected write would.
    ///
    /// # Panics
    /// If the file does not exist or is shorter.
    pub fn overwrite(&self, path: &Path, offset: u64, with: &[u8]) {
        let offset = offset as usize;
        self.disk.lock().edit(path, |bytes| bytes[offset..offset + with.len()].copy_from_slice(with));
    }

    /// Cuts a file, durably.
    ///
    /// # Panics
    /// If the file does not exist.
    pub fn truncate_file(&self, path: &Path, length: u64) {
        self.disk.lock().edit(path, |bytes| bytes.truncate(length as usize));
    }

    /// What a running process reads from a file; `None` if there is none.
    pub fn file_bytes(&self, path: &Path) -> Option<Vec<u8>> {
        self.disk.lock().bytes(path).map(<[u8]>::to_vec)
    }
}

impl FileSystem for SimulatedFileSystem {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.disk.lock().create_directory(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.lock().list(directory)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let inode = self.disk.lock().create(path)?;
        Ok(Arc::new(SimulatedFile::new(Arc::clone(&self.disk), inode)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let inode = self.disk.lock().open(path)?;
        Ok(Arc::new(SimulatedFile::new(Arc::clone(&self.disk), inode)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.lock().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.lock().remove(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.disk.lock().sync_directory(path)
    }

    fn available_bytes(&self, _path: &Path) -> io::Result<u64> {
        self.disk.lock().available_bytes()
    }
}

#[cfg(test)]
mod tests;
