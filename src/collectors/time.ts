import { nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { unsaid } from '../core/faults.ts';
import type { Tree } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import { fields } from '../core/text.ts';
import { bytesOf } from '../core/utf8.ts';

const DIR = 'devices/system/clocksource';

/** An abbreviation (`CET`, `<+0330>`) and an offset west of Greenwich (`-1`, `5:30`, may be missing), as POSIX writes them. */
const ZONE = '([A-Za-z]{3,}|<[^>]+>)([+-]?[0-9]{1,3}(?::[0-9]{2}){0,2})?';
const RULE = new RegExp(`^${ZONE}(?:${ZONE}(?:,.*)?)?$`);

function secondsEast(west: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = west.replace(/^[+-]/, '').split(':').map(Number);
  const magnitude = hours * 3600 + minutes * 60 + seconds;
  return west.startsWith('-') ? magnitude : -magnitude;
}

/** As the time zone database itself calls zones that have no name: `+0545`. */
function numericName(offsetSeconds: number): string {
  const minutes = Math.trunc(Math.abs(offsetSeconds) / 60);
  const two = (value: number): string => String(value).padStart(2, '0');
  const rest = minutes % 60;
  return `${offsetSeconds < 0 ? '-' : '+'}${two(Math.trunc(minutes / 60))}${rest === 0 ? '' : two(rest)}`;
}

/**
 * The abbreviation of a zone while it is at this offset, by the rule that ends its file in the time zone database
 * (`CET-1CEST,M3.5.0,M10.5.0/3`, RFC 9636); `undefined` where the zone is never at that offset.
 */
export function zoneName(rule: string, offsetSeconds: number): string | undefined {
  const [, standard, west, summer, summerWest] = RULE.exec(rule) ?? [];
  if (standard === undefined || west === undefined) return undefined;
  const standardSeconds = secondsEast(west);
  const summerSeconds = summerWest === undefined ? standardSeconds + 3600 : secondsEast(summerWest);
  const bare = (name: string): string => name.replace(/^<|>$/g, '');
  if (offsetSeconds === standardSeconds) return bare(standard);
  return summer !== undefined && offsetSeconds === summerSeconds ? bare(summer) : undefined;
}

/** The rule at the end of a compiled time zone file, version 2 or later; empty where it has none. */
export function ruleOf(file: string): string {
  if (!file.startsWith('TZif') || !file.endsWith('\n')) return '';
  const before = file.lastIndexOf('\n', file.length - 2);
  return before < 0 ? '' : file.slice(before + 1, -1);
}

/** The file of a zone that `TZ` names, in the database or by its path. */
const zoneFile = (zone: string): string => bytesOf(zone.startsWith('/') ? zone.slice(1) : `usr/share/zoneinfo/${zone}`);

/** Whether `TZ` holds a rule of POSIX, such as `UTC+3`: the reference takes it for the name of a zone, finds none, and says UTC. */
const isRule = (etc: Tree, zone: string): boolean => RULE.exec(zone)?.[2] !== undefined && !etc.exists(zoneFile(zone));

/** The rules that may be this process's: its zone's in the database (which a container may lack), then the machine's own. */
function readRules(etc: Tree, zone: string): string[] {
  const files = zone === '' ? [] : [zoneFile(zone)];
  // A container that was given a file which its host lacks has a folder of that name.
  const textOf = (path: string): string => etc.passing(path).tryText(unsaid) ?? '';
  return [...files, 'etc/localtime'].map((path) => ruleOf(textOf(path)));
}

function nameOf(rules: readonly string[], offsetSeconds: number): string {
  for (const rule of rules) {
    const name = zoneName(rule, offsetSeconds);
    if (name !== undefined) return name;
  }
  return offsetSeconds === 0 && rules.every((rule) => rule === '') ? 'UTC' : numericName(offsetSeconds);
}

export default defineCollector({
  name: 'time',
  help: 'Exposes the time, the time zone and the clock sources.',
  enabled: true,
  reads: [
    '/sys/devices/system/clocksource/<clocksource>/{available_clocksource,current_clocksource}',
    '/usr/share/zoneinfo/<zone>',
    '/etc/localtime',
  ],
  flags: {},
  metrics: {
    seconds: gauge('node_time_seconds', 'What the clock of the machine shows, as Unix time.'),
    zone: gauge('node_time_zone_offset_seconds', 'How far the time zone is ahead of UTC.', 'time_zone'),
    available: gauge(
      'node_time_clocksource_available_info',
      'A clock source that the kernel could use; always 1.',
      'device',
      'clocksource',
    ),
    current: gauge(
      'node_time_clocksource_current_info',
      'The clock source that the kernel uses; always 1.',
      'device',
      'clocksource',
    ),
  },
  setup({ sys, openTree, system }, metrics) {
    const given = (system.timeZone ?? '').replace(/^:/, '');
    const etc = openTree('/');
    const isUtc = isRule(etc, given);
    const rules = isUtc ? [] : readRules(etc, given);
    // The zone's name is looked for again only when its offset is another.
    let zone = { offsetSeconds: Number.NaN, name: '' };
    return [
      (out) => {
        const nowMs = system.now();
        const offsetSeconds = isUtc ? 0 : -new Date(nowMs).getTimezoneOffset() * 60;
        if (offsetSeconds !== zone.offsetSeconds) zone = { offsetSeconds, name: nameOf(rules, offsetSeconds) };
        out.sample(metrics.seconds, nowMs / 1000);
        out.sample(metrics.zone, offsetSeconds, zone.name);
      },
      /** https://docs.kernel.org/timers/timekeeping.html */
      sys.devices(
        DIR,
        /^clocksource[0-9]/,
        ({ id, word }, out) => {
          const device = id.slice('clocksource'.length);
          for (const name of fields(word('available_clocksource') ?? ''))
            out.sample(metrics.available, 1, device, name);
          const current = word('current_clocksource');
          if (current !== undefined) out.sample(metrics.current, 1, device, current);
        },
        { ifAbsent: nothing },
      ),
    ];
  },
});
