"""Debian's redis-tools: redis-cli in its modes, and redis-benchmark.

`redis-cli --rdb`, `--functions-rdb` and `--replica` ask for Redis' own replication and are refused; `--hotkeys` needs
an LFU policy, which a store that never evicts has not.
"""

import os
import pty
import re
import shutil
import subprocess
import threading
import time

import pytest
from conftest import wait_until

pytestmark = pytest.mark.skipif(shutil.which("redis-cli") is None, reason="redis-tools is not installed")


def run(program, port, *arguments, timeout=60, **options):
    """The output of a tool that must succeed."""
    command = [program, "-h", "127.0.0.1", "-p", str(port), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)
    assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
    return done.stdout


def watch(port, *arguments, seconds):
    """What a tool that never ends prints to a terminal in some seconds."""
    terminal, tool_side = pty.openpty()
    command = ["redis-cli", "-p", str(port), *arguments]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=tool_side, stderr=tool_side) as tool:
        os.close(tool_side)
        time.sleep(seconds)
        tool.kill()
        printed = b""
        try:
            while part := os.read(terminal, 65536):
                printed += part
        except OSError:  # the terminal's end, as Linux tells it
            pass
        os.close(terminal)
    return printed.decode()


def encoded(*words):
    """A command in RESP."""
    parts = [f"${len(word)}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n" + "".join(parts)


def total_length(client, pattern):
    return sum(client.xlen(key) for key in client.scan_iter(pattern, count=1000))


def test_benchmark_of_xadd(disturbed, key):
    """Every request the benchmark counts is an entry: with and without pipelines, many connections."""
    cluster, disturbance = disturbed
    client = cluster.client(1)
    payload = "x" * 100
    for clients, pipeline, requests in ((50, 1, 4000), (50, 16, 20000), (1, 1, 200)):
        stream = f"{key}:{clients}:{pipeline}"
        strike = threading.Timer(0.3, disturbance.strike) if pipeline == 16 else None
        if strike:
            strike.start()
        options = ["-c", clients, "-P", pipeline, "-n", requests, "--csv"]
        output = run("redis-benchmark", cluster.ports[0], *options, "XADD", stream, "*", "f", payload)
        if strike:
            strike.join()
        assert re.search(r'^"XADD .*","\d+', output, re.MULTILINE), output
        assert client.xlen(stream) == requests
    assert len(client.xrange(f"{key}:1:1", count=1)[0][1]["f"]) == len(payload)


def test_benchmark_of_a_cluster(shared_cluster, redirects, key):
    """The benchmark finds the leaders and sends each what is its own."""
    def leaders():
        nodes = shared_cluster.client(0).execute_command("CLUSTER NODES")
        return sum("master" in node["flags"] for node in nodes.values())

    wait_until(lambda: leaders() == 3)
    options = ["--cluster", "-c", 12, "-P", 4, "-n", 6000, "-q"]
    output = run("redis-benchmark", shared_cluster.ports[0], *options, "XADD", key + ":{tag}", "*", "f", "v")
    assert "Cluster has 3 master nodes" in output
    shared_cluster.client(0).config_set("cluster-redirects", "no")
    assert total_length(shared_cluster.client(0), f"{escaped(key)}:*") == 6000


def escaped(key):
    """A key as a pattern that matches itself."""
    return re.sub(r"([\[\]*?\\])", r"\\\1", key)


def test_mass_insertion(disturbed, key):
    """100,000 entries through `--pipe`: as many replies, and as many entries."""
    cluster, disturbance = disturbed
    entries, streams = 100_000, 8
    commands = "".join(encoded("XADD", f"{key}:{n % streams}", "*", "n", str(n)) for n in range(entries))
    strike = threading.Timer(0.3, disturbance.strike)
    strike.start()
    output = run("redis-cli", cluster.ports[0], "--pipe", input=commands, timeout=110)
    strike.join()
    assert f"errors: 0, replies: {entries}" in output
    client = cluster.client(1)
    for stream in range(streams):
        assert client.xlen(f"{key}:{stream}") == entries // streams
        last = client.xrevrange(f"{key}:{stream}", count=1)[0][1]["n"]
        assert int(last) == entries - streams + stream
    for stream in range(streams):
        client.delete(f"{key}:{stream}")


def test_looking_for_keys(shared_cluster):
    """In a database of its own, since these modes look at every key there is."""
    database = 5
    client = shared_cluster.client(0, db=database)
    for size in range(1, 31):
        with client.pipeline(transaction=False) as pipe:
            for _ in range(size * 20):
                pipe.xadd(f"stream:{size}", {"f": "v" * 50})
            pipe.execute()
    port = shared_cluster.ports[1]
    found = run("redis-cli", port, "-n", database, "--scan", "--pattern", "stream:*").split()
    assert sorted(found) == sorted(f"stream:{size}" for size in range(1, 31))
    for mode, unit, count in (("--bigkeys", "entries", "600"), ("--memkeys", "bytes", None)):
        output = run("redis-cli", port, "-n", database, mode)
        summary = output[output.index("summary"):]
        biggest = re.search(rf"Biggest stream found '\"(.*)\"' has (\d+) {unit}", summary)
        assert biggest and biggest[1] == "stream:30" and count in (None, biggest[2]), output
        assert re.search(rf"^30 streams with \d+ {unit}", summary, re.MULTILINE), output
    client.flushdb()


def test_watching(shared_cluster):
    stat = watch(shared_cluster.ports[0], "--stat", "-i", "0.2", seconds=2)
    rows = re.findall(r"^(\d+) +[\d.]+[BKMG] +(\d+) +(\d+) +(\d+) \(\+\d+\) +(\d+)", stat, re.MULTILINE)
    assert len(rows) >= 2, stat
    latency = watch(shared_cluster.ports[0], "--latency", seconds=2)
    assert re.search(r"min: \d+, max: \d+, avg: [\d.]+ \(\d+ samples\)", latency), latency


def test_cluster_mode(shared_cluster, redirects, key):
    """`-c` follows MOVED where there is any."""
    for port in shared_cluster.ports:
        for number in range(10):
            run("redis-cli", port, "-c", "XADD", f"{key}:{number}", "*", "n", number)
    for number in range(10):
        assert run("redis-cli", shared_cluster.ports[2], "-c", "XLEN", f"{key}:{number}").split()[-1] == "3"


def test_cluster_check_and_info(shared_cluster, redirects):
    address = f"127.0.0.1:{shared_cluster.ports[0]}"
    for command in ("check", "info"):
        done = subprocess.run(["redis-cli", "--cluster", command, address], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"\[OK\] \d+ keys in [123] masters", done.stdout), done.stdout
        if command == "check":
            assert "[OK] All nodes agree about slots configuration." in done.stdout
            assert "[OK] All 16384 slots covered." in done.stdout


def test_interactive_help(shared_cluster):
    """redis-cli takes its help from COMMAND DOCS when it starts."""
    answers = run("redis-cli", shared_cluster.ports[0], input="help XADD\nhelp @stream\nPING\n")
    assert "summary:" in answers and "since:" in answers and "group:" in answers and "PONG" in answers
    for name in ("XADD", "XREADGROUP", "XGROUP CREATE", "XINFO STREAM", "XNACK"):
        assert name in answers


@pytest.mark.parametrize("arguments", [("--rdb", "/dev/null"), ("--hotkeys",), ("--replica",)])
def test_what_is_refused_plainly(shared_cluster, arguments):
    command = ["redis-cli", "-p", str(shared_cluster.ports[0]), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert re.search(r"ERR (unknown command 'P?SYNC'|An LFU maxmemory policy)", done.stdout + done.stderr), done
