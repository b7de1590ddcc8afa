/** Link modes of network devices, as bits: ETHTOOL_LINK_MODE_* of `include/uapi/linux/ethtool.h`. https://docs.kernel.org/networking/ethtool-netlink.html */

/** In the order of their bits; `-` for bits that are no speed. Half duplex is marked. */
const SPEEDS = `
  10baseT/Half 10baseT 100baseT/Half 100baseT 1000baseT/Half 1000baseT - - - - - - 10000baseT - - 2500baseX
  - 1000baseKX 10000baseKX4 10000baseKR 10000baseR_FEC 20000baseMLD2 20000baseKR2
  40000baseKR4 40000baseCR4 40000baseSR4 40000baseLR4 56000baseKR4 56000baseCR4 56000baseSR4 56000baseLR4
  25000baseCR 25000baseKR 25000baseSR 50000baseCR2 50000baseKR2 100000baseKR4 100000baseSR4 100000baseCR4 100000baseLR4_ER4
  50000baseSR2 1000baseX 10000baseCR 10000baseSR 10000baseLR 10000baseLRM 10000baseER 2500baseT 5000baseT
  - - - 50000baseKR 50000baseSR 50000baseCR 50000baseLR_ER_FR 50000baseDR
  100000baseKR2 100000baseSR2 100000baseCR2 100000baseLR2_ER2_FR2 100000baseDR2
  200000baseKR4 200000baseSR4 200000baseLR4_ER4_FR4 200000baseDR4 200000baseCR4 100baseT1 1000baseT1
  400000baseKR8 400000baseSR8 400000baseLR8_ER8_FR8 400000baseDR8 400000baseCR8 -
  100000baseKR 100000baseSR 100000baseLR_ER_FR 100000baseCR 100000baseDR
  200000baseKR2 200000baseSR2 200000baseLR2_ER2_FR2 200000baseDR2 200000baseCR2
  400000baseKR4 400000baseSR4 400000baseLR4_ER4_FR4 400000baseDR4 400000baseCR4 100baseFX/Half 100baseFX 10baseT1L
  800000baseCR8 800000baseKR8 800000baseDR8 800000baseDR8_2 800000baseSR8 800000baseVR8
  10baseT1S 10baseT1S/Half 10baseT1S_P2MP/Half 10baseT1BRR
  200000baseCR 200000baseKR 200000baseDR 200000baseDR_2 200000baseSR 200000baseVR
  400000baseCR2 400000baseKR2 400000baseDR2 400000baseDR2_2 400000baseSR2 400000baseVR2
  800000baseCR4 800000baseKR4 800000baseDR4 800000baseDR4_2 800000baseSR4 800000baseVR4
  1600000baseCR8 1600000baseKR8 1600000baseDR8 1600000baseDR8_2
`;

export interface LinkSpeed {
  readonly megabits: number;
  readonly duplex: 'half' | 'full';
  /** Such as `1000baseT`. */
  readonly mode: string;
}

const KNOWN_SPEEDS = SPEEDS.trim()
  .split(/\s+/)
  .flatMap((word, bit): (readonly [bit: number, speed: LinkSpeed])[] => {
    const [mode = '', duplex] = word.split('/');
    return word === '-'
      ? []
      : [[bit, { megabits: Number.parseInt(mode, 10), duplex: duplex === 'Half' ? 'half' : 'full', mode }]];
  });

const KNOWN_PORTS = [
  [7, 'TP'],
  [8, 'AUI'],
  [9, 'MII'],
  [10, 'FIBRE'],
  [11, 'BNC'],
  [16, 'Backplane'],
] as const;

export const AUTONEGOTIATION_BIT = 6;
export const PAUSE_BIT = 13;
export const ASYMMETRIC_PAUSE_BIT = 14;

/** Whether a bit is set in a mask, whose bytes hold the lowest bits first. */
export const hasBit = (mask: Uint8Array, bit: number): boolean => (((mask[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1;

/** The speeds in a mask. Bits that are newer than this list are left out. */
export const speedsIn = (mask: Uint8Array): LinkSpeed[] =>
  KNOWN_SPEEDS.filter(([bit]) => hasBit(mask, bit)).map(([, speed]) => speed);

/** The kinds of connectors in a mask. */
export const portsIn = (mask: Uint8Array): string[] =>
  KNOWN_PORTS.filter(([bit]) => hasBit(mask, bit)).map(([, name]) => name);
