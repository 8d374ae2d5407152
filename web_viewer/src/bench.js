// What a frame costs on this device, in the file that `mnelf bench import` takes.

import { orbitPose } from "./camera.js";
import { homeView } from "./orbit.js";

/** Milliseconds of rest before, frames that are dropped, frames that are timed. */
const COOL_DOWN_MS = 2000;
const WARM_UP = 20;
const FRAMES = 200;

/** Milliseconds of the run without a pause, and the longest that the timed frames may take. */
const SUSTAINED_MS = 60000;
const LONGEST_MS = 60000;

/** @type {Record<Engine["name"], string>} */
const UNITS = { server: "", "WebGPU, f16": "webgpuF16", WebGPU: "webgpu", WebGL2: "webgl2", "WebGL2, half floats": "webgl2Half" };

/**
 * @param {import("./viewer.js").Viewer} viewer
 * @param {{ engineMs: number, firstFrameMs: number, frames?: number, sustainedMs?: number }} start how long the page
 *   took to start, and frames and milliseconds other than the usual
 * @param {import("./check.js").CheckResult} check
 * @param {(what: string) => void} onProgress
 */
export async function runBench(viewer, start, check, onProgress) {
  const { scene } = viewer;
  const engine = viewer.engine();
  const memory = { before: heap(), peak: 0 };
  engine.setGrid(...scene.grid);
  const home = homeView(scene.orbit);
  let turn = 0;
  const frame = async () => {
    const begun = performance.now();
    const share = (turn++ % 60) / 60;
    const azimuth = scene.orbit.azimuth[0] + share * (scene.orbit.azimuth[1] - scene.orbit.azimuth[0]);
    engine.render(orbitPose(scene.orbit, azimuth, home.elevation, home.radius), scene.lens);
    engine.show();
    await engine.finish();
    memory.peak = Math.max(memory.peak, heap());
    return performance.now() - begun;
  };
  onProgress("cooling down");
  await new Promise((resolve) => setTimeout(resolve, COOL_DOWN_MS));
  onProgress("warming up");
  const wanted = start.frames ?? FRAMES;
  let warmUp = 0;
  for (const end = performance.now() + LONGEST_MS / 4; warmUp < Math.min(WARM_UP, wanted) && performance.now() < end; warmUp++) await frame();
  /** @type {number[]} */
  const times = [];
  for (const end = performance.now() + LONGEST_MS; times.length < wanted && (times.length < 1 || performance.now() < end); ) {
    times.push(await frame());
    if (times.length % 10 === 0) onProgress(`${times.length} of ${wanted} frames`);
  }
  /** @type {number[]} */
  const sustained = [];
  const begun = performance.now();
  const sustainedMs = start.sustainedMs ?? SUSTAINED_MS;
  for (let passed = 0; passed < sustainedMs || sustained.length < 1; passed = performance.now() - begun) {
    sustained.push(await frame());
    onProgress(`without a pause, ${Math.round(passed / 1000)} of ${Math.round(sustainedMs / 1000)} s`);
  }
  const seconds = (performance.now() - begun) / 1000;
  const { p50, p90, p99 } = statistics(sustained);
  return {
    schema: 1,
    device: await device(scene, engine),
    date: new Date().toISOString(),
    bundle: { name: scene.name, weights_sha256: scene.weights_sha256 },
    runs: [
      {
        model: "index.html",
        weights_sha256: scene.artefact_sha256,
        compute_units: UNITS[engine.name],
        cold_load_ms: positive(start.engineMs),
        first_frame_ms: positive(start.firstFrameMs),
        warm_up_frames: warmUp,
        latency_ms: statistics(times),
        sustained: [{ seconds, frames: sustained.length, p50, p90, p99, fps: sustained.length / seconds }],
        ...(memory.before ? { memory: { before: memory.before, after_load: memory.before, peak: Math.max(memory.peak, memory.before) } } : {}),
        self_check: {
          frames: check.frames.length,
          psnr_db: check.frames.map((found) => found.psnr_db),
          worst_psnr_db: check.worst_psnr_db,
          passed: check.passed,
        },
      },
    ],
  };
}

/** Browsers round their clock, some to a whole millisecond. @param {number} ms */
function positive(ms) {
  return Math.max(ms, 0.01);
}

/** @param {number[]} times */
function statistics(times) {
  const sorted = times.map(positive).sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  const mean = sorted.reduce((sum, time) => sum + time, 0) / sorted.length;
  return { count: sorted.length, mean, p50: at(0.5), p90: at(0.9), p99: at(0.99), min: sorted[0], max: sorted[sorted.length - 1] };
}

/** Bytes of this page's objects, where the browser tells; the graphics memory is not among them. */
function heap() {
  const { memory } = /** @type {{ memory?: { usedJSHeapSize: number } }} */ (/** @type {unknown} */ (performance));
  return memory?.usedJSHeapSize ?? 0;
}

/** @param {Scene} scene @param {Engine} engine */
async function device(scene, engine) {
  const agent = navigator.userAgent;
  const { userAgentData } = /** @type {{ userAgentData?: any }} */ (/** @type {unknown} */ (navigator));
  /** @type {Record<string, string>} */
  const told = (await userAgentData?.getHighEntropyValues?.(["model", "platform", "platformVersion"]).catch(() => ({}))) ?? {};
  const system = /\(([^;)]+)[;)]/.exec(agent)?.[1] ?? "unknown";
  return {
    model: told.model || system,
    os: [told.platform || system, told.platformVersion].filter(Boolean).join(" "),
    app_version: scene.version,
    low_power: false,
    adapter: engine.adapter,
    user_agent: agent,
  };
}
