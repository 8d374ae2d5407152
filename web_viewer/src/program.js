// Sizes that follow from the layers of a network.

/** Vectors a ray that each slot must hold. @param {Program} program @param {number} channels of the input */
export function slotSizes(program, channels) {
  const sizes = new Array(program.slots).fill(0);
  sizes[program.input] = Math.ceil(channels / 4);
  for (const step of program.steps) {
    sizes[step.dst] = Math.max(sizes[step.dst], Math.ceil(step.outputs / 4) * (step.scale * step.up) ** 2);
  }
  return sizes;
}

/** Memory of other results that a layer takes in, pixel by pixel. @param {Step} step */
export function joined(step) {
  return [...step.muls, ...step.inner, ...step.adds];
}

/**
 * What becomes of the sums of a layer, as text of a shader; `act` is its activation.
 * @param {Step} step @param {string} sums @param {(index: number) => string} other reads one of `joined`
 */
export function finished(step, sums, other) {
  const reads = joined(step).map((_, index) => other(index));
  const [muls, inner] = [step.muls.length, step.muls.length + step.inner.length];
  const factors = [sums, ...reads.slice(0, muls)].join(" * ");
  return [`act(${[factors, ...reads.slice(muls, inner)].join(" + ")})`, ...reads.slice(inner)].join(" + ");
}

/** Pixels a ray along each axis of the picture. @param {Program} program */
export function imageScale(program) {
  const last = program.steps[program.steps.length - 1];
  return last.scale * last.up;
}
