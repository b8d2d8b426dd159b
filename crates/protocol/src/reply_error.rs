//! Every error a client can see, with its code and wording.
//!
//! A closed list: the first word is the code that clients branch on, so it is part of the interface. Wording
//! follows the reference where it has the error. Text that came from the client stands in `{}`, with line
//! ends turned into blanks so that it cannot forge a reply.

use std::fmt;

use bytes::{BufMut, Bytes};
use rivermark_stream::Rejection;

/// What `{}` stands for in a wording.
type Inserts<'a> = [&'a [u8]; 2];

macro_rules! reply_errors {
    ($($(#[$doc:meta])* $name:ident $(($($insert:ident),+))? => $wording:literal,)*) => {
        /// An error reply.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum ReplyError {
            $($(#[$doc])* #[doc = concat!("`", $wording, "`")] $name $(($(reply_errors!(@type $insert)),+))?,)*
        }

        impl ReplyError {
            fn wording(&self) -> (&'static str, Inserts<'_>) {
                match self {
                    $(Self::$name $(($($insert),+))? => ($wording, inserts([$($(&$insert[..]),+)?])),)*
                }
            }
        }
    };
    (@type $insert:ident) => { Bytes };
}

fn inserts<const N: usize>(given: [&[u8]; N]) -> Inserts<'_> {
    let mut all: Inserts<'_> = [b"", b""];
    all[..N].copy_from_slice(&given);
    all
}

reply_errors! {
    // What any command may answer.
    Syntax => "ERR syntax error",
    NotAnInteger => "ERR value is not an integer or out of range",
    NotAFloat => "ERR value is not a valid float",
    NotPositive => "ERR value is out of range, must be positive",
    OutOfRange(low, high) => "ERR value is out of range, value must between {} and {}",
    WrongArity(name) => "ERR wrong number of arguments for '{}' command",
    UnknownCommand(name, arguments) => "ERR unknown command '{}', with args beginning with: {}",
    UnknownSubcommand(name, container) => "ERR unknown subcommand '{}'. Try {} HELP.",
    SubcommandSyntax(name, container) => "ERR unknown subcommand or wrong number of arguments for '{}'. Try {} HELP.",
    NoSuchKey => "ERR no such key",
    CommandTooLarge => "ERR command is larger than the server accepts",
    Protocol(what) => "ERR Protocol error: {}",

    // Entry ids and ranges.
    InvalidEntryId => "ERR Invalid stream ID specified as stream command argument",
    InvalidRangeStart => "ERR invalid start ID for the interval",
    InvalidRangeEnd => "ERR invalid end ID for the interval",
    InvalidScore => "ERR min or max is not a float",

    // XADD, XTRIM, XSETID.
    EntryIdZero => "ERR The ID specified in XADD must be greater than 0-0",
    EntryIdTooSmall => "ERR The ID specified in XADD is equal or smaller than the target stream top item",
    EntryIdsExhausted => "ERR The stream has exhausted the last possible ID, unable to add more items",
    EntryTooLarge => "ERR Elements are too large to be stored",
    TrimTwice => "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
    TrimMissing => "ERR syntax error, XTRIM must be called with a trimming strategy",
    NegativeMaxLength => "ERR The MAXLEN argument must be >= 0.",
    NegativeLimit => "ERR The LIMIT argument must be >= 0.",
    LimitWithoutTrim => "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
    LimitWithoutApproximation => "ERR syntax error, LIMIT cannot be used without the special ~ option",
    IdempotentWithId => "ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs",
    IdempotentTwice => "ERR syntax error, IDMP/IDMPAUTO specified multiple times",
    IdempotentProducerEmpty(option) => "ERR syntax error, {} requires a non-empty producer ID",
    IdempotentIdOptionEmpty => "ERR syntax error, IDMP requires a non-empty idempotent ID",
    NothingToConfigure => "ERR At least one parameter must be specified",
    IdempotentDuration => "ERR IDMP-DURATION must be between 1 and 86400 seconds",
    IdempotentDurationTwice => "ERR IDMP-DURATION specified multiple times",
    IdempotentSize => "ERR IDMP-MAXSIZE must be between 1 and 10000 entries",
    IdempotentSizeTwice => "ERR IDMP-MAXSIZE specified multiple times",
    ProducerEmpty => "ERR producer ID must be non-empty",
    IdempotentIdEmpty => "ERR idempotent ID must be non-empty",
    NoSuchEntry => "ERR No such message in stream",
    IdempotentIdTaken => "ERR IID already exists for this producer with a different stream ID",
    IdsMissing => "ERR IDS option is required",
    IdCountNotPositive => "ERR Number of IDs must be a positive integer",
    IdCountMismatch => "ERR The `numids` parameter must match the number of arguments",
    EntriesAddedNegative => "ERR entries_added must be positive",
    EntriesAddedBelowLength => "ERR The entries_added specified in XSETID is smaller than the target stream length",
    SetIdBelowGivenMaxDeleted => "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
    SetIdBelowMaxDeleted => "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
    SetIdBelowLastEntry => "ERR The ID specified in XSETID is smaller than the target stream top item",

    RangeTooLarge => "ERR The range holds more than the server returns at once, use COUNT",

    // XREAD, XREADGROUP.
    UnbalancedXRead => "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.",
    UnbalancedXReadGroup => "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
    NewIdOutsideGroup => "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
    OptionOfXReadGroup(option) => "ERR The {} option is only supported by XREADGROUP. You called XREAD instead.",
    GroupMissing => "ERR Missing GROUP option for XREADGROUP",
    LastIdInGroup(id) => "ERR The {} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The {} ID would just return an empty result set.",
    TimeoutNotAnInteger => "ERR timeout is not an integer or out of range",
    TimeoutNegative => "ERR timeout is negative",
    TimeoutOutOfRange => "ERR timeout is out of range",

    MaxCountNotPositive => "ERR MAXCOUNT must be > 0",
    MaxSizeNotPositive => "ERR MAXSIZE must be > 0",
    MaxCountBelowCount => "ERR MAXCOUNT must be >= COUNT",
    ClaimMinIdleNotAnInteger => "ERR min-idle-time is not an integer or out of range",
    ClaimMinIdleNegative => "ERR min-idle-time must be a positive integer",

    // Groups.
    KeyRequiredByXGroup => "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
    GroupExists => "BUSYGROUP Consumer Group name already exists",
    NoGroup(group, key) => "NOGROUP No such consumer group '{}' for key name '{}'",
    NoKeyOrGroup(key, group) => "NOGROUP No such key '{}' or consumer group '{}'",
    NoKeyOrGroupToRead(key, group) => "NOGROUP No such key '{}' or consumer group '{}' in XREADGROUP with GROUP option",
    InvalidEntriesRead => "ERR value for ENTRIESREAD must be positive or -1",
    InvalidMinIdle(command) => "ERR Invalid min-idle-time argument for {}",
    InvalidClaimOption(option) => "ERR Invalid {} option argument for XCLAIM",
    UnknownClaimOption(option) => "ERR Unrecognized XCLAIM option '{}'",
    CountNotPositive => "ERR COUNT must be > 0",

    // The reference's own texts begin with the code it puts before every text.
    NackMode => "ERR ERR mode must be SILENT, FAIL, or FATAL",
    NackIdsMissing => "ERR ERR syntax error, expected IDS keyword",
    NackIdCountNotPositive => "ERR numids must be a positive integer",
    NackIdCountMismatch => "ERR ERR number of IDs doesn't match numids",
    NackRetryCount => "ERR ERR Invalid RETRYCOUNT value, must be >= 0",
    UnknownNackOption(option) => "ERR ERR Unrecognized XNACK option '{}'",

    // Keys.
    InvalidExpireTime(command) => "ERR invalid expire time in '{}' command",
    UnsupportedOption(option) => "ERR Unsupported option {}",
    ExpireNxWithOthers => "ERR NX and XX, GT or LT options at the same time are not compatible",
    ExpireGtWithLt => "ERR GT and LT options at the same time are not compatible",
    SameKey => "ERR source and destination objects are the same",
    KeyExists => "BUSYKEY Target key name already exists.",
    PayloadInvalid => "ERR DUMP payload version or checksum are wrong",
    DumpTooLarge => "ERR The stream is larger than what RESTORE accepts",
    RestoreTimeToLive => "ERR Invalid TTL value, must be >= 0",
    RestoreIdleTime => "ERR Invalid IDLETIME value, must be >= 0",
    RestoreFrequency => "ERR Invalid FREQ value, must be >= 0 and <= 255",
    IdleTimeNotTracked => "ERR The time of last access is not tracked, so there is no idle time.",
    AccessFrequencyNotTracked => "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
    InvalidCursor => "ERR invalid cursor",
    UnknownType(name) => "ERR unknown type name '{}'",

    // Connections.
    AuthenticationRequired => "NOAUTH Authentication required.",
    HelloUnauthenticated => "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
    WrongPassword => "WRONGPASS invalid username-password pair or user is disabled.",
    NoPasswordSet => "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
    CommandForbidden(user, command) => "NOPERM User {} has no permissions to run the '{}' command",
    KeyForbidden => "NOPERM No permissions to access a key",
    AclModifier(rule, reason) => "ERR Error in ACL SETUSER modifier '{}': {}",
    AclUnmatched(start) => "ERR Unmatched parenthesis in acl selector starting at '{}'.",
    UserNameInvalid => "ERR Usernames can't contain spaces or null characters",
    UserTooLarge => "ERR The user's definition is larger than the server accepts",
    UsersTooLarge => "ERR The definitions of all users are larger than the server accepts",
    UserContended => "TRYAGAIN The user is being changed by others at the same time, this change was not applied",
    DefaultUserStays => "ERR The 'default' user cannot be removed",
    UnknownUser(name) => "ERR User '{}' not found",
    CommandNotFound(name) => "ERR Command '{}' not found",
    UnknownCategory(name) => "ERR Unknown category '{}'",
    PasswordBits => "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
    NoAclFile => "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.",
    /// At EXEC: the user's rights changed since the command was queued.
    QueuedForbidden(reason) => "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: {}",
    /// EXEC itself is not allowed.
    ExecForbidden(reason) => "EXECABORT Transaction discarded because of: {}",
    ProtectedMode => "DENIED Rivermark is running in protected mode because no password is set for the default user. In this mode connections are only accepted from the loopback interface. Set a password, or set protected-mode to no, to accept others.",
    TooManyClients => "ERR max number of clients reached",
    ProtocolVersionNotAnInteger => "ERR Protocol version is not an integer or out of range",
    ProtocolVersionUnsupported => "NOPROTO unsupported protocol version",
    HelloOption(option) => "ERR Syntax error in HELLO option '{}'",
    InvalidClientName => "ERR Client names cannot contain spaces, newlines or special characters.",
    InvalidClientAttribute(attribute) => "ERR {} cannot contain spaces, newlines or special characters.",
    UnknownClientAttribute(attribute) => "ERR Unrecognized option '{}'",
    DatabaseOutOfRange => "ERR DB index is out of range",
    NoSuchClient => "ERR No such client",
    InvalidClientId => "ERR Invalid client ID",
    ClientIdNotPositive => "ERR client-id should be greater than 0",
    MaxAgeNotAnInteger => "ERR maxage is not an integer or out of range",
    UnknownClientType(name) => "ERR Unknown client type '{}'",
    NoSuchUser(name) => "ERR No such user '{}'",
    PauseMode => "ERR CLIENT PAUSE mode must be WRITE or ALL",
    UnblockReason => "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
    TrackingUnsupported => "ERR client-side caching is not supported by this server",
    CachingWithoutTracking => "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",

    // Transactions and blocking.
    MultiNested => "ERR MULTI calls can not be nested",
    ExecWithoutMulti => "ERR EXEC without MULTI",
    DiscardWithoutMulti => "ERR DISCARD without MULTI",
    WatchInsideMulti => "ERR WATCH inside MULTI is not allowed",
    NotAllowedInMulti => "ERR Command not allowed inside a transaction",
    ExecAborted => "EXECABORT Transaction discarded because of previous errors.",
    Unblocked => "UNBLOCKED client unblocked via CLIENT UNBLOCK",
    UnblockedByFailover => "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",

    // The node and the cluster.
    ConfigUnknown(parameter) => "ERR Unknown option or number of arguments for CONFIG SET - '{}'",
    ConfigRefused(parameter, reason) => "ERR CONFIG SET failed (possibly related to argument '{}') - {}",
    NoConfigFile => "ERR The server is running without a config file",
    ConfigFileNotWritten(reason) => "ERR Rewriting config file: {}",
    ReplicaOfRefused => "ERR REPLICAOF not allowed in cluster mode.",
    FailoverRefused => "ERR FAILOVER not allowed in cluster mode.",
    NoShutdownInProgress => "ERR No shutdown in progress.",
    ShutdownNotAbortable => "ERR The shutdown has begun to hand over leadership and cannot be aborted",
    ShutdownFailed => "ERR Errors trying to SHUTDOWN. Check logs.",
    SaveInProgress => "ERR Background save already in progress",
    SaveFailed(reason) => "ERR The snapshots were not all taken: {}",
    NothingToSave => "ERR This node holds no replicas, so there is nothing to save",
    MonitorInTransaction => "ERR MONITOR isn't allowed for DENY BLOCKING client",
    PurgeUnsupported => "ERR MEMORY PURGE is not supported: the allocator gives unused memory back by itself",
    NoLatencySamples(event) => "ERR No samples available for event '{}'",
    DebugNotAllowed => "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
    DebugSleepOutOfRange => "ERR DEBUG SLEEP takes from 0 to 60 seconds",
    DebugProtocol => "ERR Wrong protocol type name. Please use one of the following: string|integer|double|null|array|set|map|push|verbatim|true|false",
    ExpiryAlwaysOn => "ERR expiry cannot be switched off: deadlines pass by the stamps of a shard's leader",
    InvalidSlot => "ERR Invalid or out of range slot",
    InvalidSlotNumber => "ERR Invalid slot",
    InvalidSlotOrCount => "ERR Invalid slot or number of keys",
    UnknownNode(id) => "ERR Unknown node {}",
    SlowLogCount => "ERR count should be greater than or equal to -1",
    GetKeysUnknownCommand => "ERR Invalid command specified",
    GetKeysNoKeys => "ERR The command has no key arguments",
    GetKeysArity => "ERR Invalid number of arguments specified for command",
    GetKeysInvalid => "ERR Invalid arguments specified for command",
    Moved(slot, address) => "MOVED {} {}",
    Ask(slot, address) => "ASK {} {}",
    CrossSlot => "CROSSSLOT Keys in request don't hash to the same slot",
    /// A transaction, or a command that must see all its keys at once, over several shards.
    CrossShard => "CROSSSLOT Keys of this request must belong to the same shard, use a hash tag to keep them together",
    TryAgain => "TRYAGAIN Multiple keys request during rehashing of slot",
    SlotNotServed => "CLUSTERDOWN Hash slot not served",
    ClusterDown => "CLUSTERDOWN The cluster is down",
    Loading => "LOADING Rivermark is starting and has not joined its cluster yet",
    /// Refused before it was proposed: certainly not applied.
    Overloaded => "TRYAGAIN Too many commands are waiting, none of this one was applied",
    /// Refused before it was proposed: certainly not applied.
    ShuttingDown => "CLUSTERDOWN The node is shutting down, none of this command was applied",
    /// Proposed, and no answer came in time: may or may not be applied.
    OutcomeUnknown => "TIMEOUT The command was not confirmed in time, it may or may not be applied",
    /// A bug or a damaged disk; details are in the log.
    Internal(what) => "ERR internal error: {}",
}

impl ReplyError {
    /// The code: the first word.
    pub fn code(&self) -> &'static str {
        let (wording, _) = self.wording();
        wording.split_once(' ').map_or(wording, |(code, _)| code)
    }

    /// The line without its mark and end.
    pub(crate) fn write_line(&self, out: &mut impl BufMut) {
        let (wording, inserts) = self.wording();
        let mut inserts = match self {
            // Named twice in its sentence.
            Self::LastIdInGroup(id) => [&id[..], &id[..]],
            _ => inserts,
        }
        .into_iter();
        for (index, part) in wording.split("{}").enumerate() {
            if index > 0 {
                put_sanitised(out, inserts.next().unwrap_or_default());
            }
            out.put_slice(part.as_bytes());
        }
    }

    /// The wrong-arity error of the command with this full name.
    pub fn wrong_arity(name: &'static str) -> Self {
        Self::WrongArity(Bytes::from_static(name.as_bytes()))
    }
}

fn put_sanitised(out: &mut impl BufMut, text: &[u8]) {
    for (index, line) in text.split(|byte| matches!(byte, b'\r' | b'\n')).enumerate() {
        if index > 0 {
            out.put_u8(b' ');
        }
        out.put_slice(line);
    }
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Vec::new();
        self.write_line(&mut line);
        f.write_str(&String::from_utf8_lossy(&line))
    }
}

