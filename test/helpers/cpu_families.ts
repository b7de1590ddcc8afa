// The event sources of eleven CPU families, as their kernels' sources lay them out below /sys/bus/event_source/devices:
// arch/x86/events/{intel,amd}, arch/x86/events/rapl.c, drivers/perf/arm_pmuv3.c and arm-cmn.c of Linux 6.12.

interface PmuFiles {
  readonly type: number;
  readonly cpus?: string;
  readonly cpumask?: string;
  readonly format: Readonly<Record<string, string>>;
  /** The terms; or these with the kernel's scale and unit. */
  readonly events?: Readonly<Record<string, string | readonly [terms: string, scale: string, unit: string]>>;
  readonly caps?: Readonly<Record<string, string>>;
}

export type Family = Readonly<Record<string, PmuFiles>>;

const intelFormat = {
  event: 'config:0-7',
  umask: 'config:8-15',
  edge: 'config:18',
  pc: 'config:19',
  inv: 'config:23',
  cmask: 'config:24-31',
};
const transactions = { in_tx: 'config:32', in_tx_cp: 'config:33' };
const extra = { offcore_rsp: 'config1:0-63', ldlat: 'config1:0-15', frontend: 'config1:0-23' };

const intelEvents = {
  'cpu-cycles': 'event=0x3c',
  instructions: 'event=0xc0',
  'cache-references': 'event=0x2e,umask=0x4f',
  'cache-misses': 'event=0x2e,umask=0x41',
  'branch-instructions': 'event=0xc4',
  'branch-misses': 'event=0xc5',
  'bus-cycles': 'event=0x3c,umask=0x01',
  'ref-cycles': 'event=0x00,umask=0x03',
};
const topdown1 = {
  slots: 'event=0x00,umask=0x4',
  'topdown-retiring': 'event=0x00,umask=0x80',
  'topdown-bad-spec': 'event=0x00,umask=0x81',
  'topdown-fe-bound': 'event=0x00,umask=0x82',
  'topdown-be-bound': 'event=0x00,umask=0x83',
};
const topdown2 = {
  'topdown-heavy-ops': 'event=0x00,umask=0x84',
  'topdown-br-mispredict': 'event=0x00,umask=0x85',
  'topdown-fetch-lat': 'event=0x00,umask=0x86',
  'topdown-mem-bound': 'event=0x00,umask=0x87',
};

const JOULES = ['2.3283064365386962890625e-10', 'Joules'] as const;
const power = (cpumask: string, domains: Readonly<Record<string, number>>, type = 12): PmuFiles => ({
  type,
  cpumask,
  format: { event: 'config:0-7' },
  events: Object.fromEntries(
    Object.entries(domains).map(([name, event]) => [`energy-${name}`, [`event=0x0${event}`, ...JOULES] as const]),
  ),
});

const msr: PmuFiles = {
  type: 11,
  format: { event: 'config:0-63' },
  events: { tsc: 'event=0x00', aperf: 'event=0x01', mperf: 'event=0x02', smi: 'event=0x04' },
};

const MIB = ['6.103515625e-5', 'MiB'] as const;
const imcFormat = {
  event: 'config:0-7',
  umask: 'config:8-15',
  edge: 'config:18',
  inv: 'config:23',
  threshold: 'config:24-31',
};
const imc = (type: number, read: string, write: string): PmuFiles => ({
  type,
  cpumask: '0,2',
  format: imcFormat,
  events: { cas_count_read: [read, ...MIB], cas_count_write: [write, ...MIB] },
});

const amdFormat = {
  event: 'config:0-7,32-35',
  umask: 'config:8-15',
  edge: 'config:18',
  inv: 'config:23',
  cmask: 'config:24-31',
};
const amdEvents = {
  'cpu-cycles': 'event=0x76',
  instructions: 'event=0xc0',
  'cache-references': 'event=0x60,umask=0xff',
  'cache-misses': 'event=0x64,umask=0x09',
  'branch-instructions': 'event=0xc2',
  'branch-misses': 'event=0xc3',
};
const amdL3 = {
  event: 'config:0-7',
  umask: 'config:8-15',
  coreid: 'config:42-44',
  enallslices: 'config:46',
  enallcores: 'config:47',
  sliceid: 'config:48-50',
  threadmask: 'config:56-57',
};
const amdDf1 = { event: 'config:0-7,32-35,59-60', umask: 'config:8-15' };
const amdDf2 = { event: 'config:0-7,32-37', umask: 'config:8-15,24-27' };
const amdUmc = (type: number): PmuFiles => ({
  type,
  cpumask: '0',
  format: { event: 'config:0-7', rdwrmask: 'config:8-9' },
});

