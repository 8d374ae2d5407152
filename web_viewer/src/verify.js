// For `mnelf bundle` and `mnelf verify`: frames of this page as numbers, without a canvas.

import { renderPose } from "./reference.js";
import { createWebGL2 } from "./webgl.js";
import { createWebGPU } from "./webgpu.js";

/** Bytes that become characters at once; more would not fit a browser's stack. */
const SLICE = 0x8000;

/**
 * Offers `mnelfFrames` to whoever drives the browser.
 * @param {Scene} scene
 * @param {(scene: Scene, onProgress: () => void) => Promise<Weights>} loadWeights
 */
export function serveFrames(scene, loadWeights) {
  /** @type {Engine | null} */
  let engine = null;
  const frames = {
    /** @param {"webgpu-f16" | "webgpu" | "webgl2" | "half"} name @returns {Promise<string>} the adapter */
    async open(name) {
      engine?.dispose();
      const weights = await loadWeights(scene, () => {});
      const canvas = document.createElement("canvas");
      engine = name.startsWith("webgpu")
        ? await createWebGPU(scene, weights, null, name === "webgpu-f16")
        : createWebGL2(scene, weights, canvas, name === "half");
      return engine.adapter;
    },
    /**
     * @param {number[]} pose [3, 4] cam_to_world, row by row @param {Lens} lens
     * @returns {Promise<string>} [height, width, 4] float32 in base64
     */
    async frame(pose, lens) {
      if (!engine) throw new Error("no engine is open");
      const bytes = new Uint8Array((await renderPose(scene, engine, pose, lens)).buffer);
      let text = "";
      for (let start = 0; start < bytes.length; start += SLICE) {
        text += String.fromCharCode(...bytes.subarray(start, start + SLICE));
      }
      return btoa(text);
    },
  };
  Object.assign(window, { mnelfFrames: frames });
}
