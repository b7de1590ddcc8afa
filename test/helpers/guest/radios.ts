/** Modules of the kernel for simulated radios and an emulated network card, each after those that it needs, and their options. */
export const MODULES: Readonly<Record<string, readonly string[]>> = {
  rfkill: [],
  libarc4: [],
  cfg80211: [],
  mac80211: [],
  virtio_ring: [],
  virtio: [],
  mac80211_hwsim: ['radios=4'],
  e1000: [],
};

/** The name of the network with a centre. */
export const SSID = 'keyhole "test"';

/** Families by name, with their samples by the text of their labels. */
export type Seen = Readonly<
  Record<string, { readonly type: string; readonly samples: Readonly<Record<string, number>> }>
>;