impl std::error::Error for ReplyError {}

impl From<&Rejection> for ReplyError {
    fn from(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::NoSuchKey => Self::NoSuchKey,
            Rejection::KeyRequiredByXGroup => Self::KeyRequiredByXGroup,
            Rejection::GroupExists => Self::GroupExists,
            Rejection::NoKeyOrGroup(key, group) => {
                Self::NoKeyOrGroup(key.name().clone(), group.as_bytes().clone())
            }
            Rejection::NoKeyOrGroupToRead(key, group) => {
                Self::NoKeyOrGroupToRead(key.name().clone(), group.as_bytes().clone())
            }
            Rejection::NoGroup(key, group) => Self::NoGroup(group.as_bytes().clone(), key.name().clone()),
            Rejection::IdTooSmall => Self::EntryIdTooSmall,
            Rejection::IdsExhausted => Self::EntryIdsExhausted,
            Rejection::SetIdBelowGivenMaxDeleted => Self::SetIdBelowGivenMaxDeleted,
            Rejection::SetIdBelowMaxDeleted => Self::SetIdBelowMaxDeleted,
            Rejection::SetIdBelowLastEntry => Self::SetIdBelowLastEntry,
            Rejection::EntriesAddedBelowLength => Self::EntriesAddedBelowLength,
            Rejection::NoSuchEntry => Self::NoSuchEntry,
            Rejection::IdempotentIdTaken => Self::IdempotentIdTaken,
            Rejection::KeyExists => Self::KeyExists,
            Rejection::PayloadInvalid => Self::PayloadInvalid,
            Rejection::DumpTooLarge => Self::DumpTooLarge,
            Rejection::RangeTooLarge => Self::RangeTooLarge,
            Rejection::IdleTimeNotTracked => Self::IdleTimeNotTracked,
            Rejection::AccessFrequencyNotTracked => Self::AccessFrequencyNotTracked,
        }
    }
}
