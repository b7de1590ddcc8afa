import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

/** Builds a kustomization as kubectl does, as far as those in deploy/ use it. https://kubectl.docs.kubernetes.io/references/kustomize/ */

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  [key: string]: unknown;
}

interface Operation {
  readonly op: 'remove' | 'test' | 'add' | 'replace';
  readonly path: string;
  readonly value?: unknown;
}

interface Kustomization {
  readonly namespace?: string;
  readonly resources?: readonly string[];
  readonly images?: readonly { readonly name: string; readonly newName: string; readonly newTag: string }[];
  readonly configMapGenerator?: readonly {
    readonly name: string;
    readonly files: readonly string[];
    readonly options: { readonly labels: Record<string, string>; readonly disableNameSuffixHash: true };
  }[];
  readonly patches?: readonly {
    /** The kind is a regular expression. Without a name it is about every one of that kind. */
    readonly target: { readonly kind: string; readonly name?: string };
    readonly patch: string;
  }[];
  readonly [key: string]: unknown;
}

const KNOWN = ['apiVersion', 'kind'];
/** Those that are in no namespace. */
const CLUSTER_WIDE = ['Namespace', 'ClusterRole', 'SecurityContextConstraints'];

type Node = Record<string, unknown>;

/** RFC 6902, of one operation. */
function apply(document: Node, { op, path, value }: Operation): void {
  const steps = path.slice(1).split('/');
  const last = steps.pop() as string;
  const parent = steps.reduce<Node>((node, step) => {
    if (node[step] === undefined) throw new Error(`${path}: no ${step}`);
    return node[step] as Node;
  }, document);
  if (op !== 'add' && parent[last] === undefined) throw new Error(`${path}: nothing there`);
  if (op === 'test') {
    if (JSON.stringify(parent[last]) !== JSON.stringify(value))
      throw new Error(`${path} is ${JSON.stringify(parent[last])}`);
  } else if (op === 'remove') {
    if (Array.isArray(parent)) parent.splice(Number(last), 1);
    else delete parent[last];
  } else if (Array.isArray(parent) && op === 'add')
    parent.splice(last === '-' ? parent.length : Number(last), 0, value);
  else parent[last] = value;
}

function setImages(node: unknown, images: NonNullable<Kustomization['images']>): void {
  if (typeof node !== 'object' || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    const image = key === 'image' ? images.find(({ name }) => name === value) : undefined;
    if (image !== undefined) (node as Node)[key] = `${image.newName}:${image.newTag}`;
    else setImages(value, images);
  }
}

export function build(folder: string): Manifest[] {
  const {
    namespace,
    resources = [],
    images = [],
    patches = [],
    configMapGenerator = [],
    ...rest
  } = parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as Kustomization;
  const unknown = Object.keys(rest).filter((key) => !KNOWN.includes(key));
  if (unknown.length > 0) throw new Error(`${folder}: cannot build ${unknown.join()}`);
  const manifests = resources.flatMap((resource): Manifest[] => {
    const path = join(folder, resource);
    if (statSync(path).isDirectory()) return build(path);
    return parseAllDocuments(readFileSync(path, 'utf8')).map((each) => each.toJS() as Manifest);
  });
  for (const { name, files, options } of configMapGenerator)
    manifests.push({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, labels: options.labels },
      data: Object.fromEntries(files.map((file) => [file, readFileSync(join(folder, file), 'utf8')])),
    });
  for (const { target, patch } of patches) {
    const isKind = new RegExp(`^(?:${target.kind})$`);
    const found = manifests.filter(
      ({ kind, metadata }) => isKind.test(kind) && (target.name === undefined || metadata.name === target.name),
    );
    if (found.length === 0 || (target.name !== undefined && found.length > 1))
      throw new Error(`${folder}: ${found.length} of ${target.kind}/${target.name}`);
    const steps = parse(patch) as readonly Operation[] | { readonly $patch: 'delete' };
    for (const manifest of found)
      if ('$patch' in steps) manifests.splice(manifests.indexOf(manifest), 1);
      else for (const operation of steps) apply(manifest, operation);
  }
  for (const manifest of manifests) {
    if (namespace !== undefined && !CLUSTER_WIDE.includes(manifest.kind)) manifest.metadata.namespace = namespace;
    setImages(manifest, images);
  }
  return manifests;
}
