"""The uses the product exists for, as programs people write with redis-py, whole and across a kill -9."""

import json
import threading
import time

import redis


def pending_everywhere(client, stream, group):
    return client.xpending(stream, group)["pending"]


def test_activity_log(disturbed, key, protocol):
    """A bounded log of what users did; the newest first on the page."""
    cluster, disturbance = disturbed
    client = cluster.client(0, protocol=protocol)
    acknowledged = []
    for number in range(600):
        if number == 300:
            disturbance.strike()
        acknowledged.append(client.xadd(key, {"user": f"u{number % 7}", "action": "click", "n": number}))
    assert len(set(acknowledged)) == 600
    assert client.xlen(key) == 600
    client.xtrim(key, maxlen=200, approximate=True)
    kept = client.xlen(key)
    assert 200 <= kept <= 300
    page = cluster.client(1, protocol=protocol).xrevrange(key, count=10)
    assert [entry_id for entry_id, _ in page] == acknowledged[:-11:-1]
    assert page[0][1]["n"] == "599"


def test_chat_with_a_blocking_listener(disturbed, key, protocol):
    """A listener waits for what comes after it joined, and misses nothing."""
    cluster, disturbance = disturbed
    cluster.client(0).xadd(key, {"text": "before"})
    received, joined, failures = [], threading.Event(), []

    def listen():
        try:
            client = cluster.client(1, protocol=protocol)
            last = client.xrevrange(key, count=1)[0][0]
            joined.set()
            while len(received) < 60:
                answer = client.xread({key: last}, block=20000)
                streams = answer.items() if isinstance(answer, dict) else answer
                for _, entries in streams:
                    # redis-py nests the entries once more in RESP3.
                    entries = entries[0] if entries and isinstance(entries[0], list) else entries
                    for entry_id, fields in entries:
                        received.append(fields["text"])
                        last = entry_id
        except Exception as error:  # noqa: BLE001 - reported by the test
            failures.append(error)

    listener = threading.Thread(target=listen)
    listener.start()
    assert joined.wait(10)
    client = cluster.client(0, protocol=protocol)
    for number in range(60):
        if number == 20:
            disturbance.strike()
        client.xadd(key, {"text": f"message {number}"})
        time.sleep(0.01)
    listener.join(60)
    assert not failures
    assert received == [f"message {number}" for number in range(60)]


def test_workers_share_a_group_and_one_crashes(disturbed, key):
    """Three workers; one takes work and dies with it; another takes it over by XAUTOCLAIM."""
    cluster, disturbance = disturbed
    producer = cluster.client(0)
    producer.xgroup_create(key, "workers", id="0", mkstream=True)
    jobs, done, lock = 300, {}, threading.Lock()
    produced = threading.Event()
    failures = []

    def work(name, node, crash_after):
        try:
            client = cluster.client(node)
            handled = 0
            while len(done) < jobs:
                batch = client.xreadgroup("workers", name, {key: ">"}, count=5, block=200)
                entries = batch[0][1] if batch else []
                if not entries and produced.is_set():
                    entries = client.xautoclaim(key, "workers", name, min_idle_time=1000, count=20)[1]
                for entry_id, fields in entries:
                    handled += 1
                    if crash_after is not None and handled > crash_after:
                        return  # dies holding what it was given
                    with lock:
                        done.setdefault(fields["job"], []).append(name)
                    assert client.xack(key, "workers", entry_id) in (0, 1)
        except Exception as error:  # noqa: BLE001 - reported by the test
            failures.append(error)

    workers = [
        threading.Thread(target=work, args=arguments)
        for arguments in (("alice", 0, None), ("bob", 1, None), ("carol", 1, 10))
    ]
    for worker in workers:
        worker.start()
    for job in range(jobs):
        if job == 150:
            disturbance.strike()
        producer.xadd(key, {"job": job})
    produced.set()
    for worker in workers:
        worker.join(90)
    assert not failures
    assert sorted(done, key=int) == [str(job) for job in range(jobs)]
    assert pending_everywhere(producer, key, "workers") == 0
    info = producer.xinfo_groups(key)[0]
    assert info["lag"] == 0 and info["entries-read"] == jobs


