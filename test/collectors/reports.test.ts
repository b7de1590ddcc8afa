// Machines in the shape of what people reported of such exporters. Each file is odd in its own way; what it says is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectors } from '../../src/collectors/index.ts';
import type { AnyCollector } from '../../src/core/assemble.ts';
import { messageOf } from '../../src/core/errors.ts';
import { samplesIn } from '../helpers/odd.ts';
import { prepared, tree } from '../helpers/scrape.ts';

interface Report {
  readonly files: Readonly<Record<string, string>>;
  readonly argv?: readonly string[];
  /** Some of what is told. */
  readonly samples: readonly string[];
  /** The end of the reason, where success is 0. */
  readonly odd?: string;
}

const CPU0 = 'cpu0 100 2 3 4\n';
const USER = 'node_cpu_seconds_total{cpu="0",mode="user"} 1';
const INFO = ['--collector.cpu.info'];
const XPRT = '\txprt:\ttcp 812 1 3 0 27 5120 5119 1 88123 0 64 7781 9213\n';

/** By collector, and what was seen. */
const REPORTS: Readonly<Record<string, Readonly<Record<string, Report>>>> = {
  cpu: {
    'cpuinfo of an old ARM, without CPUs': {
      files: { 'proc/stat': CPU0, 'proc/cpuinfo': 'Processor\t: ARMv6 rev 7\nFeatures\t: swp half\n' },
      argv: INFO,
      samples: [USER],
      odd: 'cannot parse "Processor\\t: ARMv6 rev 7\\nFeatures\\t: swp half\\n"',
    },
    'cpuinfo of POWER, with lines behind the CPUs': {
      files: {
        'proc/stat': CPU0,
        'sys/devices/system/cpu/online': '0\n',
        'proc/cpuinfo': 'processor\t: 0\ncpu\t\t: POWER9\nclock\t\t: 2950.0MHz\n\ntimebase\t: 512000000\n',
      },
      argv: INFO,
      samples: [USER],
    },
  },
  drbd: {
    'a version that has no devices here': { files: { 'proc/drbd': 'version: 9.2.1\nGIT-hash: a\n' }, samples: [] },
  },
  mdadm: {
    'an mdstat of another driver': {
      files: { 'proc/mdstat': 'sbName=/boot/super.dat\n', 'sys/block/x/dev': '' },
      samples: [],
      odd: 'cannot parse "sbName=/boot/super.dat"',
    },
    'a container, a journal, and a check under way': {
      files: {
        'proc/mdstat':
          'Personalities : [raid5]\nmd127 : inactive sda[1](S)\n      6306 blocks super external:imsm\n\nmd126 : active raid5 sdc1[4](J) sdd1[0] sde1[1]\n      7813 blocks super 1.2 level 5 [2/2] [UU]\n      [=>...]  check = 25.0% (1953/7813) finish=1.0min\n      bitmap: 0/30 pages\n\nunused devices: <none>\n',
        'sys/block/x/dev': '',
      },
      samples: ['node_md_state{device="md126",state="check"} 1', 'node_md_blocks{device="md127"} 6306'],
    },
  },
  mountstats: {
    'a description of the server in several lines': {
      files: {
        'proc/self/mountstats': `device a:/x mounted on /x with fstype nfs4 statvers=1.1\n\tage:\t9\n\timpl_id:\tname='STABLE #0\n    user@host: GENERIC',date='0,0'\n${XPRT}`,
        'proc/self/mountinfo': '22 1 0:5 / /x rw - nfs4 a:/x rw,addr=192.0.2.1\n',
      },
      samples: ['node_mountstats_nfs_age_seconds_total{export="a:/x",mountaddr="192.0.2.1",protocol="tcp"} 9'],
    },
  },
  netclass: {
    'a device that is down': {
      files: { 'sys/class/net/a/operstate': 'down\n', 'sys/class/net/a/speed': '-1\n', 'sys/class/net/a/mtu': '9\n' },
      samples: ['node_network_up{device="a"} 0', 'node_network_mtu_bytes{device="a"} 9'],
    },
  },
  nfsd: {
    'a line of a newer kernel': {
      files: { 'proc/net/rpc/nfsd': 'rc 0 6 18622\nwdeleg_getattr 0\nth 8 0\n' },
      samples: ['node_nfsd_server_threads 8', 'node_nfsd_reply_cache_misses_total 6'],
    },
  },
  rapl: {
    'a name with two numbers, and one for the platform': {
      files: {
        'sys/class/powercap/intel-rapl:0/name': 'package-0-die-1\n',
        'sys/class/powercap/intel-rapl:0/energy_uj': '5000000\n',
        'sys/class/powercap/intel-rapl:1/name': 'psys\n',
        'sys/class/powercap/intel-rapl:1/energy_uj': '6000000\n',
      },
      samples: ['node_rapl_psys_joules_total{index="0",path="<root>/sys/class/powercap/intel-rapl:1"} 6'],
    },
    'a zone that only limits power keeps its number': {
      files: {
        'sys/class/powercap/a:0/name': 'core\n',
        'sys/class/powercap/a:1/name': 'core\n',
        'sys/class/powercap/a:1/energy_uj': '1000000\n',
      },
      samples: ['node_rapl_core_joules_total{index="1",path="<root>/sys/class/powercap/a:1"} 1'],
    },
  },
  stat: {
    'more forks than 31 bits hold': {
      files: { 'proc/stat': `${CPU0}ctxt 7\nbtime 9\nprocesses -2049041839\nprocs_running 1\n` },
      samples: ['node_context_switches_total 7', 'node_procs_running 1'],
      odd: 'cannot parse "processes -2049041839"',
    },
    'a line of interrupts longer than 64 KiB': {
      files: { 'proc/stat': `${CPU0}intr 5 ${'0 '.repeat(40_000)}\nctxt 7\n` },
      samples: ['node_context_switches_total 7', 'node_intr_total 5'],
    },
  },
};

for (const [name, reports] of Object.entries(REPORTS))
  for (const [seen, { files, argv = [], samples, odd }] of Object.entries(reports))
    test(`${name}: ${seen}`, async (t) => {
      const collector = collectors.find((each) => each.name === name) as AnyCollector;
      const { text, success, error } = await prepared(collector, { root: tree(t, files), argv })();
      const told = samplesIn(text);
      for (const sample of samples) assert.ok(told.includes(sample), `${sample} in\n${told.join('\n')}`);
      assert.equal(success, odd === undefined, messageOf(error));
      if (odd !== undefined) assert.ok(messageOf(error).endsWith(odd), messageOf(error));
    });
