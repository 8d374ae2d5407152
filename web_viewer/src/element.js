// For pages of other people: a canvas of theirs, or an element of its own.

import { ENGINE_NAMES, openEngine } from "./engines.js";
import { listen } from "./gestures.js";
import { clamped, homeView, trainedView } from "./orbit.js";
import { keepShown } from "./stage.js";
import { createViewer } from "./viewer.js";
import { decodeBase64, fetchBytes, splitWeights } from "./weights.js";

/** Of scenes that this script reads. */
const SCHEMA = 2;

const NAME = "mnelf-view";

/** Milliseconds a frame above which the object does not turn by itself. */
const SLOW_MS = 100;

const STYLE = `
:host { display: inline-block; position: relative; overflow: hidden; width: 300px; height: 300px; }
:host([hidden]) { display: none; }
#stage { position: absolute; inset: 0; touch-action: none; cursor: grab; user-select: none; -webkit-user-select: none; outline: none; }
#stage:active { cursor: grabbing; }
#stage:focus-visible { box-shadow: inset 0 0 0 3px #3b82f6; }
canvas, img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
p { position: absolute; inset: auto 8px 8px; margin: 0; padding: 4px 10px; border-radius: 8px; background: #fff; color: #1a1a1a; font: 14px/1.4 system-ui, sans-serif; }
p:empty { display: none; }
`;

/** Scene, weights and poster in a page. */
const PARTS = [
  /<script type="application\/json" id="scene">([^<]*)</,
  /<script type="application\/octet-stream" id="weights">([^<]*)</,
  /<img id="poster" src="([^"]*)"/,
];

/**
 * @typedef {object} LightField
 * @property {Scene} scene
 * @property {Weights} weights
 * @property {string} poster data address of a picture made in advance
 */

/** @typedef {(done: number, all: number) => void} Progress in bytes; all is 0 where the server does not tell */

/**
 * What a page of `mnelf bundle --target web` holds; its script does not run.
 * @param {string | URL} src address of its index.html
 * @param {Progress} [onProgress]
 * @returns {Promise<LightField>}
 */
async function loadPage(src, onProgress = () => {}) {
  const address = new URL(src, document.baseURI);
  const text = new TextDecoder().decode(await fetchBytes(address.href, onProgress));
  // As text: a document would apply its styles, which the policy of the page around may forbid.
  const [data, inside, poster] = PARTS.map((part) => part.exec(text)?.[1]);
  if (!data || inside == null) throw new Error(`${address.href} is not a light field; expected the index.html of a bundle for the target web`);
  /** @type {Scene} */
  const scene = JSON.parse(data);
  if (scene.live) throw new Error(`${address.href} asks a server for its pictures; expected the index.html of a bundle`);
  if (scene.schema !== SCHEMA) {
    throw new Error(`${address.href} was written by ${scene.version}, another version than this script; load the ${NAME}.js beside it`);
  }
  const bytes = scene.weights_url
    ? await fetchBytes(new URL(scene.weights_url, address).href, onProgress)
    : await decodeBase64(inside.trim(), () => {});
  return { scene, weights: splitWeights(scene.program, bytes), poster: poster ?? "" };
}

/** @param {string | null | undefined} wanted */
function engineNames(wanted) {
  return wanted && ENGINE_NAMES.includes(wanted) ? [wanted] : ENGINE_NAMES;
}

/**
 * Draws a light field into a canvas.
 *
 * The canvas gets the size of the picture; its size on the page is up to its style. Engines draw into canvases of
 * their own, since a canvas that once was WebGPU's can never be WebGL's.
 * @param {HTMLCanvasElement} canvas without a context, or with a 2D one
 * @param {string | URL} weights address of the index.html of a bundle
 * @param {{ engine?: string, onProgress?: Progress, onError?: (error: Error) => void }} [options] `onError` hears
 *   when a device that was lost does not come back
 */
export async function create(canvas, weights, options = {}) {
  const draw = canvas.getContext("2d");
  if (!draw) throw new Error("the canvas has a context of another kind; give one without");
  const field = await loadPage(weights, options.onProgress);
  const { scene } = field;
  const viewer = createViewer(scene);

  /** @param {string[]} names */
  async function open(names) {
    const found = await openEngine(scene, field.weights, names, () => document.createElement("canvas"));
    const { engine, canvas: source } = found;
    const show = engine.show;
    const { width, height } = source;
    engine.show = () => {
      show();
      // In the same breath: what WebGPU drew is gone once the browser continues.
      [canvas.width, canvas.height] = [width, height];
      const { zoom } = viewer.shown;
      draw?.drawImage(source, ((1 - zoom) * width) / 2, ((1 - zoom) * height) / 2, zoom * width, zoom * height);
    };
    return found;
  }

  await keepShown(viewer, engineNames(options.engine), {
    open,
    onShown: () => {},
    onFail: (error) => options.onError?.(error instanceof Error ? error : new Error(String(error))),
  });
  return {
    scene,
    /** Name of the engine that runs. */
    engine: () => viewer.engine().name,
    /** What is drawn: the nearest to what was asked for that the network knows. */
    view: () => ({ ...viewer.shown }),
    /** Degrees, world units and enlargement; what is left out stays. @param {Partial<View>} view */
    setCamera(view) {
      viewer.setView(trainedView(scene.orbit, { ...viewer.view, ...view }));
    },
    /** Resolves when the canvas shows the camera, with all rays. */
    render: () => viewer.settled(),
    /** Gives the graphics memory back; the canvas keeps its picture. */
    dispose: () => viewer.close(),
  };
}

