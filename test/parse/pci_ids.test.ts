import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findPciNames, type PciIds } from '../../src/parse/pci_ids.ts';

const TEXT = `# comment
0001  First
\t0002  Two of first
\t\t0003 0004  Board of two
# comment
\t0005  Five of first

0003  Third
\t0005  Five of third
\t\t0003 0009  Board of five
C 01  Storage
\t06  SATA
\t\t01  AHCI
\t07  SAS
C 02  Network`;

const ids = (vendor: string, device: string, subDevice: string, type: string): PciIds => ({
  type,
  vendor,
  device,
  subVendor: '0003',
  subDevice,
});

for (const [asked, expected] of [
  [ids('0001', '0002', '0004', '010601'), ['AHCI', 'First', 'Two of first', 'Third', 'Board of two']],
  [ids('0001', '0005', '0004', '010600'), ['SATA', 'First', 'Five of first', 'Third', '0004']],
  [ids('0003', '0005', '0009', '010700'), ['SAS', 'Third', 'Five of third', 'Third', 'Board of five']],
  [ids('0003', '0002', '0004', '01ff00'), ['Storage', 'Third', '0002', 'Third', '0004']],
  [ids('0002', '0005', '0009', '020000'), ['Network', '0002', '0005', 'Third', '0009']],
  [ids('ffff', '0005', '0009', '030000'), ['Unknown class (030000)', 'ffff', '0005', 'Third', '0009']],
] as const)
  test(`names of ${Object.values(asked).join()}`, () => {
    const { type, vendor, device, subVendor, subDevice } = findPciNames(TEXT, asked);
    assert.deepEqual([type, vendor, device, subVendor, subDevice], expected);
  });

test('an empty text has no names', () => {
  assert.equal(findPciNames('', ids('0001', '0002', '0004', '010601')).vendor, '0001');
});
