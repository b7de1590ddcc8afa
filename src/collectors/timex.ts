import { defineCollector } from '../core/collector.ts';
import { hasErrno, NoDataError } from '../core/errors.ts';
import { counter, gauge } from '../core/metric.ts';
import { adjtimex, type Timex } from '../syscall/timex.ts';

/** `include/uapi/linux/timex.h` */
const TIME_ERROR = 5;
const STA_NANO = 0x2000;
/** Frequencies are parts per million with a binary fraction of 16 bits. */
const PPM = 1_000_000 * 65_536;

const metrics = {
  sync: gauge('node_timex_sync_status', 'Whether the clock is kept in step with a reliable one.'),
  offset: gauge('node_timex_offset_seconds', 'How far the clock is off, as last told to the kernel.'),
  frequency: gauge('node_timex_frequency_adjustment_ratio', 'How much faster the clock is made to run.'),
  maxError: gauge('node_timex_maxerror_seconds', 'How far the clock is off at most.'),
  estimatedError: gauge('node_timex_estimated_error_seconds', 'How far the clock is off by estimate.'),
  status: gauge('node_timex_status', 'Flags of the clock, as bits.'),
  constant: gauge('node_timex_loop_time_constant', 'Time constant of the loop that locks the phase.'),
  tick: gauge('node_timex_tick_seconds', 'Time between two ticks of the clock.'),
  ppsFrequency: gauge('node_timex_pps_frequency_hertz', 'Frequency of the pulse per second.'),
  ppsJitter: gauge('node_timex_pps_jitter_seconds', 'Jitter of the pulse per second.'),
  ppsShift: gauge('node_timex_pps_shift_seconds', 'Duration of the interval in which the pulse is measured.'),
  ppsStability: gauge('node_timex_pps_stability_hertz', 'How far the frequency of the pulse wanders on average.'),
  ppsJitterLimit: counter('node_timex_pps_jitter_total', 'Pulses with more jitter than allowed.'),
  ppsCalibrations: counter('node_timex_pps_calibration_total', 'Intervals in which the pulse was measured.'),
  ppsErrors: counter('node_timex_pps_error_total', 'Intervals in which the pulse could not be measured.'),
  ppsStabilityLimit: counter(
    'node_timex_pps_stability_exceeded_total',
    'Intervals with a pulse less stable than allowed.',
  ),
  tai: gauge('node_timex_tai_offset_seconds', 'How far International Atomic Time is ahead of UTC.'),
} as const;

/** The clock's state in the metrics' units. */
export function valuesOf(timex: Timex): Readonly<Record<keyof typeof metrics, number>> {
  const perSecond = (timex.status & STA_NANO) !== 0 ? 1e9 : 1e6;
  return {
    sync: timex.state === TIME_ERROR ? 0 : 1,
    offset: Number(timex.offset) / perSecond,
    frequency: 1 + Number(timex.freq) / PPM,
    maxError: Number(timex.maxerror) / 1e6,
    estimatedError: Number(timex.esterror) / 1e6,
    status: timex.status,
    constant: Number(timex.constant),
    tick: Number(timex.tick) / 1e6,
    ppsFrequency: Number(timex.ppsfreq) / PPM,
    ppsJitter: Number(timex.jitter) / perSecond,
    ppsShift: timex.shift,
    ppsStability: Number(timex.stabil) / PPM,
    ppsJitterLimit: Number(timex.jitcnt),
    ppsCalibrations: Number(timex.calcnt),
    ppsErrors: Number(timex.errcnt),
    ppsStabilityLimit: Number(timex.stbcnt),
    tai: timex.tai,
  };
}

function read(): Timex {
  try {
    return adjtimex();
  } catch (error) {
    if (!hasErrno(error, ['EPERM'])) throw error;
    throw new NoDataError('the clock may not be read here', { cause: error });
  }
}

export default defineCollector({
  name: 'timex',
  help: 'Exposes how well the kernel keeps its clock in step, as adjtimex(2) tells.',
  enabled: true,
  reads: [],
  flags: {},
  metrics,
  setup() {
    return (out) => {
      const values = valuesOf(read());
      for (const [key, family] of Object.entries(metrics)) out.sample(family, values[key as keyof typeof metrics]);
    };
  },
});