def test_sensor_range_queries_by_time(disturbed, key, protocol):
    """Readings with their own timestamps, asked for by time."""
    cluster, disturbance = disturbed
    client = cluster.client(0, protocol=protocol)
    start = 1_700_000_000_000
    for number in range(400):
        if number == 200:
            disturbance.strike()
        client.xadd(key, {"celsius": 20 + number % 5}, id=f"{start + number * 1000}-0")
    reader = cluster.client(1, protocol=protocol)
    window = reader.xrange(key, min=start + 100_000, max=start + 109_999)
    assert [entry_id for entry_id, _ in window] == [f"{start + n * 1000}-0" for n in range(100, 110)]
    assert len(reader.xrange(key, min=start, max=start + 399_000)) == 400
    try:
        client.xadd(key, {"celsius": 0}, id=f"{start}-0")
        raise AssertionError("an id in the past was accepted")
    except redis.ResponseError as error:
        assert "equal or smaller" in str(error)


def test_notifications_after_an_exclusive_id(disturbed, key, protocol):
    """A client pages through what it has not seen, by the id of the last one it has."""
    cluster, disturbance = disturbed
    client = cluster.client(0, protocol=protocol)
    ids = []
    for number in range(100):
        if number == 50:
            disturbance.strike()
        ids.append(client.xadd(key, {"note": number}))
    seen, last = [], "-"
    while True:
        page = client.xrange(key, min="-" if last == "-" else f"({last}", count=7)
        if not page:
            break
        seen += [entry_id for entry_id, _ in page]
        last = seen[-1]
    assert seen == ids


def test_audit_trail_with_filters(disturbed, key, protocol):
    """Who did what in a period: read once, filtered by the program, nothing missing."""
    cluster, disturbance = disturbed
    client = cluster.client(0, protocol=protocol)
    with client.pipeline(transaction=False) as pipe:
        for number in range(200):
            pipe.xadd(key, {"actor": f"user{number % 4}", "verb": ["read", "write"][number % 2], "object": number})
        first_ids = pipe.execute()
    disturbance.strike()
    with client.pipeline(transaction=True) as pipe:
        for number in range(200, 400):
            pipe.xadd(key, {"actor": f"user{number % 4}", "verb": ["read", "write"][number % 2], "object": number})
        second_ids = pipe.execute()
    trail = cluster.client(1, protocol=protocol).xrange(key)
    assert [entry_id for entry_id, _ in trail] == first_ids + second_ids
    writes_of_user3 = [f["object"] for _, f in trail if f["actor"] == "user3" and f["verb"] == "write"]
    assert writes_of_user3 == [str(number) for number in range(400) if number % 4 == 3]


def test_live_dashboard(disturbed, key, protocol):
    """Several streams watched at once, with the latest value of each."""
    cluster, disturbance = disturbed
    streams = [f"{key}:{metric}" for metric in ("cpu", "memory", "disk", "network")]
    client = cluster.client(0, protocol=protocol)
    for stream in streams:
        client.xadd(stream, {"value": -1})
    latest, failures = {}, []

    def watch():
        try:
            reader = cluster.client(1, protocol=protocol)
            last = {stream: "0-0" for stream in streams}
            while any(latest.get(stream) != "49" for stream in streams):
                answer = reader.xread(last, block=20000)
                for stream, entries in answer.items() if isinstance(answer, dict) else answer:
                    entries = entries[0] if entries and isinstance(entries[0], list) else entries
                    for entry_id, fields in entries:
                        last[stream], latest[stream] = entry_id, fields["value"]
        except Exception as error:  # noqa: BLE001 - reported by the test
            failures.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(50):
        if number == 25:
            disturbance.strike()
        for stream in streams:
            client.xadd(stream, {"value": number}, maxlen=20, approximate=False)
    watcher.join(60)
    assert not failures
    assert latest == {stream: "49" for stream in streams}
    assert [client.xlen(stream) for stream in streams] == [20] * 4


def test_event_replay_rebuilds_state(disturbed, key, protocol):
    """An account's balance is what its events say, whoever replays them."""
    cluster, disturbance = disturbed
    client = cluster.client(0, protocol=protocol)
    balance = 0
    for number in range(300):
        if number == 150:
            disturbance.strike()
        event = {"type": "deposit" if number % 3 else "withdraw", "amount": number}
        client.xadd(key, {"event": json.dumps(event)})
        balance += number if event["type"] == "deposit" else -number
    for node in (0, 1):
        replayed, last = 0, "0-0"
        while True:
            answer = cluster.client(node).xread({key: last}, count=64)
            if not answer:
                break
            for entry_id, fields in answer[0][1]:
                event = json.loads(fields["event"])
                replayed += event["amount"] if event["type"] == "deposit" else -event["amount"]
                last = entry_id
        assert replayed == balance
