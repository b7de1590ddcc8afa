import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import bcrypt from 'bcryptjs';
import { createPasswordCheck, parseBasic } from '../../src/server/auth.ts';
import { createRateLimit } from '../../src/server/guard.ts';
import { tree } from '../helpers/scrape.ts';
import { serve } from '../helpers/server.ts';

// The lowest cost there is: tests need not be slow.
const hash = bcrypt.hashSync('pass:word', 4);
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

test('parseBasic splits at the first colon', () => {
  assert.deepEqual(parseBasic(basic('ops:pass:word')), { user: 'ops', password: 'pass:word' });
  assert.deepEqual(parseBasic(basic(':').replace('Basic', 'bAsIc')), { user: '', password: '' });
  for (const header of [undefined, '', 'Basic', 'Bearer x', basic('no colon'), 'Basic !!'])
    assert.equal(parseBasic(header), undefined);
});

test('a password is right for its user alone, and again from memory', async () => {
  const check = await createPasswordCheck();
  const users = new Map([['ops', hash]]);
  for (let round = 0; round < 2; round += 1) {
    assert.equal(await check(users, 'ops', 'pass:word'), true);
    assert.equal(await check(users, 'ops', 'pass'), false);
    assert.equal(await check(users, 'nobody', 'pass:word'), false);
  }
  // A new hash forgets what the old one allowed.
  assert.equal(await check(new Map([['ops', bcrypt.hashSync('other', 4)]]), 'ops', 'pass:word'), false);
});

test('many wrong passwords at once are all refused, and the right one still counts', async () => {
  const check = await createPasswordCheck();
  const users = new Map([['ops', hash]]);
  assert.equal(await check(users, 'ops', 'pass:word'), true);
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => check(users, 'ops', `wrong${i}`)));
  assert.ok(answers.every((answer) => !answer));
  assert.equal(await check(users, 'ops', 'pass:word'), true);
});

test('a hash that takes long to check holds up the own user alone', async () => {
  const check = await createPasswordCheck();
  const users = new Map([
    ['slow', hash.replace('$04$', '$15$')],
    ['ops', hash],
  ]);
  let isSlowDone = false;
  const slow = Promise.resolve(check(users, 'slow', 'wrong')).finally(() => {
    isSlowDone = true;
  });
  assert.equal(await check(users, 'ops', 'pass:word'), true);
  assert.equal(isSlowDone, false);
  assert.equal(await slow, false);
});

test('the rate limit lets a burst pass and then one in each interval', () => {
  let now = 0;
  const pass = createRateLimit(100, 2, () => now);
  assert.deepEqual([pass(), pass(), pass()], [true, true, false]);
  now += 100;
  assert.deepEqual([pass(), pass()], [true, false]);
  now += 10_000;
  assert.deepEqual([pass(), pass(), pass()], [true, true, false]);
  assert.equal(createRateLimit(100, 0, () => now)(), false);
});

test('every path asks for the password, with the headers that were configured', async (t) => {
  const root = tree(t, {
    'web.yml': `http_server_config: {headers: {X-Frame-Options: deny}}\nbasic_auth_users: {ops: '${hash}'}\n`,
  });
  const { url } = await serve(t, { webConfigFile: join(root, 'web.yml') });
  for (const path of ['/', '/metrics', '/nope']) {
    const answer = await fetch(url + path);
    assert.equal(answer.status, 401);
    assert.equal(answer.headers.get('www-authenticate'), 'Basic');
    assert.equal(answer.headers.get('x-frame-options'), 'deny');
    assert.equal(await answer.text(), 'Unauthorized\n');
  }
  const allowed = await fetch(`${url}/metrics`, { headers: { authorization: basic('ops:pass:word') } });
  assert.equal(allowed.status, 200);
  assert.match(await allowed.text(), /^node_test/m);
});

test('over the rate limit the answer is 429, with a broken file 500', async (t) => {
  const root = tree(t, { 'web.yml': 'rate_limit: {interval: 1h, burst: 1}' });
  const path = join(root, 'web.yml');
  const { url } = await serve(t, { webConfigFile: path });
  const statusOf = async (): Promise<number> => {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    return answer.status;
  };
  assert.equal(await statusOf(), 200);
  assert.equal(await statusOf(), 429);
  const { writeFileSync } = await import('node:fs');
  writeFileSync(path, 'nonsense');
  assert.equal(await statusOf(), 500);
});
