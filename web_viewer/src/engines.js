// The first engine that this browser runs, and that shows the right picture.

import { compareFrame, demandedDb, referenceSample } from "./reference.js";
import { createWebGL2 } from "./webgl.js";
import { createWebGPU } from "./webgpu.js";

/** @type {Record<string, (scene: Scene, weights: Weights, canvas: HTMLCanvasElement) => Promise<Engine>>} */
const ENGINES = {
  webgpu: (scene, weights, canvas) => createWebGPU(scene, weights, canvas),
  webgl2: async (scene, weights, canvas) => createWebGL2(scene, weights, canvas, false),
  half: async (scene, weights, canvas) => createWebGL2(scene, weights, canvas, true),
};

export const ENGINE_NAMES = Object.keys(ENGINES);

/**
 * Opens an engine whose first frame is that of the trained network.
 * @param {Scene} scene @param {Weights} weights
 * @param {string[]} names of engines, the best first
 * @param {() => HTMLCanvasElement} newCanvas a canvas keeps the first kind of context that it had
 * @returns {Promise<{ engine: Engine, canvas: HTMLCanvasElement, passedOver: string[] }>}
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
      if (psnr_db >= demandedDb(scene, engine)) return { engine, canvas, passedOver };
      engine.dispose();
      throw new Error(`${engine.name} draws a wrong picture (${psnr_db.toFixed(1)} dB)`);
    } catch (error) {
      passedOver.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(passedOver.join("; "));
}
