//! The one thread that writes: lockstep is what makes sled's files survive a power cut.

use std::sync::{Arc, mpsc};

use super::Change;
use super::error::CacheError;
use super::marker::{Marker, MarkerFile};
use super::trusted::Database;

/// Requests that share a flush, at most.
const REQUESTS_PER_BATCH_MAX: usize = 64;

/// Changes of one caller, who waits.
pub(super) struct Request {
    pub(super) changes: Vec<Change>,
    pub(super) reply: mpsc::SyncSender<Result<(), CacheError>>,
}

pub(super) struct Writer {
    database: Database,
    marker: MarkerFile,
    requests: mpsc::Receiver<Request>,
    last_batch: u64,
    /// The first failure: after it nothing is known about the files.
    failure: Option<Arc<CacheError>>,
}

impl Writer {
    pub(super) fn new(database: Database, marker: MarkerFile, requests: mpsc::Receiver<Request>) -> Self {
        let last_batch = database.batch();
        Self { database, marker, requests, last_batch, failure: None }
    }

    /// Until the cache is dropped.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.requests.recv() {
            let mut waiting = vec![first];
            waiting.extend(self.requests.try_iter().take(REQUESTS_PER_BATCH_MAX - 1));
            let changes: Vec<Change> =
                waiting.iter_mut().flat_map(|request| std::mem::take(&mut request.changes)).collect();
            if self.failure.is_none()
                && let Err(error) = self.write(&changes)
            {
                tracing::warn!(%error, "cache stopped");
                self.failure = Some(Arc::new(error));
            }
            for request in waiting {
                let outcome = match &self.failure {
                    None => Ok(()),
                    Some(failure) => Err(CacheError::Stopped(Arc::clone(failure))),
                };
                // A caller that went away does not wait for the answer.
                let _ = request.reply.send(outcome);
            }
        }
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), CacheError> {
        let batch = self.last_batch + 1;
        self.database.write(changes, batch)?;
        // After the data: a marker ahead of it would vouch for a batch that is not there.
        self.marker.write(Marker::Sound { batch })?;
        self.last_batch = batch;
        Ok(())
    }
}
