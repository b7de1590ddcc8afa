import { nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import type { Device } from '../core/host.ts';
import { counter } from '../core/metric.ts';

const CHANNEL = /^ch([0-9]+)_(?:ce|ue)_count$/;

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
    const labelOf = (row: Device, channel: string): string =>
      (row.fixed(`ch${channel}_dimm_label`) ?? 'unknown')
        .replaceAll('#', '')
        .replaceAll('csrow', '_csrow')
        .replaceAll('channel', '_channel');
    return sys.devices(
      'devices/system/edac/mc',
      /^mc[0-9]+$/,
      (mc, out) => {
        const controller = mc.id.slice('mc'.length);
        out.sample(metrics.corrected, mc.number('ce_count'), controller);
        out.sample(metrics.rowCorrected, mc.number('ce_noinfo_count'), controller, 'unknown');
        out.sample(metrics.uncorrected, mc.number('ue_count'), controller);
        out.sample(metrics.rowUncorrected, mc.number('ue_noinfo_count'), controller, 'unknown');
        for (const number of numbers(mc.list(), 'csrow')) {
          const row = mc.inside(`csrow${number}`);
          out.sample(metrics.rowCorrected, row.number('ce_count'), controller, number);
          out.sample(metrics.rowUncorrected, row.number('ue_count'), controller, number);
          for (const channel of new Set(row.list().flatMap((name) => CHANNEL.exec(name)?.[1] ?? []))) {
            const labels = [controller, number, channel, labelOf(row, channel)] as const;
            out.sample(metrics.channelCorrected, row.number(`ch${channel}_ce_count`), ...labels);
            out.sample(metrics.channelUncorrected, row.number(`ch${channel}_ue_count`), ...labels);
          }
        }
      },
      { ifAbsent: nothing },
    );
  },
});
