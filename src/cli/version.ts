import process from 'node:process';
import manifest from '../../package.json' with { type: 'json' };

// Set by the build from the commit it builds; not there when the sources run as they are.
declare const KEYHOLE_REVISION: string | undefined;
declare const KEYHOLE_BRANCH: string | undefined;

export interface BuildInfo {
  readonly version: string;
  readonly branch: string;
  readonly revision: string;
  /** As Go names them: `amd64`, `arm64`. */
  readonly goarch: string;
  readonly goos: string;
  /** The runtime's version: Node's. */
  readonly goversion: string;
  readonly tags: string;
}

const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

export const buildInfo: BuildInfo = {
  version: manifest.version,
  branch: typeof KEYHOLE_BRANCH === 'undefined' ? 'unknown' : KEYHOLE_BRANCH,
  revision: typeof KEYHOLE_REVISION === 'undefined' ? 'unknown' : KEYHOLE_REVISION,
  goarch: GO_ARCHITECTURES[process.arch] ?? process.arch,
  goos: process.platform,
  goversion: process.version,
  tags: '',
};

/** What `--version` prints. */
export const versionText = (): string =>
  `keyhole, version ${buildInfo.version} (branch: ${buildInfo.branch}, revision: ${buildInfo.revision})
  node version:     ${buildInfo.goversion}
  platform:         ${buildInfo.goos}/${buildInfo.goarch}
  tags:             ${buildInfo.tags === '' ? 'unknown' : buildInfo.tags}
`;