/**
 * `<mnelf-view src="…/index.html">`: turns by touch, mouse, wheel and keys, like the page.
 *
 * Attributes: `src`; `engine` as in the page's address; `noanim`; `azimuth`, `elevation`, `radius` and `zoom`, where
 * it opens; `title`, what it shows. Events: `ready`, `view` with the view as `detail`, `error` with the reason.
 */
class MnelfView extends HTMLElement {
  static get observedAttributes() {
    return ["src"];
  }

  constructor() {
    super();
    /** @type {import("./viewer.js").Viewer | null} */
    this.viewer = null;
    /** @type {import("./gestures.js").Gestures | null} */
    this.gestures = null;
    this.root = this.attachShadow({ mode: "open" });
    // A page's content policy may forbid style elements; this is none.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    this.root.adoptedStyleSheets = [sheet];
    this.starts = 0;
  }

  connectedCallback() {
    this.start();
  }

  disconnectedCallback() {
    this.stop();
  }

  attributeChangedCallback() {
    if (this.isConnected) this.start();
  }

  /** Where the camera is; null before the first picture. */
  get view() {
    return this.viewer && { ...this.viewer.view };
  }

  /** Degrees, world units and enlargement; what is left out stays. @param {Partial<View>} view */
  setView(view) {
    const { viewer } = this;
    if (!viewer) return;
    this.gestures?.turn(false);
    viewer.setView(trainedView(viewer.scene.orbit, { ...viewer.view, ...view }));
  }

  reset() {
    this.gestures?.reset();
  }

  /** Turns by itself, or no longer. @param {boolean} on */
  turn(on) {
    this.gestures?.turn(on);
  }

  stop() {
    this.starts++;
    this.viewer?.close();
    this.viewer = null;
    this.gestures = null;
    this.root.replaceChildren();
  }

  start() {
    this.stop();
    const src = this.getAttribute("src");
    if (!src) return;
    const told = document.createElement("p");
    told.setAttribute("role", "status");
    const stage = document.createElement("div");
    stage.id = "stage";
    stage.tabIndex = 0;
    stage.setAttribute("role", "application");
    this.root.append(stage, told);
    const fail = (/** @type {unknown} */ error) => {
      const reason = error instanceof Error ? error.message : String(error);
      for (const canvas of stage.querySelectorAll("canvas")) canvas.remove();
      told.textContent = reason;
      this.tell("error", reason);
    };
    this.show(src, stage, told, fail).catch(fail);
  }

  /** @param {string} src @param {HTMLElement} stage @param {HTMLElement} told @param {(error: unknown) => void} fail */
  async show(src, stage, told, fail) {
    const started = this.starts;
    const { scene, weights, poster } = await loadPage(src, (done, all) => {
      told.textContent = `Loading: ${(done / 1e6).toFixed(1)}${all ? ` of ${(all / 1e6).toFixed(1)}` : ""} MB`;
    });
    // Meanwhile another light field may be wanted, or none.
    if (started !== this.starts) return;
    const picture = document.createElement("img");
    picture.src = poster;
    picture.alt = this.title || scene.name;
    picture.draggable = false;
    stage.append(picture);
    stage.setAttribute(
      "aria-label",
      `${this.title || scene.name}: a view that can be turned. Drag or use the arrow keys to turn it, scroll, pinch or press plus and minus to zoom, press 0 to reset.`,
    );
    told.textContent = "";
    const viewer = createViewer(scene);
    this.viewer = viewer;
    const wanted = Object.entries(homeView(scene.orbit)).map(([name, usual]) => {
      const value = parseFloat(this.getAttribute(name) ?? "");
      return [name, Number.isFinite(value) ? clamped(value, [-1e6, 1e6]) : usual];
    });
    viewer.setView(trainedView(scene.orbit, Object.fromEntries(wanted)));
    const newCanvas = () => {
      const canvas = document.createElement("canvas");
      canvas.setAttribute("aria-hidden", "true");
      return canvas;
    };
    await keepShown(viewer, engineNames(this.getAttribute("engine")), {
      open: (names) => openEngine(scene, weights, names, newCanvas),
      onShown: (_, canvas) => {
        stage.replaceChildren(canvas);
      },
      onFail: (error) => {
        stage.replaceChildren(picture);
        fail(error);
      },
    });
    this.gestures = listen(stage, viewer, () => {});
    if (!this.hasAttribute("noanim") && viewer.frameMs < SLOW_MS) this.gestures.turn(true);
    viewer.onFrame(() => this.tell("view", viewer.view));
    this.tell("ready", scene.name);
  }

  /** @param {string} event @param {unknown} detail */
  tell(event, detail) {
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }
}

if (!customElements.get(NAME)) customElements.define(NAME, MnelfView);
