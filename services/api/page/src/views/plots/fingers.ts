/** The fingers on a plot: while there are two, they zoom. */
import type { Place } from "./gestures";

/** A zoom about a place; `factor` below 1 shows less. */
export interface Zoom {
  place: Place;
  factor: number;
}

/** Fingers that are nearer than this count as so far apart, px: a zoom has an end. */
const LEAST_PX = 10;

export class Fingers {
  private readonly places = new Map<number, Place>();

  get count(): number {
    return this.places.size;
  }

  put(pointerId: number, place: Place): void {
    this.places.set(pointerId, place);
  }

  lift(pointerId: number): void {
    this.places.delete(pointerId);
  }

  /** A finger has moved: the zoom that this means, null unless it is one of two. */
  move(pointerId: number, place: Place): Zoom | null {
    if (!this.places.has(pointerId)) return null;
    const before = this.apart();
    this.places.set(pointerId, place);
    if (this.count !== 2) return null;
    const [one, other] = [...this.places.values()] as [Place, Place];
    return { place: [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2], factor: before / this.apart() };
  }

  private apart(): number {
    const [one, other] = [...this.places.values()];
    if (one === undefined || other === undefined) return LEAST_PX;
    return Math.max(LEAST_PX, Math.hypot(one[0] - other[0], one[1] - other[1]));
  }
}
