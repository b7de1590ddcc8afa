// Runs inside a guest with a battery whose driver asks this program (uhid): it answers as late as it is told to.
import { execFileSync } from 'node:child_process';
import { existsSync, openSync, read, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fetchText, type Keyhole, startExporter, tell } from './inside.ts';

/** https://docs.kernel.org/hid/uhid.html */
const DESTROY = 1;
const STOP = 3;
const GET_REPORT = 9;
const GET_REPORT_REPLY = 10;
const CREATE2 = 11;
const EVENT_BYTES = 4376;
const BUS_USB = 3;
const CHARGE_PERCENT = 61;
const SUPPLY = '/sys/class/power_supply/hid-keyhole-battery';
const TIMEOUT_S = 2;
/** The driver itself gives up after five seconds. */
const SLOW_MS = 4500;
const TRIES = 40;

/** A mouse of two axes, with the strength of its battery (usage 0x20 of page 6) in report 2. */
const DESCRIPTOR = Buffer.from(
  '05010902a1010901a10085010501093009311581257f750895028106c0' + '0506092085021500266400750895' + '01b102c0',
  'hex',
);

let lateMs = 0;

function answer(fd: number, id: number): void {
  const reply = Buffer.alloc(EVENT_BYTES);
  reply.writeUInt32LE(GET_REPORT_REPLY, 0);
  reply.writeUInt32LE(id, 4);
  reply.writeUInt16LE(2, 10);
  reply.set([2, CHARGE_PERCENT], 12);
  setTimeout(() => writeSync(fd, reply), lateMs);
}

/** Makes the device, and answers its driver from then on. */
async function attachBattery(): Promise<() => void> {
  for (const name of ['hid', 'hid-generic', 'uhid']) execFileSync('insmod', [`/modules/${name}.ko`]);
  const fd = openSync('/dev/uhid', 'r+');
  const create = Buffer.alloc(EVENT_BYTES);
  create.writeUInt32LE(CREATE2, 0);
  create.write('keyhole', 4);
  create.write('keyhole', 4 + 192);
  create.writeUInt16LE(DESCRIPTOR.length, 260);
  create.writeUInt16LE(BUS_USB, 262);
  create.set(DESCRIPTOR, 280);
  writeSync(fd, create);
  const listen = (): void =>
    read(fd, Buffer.alloc(EVENT_BYTES), 0, EVENT_BYTES, null, (error, _, event) => {
      if (error !== null) throw error;
      const kind = event.readUInt32LE(0);
      if (kind === GET_REPORT) answer(fd, event.readUInt32LE(4));
      if (kind !== STOP) listen();
    });
  listen();
  while (!existsSync(SUPPLY)) await delay(100);
  const destroy = Buffer.alloc(EVENT_BYTES);
  destroy.writeUInt32LE(DESTROY, 0);
  return () => writeSync(fd, destroy);
}

async function timed<T>(work: Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const startedAt = performance.now();
  const value = await work;
  return { ms: Math.round(performance.now() - startedAt), value };
}

interface Look {
  readonly ms: number;
  readonly pageMs: number;
  readonly load: boolean;
  readonly charge: number | undefined;
}

async function look(keyhole: Keyhole): Promise<Look> {
  const scrape = timed(keyhole.scrape());
  await delay(200);
  const page = await timed(fetchText('http://127.0.0.1:9100/'));
  const { ms, value } = await scrape;
  return {
    ms,
    pageMs: page.ms,
    load: value.has('node_load1'),
    charge: value.get('node_power_supply_capacity')?.samples.values().next().value,
  };
}

async function main(): Promise<void> {
  const only = ['--collector.powersupplyclass', '--collector.loadavg'];
  const keyhole = await startExporter(9100, [...only, `--collector.timeout=${TIMEOUT_S}s`]);
  // What answers for the first time takes long where nothing is compiled yet.
  await look(keyhole);
  const detach = await attachBattery();
  lateMs = SLOW_MS;
  tell({ slow: await look(keyhole) });
  tell({ stillSlow: await look(keyhole) });
  lateMs = 0;
  let quick = await look(keyhole);
  for (let tries = 0; quick.charge === undefined && tries < TRIES; tries += 1) {
    await delay(500);
    quick = await look(keyhole);
  }
  tell({ quick });
  lateMs = SLOW_MS;
  await look(keyhole);
  const { ms, value } = await timed(keyhole.stop());
  tell({ end: { ms, status: value }, log: keyhole.log() });
  detach();
}

void main();
