//! The state of a simulated disk: files, names, what of them is durable, and the faults asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rustix::io::Errno;

use super::{CrashOptions, Unsynced};

const SECTOR_BYTES: usize = 512;
const PAGE_BYTES: usize = 4096;

pub(super) type InodeId = u64;

/// Whether the disk still works.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    #[default]
    On,
    /// Goes off at the operation with this number.
    CutAt(u64),
    Off,
}

/// How many of the next operations of each kind fail.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) syncs: u64,
    pub(super) writes: u64,
    pub(super) reads: u64,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Default)]
struct Inode {
    /// What a running process reads.
    current: Vec<u8>,
    /// What surely survives.
    synced: Vec<u8>,
    /// Changes since, in order.
    unsynced: Vec<Change>,
    /// Changes a failed sync dropped from the cache: no later sync covers them.
    abandoned: Vec<Change>,
}

#[derive(Debug)]
enum NameChange {
    Set { path: PathBuf, inode: InodeId },
    Remove { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf, inode: InodeId },
}

#[derive(Debug, Default)]
pub(super) struct Disk {
    inodes: BTreeMap<InodeId, Inode>,
    directories: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, InodeId>,
    synced_names: BTreeMap<PathBuf, InodeId>,
    unsynced_names: Vec<NameChange>,
    next_inode: InodeId,
    pub(super) operations: u64,
    pub(super) power: Power,
    pub(super) faults: Faults,
    pub(super) capacity_bytes: Option<u64>,
}

/// Whether the operation at hand meets the power cut.
enum Turn {
    Normal,
    Last,
}

fn power_is_off() -> io::Error {
    io::Error::other("simulated disk: power is off")
}

fn take(count: &mut u64) -> io::Result<()> {
    if *count == 0 {
        return Ok(());
    }
    *count -= 1;
    Err(Errno::IO.into())
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write { offset, bytes: written } => put(bytes, *offset, written),
        }
    }

    /// Applies whichever parts of the change a power cut lets through.
    fn apply_torn(&self, bytes: &mut Vec<u8>, random: &mut SmallRng) {
        match (self, random.random_range(0..4u8)) {
            (_, 0) => {}
            (_, 1) | (Self::Length(_), _) => self.apply(bytes),
            (Self::Write { offset, bytes: written }, grain) => {
                let grain = if grain == 2 { SECTOR_BYTES } else { PAGE_BYTES };
                let (mut at, end) = (*offset, offset + written.len());
                while at < end {
                    let next = ((at / grain + 1) * grain).min(end);
                    if random.random() {
                        put(bytes, at, &written[at - offset..next - offset]);
                    }
                    at = next;
                }
            }
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, InodeId>) {
        match self {
            Self::Set { path, inode } => {
                names.insert(path.clone(), *inode);
            }
            Self::Remove { path } => {
                names.remove(path);
            }
            Self::Rename { from, to, inode } => {
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(to.clone(), *inode);
            }
        }
    }

    fn is_in(&self, directory: &Path) -> bool {
        match self {
            Self::Set { path, .. } | Self::Remove { path } => path.parent() == Some(directory),
            Self::Rename { to, .. } => to.parent() == Some(directory),
        }
    }
}

impl Disk {
    /// Counts a changing operation and meets the power cut if it is due.
    fn turn(&mut self) -> io::Result<Turn> {
        self.operations += 1;
        match self.power {
            Power::Off => Err(power_is_off()),
            Power::CutAt(n) if self.operations >= n => {
                self.power = Power::Off;
                Ok(Turn::Last)
            }
            Power::On | Power::CutAt(_) => Ok(Turn::Normal),
        }
    }

    fn whole_turn(&mut self) -> io::Result<()> {
        match self.turn()? {
            Turn::Normal => Ok(()),
            Turn::Last => Err(power_is_off()),
        }
    }

    fn check_power(&self) -> io::Result<()> {
        if self.power == Power::Off { Err(power_is_off()) } else { Ok(()) }
    }

    fn inode(&mut self, id: InodeId) -> &mut Inode {
        self.inodes.get_mut(&id).expect("inodes outlive their handles")
    }

