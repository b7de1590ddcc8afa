import { defineCollector } from '../core/collector.ts';
import { flag } from '../core/flag.ts';
import { acquireFiles, adoptFiles } from '../core/held.ts';
import type { Line } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import { passes } from '../core/pattern.ts';

/** How many columns follow the name, which may hold blanks itself: `<5 numbers> : tunables <3> : slabdata <3>`. */
const COLUMNS = 15;
/** The same of a kernel that was built to debug slabs: ` : globalstat <9> : cpustat <4>`. */
const WITH_STATISTICS = COLUMNS + 17;

/** How many words the name of a cache has. */
function wordsOf(line: Line): number {
  for (const columns of [WITH_STATISTICS, COLUMNS]) {
    const words = line.length - columns;
    if (words > 0 && line.word(words + 5) === ':' && line.word(words + 6) === 'tunables') return words;
  }
  throw line.fault();
}

export default defineCollector({
  name: 'slabinfo',
  help: "Exposes the kernel's slab caches. Its file is readable by root only.",
  enabled: false,
  reads: ['/proc/slabinfo'],
  flags: {
    include: flag.regexp('collector.slabinfo.slabs-include', 'Slab caches to include.', '.*'),
    exclude: flag.regexp('collector.slabinfo.slabs-exclude', 'Slab caches to leave out, of those included.'),
  },
  metrics: {
    active: gauge('node_slabinfo_active_objects', 'Objects in use in the cache.', 'slab'),
    objects: gauge('node_slabinfo_objects', 'Objects in the cache, in use or not.', 'slab'),
    size: gauge('node_slabinfo_object_size_bytes', 'Size of one object.', 'slab'),
    perSlab: gauge('node_slabinfo_objects_per_slab', 'Objects that one slab holds.', 'slab'),
    pages: gauge('node_slabinfo_pages_per_slab', 'Pages that one slab takes.', 'slab'),
  },
  privileges: ['dac_read_search'],
  acquire: ({ proc }) => acquireFiles(proc, ['slabinfo']),
  /** Version 2.1: two lines of heading, then a line for each cache. https://man7.org/linux/man-pages/man5/slabinfo.5.html */
  setup({ proc, flags: { include, exclude }, acquired }, metrics) {
    adoptFiles(proc, acquired);
    const families = [metrics.active, metrics.objects, metrics.size, metrics.perSlab, metrics.pages] as const;
    return proc.table('slabinfo', (lines, out) => {
      const seen = new Set<string>();
      lines.each((line) => {
        const first = line.word(0);
        if (first === 'slabinfo' || first === '#') return;
        const words = wordsOf(line);
        const name = Array.from({ length: words }, (_, i) => line.word(i)).join(' ');
        if (!passes(name, include, exclude)) return;
        // Modules may give two caches one name, and nothing else tells them apart.
        if (seen.has(name)) return out.passedOver(`another cache of the name ${name}`);
        seen.add(name);
        for (const [i, family] of families.entries()) out.sample(family, line.uint(words + i), name);
      });
    });
  },
});
