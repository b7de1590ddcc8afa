/**
 * Thrown instead of an answer that is not there yet: it is asked for off the event loop, since it may take for ever. Whoever
 * asks again once `answered` has come gets it. No fault of what is read: let it pass.
 */
export class NotYet extends Error {
  override readonly name = 'NotYet';
  readonly answered: Promise<void>;
  /** Nobody waits any more: until the answer comes, asking for it again throws a `DeadlineError` at once. */
  readonly giveUp: () => void;

  constructor(path: string, answered: Promise<void>, giveUp: () => void) {
    super(`${path}: no answer yet`);
    this.answered = answered;
    this.giveUp = giveUp;
  }
}
