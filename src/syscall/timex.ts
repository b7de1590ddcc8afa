import type { Timex } from '../core/system.ts';
import { struct, syscall } from './libc.ts';

/** struct timex, `include/uapi/linux/timex.h`. It ends in eleven unused ints. */
export const timexLayout = struct(
  {
    modes: 'u32',
    offset: 'i64',
    freq: 'i64',
    maxerror: 'i64',
    esterror: 'i64',
    status: 'i32',
    constant: 'i64',
    precision: 'i64',
    tolerance: 'i64',
    tvSec: 'i64',
    tvUsec: 'i64',
    tick: 'i64',
    ppsfreq: 'i64',
    jitter: 'i64',
    shift: 'i32',
    stabil: 'i64',
    jitcnt: 'i64',
    calcnt: 'i64',
    errcnt: 'i64',
    stbcnt: 'i64',
    tai: 'i32',
  },
  208,
);

/** Makes a function that reads the state of the kernel's clock, and changes nothing. It makes nothing either. */
export function createTimexReader(): () => Timex {
  const bytes = timexLayout.encode({ modes: 0 });
  const view = new DataView(bytes.buffer);
  const { offsets } = timexLayout;
  const i32 = (name: keyof typeof offsets): number => view.getInt32(offsets[name], true);
  // The nearest double: both halves are exact, so that only their sum is rounded.
  const i64 = (name: keyof typeof offsets): number =>
    view.getInt32(offsets[name] + 4, true) * 2 ** 32 + view.getUint32(offsets[name], true);
  const timex = { state: 0 } as { -readonly [K in keyof Timex]: number };
  return () => {
    timex.state = syscall('adjtimex', bytes);
    for (const name of INTS) timex[name] = i32(name);
    for (const name of LONGS) timex[name] = i64(name);
    return timex;
  };
}

const INTS = ['status', 'shift', 'tai'] as const;
const LONGS = [
  'offset',
  'freq',
  'maxerror',
  'esterror',
  'constant',
  'tick',
  'ppsfreq',
  'jitter',
  'stabil',
  'jitcnt',
  'calcnt',
  'errcnt',
  'stbcnt',
] as const;
