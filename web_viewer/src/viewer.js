// Shows a light field: renders when the view changed, one frame at a time, and never faster than it can.

import { orbitPose } from "./camera.js";
import { beyond, homeView, trainedView } from "./orbit.js";

/** Milliseconds that a frame may take while the view moves, before rays are left out. */
const SMOOTH_MS = 33;

/** Smallest share of the rays along an axis while the view moves. */
const COARSEST = 0.4;

/** Milliseconds without a move until the picture is drawn with all rays. */
const REST_MS = 150;

/** Pixels that the picture shifts for a degree beyond a limit. */
const SHIFT = 1.5;

/**
 * @typedef {object} Viewer
 * @property {View} view as asked for; what is shown is the nearest that was trained
 * @property {View} shown of the last frame
 * @property {Scene} scene
 * @property {number} frameMs of the last frame; 0 before
 * @property {number} frames drawn so far
 * @property {boolean} paused while something else uses the engine
 * @property {(engine: Engine, canvas: HTMLCanvasElement) => void} use
 * @property {() => Engine} engine
 * @property {(view: Partial<View>) => void} setView
 * @property {() => void} refresh draws the same view again
 * @property {() => Promise<void>} settled resolves when the picture is that of the view, with all rays
 * @property {(listener: () => void) => void} onFrame
 * @property {() => void} close gives back what the engine holds; nothing is drawn any more
 */

/** @param {Scene} scene @returns {Viewer} */
export function createViewer(scene) {
  /** @type {Engine | null} */
  let engine = null;
  /** @type {HTMLCanvasElement | null} */
  let canvas = null;
  /** @type {(() => void)[]} */
  const listeners = [];
  /** @type {(() => void)[]} */
  let waiting = [];
  let dirty = false;
  let coarse = false;
  let busy = false;
  let coarseness = 1;
  let lastMove = 0;
  let requested = 0;
  let closed = false;

  function request() {
    if (!requested) requested = requestAnimationFrame(tick);
  }

  /** @param {boolean} whole */
  function gridOf(whole) {
    const share = whole ? 1 : coarseness;
    return /** @type {[number, number]} */ (scene.grid.map((side) => Math.max(4, Math.round(side * share))));
  }

  async function tick() {
    requested = 0;
    if (busy || closed || viewer.paused || !engine || !canvas || document.hidden) return;
    const resting = performance.now() - lastMove > REST_MS;
    if (!dirty && !(coarse && resting)) {
      if (coarse) request();
      else settle();
      return;
    }
    busy = true;
    dirty = false;
    const used = engine;
    const [width, height] = gridOf(resting || coarseness === 1);
    coarse = width !== scene.grid[0];
    try {
      const started = performance.now();
      if (used.grid[0] !== width || used.grid[1] !== height) used.setGrid(width, height);
      const shown = trainedView(scene.orbit, viewer.view);
      viewer.shown = shown;
      used.render(orbitPose(scene.orbit, shown.azimuth, shown.elevation, shown.radius), scene.lens);
      used.show();
      const [across, up] = beyond(scene.orbit, viewer.view);
      canvas.style.transform = `translate(${-SHIFT * across}px, ${SHIFT * up}px) scale(${shown.zoom})`;
      await used.finish();
      if (used === engine) {
        viewer.frameMs = performance.now() - started;
        viewer.frames++;
        adapt(width);
        for (const listener of listeners) listener();
      }
    } catch (error) {
      if (used === engine) used.onLost(error instanceof Error ? error.message : String(error));
    }
    busy = false;
    request();
  }

  /** @param {number} width of the grid of the frame that was just timed */
  function adapt(width) {
    const share = width / scene.grid[0];
    if (share !== 1 || viewer.frames < 3) return;
    // The time goes with the number of rays, which is the square of their share along an axis.
    const wanted = Math.min(1, Math.max(COARSEST, Math.sqrt(SMOOTH_MS / viewer.frameMs)));
    // Chosen once, since every grid has memory of its own; small gains are not worth a softer picture.
    if (coarseness === 1 && wanted < 0.9) coarseness = wanted;
  }

  function settle() {
    for (const resolve of waiting) resolve();
    waiting = [];
  }

  document.addEventListener("visibilitychange", request);

  /** @type {Viewer} */
  const viewer = {
    view: homeView(scene.orbit),
    shown: homeView(scene.orbit),
    scene,
    frameMs: 0,
    frames: 0,
    paused: false,
    use(nextEngine, nextCanvas) {
      if (closed) {
        nextEngine.dispose();
        return;
      }
      engine = nextEngine;
      canvas = nextCanvas;
      dirty = true;
      busy = false;
      request();
    },
    engine() {
      if (!engine) throw new Error("no engine runs yet");
      return engine;
    },
    setView(view) {
      viewer.view = { ...viewer.view, ...view };
      lastMove = performance.now();
      dirty = true;
      request();
    },
    refresh() {
      dirty = true;
      request();
    },
    settled() {
      return new Promise((resolve) => {
        waiting.push(resolve);
        request();
      });
    },
    onFrame(listener) {
      listeners.push(listener);
    },
    close() {
      closed = true;
      document.removeEventListener("visibilitychange", request);
      if (!engine) return;
      engine.onLost = () => {};
      engine.dispose();
    },
  };
  return viewer;
}
