"""coredis: a client of its own making, its stream consumers, and its cluster client."""

import asyncio
import collections

import coredis
import coredis.exceptions
from coredis.patterns.streams import Consumer, GroupConsumer
from coredis.retry import ConstantRetryPolicy

# What a client says when its node died: the connection, or the wait for a new one.
LOST = (coredis.exceptions.ConnectionError, TimeoutError, OSError)


def client_of(cluster, node):
    patience = ConstantRetryPolicy(LOST, retries=200, delay=0.1)
    return coredis.Redis(port=cluster.ports[node], decode_responses=True, retry_policy=patience)


def test_a_consumer_sees_everything_in_order(cut_off, key):
    """A consumer of two streams; both in the order of their entries."""
    cluster, disturbance = cut_off
    streams, numbers, seen = [f"{key}:a", f"{key}:b"], 60, collections.defaultdict(list)

    async def consume():
        async with client_of(cluster, 0) as client:
            async with Consumer(client, streams, buffer_size=9, timeout=300) as consumer:
                while sum(map(len, seen.values())) < 2 * numbers:
                    stream, entry = await consumer.get_entry()
                    if entry:
                        seen[stream].append(int(entry.field_values["n"]))

    async def program():
        consuming = asyncio.create_task(consume())
        await asyncio.sleep(0.3)
        async with client_of(cluster, 1) as client:
            for number in range(numbers):
                if number == numbers // 2:
                    disturbance.strike()
                for stream in streams:
                    await client.xadd(stream, {"n": number})
            await consuming

    asyncio.run(asyncio.wait_for(program(), 90))
    assert seen == {stream: list(range(numbers)) for stream in streams}


def test_group_consumers_share_and_begin_with_their_backlog(cut_off, key):
    """Three members of a group acknowledge each entry; one begins again with what it had not acknowledged."""
    cluster, disturbance = cut_off
    jobs, done = 120, collections.Counter()

    async def consume(name, start_from_backlog):
        async with client_of(cluster, 0) as client:
            options = {"buffer_size": 4, "timeout": 300, "start_from_backlog": start_from_backlog}
            async with GroupConsumer(client, [key], "workers", name, **options) as consumer:
                while len(done) < jobs:
                    _, entry = await consumer.get_entry()
                    if entry:
                        done[int(entry.field_values["job"])] += 1
                        await client.xack(key, "workers", [entry.identifier])

    async def program():
        async with client_of(cluster, 1) as client:
            await client.xgroup_create(key, "workers", "0", mkstream=True)
            for job in range(10):
                await client.xadd(key, {"job": job})
            # The member "alice" of before took these and died.
            await client.xreadgroup("workers", "alice", {key: ">"}, count=10)
            members = [consume("alice", True), consume("bob", False), consume("carol", False)]
            consuming = asyncio.gather(*members)
            for job in range(10, jobs):
                if job == jobs // 2:
                    disturbance.strike()
                await client.xadd(key, {"job": job})
            while not consuming.done():
                await asyncio.sleep(0.1)
                # What a lost reply delivered to a member is pending for it: a member that never had a doubt takes it.
                _, claimed, *_ = await client.xautoclaim(key, "workers", "dave", 3000, "0")
                for entry in claimed:
                    done[int(entry.field_values["job"])] += 1
                    await client.xack(key, "workers", [entry.identifier])
            await consuming
            return (await client.xpending(key, "workers")).pending

    assert asyncio.run(asyncio.wait_for(program(), 90)) == 0
    assert sorted(done) == list(range(jobs))
    assert sum(done.values()) <= jobs + 3 * 5, "at most what three members held was done twice"


def test_its_cluster_client_follows_a_failover(cut_off, redirects, key):
    cluster, disturbance = cut_off
    keys, rounds = [f"{key}:{n}" for n in range(6)], 20

    async def program():
        patience = ConstantRetryPolicy((*LOST, coredis.exceptions.ClusterDownError), retries=200, delay=0.1)
        options = {"decode_responses": True, "retry_policy": patience}
        async with coredis.RedisCluster("127.0.0.1", cluster.ports[1], **options) as client:
            for number in range(rounds):
                if number == rounds // 2:
                    disturbance.strike()
                for stream in keys:
                    await client.xadd(stream, {"n": number})
            return {stream: await client.xrange(stream) for stream in keys}

    read = asyncio.run(asyncio.wait_for(program(), 90))
    for stream in keys:
        numbers = [int(entry.field_values["n"]) for entry in read[stream]]
        assert sorted(set(numbers)) == list(range(rounds))
        assert len(numbers) <= rounds + 1, "one entry at most was under way when its node died"
