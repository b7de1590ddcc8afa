import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import supervisord from '../../src/collectors/supervisord.ts';
import { ParseError, UsageError } from '../../src/core/errors.ts';
import { golden, prepared, scrape } from '../helpers/scrape.ts';

const value = (each: unknown): string =>
  typeof each === 'number' ? `<value><int>${each}</int></value>` : `<value><string>${each}</string></value>`;
const struct = (members: Readonly<Record<string, unknown>>): string =>
  `<value><struct>${Object.entries(members)
    .map(([name, each]) => `<member><name>${name}</name>${value(each)}</member>`)
    .join('')}</struct></value>`;
const process = (name: string, state: number, more: Readonly<Record<string, unknown>> = {}) =>
  struct({ name, group: 'all', state, exitstatus: 0, start: 1_700_000_000, stop: 0, description: 'pid 1', ...more });

/** A server that answers as supervisord with these values; closed with the test. */
async function withProcesses(t: TestContext, ...values: readonly string[]): Promise<string[]> {
  const body = `<?xml version='1.0'?><methodResponse><params><param><value><array><data>${values.join('\n')}</data></array></value></param></params></methodResponse>`;
  return withReply(t, body);
}

async function withReply(t: TestContext, body: string): Promise<string[]> {
  const server = createServer((_, reply) => reply.end(body)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return [`--collector.supervisord.url=http://127.0.0.1:${(server.address() as AddressInfo).port}/RPC2`];
}

test('supervisord: what it says scrapes to the golden text', async (t) => {
  const states = [0, 10, 20, 30, 40, 100, 200, 1000];
  const argv = await withProcesses(
    t,
    ...states.map((state) => process(`in_${state}`, state, { exitstatus: state })),
    process('a &lt;b&gt;:00', 20),
  );
  await golden(t, supervisord, { argv });
});

for (const [why, odd] of [
  ['has no name', struct({ group: 'all', state: 20, exitstatus: 0, start: 1 })],
  ['has no state', struct({ name: 'odd', group: 'all', exitstatus: 0, start: 1 })],
  ['has a text for a state', process('odd', 20, { state: 'RUNNING' })],
  ['is a number', value(17)],
] as const)
  test(`a process that ${why} costs itself alone`, async (t) => {
    const argv = await withProcesses(t, process('first', 20), odd, process('last', 0));
    const { text, error } = await scrape(supervisord, { argv });
    assert.ok(error instanceof ParseError);
    const names = [...text.matchAll(/^node_supervisord_up\{group="all",name="([^"]*)"\} (\d)$/gm)];
    assert.deepEqual(
      names.map(([, name, up]) => [name, up]),
      [
        ['first', '1'],
        ['last', '0'],
      ],
    );
  });

test('no list fails the collector', async (t) => {
  const argv = await withReply(t, `<methodResponse><params><param>${value('x')}</param></params></methodResponse>`);
  const { text, error } = await scrape(supervisord, { argv });
  assert.ok(error instanceof ParseError);
  assert.equal(text, '');
});

test('a URL of another kind stops the start', () => {
  assert.throws(() => prepared(supervisord, { argv: ['--collector.supervisord.url=tcp://x'] }), UsageError);
});
