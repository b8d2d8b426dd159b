"""A real three-node cluster for the tests, and ways to disturb it."""

import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest
import redis

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("RIVERMARK_BIN", str(ROOT / "target/debug/rivermark"))
NODES = 3


def free_base_port():
    """A port such that the RESP, HTTP and RPC ports of all nodes are free."""
    for _ in range(200):
        base = random.randint(20000, 40000)
        try:
            for node in range(NODES):
                for offset in (0, 1000, 2000, 10000):
                    with socket.socket() as probe:
                        probe.bind(("127.0.0.1", base + node + offset))
            return base
        except OSError:
            continue
    raise RuntimeError("no free ports")


class Cluster:
    """`rivermark dev` and its nodes. Node numbers run from 0, like the ports."""

    def __init__(self, data_dir, flags=()):
        self.data_dir = pathlib.Path(data_dir)
        self.base = free_base_port()
        self.ports = [self.base + node for node in range(NODES)]
        self.restarted = []
        self.log = open(self.data_dir / "dev.log", "w+")
        self.dev = subprocess.Popen(
            [BINARY, "dev", "--port", str(self.base), "--data-dir", str(self.data_dir / "data"), *flags],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
        )
        self.output = []
        ready = threading.Event()

        def read():
            for line in self.dev.stdout:
                self.output.append(line)
                if line.strip() == "ready":
                    ready.set()
            ready.set()

        threading.Thread(target=read, daemon=True).start()
        if not ready.wait(60) or self.dev.poll() is not None:
            self.stop()
            raise RuntimeError("the cluster did not get ready:\n" + "".join(self.output) + self.tail())
        self.pids = self.table_pids()

    def tail(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()[-4000:]

    def table_pids(self):
        """The second column of the table that `rivermark dev` prints."""
        rows = [[w for w in line.split() if w.isalnum()] for line in self.output if "127.0.0.1:" in line]
        return [int(row[1]) for row in rows]

    def kill(self, node):
        """kill -9, and nothing more: the node's data stays as it is."""
        os.kill(self.pids[node], signal.SIGKILL)

    def restart(self, node):
        """Starts a killed node on its data, as an operator would."""
        while pathlib.Path(f"/proc/{self.pids[node]}").exists():
            for process in self.restarted:
                process.poll()
            time.sleep(0.02)
        config = self.data_dir / "data" / f"node-{node + 1}.toml"
        log = open(self.data_dir / "data" / f"node-{node + 1}.log", "a")
        process = subprocess.Popen([BINARY, "server", "--config", str(config)], stdout=log, stderr=log)
        self.restarted.append(process)
        self.pids[node] = process.pid
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if redis.Redis(port=self.ports[node], socket_timeout=2).ping():
                    return
            except redis.RedisError:
                time.sleep(0.1)
        raise RuntimeError(f"node {node} did not come back")

    def client(self, node=0, **options):
        options.setdefault("decode_responses", True)
        options.setdefault("socket_timeout", 30)
        return redis.Redis(host="127.0.0.1", port=self.ports[node], **options)

    def stop(self):
        for process in self.restarted:
            process.terminate()
        self.dev.send_signal(signal.SIGTERM)
        for process in [*self.restarted, self.dev]:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="session")
def shared_cluster():
    data_dir = tempfile.mkdtemp(prefix="rivermark-clients-")
    cluster = Cluster(data_dir)
    yield cluster
    cluster.stop()
    shutil.rmtree(data_dir, ignore_errors=True)


class Disturbance:
    """What happens in the middle of a program: nothing, or the kill -9 of a node it is not connected to."""

    def __init__(self, cluster, kind, victim):
        self.cluster, self.kind, self.victim, self.happened = cluster, kind, victim, False

    def strike(self):
        self.happened = True
        if self.kind == "kill -9":
            self.cluster.kill(self.victim)

    def mend(self):
        if self.kind == "kill -9" and self.happened:
            self.cluster.restart(self.victim)


@pytest.fixture(params=["undisturbed", "kill -9"])
def disturbed(request, shared_cluster):
    """The cluster and a disturbance; the program under test talks to nodes 0 and 1."""
    disturbance = Disturbance(shared_cluster, request.param, victim=2)
    yield shared_cluster, disturbance
    disturbance.mend()


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def protocol(request):
    return request.param


@pytest.fixture
def key(request):
    """A key no other test uses."""
    return f"{request.node.name}:{time.time_ns()}"
