import { refusalOf } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { NoDataError, ParseError } from '../core/errors.ts';
import type { Collect, KernelFile } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import type { Writer } from '../core/writer.ts';

const COLUMNS_MIN = 13;
const QUEUES_COLUMN = 4;
const [NEWLINE, BLANK, COLON] = [10, 32, 58] as const;

/** The value of a hexadecimal digit; -1 for what is none. */
function digitOf(byte: number): number {
  const letter = byte | 32;
  if (byte >= 48 && byte <= 57) return byte - 48;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** Bytes that wait in the queues of all sockets. Rows come and go with sockets: they are walked, and not laid out. */
class QueuedBytes {
  tx = 0;
  rx = 0;
  /** Rows that cannot be read. */
  faults: ParseError[] = [];
  #rowTx = 0;
  #rowRx = 0;

  /**
   * Adds up `/proc/net/udp` or `/proc/net/udp6`, a row per socket below a heading, and answers whether there is one.
   * https://docs.kernel.org/networking/proc_net_tcp.html
   */
  add({ bytes, length, path }: Pick<KernelFile, 'bytes' | 'length' | 'path'>): boolean {
    this.tx = 0;
    this.rx = 0;
    this.faults = [];
    let isBody = false;
    for (let at = 0; at < length; ) {
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline < 0 || newline > length ? length : newline;
      const start = at;
      while (at < end && bytes[at] === BLANK) at += 1;
      if (at < end && isBody) this.#addRow(bytes, start, end, path);
      isBody ||= at < end;
      at = end + 1;
    }
    if (!isBody) this.faults.push(new ParseError(path, ''));
    return isBody;
  }

  #addRow(bytes: Buffer, start: number, end: number, path: string): void {
    if (this.#takeRow(bytes, start, end)) {
      this.tx += this.#rowTx;
      this.rx += this.#rowRx;
    } else this.faults.push(new ParseError(path, bytes.toString('utf8', start, end)));
  }

  #takeRow(bytes: Buffer, start: number, end: number): boolean {
    let columns = 0;
    let isGood = false;
    for (let at = start; at < end; ) {
      while (at < end && bytes[at] === BLANK) at += 1;
      if (at === end) break;
      if (columns === QUEUES_COLUMN) isGood = this.#takeQueues(bytes, at, end);
      while (at < end && bytes[at] !== BLANK) at += 1;
      columns += 1;
    }
    return isGood && columns >= COLUMNS_MIN;
  }

  /** `<tx>:<rx>` */
  #takeQueues(bytes: Buffer, start: number, end: number): boolean {
    let [tx, rx, digits] = [0, 0, 0];
    let isRx = false;
    for (let at = start; at < end && bytes[at] !== BLANK; at += 1) {
      const digit = digitOf(bytes[at] as number);
      if (digit >= 0) {
        if (isRx) rx = rx * 16 + digit;
        else tx = tx * 16 + digit;
        digits += 1;
      } else if (bytes[at] === COLON && !isRx && digits > 0) {
        isRx = true;
        digits = 0;
      } else return false;
    }
    this.#rowTx = tx;
    this.#rowRx = rx;
    return isRx && digits > 0;
  }
}

export default defineCollector({
  name: 'udp_queues',
  help: 'Exposes what waits in the queues of UDP sockets.',
  enabled: true,
  reads: ['/proc/net/udp', '/proc/net/udp6'],
  flags: {},
  metrics: {
    queues: gauge('node_udp_queues', 'Bytes that wait in the queues of UDP sockets.', 'ip', 'queue'),
  },
  setup({ proc }, metrics) {
    const files = [
      ['v4', proc.file('net/udp')],
      ['v6', proc.file('net/udp6')],
    ] as const;
    const queued = new QueuedBytes();
    const write = (out: Writer, ip: string, file: KernelFile): void => {
      if (queued.add(file)) {
        out.sample(metrics.queues, queued.rx, ip, 'rx');
        out.sample(metrics.queues, queued.tx, ip, 'tx');
      }
      for (const fault of queued.faults) out.fault(fault);
    };
    const collect: Collect = (out) => {
      let found = 0;
      for (const [ip, file] of files) {
        if (!file.tryRead(out)) continue;
        found += 1;
        write(out, ip, file);
      }
      if (found === 0)
        throw refusalOf(files.map(([, file]) => file)) ?? new NoDataError('there is no UDP on this machine');
    };
    return collect;
  },
});
