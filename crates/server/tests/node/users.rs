//! Users of one node: rights, logins, and what becomes of connections whose user changes.

use crate::process::{Client, Server};

const WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.";
const NO_KEY: &str = "-NOPERM No permissions to access a key";

fn no_command(user: &str, command: &str) -> String {
    format!("-NOPERM User {user} has no permissions to run the '{command}' command")
}

fn logged_in(server: &Server, user: &str, password: &str) -> Client {
    let mut client = server.connect();
    client.check(&format!("AUTH {user} {password}"), "+OK");
    client
}

#[test]
fn a_user_does_what_it_may_and_nothing_else() {
    let server = Server::start();
    let mut operator = server.connect();
    operator.check("ACL WHOAMI", "$7 default");
    operator.check("ACL SETUSER bob on >pw +@stream +multi +exec -xtrim ~k* %R~log*", "+OK");
    server.connect().check_line("AUTH bob wrong", WRONG);
    server.connect().check_line("AUTH nobody pw", WRONG);
    let mut bob = logged_in(&server, "bob", "pw");
    bob.check("XADD k 1-1 f v", "$3 1-1");
    bob.check_line("XADD other 1-1 f v", NO_KEY);
    bob.check_line("XADD log 1-1 f v", NO_KEY);
    bob.check("XLEN log", ":0");
    bob.check_line("XTRIM k MAXLEN 0", &no_command("bob", "xtrim"));
    bob.check_line("ACL WHOAMI", &no_command("bob", "acl|whoami"));
    bob.check_line("XREAD STREAMS k other 0 0", NO_KEY);
    bob.send("HELLO 3 AUTH bob pw SETNAME me");
    assert_eq!(bob.line(), "%7");
    operator.send("CLIENT LIST");
    operator.line();
    let lines = [operator.text_line(), operator.text_line()];
    assert!(lines.iter().any(|line| line.contains(" name=me ") && line.contains(" user=bob ")), "{lines:?}");
}

#[test]
fn rights_change_under_a_connection() {
    let server = Server::start();
    let mut operator = server.connect();
    operator.check("ACL SETUSER bob on nopass +@all ~*", "+OK");
    let mut bob = logged_in(&server, "bob", "any");
    bob.check("XLEN k", ":0");
    operator.check("ACL SETUSER bob -xlen resetkeys ~a", "+OK");
    bob.check_line("XLEN a", &no_command("bob", "xlen"));
    bob.check_line("XADD k 1-1 f v", NO_KEY);
    // Disabled: who is in stays in, nobody comes.
    operator.check("ACL SETUSER bob off", "+OK");
    bob.check("PING", "+PONG");
    server.connect().check_line("AUTH bob any", WRONG);
    bob.check("RESET", "+RESET");
    bob.check("ACL WHOAMI", "$7 default");
}

#[test]
fn connections_of_a_deleted_user_end() {
    let server = Server::start();
    let mut operator = server.connect();
    operator.check("ACL SETUSER bob on nopass +@all ~*", "+OK");
    operator.check("ACL SETUSER eve on nopass +@all ~*", "+OK");
    let (mut idle, mut blocked) = (logged_in(&server, "bob", "x"), logged_in(&server, "bob", "x"));
    let mut eve = logged_in(&server, "eve", "x");
    blocked.send("XREAD BLOCK 0 STREAMS s $");
    operator.wait_for_blocked(1);
    operator.check("ACL DELUSER bob nobody", ":1");
    assert_eq!(idle.read_to_end(), "");
    assert_eq!(blocked.read_to_end(), "-NOAUTH Authentication required.\r\n");
    server.connect().check_line("AUTH bob x", WRONG);
    operator.check_line("ACL DELUSER eve default", "-ERR The 'default' user cannot be removed");
    // Who deletes itself is told so first.
    eve.send("ACL DELUSER eve");
    assert_eq!(eve.read_to_end(), ":1\r\n");
    operator.check("ACL USERS", "*1 $7 default");
}

#[test]
fn a_waiting_read_is_judged_again_when_it_wakes() {
    let server = Server::start();
    let (mut operator, mut writer) = (server.connect(), server.connect());
    operator.check("ACL SETUSER bob on nopass +@all ~*", "+OK");
    let mut bob = logged_in(&server, "bob", "x");
    bob.send("XREAD BLOCK 0 STREAMS s $");
    operator.wait_for_blocked(1);
    operator.check("ACL SETUSER bob resetkeys ~other", "+OK");
    writer.check("XADD s 1-1 f v", "$3 1-1");
    bob.expect_raw(&format!("{NO_KEY}\r\n"));
}

