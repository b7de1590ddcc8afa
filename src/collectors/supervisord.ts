import { defineCollector, type Needs } from '../core/collector.ts';
import { isStruct, type XmlRpcValue } from '../core/daemons.ts';
import { ParseError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { isAddress } from '../core/ip_address.ts';
import { counter, gauge } from '../core/metric.ts';

/** STARTING, RUNNING and STOPPING. http://supervisord.org/subprocess.html#process-states */
const UP: readonly number[] = [10, 20, 40];

export interface SupervisedProcess {
  readonly name: string;
  readonly group: string;
  readonly state: number;
  readonly exitStatus: number;
  /** Unix time; 0 if it was never started. */
  readonly startSeconds: number;
}

/** One of getAllProcessInfo; `undefined` for what lacks anything. http://supervisord.org/api.html */
function processOf(info: XmlRpcValue): SupervisedProcess | undefined {
  if (!isStruct(info)) return undefined;
  const { name, group, state, exitstatus: exitStatus, start: startSeconds } = info;
  if (typeof name !== 'string' || typeof group !== 'string') return undefined;
  if (typeof state !== 'number' || typeof exitStatus !== 'number' || typeof startSeconds !== 'number') return undefined;
  return { name, group, state, exitStatus, startSeconds };
}

/** To a name it asks by UDP. What is no address is refused by `setup`. */
function needsOf(url: string): Needs {
  const { protocol = '', hostname = '', port = '', pathname = '' } = URL.parse(url) ?? {};
  if (protocol === 'unix:') return { sockets: [{ family: 'unix', path: pathname }] };
  const tcp = { family: 'tcp', port: Number(port) || (protocol === 'https:' ? 443 : 80) } as const;
  return isAddress(hostname.replace(/^\[|\]$/g, ''))
    ? { sockets: [tcp] }
    : { sockets: [tcp, { family: 'udp' }], resolves: true };
}

export default defineCollector({
  name: 'supervisord',
  help: 'Exposes the processes that supervisord looks after.',
  enabled: false,
  reads: [],
  flags: {
    url: flag.text(
      'collector.supervisord.url',
      'Where supervisord answers XML-RPC: http://…/RPC2, or unix:// and the path of its socket.',
      'http://localhost:9001/RPC2',
      { env: 'SUPERVISORD_URL' },
    ),
  },
  metrics: {
    state: gauge(
      'node_supervisord_state',
      'State of the process: 0 stopped, 10 starting, 20 running, 30 backoff, 40 stopping, 100 exited, 200 fatal, 1000 unknown.',
      'name',
      'group',
    ),
    exitStatus: gauge('node_supervisord_exit_status', 'Status with which the process last ended.', 'name', 'group'),
    up: gauge('node_supervisord_up', 'Whether the process is starting, running or stopping.', 'name', 'group'),
    startTime: counter(
      'node_supervisord_start_time_seconds',
      'When the process was started, in Unix time, if it is up.',
      'name',
      'group',
    ),
  },
  needs: ({ flags: { url } }) => needsOf(url),
  setup({ daemons, flags: { url } }, metrics) {
    const call = daemons.xmlRpc(url);
    return async (out, turn) => {
      const infos = await call('supervisor.getAllProcessInfo', turn.signal);
      if (!Array.isArray(infos)) throw new ParseError('supervisord', JSON.stringify(infos));
      for (const info of infos as readonly XmlRpcValue[]) {
        const found = processOf(info);
        if (found === undefined) {
          out.fault(new ParseError('supervisord', JSON.stringify(info)));
          continue;
        }
        const { name, group, state, exitStatus, startSeconds } = found;
        const isUp = UP.includes(state);
        out.sample(metrics.state, state, name, group);
        out.sample(metrics.exitStatus, exitStatus, name, group);
        out.sample(metrics.up, isUp ? 1 : 0, name, group);
        if (isUp) out.sample(metrics.startTime, startSeconds, name, group);
      }
    };
  },
});
