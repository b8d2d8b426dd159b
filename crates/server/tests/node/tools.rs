//! What operators, exporters and consoles send.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use redis::{RedisResult, Value};

use crate::process::{Client, Server};

fn connect(server: &Server) -> redis::Connection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).expect("an address");
    client.get_connection().expect("a connection")
}

fn ask<T: redis::FromRedisValue>(connection: &mut redis::Connection, line: &str) -> RedisResult<T> {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().expect("a command"));
    for word in words {
        command.arg(word);
    }
    command.query(connection)
}

fn get<T: redis::FromRedisValue>(connection: &mut redis::Connection, line: &str) -> T {
    ask(connection, line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// `name:value` lines of INFO, or `name=value` words of CLIENT LIST.
fn fields(text: &str, between: char) -> HashMap<String, String> {
    let separate =
        |line: &str| line.split_once(between).map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.split([' ', '\n']).map(str::trim_end).filter_map(separate).collect()
}

fn info(connection: &mut redis::Connection, section: &str) -> HashMap<String, String> {
    fields(&get::<String>(connection, &format!("INFO {section}")), ':')
}

fn configured(lines: &str) -> (Server, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), lines).expect("written");
    (Server::start_with(&[&format!("--config={}", file.path().display())]), file)
}

type SlowEntry = (u64, u64, u64, Vec<String>, String, String);

#[test]
fn the_slow_log_has_what_was_slow_and_no_secrets() {
    let server = Server::start();
    let mut connection = connect(&server);
    assert_eq!(get::<u64>(&mut connection, "SLOWLOG LEN"), 0, "nothing takes a tenth of a second");
    let () = get(&mut connection, "CLIENT SETNAME operator");
    let () = get(&mut connection, "CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 3");
    let () = get(&mut connection, "XADD s 1-1 f v");
    let _: RedisResult<()> = ask(&mut connection, "AUTH someone hunter2");
    let entries: Vec<SlowEntry> = get(&mut connection, "SLOWLOG GET 2");
    let (auth, xadd) = (&entries[0], &entries[1]);
    assert_eq!(auth.3, ["AUTH", "(redacted)", "(redacted)"]);
    assert_eq!(xadd.3, ["XADD", "s", "1-1", "f", "v"]);
    assert_eq!((auth.0, &xadd.5[..]), (xadd.0 + 1, "operator"));
    assert!(xadd.4.starts_with("127.0.0.1:") && xadd.1 > 1_600_000_000 && xadd.2 > 0, "{xadd:?}");
    (0..5).for_each(|_| get(&mut connection, "PING"));
    assert_eq!(get::<u64>(&mut connection, "SLOWLOG LEN"), 3);
    let all: Vec<SlowEntry> = get(&mut connection, "SLOWLOG GET -1");
    assert!(all.len() == 3 && all[0].0 > auth.0 + 3, "ids count also what is not kept: {all:?}");
    let () = get(&mut connection, "CONFIG SET slowlog-log-slower-than -1");
    let () = get(&mut connection, "SLOWLOG RESET");
    let () = get(&mut connection, "PING");
    assert_eq!(get::<u64>(&mut connection, "SLOWLOG LEN"), 0);
}

#[test]
fn a_pipeline_enters_the_slow_log_in_order_and_bounded() {
    let server = Server::start();
    let mut connection = connect(&server);
    let () = get(&mut connection, "CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 5");
    let mut pipeline = redis::pipe();
    for n in 1..=100 {
        pipeline.cmd("XADD").arg("s").arg(format!("{n}-1")).arg("f").arg("v");
    }
    let _: Vec<String> = pipeline.query(&mut connection).expect("added");
    let entries: Vec<SlowEntry> = get(&mut connection, "SLOWLOG GET 5");
    let ids: Vec<&str> = entries.iter().map(|entry| entry.3[2].as_str()).collect();
    assert_eq!(ids, ["100-1", "99-1", "98-1", "97-1", "96-1"]);
}

#[test]
fn waiting_for_data_is_not_slow() {
    let server = Server::start();
    let mut connection = connect(&server);
    let () = get(&mut connection, "CONFIG SET slowlog-log-slower-than 300000 latency-monitor-threshold 300");
    let () = get(&mut connection, "XREAD BLOCK 700 STREAMS s $");
    assert_eq!(get::<Vec<SlowEntry>>(&mut connection, "SLOWLOG GET"), []);
    assert_eq!(get::<Vec<Value>>(&mut connection, "LATENCY HISTORY command"), []);
    let stats = info(&mut connection, "commandstats");
    let micros =
        fields(&stats["cmdstat_xread"].replace(',', " "), '=')["usec"].parse::<u64>().expect("a number");
    assert!(micros < 300_000, "a read that waits is not at work: {micros}");
}