#[test]
fn a_transaction_is_judged_when_queued_and_when_executed() {
    let server = Server::start();
    let mut operator = server.connect();
    operator.check("ACL SETUSER bob on nopass +@all -xlen ~k", "+OK");
    let mut bob = logged_in(&server, "bob", "x");
    bob.check("MULTI", "+OK");
    bob.check("XADD k 1-1 f v", "+QUEUED");
    bob.check_line("XLEN k", &no_command("bob", "xlen"));
    bob.check_line("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
    bob.send("MULTI\nXADD k 1-1 f v\nXRANGE k - +\nPING");
    bob.expect("+OK +QUEUED +QUEUED +QUEUED");
    operator.check("ACL SETUSER bob -xadd resetkeys", "+OK");
    bob.send("EXEC");
    bob.expect("*3");
    const CHANGED: &str = "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC \
                           call. This command is no longer allowed for the following reason: no permission to ";
    bob.expect_raw(&format!("{CHANGED}run the command or subcommand\r\n"));
    bob.expect_raw(&format!("{CHANGED}touch the specified keys\r\n+PONG\r\n"));
    operator.check("ACL SETUSER bob -exec", "+OK");
    bob.check("MULTI", "+OK");
    let refused = no_command("bob", "exec");
    bob.check_line(
        "EXEC",
        &format!("-EXECABORT Transaction discarded because of: {}", refused.trim_start_matches('-')),
    );
    bob.check_line("DISCARD", "-ERR DISCARD without MULTI");
}

#[test]
fn the_default_user_can_be_restricted_and_asked_for_a_password() {
    let server = Server::start();
    let mut operator = server.connect();
    operator.check("ACL SETUSER admin on >boss +@all ~* &*", "+OK");
    let mut admin = logged_in(&server, "admin", "boss");
    admin.check("ACL SETUSER default -@dangerous", "+OK");
    operator.check_line("CONFIG GET port", &no_command("default", "config|get"));
    admin.check("ACL SETUSER default resetpass >pw", "+OK");
    // Who was let in stays; a new one is asked.
    operator.check("XLEN s", ":0");
    let mut stranger = server.connect();
    stranger.check_line("XLEN s", "-NOAUTH Authentication required.");
    stranger.check_line("AUTH nope", WRONG);
    stranger.check("AUTH pw", "+OK");
    stranger.check("XLEN s", ":0");
    admin.check("CONFIG SET requirepass other", "+OK");
    server.connect().check_line("AUTH pw", WRONG);
    server.connect().check("AUTH default other", "+OK");
    admin.check("ACL SETUSER default nopass", "+OK");
    server.connect().check("XLEN s", ":0");
    admin.check("ACL SETUSER default off", "+OK");
    server.connect().check_line("XLEN s", "-NOAUTH Authentication required.");
}

#[test]
fn a_configured_password_is_asked_for_until_the_cluster_has_another() {
    let config = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(config.path(), "requirepass = \"first\"\n").expect("written");
    let mut server = Server::start_with(&[&format!("--config={}", config.path().display())]);
    let mut client = server.connect();
    client.check_line("XLEN s", "-NOAUTH Authentication required.");
    client.check_line("AUTH second", WRONG);
    client.check("AUTH first", "+OK");
    client.check("CONFIG GET requirepass", "*2 $11 requirepass $5 first");
    // Any change makes a definition, of what the node knew.
    client.check("ACL SETUSER default -@dangerous +config", "+OK");
    server.connect().check("AUTH first", "+OK");
    client.check("CONFIG SET requirepass second", "+OK");
    server.kill();
    server.restart();
    server.connect().check_line("AUTH first", WRONG);
    server.connect().check("AUTH second", "+OK");
    client = server.connect();
    client.check("AUTH default second", "+OK");
    client.send_raw(b"*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$11\r\nrequirepass\r\n$2\r\n\xff\xfe\r\n");
    client.expect_raw(
        "-ERR CONFIG SET failed (possibly related to argument 'requirepass') - argument must be UTF-8\r\n",
    );
    client.check("CONFIG SET requirepass \"\"", "+OK");
    server.connect().check("XLEN s", ":0");
}

#[test]
fn definitions_and_what_the_log_keeps_of_a_key_are_bounded() {
    let server = Server::start();
    let mut operator = server.connect();
    const LARGE: &str = "-ERR The user's definition is larger than the server accepts";
    // 64 KiB: a byte for each word beside its own, and 64 for the definition itself.
    let pattern = |bytes: usize| "x".repeat(bytes);
    // An inline request would be too long.
    let mut set_user = |rule: &str, expected: &str| {
        let words = ["ACL", "SETUSER", "bob", rule];
        let request: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        operator.send_raw(format!("*4\r\n{request}").as_bytes());
        operator.expect_raw(&format!("{expected}\r\n"));
    };
    set_user(&format!("~{}", pattern(64 * 1024 - 1)), LARGE);
    set_user(&format!("~{}", pattern(64 * 1024 - 66)), LARGE);
    set_user(&format!("~{}", pattern(64 * 1024 - 67)), "+OK");
    set_user("~y", LARGE);
    set_user("resetkeys", "+OK");
    operator.check("ACL SETUSER bob on nopass +xlen", "+OK");
    let mut bob = logged_in(&server, "bob", "x");
    let key = pattern(2000);
    bob.check_line(&format!("XLEN {key}"), NO_KEY);
    operator.send("ACL LOG");
    operator.expect("*1 *20 $5 count :1 $6 reason $3 key $7 context $8 toplevel $6 object");
    operator.expect(&format!("$1024 {}", &key[..1024]));
}

#[test]
fn a_monitor_ends_with_its_user() {
    let server = Server::start();
    let mut operator = server.connect();
    operator.check("ACL SETUSER bob on nopass +@all ~*", "+OK");
    let mut bob = logged_in(&server, "bob", "x");
    bob.check("MONITOR", "+OK");
    operator.check("XLEN s", ":0");
    operator.check("ACL DELUSER bob", ":1");
    let seen = bob.read_to_end();
    assert!(seen.contains("\"XLEN\" \"s\"") && !seen.contains("DELUSER"), "{seen}");
}

#[test]
fn refusals_are_logged() {
    let server = Server::start();
    let mut operator = server.connect();
    operator.check("ACL SETUSER bob on >pw +xlen +multi ~a", "+OK");
    server.connect().check_line("auth bob wrong", WRONG);
    let mut bob = logged_in(&server, "bob", "pw");
    for _ in 0..2 {
        bob.check_line("XLEN b", NO_KEY);
    }
    bob.check("MULTI", "+OK");
    bob.check_line("GET b", "-ERR unknown command 'GET', with args beginning with: 'b' ");
    bob.check_line("DEL b", &no_command("bob", "del"));
    operator.send("ACL LOG");
    operator.expect("*3");
    for (count, reason, context, object, id) in [
        (1, "command", "multi", "del", 2),
        (2, "key", "toplevel", "b", 1),
        (1, "auth", "toplevel", "auth", 0),
    ] {
        let bulk = |text: &str| format!("${} {text}", text.len());
        operator.expect(&format!(
            "*20 $5 count :{count} $6 reason {} $7 context {} $6 object {} $8 username $3 bob $11 age-seconds",
            bulk(reason),
            bulk(context),
            bulk(object)
        ));
        operator.line();
        assert!(operator.line().parse::<f64>().is_ok_and(|age| (0.0..600.0).contains(&age)));
        operator.expect("$11 client-info");
        operator.line();
        let info = operator.line();
        assert!(info.starts_with("id=") && info.contains(" cmd="), "{info}");
        operator.expect(&format!("$8 entry-id :{id} $17 timestamp-created"));
        operator.line();
        operator.expect("$22 timestamp-last-updated");
        operator.line();
    }
    operator.check("CONFIG SET acllog-max-len 1", "+OK");
    bob.check_line("DEL c", &no_command("bob", "del"));
    operator.check("ACL LOG RESET", "+OK");
    operator.check("ACL LOG", "*0");
    operator.send("INFO stats");
    let header = operator.line();
    assert!(header.starts_with('$'), "{header}");
    let mut text = Vec::new();
    while !text.iter().any(|line: &String| line.starts_with("acl_access_denied_channel:")) {
        text.push(operator.text_line());
    }
    for line in ["acl_access_denied_auth:1", "acl_access_denied_cmd:2", "acl_access_denied_key:2"] {
        assert!(text.iter().any(|found| found.trim_end() == line), "{line}: {text:?}");
    }
}

#[test]
fn users_outlive_the_node() {
    let mut server = Server::start();
    let mut operator = server.connect();
    operator.check("ACL SETUSER bob on >pw +@all ~*", "+OK");
    operator.check("ACL SETUSER default resetpass >dw", "+OK");
    server.kill();
    server.restart();
    server.connect().check_line("XLEN s", "-NOAUTH Authentication required.");
    let mut bob = logged_in(&server, "bob", "pw");
    bob.check("XLEN s", ":0");
    bob.send("ACL LIST");
    bob.expect("*2");
    let lines: Vec<String> = (0..4).map(|_| bob.line()).collect();
    let hash = "30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4";
    assert_eq!(lines[1], format!("user bob on sanitize-payload #{hash} ~* resetchannels +@all"));
    assert!(lines[3].starts_with("user default on sanitize-payload #") && lines[3].ends_with(" ~* &* +@all"));
}

#[test]
fn connections_of_a_user_can_be_killed() {
    let server = Server::start();
    let mut operator = server.connect();
    operator.check("ACL SETUSER bob on nopass +@all ~*", "+OK");
    let mut bob = logged_in(&server, "bob", "x");
    operator.check("CLIENT KILL USER bob", ":1");
    assert_eq!(bob.read_to_end(), "");
    operator.check("ACL SETUSER eve on", "+OK");
    operator.check("CLIENT KILL USER eve", ":0");
    operator.check_line("CLIENT KILL USER nobody", "-ERR No such user 'nobody'");
}
