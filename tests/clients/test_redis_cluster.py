"""redis-py's RedisCluster, which sends each command to the leader of its slot: with MOVED and without.

The client repeats by itself what a dying node did not answer. Plain entries may then be there twice; with IDMP, which
tells a repetition from a new entry, every number is there once.
"""

import asyncio
import collections
import threading

import pytest
import redis
import redis.asyncio.cluster
from conftest import wait_until
from redis.cluster import RedisCluster

KEYS = 12
ROUNDS = 20


def leader_ports(cluster):
    return {row[2][1] for row in cluster.client(0).execute_command("CLUSTER SLOTS")}


@pytest.fixture
def balanced(cut_off):
    """The cluster when every node leads a shard, so that the kill of any node is the kill of a leader."""
    cluster, disturbance = cut_off
    if disturbance.kind == "kill -9":
        wait_until(lambda: leader_ports(cluster) == set(cluster.ports))
    return cluster, disturbance


@pytest.fixture
def moves(monkeypatch):
    """Counts the MOVED that clients follow."""
    counter = collections.Counter()
    for manager in (redis.cluster.NodesManager, redis.asyncio.cluster.NodesManager):
        original = manager.move_slot

        def counted(self, error, original=original):
            counter["followed"] += 1
            return original(self, error)

        monkeypatch.setattr(manager, "move_slot", counted)
    return counter


def numbers_of(entries):
    return [int(fields["n"]) for _, fields in entries]


def check_entries(read, keys):
    """Idempotent entries are there once each and in order, plain ones at least once."""
    for key in keys:
        assert numbers_of(read[f"{key}:once"]) == list(range(ROUNDS)), key
        assert sorted(set(numbers_of(read[f"{key}:plain"]))) == list(range(ROUNDS)), key
        assert len(read[f"{key}:plain"]) <= ROUNDS + 2, key


def test_discovery(shared_cluster, redirects, protocol):
    client = RedisCluster(host="127.0.0.1", port=shared_cluster.ports[1], protocol=protocol)
    assert {node.port for node in client.get_nodes()} == set(shared_cluster.ports)
    assert len(client.nodes_manager.slots_cache) == 16384
    shards = client.execute_command("CLUSTER SHARDS", target_nodes=RedisCluster.RANDOM)
    assert len(shards) == 3
    assert client.cluster_info(target_nodes=RedisCluster.RANDOM)["cluster_state"] == "ok"


def test_writes_follow_a_failover(balanced, redirects, moves, key):
    cluster, disturbance = balanced
    client = RedisCluster(host="127.0.0.1", port=cluster.ports[1], decode_responses=True)
    keys = [f"{key}:{n}" for n in range(KEYS)]
    for number in range(ROUNDS):
        if number == ROUNDS // 2:
            disturbance.strike()
        for stream in keys:
            client.xadd(f"{stream}:plain", {"n": number})
            client.xadd(f"{stream}:once", {"n": number}, idmp=("producer", str(number)))
    disturbance.mend()
    check_entries({k: client.xrange(k) for stream in keys for k in (f"{stream}:plain", f"{stream}:once")}, keys)
    assert redirects or moves["followed"] == 0
    wait_until(lambda: leader_ports(cluster) == set(cluster.ports))
    client.nodes_manager.initialize()
    before = moves["followed"]
    for stream in keys:
        client.xlen(f"{stream}:once")
    assert moves["followed"] == before, "a client that knows the leaders is not sent elsewhere"


def test_pipelines_follow_a_failover(balanced, redirects, key):
    """Pipelines over all slots; the client repeats a whole pipeline of which a part was answered."""
    cluster, disturbance = balanced
    client = RedisCluster(host="127.0.0.1", port=cluster.ports[1], decode_responses=True)
    keys = [f"{key}:{n}" for n in range(KEYS)]
    for number in range(ROUNDS):
        if number == ROUNDS // 2:
            disturbance.strike()
        with client.pipeline() as pipe:
            for stream in keys:
                pipe.xadd(stream, {"n": number}, idmp=("producer", str(number)))
            assert len(pipe.execute()) == KEYS
    for stream in keys:
        assert numbers_of(client.xrange(stream)) == list(range(ROUNDS))


def test_consumers_follow_a_failover(balanced, redirects, key):
    """Each consumer acknowledges what it did; what a lost reply delivered to nobody is claimed in the end."""
    cluster, disturbance = balanced
    options = {"host": "127.0.0.1", "port": cluster.ports[1], "decode_responses": True}
    jobs, streams = 200, [f"{{{key}}}:a", f"{{{key}}}:b"]
    producer = RedisCluster(**options)
    for stream in streams:
        producer.xgroup_create(stream, "workers", id="0", mkstream=True)
    done, failures = collections.Counter(), []

    def work(name):
        try:
            client = RedisCluster(**options)
            while len(done) < jobs:
                answer = client.xreadgroup("workers", name, dict.fromkeys(streams, ">"), count=5, block=300)
                for stream, entries in answer or claimed(client, name):
                    for entry_id, fields in entries:
                        done[int(fields["job"])] += 1
                        client.xack(stream, "workers", entry_id)
        except Exception as error:  # noqa: BLE001 - reported by the test
            failures.append(error)

    def claimed(client, name):
        return [(s, client.xautoclaim(s, "workers", name, min_idle_time=2000, count=20)[1]) for s in streams]

    workers = [threading.Thread(target=work, args=(f"c{n}",)) for n in range(3)]
    for worker in workers:
        worker.start()
    for job in range(jobs):
        if job == jobs // 2:
            disturbance.strike()
        producer.xadd(streams[job % 2], {"job": job}, idmp=("producer", str(job)))
    for worker in workers:
        worker.join(90)
    assert not failures
    assert sorted(done) == list(range(jobs))
    assert sum(done.values()) <= jobs + 15, "at most what three consumers held was done twice"
    assert [producer.xpending(stream, "workers")["pending"] for stream in streams] == [0, 0]


def test_asyncio_follows_a_failover(balanced, redirects, moves, key):
    cluster, disturbance = balanced
    keys = [f"{key}:{n}" for n in range(KEYS)]

    async def write(client, stream, number):
        await client.xadd(f"{stream}:plain", {"n": number})
        await client.xadd(f"{stream}:once", {"n": number}, idmp=("producer", str(number)))

    async def program():
        options = {"port": cluster.ports[1], "protocol": 3, "decode_responses": True}
        async with redis.asyncio.cluster.RedisCluster(host="127.0.0.1", **options) as client:
            for number in range(ROUNDS):
                if number == ROUNDS // 2:
                    disturbance.strike()
                await asyncio.gather(*(write(client, stream, number) for stream in keys))
            assert redirects or moves["followed"] == 0
            names = [f"{stream}:{kind}" for stream in keys for kind in ("plain", "once")]
            return {name: await client.xrange(name) for name in names}

    check_entries(asyncio.run(asyncio.wait_for(program(), 90)), keys)


def test_a_plain_client_is_told_where_to_go(shared_cluster, redirects, key):
    """Without redirects a client that knows nothing of slots may ask any node; with them it may not."""
    answers = []
    for node in range(3):
        try:
            answers.append(shared_cluster.client(node).xlen(key))
        except redis.exceptions.MovedError as moved:
            answers.append((moved.slot_id, moved.port))
    if redirects:
        led = next(port for answer, port in zip(answers, shared_cluster.ports) if answer == 0)
        slot = redis.crc.key_slot(key.encode())
        assert sorted(map(str, answers)) == sorted(map(str, [0, (slot, led), (slot, led)]))
    else:
        assert answers == [0, 0, 0]