#[test]
fn latencies_are_noted_drawn_and_forgotten() {
    let (server, _file) = configured("enable-debug-command = \"yes\"\nlatency-monitor-threshold = 20\n");
    let mut connection = connect(&server);
    let () = get(&mut connection, "DEBUG SLEEP 0.03");
    let latest: Vec<(String, u64, u64, u64)> = get(&mut connection, "LATENCY LATEST");
    let command = latest.iter().find(|event| event.0 == "command").expect("a slow command");
    assert!(command.2 >= 30 && command.3 >= command.2 && command.1 > 1_600_000_000, "{command:?}");
    let history: Vec<(u64, u64)> = get(&mut connection, "LATENCY HISTORY command");
    assert_eq!(history, [(command.1, command.2)]);
    assert_eq!(get::<Vec<Value>>(&mut connection, "LATENCY HISTORY fork"), []);
    assert!(get::<String>(&mut connection, "LATENCY GRAPH command").starts_with("command - high"));
    assert!(get::<String>(&mut connection, "LATENCY DOCTOR").contains("1. command"));
    assert_eq!(get::<u64>(&mut connection, "LATENCY RESET command fork"), 1);
    assert!(ask::<Value>(&mut connection, "LATENCY GRAPH command").is_err());
    let histogram: HashMap<String, HashMap<String, Value>> =
        get(&mut connection, "LATENCY HISTOGRAM debug xadd");
    assert_eq!(histogram.len(), 1, "xadd was not called");
    assert_eq!(histogram["debug"]["calls"], Value::Int(1));
}

#[test]
fn a_monitor_sees_what_others_run() {
    let server = Server::start();
    let (mut monitor, mut client) = (server.connect(), server.connect());
    monitor.check("MONITOR", "+OK");
    client.check("SELECT 3", "+OK");
    client.check("XADD s 1-1 f v", "$3 1-1");
    client.check("CONFIG SET timeout 0", "+OK");
    client.check_line("NONSENSE x", "-ERR unknown command 'NONSENSE', with args beginning with: 'x' ");
    client.check("MULTI", "+OK");
    client.check("XLEN s", "+QUEUED");
    client.check("EXEC", "*1 :1");
    client.send("AUTH hunter2");
    assert!(client.line().starts_with("-ERR AUTH"));
    let mut shown = || {
        let line = monitor.line();
        let (before, command) = line.split_once("] ").unwrap_or_else(|| panic!("{line}"));
        assert!(before.starts_with('+') && before.contains(" 127.0.0.1:"), "{line}");
        (before.contains("[3 "), command.to_owned())
    };
    // Neither what operators do nor what was refused before it ran; a transaction when it runs.
    assert_eq!(shown(), (false, "\"SELECT\" \"3\"".to_owned()));
    assert_eq!(shown(), (true, "\"XADD\" \"s\" \"1-1\" \"f\" \"v\"".to_owned()));
    assert_eq!(shown(), (true, "\"MULTI\"".to_owned()));
    assert_eq!(shown(), (true, "\"XLEN\" \"s\"".to_owned()));
    assert_eq!(shown(), (true, "\"EXEC\"".to_owned()));
    assert_eq!(shown(), (true, "\"AUTH\" \"(redacted)\"".to_owned()));
    client.send("CLIENT LIST");
    let header = client.line();
    assert!(header.starts_with('$'), "{header}");
    assert!(client.text_line().contains(" flags=O "));
    monitor.send("RESET\nPING");
    let mut last = String::new();
    while last != "+PONG" {
        last = monitor.line();
    }
}

#[test]
fn a_transaction_may_not_monitor_nor_save() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("MULTI\nMONITOR\nEXEC\nMULTI\nSAVE\nEXEC");
    client.expect("+OK +QUEUED *1");
    client.expect_raw("-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n");
    client.expect("+OK");
    client.expect_raw("-ERR Command not allowed inside a transaction\r\n");
    client.expect_raw("-EXECABORT Transaction discarded because of previous errors.\r\n");
}

