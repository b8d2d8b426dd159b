//! An open file of the simulated disk.

use std::io::{self, IoSlice};
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::{Disk, InodeId};
use crate::File;

#[derive(Debug)]
pub(super) struct SimulatedFile {
    disk: Arc<Mutex<Disk>>,
    inode: InodeId,
}

impl SimulatedFile {
    pub(super) fn new(disk: Arc<Mutex<Disk>>, inode: InodeId) -> Self {
        Self { disk, inode }
    }
}

impl File for SimulatedFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.lock().write(self.inode, offset, bytes)
    }

    fn write_all_vectored_at(&self, parts: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.disk.lock().write(self.inode, offset, &bytes)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.lock().read(self.inode, offset, bytes)
    }

    fn length(&self) -> io::Result<u64> {
        self.disk.lock().length(self.inode)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.disk.lock().set_length(self.inode, length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.lock().sync(self.inode)
    }
}
