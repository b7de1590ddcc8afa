import { defineCollector } from '../core/collector.ts';
import { ParseError, parsed } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { acquireFiles, heldFiles } from '../core/held.ts';
import { gauge } from '../core/metric.ts';
import { passes } from '../core/pattern.ts';
import { fields, int, lines } from '../core/text.ts';

export interface Slab {
  readonly name: string;
  readonly activeObjects: number;
  readonly objects: number;
  readonly objectSizeBytes: number;
  readonly objectsPerSlab: number;
  readonly pagesPerSlab: number;
}

const FIELDS = 16;

/** Parses `/proc/slabinfo`, version 2.1. https://man7.org/linux/man-pages/man5/slabinfo.5.html */
export function parseSlabinfo(text: string): Slab[] {
  const slabs: Slab[] = [];
  for (const line of lines(text)) {
    if (line.startsWith('slabinfo -') || line.startsWith('# name')) continue;
    const columns = fields(line);
    if (columns.length !== FIELDS) throw new ParseError('slabinfo', line);
    const number = (column: string | undefined): number => parsed(int(column), 'slabinfo', line);
    slabs.push({
      name: columns[0] as string,
      activeObjects: number(columns[1]),
      objects: number(columns[2]),
      objectSizeBytes: number(columns[3]),
      objectsPerSlab: number(columns[4]),
      pagesPerSlab: number(columns[5]),
    });
  }
  return slabs;
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
  setup({ proc, flags: { include, exclude }, acquired }, metrics) {
    const held = heldFiles(acquired);
    return (out) => {
      for (const slab of parseSlabinfo(held('slabinfo') ?? proc.read('slabinfo'))) {
        const { name } = slab;
        if (!passes(name, include, exclude)) continue;
        out.sample(metrics.active, slab.activeObjects, name);
        out.sample(metrics.objects, slab.objects, name);
        out.sample(metrics.size, slab.objectSizeBytes, name);
        out.sample(metrics.perSlab, slab.objectsPerSlab, name);
        out.sample(metrics.pages, slab.pagesPerSlab, name);
      }
    };
  },
});
