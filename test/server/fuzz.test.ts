// Whatever a request asks for, there is an answer that HTTP can carry, and the next one is answered.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { silent } from '../../src/core/log.ts';
import { createRegistry } from '../../src/core/registry.ts';
import type { Answer, Ask } from '../../src/server/answer.ts';
import { CONNECTION_LIMITS, createConnections } from '../../src/server/connections.ts';
import { createHandler } from '../../src/server/handler.ts';
import { createRequests } from '../../src/server/requests.ts';
import { BUILD, collectorNamed } from '../helpers/server.ts';

const handlerAt = (telemetryPath: string) =>
  createHandler({
    registry: createRegistry([collectorNamed('cpu'), collectorNamed('stat')], { timeoutMs: 5000, log: silent }),
    log: silent,
    build: BUILD,
    telemetryPath,
    requestsMax: 40,
    disabled: ['ntp'],
  });
const handlers = [handlerAt('/metrics'), handlerAt('/node/metrics/'), handlerAt('/')];

/** A text put together from pieces that mean something, and from others. */
const textOf = (...words: readonly string[]): fc.Arbitrary<string> =>
  fc
    .array(
      fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom(...words) },
        { weight: 1, arbitrary: fc.nat(255).map((code) => String.fromCharCode(code)) },
      ),
      { maxLength: 12 },
    )
    .map((pieces) => pieces.join(''));

const target = textOf(
  ...['/', '/metrics', 'metrics/', '/node', '//', '..', '/.', '?', '&', ';', '=', '%2e', '%2F', '%0d%0a', '%zz', '%ff'],
  ...['collect[]=', 'exclude[]=', 'name%5B%5D=', 'cpu', 'ntp', 'node_test', 'http://h', '@', '#', '\\', '+', '%00'],
);
const accept = textOf(
  ...[
    'text/plain',
    '*/*',
    'application/openmetrics-text',
    ';',
    ',',
    ' ',
    'version=',
    '0.0.4',
    '1.0.0',
    'q=',
    '0.5',
    '1e9',
  ],
  ...['escaping=', 'allow-utf-8', 'values', 'dots', '"', '='],
);
const acceptEncoding = textOf('gzip', 'identity', '*', 'br', ';', ',', 'q=', '0', '0.', '.5', '1', ' ', 'q=-1', '=');
const ask: fc.Arbitrary<Ask> = fc.record({
  target,
  accept: fc.option(accept, { nil: undefined }),
  acceptEncoding: fc.option(acceptEncoding, { nil: undefined }),
  authorization: fc.constant(undefined),
});

/** What a header may hold. RFC 9110, 5.5 */
const FIELD = /^[\t\x20-\x7e\x80-\xff]*$/;

test('any target and any Accept headers have an answer', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...handlers), ask, async (handle, asked) => {
      const respond = handle(asked);
      for (let round = 0; round < 2; round += 1) {
        const { status, headers, body, ended }: Answer = await respond();
        ended?.();
        assert.ok([200, 301, 400, 404].includes(status), String(status));
        for (const value of Object.values(headers)) assert.match(value, FIELD);
        assert.match(headers['Location'] ?? '/', /^\/(?![/\\])/);
        assert.ok(Buffer.isBuffer(body));
      }
    }),
    { numRuns: 2000 },
  );
});

test('any bytes on a connection end in answers or in its end, and leave nothing under way', async () => {
  const bytes = textOf(
    ...[
      'GET ',
      'HEAD ',
      'POST ',
      'OPTIONS ',
      '/',
      '/metrics',
      '*',
      '?collect[]=cpu',
      ' ',
      'HTTP/1.1',
      'HTTP/1.0',
      '\r\n',
      '\n',
    ],
    ...[
      'Host: x\r\n',
      '\r\n\r\n',
      'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n',
      'Content-Length: 3\r\n',
      'Expect: 100-continue\r\n',
    ],
    ...[
      'Transfer-Encoding: chunked\r\n',
      '3\r\n',
      '0\r\n\r\n',
      'Connection: close\r\n',
      'Upgrade: h2c\r\n',
      'Connection: Upgrade\r\n',
    ],
  );
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { maxLength: 5 }), async (chunks) => {
      let underWay = 0;
      const [handle] = handlers;
      const connections = createConnections(CONNECTION_LIMITS);
      const counted: typeof connections = {
        ...connections,
        begin: () => {
          underWay += 1;
          return true;
        },
        end: () => {
          underWay -= 1;
        },
      };
      const { onRequest, watch } = createRequests(handle as ReturnType<typeof handlerAt>, counted, silent);
      const http = createServer({ headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0 }, onRequest);
      const [client, server] = duplexPair();
      let text = '';
      client.on('data', (chunk) => {
        text += chunk.toString('latin1');
      });
      client.on('error', () => {});
      server.on('error', () => {});
      http.emit('connection', server);
      watch(server as never);
      for (const chunk of chunks) {
        client.write(chunk, 'latin1');
        await new Promise((resolve) => setImmediate(resolve));
      }
      client.destroy();
      server.destroy();
      for (let turn = 0; turn < 20 && underWay > 0; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(underWay, 0);
      assert.match(text, /^(?:$|HTTP\/1\.1 \d{3} )/);
    }),
    { numRuns: 500 },
  );
});