#[test]
fn client_list_tells_what_is() {
    let server = Server::start();
    let (mut first, mut other) = (connect(&server), server.connect());
    let id = other.id();
    other.check("CLIENT SETNAME watcher", "+OK");
    other.check("CLIENT SETINFO LIB-NAME raw", "+OK");
    other.check("CLIENT NO-EVICT on", "+OK");
    other.check("CLIENT NO-TOUCH ON", "+OK");
    other.check("SELECT 2", "+OK");
    other.check("WATCH a b", "+OK");
    other.check("MULTI", "+OK");
    other.check("XLEN s", "+QUEUED");
    let line: String = get(&mut first, &format!("CLIENT LIST ID {id}"));
    let told = fields(&line, '=');
    for (name, value) in [
        ("name", "watcher"),
        ("lib-name", "raw"),
        ("flags", "xeT"),
        ("db", "2"),
        ("watch", "2"),
        ("multi", "1"),
        ("cmd", "xlen"),
        ("qbuf", "0"),
        ("obl", "0"),
        ("events", "r"),
        ("resp", "2"),
        ("user", "default"),
        // CLIENT ID among them.
        ("tot-cmds", "9"),
    ] {
        assert_eq!(told.get(name).map(String::as_str), Some(value), "{name} in {line}");
    }
    let number = |name: &str| told[name].parse::<u64>().unwrap_or_else(|_| panic!("{name} in {line}"));
    assert!(number("fd") > 2 && number("tot-net-in") > 100 && number("tot-net-out") > 20, "{line}");
    assert!(number("multi-mem") > 0 && number("tot-mem") > number("multi-mem"), "{line}");
    let nobody: String = get(&mut first, "CLIENT LIST TYPE pubsub");
    assert_eq!(nobody, "");
}

#[test]
fn info_has_what_exporters_look_for_and_it_is_true() {
    let server = Server::start();
    let mut connection = connect(&server);
    let () = get(&mut connection, "CONFIG RESETSTAT");
    let () = get(&mut connection, "XADD s 1-1 f v");
    let _: RedisResult<Value> = ask(&mut connection, "XGROUP CREATE none g 0");
    let _: RedisResult<Value> = ask(&mut connection, "XLEN");
    let _: RedisResult<Value> = ask(&mut connection, "XGROUP CREATE s g 0");
    let _: RedisResult<Value> = ask(&mut connection, "XGROUP CREATE s g 0");
    let mut transaction = redis::pipe();
    let (length,): (u64,) =
        transaction.atomic().cmd("XLEN").arg("s").query(&mut connection).expect("a transaction");
    assert_eq!(length, 1);
    let all = info(&mut connection, "everything");
    for name in [
        "redis_version",
        "uptime_in_seconds",
        "connected_clients",
        "blocked_clients",
        "maxclients",
        "used_memory",
        "used_memory_rss",
        "used_memory_peak",
        "maxmemory",
        "mem_clients_normal",
        "loading",
        "rdb_changes_since_last_save",
        "rdb_last_save_time",
        "aof_enabled",
        "total_connections_received",
        "total_commands_processed",
        "instantaneous_ops_per_sec",
        "total_net_input_bytes",
        "rejected_connections",
        "total_error_replies",
        "role",
        "connected_slaves",
        "master_repl_offset",
        "used_cpu_sys",
        "used_cpu_user",
        "cluster_enabled",
        "db0",
        "latency_percentiles_usec_xadd",
    ] {
        assert!(all.contains_key(name), "{name} is missing of {all:?}");
    }
    assert_eq!(all["db0"], "keys=1,expires=0,avg_ttl=0,subexpiry=0");
    assert_eq!((all["errorstat_ERR"].as_str(), all["errorstat_BUSYGROUP"].as_str()), ("count=2", "count=1"));
    let stats = |name: &str| fields(&all[&format!("cmdstat_{name}")].replace(',', " "), '=');
    let xlen = stats("xlen");
    assert_eq!((xlen["calls"].as_str(), xlen["rejected_calls"].as_str()), ("1", "1"), "counted when it ran");
    let create = stats("xgroup|create");
    assert_eq!((create["calls"].as_str(), create["failed_calls"].as_str()), ("3", "2"));
    let several: String = get(&mut connection, "INFO cpu cluster nonsense");
    let titles: Vec<&str> = several.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(titles, ["# CPU", "# Cluster"]);
    let () = get(&mut connection, "CONFIG RESETSTAT");
    assert!(!info(&mut connection, "errorstats").contains_key("errorstat_ERR"));
}

