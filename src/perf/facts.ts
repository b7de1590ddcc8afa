import type { Held } from '../core/collector.ts';
import { type Access, explain, type Verdict } from './access.ts';
import type { Opened, Unopened } from './open.ts';
import type { Missing, PerfKind } from './plan.ts';

/** What the first stage tells the second, as plain JSON: which event sits in which group, and what could not be had. */
export interface PerfFacts {
  /** To count on; those of them that were online. */
  readonly cpus: readonly number[];
  readonly groups: readonly GroupFacts[];
  readonly unopened: readonly Unopened[];
  readonly missing: readonly Missing[];
  /** What the refusals mean, by errno name: judged with the capabilities that the first stage had. */
  readonly verdicts: Readonly<Record<string, Verdict>>;
}

export interface GroupFacts {
  readonly kind: PerfKind;
  readonly pmu: string;
  readonly cpu: number;
  readonly index: number;
  readonly moves: boolean;
  readonly members: readonly MemberFacts[];
}

export interface MemberFacts {
  /** Of the descriptor. */
  readonly key: string;
  readonly name: string;
  /** The kernel's number for the opened event, by which a read tells its members. */
  readonly id: number;
  readonly scale?: number;
  readonly unit?: string;
}

interface FactsParts extends Pick<PerfFacts, 'cpus' | 'missing'> {
  readonly opened: Opened;
  readonly access: Access;
}

export function toFacts({ cpus, missing, opened, access }: FactsParts): { held: Held[]; facts: PerfFacts } {
  const held: Held[] = [];
  const groups = opened.groups.map(({ batch: { kind, pmu, moves }, cpu, index, events }): GroupFacts => {
    const members = events.map(({ event, fd, id }, place): MemberFacts => {
      const key = `${kind}/${pmu}/${cpu}/${index}/${place}`;
      held.push({ key, fd, kind: 'event' });
      const { name, scale, unit } = event;
      return { key, name, id, ...(scale === undefined ? {} : { scale }), ...(unit === undefined ? {} : { unit }) };
    });
    return { kind, pmu, cpu, index, moves, members };
  });
  const errnos = new Set(opened.unopened.map(({ errno }) => errno));
  const verdicts = Object.fromEntries([...errnos].map((errno) => [errno, explain(errno, access)]));
  return { held, facts: { cpus, groups, unopened: opened.unopened, missing, verdicts } };
}

const NOTHING: Verdict = { reason: 'cpu_offline', why: 'none of the CPUs asked for is online', remedy: '' };

/** Why there are no counters of a kind: what was refused comes before what the PMU lacks. */
export function verdictOf({ unopened, missing, verdicts }: PerfFacts, kind: PerfKind): Verdict {
  const own = unopened.filter((each) => each.kind === kind);
  const first = own.find(({ lacks }) => !lacks) ?? own[0];
  if (first !== undefined) return verdicts[first.errno] ?? NOTHING;
  const absent = missing.find((each) => each.kind === kind);
  if (absent === undefined) return NOTHING;
  const reason = kind === 'tracepoint' ? 'no_tracefs' : 'no_event';
  return { reason, why: `${absent.event}: ${absent.why}`, remedy: '' };
}

export const sentence = ({ why, remedy }: Verdict): string => (remedy === '' ? why : `${why}. Remedy: ${remedy}`);
