// The bill of materials in CycloneDX: what the lock file names for the program, the Node it runs in, and Debian's libraries.
import { readFileSync } from 'node:fs';
import type { DebianPackage } from './debian.ts';

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
}

interface Component {
  readonly type: string;
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
}

const component = (type: string, name: string, version: string, purl: string): Component => ({
  type,
  'bom-ref': purl,
  name,
  version,
  purl,
});

export interface PlatformPackages {
  readonly architecture: string;
  readonly packages: readonly DebianPackage[];
}

/** The text of the bill; the same inputs give the same bytes. https://cyclonedx.org/docs/1.6/json/ */
export function bill(version: string, platforms: readonly PlatformPackages[]): string {
  const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const shipped = Object.entries(lock.packages).filter(([path, entry]) => path !== '' && entry.dev !== true);
  const components = [
    ...shipped.map(([path, entry]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      const number = entry.version ?? '';
      return {
        ...component(entry.optional === true ? 'platform' : 'library', name, number, `pkg:npm/${name}@${number}`),
        ...(entry.license === undefined ? {} : { licenses: [{ license: { name: entry.license } }] }),
      };
    }),
    ...platforms.flatMap(({ architecture, packages }) =>
      packages.map(({ name, version: number }) =>
        component(
          'library',
          name,
          number,
          `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(number)}?arch=${architecture}`,
        ),
      ),
    ),
  ];
  const program = component('application', 'keyhole', version, `pkg:generic/keyhole@${version}`);
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: program },
    components,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
