// The uses the product exists for, as programs people write with ioredis, whole and across a kill -9.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, it } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { Cluster } = require('./cluster');

const VICTIM = 2;
let cluster;
let counter = 0;
before(async () => { cluster = await Cluster.start(); });
after(async () => { await cluster?.stop(); });

/** Runs a use with clients of nodes 0 and 1, undisturbed and with the kill -9 of node 2 in the middle. */
function use(name, program) {
  for (const disturbance of ['undisturbed', 'kill -9']) {
    it(`${name}, ${disturbance}`, { timeout: 120000 }, async () => {
      const clients = [cluster.client(0), cluster.client(1)];
      let struck = false;
      const strike = () => {
        if (disturbance === 'kill -9') { struck = true; cluster.kill(VICTIM); }
      };
      try {
        await program(clients[0], clients[1], `use:${counter++}`, strike);
      } finally {
        for (const client of clients) client.disconnect();
        if (struck) await cluster.restart(VICTIM);
      }
    });
  }
}

const ids = (entries) => entries.map(([id]) => id);
const field = (fields, name) => fields[fields.indexOf(name) + 1];

describe('uses', () => {
  use('activity log', async (client, other, key, strike) => {
    const acknowledged = [];
    for (let n = 0; n < 400; n++) {
      if (n === 200) strike();
      acknowledged.push(await client.xadd(key, '*', 'user', `u${n % 7}`, 'n', n));
    }
    assert.equal(await client.xlen(key), 400);
    await client.xtrim(key, 'MAXLEN', '~', 200);
    const kept = await client.xlen(key);
    assert.ok(kept >= 200 && kept <= 300, `${kept} kept`);
    assert.deepEqual(ids(await other.xrevrange(key, '+', '-', 'COUNT', 10)), acknowledged.slice(-10).reverse());
  });

  use('chat with a blocking listener', async (client, other, key, strike) => {
    let last = await client.xadd(key, '*', 'text', 'before');
    const received = [];
    const listening = (async () => {
      while (received.length < 40) {
        const answer = await other.xread('BLOCK', 20000, 'STREAMS', key, last);
        for (const [id, fields] of answer?.[0][1] ?? []) {
          received.push(field(fields, 'text'));
          last = id;
        }
      }
    })();
    for (let n = 0; n < 40; n++) {
      if (n === 15) strike();
      await client.xadd(key, '*', 'text', `message ${n}`);
      await sleep(10);
    }
    await listening;
    assert.deepEqual(received, Array.from({ length: 40 }, (_, n) => `message ${n}`));
  });

  use('three workers and a crash', async (client, other, key, strike) => {
    await client.xgroup('CREATE', key, 'workers', '0', 'MKSTREAM');
    const jobs = 150;
    const done = new Set();
    let produced = false;
    const work = async (name, node, crashAfter) => {
      const own = cluster.client(node);
      try {
        for (let handled = 0; done.size < jobs;) {
          const batch = await own.xreadgroup('GROUP', 'workers', name, 'COUNT', 5, 'BLOCK', 200, 'STREAMS', key, '>');
          let entries = batch?.[0][1] ?? [];
          if (entries.length === 0 && produced) {
            entries = (await own.xautoclaim(key, 'workers', name, 1000, '0', 'COUNT', 20))[1];
          }
          for (const [id, fields] of entries) {
            if (++handled > crashAfter) return;
            done.add(field(fields, 'job'));
            await own.xack(key, 'workers', id);
          }
        }
      } finally {
        own.disconnect();
      }
    };
    const workers = [work('alice', 0, Infinity), work('bob', 1, Infinity), work('carol', 1, 10)];
    for (let job = 0; job < jobs; job++) {
      if (job === 75) strike();
      await client.xadd(key, '*', 'job', job);
    }
    produced = true;
    await Promise.all(workers);
    assert.equal(done.size, jobs);
    assert.equal((await other.xpending(key, 'workers'))[0], 0);
  });

  use('sensor range queries by time', async (client, other, key, strike) => {
    const start = 1700000000000;
    for (let n = 0; n < 200; n++) {
      if (n === 100) strike();
      await client.xadd(key, `${start + n * 1000}-0`, 'celsius', 20 + (n % 5));
    }
    const window = await other.xrange(key, start + 100000, start + 109999);
    assert.deepEqual(ids(window), Array.from({ length: 10 }, (_, n) => `${start + (100 + n) * 1000}-0`));
    await assert.rejects(client.xadd(key, `${start}-0`, 'celsius', 0), /equal or smaller/);
  });

  use('notifications after an exclusive id', async (client, other, key, strike) => {
    const sent = [];
    for (let n = 0; n < 100; n++) {
      if (n === 50) strike();
      sent.push(await client.xadd(key, '*', 'note', n));
    }
    const seen = [];
    for (let page = await other.xrange(key, '-', '+', 'COUNT', 7); page.length > 0;) {
      seen.push(...ids(page));
      page = await other.xrange(key, `(${seen.at(-1)}`, '+', 'COUNT', 7);
    }
    assert.deepEqual(seen, sent);
  });

  use('audit trail with filters', async (client, other, key, strike) => {
    const write = async (pipeline, from, to) => {
      for (let n = from; n < to; n++) pipeline.xadd(key, '*', 'actor', `user${n % 4}`, 'object', n);
      return (await pipeline.exec()).map(([error, id]) => { assert.ifError(error); return id; });
    };
    const first = await write(client.pipeline(), 0, 150);
    strike();
    const second = await write(client.multi(), 150, 300);
    const trail = await other.xrange(key, '-', '+');
    assert.deepEqual(ids(trail), [...first, ...second]);
    const ofUser3 = trail.filter(([, fields]) => field(fields, 'actor') === 'user3');
    assert.deepEqual(ofUser3.map(([, fields]) => Number(field(fields, 'object')) % 4), Array(75).fill(3));
  });

  use('live dashboard', async (client, other, key, strike) => {
    const streams = ['cpu', 'memory', 'disk', 'network'].map((metric) => `${key}:${metric}`);
    for (const stream of streams) await client.xadd(stream, '*', 'value', -1);
    const latest = new Map();
    const last = new Map(streams.map((stream) => [stream, '0-0']));
    const watching = (async () => {
      while (streams.some((stream) => latest.get(stream) !== '29')) {
        const answer = await other.xread('BLOCK', 20000, 'STREAMS', ...streams, ...streams.map((s) => last.get(s)));
        for (const [stream, entries] of answer ?? []) {
          for (const [id, fields] of entries) {
            last.set(stream, id);
            latest.set(stream, field(fields, 'value'));
          }
        }
      }
    })();
    for (let n = 0; n < 30; n++) {
      if (n === 15) strike();
      for (const stream of streams) await client.xadd(stream, 'MAXLEN', 20, '*', 'value', n);
    }
    await watching;
    for (const stream of streams) assert.equal(await client.xlen(stream), 20);
  });

  use('event replay to rebuild state', async (client, other, key, strike) => {
    let balance = 0;
    for (let n = 0; n < 200; n++) {
      if (n === 100) strike();
      const amount = n % 3 ? n : -n;
      await client.xadd(key, '*', 'event', JSON.stringify({ amount }));
      balance += amount;
    }
    let replayed = 0;
    for (let last = '0-0'; ;) {
      const answer = await other.xread('COUNT', 64, 'STREAMS', key, last);
      if (!answer) break;
      for (const [id, fields] of answer[0][1]) {
        replayed += JSON.parse(field(fields, 'event')).amount;
        last = id;
      }
    }
    assert.equal(replayed, balance);
  });
});
