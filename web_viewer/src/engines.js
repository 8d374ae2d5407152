// The first engine that this browser runs, and that shows the right picture.

import { compareFrame, demandedDb, referenceSample } from "./reference.js";
import { createWebGL2 } from "./webgl.js";
import { createWebGPU } from "./webgpu.js";

/** @type {Record<string, (scene: Scene, weights: Weights, canvas: HTMLCanvasElement) => Promise<Engine>>} */
const ENGINES = {
  "webgpu-f16": (scene, weights, canvas) => createWebGPU(scene, weights, canvas, true),
  webgpu: (scene, weights, canvas) => createWebGPU(scene, weights, canvas, false),
  webgl2: async (scene, weights, canvas) => createWebGL2(scene, weights, canvas, false),
  half: async (scene, weights, canvas) => createWebGL2(scene, weights, canvas, true),
};

export const ENGINE_NAMES = Object.keys(ENGINES);

/**
 * @typedef {object} Opened
 * @property {Engine} engine
 * @property {string} name of it, among those that were asked for
 * @property {HTMLCanvasElement} canvas
 * @property {string[]} passedOver why those before it were not taken
 */

/**
 * Opens an engine whose first frame is that of the trained network.
 * @param {Scene} scene @param {Weights} weights
 * @param {string[]} names of engines, the best first
 * @param {() => HTMLCanvasElement} newCanvas a canvas keeps the first kind of context that it had
 * @returns {Promise<Opened>}
 */
export async function openEngine(scene, weights, names, newCanvas) {
  const sample = referenceSample(scene);
  /** @type {string[]} */
  const passedOver = [];
  for (const name of names) {
    const canvas = newCanvas();
    try {
      const engine = await ENGINES[name](scene, weights, canvas);
      const { psnr_db } = await compareFrame(scene, engine, sample, 0);
      if (psnr_db >= demandedDb(scene, engine)) return { engine, name, canvas, passedOver };
      engine.dispose();
      throw new Error(`${engine.name} draws a wrong picture (${psnr_db.toFixed(1)} dB)`);
    } catch (error) {
      passedOver.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error([...new Set(passedOver)].join("; "));
}
