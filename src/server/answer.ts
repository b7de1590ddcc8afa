/** What of a request its answer depends on; headers as they were sent. */
export interface Ask {
  /** Path and query, as in the request line. */
  readonly target: string;
  readonly accept: string | undefined;
  readonly acceptEncoding: string | undefined;
  readonly authorization: string | undefined;
}

export interface Answer {
  readonly status: number;
  /** Without `Content-Length`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Whether the body's bytes stay as they are. If not, whoever keeps them beyond this turn of the event loop copies them. */
  readonly lasting: boolean;
  /** Called once: when the client has taken the answer, or has gone. */
  ended?(): void;
}

export type Maybe<T> = T | Promise<T>;

/** Answers one request, and each repetition of it. */
export type Respond = () => Maybe<Answer>;

/** Works out what a request asks for. */
export type Handler = (ask: Ask) => Respond;

/** `value.then(next)`, but within the same turn where `value` is there already. */
export const andThen = <T, R>(value: Maybe<T>, next: (value: T) => Maybe<R>): Maybe<R> =>
  value instanceof Promise ? value.then(next) : next(value);

const TEXT = 'text/plain; charset=utf-8';

export const textAnswer = (status: number, text: string, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  headers: { 'Content-Type': TEXT, ...headers },
  body: Buffer.from(text),
  lasting: true,
});

/** As Go's `http.Error`: a line of text that no browser shall take for anything else. */
export const refusal = (status: number, line: string, headers: Readonly<Record<string, string>> = {}): Answer =>
  textAnswer(status, `${line}\n`, { 'X-Content-Type-Options': 'nosniff', ...headers });

/** Makes something; an error of it, now or later, becomes what `mend` makes of the error. */
export function orElse<T>(make: () => Maybe<T>, mend: (error: unknown) => T): Maybe<T> {
  try {
    const made = make();
    return made instanceof Promise ? made.catch(mend) : made;
  } catch (error) {
    return mend(error);
  }
}
