// The page: loads the weights, opens an engine, listens to people and to the page around it.

import { runBench } from "./bench.js";
import { runCheck } from "./check.js";
import { ENGINE_NAMES, openEngine } from "./engines.js";
import { listen } from "./gestures.js";
import { offer, part, say, showBench, showCheck, showFacts } from "./panel.js";
import { serveFrames } from "./verify.js";
import { createRemote } from "./remote.js";
import { keepShown } from "./stage.js";
import { followTraining } from "./training.js";
import { createViewer } from "./viewer.js";
import { decodeBase64, fetchBytes, splitWeights } from "./weights.js";

const options = new URLSearchParams(location.search);

/** What the page holds as JSON. @param {string} name */
function data(name) {
  return JSON.parse(part(name).textContent ?? "");
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}

/** @param {Scene} scene @param {(done: number, all: number) => void} onProgress in bytes */
async function loadWeights(scene, onProgress) {
  const bytes = scene.weights_url
    ? await fetchBytes(scene.weights_url, onProgress)
    : await decodeBase64((part("weights").textContent ?? "").trim(), onProgress);
  return splitWeights(scene.program, bytes);
}

async function main() {
  /** @type {Scene} */
  const scene = data("scene");
  const begun = performance.now();
  document.documentElement.classList.toggle("noui", options.has("noui"));
  const background = options.get("background");
  if (background && CSS.supports("color", background)) document.documentElement.style.background = background;
  const bar = /** @type {HTMLProgressElement} */ (part("progress"));
  const progress = (/** @type {number} */ done, /** @type {number} */ all) => {
    bar.max = all || 1;
    bar.value = all ? done : 0;
    say(`Loading weights: ${megabytes(done)}${all ? ` of ${megabytes(all)}` : ""}`);
  };
  document.documentElement.classList.toggle("live", scene.live);
  const weights = scene.live ? null : await loadWeights(scene, progress);
  const size = weights ? weights.weights.byteLength + weights.biases.byteLength : 0;
  say("Starting the graphics engine");

  const stage = part("stage");
  const newCanvas = () => {
    const canvas = document.createElement("canvas");
    canvas.setAttribute("aria-hidden", "true");
    return canvas;
  };
  const viewer = createViewer(scene);
  const wanted = options.get("engine") ?? "";
  const names = ENGINE_NAMES.includes(wanted) ? [wanted] : ENGINE_NAMES;
  const start = { engineMs: 0, firstFrameMs: 0 };

  function openServer() {
    const canvas = newCanvas();
    return { engine: createRemote(scene, canvas), name: "server", canvas, passedOver: [] };
  }

  async function open(/** @type {string[]} */ names) {
    const opening = performance.now();
    const found = weights ? await openEngine(scene, weights, names, newCanvas) : openServer();
    start.engineMs = performance.now() - opening;
    return found;
  }

  /** @param {Engine} engine @param {HTMLCanvasElement} canvas */
  function onShown(engine, canvas) {
    for (const old of stage.querySelectorAll("canvas")) old.remove();
    stage.append(canvas);
    document.documentElement.classList.add("ready");
    describe(engine);
  }

  /** @param {Engine} engine */
  function describe(engine) {
    const [width, height] = scene.grid.map((side) => side * (stage.querySelector("canvas")?.width ?? side) / engine.grid[0]);
    if (scene.live) {
      showFacts({ picture: scene.grid.join("×"), engine: engine.adapter, frame: `${viewer.frameMs.toFixed(0)} ms`, made: scene.version });
      return;
    }
    showFacts({
      picture: `${Math.round(width)}×${Math.round(height)} pixels, ${scene.gflop.toFixed(2)} GFLOP a frame`,
      weights: `${megabytes(size)}, ${scene.program.precision}`,
      engine: engine.name,
      adapter: engine.adapter,
      frame: viewer.frameMs ? `${viewer.frameMs.toFixed(1)} ms` : "not measured yet",
      made: scene.version,
    });
  }

  if (scene.changes) followTraining(viewer);
  await keepShown(viewer, names, { open, onShown, onFail: fail });
  start.firstFrameMs = performance.now() - begun;
  if (!document.documentElement.classList.contains("failed")) say("");

  const gestures = listen(stage, viewer, () => {
    part("turn").setAttribute("aria-pressed", "false");
  });
  const fromOptions = ["azimuth", "elevation", "radius", "zoom"].filter((name) => Number.isFinite(parseFloat(options.get(name) ?? "")));
  if (fromOptions.length) viewer.setView(Object.fromEntries(fromOptions.map((name) => [name, parseFloat(options.get(name) ?? "")])));
  const turns = !options.has("noanim") && !fromOptions.length && viewer.frameMs < 100;
  const turn = (/** @type {boolean} */ on) => {
    gestures.turn(on);
    part("turn").setAttribute("aria-pressed", String(gestures.turning()));
  };
  if (turns && !options.has("check") && !options.has("bench")) turn(true);

  part("reset").addEventListener("click", () => gestures.reset());
  part("turn").addEventListener("click", () => turn(!gestures.turning()));
  const full = part("full");
  full.hidden = !document.fullscreenEnabled;
  full.addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen().catch(() => say("This browser does not allow full screen here."));
  });
  const panel = /** @type {HTMLDialogElement} */ (part("panel"));
  part("info").addEventListener("click", () => {
    describe(viewer.engine());
    panel.showModal();
  });
  part("close").addEventListener("click", () => panel.close());
  stage.addEventListener("keydown", (event) => {
    if (event.key === "f") full.click();
    if (event.key === "i") part("info").click();
    if (event.key === " ") turn(!gestures.turning());
  });

  /** Runs something that has the engine to itself. @param {() => Promise<void>} work */
  async function alone(work) {
    const buttons = /** @type {HTMLButtonElement[]} */ ([part("check"), part("bench")]);
    turn(false);
    await viewer.settled();
    viewer.paused = true;
    for (const button of buttons) button.disabled = true;
    try {
      await work();
    } catch (error) {
      say(`Failed: ${error instanceof Error ? error.message : error}`);
    }
    for (const button of buttons) button.disabled = false;
    viewer.paused = false;
    viewer.setView({});
  }
  const identity = () => ({ name: scene.name, engine: viewer.engine().name, adapter: viewer.engine().adapter, weights_sha256: scene.weights_sha256 });
  const check = () =>
    alone(async () => {
      const result = await runCheck(viewer, (done, all) => say(`Checking frame ${done + 1} of ${all}`));
      showCheck(result);
      offer(`${scene.name}-check.json`, { ...identity(), user_agent: navigator.userAgent, ...result });
      say("");
      results.check = result;
    });
  const bench = () =>
    alone(async () => {
      const checked = await runCheck(viewer, (done, all) => say(`Checking frame ${done + 1} of ${all}`));
      const [seconds, frames] = ["sustained", "frames"].map((name) => parseFloat(options.get(name) ?? ""));
      const timing = { ...start, ...(seconds > 0 ? { sustainedMs: 1000 * seconds } : {}), ...(frames > 0 ? { frames } : {}) };
      const result = await runBench(viewer, timing, checked, (what) => say(`Measuring: ${what}`));
      showBench(result);
      offer(`${scene.name}-bench.json`, result);
      say("");
      results.bench = result;
    });
  part("check").addEventListener("click", check);
  part("bench").addEventListener("click", bench);

  addEventListener("message", (event) => {
    if (event.source !== parent || parent === window || !event.data?.mnelf) return;
    // Of a number or a text, all of these are undefined.
    const { azimuth, elevation, radius, zoom, reset, turn: turned } = event.data.mnelf;
    const numbers = Object.entries({ azimuth, elevation, radius, zoom }).filter(([, value]) => Number.isFinite(value));
    if (reset) gestures.reset();
    if (numbers.length) viewer.setView(Object.fromEntries(numbers));
    if (typeof turned === "boolean") turn(turned);
    else if (numbers.length || reset) turn(false);
  });
  viewer.onFrame(() => {
    if (parent !== window) parent.postMessage({ mnelf: { event: "view", ...viewer.view } }, "*");
  });
  if (parent !== window) parent.postMessage({ mnelf: { event: "ready", name: scene.name } }, "*");

  /** @type {{ check?: object, bench?: object }} */
  const results = {};
  Object.assign(window, { mnelf: { scene, viewer, weights, results, start } });
  if (options.has("check") || options.has("bench")) {
    panel.showModal();
    describe(viewer.engine());
    await (options.has("bench") ? bench() : check());
  }
}

/** Says what is missing, over the reference frame or the last picture of a server. @param {unknown} error */
function fail(error) {
  const reason = error instanceof Error ? error.message : String(error);
  const { classList } = document.documentElement;
  if (classList.contains("live") && classList.contains("ready")) {
    say(`This is the last picture: ${reason}.`);
    return;
  }
  classList.add("failed");
  say(`This device cannot compute the picture: ${reason}. What you see is a picture made in advance.`);
  if (parent !== window) parent.postMessage({ mnelf: { event: "error", reason } }, "*");
}

// A page that is opened to be verified shows nothing by itself.
if (options.has("verify")) serveFrames(data("scene"), loadWeights);
else main().catch(fail);
