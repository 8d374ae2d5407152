// Fingers, mouse, wheel and keys turn the object.

import { clamped, homeView, isFullTurn, trainedView, zoomed } from "./orbit.js";

/** Degrees for a drag across the whole stage. */
const DEGREES_A_STAGE = 180;

/** Share of the speed that is left after a second of turning by itself. */
const LEFT_AFTER_A_SECOND = 0.02;

/** Milliseconds between two taps that count as one double tap, and pixels between them. */
const DOUBLE_TAP_MS = 300;
const DOUBLE_TAP_PX = 30;

/** Degrees a second of the turn by itself. */
const TURN = 18;

const KEY_STEP = 6;

/**
 * @typedef {object} Gestures
 * @property {() => void} reset
 * @property {(on: boolean) => void} turn turns the object until somebody touches it, or stops it, a flick included
 * @property {() => boolean} turning
 */

/**
 * @param {HTMLElement} stage @param {import("./viewer.js").Viewer} viewer
 * @param {() => void} onTouch when somebody took over
 * @returns {Gestures}
 */
export function listen(stage, viewer, onTouch) {
  const { orbit } = viewer.scene;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  /** @type {Map<number, { x: number, y: number }>} */
  const fingers = new Map();
  let speed = { azimuth: 0, elevation: 0 };
  let lastMove = 0;
  let lastTap = { time: 0, x: 0, y: 0 };
  let travelled = 0;
  let turning = false;
  let direction = 1;
  let running = 0;
  let lastStep = 0;

  function touched() {
    turning = false;
    onTouch();
  }

  /** @param {number} azimuth @param {number} elevation */
  function move(azimuth, elevation) {
    const { view } = viewer;
    viewer.setView({ azimuth: view.azimuth + azimuth, elevation: view.elevation + elevation });
  }

  function span() {
    const [a, b] = [...fingers.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    speed = { azimuth: 0, elevation: 0 };
    travelled = 0;
    touched();
  });

  stage.addEventListener("pointermove", (event) => {
    const finger = fingers.get(event.pointerId);
    if (!finger) return;
    const before = fingers.size === 2 ? span() : 0;
    const [dx, dy] = [event.clientX - finger.x, event.clientY - finger.y];
    finger.x = event.clientX;
    finger.y = event.clientY;
    travelled += Math.hypot(dx, dy);
    if (fingers.size === 2) {
      if (before > 0 && span() > 0) viewer.setView(zoomed(orbit, viewer.view, span() / before));
    } else if (fingers.size === 1) {
      const degrees = DEGREES_A_STAGE / Math.min(stage.clientWidth, stage.clientHeight) / viewer.view.zoom;
      const [azimuth, elevation] = [-dx * degrees, dy * degrees];
      move(azimuth, elevation);
      const seconds = Math.max(0.004, (event.timeStamp - lastMove) / 1000);
      // Halfway towards the latest, since single events come unevenly.
      speed.azimuth += 0.5 * (azimuth / seconds - speed.azimuth);
      speed.elevation += 0.5 * (elevation / seconds - speed.elevation);
    }
    lastMove = event.timeStamp;
  });

  /** @param {PointerEvent} event */
  function lifted(event) {
    if (!fingers.delete(event.pointerId) || fingers.size) return;
    const rested = event.timeStamp - lastMove > 80;
    if (rested || calm.matches || travelled < 4) speed = { azimuth: 0, elevation: 0 };
    if (travelled < 4) tapped(event);
    animate();
  }
  stage.addEventListener("pointerup", lifted);
  stage.addEventListener("pointercancel", lifted);

  /** @param {PointerEvent} event */
  function tapped(event) {
    const near = Math.hypot(event.clientX - lastTap.x, event.clientY - lastTap.y) < DOUBLE_TAP_PX;
    if (near && event.timeStamp - lastTap.time < DOUBLE_TAP_MS) reset();
    lastTap = { time: event.timeStamp, x: event.clientX, y: event.clientY };
  }

  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1);
      touched();
      viewer.setView(zoomed(orbit, viewer.view, Math.exp(-clamped(pixels, [-400, 400]) / 500)));
    },
    { passive: false },
  );

  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => move(KEY_STEP, 0),
      ArrowRight: () => move(-KEY_STEP, 0),
      ArrowUp: () => move(0, KEY_STEP),
      ArrowDown: () => move(0, -KEY_STEP),
      "+": () => viewer.setView(zoomed(orbit, viewer.view, 1.1)),
      "=": () => viewer.setView(zoomed(orbit, viewer.view, 1.1)),
      "-": () => viewer.setView(zoomed(orbit, viewer.view, 1 / 1.1)),
      0: reset,
      Home: reset,
    };
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    touched();
    action();
    animate();
  });

  function reset() {
    speed = { azimuth: 0, elevation: 0 };
    viewer.setView(homeView(orbit));
  }

  function animate() {
    if (running) return;
    lastStep = performance.now();
    running = requestAnimationFrame(step);
  }

  /** What moves by itself: the turn, what a flick left, and the way back from beyond a limit. */
  function step() {
    running = 0;
    const now = performance.now();
    const seconds = Math.min(0.1, (now - lastStep) / 1000);
    lastStep = now;
    if (fingers.size) return;
    if (turning) {
      move(direction * TURN * seconds, 0);
      if (!isFullTurn(orbit)) {
        const [low, high] = orbit.azimuth;
        if (viewer.view.azimuth >= high) direction = -1;
        if (viewer.view.azimuth <= low) direction = 1;
        viewer.setView({ azimuth: clamped(viewer.view.azimuth, orbit.azimuth) });
      }
    } else {
      const left = LEFT_AFTER_A_SECOND ** seconds;
      speed = { azimuth: speed.azimuth * left, elevation: speed.elevation * left };
      if (Math.hypot(speed.azimuth, speed.elevation) > 1) move(speed.azimuth * seconds, speed.elevation * seconds);
      else speed = { azimuth: 0, elevation: 0 };
      springBack(calm.matches ? 1 : 1 - 0.0001 ** seconds);
    }
    const { view } = viewer;
    const trained = trainedView(orbit, view);
    const outside = view.elevation !== trained.elevation || (!isFullTurn(orbit) && view.azimuth !== trained.azimuth);
    if (turning || speed.azimuth || speed.elevation || outside) running = requestAnimationFrame(step);
  }

  /** @param {number} share of the way back */
  function springBack(share) {
    const { view } = viewer;
    const trained = trainedView(orbit, view);
    const elevation = view.elevation + share * (trained.elevation - view.elevation);
    const azimuth = isFullTurn(orbit) ? view.azimuth : view.azimuth + share * (trained.azimuth - view.azimuth);
    if (elevation === view.elevation && azimuth === view.azimuth) return;
    const close = Math.abs(elevation - trained.elevation) < 0.05 && (isFullTurn(orbit) || Math.abs(azimuth - trained.azimuth) < 0.05);
    viewer.setView(close ? { elevation: trained.elevation, azimuth: trained.azimuth } : { elevation, azimuth });
  }

  return {
    reset,
    turn(on) {
      speed = { azimuth: 0, elevation: 0 };
      turning = on && !calm.matches;
      if (turning) animate();
    },
    turning: () => turning,
  };
}