#[test]
fn saves_take_snapshots() {
    let server = Server::start();
    let mut connection = connect(&server);
    let started: u64 = get(&mut connection, "LASTSAVE");
    let () = get(&mut connection, "XADD s 1-1 f v");
    let covered = |connection: &mut redis::Connection| {
        let told = info(connection, "persistence");
        told["rdb_changes_since_last_save"].parse::<u64>().expect("a number")
    };
    assert!(covered(&mut connection) > 0);
    assert_eq!(get::<String>(&mut connection, "SAVE"), "OK");
    // Replicas may have applied an entry of their own meanwhile.
    assert!(covered(&mut connection) <= 4);
    assert!(get::<u64>(&mut connection, "LASTSAVE") >= started);
    let () = get(&mut connection, "XADD s 2-1 f v");
    assert_eq!(get::<String>(&mut connection, "BGSAVE"), "Background saving started");
    let began = Instant::now();
    while info(&mut connection, "persistence")["rdb_bgsave_in_progress"] != "0" {
        assert!(began.elapsed() < Duration::from_secs(20), "the save does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(info(&mut connection, "persistence")["rdb_last_bgsave_status"], "ok");
    assert_eq!(
        get::<String>(&mut connection, "BGREWRITEAOF"),
        "Background append only file rewriting started"
    );
}

#[test]
fn shutdown_is_a_way_to_stop() {
    let mut server = Server::start();
    let mut client: Client = server.connect();
    client.check("XADD s 1-1 f v", "$3 1-1");
    client.check_line("SHUTDOWN ABORT", "-ERR No shutdown in progress.");
    client.send("SHUTDOWN SAVE");
    assert_eq!(client.read_to_end(), "", "no reply tells that all went well");
    assert!(server.wait_for_end().success());
    server.restart();
    server.connect().check("XLEN s", ":1");
}

#[test]
fn debug_is_for_where_it_is_allowed() {
    let refused = "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run \
                   it from a local connection, otherwise you need to set this option in the configuration file, and \
                   then restart the server.";
    let server = Server::start();
    let mut client = server.connect();
    for line in ["DEBUG SLEEP 0", "DEBUG HELP", "DEBUG NONSENSE"] {
        client.check_line(line, refused);
    }
    client.check_line(
        "CONFIG SET enable-debug-command yes",
        "-ERR CONFIG SET failed (possibly related to argument 'enable-debug-command') - can't set immutable config",
    );
    let (server, _file) = configured("enable-debug-command = \"local\"\n");
    let mut client = server.connect();
    client.check("DEBUG SLEEP 0", "+OK");
    client.check("XADD s 1-1 f v", "$3 1-1");
    client.send("DEBUG OBJECT s");
    assert!(client.line().starts_with("+refcount:1 encoding:stream memory:"));
    client.check_line("DEBUG OBJECT none", "-ERR no such key");
    client.check("DEBUG PROTOCOL true", ":1");
    client.check("DEBUG PROTOCOL null", "$-1");
}

#[test]
fn config_rewrite_outlives_the_process() {
    let (mut server, file) = configured("# kept\nmaxclients = 50\n");
    let mut connection = connect(&server);
    let () = get(&mut connection, "CONFIG SET maxclients 60 timeout 100");
    assert_eq!(get::<String>(&mut connection, "CONFIG REWRITE"), "OK");
    let text = std::fs::read_to_string(file.path()).expect("there");
    assert_eq!(text, "# kept\nmaxclients = 60\ntimeout = 100\n");
    server.terminate();
    server.restart();
    let told: HashMap<String, String> = get(&mut connect(&server), "CONFIG GET maxclients timeout");
    assert_eq!((told["maxclients"].as_str(), told["timeout"].as_str()), ("60", "100"));
    let without = Server::start();
    without.connect().check_line("CONFIG REWRITE", "-ERR The server is running without a config file");
}

#[test]
fn config_set_is_all_or_nothing() {
    let server = Server::start();
    let mut client = server.connect();
    client.check_line(
        "CONFIG SET timeout 5 maxclients none",
        "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't be parsed into an integer",
    );
    client.check("CONFIG GET timeout", "*2 $7 timeout $1 0");
}

#[test]
fn what_would_change_who_replicates_what_is_refused() {
    let server = Server::start();
    let mut client = server.connect();
    client.check_line("REPLICAOF NO ONE", "-ERR REPLICAOF not allowed in cluster mode.");
    client.check_line("FAILOVER ABORT", "-ERR FAILOVER not allowed in cluster mode.");
    client.check("CLIENT TRACKING off", "+OK");
    client.check_line("CLIENT TRACKING on", "-ERR client-side caching is not supported by this server");
    client.check("PING", "+PONG");
}
