//! Segments before and after their use: written out with zeros ahead of need, recycled once purged.
//!
//! One segment is kept ready behind the active one, already under its final name; recovery reads it as
//! an empty end of the log. Retiring goes from the oldest on and makes each removal durable before the
//! next, so that a crash never leaves a hole between segments.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use rivermark_fs::SharedFileSystem;

use crate::error::StorageError;
use crate::options::SegmentPreparation;
use crate::segment::{self, Segment};

#[derive(Debug, Default)]
struct State {
    spares: Vec<PathBuf>,
    next_spare_number: u64,
    ready: Option<Segment>,
    /// Id of the segment to make ready.
    wanted: Option<u64>,
    /// The background thread is making a segment ready.
    preparing: bool,
    retiring: VecDeque<PathBuf>,
    retired: u64,
    failures: u64,
    closing: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct SegmentPool {
    fs: SharedFileSystem,
    directory: PathBuf,
    segment_bytes: u64,
    spares_max: usize,
    preparation: SegmentPreparation,
    state: Mutex<State>,
    changed: Condvar,
}

/// A reading of the pool's counters.
pub(crate) struct PoolCounters {
    pub(crate) spares: u64,
    pub(crate) retired: u64,
    pub(crate) failures: u64,
}

impl SegmentPool {
    pub(crate) fn new(fs: SharedFileSystem, directory: PathBuf, options: &crate::Options) -> Self {
        Self {
            fs,
            directory,
            segment_bytes: options.segment_bytes,
            spares_max: options.spare_segments_max,
            preparation: options.preparation,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Takes over what an earlier run left: a spare file, by its number.
    pub(crate) fn adopt_spare(&self, path: PathBuf, number: u64) -> Result<(), StorageError> {
        let length = self.fs.open(&path).and_then(|file| file.length());
        let length = length.map_err(StorageError::at("measure", &path))?;
        let mut state = self.state.lock();
        state.next_spare_number = state.next_spare_number.max(number + 1);
        // A crash may have cut its writing short.
        if length == self.segment_bytes && state.spares.len() < self.spares_max {
            state.spares.push(path);
            return Ok(());
        }
        self.fs.remove(&path).map_err(StorageError::at("remove", &path))
    }

    /// Takes over a segment made ready by an earlier run.
    pub(crate) fn adopt_ready(&self, segment: Segment) {
        self.state.lock().ready = Some(segment);
    }

    /// Asks for the segment `id` to be made ready in the background.
    pub(crate) fn request(&self, id: u64) {
        if self.preparation == SegmentPreparation::Background {
            let mut state = self.state.lock();
            if state.ready.as_ref().is_none_or(|ready| ready.id != id) {
                state.wanted = Some(id);
                self.changed.notify_all();
            }
        }
    }

    /// The segment `id`, ready to be written. Waits for it or makes it if need be.
    pub(crate) fn take(&self, id: u64) -> Result<Segment, StorageError> {
        let mut state = self.state.lock();
        while state.preparing {
            self.changed.wait(&mut state);
        }
        state.wanted = None;
        if let Some(ready) = state.ready.take_if(|ready| ready.id == id) {
            return Ok(ready);
        }
        drop(state);
        self.prepare(id)
    }

    fn prepare(&self, id: u64) -> Result<Segment, StorageError> {
        let (spare, number) = {
            let mut state = self.state.lock();
            let number = state.next_spare_number;
            state.next_spare_number += 1;
            (state.spares.pop(), number)
        };
        let path = match spare {
            Some(path) => path,
            None => {
                let path = segment::spare_path(&self.directory, number);
                if let Err(error) = segment::create_zeroed(&self.fs, &path, self.segment_bytes) {
                    // Frees what a full disk let through; the next start removes it otherwise.
                    let _ = self.fs.remove(&path);
                    return Err(error);
                }
                path
            }
        };
        segment::activate(&self.fs, &self.directory, &path, id)
    }

    /// Recycles or removes segments, oldest first.
    pub(crate) fn retire(&self, segments: impl IntoIterator<Item = Arc<Segment>>) {
        let mut state = self.state.lock();
        state.retiring.extend(segments.into_iter().map(|segment| segment.path.clone()));
        if state.retiring.is_empty() {
            return;
        }
        match self.preparation {
            SegmentPreparation::Background => {
                self.changed.notify_all();
            }
            SegmentPreparation::OnDemand => {
                drop(state);
                self.retire_waiting();
            }
        }
    }

    /// Retires until nothing waits or something fails; what failed is tried again next time.
    fn retire_waiting(&self) {
        loop {
            let mut state = self.state.lock();
            let Some(path) = state.retiring.front().cloned() else { return };
            let spare = (state.spares.len() < self.spares_max).then(|| {
                let number = state.next_spare_number;
                state.next_spare_number += 1;
                segment::spare_path(&self.directory, number)
            });
            drop(state);
            let result = self.retire_one(&path, spare);
            let mut state = self.state.lock();
            match result {
                Ok(spare) => {
                    state.retiring.pop_front();
                    state.retired += 1;
                    state.spares.extend(spare);
                }
                Err(error) => {
                    state.failures += 1;
                    tracing::warn!(%error, "a purged raft log segment could not be retired; will retry");
                    return;
                }
            }
        }
    }

    fn retire_one(&self, path: &PathBuf, spare: Option<PathBuf>) -> Result<Option<PathBuf>, StorageError> {
        let usable = match self.fs.open(path) {
            Ok(file) => file.length().map_err(StorageError::at("measure", path))? == self.segment_bytes,
            // An earlier attempt got this far; only the folder's sync is owed.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.fs.sync_directory(&self.directory).map_err(StorageError::at("sync", &self.directory))?;
                return Ok(None);
            }
            Err(error) => return Err(StorageError::at("open", path)(error)),
        };
        let spare = spare.filter(|_| usable);
        match &spare {
            Some(spare) => self.fs.rename(path, spare).map_err(StorageError::at("rename", path))?,
            None => self.fs.remove(path).map_err(StorageError::at("remove", path))?,
        }
        self.fs.sync_directory(&self.directory).map_err(StorageError::at("sync", &self.directory))?;
        Ok(spare)
    }

    /// The background thread: runs until [`Self::close`].
    pub(crate) fn run(&self) {
        let mut state = self.state.lock();
        while !state.closing {
            if !state.retiring.is_empty() {
                drop(state);
                self.retire_waiting();
                state = self.state.lock();
            }
            if let Some(id) = state.wanted.take() {
                state.preparing = true;
                drop(state);
                let result = self.prepare(id);
                state = self.state.lock();
                state.preparing = false;
                match result {
                    Ok(segment) => state.ready = Some(segment),
                    // The writer tries again when it needs the segment, and then fails for good.
                    Err(error) => {
                        state.failures += 1;
                        tracing::warn!(%error, "the next raft log segment could not be made ready");
                    }
                }
                self.changed.notify_all();
            } else if !state.closing {
                self.changed.wait(&mut state);
            }
        }
    }

    /// Ends the background thread.
    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.changed.notify_all();
    }

    pub(crate) fn counters(&self) -> PoolCounters {
        let state = self.state.lock();
        PoolCounters { spares: state.spares.len() as u64, retired: state.retired, failures: state.failures }
    }
}
