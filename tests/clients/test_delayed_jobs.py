"""A queue of jobs for later: jobs carry their time, workers ask what is due, XDEL decides whose job it is."""

import datetime
import threading
import time

JOBS = 240
PRODUCERS = 2
WORKERS = 4


def now_ms():
    return time.time_ns() / 1e6


def written(run_at_ms, number):
    """The same moment as different programs write it: whole milliseconds, so that none says more than another."""
    moment = datetime.datetime.fromtimestamp(run_at_ms / 1000, datetime.timezone.utc)
    east = moment.astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    return [
        str(run_at_ms),
        moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        east.isoformat(timespec="milliseconds"),
        f"{run_at_ms}.0",
    ][number % 4]


class Queue:
    """What the jobs of one test were told to do, and did."""

    def __init__(self, cluster, key):
        self.cluster, self.key = cluster, key
        self.planned, self.runs, self.failures = {}, [], []
        self.lock, self.produced = threading.Lock(), threading.Event()

    def guarded(self, act, *arguments):
        def run():
            try:
                act(*arguments)
            except Exception as error:  # noqa: BLE001 - reported by the test
                self.failures.append(error)

        return threading.Thread(target=run)

    def produce(self, producer):
        client = self.cluster.client(producer % 2)
        for number in range(producer, JOBS, PRODUCERS):
            # Some are due at once, others later than jobs that come after them.
            run_at_ms = int(now_ms()) + (number * 7919) % 1500
            with self.lock:
                self.planned[str(number)] = run_at_ms
            client.xadd(self.key, {"job": number, "run_at": written(run_at_ms, number)})
            time.sleep(0.005)

    def work(self, worker):
        client = self.cluster.client(worker % 2)
        while not (self.produced.is_set() and client.xlen(self.key) == 0):
            now = now_ms()
            due = client.execute_command("XRANGEBYSCORE", self.key, "-inf", repr(now), "COUNT", 8)
            for job_id, pairs in due:
                fields = dict(zip(pairs[::2], pairs[1::2]))
                if client.xdel(self.key, job_id) == 1:
                    with self.lock:
                        self.runs.append((fields["job"], now_ms()))
            if not due:
                time.sleep(0.01)


def test_delayed_jobs_run_once_and_not_before_their_time(disturbed, key):
    cluster, disturbance = disturbed
    queue = Queue(cluster, key)
    producers = [queue.guarded(queue.produce, producer) for producer in range(PRODUCERS)]
    workers = [queue.guarded(queue.work, worker) for worker in range(WORKERS)]
    for thread in (*producers, *workers):
        thread.start()
    while len(queue.planned) < JOBS // 2 and not queue.failures:
        time.sleep(0.005)
    disturbance.strike()
    for producer in producers:
        producer.join(60)
    queue.produced.set()
    for worker in workers:
        worker.join(60)
    assert not queue.failures
    assert not any(thread.is_alive() for thread in (*producers, *workers))
    assert sorted(job for job, _ in queue.runs) == sorted(queue.planned)
    early = [(job, ran) for job, ran in queue.runs if ran < queue.planned[job]]
    assert not early


def test_due_jobs_come_in_order_of_their_time(disturbed, key, protocol):
    """Whichever way a time is written, the earliest is first; BY asks for another field."""
    cluster, disturbance = disturbed
    client = cluster.client(0, protocol=protocol)
    start = 1_770_595_200_000
    for number in range(100):
        if number == 50:
            disturbance.strike()
        later = (number * 37) % 100
        client.xadd(key, {"n": later, "run_at": written(start + later * 60_000, number), "priority": -number})
    reader = cluster.client(1, protocol=protocol)

    def ask(*arguments):
        answer = reader.execute_command("XRANGEBYSCORE", key, *arguments)
        return [dict(zip(pairs[::2], pairs[1::2])) for _, pairs in answer]

    assert [int(job["n"]) for job in ask("-inf", "+inf")] == list(range(100))
    assert [int(job["n"]) for job in ask("2026-02-09T00:10Z", "2026-02-09T00:12Z")] == [10, 11, 12]
    assert [int(job["n"]) for job in ask("(2026-02-09T00:10Z", "(2026-02-09T00:12Z")] == [11]
    assert [int(job["n"]) for job in ask("2026-02-09", "2026-02-09", "COUNT", 2)] == [0, 1]
    assert [int(job["priority"]) for job in ask("-5", "(-2", "BY", "priority")] == [-5, -4, -3]
    assert ask("(2026-02-09", "+inf") == []


def test_a_day_of_a_log(disturbed, key, protocol):
    """Entries with ids of two days, asked for by date."""
    cluster, disturbance = disturbed
    client = cluster.client(0, protocol=protocol)
    for number in range(48):
        if number == 24:
            disturbance.strike()
        day, hour = 9 + number // 24, number % 24
        added = client.xadd(key, {"n": number}, id=f"2026-02-{day:02}T{hour:02}:00:00Z-*")
        assert added == f"{1_770_595_200_000 + number * 3_600_000}-0"
    reader = cluster.client(1, protocol=protocol)
    numbers = [[int(f["n"]) for _, f in reader.xrange(key, *bounds)] for bounds in (
        ("2026-02-09", "2026-02-09"), ("(2026-02-09", "+"), ("-", "(2026-02-10"),
        ("2026-02-10T22:00:00+02:00", "2026-02-10T23:00:00+02:00"),
    )]
    assert numbers == [list(range(24)), list(range(24, 48)), list(range(24)), [44, 45]]
    assert client.xtrim(key, minid="2026-02-10", approximate=False) == 24
