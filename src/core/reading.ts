/** By the place of each number that a layout has named, what stands there at this scrape. */
export type Numbers = Float64Array;

/**
 * A number of a kernel file that is laid out: not what it is now, but where it stands and what is made of it. The same steps
 * run at every scrape on the number of that scrape.
 */
export class Reading {
  /** The place of the number as it stands; -1 where something is made of it. */
  readonly place: number;
  readonly #of: (numbers: Numbers) => number;

  constructor(place: number, of: (numbers: Numbers) => number = (numbers) => numbers[place] as number) {
    this.place = place;
    this.#of = of;
  }

  /** The value at this scrape. */
  of(numbers: Numbers): number {
    return this.place < 0 ? this.#of(numbers) : (numbers[this.place] as number);
  }

  times(factor: number): Reading {
    if (factor === 1) return this;
    return this.map((value) => value * factor);
  }

  over(divisor: number): Reading {
    return this.map((value) => value / divisor);
  }

  plus(other: Reading): Reading {
    return new Reading(-1, (numbers) => this.of(numbers) + other.of(numbers));
  }

  /** The product of both. */
  by(other: Reading): Reading {
    return new Reading(-1, (numbers) => this.of(numbers) * other.of(numbers));
  }

  minus(other: Reading): Reading {
    return new Reading(-1, (numbers) => this.of(numbers) - other.of(numbers));
  }

  /** Whatever else is made of a number. `step` may use nothing but its argument. */
  map(step: (value: number) => number): Reading {
    return new Reading(-1, (numbers) => step(this.of(numbers)));
  }
}

/** The sum of these. */
export const sumOf = (readings: readonly Reading[]): Reading =>
  new Reading(-1, (numbers) => {
    let sum = 0;
    for (let i = 0; i < readings.length; i += 1) sum += (readings[i] as Reading).of(numbers);
    return sum;
  });

/** What a sample can be given: nothing, a number that holds until the next layout, or a reading. */
export type Value = Reading | number | undefined;
