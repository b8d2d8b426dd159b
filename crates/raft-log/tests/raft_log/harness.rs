//! A disk, small segments, and a naive model of what each shard's log must hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use rivermark_fs::{FileSystem, SimulatedFileSystem};
use rivermark_raft_log::{
    LeaderId, LogEntry, LogError, LogId, OnDurable, Options, RaftLog, Recovered, SegmentPreparation,
    ShardLog, Vote, WriterMode,
};
use rivermark_types::{LogIndex, NodeId, ShardId, Term};

pub const DIRECTORY: &str = "/log";

/// Segments of a few entries, everything on the calling thread, groups chosen by the test.
pub fn small(writer: WriterMode) -> Options {
    Options {
        segment_bytes: 4096 + 2048,
        spare_segments_max: 1,
        cache_bytes: 512,
        writer,
        preparation: SegmentPreparation::OnDemand,
        quiet_mark: None,
    }
}

pub fn open(fs: &SimulatedFileSystem, options: Options) -> (RaftLog, Recovered) {
    try_open(fs, options).expect("the log opens")
}

pub fn try_open(
    fs: &SimulatedFileSystem,
    options: Options,
) -> Result<(RaftLog, Recovered), rivermark_raft_log::OpenError> {
    RaftLog::open(Arc::new(fs.clone()), DIRECTORY, options)
}

/// The log's segment files that hold or may hold frames.
pub fn segment_files(fs: &SimulatedFileSystem) -> Vec<PathBuf> {
    let paths = fs.list(Path::new(DIRECTORY)).expect("the folder lists");
    paths.into_iter().filter(|path| path.extension().is_some_and(|e| e == "log")).collect()
}

pub fn shard(raw: u32) -> ShardId {
    ShardId::new(raw)
}

pub fn id(term: u64, index: u64) -> LogId {
    let leader = LeaderId { term: Term::new(term), node: NodeId::new(term % 3 + 1) };
    LogId { leader, index: LogIndex::new(index) }
}

/// An entry whose payload says which one it is, in one part or two.
pub fn entry(shard: ShardId, term: u64, index: u64, length: usize) -> LogEntry {
    let text = format!("shard {shard} term {term} index {index} ");
    let mut bytes: Vec<u8> = text.bytes().cycle().take(length.max(text.len())).collect();
    let tail = bytes.split_off(bytes.len() / 2);
    LogEntry { id: id(term, index), payload: vec![Bytes::from(bytes), Bytes::from(tail)].into() }
}

pub fn vote(term: u64) -> Vote {
    Vote { leader: id(term, 0).leader, committed: term.is_multiple_of(2) }
}

/// Everything the log promises about a shard, commit hints aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    pub vote: Option<Vote>,
    pub purged: Option<LogId>,
    pub entries: BTreeMap<u64, (LogId, Bytes)>,
}

impl Image {
    pub fn of(log: &ShardLog) -> Result<Self, LogError> {
        let read = log.read(LogIndex::new(0)..LogIndex::new(u64::MAX), usize::MAX)?;
        let entries = read
            .into_iter()
            .map(|e| (e.id.index.get(), (e.id, e.payload.into_bytes())))
            .collect::<BTreeMap<_, _>>();
        let state = log.state()?;
        assert_eq!(state.first, entries.values().next().map(|e| e.0));
        assert_eq!(state.last, entries.values().next_back().map(|e| e.0).or(state.purged));
        assert!(entries.keys().zip(entries.keys().skip(1)).all(|(a, b)| a + 1 == *b), "a hole: {entries:?}");
        Ok(Self { vote: log.vote()?, purged: state.purged, entries })
    }

    pub fn next(&self) -> u64 {
        self.entries.keys().next_back().copied().or(self.purged.map(|id| id.index.get())).map_or(1, |i| i + 1)
    }
}

/// One operation on one shard.
#[derive(Debug, Clone)]
pub enum Step {
    Append { term: u64, count: u64, length: usize },
    Vote(u64),
    TruncateTo(u64),
    PurgeTo(u64),
    Committed,
}

/// A shard under test: every state it went through, and how many of them are acknowledged.
pub struct Tracked {
    pub log: ShardLog,
    pub images: Vec<Image>,
    pub acknowledged: Arc<AtomicUsize>,
}

impl Tracked {
    pub fn new(log: ShardLog) -> Self {
        let images = vec![Image::of(&log).expect("a sound shard")];
        Self { log, images, acknowledged: Arc::default() }
    }

    pub fn image(&self) -> &Image {
        self.images.last().expect("never empty")
    }

    /// Performs a step on the log and on the model.
    pub fn perform(&mut self, step: &Step) -> Result<(), LogError> {
        let mut image = self.image().clone();
        // A crash may keep the first entries of an append.
        let mut partial = Vec::new();
        let number = match step {
            Step::Append { count, .. } => self.images.len() + *count as usize - 1,
            _ => self.images.len(),
        };
        let acknowledged = Arc::clone(&self.acknowledged);
        let on_durable = OnDurable::call(move |result| {
            if result.is_ok() {
                let before = acknowledged.swap(number, Ordering::SeqCst);
                assert!(before < number, "callbacks come in order");
            }
        });
        match *step {
            Step::Append { term, count, length } => {
                let entries: Vec<LogEntry> = (image.next()..image.next() + count)
                    .map(|index| entry(self.log.shard(), term, index, length))
                    .collect();
                for e in &entries {
                    image.entries.insert(e.id.index.get(), (e.id, e.payload.clone().into_bytes()));
                    partial.push(image.clone());
                }
                partial.pop();
                self.log.append(entries, on_durable)?;
            }
            Step::Vote(term) => {
                image.vote = Some(vote(term));
                self.log.save_vote(vote(term), on_durable)?;
            }
            Step::TruncateTo(index) => {
                image.entries.retain(|i, _| *i <= index);
                self.log.truncate_after(Some(LogIndex::new(index)), on_durable)?;
            }
            Step::PurgeTo(index) => {
                let id = image.entries.get(&index).map_or(id(9, index), |e| e.0);
                image.entries.retain(|i, _| *i > index);
                if image.purged.is_none_or(|purged| purged.index < id.index) {
                    image.purged = Some(id);
                }
                self.log.purge(id, on_durable)?;
            }
            Step::Committed => {
                let last = image.entries.values().next_back().map(|e| e.0);
                return self.log.save_committed(last);
            }
        }
        self.images.extend(partial);
        self.images.push(image);
        Ok(())
    }

    /// What a shard holds after a crash must be a state it went through, no older than acknowledged.
    pub fn check_recovered(&self, log: &ShardLog, context: &str) {
        let recovered = Image::of(log).unwrap_or_else(|error| panic!("{context}: {error}"));
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        let position = self.images[acknowledged..].iter().position(|image| *image == recovered);
        assert!(
            position.is_some(),
            "{context}: shard {} holds\n{recovered:?}\nacknowledged ({acknowledged}) is\n{:?}\nlatest is\n{:?}",
            log.shard(),
            self.images[acknowledged],
            self.image(),
        );
        if let Some(committed) = log.committed().expect("a sound shard") {
            let holds = |i: &Image| {
                i.purged.is_some_and(|purged| purged.index >= committed.index)
                    || i.entries.values().any(|e| e.0 == committed)
            };
            let known = self.images.iter().any(holds);
            assert!(known, "{context}: commit hint {committed:?} is of no entry");
        }
    }
}
