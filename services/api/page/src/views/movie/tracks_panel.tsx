/** Motion: the track of the field's centre, and what each place does beside it. */
import type { Point, Tracks } from "../../api/documents";
import { Empty, Panel } from "../../parts/controls";
import { formatNumber, withUnit } from "../../parts/format";
import type { Loaded } from "./movie_state";
import { scaleBar } from "./ruler";
import { type Bounds, boundsOf, localTracks, pathLength, pathThrough } from "./tracks";

/** Parts of a drawing's width: the longest scale bar, the rim about it, and the strip below the tracks where it lies. */
const BAR = 0.3;
const RIM = 0.05;
const STRIP = 0.13;

export function TracksPanel({ tracks: { value: tracks, missing } }: { tracks: Loaded<Tracks> }) {
  return (
    <Panel title="Motion">
      {tracks === null ? (
        <Empty>{missing || "Loading."}</Empty>
      ) : tracks.skipped ? (
        <Empty>Motion is not corrected: the settings switch it off.</Empty>
      ) : (
        <>
          {tracks.failure && <p class="bad">{tracks.failure}</p>}
          <div class="tracks">
            <GlobalTrack tracks={tracks} />
            <LocalTracks tracks={tracks} />
          </div>
        </>
      )}
    </Panel>
  );
}

function GlobalTrack({ tracks: { track, dosePerFrame } }: { tracks: Tracks }) {
  const bounds = boundsOf(track);
  const radius = bounds.width / 90;
  const length = pathLength(track);
  const end = track.at(-1) ?? [0, 0];
  return (
    <figure>
      <svg
        viewBox={viewBox(bounds)}
        role="img"
        aria-label={`Track of the whole field over ${track.length} frames, ${formatNumber(length, 1)} Å long`}
      >
        <path class="track" d={pathThrough(track)} vector-effect="non-scaling-stroke" />
        {track.map(([x, y], frame) => (
          <circle
            key={frame}
            class={frame === 0 ? "first" : "frame"}
            cx={x}
            cy={y}
            r={frame === 0 ? 2 * radius : radius}
          >
            <title>{`frame ${frame + 1}, after ${formatNumber((frame + 1) * dosePerFrame, 1)} e⁻/Å²: ${formatNumber(x, 2)}, ${formatNumber(y, 2)} Å`}</title>
          </circle>
        ))}
        <Bar bounds={bounds} angstromPerUnit={1} />
      </svg>
      <figcaption>
        whole: {withUnit(length, "Å", 1)} along the track, {withUnit(Math.hypot(...(end as [number, number])), "Å", 1)}{" "}
        from first to last frame; the first is ringed
      </figcaption>
    </figure>
  );
}

function LocalTracks({ tracks }: { tracks: Tracks }) {
  const { magnification, lines } = localTracks(tracks);
  const bounds = { x: 0, y: 0, width: tracks.widthAngstrom, height: tracks.heightAngstrom };
  const radius = bounds.width / 120;
  return (
    <figure>
      <svg
        viewBox={viewBox(bounds)}
        role="img"
        aria-label={`Movement of ${lines.length} places beside the whole, magnified ${formatNumber(magnification)} times`}
      >
        <rect class="field-edge" {...bounds} vector-effect="non-scaling-stroke" />
        {lines.map((line) => (
          <g key={line[0]?.join()}>
            <path class="track" d={pathThrough(line)} vector-effect="non-scaling-stroke" />
            <Start at={line[0]} radius={radius} />
          </g>
        ))}
        <Bar bounds={bounds} angstromPerUnit={1 / magnification} />
      </svg>
      <figcaption>each place beside the whole; its movement is magnified, the bar is of movement</figcaption>
    </figure>
  );
}

function Start({ at, radius }: { at: Point | undefined; radius: number }) {
  return at ? <circle class="frame" cx={at[0]} cy={at[1]} r={radius} /> : null;
}

/** A drawing with the strip of its scale bar. */
function viewBox({ x, y, width, height }: Bounds): string {
  return [x, y, width, height + STRIP * width].join(" ");
}

/** A scale bar below a drawing whose unit is so many Å. */
function Bar({ bounds, angstromPerUnit }: { bounds: Bounds; angstromPerUnit: number }) {
  const { lengthPx, text } = scaleBar(angstromPerUnit, BAR * bounds.width);
  const x = bounds.x + RIM * bounds.width;
  const y = bounds.y + bounds.height + (STRIP - RIM / 2) * bounds.width;
  return (
    <g class="bar">
      <line x1={x} x2={x + lengthPx} y1={y} y2={y} vector-effect="non-scaling-stroke" />
      <text x={x} y={y - 0.02 * bounds.width} font-size={0.055 * bounds.width}>
        {text}
      </text>
    </g>
  );
}