const armFormat = { event: 'config:0-15', long: 'config1:0', rdpmc: 'config1:1' };
const armEvents = {
  sw_incr: 'event=0x0000',
  l1i_cache_refill: 'event=0x0001',
  l1d_cache_refill: 'event=0x0003',
  l1d_cache: 'event=0x0004',
  inst_retired: 'event=0x0008',
  br_mis_pred: 'event=0x0010',
  cpu_cycles: 'event=0x0011',
  l2d_cache: 'event=0x0016',
  stall_frontend: 'event=0x0023',
  stall_backend: 'event=0x0024',
  ll_cache_rd: 'event=0x0036',
  ll_cache_miss_rd: 'event=0x0037',
};
const armSlots = {
  op_retired: 'event=0x003a',
  op_spec: 'event=0x003b',
  stall: 'event=0x003c',
  stall_slot_backend: 'event=0x003d',
  stall_slot_frontend: 'event=0x003e',
  stall_slot: 'event=0x003f',
};

export const FAMILIES = {
  skylake: {
    cpu: {
      type: 4,
      format: { ...intelFormat, any: 'config:21', ...transactions, ...extra },
      events: {
        ...intelEvents,
        'mem-loads': 'event=0xcd,umask=0x1,ldlat=3',
        'mem-stores': 'event=0xd0,umask=0x82',
        'topdown-total-slots': ['event=0x3c,umask=0x0,any=1', '2', ''],
        'topdown-slots-issued': 'event=0xe,umask=0x1',
        'topdown-slots-retired': 'event=0xc2,umask=0x2',
        'topdown-fetch-bubbles': 'event=0x9c,umask=0x1',
        'topdown-recovery-bubbles': ['event=0xd,umask=0x3,cmask=1,any=1', '2', ''],
      },
    },
    power: power('0', { pkg: 2, cores: 1, ram: 3, gpu: 4, psys: 5 }),
    msr,
    uncore_imc: {
      type: 14,
      cpumask: '0',
      format: { event: 'config:0-7' },
      events: { data_reads: ['event=0x01', ...MIB], data_writes: ['event=0x02', ...MIB] },
    },
  },
  ice_lake: {
    cpu: {
      type: 4,
      format: { ...intelFormat, ...transactions, ...extra },
      events: { ...intelEvents, ...topdown1, 'mem-loads': 'event=0xcd,umask=0x1,ldlat=3' },
    },
    power: power('0,2', { pkg: 2, ram: 3 }),
    msr,
    uncore_imc_0: imc(20, 'event=0x04,umask=0x0f', 'event=0x04,umask=0x30'),
    uncore_imc_1: imc(21, 'event=0x04,umask=0x0f', 'event=0x04,umask=0x30'),
  },
  sapphire_rapids: {
    cpu: {
      type: 4,
      format: { ...intelFormat, ...transactions, ...extra },
      events: { ...intelEvents, ...topdown1, ...topdown2, 'mem-stores': 'event=0xcd,umask=0x2' },
    },
    power: power('0,2', { pkg: 2, ram: 3, psys: 5 }),
    msr,
    uncore_imc_0: imc(20, 'event=0x05,umask=0xcf', 'event=0x05,umask=0xf0'),
  },
  granite_rapids: {
    cpu: {
      type: 4,
      format: { ...intelFormat, ...transactions, ...extra },
      events: { ...intelEvents, ...topdown1, ...topdown2, 'mem-stores': 'event=0xcd,umask=0x2' },
    },
    msr,
    uncore_imc_0: {
      type: 20,
      cpumask: '0,2',
      format: imcFormat,
      events: {
        cas_count_read_sch0: ['event=0x05,umask=0xcf', ...MIB],
        cas_count_read_sch1: ['event=0x06,umask=0xcf', ...MIB],
        cas_count_write_sch0: ['event=0x05,umask=0xf0', ...MIB],
        cas_count_write_sch1: ['event=0x06,umask=0xf0', ...MIB],
      },
    },
  },
  alder_lake: {
    cpu_core: {
      type: 4,
      cpus: '0-1',
      format: { ...intelFormat, ...transactions, ...extra },
      events: { ...intelEvents, ...topdown1, ...topdown2 },
    },
    cpu_atom: {
      type: 10,
      cpus: '2-3',
      format: { ...intelFormat, offcore_rsp: 'config1:0-63', ldlat: 'config1:0-15' },
      events: {
        ...intelEvents,
        'topdown-retiring': 'event=0xc2,umask=0x0',
        'topdown-bad-spec': 'event=0x73,umask=0x0',
        'topdown-fe-bound': 'event=0x71,umask=0x0',
        'topdown-be-bound': 'event=0x74,umask=0x0',
      },
    },
    power: power('0', { pkg: 2, cores: 1, psys: 5 }),
    msr,
    uncore_imc_free_running_0: {
      type: 22,
      cpumask: '0',
      format: { event: 'config:0-7', umask: 'config:8-15' },
      events: {
        data_read: ['event=0xff,umask=0x20', ...MIB],
        data_write: ['event=0xff,umask=0x30', ...MIB],
      },
    },
  },
  zen_2: {
    cpu: { type: 4, format: amdFormat, events: amdEvents },
    amd_df: { type: 15, cpumask: '0', format: amdDf1 },
    amd_l3: {
      type: 16,
      cpumask: '0,2',
      format: { event: 'config:0-7', umask: 'config:8-15', slicemask: 'config:48-51', threadmask: 'config:56-63' },
    },
    power: power('0', { pkg: 2 }),
    msr,
  },
  zen_3: {
    cpu: { type: 4, format: amdFormat, events: amdEvents },
    amd_df: { type: 15, cpumask: '0', format: amdDf1 },
    amd_l3: { type: 16, cpumask: '0', format: amdL3 },
    power: power('0', { pkg: 2 }),
    msr,
  },
  zen_4: {
    cpu: { type: 4, format: amdFormat, events: amdEvents },
    amd_df: { type: 15, cpumask: '0', format: amdDf2 },
    amd_l3: { type: 16, cpumask: '0', format: amdL3 },
    amd_umc_0: amdUmc(17),
    amd_umc_1: amdUmc(18),
    power: power('0', { pkg: 2 }),
    msr,
  },
  zen_5: {
    cpu: { type: 4, format: amdFormat, events: amdEvents },
    amd_df: { type: 15, cpumask: '0', format: amdDf2 },
    amd_l3: { type: 16, cpumask: '0', format: amdL3 },
    amd_umc_0: amdUmc(17),
    power: power('0', { pkg: 2 }),
    power_core: power('0-3', { core: 1 }, 13),
    msr,
  },
  neoverse_n1: {
    armv8_pmuv3_0: { type: 8, cpus: '0-3', format: armFormat, events: armEvents },
  },
  neoverse_v2: {
    armv8_pmuv3_0: {
      type: 8,
      cpus: '0-3',
      format: {
        ...armFormat,
        threshold_count: 'config1:2',
        threshold_compare: 'config1:3-4',
        threshold: 'config1:5-16',
      },
      events: { ...armEvents, ...armSlots },
      caps: { slots: '0x00000008' },
    },
    arm_cmn_0: {
      type: 9,
      cpumask: '0',
      format: {
        type: 'config:0-15',
        eventid: 'config:16-26',
        occupid: 'config:27-30',
        bynodeid: 'config:31',
        nodeid: 'config:32-47',
      },
      events: { hnf_mc_reqs: 'type=0x5,eventid=0xd', hnf_cache_miss: 'type=0x5,eventid=0x1' },
    },
  },
} as const satisfies Readonly<Record<string, Family>>;

export type FamilyName = keyof typeof FAMILIES;

/** The files of a family, below `devices` in sysfs; for `tree`. */
export function familyFiles(family: Family, devices: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [pmu, { type, cpus, cpumask, format, events = {}, caps = {} }] of Object.entries(family)) {
    const put = (path: string, text: string | undefined): void => {
      if (text !== undefined) files[`${devices}/${pmu}/${path}`] = `${text}\n`;
    };
    put('type', String(type));
    put('cpus', cpus);
    put('cpumask', cpumask);
    for (const [name, field] of Object.entries(format)) put(`format/${name}`, field);
    for (const [name, value] of Object.entries(caps)) put(`caps/${name}`, value);
    for (const [name, event] of Object.entries(events)) {
      const [terms, scale = '', unit = ''] = typeof event === 'string' ? [event] : event;
      put(`events/${name}`, terms);
      if (scale !== '') put(`events/${name}.scale`, scale);
      if (unit !== '') put(`events/${name}.unit`, unit);
    }
  }
  return files;
}
