import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Collect } from '../../src/core/host.ts';
import { gauge } from '../../src/core/metric.ts';
import { NotYet } from '../../src/core/not_yet.ts';
import { createMessages } from '../../src/netlink/messages.ts';
import { LOOK_MS } from '../../src/source/clock.ts';
import { createSource, type Source } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';
import { attributes, kernelOf } from '../helpers/netlink.ts';
import { type Ran, runner } from '../helpers/table.ts';

const value = gauge('node_value', 'V.', 'name', 'beside');
const REQUEST = { type: 100, reply: 101, body: new Uint8Array(8) } as const;

const PARTS: Readonly<Record<string, (source: Source) => Collect>> = {
  line: (source) =>
    source.openTree('/proc').table('table', (lines, out) =>
      lines.each((line) => {
        const name = line.word(0);
        out.sample(value, line.uint(1), name, lines.fixed(source.openTree('/k').passing(name)) ?? 'none');
      }),
    ),
  message(source) {
    const link = (name: string): Buffer => Buffer.concat([Buffer.alloc(8), attributes([3, name], [2, { u32: 1 }])]);
    const netlink = kernelOf(() => ['a', 'b'].map((name) => [REQUEST.reply, link(name)] as const));
    return createMessages(source.clock, 8, () => [netlink, REQUEST]).table((each, out) => {
      const name = each.text(3) ?? '';
      out.sample(value, each.u32(2), name, each.fixed(source.openTree('/k').passing(name)) ?? 'none');
    });
  },
};

for (const [what, partOf] of Object.entries(PARTS))
  test(`a ${what} whose file beside has not answered in time is back when that answers`, async () => {
    const memory = createMemory({ '/proc/table': 'a 1\nb 2\n', '/k/a': 'A', '/k/b': 'B' });
    let time = 0;
    let hung: (() => void) | undefined;
    let isHanging = true;
    const disk = Object.assign(memory, {
      mounts: () => '3 1 0:8 / /k rw - nfs none rw\n',
      away: {
        ...memory.away,
        async readWhole(path: string, isGivenUp: () => boolean): Promise<Buffer> {
          const { away } = createMemory({ '/k/a': 'A', '/k/b': 'B' });
          if (isHanging && path === '/k/b') await new Promise<void>((resolve) => (hung = resolve));
          return away.readWhole(path, isGivenUp);
        },
      },
    });
    /** Scrapes as the runner does: again when what was asked for has answered, or is given up. */
    const prepare = () => {
      const source = createSource({ disk, now: () => time });
      const part = partOf(source);
      let waits: NotYet | undefined;
      const run = runner((out, its) => {
        try {
          waits = undefined;
          return part(out, its);
        } catch (error) {
          if (error instanceof NotYet) waits = error;
          throw error;
        }
      });
      return async (): Promise<Ran> => {
        time += LOOK_MS;
        source.clock.begin();
        for (;;) {
          const ran = run();
          if (waits === undefined) return ran;
          await turn();
          await turn();
          waits.giveUp();
        }
      };
    };
    const scrape = prepare();
    assert.match((await scrape()).faults.join(), /b: has not answered yet/);
    isHanging = false;
    hung?.();
    await turn();
    await scrape();
    assert.deepEqual(await scrape(), await prepare()());
  });
