//! Commands about connections and transactions.

use bytes::Bytes;
use rivermark_protocol::commands::parsed::{
    ClientAttribute, ClientCommand, ClientFilter, ClientKill, ClientKind, ConnectionCommand, Credentials,
    Hello, Myself, Pause, PauseScope, ReplyMode, Switch, UnblockReason,
};
use rivermark_protocol::{Frame, Parsed, Protocol};
use rivermark_types::{ConnectionId, DatabaseIndex};

use crate::check::{NOT_AN_INTEGER, SYNTAX, accept, key, refuse, reply};

fn connection(line: &str, expected: ConnectionCommand) {
    accept(line, Parsed::Connection(expected));
}

fn client(line: &str, expected: ClientCommand) {
    connection(line, ConnectionCommand::Client(expected));
}

#[test]
fn greetings() {
    reply("PING", Frame::simple("PONG"));
    reply("ping hi", Frame::literal("hi"));
    reply("ECHO hi", Frame::literal("hi"));
    connection("QUIT", ConnectionCommand::Quit);
    connection("QUIT now", ConnectionCommand::Quit);
    connection("RESET", ConnectionCommand::Reset);
    connection("READONLY", ConnectionCommand::ReadOnly);
    connection("READWRITE", ConnectionCommand::ReadWrite);
    connection("ASKING", ConnectionCommand::Asking);
    refuse("PING a b", "ERR wrong number of arguments for 'ping' command");
    refuse("ECHO", "ERR wrong number of arguments for 'echo' command");
    refuse("RESET a", "ERR wrong number of arguments for 'reset' command");
}

#[test]
fn select() {
    let database = |raw| DatabaseIndex::new(raw).expect("one of sixteen");
    connection("SELECT 0", ConnectionCommand::Select(database(0)));
    connection("SELECT 15", ConnectionCommand::Select(database(15)));
    refuse("SELECT 16", "ERR DB index is out of range");
    refuse("SELECT -1", "ERR DB index is out of range");
    refuse("SELECT 256", "ERR DB index is out of range");
    refuse("SELECT x", NOT_AN_INTEGER);
    refuse("SELECT 99999999999", "ERR value is out of range, value must between -2147483648 and 2147483647");
}

