/** Of one device, in lower-case hexadecimal digits without `0x`: four each, `type` (the class) six; empty where it is not known. */
export interface PciIds {
  readonly type: string;
  readonly vendor: string;
  readonly device: string;
  readonly subVendor: string;
  readonly subDevice: string;
}

export type PciNames = PciIds;

/** The lines of a block below a heading: from the line that begins with `key` to the next that is as little indented. */
interface Block {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Finds `<tabs><key>  <name>` between two places of the text and the lines that are more indented below it. */
function findBlock(text: string, key: string, { from, to }: Omit<Block, 'name'>, depth: number): Block | undefined {
  if (key === '') return undefined;
  const tabs = '\t'.repeat(depth);
  const head = `\n${tabs}${key}  `;
  const start = text.indexOf(head, from);
  if (start < 0 || start >= to) return undefined;
  const lineEnd = text.indexOf('\n', start + 1);
  const end = lineEnd < 0 ? text.length : lineEnd;
  const sibling = new RegExp(`\\n\\t{0,${depth}}[^\\t\\n#]`, 'g');
  sibling.lastIndex = end;
  return {
    name: text.slice(start + head.length, end).trim(),
    from: end,
    to: Math.min(to, sibling.exec(text)?.index ?? text.length),
  };
}

/**
 * Looks one device's names up in the text of `pci.ids`. What has no name keeps its digits; a class is named by its
 * programming interface, else by its subclass, else by its base class. https://pci-ids.ucw.cz/
 */
export function findPciNames(pciIds: string, ids: PciIds): PciNames {
  const text = `\n${pciIds}`;
  const whole = { from: 0, to: text.length };
  const vendor = findBlock(text, ids.vendor, whole, 0);
  const device = vendor && findBlock(text, ids.device, vendor, 1);
  const subsystem = device && findBlock(text, `${ids.subVendor} ${ids.subDevice}`, device, 2);
  const base = findBlock(text, `C ${ids.type.slice(0, 2)}`, whole, 0);
  const subclass = base && findBlock(text, ids.type.slice(2, 4), base, 1);
  const interface_ = subclass && findBlock(text, ids.type.slice(4), subclass, 2);
  return {
    type: (interface_ ?? subclass ?? base)?.name ?? `Unknown class (${ids.type})`,
    vendor: vendor?.name ?? ids.vendor,
    device: device?.name ?? ids.device,
    subVendor: findBlock(text, ids.subVendor, whole, 0)?.name ?? ids.subVendor,
    subDevice: subsystem?.name ?? ids.subDevice,
  };
}
