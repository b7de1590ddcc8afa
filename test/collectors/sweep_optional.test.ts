// What is refused or absent at the start ends nothing, and is the same as what is refused or absent later: folders, files, netlink,
// system calls and other programs, each in turn.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectors } from '../../src/collectors/index.ts';
import { openNetlink } from '../../src/netlink/netlink.ts';
import { NETLINK_GENERIC, NETLINK_ROUTE, NETLINK_SOCK_DIAG } from '../../src/netlink/protocols.ts';
import { FLAGS, PAST_HOST } from '../helpers/collected.ts';
import { refusal } from '../helpers/disk.ts';
import { struckMachine } from '../helpers/machine.ts';
import { kernelOf } from '../helpers/netlink.ts';
import { isFile } from '../helpers/reads.ts';
import { FIXTURES, type ScrapeOptions } from '../helpers/scrape.ts';
import {
  type Exceptions,
  judge,
  OF_REFUSED,
  type Seen,
  seriesOf,
  shortOf,
  sweepOf,
  without,
} from '../helpers/sweep.ts';

const [EPERM, EPROTONOSUPPORT] = [1, 93];

/** By collector; findings read `<what>: <fault>`. */
const OF_MACHINE: Readonly<Record<string, Exceptions>> = {
  arp: [[/^netlink 0 /, 'the fixtures of /proc/net/arp have other neighbours']],
  filesystem: [[/^statfs: lost silently/, 'device_error says so']],
  netdev: [[/^netlink 0 /, 'the fixtures of /proc/net/dev have other devices']],
};

const size = { strikes: 0, collectors: 0 };

/** A folder, with those above it below the fixtures: `/run` and `/run/udev` may be closed to us. */
const above = (path: string): string[] =>
  path.split('/').flatMap((_, i, parts) => {
    const folder = parts.slice(0, i).join('/');
    return folder.length > FIXTURES.length ? [folder] : [];
  });

/** What is wrong with a scrape in which something was refused. */
function* faultsOf(seen: Seen, usual: Seen, path: string): Generator<string> {
  const series = new Set([...usual.samples].map(seriesOf));
  const madeUp = without(seen.samples, usual.samples).find((sample) => series.has(seriesOf(sample)));
  if (madeUp !== undefined) yield `made up: ${madeUp}`;
  if (!seen.success && seen.why === '') yield 'no reason';
  const isLogged = [...seen.refused].some((each) => `${each}/`.startsWith(`${path}/`));
  if (seen.success && without(usual.samples, seen.samples).length > 0 && !isLogged) yield 'lost silently';
}

const toText = ({ samples, success, why }: Seen): string => [...samples, success, why].join('\n');

for (const collector of collectors) {
  const { name } = collector;
  test(`${name}: what is closed ends nothing, at the start and later`, { skip: PAST_HOST[name] ?? false }, async () => {
    const { again, fresh, opened, listed } = sweepOf(collector);
    const usual = await again();
    size.collectors += 1;
    const findings: string[] = [];
    const places = new Set([...opened, ...listed].flatMap((path) => [...above(path), path]));
    // Of files of one kind the first.
    const kinds = new Map(
      [...places]
        .sort()
        .toReversed()
        .map((path) => [path.replace(/\d+/g, '0'), path]),
    );
    for (const path of kinds.values())
      for (const code of ['EACCES', 'ENOENT']) {
        size.strikes += 1;
        const [later, atStart] = [await again({ path, code }), await fresh({ path, code })];
        assert.equal(toText(atStart), toText(later), `${path} ${code} at the start`);
        for (const fault of code === 'EACCES' ? faultsOf(later, usual, path) : [])
          findings.push(`${shortOf(path)} ${code}: ${fault}`);
      }
    assert.deepEqual(judge(findings, OF_REFUSED[name] ?? []), []);
  });
}

/** What the machine answers, with one of its parts closed while that is so. */
const refuse = (): never => {
  throw refusal('EPERM', 'a call');
};
const fail = async (): Promise<never> => refuse();
const { netlink = openNetlink, system = {}, daemons = {} } = struckMachine(() => undefined);
type Call = (...given: readonly unknown[]) => unknown;
type Closed = ScrapeOptions & { close(): void };

/** By name: machines a part of which is open until it is closed. */
const MACHINES: Readonly<Record<string, () => Closed>> = {
  ...Object.fromEntries(
    [NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_GENERIC].flatMap((protocol) =>
      [EPERM, EPROTONOSUPPORT].map((errno) => [`netlink ${protocol} ${errno}`, () => netlinkClosing(protocol, errno)]),
    ),
  ),
  uname: () => closing(system, 'uname', refuse, (made) => ({ system: made })),
  interfaceAddresses: () => closing(system, 'interfaceAddresses', refuse, (made) => ({ system: made })),
  adjtimex: () => closing(system, 'adjtimex', refuse, (made) => ({ system: made })),
  statfs: () =>
    closing(
      system,
      'statfs',
      () => ({ refusal: 'EPERM' }),
      (made) => ({ system: made }),
    ),
  onBus: () => closing(daemons, 'onBus', fail, (made) => ({ daemons: made })),
  systemd: () => closing(daemons, 'systemd', fail, (made) => ({ daemons: made })),
  askNtp: () => closing(daemons, 'askNtp', fail, (made) => ({ daemons: made })),
  xmlRpc: () => closing(daemons, 'xmlRpc', fail, (made) => ({ daemons: made })),
};

function closing<T extends object>(
  whole: Partial<T>,
  name: keyof T,
  closed: unknown,
  optionsOf: (made: Partial<T>) => ScrapeOptions,
): Closed {
  let isClosed = false;
  const instead =
    (open: Call): Call =>
    (...given) =>
      (isClosed ? (closed as Call) : open)(...given);
  const open = whole[name] as Call;
  // These answer in `setup` with what is asked later.
  const isLate = ['onBus', 'systemd', 'xmlRpc'].includes(String(name));
  const asked: Call = isLate ? (...given) => instead(open(...given) as Call) : instead(open);
  return {
    ...optionsOf({ ...whole, [name]: asked }),
    close: () => {
      isClosed = true;
    },
  };
}

function netlinkClosing(protocol: number, errno: number): Closed {
  let isClosed = false;
  const closed = kernelOf(() => errno);
  return {
    netlink(asked) {
      const open = netlink(asked);
      return new Proxy(open, { get: (_, key) => Reflect.get(isClosed && asked === protocol ? closed : open, key) });
    },
    close: () => {
      isClosed = true;
    },
  };
}

for (const collector of collectors) {
  const { name } = collector;
  if (collector.reads.every(isFile) || name in PAST_HOST) continue;
  test(`${name}: what the machine refuses ends nothing`, async () => {
    const findings: string[] = [];
    const argv = FLAGS[name] ?? [];
    for (const [what, make] of Object.entries(MACHINES)) {
      size.strikes += 1;
      const [lives, starts] = [make(), make()];
      const { again } = sweepOf(collector, { ...lives, argv });
      const usual = await again();
      lives.close();
      const later = await again();
      starts.close();
      assert.equal(
        toText(await sweepOf(collector, { ...starts, argv }).fresh()),
        toText(later),
        `${what} at the start`,
      );
      for (const fault of faultsOf(later, usual, what)) findings.push(`${what}: ${fault}`);
    }
    assert.deepEqual(judge(findings, OF_MACHINE[name] ?? []), []);
  });
}

test('the size of the sweep of what is optional', (t) => {
  t.diagnostic(`${size.collectors} collectors, ${size.strikes} strikes, each at the start and later`);
  assert.ok(size.strikes > 1000);
});
