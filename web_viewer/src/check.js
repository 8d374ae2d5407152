// Whether this device draws what the trained network draws.

import { compareFrame, demandedDb, referenceSample } from "./reference.js";

/**
 * @typedef {object} CheckResult
 * @property {{ psnr_db: number, max_error: number }[]} frames
 * @property {number} worst_psnr_db
 * @property {number} max_error
 * @property {number} demanded_db
 * @property {boolean} passed
 */

/**
 * Replays the reference poses.
 * @param {import("./viewer.js").Viewer} viewer
 * @param {(done: number, all: number) => void} onProgress
 * @returns {Promise<CheckResult>}
 */
export async function runCheck(viewer, onProgress) {
  const { scene } = viewer;
  const engine = viewer.engine();
  const sample = referenceSample(scene);
  const frames = [];
  for (let frame = 0; frame < scene.reference.poses.length; frame++) {
    onProgress(frame, scene.reference.poses.length);
    frames.push(await compareFrame(scene, engine, sample, frame));
  }
  const worst = Math.min(...frames.map((found) => found.psnr_db));
  const demanded = demandedDb(scene, engine);
  return {
    frames,
    worst_psnr_db: worst,
    max_error: Math.max(...frames.map((found) => found.max_error)),
    demanded_db: demanded,
    passed: worst >= demanded,
  };
}
