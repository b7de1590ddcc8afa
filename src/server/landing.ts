const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

export interface Landing {
  readonly version: string;
  readonly revision: string;
  readonly telemetryPath: string;
  readonly collectors: readonly string[];
}

/** The page at `/`: for people, and for probes that want a quick 200. */
export const landingPage = ({ version, revision, telemetryPath, collectors }: Landing): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Keyhole</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}code{font-size:.9em}</style>
<h1>Keyhole</h1>
<p>Metrics of this machine's hardware and kernel for Prometheus.</p>
<p><a href="${escapeHtml(telemetryPath)}">Metrics</a></p>
<p>Version ${escapeHtml(version)}, revision ${escapeHtml(revision)}</p>
<p>Collectors that run: ${collectors.map((name) => `<code>${escapeHtml(name)}</code>`).join(' ')}</p>
</html>
`;
