import { defineCollector } from '../core/collector.ts';
import { hasErrno, NoDataError, REFUSED } from '../core/errors.ts';
import { counter, type Family, gauge } from '../core/metric.ts';
import type { Timex } from '../core/system.ts';
import { NS_OF_SECOND, US_OF_SECOND } from '../core/units.ts';

/** `include/uapi/linux/timex.h` */
const TIME_ERROR = 5;
const STA_NANO = 0x2000;
/** Frequencies are parts per million with a binary fraction of 16 bits. */
const PPM = 1_000_000 * 65_536;

const metrics = {
  sync: gauge('node_timex_sync_status', 'Whether the clock is kept in step with a reliable one.'),
  offset: gauge('node_timex_offset_seconds', 'How far the clock is off, as last reported to the kernel.'),
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

const perSecond = ({ status }: Timex): number => ((status & STA_NANO) !== 0 ? NS_OF_SECOND : US_OF_SECOND);

/** What is made of the clock's state, in the metrics' units. */
const VALUES: readonly (readonly [Family<readonly []>, (timex: Timex) => number])[] = [
  [metrics.sync, ({ state }) => (state === TIME_ERROR ? 0 : 1)],
  [metrics.offset, (timex) => timex.offset / perSecond(timex)],
  [metrics.frequency, ({ freq }) => 1 + freq / PPM],
  [metrics.maxError, ({ maxerror }) => maxerror / US_OF_SECOND],
  [metrics.estimatedError, ({ esterror }) => esterror / US_OF_SECOND],
  [metrics.status, ({ status }) => status],
  [metrics.constant, ({ constant }) => constant],
  [metrics.tick, ({ tick }) => tick / US_OF_SECOND],
  [metrics.ppsFrequency, ({ ppsfreq }) => ppsfreq / PPM],
  [metrics.ppsJitter, (timex) => timex.jitter / perSecond(timex)],
  [metrics.ppsShift, ({ shift }) => shift],
  [metrics.ppsStability, ({ stabil }) => stabil / PPM],
  [metrics.ppsJitterLimit, ({ jitcnt }) => jitcnt],
  [metrics.ppsCalibrations, ({ calcnt }) => calcnt],
  [metrics.ppsErrors, ({ errcnt }) => errcnt],
  [metrics.ppsStabilityLimit, ({ stbcnt }) => stbcnt],
  [metrics.tai, ({ tai }) => tai],
];

export default defineCollector({
  name: 'timex',
  help: 'Exposes how well the kernel keeps its clock in step, as adjtimex(2) says.',
  enabled: true,
  reads: ['syscall:adjtimex'],
  flags: {},
  metrics,
  setup({ system }) {
    const read = (): Timex => {
      try {
        return system.adjtimex();
      } catch (error) {
        if (!hasErrno(error, REFUSED)) throw error;
        throw new NoDataError('the clock may not be read here', { cause: error });
      }
    };
    return (out) => {
      const timex = read();
      for (const [family, make] of VALUES) out.sample(family, make(timex));
    };
  },
});
