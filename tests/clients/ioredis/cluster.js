// A real three-node cluster for the tests, and ways to disturb it.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const Redis = require('ioredis');

const BINARY = process.env.RIVERMARK_BIN || path.resolve(__dirname, '../../../target/debug/rivermark');
const NODES = [0, 1, 2];

function isFree(port) {
  return new Promise((resolve) => {
    const probe = net.createServer().once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

async function freeBasePort() {
  for (let attempt = 0; attempt < 200; attempt++) {
    const base = 20000 + Math.floor(Math.random() * 20000);
    const ports = NODES.flatMap((node) => [base + node, base + node + 2000, base + node + 10000]);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
  }
  throw new Error('no free ports');
}

class Cluster {
  static async start() {
    const cluster = new Cluster();
    cluster.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rivermark-ioredis-'));
    cluster.base = await freeBasePort();
    cluster.processes = [];
    const data = path.join(cluster.folder, 'data');
    const dev = cluster.run(['dev', '--format', 'json', '--port', String(cluster.base), '--data-dir', data]);
    let output = '';
    // One line, printed when every node is ready.
    await new Promise((resolve, reject) => {
      dev.stdout.on('data', (bytes) => {
        output += bytes;
        if (output.includes('\n')) resolve();
      });
      dev.once('exit', (code) => reject(new Error(`dev ended with ${code}:\n${output}`)));
      setTimeout(() => reject(new Error(`not ready:\n${output}`)), 60000).unref();
    });
    cluster.nodes = JSON.parse(output).nodes;
    cluster.pids = cluster.nodes.map((node) => node.pid);
    return cluster;
  }

  run(words) {
    const child = spawn(BINARY, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.processes.push(child);
    return child;
  }

  client(node) {
    return new Redis({ host: '127.0.0.1', port: this.base + node, maxRetriesPerRequest: 3 });
  }

  kill(node) {
    process.kill(this.pids[node], 'SIGKILL');
  }

  async restart(node) {
    const child = this.run(['server', '--config', this.nodes[node].config]);
    child.stdout.resume();
    this.pids[node] = child.pid;
    for (let attempt = 0; attempt < 300; attempt++) {
      const client = this.client(node).on('error', () => {});
      try {
        if ((await client.ping()) === 'PONG') return;
      } catch {
        await sleep(100);
      } finally {
        client.disconnect();
      }
    }
    throw new Error(`node ${node} did not come back`);
  }

  async stop() {
    const ended = this.processes.map((child) =>
      child.exitCode !== null || child.signalCode !== null ? null : new Promise((r) => child.once('exit', r)));
    for (const child of this.processes) child.kill('SIGTERM');
    await Promise.race([Promise.all(ended), sleep(20000)]);
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

module.exports = { Cluster };
