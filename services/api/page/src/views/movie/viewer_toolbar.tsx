/** Controls above the average: what lies over it, the tool of the pointer, contrast. */
import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Button, Segments, Select, Toolbar } from "../../parts/controls";
import type { Tool } from "./average_viewer";
import type { Contrast } from "./tile_cache";
import { contrast, tool, withCandidates, withJunk, withPicks } from "./viewer_choices";

const SENT_AFTER_MS = 150;

export function ViewerToolbar({ canPick }: { canPick: boolean }) {
  return (
    <Toolbar label="Average" end={<ContrastControls />}>
      <Segments<Tool>
        label="Pointer"
        value={tool.value}
        onChange={(next) => {
          tool.value = next;
        }}
        choices={[
          { value: "move", text: "move", title: "Drag moves the image, the wheel zooms" },
          ...(canPick
            ? [
                {
                  value: "pick" as const,
                  text: "edit picks",
                  title: "A click adds or removes a pick (e)",
                  operates: true,
                },
              ]
            : []),
          { value: "ruler", text: "ruler", title: "Drag measures a length (m)" },
        ]}
      />
      <Toggle on={withPicks} text="picks" title="Show picks (p)" />
      <Toggle on={withCandidates} text="below threshold" title="Show candidates below the threshold as dots" />
      <Toggle on={withJunk} text="junk" title="Show the junk mask (b)" />
    </Toolbar>
  );
}

export function toggle(on: Signal<boolean>): void {
  on.value = !on.peek();
}

function Toggle({ on, text, title }: { on: Signal<boolean>; text: string; title: string }) {
  return (
    <Button pressed={on.value} title={title} onClick={() => toggle(on)}>
      {text}
    </Button>
  );
}

const LOWPASS_ANGSTROM = [0, 5, 10, 20, 40];

/** Percentiles that are black and white, and smoothing. Pictures are asked for when a slider rests. */
function ContrastControls() {
  const wanted = useSignal(contrast.peek());
  useEffect(() => {
    const timer = setTimeout(() => {
      contrast.value = wanted.value;
    }, SENT_AFTER_MS);
    return () => clearTimeout(timer);
  }, [wanted.value]);
  const { low, high, lowpassAngstrom } = wanted.value;
  const change = (to: Partial<Contrast>) => {
    wanted.value = { ...wanted.peek(), ...to };
  };
  return (
    <>
      <Percentile label="black" part={low} value={low} from={0} to={30} onInput={(value) => change({ low: value })} />
      <Percentile
        label="white"
        part={100 - high}
        value={high}
        from={70}
        to={100}
        onInput={(value) => change({ high: value })}
      />
      <Select
        label="smooth"
        value={String(lowpassAngstrom)}
        onChange={(value) => change({ lowpassAngstrom: Number(value) })}
        choices={LOWPASS_ANGSTROM.map((angstrom) => ({
          value: String(angstrom),
          text: angstrom === 0 ? "none" : `${angstrom} Å`,
        }))}
      />
    </>
  );
}

interface PercentileProps {
  label: string;
  /** So many % of the pixels are of that colour. */
  part: number;
  value: number;
  from: number;
  to: number;
  onInput: (value: number) => void;
}

function Percentile({ label, part, value, from, to, onInput }: PercentileProps) {
  return (
    <label class="field" title={`${part} % of the pixels are ${label}`}>
      <span>{label}</span>
      <input
        type="range"
        min={from}
        max={to}
        step={0.5}
        value={value}
        onInput={(event) => onInput(Number(event.currentTarget.value))}
      />
    </label>
  );
}
