import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import uname from '../../src/collectors/uname.ts';
import { scrape, tree } from '../helpers/scrape.ts';

/** What the command `uname` says. */
const said = (option: string): string => execFileSync('uname', [option], { encoding: 'utf8' }).trimEnd();

test('uname tells what uname(2) says', async () => {
  const { text } = await scrape(uname);
  assert.match(text, /^# TYPE node_uname_info gauge$/m);
  assert.deepEqual(text.match(/^node.*$/gm), [
    `node_uname_info{domainname="example.org",machine="${said('-m')}",nodename="${said('-n')}",` +
      `release="${said('-r')}",sysname="${said('-s')}",version="${said('-v')}"} 1`,
  ]);
});

test('uname says as the kernel does that there is no domain name', async (t) => {
  assert.match((await scrape(uname, { root: tree(t, {}) })).text, /domainname="\(none\)"/);
});