#[test]
fn hello_and_auth() {
    let credentials = |command: &'static str, user: Option<&'static str>| Credentials {
        user: user.map(Bytes::from),
        password: "p".into(),
        command: command.into(),
    };
    let hello = |tail: &str, expected: Hello| {
        connection(&format!("HELLO {tail}"), ConnectionCommand::Hello(expected));
    };
    let resp3 = Hello { protocol: Some(Protocol::Resp3), ..Hello::default() };
    hello("", Hello::default());
    hello("2", Hello { protocol: Some(Protocol::Resp2), ..Hello::default() });
    hello("3", resp3.clone());
    hello("3 AUTH u p", Hello { credentials: Some(credentials("HELLO", Some("u"))), ..resp3.clone() });
    hello("3 setname n", Hello { name: Some("n".into()), ..resp3.clone() });
    hello(
        "3 SETNAME n AUTH u p",
        Hello { credentials: Some(credentials("HELLO", Some("u"))), name: Some("n".into()), ..resp3 },
    );
    refuse("HELLO 1", "NOPROTO unsupported protocol version");
    refuse("HELLO 4", "NOPROTO unsupported protocol version");
    refuse("HELLO x", "ERR Protocol version is not an integer or out of range");
    refuse("HELLO AUTH u p", "ERR Protocol version is not an integer or out of range");
    refuse("HELLO 3 FOO", "ERR Syntax error in HELLO option 'FOO'");
    refuse("HELLO 3 AUTH u", "ERR Syntax error in HELLO option 'AUTH'");
    refuse("HELLO 3 SETNAME", "ERR Syntax error in HELLO option 'SETNAME'");
    const NAME: &str = "ERR Client names cannot contain spaces, newlines or special characters.";
    refuse(r#"HELLO 3 SETNAME "a b""#, NAME);
    connection("AUTH p", ConnectionCommand::Auth(credentials("AUTH", None)));
    connection("AUTH u p", ConnectionCommand::Auth(credentials("AUTH", Some("u"))));
    refuse("AUTH a b c", SYNTAX);
    refuse("AUTH", "ERR wrong number of arguments for 'auth' command");
}

#[test]
fn secrets_are_not_printed() {
    let parsed = crate::check::parsed("HELLO 3 AUTH u hunter2");
    assert!(!format!("{parsed:?}").contains("hunter2"));
}

#[test]
fn transactions() {
    connection("MULTI", ConnectionCommand::Multi);
    connection("EXEC", ConnectionCommand::Exec);
    connection("DISCARD", ConnectionCommand::Discard);
    connection("WATCH a b", ConnectionCommand::Watch(vec![key("a"), key("b")]));
    connection("UNWATCH", ConnectionCommand::Unwatch);
    refuse("MULTI x", "ERR wrong number of arguments for 'multi' command");
    refuse("WATCH", "ERR wrong number of arguments for 'watch' command");
}

#[test]
fn client_itself() {
    client("CLIENT ID", ClientCommand::Id);
    client("client info", ClientCommand::Info);
    client("CLIENT GETNAME", ClientCommand::GetName);
    client("CLIENT SETNAME me", ClientCommand::SetName("me".into()));
    client(r#"CLIENT SETNAME """#, ClientCommand::SetName(Bytes::new()));
    client("CLIENT SETINFO lib-name x", ClientCommand::SetInfo(ClientAttribute::LibraryName, "x".into()));
    client("CLIENT SETINFO LIB-VER 1", ClientCommand::SetInfo(ClientAttribute::LibraryVersion, "1".into()));
    client("CLIENT NO-EVICT on", ClientCommand::NoEvict(Switch::On));
    client("CLIENT NO-TOUCH OFF", ClientCommand::NoTouch(Switch::Off));
    client("CLIENT REPLY ON", ClientCommand::Reply(ReplyMode::On));
    client("CLIENT REPLY OFF", ClientCommand::Reply(ReplyMode::Off));
    client("CLIENT REPLY skip", ClientCommand::Reply(ReplyMode::Skip));
    const NAME: &str = "ERR Client names cannot contain spaces, newlines or special characters.";
    refuse(r#"CLIENT SETNAME "a b""#, NAME);
    refuse(r#"CLIENT SETNAME "a\n""#, NAME);
    refuse(
        r#"CLIENT SETINFO lib-name "a b""#,
        "ERR lib-name cannot contain spaces, newlines or special characters.",
    );
    refuse("CLIENT SETINFO foo bar", "ERR Unrecognized option 'foo'");
    refuse("CLIENT NO-EVICT foo", SYNTAX);
    refuse("CLIENT REPLY foo", SYNTAX);
    refuse("CLIENT MAINT_NOTIFICATIONS on", "ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.");
    refuse("CLIENT", "ERR wrong number of arguments for 'client' command");
}

#[test]
fn clients_others() {
    let connection = ConnectionId::new;
    let list = |tail: &str, kind: Option<ClientKind>, ids: Vec<ConnectionId>| {
        client(&format!("CLIENT LIST {tail}"), ClientCommand::List(ClientFilter { kind, ids }));
    };
    list("", None, Vec::new());
    list("TYPE normal", Some(ClientKind::Normal), Vec::new());
    list("type slave", Some(ClientKind::Replica), Vec::new());
    list("ID 3 4 0", None, vec![connection(3), connection(4), connection(0)]);
    refuse("CLIENT LIST TYPE foo", "ERR Unknown client type 'foo'");
    refuse("CLIENT LIST ID abc", "ERR Invalid client ID");
    refuse("CLIENT LIST ID", SYNTAX);
    refuse("CLIENT LIST TYPE normal ID 1", SYNTAX);
    let unblock = |tail: &str, reason| {
        client(&format!("CLIENT UNBLOCK {tail}"), ClientCommand::Unblock(connection(7), reason));
    };
    unblock("7", UnblockReason::Timeout);
    unblock("7 timeout", UnblockReason::Timeout);
    unblock("7 ERROR", UnblockReason::Error);
    refuse("CLIENT UNBLOCK x", NOT_AN_INTEGER);
    refuse("CLIENT UNBLOCK x FOO", "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    let pause = |tail: &str, timeout_ms, scope| {
        client(&format!("CLIENT PAUSE {tail}"), ClientCommand::Pause(Pause { timeout_ms, scope }));
    };
    pause("0", 0, PauseScope::All);
    pause("50 all", 50, PauseScope::All);
    pause("50 WRITE", 50, PauseScope::Writes);
    client("CLIENT UNPAUSE", ClientCommand::Unpause);
    refuse("CLIENT PAUSE x", "ERR timeout is not an integer or out of range");
    refuse("CLIENT PAUSE -1", "ERR timeout is negative");
    refuse("CLIENT PAUSE 10 FOO", "ERR CLIENT PAUSE mode must be WRITE or ALL");
    refuse(
        "CLIENT PAUSE 0 WRITE X",
        "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.",
    );
}

#[test]
fn client_kill() {
    let kill = ClientKill {
        id: None,
        address: None,
        local_address: None,
        kind: None,
        user: None,
        age_s_min: None,
        myself: Myself::Skip,
    };
    let check = |tail: &str, expected: ClientKill| {
        client(&format!("CLIENT KILL {tail}"), ClientCommand::Kill(expected));
    };
    client("CLIENT KILL 1.2.3.4:5", ClientCommand::KillAddress("1.2.3.4:5".into()));
    check("ID 7", ClientKill { id: Some(ConnectionId::new(7)), ..kill.clone() });
    check("ADDR a:1", ClientKill { address: Some("a:1".into()), ..kill.clone() });
    check("laddr a:1", ClientKill { local_address: Some("a:1".into()), ..kill.clone() });
    check("USER u", ClientKill { user: Some("u".into()), ..kill.clone() });
    check("MAXAGE 9", ClientKill { age_s_min: Some(9), ..kill.clone() });
    check(
        "TYPE pubsub SKIPME no",
        ClientKill { kind: Some(ClientKind::PubSub), myself: Myself::Include, ..kill.clone() },
    );
    refuse("CLIENT KILL", "ERR wrong number of arguments for 'client|kill' command");
    for bad in ["abc", "0", "-1"] {
        refuse(&format!("CLIENT KILL ID {bad}"), "ERR client-id should be greater than 0");
    }
    refuse("CLIENT KILL ID 1 FOO", SYNTAX);
    refuse("CLIENT KILL foo bar", SYNTAX);
    refuse("CLIENT KILL TYPE foo", "ERR Unknown client type 'foo'");
    refuse("CLIENT KILL TYPE normal SKIPME maybe", SYNTAX);
}

#[test]
fn nothing_is_tracked() {
    reply("CLIENT TRACKING OFF", Frame::OK);
    reply("CLIENT GETREDIR", Frame::Integer(-1));
    refuse("CLIENT TRACKING ON", "ERR client-side caching is not supported by this server");
    refuse("CLIENT TRACKING foo", SYNTAX);
    refuse(
        "CLIENT CACHING yes",
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    );
    assert!(matches!(crate::check::parsed("CLIENT TRACKINGINFO"), Ok(Parsed::Reply(Frame::Map(_)))));
}
