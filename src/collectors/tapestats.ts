import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { flag } from '../core/flag.ts';
import { counter, gauge } from '../core/metric.ts';

const SECONDS_OF_NS = 0.000000001;

export default defineCollector({
  name: 'tapestats',
  help: 'Exposes what SCSI tape drives read and write.',
  enabled: true,
  reads: ['/sys/class/scsi_tape/<device>/stats/*'],
  flags: {
    ignored: flag.regexp('collector.tapestats.ignored-devices', 'Tape drives to leave out (RE2).', '^$'),
  },
  metrics: {
    ioNow: gauge('node_tape_io_now', 'Requests under way.', 'device'),
    ioTime: counter('node_tape_io_time_seconds_total', 'Time that all requests took together.', 'device'),
    others: counter('node_tape_io_others_total', 'Requests that neither read nor write.', 'device'),
    readBytes: counter('node_tape_read_bytes_total', 'Bytes read.', 'device'),
    reads: counter('node_tape_reads_completed_total', 'Reads that ended.', 'device'),
    readTime: counter('node_tape_read_time_seconds_total', 'Time that all reads took together.', 'device'),
    residual: counter(
      'node_tape_residual_total',
      'Reads and writes that moved another number of bytes than asked for.',
      'device',
    ),
    writtenBytes: counter('node_tape_written_bytes_total', 'Bytes written.', 'device'),
    writes: counter('node_tape_writes_completed_total', 'Writes that ended.', 'device'),
    writeTime: counter('node_tape_write_time_seconds_total', 'Time that all writes took together.', 'device'),
  },
  /** Files of a drive: https://docs.kernel.org/scsi/st.html */
  setup({ sys, flags }, metrics) {
    const files = [
      ['in_flight', metrics.ioNow, 1],
      ['io_ns', metrics.ioTime, SECONDS_OF_NS],
      ['other_cnt', metrics.others, 1],
      ['read_byte_cnt', metrics.readBytes, 1],
      ['read_cnt', metrics.reads, 1],
      ['read_ns', metrics.readTime, SECONDS_OF_NS],
      ['resid_cnt', metrics.residual, 1],
      ['write_byte_cnt', metrics.writtenBytes, 1],
      ['write_cnt', metrics.writes, 1],
      ['write_ns', metrics.writeTime, SECONDS_OF_NS],
    ] as const;
    return sys.devices(
      'class/scsi_tape',
      /^st\d+$/,
      (drive, out) => {
        if (flags.ignored?.test(drive.id)) return;
        for (const [file, family, scale] of files)
          out.sample(family, drive.number(`stats/${file}`)?.times(scale), drive.id);
      },
      { ifAbsent: noData('no SCSI tape drives') },
    );
  },
});
