"""taskiq with taskiq-redis' RedisStreamBroker: tasks on a stream, acknowledged when they are done.

Two parts of taskiq-redis are replaced, since they are strings and Lua scripts:

- After each batch its `listen` looks for abandoned tasks in MULTI; SET autoclaim:… NX; XAUTOCLAIM; EVALSHA (the release of
  redis-py's lock); EXEC. The lock is left out here: XAUTOCLAIM is atomic without it.
- RedisAsyncResultBackend keeps results with SET and GET. Here a result is a stream of one entry that expires.
"""

import asyncio
import collections
import pickle

import pytest
import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from taskiq import AckableMessage, AsyncResultBackend
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker


def options():
    return {"retry": Retry(ConstantBackoff(0.1), 200), "protocol": 3, "legacy_responses": True}


class StreamResults(AsyncResultBackend):
    def __init__(self, port):
        self.client = redis.asyncio.Redis(port=port, **options())

    async def set_result(self, task_id, result):
        async with self.client.pipeline(transaction=True) as pipe:
            pipe.xadd(f"result:{task_id}", {"result": pickle.dumps(result)}, maxlen=1, approximate=False)
            pipe.expire(f"result:{task_id}", 60)
            await pipe.execute()

    async def is_result_ready(self, task_id):
        return await self.client.exists(f"result:{task_id}") == 1

    async def get_result(self, task_id, with_logs=False):
        ((_, fields),) = await self.client.xrevrange(f"result:{task_id}", count=1)
        return pickle.loads(fields[b"result"])

    async def shutdown(self):
        await self.client.aclose()


class Broker(RedisStreamBroker):
    """RedisStreamBroker whose search for abandoned tasks takes no lock."""

    async def listen(self):
        async with redis.asyncio.Redis(connection_pool=self.connection_pool) as client:
            while True:
                streams = {self.queue_name: ">"}
                fetched = await client.xreadgroup(
                    self.consumer_group_name, self.consumer_name, streams, block=self.block, count=self.count
                )
                for _, entries in fetched:
                    for entry_id, fields in entries:
                        yield self.delivery(entry_id, fields)
                abandoned = await client.xautoclaim(
                    self.queue_name, self.consumer_group_name, self.consumer_name, self.idle_timeout,
                    count=self.unacknowledged_batch_size,
                )
                for entry_id, fields in abandoned[1]:
                    yield self.delivery(entry_id, fields)

    def delivery(self, entry_id, fields):
        return AckableMessage(data=fields[b"data"], ack=self._ack_generator(entry_id, self.queue_name))


def broker_of(cluster, node, queue, **settings):
    broker = Broker(
        f"redis://127.0.0.1:{cluster.ports[node]}", queue_name=queue, consumer_id="0", xread_block=300,
        xread_count=10, idle_timeout=3000, **settings, **options(),
    )
    return broker.with_result_backend(StreamResults(cluster.ports[node]))


def test_every_task_has_its_result(cut_off, key):
    """Two workers at the node that dies, a program that sends tasks to another one and waits for the results."""
    cluster, disturbance = cut_off
    tasks, runs = 80, collections.Counter()

    async def program():
        async def square(number: int) -> int:
            runs[number] += 1
            if number == 13:
                raise ValueError("unlucky")
            return number * number

        def with_task(broker):
            return broker, broker.register_task(square, task_name="square")

        sender, task = with_task(broker_of(cluster, 1, key))
        workers = [with_task(broker_of(cluster, 0, key))[0] for _ in range(2)]
        for broker in (sender, *workers):
            await broker.startup()
        receivers = [asyncio.create_task(run_receiver_task(worker, max_async_tasks=5)) for worker in workers]
        sent = []
        for number in range(tasks):
            if number == tasks // 2:
                disturbance.strike()
            sent.append(await task.kiq(number))
        results = [await one.wait_result(timeout=60) for one in sent]
        for receiver in receivers:
            receiver.cancel()
        await asyncio.gather(*receivers, return_exceptions=True)
        for broker in (sender, *workers):
            await broker.shutdown()
        return results

    results = asyncio.run(asyncio.wait_for(program(), 110))
    assert [number for number, result in enumerate(results) if result.is_err] == [13]
    assert [result.return_value for number, result in enumerate(results) if number != 13] == [
        number * number for number in range(tasks) if number != 13
    ]
    assert sum(runs.values()) <= tasks + 2 * 10, "at most what both workers were given ran twice"


def test_a_crashed_worker_s_tasks_are_taken_over(disturbed, key):
    cluster, disturbance = disturbed
    ran = []

    async def program():
        broker = broker_of(cluster, 0, key)

        @broker.task(task_name="note")
        async def note(number: int) -> None:
            ran.append(number)

        await broker.startup()
        for number in range(20):
            await note.kiq(number)
        crashed = cluster.client(1).xreadgroup("taskiq", "crashed", {key: ">"}, count=20)
        assert len(crashed[0][1]) == 20
        disturbance.strike()
        receiver = asyncio.create_task(run_receiver_task(broker))
        for _ in range(300):
            if len(ran) == 20 and cluster.client(1).xpending(key, "taskiq")["pending"] == 0:
                break
            await asyncio.sleep(0.1)
        receiver.cancel()
        await asyncio.gather(receiver, return_exceptions=True)
        await broker.shutdown()

    asyncio.run(asyncio.wait_for(program(), 60))
    assert sorted(ran) == list(range(20))
    assert cluster.client(1).xpending(key, "taskiq")["pending"] == 0


def test_the_lock_is_refused_plainly(shared_cluster, key):
    """What stops the unchanged RedisStreamBroker, after it delivered its first batch."""
    async def program():
        broker = RedisStreamBroker(
            f"redis://127.0.0.1:{shared_cluster.ports[0]}", queue_name=key, consumer_id="0", xread_block=300
        )

        @broker.task(task_name="nothing")
        async def nothing() -> None:
            pass

        await broker.startup()
        await nothing.kiq()
        deliveries = broker.listen()
        await anext(deliveries)
        with pytest.raises(redis.exceptions.ResponseError, match="unknown command 'SCRIPT'"):
            await anext(deliveries)
        await broker.shutdown()

    asyncio.run(asyncio.wait_for(program(), 60))
