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

/** Pixels a ray along each axis of the picture. @param {Program} program */
export function imageScale(program) {
  const last = program.steps[program.steps.length - 1];
  return last.scale * last.up;
}
