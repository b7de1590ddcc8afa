import type { IncomingMessage, RequestOptions } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import type { XmlElement, XmlNode } from '@rgrove/parse-xml';
import { type CallXmlRpc, isStruct, type XmlRpcValue } from '../core/daemons.ts';
import { LimitError, messageOf, ParseError, UsageError } from '../core/errors.ts';

const REPLY_BYTES_MAX = 16 << 20;
const DEPTH_MAX = 32;

const isElement = (node: XmlNode): node is XmlElement => node.type === 'element';
const elementsOf = (element: XmlElement, name?: string): XmlElement[] =>
  element.children.filter(isElement).filter((child) => name === undefined || child.name === name);

function childOf(element: XmlElement, name: string): XmlElement {
  const [child] = elementsOf(element, name);
  if (child === undefined) throw new ParseError('XML-RPC', `<${element.name}> without <${name}>`);
  return child;
}

/** What is no number is nothing: that of one process must not cost the others. */
function numberOf({ text }: XmlElement): number | null {
  const value = Number(text);
  return text.trim() === '' || !Number.isFinite(value) ? null : value;
}

/** A member without a name or a value is none. */
function memberOf(member: XmlElement, depth: number): (readonly [string, XmlRpcValue])[] {
  const [[name], [value]] = [elementsOf(member, 'name'), elementsOf(member, 'value')];
  return name === undefined || value === undefined ? [] : [[name.text, readValue(value, depth)]];
}

/** Programs put their output into messages, and XML has no such characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it is about.
const NO_CHARACTER = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;
const REFERENCE = /&#(x[0-9a-f]+|[0-9]+);/gi;
const LOST = '\ufffd';

/** https://www.w3.org/TR/xml/#charsets */
function isCharacter(reference: string): boolean {
  const code = Number(reference.replace(/^x/i, '0x'));
  if (code < 0x20) return [9, 10, 13].includes(code);
  return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) && code !== 0xfffe && code !== 0xffff;
}

/** The text with U+FFFD for what is no character of XML. */
const withoutOdd = (text: string): string =>
  text
    .replace(NO_CHARACTER, LOST)
    .replace(REFERENCE, (whole, reference: string) => (isCharacter(reference) ? whole : LOST));

/** `<value>` with one element in it, or with text alone, in `depth` others. */
function readValue(value: XmlElement, depth = 0): XmlRpcValue {
  if (depth > DEPTH_MAX) throw new LimitError(`XML-RPC: values within more than ${DEPTH_MAX} others`);
  const [typed] = elementsOf(value);
  if (typed === undefined) return value.text;
  switch (typed.name) {
    case 'int':
    case 'i4':
    case 'i8':
    case 'double':
      return numberOf(typed);
    case 'boolean':
      return typed.text.trim() === '1';
    case 'nil':
      return null;
    case 'array':
      return elementsOf(childOf(typed, 'data'), 'value').map((each) => readValue(each, depth + 1));
    case 'struct':
      return Object.fromEntries(elementsOf(typed, 'member').flatMap((member) => memberOf(member, depth + 1)));
    default:
      return typed.text;
  }
}

/** What a method returned. Throws a `ParseError` for what is no response, an `Error` for a fault. */
export async function parseXmlRpc(text: string): Promise<XmlRpcValue> {
  const { parseXml } = await import('@rgrove/parse-xml');
  let root: XmlElement | null;
  try {
    root = parseXml(withoutOdd(text), { ignoreUndefinedEntities: true }).root;
  } catch (error) {
    throw new ParseError('XML-RPC', messageOf(error).split('\n')[0] ?? '', { cause: error });
  }
  if (root?.name !== 'methodResponse') throw new ParseError('XML-RPC', `<${root?.name}>`);
  const [fault] = elementsOf(root, 'fault');
  if (fault !== undefined) {
    const told = readValue(childOf(fault, 'value'));
    throw new Error(`XML-RPC: ${isStruct(told) ? `${told['faultString']} (${told['faultCode']})` : 'a fault'}`);
  }
  return readValue(childOf(childOf(childOf(root, 'params'), 'param'), 'value'));
}

type Send = (options: RequestOptions, body: string) => Promise<IncomingMessage>;

/** How a URL is asked: `http:`, `https:`, or `unix:` with the path of a socket. Throws a `UsageError` for others. */
function senderOf(text: string): Send {
  const url = URL.parse(text);
  if (url === null || !/^(https?|unix):$/.test(url.protocol))
    throw new UsageError(`${JSON.stringify(text)} is no URL of the kinds http:, https: and unix:`);
  const { username, password, pathname, hostname, port, search } = url;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const where: RequestOptions =
    url.protocol === 'unix:'
      ? { socketPath: decodeURIComponent(pathname), path: '/RPC2' }
      : {
          host: hostname.replace(/^\[|\]$/g, ''),
          port,
          path: `${pathname}${search}`,
          ...(credentials === ':' ? {} : { auth: credentials }),
        };
  return async (options, body) => {
    const { request } = await (url.protocol === 'https:' ? import('node:https') : import('node:http'));
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    request({ ...where, ...options, agent: false }, resolve)
      .on('error', reject)
      .end(body);
    return promise;
  };
}

async function readAll(response: IncomingMessage): Promise<string> {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > REPLY_BYTES_MAX) response.destroy(new LimitError(`XML-RPC: a reply of more than ${bytes} bytes`));
  });
  return textOf(response);
}

/** The server at `url`. Nothing is opened before it is asked. */
export function xmlRpcServer(url: string): CallXmlRpc {
  const send = senderOf(url);
  return async (method, signal) => {
    const body = `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params/></methodCall>`;
    const headers = { 'Content-Type': 'text/xml', 'Content-Length': Buffer.byteLength(body) };
    const response = await send({ method: 'POST', headers, signal }, body);
    if (response.statusCode !== 200) {
      response.destroy();
      throw new Error(`XML-RPC: HTTP status ${response.statusCode} ${response.statusMessage}`);
    }
    return parseXmlRpc(await readAll(response));
  };
}
