"""faststream[redis]: subscribers of streams, with and without groups.

Not used: its channels (pub/sub) and lists, and `broker.request`, which waits for the answer on a channel.
"""

import asyncio
import collections

import pytest
import redis.exceptions
from faststream import AckPolicy
from faststream.redis import RedisBroker, RedisStreamMessage, StreamSub


def broker_of(cluster, node):
    return RedisBroker(f"redis://127.0.0.1:{cluster.ports[node]}", logger=None)


async def until(condition):
    for _ in range(900):
        if condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("waited in vain")


def test_a_group_claims_what_failed(cut_off, key):
    """One subscriber takes new entries and, by XREADGROUP CLAIM, those whose handler failed or whose reply was lost."""
    cluster, disturbance = cut_off
    jobs, done, failed = 150, collections.Counter(), set()

    async def program():
        consumer, producer = broker_of(cluster, 0), broker_of(cluster, 1)
        subscription = StreamSub(
            key, group="workers", consumer="alice", claim_min_idle_time=1500, polling_interval=200
        )

        @consumer.subscriber(stream=subscription, ack_policy=AckPolicy.NACK_ON_ERROR)
        async def handle(job: int):
            if job % 25 == 0 and job not in failed:
                failed.add(job)
                raise RuntimeError("the first try fails")
            done[job] += 1

        async with consumer, producer:
            await consumer.start()
            for job in range(jobs):
                if job == jobs // 2:
                    disturbance.strike()
                await producer.publish(job, stream=key)
            await until(lambda: len(done) == jobs)

    asyncio.run(program())
    assert sorted(done) == list(range(jobs)) and len(failed) == jobs // 25
    assert sum(done.values()) <= jobs + 20, "at most one read was delivered twice"
    assert cluster.client(1).xpending(key, "workers")["pending"] == 0


def test_batches_without_a_group(cut_off, key):
    """A subscriber that remembers the last id it saw misses nothing and sees nothing twice."""
    cluster, disturbance = cut_off
    seen = []

    async def program():
        consumer, producer = broker_of(cluster, 0), broker_of(cluster, 1)
        subscription = StreamSub(key, batch=True, max_records=10, last_id="0-0", polling_interval=200)

        @consumer.subscriber(stream=subscription)
        async def handle(batch: list[int]):
            seen.extend(batch)

        async with consumer, producer:
            await consumer.start()
            for number in range(120):
                if number == 60:
                    disturbance.strike()
                await producer.publish(number, stream=key, maxlen=1000)
            await until(lambda: len(seen) >= 120)

    asyncio.run(program())
    assert seen == list(range(120))


def test_a_second_consumer_takes_over_by_autoclaim(disturbed, key):
    cluster, disturbance = disturbed
    taken = []

    async def program():
        client = cluster.client(1, decode_responses=False)
        client.xgroup_create(key, "workers", id="0", mkstream=True)
        broker = broker_of(cluster, 0)
        subscription = StreamSub(key, group="workers", consumer="bob", min_idle_time=500, polling_interval=100)

        @broker.subscriber(stream=subscription)
        async def handle(number: int, message: RedisStreamMessage):
            taken.append(number)

        async with broker:
            for number in range(20):
                await broker.publish(number, stream=key)
            crashed = client.xreadgroup("workers", "alice", {key: ">"}, count=20)
            assert len(crashed[0][1]) == 20
            disturbance.strike()
            await broker.start()
            await until(lambda: len(taken) == 20)

    asyncio.run(program())
    # Not in order: a scan that begins just before the entries are idle for long enough goes on with the later ones.
    assert sorted(taken) == list(range(20))
    assert cluster.client(1).xpending(key, "workers")["pending"] == 0


def test_one_entry_at_a_time(disturbed, key):
    """`get_one`, for programs that ask when they have time."""
    cluster, disturbance = disturbed

    async def program():
        broker = broker_of(cluster, 0)
        subscriber = broker.subscriber(stream=StreamSub(key, last_id="0-0"))
        async with broker:
            await subscriber.start()
            await broker.publish("one", stream=key, headers={"source": "test"})
            disturbance.strike()
            await broker.publish("two", stream=key)
            first, second = await subscriber.get_one(timeout=10), await subscriber.get_one(timeout=10)
            assert (await first.decode(), first.headers["source"]) == ("one", "test")
            assert await second.decode() == "two"
            assert await subscriber.get_one(timeout=0.2) is None

    asyncio.run(program())


def test_channels_are_refused_plainly(shared_cluster):
    async def program():
        async with broker_of(shared_cluster, 0) as broker:
            with pytest.raises(redis.exceptions.ResponseError, match="unknown command 'PUBLISH'"):
                await broker.publish("text", channel="news")

    asyncio.run(program())
