import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { AUTONEGOTIATION_BIT, hasBit, PAUSE_BIT, portsIn, speedsIn } from '../../src/parse/link_modes.ts';

const WORDS = 4;
function maskOf(...bits: readonly number[]): Uint8Array {
  const mask = new Uint8Array(4 * WORDS);
  for (const bit of bits) mask[bit >> 3] = (mask[bit >> 3] as number) | (1 << (bit & 7));
  return mask;
}

for (const [bit, megabits, duplex, mode] of [
  [0, 10, 'half', '10baseT'],
  [1, 10, 'full', '10baseT'],
  [5, 1000, 'full', '1000baseT'],
  [20, 10_000, 'full', '10000baseR_FEC'],
  [31, 25_000, 'full', '25000baseCR'],
  [32, 25_000, 'full', '25000baseKR'],
  [39, 100_000, 'full', '100000baseLR4_ER4'],
  [47, 2500, 'full', '2500baseT'],
  [68, 1000, 'full', '1000baseT1'],
  [90, 100, 'half', '100baseFX'],
  [124, 1_600_000, 'full', '1600000baseDR8_2'],
] as const)
  test(`bit ${bit} is ${mode} at ${duplex} duplex`, () =>
    assert.deepEqual(speedsIn(maskOf(bit)), [{ megabits, duplex, mode }]));

test('ports, pauses and corrections are no speeds, and a bit of the future is none either', () => {
  assert.deepEqual(speedsIn(maskOf(6, 7, 8, 9, 10, 11, 13, 14, 16, 49, 50, 51, 74, 125, 127)), []);
});

test('ports are named', () => {
  assert.deepEqual(portsIn(maskOf(7, 8, 9, 10, 11, 16)), ['TP', 'AUI', 'MII', 'FIBRE', 'BNC', 'Backplane']);
  assert.deepEqual(portsIn(maskOf(0, 6, 13)), []);
});

test('a mask that is shorter than a bit does not have it', () => {
  assert.equal(hasBit(maskOf(PAUSE_BIT), PAUSE_BIT), true);
  assert.equal(hasBit(maskOf(PAUSE_BIT), AUTONEGOTIATION_BIT), false);
  assert.equal(hasBit(new Uint8Array(0), PAUSE_BIT), false);
});

const HEADER = '/usr/include/linux/ethtool.h';
const skip = existsSync(HEADER) ? false : `${HEADER} is not there`;
test("every speed is where the kernel's header has it", { skip }, () => {
  const bits = readFileSync(HEADER, 'utf8').matchAll(/ETHTOOL_LINK_MODE_(\d+)(base\w+?)(_Half|_Full)?_BIT\s*= (\d+)/g);
  let compared = 0;
  for (const [, megabits, phy, duplex, bit] of bits) {
    const wanted = {
      megabits: Number(megabits),
      duplex: duplex === '_Half' ? 'half' : 'full',
      mode: `${megabits}${phy}`,
    };
    assert.deepEqual(speedsIn(maskOf(Number(bit))), [wanted]);
    compared += 1;
  }
  assert.ok(compared > 60, `only ${compared} speeds`);
});
