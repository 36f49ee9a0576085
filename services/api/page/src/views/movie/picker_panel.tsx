/** Tools of the picker: which diameter particles may have, and a network trained on the picks that people have edited. */
import { useEffect, useState } from "preact/hooks";
import { pickerApi, type Suggestion, type Training } from "../../api/picker";
import type { Sections } from "../../api/settings";
import { ApplyDialog } from "../../parts/apply_dialog";
import { Button, Panel, Progress, TableHead } from "../../parts/controls";
import { counted, formatNumber, withUnit } from "../../parts/format";
import { act } from "../../state/notices";
import { headingOf } from "../../state/session";
import { CURVE_BOX, curvePath } from "./curve";
import { useLoaded } from "./movie_state";

const ASKED_EVERY_MS = 1_000;

export function PickerPanel({ name }: { name: string }) {
  const [version, setVersion] = useState(0);
  const [patch, setPatch] = useState<Sections | null>(null);
  const reload = () => setVersion((before) => before + 1);
  const training = useLoaded(pickerApi.training, "training", version).value;
  const suggestion = useLoaded(pickerApi.suggestion, "suggestion", version).value;
  const running = training?.state === "running" || suggestion?.state === "running";
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(reload, ASKED_EVERY_MS);
    return () => clearInterval(timer);
  }, [running]);
  return (
    <Panel title="Picker">
      <div class="picker">
        <SuggestionPart name={name} suggestion={suggestion} reload={reload} onApply={setPatch} />
        <TrainingPart training={training} reload={reload} onApply={setPatch} />
      </div>
      {patch !== null && <ApplyDialog patch={patch} onClose={() => setPatch(null)} />}
    </Panel>
  );
}

function SuggestionPart({
  name,
  suggestion,
  reload,
  onApply,
}: {
  name: string;
  suggestion: Suggestion | null;
  reload: () => void;
  onApply: (patch: Sections) => void;
}) {
  const here = suggestion?.movies.includes(name) ?? false;
  return (
    <section aria-label="Diameter">
      <div class="row">
        {suggestion?.state === "running" ? (
          <>
            <Button operates onClick={() => void act(pickerApi.cancelSuggestion(), reload)}>
              Give up
            </Button>
            <span role="status">Looking for diameters on {suggestion.movies.join(", ")}.</span>
          </>
        ) : (
          <Button operates onClick={() => void act(pickerApi.suggest([name]), reload)}>
            Suggest a diameter
          </Button>
        )}
      </div>
      {here && suggestion?.state === "failed" && <p class="bad">{suggestion.problem}</p>}
      {here && suggestion?.state === "done" && suggestion.proposals.length === 0 && (
        <p class="hint">No particles stand out from noise at any diameter here; try another movie.</p>
      )}
      {here && suggestion !== null && suggestion.proposals.length > 0 && (
        <table class="values">
          <TableHead words={["shape"]} numbers={["diameter", "evidence", headingOf("picking.count"), "use"]} />
          <tbody>
            {suggestion.proposals.map(({ diameterAngstrom, shape, evidence, particles }) => (
              <tr key={`${diameterAngstrom} ${shape}`}>
                <th scope="row">{shape}</th>
                <td class="number">{withUnit(diameterAngstrom, "Å")}</td>
                <td class="number">{formatNumber(evidence)}</td>
                <td class="number">{formatNumber(particles)}</td>
                <td class="number">
                  <Button operates onClick={() => onApply({ picking: { diameter: Math.round(diameterAngstrom) } })}>
                    Pick with it …
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function TrainingPart({
  training,
  reload,
  onApply,
}: {
  training: Training | null;
  reload: () => void;
  onApply: (patch: Sections) => void;
}) {
  const running = training?.state === "running";
  const last = training?.curve.at(-1);
  const trained = training?.settings;
  const unavailable = training?.unavailable ?? "";
  return (
    <section aria-label="Training">
      <div class="row">
        {running ? (
          <Button operates onClick={() => void act(pickerApi.cancelTraining(), reload)}>
            Give up
          </Button>
        ) : (
          <Button
            operates
            title={
              unavailable || "Trains the network further on all movies whose picks were edited by hand, on the CPU"
            }
            disabled={unavailable !== ""}
            onClick={() => void act(pickerApi.train(), reload)}
          >
            Train on edited picks
          </Button>
        )}
        {trained && (
          <Button operates kind="primary" onClick={() => onApply(trained)}>
            Pick with the trained network …
          </Button>
        )}
      </div>
      {unavailable && <p class="hint">{unavailable}</p>}
      {training !== null && training.state !== "none" && (
        <>
          <p class="hint" role="status">
            {trainingText(training)}
          </p>
          {running && <Progress value={(last?.step ?? 0) / training.steps} label="Training" />}
          <LossCurve training={training} />
        </>
      )}
    </section>
  );
}

function trainingText({ state, movies, steps, curve, problem }: Training): string {
  const last = curve.at(-1);
  const at = last === undefined ? "preparing" : `step ${last.step} of ${steps}, loss ${formatNumber(last.loss, 3)}`;
  if (state === "running") return `${at}, on ${counted(movies.length, "movie")}`;
  if (state === "failed") return `The last training failed: ${problem}`;
  if (state === "cancelled") return `The last training was given up at ${at}.`;
  return `Trained on ${counted(movies.length, "movie")}: ${at}.`;
}

function LossCurve({ training: { curve, steps } }: { training: Training }) {
  if (curve.length < 2) return null;
  const [first, last] = [curve[0]!.loss, curve.at(-1)!.loss];
  return (
    <svg
      class="curve"
      viewBox={`0 -1 ${CURVE_BOX.width} ${CURVE_BOX.height + 2}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`Loss by step of training, from ${formatNumber(first, 3)} to ${formatNumber(last, 3)}`}
    >
      <path
        d={curvePath(
          curve.map(({ step }) => step),
          curve.map(({ loss }) => loss),
          steps,
        )}
        vector-effect="non-scaling-stroke"
      />
    </svg>
  );
}
