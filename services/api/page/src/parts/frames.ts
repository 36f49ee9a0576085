/** Drawing at most once for each frame of the screen, however often it is asked for. */

const waiting = new Set<() => void>();

/** Call `draw` in the next frame; once, if it is asked for again before. */
export function inNextFrame(draw: () => void): void {
  if (waiting.size === 0) requestAnimationFrame(drawAll);
  waiting.add(draw);
}

/** Do not call `draw` after all. */
export function notInNextFrame(draw: () => void): void {
  waiting.delete(draw);
}

function drawAll(): void {
  const all = [...waiting];
  waiting.clear();
  for (const draw of all) draw();
}
