import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { counter, gauge } from '../core/metric.ts';

/** All ones is how the kernel says that the driver does not count this. */
const NOT_COUNTED = '0xffffffffffffffff';

const HEX_LABELS: readonly string[] = ['port_id', 'port_name', 'fabric_name'];

const count = (name: string, help: string) => counter(`node_fibrechannel_${name}_total`, help, 'fc_host');

/** The counters by the names of their files under `statistics/`. */
const counters = {
  dumped_frames: count('dumped_frames', 'Frames dumped.'),
  error_frames: count('error_frames', 'Frames with an error.'),
  invalid_crc_count: count('invalid_crc', 'Frames with a wrong checksum.'),
  rx_frames: count('rx_frames', 'Frames received.'),
  rx_words: count('rx_words', 'Words of four bytes received.'),
  tx_frames: count('tx_frames', 'Frames sent.'),
  tx_words: count('tx_words', 'Words of four bytes sent.'),
  seconds_since_last_reset: count('seconds_since_last_reset', 'Seconds since the counters of the host were reset.'),
  invalid_tx_word_count: count('invalid_tx_words', 'Words sent that were invalid.'),
  link_failure_count: count('link_failure', 'Failures of the link.'),
  loss_of_sync_count: count('loss_of_sync', 'Losses of synchronization.'),
  loss_of_signal_count: count('loss_of_signal', 'Losses of the signal.'),
  nos_count: count('nos', 'Not-operational sequences seen.'),
  fcp_packet_aborts: count('fcp_packet_aborts', 'FCP packets that were aborted.'),
} as const;

const metrics = {
  info: gauge(
    'node_fibrechannel_info',
    'What the host is and what it is connected to; the value is always 1.',
    'fc_host',
    'speed',
    'port_state',
    'port_type',
    'port_id',
    'port_name',
    'fabric_name',
    'symbolic_name',
    'supported_classes',
    'supported_speeds',
    'dev_loss_tmo',
  ),
  ...counters,
} as const;

export default defineCollector({
  name: 'fibrechannel',
  help: 'Exposes Fibre Channel host adapters and their counters.',
  enabled: true,
  reads: ['/sys/class/fc_host/<host>/*', '/sys/class/fc_host/<host>/statistics/*'],
  flags: {},
  metrics,
  /** https://docs.kernel.org/scsi/scsi_fc_transport.html */
  setup({ sys }) {
    const [, ...attributes] = metrics.info.labels;
    return sys.devices(
      'class/fc_host',
      /./,
      (host, out) => {
        const values = attributes.map((name) => {
          const text = host.word(name) ?? '';
          return HEX_LABELS.includes(name) && text.startsWith('0x') ? text.slice(2) : text;
        });
        out.row(metrics.info, 1, [host.id, ...values]);
        // A port that has never been up has seen nothing yet, whether or not its driver shows that.
        const isUnknown = (host.word('port_state') ?? 'Unknown') === 'Unknown';
        const there = host.all('statistics');
        if (there === undefined) return;
        for (const [file, family] of Object.entries(counters)) {
          const value = there.includes(file) ? host.auto(`statistics/${file}`, NOT_COUNTED) : undefined;
          out.sample(family, value ?? (isUnknown && !there.includes(file) ? 0 : undefined), host.id);
        }
      },
      { ifAbsent: noData('no Fibre Channel host') },
    );
  },
});
