import { defineCollector } from '../core/collector.ts';
import { eachDevice, reading } from '../core/devices.ts';
import { optional, parsed } from '../core/errors.ts';
import { counter } from '../core/metric.ts';
import { uint } from '../core/text.ts';

const CONTROLLERS = 'devices/system/edac/mc';
const CHANNEL = /^ch([0-9]+)_ce_count$/;

/** The numbers behind `prefix` among these names. */
const numbers = (names: readonly string[], prefix: string): string[] =>
  names
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length))
    .filter((rest) => /^[0-9]+$/.test(rest));

export default defineCollector({
  name: 'edac',
  help: 'Exposes memory errors that the hardware detected.',
  enabled: true,
  reads: [
    '/sys/devices/system/edac/mc/mc<number>/{ce_count,ce_noinfo_count,ue_count,ue_noinfo_count}',
    '/sys/devices/system/edac/mc/mc<number>/csrow<number>/{ce_count,ue_count}',
    '/sys/devices/system/edac/mc/mc<number>/csrow<number>/ch<number>_{ce_count,ue_count,dimm_label}',
  ],
  flags: {},
  /** https://docs.kernel.org/admin-guide/RAS/main.html */
  metrics: {
    corrected: counter('node_edac_correctable_errors_total', 'Memory errors that were corrected.', 'controller'),
    uncorrected: counter('node_edac_uncorrectable_errors_total', 'Memory errors not to be corrected.', 'controller'),
    rowCorrected: counter(
      'node_edac_csrow_correctable_errors_total',
      'Memory errors of the row that were corrected; "unknown" counts those of no known row.',
      'controller',
      'csrow',
    ),
    rowUncorrected: counter(
      'node_edac_csrow_uncorrectable_errors_total',
      'Memory errors of the row not to be corrected; "unknown" counts those of no known row.',
      'controller',
      'csrow',
    ),
    channelCorrected: counter(
      'node_edac_channel_correctable_errors_total',
      'Memory errors of the channel that were corrected.',
      'controller',
      'csrow',
      'channel',
      'dimm_label',
    ),
    channelUncorrected: counter(
      'node_edac_channel_uncorrectable_errors_total',
      'Memory errors of the channel not to be corrected.',
      'controller',
      'csrow',
      'channel',
      'dimm_label',
    ),
  },
  setup({ sys }, metrics) {
    const parse = (path: string, text: string): number => parsed(uint(text.trim()), sys.path(path), text);
    const count = (path: string): number => parse(path, sys.readOnce(path));
    const labelOf = (path: string): string => {
      const label = reading(() => sys.readOnce(path))?.trim() ?? 'unknown';
      const formatted = label.replaceAll('#', '').replaceAll('csrow', '_csrow').replaceAll('channel', '_channel');
      return formatted;
    };
    return async (out, turn) => {
      const controllers = numbers(optional(() => sys.list(CONTROLLERS)) ?? [], 'mc');
      await eachDevice(controllers, turn, async (controller) => {
        const path = `${CONTROLLERS}/mc${controller}`;
        out.sample(metrics.corrected, count(`${path}/ce_count`), controller);
        out.sample(metrics.rowCorrected, count(`${path}/ce_noinfo_count`), controller, 'unknown');
        out.sample(metrics.uncorrected, count(`${path}/ue_count`), controller);
        out.sample(metrics.rowUncorrected, count(`${path}/ue_noinfo_count`), controller, 'unknown');
        await eachDevice(numbers(sys.list(path), 'csrow'), turn, (row) => {
          const inside = `${path}/csrow${row}`;
          out.sample(metrics.rowCorrected, count(`${inside}/ce_count`), controller, row);
          out.sample(metrics.rowUncorrected, count(`${inside}/ue_count`), controller, row);
          for (const name of sys.list(inside)) {
            const channel = CHANNEL.exec(name)?.[1];
            if (channel === undefined) continue;
            const label = labelOf(`${inside}/ch${channel}_dimm_label`);
            out.sample(metrics.channelCorrected, count(`${inside}/${name}`), controller, row, channel, label);
            const file = `${inside}/ch${channel}_ue_count`;
            const text = reading(() => sys.readOnce(file));
            if (text === undefined) continue;
            out.sample(metrics.channelUncorrected, parse(file, text), controller, row, channel, label);
          }
        });
      });
    };
  },
});
