import assert from 'node:assert/strict';
import { test } from 'node:test';
import infiniband, { parseRate, parseState } from '../../src/collectors/infiniband.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { refusingDisk } from '../helpers/disk.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

const PORT = 'sys/class/infiniband/rxe0/ports/1';
const BASE = {
  [`${PORT}/state`]: '4: ACTIVE\n',
  [`${PORT}/phys_state`]: '5: LinkUp\n',
  [`${PORT}/rate`]: '2.5 Gb/sec (1X SDR)\n',
};

test('parseState takes the number before the colon', () => {
  assert.equal(parseState('4: ACTIVE\n', 'state'), 4);
  assert.equal(parseState('0:', 'state'), 0);
});

for (const text of ['', 'ACTIVE', '4', ': x', '-1: x'])
  test(`parseState refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseState(text, 'state'), ParseError));

for (const [text, bytes] of [
  ['2.5 Gb/sec (1X SDR)\n', 312_500_000],
  ['100 Gb/sec (4X EDR)', 12_500_000_000],
  // The single-precision number nearest to 14.1 is a bit above it.
  ['14.1 Gb/sec (1X FDR)', 1_762_500_047],
] as const)
  test(`parseRate reads ${JSON.stringify(text)}`, () => assert.equal(parseRate(text, 'rate'), bytes));

for (const text of ['', '100', 'fast Gb/sec', ' 1'])
  test(`parseRate refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseRate(text, 'rate'), ParseError));

test('infiniband: the fixtures scrape to the golden text', (t) => golden(t, infiniband));

test('without the class there are no data', async (t) => {
  assert.ok((await scrape(infiniband, { root: tree(t, {}) })).error instanceof NoDataError);
});

test('a device of an older driver has empty labels and no counters', async (t) => {
  const { text, success } = await scrape(infiniband, { root: tree(t, BASE) });
  assert.ok(success);
  assert.equal(
    text.replaceAll(/^#.*\n/gm, ''),
    [
      'node_infiniband_info{board_id="",device="rxe0",firmware_version="",hca_type=""} 1',
      'node_infiniband_physical_state_id{device="rxe0",port="1"} 5',
      'node_infiniband_rate_bytes_per_second{device="rxe0",port="1"} 3.125e+08',
      'node_infiniband_state_id{device="rxe0",port="1"} 4',
      '',
    ].join('\n'),
  );
});

test('a device without ports is shown', async (t) => {
  const { text, success } = await scrape(infiniband, { root: tree(t, { 'sys/class/infiniband/rxe0/fw_ver': '1\n' }) });
  assert.ok(success);
  assert.match(text, /^node_infiniband_info\{board_id="",device="rxe0",firmware_version="1",hca_type=""\} 1$/m);
});

test('devices may be left out or chosen', async () => {
  const devices = async (...argv: readonly string[]): Promise<string | undefined> =>
    (await scrape(infiniband, { argv })).text.match(/(?<=info\{.*device=")[^"]*/g)?.join();
  assert.equal(await devices(), 'mlx5_0,mlx4_0');
  assert.equal(await devices('--collector.infiniband.device-exclude=^mlx4'), 'mlx5_0');
  assert.equal(await devices('--collector.infiniband.device-include=^mlx4'), 'mlx4_0');
  assert.equal(
    await devices('--collector.infiniband.device-include=mlx', '--collector.infiniband.device-exclude=5'),
    'mlx4_0',
  );
});

for (const [why, file, text] of [
  ['a state without a number', 'state', 'ACTIVE\n'],
  ['a counter with a word', 'counters/link_downed', 'many\n'],
  ['a rate without a number', 'rate', 'fast\n'],
] as const)
  test(`${why} costs itself alone`, async (t) => {
    const root = tree(t, { ...BASE, [`${PORT}/${file}`]: text });
    const { text: written, error, faultsTotal } = await prepared(infiniband, { root })();
    assert.ok(error instanceof ParseError);
    assert.equal(faultsTotal, 1);
    assert.match(written, /^node_infiniband_physical_state_id\{device="rxe0",port="1"\} 5$/m);
  });

for (const code of ['EINVAL', 'ENOTSUP', 'EACCES'])
  test(`a counter that the driver refuses with ${code} is left out`, async () => {
    const { text, success } = await scrape(infiniband, { disk: refusingDisk(code, 'counters/port_rcv_data') });
    assert.ok(success);
    assert.match(text, /port_data_transmitted/);
    assert.doesNotMatch(text, /port_data_received/);
  });

test('a port that lacks something leaves the others told', async (t) => {
  const { [`${PORT}/rate`]: _, ...lacking } = BASE;
  const other = Object.fromEntries(Object.entries(BASE).map(([path, text]) => [path.replace('rxe0', 'rxe1'), text]));
  const { text, error } = await scrape(infiniband, { root: tree(t, { ...lacking, ...other }) });
  assert.equal(error, undefined);
  assert.match(text, /node_infiniband_state_id\{device="rxe0",port="1"\}/);
  assert.match(text, /node_infiniband_rate_bytes_per_second\{device="rxe1",port="1"\}/);
});

for (const [words, bytes] of [
  ['7', '28'],
  ['4611686018427388928', '4096'],
  ['18446744073709551615', '1.8446744073709552e+19'],
] as const)
  test(`${words} words of data are ${bytes} bytes`, async (t) => {
    const files = { ...BASE, [`${PORT}/counters/port_rcv_data`]: `${words}\n` };
    const { text } = await scrape(infiniband, { root: tree(t, files) });
    assert.match(
      text,
      new RegExp(`^node_infiniband_port_data_received_bytes_total\\{.*\\} ${bytes.replace('+', '\\+')}$`, 'm'),
    );
  });
