// What WebGPU runs for a frame, as plain data: shaders, sizes, and the memory that each of them takes.

import { imageScale, joined, slotSizes } from "./program.js";
import { PIXELS, THREADS, blockShader, encodeShader, layerShader } from "./wgsl.js";

/** Vectors of channels up to which a residual block runs as one pass. */
const NARROW = 4;

/** Workgroups along an axis that every device allows. */
const MAX_GROUPS = 65535;

/**
 * @typedef {object} Pass
 * @property {string} code of its shader, whose binding 0 are its sizes
 * @property {string[]} buffers bound after the sizes: `columns`, `rows`, `weights`, `biases`, `picture` or a slot
 * @property {(width: number, height: number) => number[]} sizes of a ray grid
 * @property {(width: number, height: number) => [number, number, number]} count of workgroups
 */

/**
 * @typedef {object} Frame
 * @property {Pass[]} passes in their order
 * @property {string} picture buffer that holds the picture at the end, a vector of four floats a pixel
 * @property {(width: number, height: number) => Record<string, number>} bytes of every buffer that depends on the
 *   ray grid
 */

/**
 * @param {Program} program @param {Scene["encoder"]} encoder
 * @param {boolean} f16 multiplies and stores in 16 bits; sums over many channels stay in 32
 * @returns {Frame}
 */
export function framePasses(program, encoder, f16) {
  const phases = 3 * encoder.samples * encoder.frequencies;
  const channels = 3 * encoder.samples * (2 * encoder.frequencies + 1);
  const groups = Math.ceil(channels / 4);
  const numbers = { halves: program.precision === "fp16", f16 };
  const slots = slotSizes(program, channels);
  const picture = f16 ? "picture" : String(program.output);
  /** @type {Pass[]} */
  const passes = [
    {
      code: encodeShader(phases, f16),
      buffers: ["columns", "rows", String(program.input)],
      sizes: (width, height) => [width, height, groups, channels],
      count: (width, height) => spread(Math.ceil((width * height * groups) / THREADS)),
    },
  ];
  for (const steps of together(program)) {
    const [step, last] = [steps[0], steps[steps.length - 1]];
    const ends = last === program.steps[program.steps.length - 1];
    const wide = step === last ? Math.min(8, Math.max(2, nextPower(Math.ceil(step.outputs / 4)))) : 0;
    const tile = wide && (THREADS / wide) * PIXELS;
    const others = step === last ? joined(step) : withoutOne(last.adds, step.src);
    const [groupsIn, groupsOut] = [Math.ceil(step.inputs / 4), Math.ceil(step.outputs / 4)];
    const pixels = (/** @type {number} */ width, /** @type {number} */ height) => width * height * step.scale ** 2;
    passes.push({
      code: wide ? layerShader(step, numbers, wide, ends) : blockShader(step, others.length, numbers, ends),
      buffers: [String(step.src), "weights", "biases", ends ? picture : String(last.dst), ...others.map(String)],
      sizes: (width, height) => [width * step.scale, height * step.scale, groupsIn, groupsOut, step.weights, step.bias, last.weights, last.bias],
      count: (width, height) =>
        wide
          ? [Math.ceil(pixels(width, height) / tile), Math.ceil(groupsOut / wide), step.up ** 2]
          : spread(Math.ceil(pixels(width, height) / THREADS)),
    });
  }
  return {
    passes,
    picture,
    bytes: (width, height) => {
      const rays = width * height;
      const sizes = slots.map((size, slot) => /** @type {[string, number]} */ ([String(slot), (f16 ? 8 : 16) * rays * size]));
      const image = /** @type {[string, number][]} */ (f16 ? [["picture", 16 * rays * imageScale(program) ** 2]] : []);
      return Object.fromEntries([["columns", 4 * channels * width], ["rows", 4 * channels * height], ...sizes, ...image]);
    },
  };
}

/** Steps that run as one: [step] or the two of a narrow residual block. @param {Program} program */
function together(program) {
  const { steps } = program;
  /** @type {Step[][]} */
  const found = [];
  for (let index = 0; index < steps.length; index++) {
    const [first, second] = [steps[index], steps[index + 1]];
    if (second && isBlock(first, second) && !isReadLater(steps, index + 1, first.dst)) {
      found.push([first, second]);
      index++;
    } else {
      found.push([first]);
    }
  }
  return found;
}

/** @param {Step} first @param {Step} second */
function isBlock(first, second) {
  const narrow = Math.ceil(first.inputs / 4) <= NARROW && first.inputs === first.outputs && first.inputs === second.outputs && second.inputs === first.outputs;
  const inside = second.src === first.dst && second.adds.includes(first.src) && joined(first).length + second.muls.length + second.inner.length === 0;
  return narrow && inside && first.up === 1 && second.up === 1 && second.act === "none";
}

/** Whether a step after `index` reads a slot before another writes it. @param {Step[]} steps @param {number} index @param {number} slot */
function isReadLater(steps, index, slot) {
  if (steps[index].dst === slot) return false;
  for (const step of steps.slice(index + 1)) {
    if (step.src === slot || joined(step).includes(slot)) return true;
    if (step.dst === slot) return false;
  }
  return false;
}

/** @param {number[]} list @param {number} value */
function withoutOne(list, value) {
  const at = list.indexOf(value);
  return list.filter((_, index) => index !== at);
}

/** Workgroups in two dimensions. @param {number} count @returns {[number, number, number]} */
function spread(count) {
  const wide = Math.min(count, MAX_GROUPS);
  return [wide, Math.ceil(count / wide), 1];
}

/** @param {number} value */
function nextPower(value) {
  return 2 ** Math.ceil(Math.log2(value));
}