    pub(super) fn create_directory(&mut self, path: &Path) -> io::Result<()> {
        self.check_power()?;
        self.directories.extend(path.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    pub(super) fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.check_power()?;
        if !self.directories.contains(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = |path: &&PathBuf| path.parent() == Some(directory);
        let mut paths: Vec<PathBuf> =
            self.names.keys().chain(&self.directories).filter(inside).cloned().collect();
        paths.sort();
        Ok(paths)
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<InodeId> {
        self.whole_turn()?;
        if self.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !path.parent().is_some_and(|parent| self.directories.contains(parent)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inode = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(inode, Inode::default());
        self.change_name(NameChange::Set { path: path.to_path_buf(), inode });
        Ok(inode)
    }

    pub(super) fn open(&self, path: &Path) -> io::Result<InodeId> {
        self.check_power()?;
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole_turn()?;
        let inode = self.open(from)?;
        self.change_name(NameChange::Rename { from: from.to_path_buf(), to: to.to_path_buf(), inode });
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.whole_turn()?;
        self.open(path)?;
        self.change_name(NameChange::Remove { path: path.to_path_buf() });
        Ok(())
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unsynced_names.push(change);
    }

    pub(super) fn sync_directory(&mut self, directory: &Path) -> io::Result<()> {
        self.whole_turn()?;
        let (durable, rest) =
            std::mem::take(&mut self.unsynced_names).into_iter().partition(|change| change.is_in(directory));
        self.unsynced_names = rest;
        let durable: Vec<NameChange> = durable;
        for change in durable {
            change.apply(&mut self.synced_names);
        }
        Ok(())
    }

    pub(super) fn available_bytes(&self) -> io::Result<u64> {
        self.check_power()?;
        Ok(self.capacity_bytes.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used_bytes())))
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().map(|id| self.inodes[id].current.len() as u64).sum()
    }

    pub(super) fn write(&mut self, id: InodeId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let turn = self.turn()?;
        take(&mut self.faults.writes)?;
        let offset = offset as usize;
        self.change(id, Change::Write { offset, bytes: bytes.to_vec() }, offset + bytes.len())?;
        match turn {
            Turn::Normal => Ok(()),
            Turn::Last => Err(power_is_off()),
        }
    }

    pub(super) fn set_length(&mut self, id: InodeId, length: u64) -> io::Result<()> {
        self.whole_turn()?;
        self.change(id, Change::Length(length as usize), length as usize)
    }

    fn change(&mut self, id: InodeId, change: Change, end: usize) -> io::Result<()> {
        let growth = end.saturating_sub(self.inode(id).current.len()) as u64;
        if growth > 0 && self.available_bytes().unwrap_or(u64::MAX) < growth {
            return Err(Errno::NOSPC.into());
        }
        let inode = self.inode(id);
        change.apply(&mut inode.current);
        inode.unsynced.push(change);
        Ok(())
    }

    pub(super) fn read(&mut self, id: InodeId, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.check_power()?;
        take(&mut self.faults.reads)?;
        let offset = offset as usize;
        let bytes = self.inode(id).current.get(offset..offset + into.len());
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    pub(super) fn length(&mut self, id: InodeId) -> io::Result<u64> {
        self.check_power()?;
        Ok(self.inode(id).current.len() as u64)
    }

    pub(super) fn sync(&mut self, id: InodeId) -> io::Result<()> {
        self.whole_turn()?;
        let fault = take(&mut self.faults.syncs);
        let inode = self.inode(id);
        let changes = std::mem::take(&mut inode.unsynced);
        if fault.is_err() {
            inode.abandoned.extend(changes);
            return fault;
        }
        for change in &changes {
            change.apply(&mut inode.synced);
        }
        Ok(())
    }

    pub(super) fn edit(&mut self, path: &Path, edit: impl Fn(&mut Vec<u8>)) {
        let id = *self.names.get(path).expect("the file to damage exists");
        let inode = self.inode(id);
        inode.synced = inode.current.clone();
        inode.unsynced.clear();
        edit(&mut inode.synced);
        inode.current = inode.synced.clone();
    }

    pub(super) fn bytes(&self, path: &Path) -> Option<&[u8]> {
        self.names.get(path).map(|id| self.inodes[id].current.as_slice())
    }

    pub(super) fn after_power_cut(&self, options: CrashOptions) -> Self {
        let mut random = SmallRng::seed_from_u64(options.seed);
        let mut names = self.synced_names.clone();
        for change in &self.unsynced_names {
            let kept = match options.unsynced {
                Unsynced::Random => random.random(),
                Unsynced::Lost => false,
                Unsynced::Kept => true,
            };
            if kept {
                change.apply(&mut names);
            }
        }
        let survive = |inode: &Inode| {
            if options.unsynced == Unsynced::Kept {
                return inode.current.clone();
            }
            let mut bytes = inode.synced.clone();
            if options.unsynced == Unsynced::Random {
                for change in inode.abandoned.iter().chain(&inode.unsynced) {
                    change.apply_torn(&mut bytes, &mut random);
                }
            }
            bytes
        };
        let contents: Vec<(InodeId, Vec<u8>)> =
            self.inodes.iter().map(|(id, inode)| (*id, inode)).map(with(survive)).collect();
        self.rebuilt(names, contents)
    }

    pub(super) fn settled(&self) -> Self {
        let contents = self.inodes.iter().map(|(id, inode)| (*id, inode.current.clone())).collect();
        self.rebuilt(self.names.clone(), contents)
    }

    fn rebuilt(&self, names: BTreeMap<PathBuf, InodeId>, contents: Vec<(InodeId, Vec<u8>)>) -> Self {
        let linked: BTreeSet<InodeId> = names.values().copied().collect();
        let inodes = contents
            .into_iter()
            .filter(|(id, _)| linked.contains(id))
            .map(|(id, bytes)| (id, Inode { current: bytes.clone(), synced: bytes, ..Inode::default() }))
            .collect();
        Self {
            inodes,
            directories: self.directories.clone(),
            synced_names: names.clone(),
            names,
            next_inode: self.next_inode,
            capacity_bytes: self.capacity_bytes,
            ..Self::default()
        }
    }
}

fn with<'a, T>(mut f: impl FnMut(&'a Inode) -> T) -> impl FnMut((InodeId, &'a Inode)) -> (InodeId, T) {
    move |(id, inode)| (id, f(inode))
}
