import type { Line } from '../core/host.ts';

/** The number of the CPU that a line of `/proc/stat` or `/proc/schedstat` is about; `undefined` where it is about none. */
export function cpuOf(line: Line): string | undefined {
  const name = line.find(0) ?? '';
  if (!/^cpu[0-9]/.test(name)) return undefined;
  const number = name.slice('cpu'.length);
  if (!/^[0-9]+$/.test(number)) throw line.fault();
  return String(Number(number));
}
