import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { LimitError, ParseError, UsageError } from '../../src/core/errors.ts';
import { parseXmlRpc, xmlRpcServer } from '../../src/daemon/xml_rpc.ts';
import { descriptorsHeld } from '../helpers/bus.ts';

const response = (value: string): string =>
  `<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>${value}</value>\n</param>\n</params>\n</methodResponse>\n`;

for (const [value, expected] of [
  ['<int>17</int>', 17],
  ['<i4>-1</i4>', -1],
  ['<i8>4294967296</i8>', 4_294_967_296],
  ['<double>1.5</double>', 1.5],
  ['<boolean>1</boolean>', true],
  ['<boolean>0</boolean>', false],
  ['<string>a &lt;b&gt; &amp; &#99;</string>', 'a <b> & c'],
  ['<string></string>', ''],
  ['<string><![CDATA[<x>]]></string>', '<x>'],
  ['bare', 'bare'],
  ['', ''],
  ['<nil/>', null],
  ['<int>x</int>', null],
  ['<int> </int>', null],
  ['<struct><member><value>x</value></member><member><name>a</name></member></struct>', {}],
  ['<string>\uffff&#8;&#xFFFE;&#xd800;&#x1F600;&#9;&nbsp;</string>', '\ufffd\ufffd\ufffd\ufffd\u{1f600}\t&nbsp;'],
  ['<base64>eA==</base64>', 'eA=='],
  ['<string>\u001b[31mred\u0000</string>', '\ufffd[31mred\ufffd'],
  ['<array><data></data></array>', []],
  ['<array><data>\n<value><int>1</int></value>\n<value>x</value></data></array>', [1, 'x']],
  [
    '<struct>\n<member>\n<name>a</name>\n<value><int>1</int></value>\n</member><member><name>__proto__</name><value>x</value></member></struct>',
    Object.fromEntries([
      ['a', 1],
      ['__proto__', 'x'],
    ]),
  ],
] as const)
  test(`the value ${JSON.stringify(value)}`, async () =>
    assert.deepEqual(await parseXmlRpc(response(value)), expected));

test('an entity of its own is not read', async () => {
  const text = `<!DOCTYPE x [<!ENTITY a "aaaa">]>${response('&a;').replace(/^.*\n/, '')}`;
  assert.equal(await parseXmlRpc(text), '&a;');
});

const deep = (depth: number): string => '<array><data><value>'.repeat(depth) + '</value></data></array>'.repeat(depth);

for (const [why, text] of [
  ['nothing', ''],
  ['HTML', '<html><body>busy</body></html>'],
  ['what is cut off', response('<int>1</int>').slice(0, 60)],
  ['a response without anything', '<methodResponse/>'],
  ['a response without a value', '<methodResponse><params><param/></params></methodResponse>'],
  ['an array without data', response('<array/>')],
  ['elements within thousands of others', response(deep(20_000))],
] as const)
  test(`${why} is refused`, () => assert.rejects(parseXmlRpc(text), ParseError));

test('values within too many others are refused', () => assert.rejects(parseXmlRpc(response(deep(40))), LimitError));

test('a fault is told', async () => {
  const fault =
    '<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>1</int></value></member><member><name>faultString</name><value><string>UNKNOWN_METHOD</string></value></member></struct></value></fault></methodResponse>';
  await assert.rejects(parseXmlRpc(fault), /XML-RPC: UNKNOWN_METHOD \(1\)/);
  await assert.rejects(parseXmlRpc('<methodResponse><fault><value>x</value></fault></methodResponse>'), /a fault/);
});

test('whatever comes is read or refused', async () => {
  const whole = response(
    '<array><data><value><struct><member><name>a</name><value><int>1</int></value></member></struct></value></data></array>',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length),
      fc.nat(whole.length),
      fc.string({ maxLength: 5 }),
      async (from, to, text) => {
        try {
          await parseXmlRpc(whole.slice(0, from) + text + whole.slice(to));
        } catch (error) {
          assert.ok(
            error instanceof Error && !(error instanceof TypeError || error instanceof RangeError),
            String(error),
          );
        }
      },
    ),
    { numRuns: 1000 },
  );
});

type Answer = (request: IncomingMessage, reply: ServerResponse, body: string) => void;

