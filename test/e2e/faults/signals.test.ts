import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEYHOLE, startExporter } from '../../helpers/exporter.ts';

test('signals of which node_exporter takes no notice end nothing, and open no debugger', async () => {
  const exporter = await startExporter(KEYHOLE, ['--collector.disable-defaults', '--collector.loadavg']);
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGPIPE', 'SIGWINCH'] as const) {
    exporter.child.kill(signal);
    assert.match(await exporter.scrape(), /^node_load1 /m, signal);
  }
  assert.doesNotMatch(exporter.log(), /[Dd]ebugger/);
  assert.equal(await exporter.stop(), 0);
});
