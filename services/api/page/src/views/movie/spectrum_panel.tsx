/** The power spectrum with rings at resolutions, its curves, and what was fitted. */
import { useState } from "preact/hooks";
import type { Curves } from "../../api/documents";
import { Empty, Facts, Panel } from "../../parts/controls";
import { formatNumber, withUnit } from "../../parts/format";
import { Picture } from "../../parts/picture";
import { headingOf } from "../../state/session";
import { CtfCurves } from "./ctf_curves";
import type { Loaded } from "./movie_state";
import { resolutionAt, ringsUpTo } from "./rings";

export function SpectrumPanel({
  name,
  generation,
  curves: { value: curves, missing },
}: {
  name: string;
  generation: number | undefined;
  curves: Loaded<Curves>;
}) {
  return (
    <Panel title="Power spectrum and CTF fit">
      {curves === null ? (
        <Empty>{missing || "Loading."}</Empty>
      ) : (
        <div class="spectrum">
          <Rings name={name} generation={generation} curves={curves} />
          <div>
            <CtfCurves curves={curves} />
            <FitFacts curves={curves} />
          </div>
        </div>
      )}
    </Panel>
  );
}

function Rings({ name, generation, curves }: { name: string; generation: number | undefined; curves: Curves }) {
  const [pointed, setPointed] = useState<number | null>(null);
  const edge = curves.frequency.at(-1) ?? 0;
  const fit = curves.summary.resolutionAngstrom;
  const point = (event: PointerEvent) => {
    const { left, top, width, height } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const [x, y] = [(2 * (event.clientX - left)) / width - 1, (2 * (event.clientY - top)) / height - 1];
    setPointed(resolutionAt(x, y, edge));
  };
  return (
    <figure class="rings">
      <div onPointerMove={point} onPointerLeave={() => setPointed(null)}>
        <Picture name={name} kind="spectrum" generation={generation} alt={`Power spectrum of ${name}`} />
        {edge > 0 && (
          <svg viewBox="-1 -1 2 2" aria-hidden="true">
            {ringsUpTo(edge).map(({ resolutionAngstrom, radius }) => (
              <g key={resolutionAngstrom}>
                <circle r={radius} vector-effect="non-scaling-stroke" />
                <text x={Math.SQRT1_2 * radius} y={-Math.SQRT1_2 * radius}>
                  {resolutionAngstrom}
                </text>
              </g>
            ))}
            {fit !== null && <circle class="fit" r={1 / (fit * edge)} vector-effect="non-scaling-stroke" />}
          </svg>
        )}
      </div>
      <figcaption>
        {pointed !== null && pointed < 1000
          ? `here ${withUnit(pointed, "Å", 2)}`
          : "Upper left: the data. Lower left: their mean along each ring. Right: the fitted model. Rings are in Å; the fit ends at the dashed one."}
      </figcaption>
    </figure>
  );
}

function FitFacts({ curves: { summary } }: { curves: Curves }) {
  const { defocusUAngstrom, defocusVAngstrom, angleDegrees, resolutionAngstrom, figureOfMerit } = summary;
  return (
    <>
      <Facts
        facts={[
          [headingOf("ctf.defocusUAngstrom"), withUnit(defocusUAngstrom * 1e-4, "µm", 2)],
          [headingOf("ctf.defocusVAngstrom"), withUnit(defocusVAngstrom * 1e-4, "µm", 2)],
          [headingOf("ctf.defocusAngleDegrees"), withUnit(angleDegrees, "°", 1)],
          [headingOf("ctf.resolutionAngstrom"), withUnit(resolutionAngstrom, "Å", 2)],
          [headingOf("ctf.figureOfMerit"), formatNumber(figureOfMerit, 3)],
        ]}
      />
      {summary.failure && <p class="bad">{summary.failure}</p>}
      {summary.warnings.map((text) => (
        <p key={text} class="hint">
          {text}
        </p>
      ))}
    </>
  );
}
