/** Pictures of tiles as they arrive. Tiles that were asked for and are no longer wanted are given up. */
import { pictureUrl } from "../../parts/picture";
import type { Tile } from "./tiles";

/** How the average is shown: percentiles that are black and white, and the finest detail, Å (0: all). */
export interface Contrast {
  low: number;
  high: number;
  lowpassAngstrom: number;
}

const MOST_KEPT = 200;

export class TileCache {
  private readonly pictures = new Map<string, HTMLImageElement>();

  /** `onArrival` is called when a tile can be drawn. */
  constructor(
    private readonly name: string,
    private readonly generation: number | undefined,
    private readonly onArrival: () => void,
  ) {}

  /** Whether a tile is on its way. */
  pending(tile: Tile, contrast: Contrast): boolean {
    return this.pictures.get(this.url(tile, contrast))?.complete === false;
  }

  /** The picture of a tile, which is asked for; null while it is on its way, and where there is none. */
  picture(tile: Tile, contrast: Contrast): HTMLImageElement | null {
    const url = this.url(tile, contrast);
    let picture = this.pictures.get(url);
    if (picture === undefined) {
      picture = new Image();
      picture.decoding = "async";
      picture.onload = this.onArrival;
      picture.onerror = this.onArrival;
      picture.src = url;
    } else {
      this.pictures.delete(url);
    }
    this.pictures.set(url, picture);
    return picture.complete && picture.naturalWidth > 0 ? picture : null;
  }

  /** Keep what is wanted now and the latest others; give up what is on its way and not wanted. */
  settle(wanted: readonly Tile[], contrast: Contrast): void {
    const urls = new Set(wanted.map((tile) => this.url(tile, contrast)));
    for (const [url, picture] of this.pictures) {
      if (urls.has(url) || (picture.complete && this.pictures.size <= MOST_KEPT)) continue;
      this.drop(url, picture);
    }
  }

  /** Ask again for what could not be had. */
  forgetFailed(): void {
    for (const [url, picture] of this.pictures) {
      if (picture.complete && picture.naturalWidth === 0) this.drop(url, picture);
    }
  }

  close(): void {
    for (const [url, picture] of this.pictures) this.drop(url, picture);
  }

  private drop(url: string, picture: HTMLImageElement): void {
    this.pictures.delete(url);
    picture.onload = picture.onerror = null;
    if (!picture.complete) picture.src = "";
  }

  private url({ scale, crop }: Tile, { low, high, lowpassAngstrom }: Contrast): string {
    return pictureUrl(this.name, "average", this.generation, {
      x: crop.x,
      y: crop.y,
      width: crop.width,
      height: crop.height,
      scale,
      low,
      high,
      lowpass: lowpassAngstrom || undefined,
    });
  }
}
