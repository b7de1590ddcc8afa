import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bytesOf } from '../../src/core/utf8.ts';
import { isAllowed } from '../../src/perf/opener.ts';
import {
  decodeAnswer,
  decodeHello,
  decodeRequest,
  encodeAnswer,
  encodeHello,
  encodeRequest,
  type OpenRequest,
  REQUEST_BYTES_MAX,
} from '../../src/perf/opener_protocol.ts';

const plain = { excludeUser: false, excludeKernel: false, excludeHv: false, excludeHost: false, excludeGuest: false };
const spec = { type: 1, config: 3n, config1: 0n, config2: 0n, ...plain };

test('a request arrives as it was sent', () => {
  const u64 = fc.bigInt(0n, (1n << 64n) - 1n);
  const name = fc.stringMatching(/^[a-zü日\\.:@-]{3,12}$/u);
  const request = fc.record(
    {
      spec: fc.record(
        {
          type: fc.nat(2 ** 32 - 1),
          config: u64,
          config1: u64,
          config2: u64,
          excludeUser: fc.boolean(),
          excludeKernel: fc.boolean(),
          excludeHv: fc.boolean(),
          excludeHost: fc.boolean(),
          excludeGuest: fc.boolean(),
        },
        { noNullPrototype: true },
      ),
      cpu: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      cgroup: fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => bytesOf(names.join('/'))),
    },
    { requiredKeys: ['spec', 'cpu'], noNullPrototype: true },
  );
  fc.assert(fc.property(request, (sent) => assert.deepEqual(decodeRequest(encodeRequest(sent)), sent)));
});

describe('paths that lead elsewhere are no requests', () => {
  for (const cgroup of ['', '/', '/a', 'a/', 'a//b', '.', '..', '../a', 'a/../b', 'a/.', 'a\0b', 'a'.repeat(4097)])
    test(JSON.stringify(cgroup.slice(0, 20)), () =>
      assert.equal(decodeRequest(encodeRequest({ spec, cpu: 0, cgroup })), undefined),
    );
  test('and not what is no UTF-8', () => {
    const bytes = encodeRequest({ spec, cpu: 0, cgroup: 'a/b\xff' });
    assert.deepEqual([...bytes.subarray(-4)], [0x61, 0x2f, 0x62, 0xff]);
    assert.equal(decodeRequest(bytes)?.cgroup, 'a/b\xff');
  });
});

test('whatever arrives is a request or none, never more', () => {
  const anything = fc.uint8Array({ maxLength: REQUEST_BYTES_MAX + 8 });
  const almost = fc.tuple(fc.nat(47), fc.nat(255)).map(([at, value]) => {
    const bytes = encodeRequest({ spec, cpu: 0, cgroup: 'a/b' });
    bytes[at % bytes.length] = value;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(anything, almost), (bytes) => {
      const request = decodeRequest(bytes);
      if (request !== undefined) assert.deepEqual(Buffer.from(encodeRequest(request)), Buffer.from(bytes));
      decodeAnswer(bytes);
      decodeHello(bytes);
    }),
  );
});

test('answers and greetings', () => {
  assert.equal(decodeAnswer(encodeAnswer(0)), 0);
  assert.equal(decodeAnswer(encodeAnswer(13)), 13);
  assert.equal(decodeAnswer(new Uint8Array(8)), undefined);
  const hello = {
    pid: 42,
    privileges: { effective: 1n << 38n, bounding: (1n << 41n) - 1n, noNewPrivs: true, seccomp: 2 },
  };
  assert.deepEqual(decodeHello(encodeHello(hello)), hello);
  assert.equal(decodeHello(new Uint8Array(32)), undefined);
});

describe('what only counts is allowed', () => {
  const types = new Set([0, 1, 2, 3, 4, 10, 12]);
  const ask = (type: number, config: bigint, cpu = 0): OpenRequest => ({ spec: { ...spec, type, config }, cpu });
  for (const [why, request, isFine] of [
    ['a hardware event', ask(0, 1n), true],
    ["one of another PMU's cores", ask(0, (10n << 32n) | 1n), true],
    ['one of a PMU that is not there', ask(0, 11n << 32n), false],
    ['a cache event', ask(3, 0x10000n), true],
    ['a software event', ask(1, 3n), true],
    ['what BPF writes to', ask(1, 10n), false],
    ['a software event that is none', ask(1, 12n), false],
    ['a tracepoint', ask(2, 314n), true],
    ['a raw event', ask(4, 0xffffn), true],
    ['a PMU of packages', ask(12, 2n), true],
    ['a breakpoint', ask(5, 0n), false],
    ['a probe, or a trace', ask(6, 0n), false],
    ['all CPUs', ask(1, 3n, -1), false],
    ['a CPU that no machine has', ask(1, 3n, 65536), false],
  ] as const)
    test(why, () => assert.equal(isAllowed(request, types), isFine));
});
