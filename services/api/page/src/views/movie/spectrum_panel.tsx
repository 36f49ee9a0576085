/** The power spectrum with rings at resolutions: data at the left, the fitted model at the right. */
import { useState } from "preact/hooks";
import type { Curves } from "../../api/documents";
import { Empty, Facts, Panel } from "../../parts/controls";
import { formatNumber, withUnit } from "../../parts/format";
import { Picture } from "../../parts/picture";
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
        <Empty>{missing ? "Not measured yet." : "Loading."}</Empty>
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
          : "data left, model right; rings in Å, the fit's end dashed"}
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
          ["defocus U", withUnit(defocusUAngstrom * 1e-4, "µm", 3)],
          ["defocus V", withUnit(defocusVAngstrom * 1e-4, "µm", 3)],
          ["angle", withUnit(angleDegrees, "°", 1)],
          ["fit to", withUnit(resolutionAngstrom, "Å", 2)],
          ["merit", formatNumber(figureOfMerit, 3)],
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
