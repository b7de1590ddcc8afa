/** By the place of each number that a layout has named, what stands there at this scrape. */
export type Numbers = Float64Array;

/**
 * A number of a kernel file that is laid out: not what it is now, but where it stands and what is made of it. The same steps
 * run at every scrape on the number of that scrape.
 */
export class Reading {
  /** The place of the number, of which `of` makes the value with a factor and a divisor; -1 where more is made. */
  readonly place: number;
  readonly factor: number;
  readonly divisor: number;
  readonly #make: Make | undefined;

  constructor(place: number, factor = 1, divisor = 1, make?: Make) {
    this.place = place;
    this.factor = factor;
    this.divisor = divisor;
    this.#make = make;
  }

  /** The value at this scrape. */
  of(numbers: Numbers): number {
    if (this.#make !== undefined) return this.#make(numbers);
    return ((numbers[this.place] as number) * this.factor) / this.divisor;
  }

  times(factor: number): Reading {
    if (factor === 1) return this;
    if (this.#make === undefined && this.factor === 1 && this.divisor === 1) return new Reading(this.place, factor);
    return this.map((value) => value * factor);
  }

  over(divisor: number): Reading {
    if (this.#make === undefined && this.divisor === 1) return new Reading(this.place, this.factor, divisor);
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
    for (let i = 0; i < readings.length; i += 1) sum += (readings[i] as Reading).of(numbers);
    return sum;
  });

/**
 * Readings and numbers, one after the other. As numbers in arrays, since a large machine has tens of thousands, of which an object
 * each would take thrice the memory.
 */
export class Readings {
  /** Places of numbers; `CONSTANT` for a number, `MADE` less a place among those made for what more is made of. */
  readonly #places: number[] = [];
  readonly #factors: number[] = [];
  readonly #divisors: number[] = [];
  readonly #made: Reading[] = [];

  get length(): number {
    return this.#places.length;
  }

  push(value: Reading | number): void {
    const isNumber = typeof value === 'number';
    if (isNumber) this.#places.push(CONSTANT);
    else this.#places.push(value.place >= 0 ? value.place : MADE - this.#made.push(value) + 1);
    this.#factors.push(isNumber ? value : value.factor);
    this.#divisors.push(isNumber ? 1 : value.divisor);
  }

  /** Forgets those from `length` on. */
  cut(length: number): void {
    this.#made.length -= this.#places.slice(length).filter((place) => place <= MADE).length;
    for (const list of [this.#places, this.#factors, this.#divisors]) list.length = length;
  }

  /** The value of one of them at this scrape. */
  of(i: number, numbers: Numbers): number {
    const place = this.#places[i] as number;
    if (place === CONSTANT) return this.#factors[i] as number;
    if (place <= MADE) return (this.#made[MADE - place] as Reading).of(numbers);
    return ((numbers[place] as number) * (this.#factors[i] as number)) / (this.#divisors[i] as number);
  }
}

const CONSTANT = -1;
const MADE = -2;

/** What a sample can be given: nothing, a number that holds until the next layout, or a reading. */
export type Value = Reading | number | undefined;
