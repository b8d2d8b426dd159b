"""walrus: streams, consumer groups and time series.

Not used: its other containers, caches, locks, rate limits and models, which are strings, hashes, sets and Lua scripts.
Its scripts are registered when a Database is made, which sends nothing.
"""

import collections
import datetime
import threading

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from walrus import Database


def database(cluster, node, **options):
    return Database(host="127.0.0.1", port=cluster.ports[node], socket_timeout=30, **options)


def test_a_stream_as_a_container(disturbed, key):
    cluster, disturbance = disturbed
    stream = database(cluster, 0).Stream(key)
    ids = []
    for number in range(100):
        if number == 50:
            disturbance.strike()
        ids.append(stream.add({"n": number}))
    other = database(cluster, 1).Stream(key)
    assert len(other) == 100
    assert [entry_id for entry_id, _ in other] == ids
    assert [entry_id for entry_id, _ in other[ids[10]:ids[20]:5]] == ids[10:15]
    assert other.get(ids[42]) == (ids[42], {b"n": b"42"})
    assert [entry_id for entry_id, _ in other.revrange(count=3)] == ids[:-4:-1]
    del stream[ids[0], ids[1]]
    assert stream.trim(10, approximate=False) == 88
    assert [entry_id for entry_id, _ in other.read(last_id=ids[95])] == ids[96:]
    assert other.info()["length"] == 10


def test_consumers_of_a_group(cut_off, key):
    """Two consumers of two streams at a node that dies; they come back, and claim what a lost reply delivered."""
    cluster, disturbance = cut_off
    streams, jobs = [f"{key}:a", f"{key}:b"], 120
    producer = database(cluster, 1)
    assert all(producer.consumer_group("workers", streams).create().values())
    done, failures, lock = collections.Counter(), [], threading.Lock()

    def work(name):
        try:
            patient = Retry(ConstantBackoff(0.1), 200)
            group = database(cluster, 0, retry=patient).consumer_group("workers", streams, consumer=name)
            while len(done) < jobs:
                batches = group.read(count=4, block=300)
                if not batches:
                    batches = [(s, own.autoclaim(name, 2000)[1]) for s, own in group.streams.items()]
                for stream, entries in batches:
                    own = group.streams[stream if isinstance(stream, str) else stream.decode()]
                    for entry_id, fields in entries:
                        with lock:
                            done[int(fields[b"job"])] += 1
                        own.ack(entry_id)
        except Exception as error:  # noqa: BLE001 - reported by the test
            failures.append(error)

    workers = [threading.Thread(target=work, args=(name,)) for name in ("alice", "bob")]
    for worker in workers:
        worker.start()
    for job in range(jobs):
        if job == jobs // 2:
            disturbance.strike()
        producer.Stream(streams[job % 2]).add({"job": job})
    for worker in workers:
        worker.join(90)
    assert not failures
    assert sorted(done) == list(range(jobs))
    assert sum(done.values()) <= jobs + 2 * 8, "at most what both consumers held was done twice"
    assert [producer.xpending(stream, "workers")["pending"] for stream in streams] == [0, 0]


def test_a_time_series(disturbed, key):
    """Readings of two sensors by their own time, read by range and as a group in the order of time."""
    cluster, disturbance = disturbed
    indoor, outdoor = f"{key}:indoor", f"{key}:outdoor"
    series = database(cluster, 0).time_series("readers", [indoor, outdoor])
    series.create()
    series.set_id("$")
    start = datetime.datetime(2026, 1, 1)
    for minute in range(60):
        if minute == 30:
            disturbance.strike()
        for sensor, celsius in ((indoor, 20), (outdoor, minute)):
            series.streams[sensor].add({"celsius": celsius}, id=start + datetime.timedelta(minutes=minute))
    other = database(cluster, 1).time_series("readers", [indoor, outdoor])
    hour = other.streams[outdoor].range(start + datetime.timedelta(minutes=10), start + datetime.timedelta(minutes=19))
    assert [int(message.data["celsius"]) for message in hour] == list(range(10, 20))
    assert hour[0].timestamp == start + datetime.timedelta(minutes=10)
    read = other.read()
    assert len(read) == 120
    assert [message.timestamp for message in read] == sorted(message.timestamp for message in read)
    for sensor, own in other.streams.items():
        assert own.ack(*(message for message in read if message.stream == sensor)) == 60
        assert own.pending() == []


def test_what_walrus_has_beyond_streams_is_refused_plainly(shared_cluster, key):
    walrus = database(shared_cluster, 0)
    for use in (lambda: walrus.Hash(key).update(a=1), lambda: walrus.lock(key).acquire(), lambda: walrus.get(key)):
        try:
            use()
        except redis.ResponseError as error:
            assert "unknown command" in str(error)
        else:
            raise AssertionError("it was accepted")
