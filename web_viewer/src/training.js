// A training under way: how far it is, its PSNR so far, and its newest picture.

import { part } from "./panel.js";

/** Milliseconds between two looks, and how many times longer than a picture took: rendering costs steps. */
const PAUSE_MS = 1000;
const SHARE = 10;

/** Size of the curve, as its element says. */
const [WIDTH, HEIGHT] = [240, 48];

/** Decibels that the curve spans at least. */
const LEAST_SPAN = 3;

/**
 * @typedef {object} Status
 * @property {string} stage empty before the first step
 * @property {number} step
 * @property {number} steps in all
 * @property {number[]} psnr_db means of equally many steps of the stage, then the last step
 * @property {boolean} runs whether a process works on it
 */

/**
 * Shows the training until it ends.
 * @param {import("./viewer.js").Viewer} viewer
 */
export async function followTraining(viewer) {
  let seen = "";
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(PAUSE_MS, SHARE * viewer.frameMs)));
    if (document.hidden) continue;
    const response = await fetch("status.json").catch(() => null);
    if (!response?.ok) {
      part("stage-of-training").textContent = "The training has ended or was interrupted; mnelf view shows what it wrote.";
      return;
    }
    /** @type {Status} */
    const status = await response.json();
    if (!status.stage) continue;
    const now = `${status.stage} ${status.step} ${status.runs}`;
    if (now === seen) continue;
    seen = now;
    showStatus(status);
    viewer.refresh();
  }
}

/** @param {Status} status */
function showStatus({ stage, step, steps, psnr_db, runs }) {
  const last = psnr_db[psnr_db.length - 1];
  part("stage-of-training").textContent = `${stage}: step ${step.toLocaleString("en")} of ${steps.toLocaleString("en")}, ${last.toFixed(1)} dB${runs ? "" : "; no process trains it now"}`;
  const [low, high] = [Math.min(...psnr_db), Math.max(...psnr_db)];
  const span = Math.max(high - low, LEAST_SPAN);
  // As far across as the stage has come.
  const across = (WIDTH * step) / steps / Math.max(psnr_db.length - 1, 1);
  const points = psnr_db.map((value, index) => `${(index * across).toFixed(1)},${(HEIGHT - 2 - ((value - low) / span) * (HEIGHT - 4)).toFixed(1)}`);
  part("curve").querySelector("polyline")?.setAttribute("points", points.join(" "));
}
