/** By the place of each number that a layout has named, what stands there at this scrape. */
export type Numbers = Float64Array;

/**
 * A number of a kernel file that is laid out: not what it is now, but where it stands and what is made of it. The same steps
 * run at every scrape on the number of that scrape.
 */
export class Reading {
  /** The place of the number, of which `of` makes the value with a factor and a divisor; -1 where more is made. */
  readonly place: number;
  readonly #factor: number;
  readonly #divisor: number;
  readonly #make: Make | undefined;

  /** No function where none is needed: a large machine has tens of thousands of readings. */
  constructor(place: number, factor = 1, divisor = 1, make?: Make) {
    this.place = place;
    this.#factor = factor;
    this.#divisor = divisor;
    this.#make = make;
  }

  /** The value at this scrape. */
  of(numbers: Numbers): number {
    if (this.#make !== undefined) return this.#make(numbers);
    return ((numbers[this.place] as number) * this.#factor) / this.#divisor;
  }

  times(factor: number): Reading {
    if (factor === 1) return this;
    if (this.#make === undefined && this.#factor === 1 && this.#divisor === 1) return new Reading(this.place, factor);
    return this.map((value) => value * factor);
  }

  over(divisor: number): Reading {
    if (this.#make === undefined && this.#divisor === 1) return new Reading(this.place, this.#factor, divisor);
    return this.map((value) => value / divisor);
  }

  plus(other: Reading): Reading {
    return made((numbers) => this.of(numbers) + other.of(numbers));
  }

  /** The product of both. */
  by(other: Reading): Reading {
    return made((numbers) => this.of(numbers) * other.of(numbers));
  }

  minus(other: Reading): Reading {
    return made((numbers) => this.of(numbers) - other.of(numbers));
  }

  /** Whatever else is made of a number. `step` may use nothing but its argument. */
  map(step: (value: number) => number): Reading {
    return made((numbers) => step(this.of(numbers)));
  }
}

type Make = (numbers: Numbers) => number;

const made = (make: Make): Reading => new Reading(-1, 1, 1, make);

/** The sum of these. */
export const sumOf = (readings: readonly Reading[]): Reading =>
  made((numbers) => {
    let sum = 0;
    for (const reading of readings) sum += reading.of(numbers);
    return sum;
  });

/** What a sample can be given: nothing, a number that holds until the next layout, or a reading. */
export type Value = Reading | number | undefined;
