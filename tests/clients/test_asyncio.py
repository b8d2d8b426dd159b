"""redis-py's asyncio client: many coroutines on one loop, and its own way back after its node died."""

import asyncio

import pytest
import redis.asyncio
from redis.backoff import ConstantBackoff
from redis.asyncio.retry import Retry


def client_of(cluster, node, protocol, **options):
    return redis.asyncio.Redis(
        port=cluster.ports[node], protocol=protocol, decode_responses=True, socket_timeout=30, **options
    )


def patient_client(cluster, node, protocol):
    """A client that tries for long enough to see its node come back."""
    return client_of(cluster, node, protocol, retry=Retry(ConstantBackoff(0.1), 200))


def entries_of(answer):
    """The entries of the one stream of an answer, which redis-py shapes by protocol."""
    if not answer:
        return []
    if isinstance(answer, dict):
        (entries,) = answer.values()
        return entries[0] if entries and isinstance(entries[0], list) else entries
    return answer[0][1]


def test_coroutines_share_a_group(disturbed, key, protocol):
    """Five consumers on one loop; every job is done by exactly one of them."""
    cluster, disturbance = disturbed
    jobs, done = 400, []

    async def consume(client, name):
        while len(done) < jobs:
            answer = await client.xreadgroup("workers", name, {key: ">"}, count=7, block=200)
            for entry_id, fields in entries_of(answer):
                done.append(int(fields["job"]))
                assert await client.xack(key, "workers", entry_id) == 1

    async def produce(client):
        for job in range(0, jobs, 4):
            if job == jobs // 2:
                disturbance.strike()
            await asyncio.gather(*(client.xadd(key, {"job": job + n}) for n in range(4)))

    async def program():
        async with client_of(cluster, 0, protocol) as producer, client_of(cluster, 1, protocol) as consumer:
            await producer.xgroup_create(key, "workers", id="0", mkstream=True)
            await asyncio.gather(produce(producer), *(consume(consumer, f"c{n}") for n in range(5)))
            assert (await producer.xpending(key, "workers"))["pending"] == 0

    asyncio.run(asyncio.wait_for(program(), 90))
    assert sorted(done) == list(range(jobs))


def test_pipelines_answer_in_order(disturbed, key, protocol):
    """Pipelines, with and without MULTI, from several coroutines at once."""
    cluster, disturbance = disturbed

    async def program():
        async with client_of(cluster, 0, protocol) as client:
            async def write(writer, transaction):
                ids = []
                for _ in range(5):
                    async with client.pipeline(transaction=transaction) as pipe:
                        for _ in range(40):
                            pipe.xadd(f"{key}:{writer}", {"writer": writer})
                        pipe.xlen(f"{key}:{writer}")
                        *added, length = await pipe.execute()
                    ids += added
                    assert length == len(ids)
                return ids

            first = asyncio.gather(*(write(writer, writer % 2 == 0) for writer in range(4)))
            await asyncio.sleep(0.05)
            disturbance.strike()
            for writer, ids in enumerate(await first):
                assert [entry_id for entry_id, _ in await client.xrange(f"{key}:{writer}")] == ids

    asyncio.run(asyncio.wait_for(program(), 90))


def test_a_producer_reconnects_and_idempotent_ids_keep_it_exact(cut_off, key, protocol):
    """The client repeats an XADD whose reply it did not get: IDMP tells the repetition from a new entry."""
    cluster, disturbance = cut_off
    numbers = 120

    async def program():
        async with patient_client(cluster, 0, protocol) as client:
            for number in range(numbers):
                if number == numbers // 3:
                    disturbance.strike()
                await client.xadd(key, {"n": number}, idmp=("producer", str(number)))
            return await client.xrange(key)

    entries = asyncio.run(asyncio.wait_for(program(), 90))
    assert [int(fields["n"]) for _, fields in entries] == list(range(numbers))


def test_a_blocked_reader_reconnects(cut_off, key, protocol):
    """A reader waits without end at a node that dies; it comes back and misses nothing."""
    cluster, disturbance = cut_off
    numbers, seen = 40, []

    async def read():
        last = "0-0"
        async with patient_client(cluster, 0, protocol) as client:
            while len(seen) < numbers:
                for last, fields in entries_of(await client.xread({key: last}, block=10000)):
                    seen.append(int(fields["n"]))

    async def program():
        reader = asyncio.create_task(read())
        async with client_of(cluster, 1, protocol) as client:
            for number in range(numbers):
                if number == numbers // 2:
                    await asyncio.sleep(0.1)
                    disturbance.strike()
                await client.xadd(key, {"n": number})
            await reader

    asyncio.run(asyncio.wait_for(program(), 90))
    assert seen == list(range(numbers))


def test_a_cancelled_wait_leaves_nothing_behind(disturbed, key):
    """A coroutine that is cancelled in XREADGROUP gives up its wait: what comes then goes to others."""
    cluster, disturbance = disturbed

    async def program():
        async with client_of(cluster, 0, 3) as client, client_of(cluster, 1, 3) as other:
            await client.xgroup_create(key, "group", id="0", mkstream=True)
            waiting = asyncio.create_task(client.xreadgroup("group", "gone", {key: ">"}, block=0))
            await asyncio.sleep(0.2)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await asyncio.sleep(0.2)
            disturbance.strike()
            entry_id = await client.xadd(key, {"n": 1})
            answer = await other.xreadgroup("group", "here", {key: ">"}, block=10000)
            assert [read for read, _ in entries_of(answer)] == [entry_id]
            consumers = {row["name"]: row["pending"] for row in await other.xinfo_consumers(key, "group")}
            assert consumers.get("gone", 0) == 0 and consumers["here"] == 1

    asyncio.run(asyncio.wait_for(program(), 60))
