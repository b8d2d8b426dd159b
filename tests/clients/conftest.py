"""A real three-node cluster for the tests, and ways to disturb it."""

import json
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


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


class Cluster:
    """`rivermark dev` and its nodes. Node numbers run from 0, like the ports."""

    def __init__(self, data_dir, flags=()):
        self.data_dir = pathlib.Path(data_dir)
        self.base = free_base_port()
        self.ports = [self.base + node for node in range(NODES)]
        self.restarted = []
        self.log = open(self.data_dir / "dev.log", "w+")
        self.dev = subprocess.Popen(
            [BINARY, "dev", "--format", "json", "--port", str(self.base), "--data-dir",
             str(self.data_dir / "data"), *flags],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
        )
        # The line comes when every node is ready; nothing comes if `dev` ends before.
        deadline = threading.Timer(60, self.dev.terminate)
        deadline.start()
        report = self.dev.stdout.readline()
        deadline.cancel()
        if not report:
            self.stop()
            raise RuntimeError("the cluster did not get ready:\n" + self.tail())
        self.nodes = json.loads(report)["nodes"]
        self.pids = [node["pid"] for node in self.nodes]

    def tail(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()[-4000:]

    def kill(self, node):
        """kill -9, and nothing more: the node's data stays as it is."""
        os.kill(self.pids[node], signal.SIGKILL)

    def is_running(self, node):
        return pathlib.Path(f"/proc/{self.pids[node]}").exists()

    def restart(self, node):
        """Starts a killed node on its data, as an operator would."""
        while self.is_running(node):
            for process in self.restarted:
                process.poll()
            time.sleep(0.02)
        with open(self.nodes[node]["log"], "a") as log:
            command = [BINARY, "server", "--config", self.nodes[node]["config"]]
            process = subprocess.Popen(command, stdout=log, stderr=log)
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


def run_cluster(kind, prefix):
    """Yields a cluster on new data, and takes both away afterwards."""
    data_dir = tempfile.mkdtemp(prefix=prefix)
    cluster = kind(data_dir)
    yield cluster
    cluster.stop()
    shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_cluster():
    yield from run_cluster(Cluster, "rivermark-clients-")


class Disturbance:
    """What happens in the middle of a program: nothing, or the kill -9 of a node.

    With `down_seconds` the node comes back by itself while the program goes on; else it stays dead until the end.
    """

    def __init__(self, cluster, kind, victim, down_seconds=None):
        self.cluster, self.kind, self.victim, self.happened = cluster, kind, victim, False
        self.down_seconds, self.restarter = down_seconds, None

    def strike(self):
        self.happened = True
        if self.kind == "kill -9":
            self.cluster.kill(self.victim)
            if self.down_seconds is not None:
                self.restarter = threading.Timer(self.down_seconds, self.cluster.restart, [self.victim])
                self.restarter.start()

    def mend(self):
        if self.restarter is not None:
            self.restarter.join(60)
        elif self.kind == "kill -9" and self.happened:
            self.cluster.restart(self.victim)


@pytest.fixture(params=["undisturbed", "kill -9"])
def disturbed(request, shared_cluster):
    """The cluster and a disturbance; the program under test talks to nodes 0 and 1."""
    disturbance = Disturbance(shared_cluster, request.param, victim=2)
    yield shared_cluster, disturbance
    disturbance.mend()


@pytest.fixture(params=["undisturbed", "kill -9"])
def cut_off(request, shared_cluster):
    """The cluster and a disturbance that ends every connection of a program that talks to node 0."""
    disturbance = Disturbance(shared_cluster, request.param, victim=0, down_seconds=2)
    yield shared_cluster, disturbance
    disturbance.mend()


@pytest.fixture(params=["no", "yes"], ids=["forwards", "redirects"])
def redirects(request, shared_cluster):
    """`cluster-redirects` as the test wants it, known at every node; the default afterwards."""
    set_redirects(shared_cluster, request.param)
    yield request.param == "yes"
    set_redirects(shared_cluster, "no")


def set_redirects(cluster, value):
    def is_known(node):
        try:
            return cluster.client(node).config_get("cluster-redirects")["cluster-redirects"] == value
        except redis.ConnectionError:
            return not cluster.is_running(node)

    cluster.client(1).config_set("cluster-redirects", value)
    wait_until(lambda: all(is_known(node) for node in range(NODES)))


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def protocol(request):
    return request.param


@pytest.fixture
def key(request):
    """A key no other test uses."""
    return f"{request.node.name}:{time.time_ns()}"
