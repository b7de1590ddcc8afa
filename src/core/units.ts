/** Factors between the kernel's units and those of metrics, which are bytes, seconds and hertz. */

export const BYTES_OF_KIB = 1024;
/** What the block layer counts, whatever the device's own sectors are. */
export const BYTES_OF_SECTOR = 512;
export const MS_OF_SECOND = 1e3;
export const US_OF_MS = 1e3;
export const US_OF_SECOND = 1e6;
export const NS_OF_MS = 1e6;
export const NS_OF_SECOND = 1e9;
/** What `sysconf(_SC_CLK_TCK)` gives on every architecture that Node runs on. */
export const TICKS_OF_SECOND = 100;
export const HZ_OF_KHZ = 1e3;
export const HZ_OF_MHZ = 1e6;

/** Seconds of measured milliseconds, to the nanosecond: more digits say nothing and cost most of writing a number. */
export const secondsOf = (ms: number): number => Math.round(ms * NS_OF_MS) / NS_OF_SECOND;
