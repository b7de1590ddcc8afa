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

/** The kernel's clock, in the kernel's units: `offset`, `jitter` and `tvUsec` are nanoseconds where `status` has STA_NANO. */
export interface Timex extends ReturnType<typeof timexLayout.decode> {
  /** What adjtimex returned: TIME_OK 0, TIME_INS 1, TIME_DEL 2, TIME_OOP 3, TIME_WAIT 4, TIME_ERROR 5. */
  readonly state: number;
}

/** Reads the state of the kernel's clock; changes nothing. https://man7.org/linux/man-pages/man2/adjtimex.2.html */
export function adjtimex(): Timex {
  const bytes = timexLayout.encode({ modes: 0 });
  const state = syscall('adjtimex', bytes);
  return { ...timexLayout.decode(bytes), state };
}