/** A server on the loopback, or on a Unix socket; closed with the test. */
async function serve(t: TestContext, answer: Answer, path?: string): Promise<string> {
  const server = createServer(async (request, reply) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    answer(request, reply, body);
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path });
  await once(server, 'listening');
  return path === undefined ? `127.0.0.1:${(server.address() as AddressInfo).port}` : path;
}

const never = new AbortController().signal;
const fine: Answer = (_, reply) => reply.end(response('<int>1</int>'));

test('a method is called by POST, with the path and the password of the URL', async (t) => {
  let got: unknown;
  const host = await serve(t, (request, reply, body) => {
    const { method, url, headers } = request;
    got = [method, url, headers['content-type'], headers.authorization, /<methodName>a\.b<\/methodName>/.test(body)];
    fine(request, reply, body);
  });
  assert.equal(await xmlRpcServer(`http://me:se%20cret@${host}/RPC2?x=1`)('a.b', never), 1);
  assert.deepEqual(got, [
    'POST',
    '/RPC2?x=1',
    'text/xml',
    `Basic ${Buffer.from('me:se cret').toString('base64')}`,
    true,
  ]);
});

test('a Unix socket is asked for /RPC2', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-rpc-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = await serve(
    t,
    ({ url }, reply) => reply.end(response(`<string>${url}</string>`)),
    join(folder, 'a b.sock'),
  );
  assert.equal(await xmlRpcServer(`unix://${path}`)('a.b', never), '/RPC2');
  await assert.rejects(xmlRpcServer(`unix://${path}-not`)('a.b', never), /ENOENT/);
});

for (const url of ['', 'localhost:9001', 'ftp://localhost/', '/run/supervisor.sock', 'http://'])
  test(`${JSON.stringify(url)} is no URL to ask`, () => assert.throws(() => xmlRpcServer(url), UsageError));

const FAULTS: readonly (readonly [string, Answer, RegExp | typeof LimitError])[] = [
  ['wants a password', (_, reply) => reply.writeHead(401).end('no'), /HTTP status 401 Unauthorized/],
  ['says nothing', () => {}, /timeout|abort/i],
  [
    'closes halfway',
    (_, reply) => {
      reply.writeHead(200, { 'Content-Length': 1000 });
      reply.write('<?xml', () => reply.destroy());
    },
    /aborted/,
  ],
  ['hangs up', (_, reply) => reply.destroy(), /socket hang up/],
  [
    'stops halfway',
    (_, reply) => {
      reply.writeHead(200, { 'Content-Length': 1000 });
      reply.write('<?xml');
    },
    /timeout|abort/i,
  ],
  ['sends garbage', (_, { socket }) => socket?.end('\u0000garbage\r\n\r\n'), /Parse Error/],
  ['sends no XML', (_, reply) => reply.end('{}'), /XML-RPC: cannot parse/],
  [
    'never ends',
    (_, reply) => {
      const more = (): void => {
        while (!reply.destroyed && reply.write(Buffer.alloc(1 << 20, 'x')));
        if (!reply.destroyed) reply.once('drain', more);
      };
      more();
    },
    LimitError,
  ],
];

for (const [why, answer, said] of FAULTS)
  test(`a server that ${why} costs no more than the time there is`, async (t) => {
    const host = await serve(t, answer);
    await assert.rejects(
      xmlRpcServer(`http://${host}/RPC2`)('a.b', AbortSignal.timeout(/nothing|stops/.test(why) ? 300 : 20_000)),
      said,
    );
  });

test('no descriptor is left, whatever the server did', async (t) => {
  const behaviours = [
    fine,
    ...FAULTS.filter(([why]) => /password|closes|hangs|garbage|XML/.test(why)).map(([, answer]) => answer),
  ];
  let next = 0;
  const host = await serve(t, (...all) => (behaviours[next++ % behaviours.length] as Answer)(...all));
  const call = xmlRpcServer(`http://${host}/RPC2`);
  const before = readdirSync('/proc/self/fd').length;
  for (let round = 0; round < 120; round += 1) await call('a.b', never).catch(() => {});
  assert.equal(next, 120);
  assert.ok((await descriptorsHeld(before)) <= before);
});
