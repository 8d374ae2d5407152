// What the trained network renders, as the bundle brings it: a sample of the pixels of some frames.

/** Stands for the PSNR of identical frames in JSON, which has no infinity. */
const IDENTICAL_DB = 999;

/**
 * Sampled values in [0, 1], [frames][pixels][channels].
 * @param {Scene} scene
 */
export function referenceSample(scene) {
  const bytes = Uint8Array.from(atob(scene.reference.sample), (letter) => letter.charCodeAt(0));
  return Float64Array.from(new Uint16Array(bytes.buffer), (value) => value / 65535);
}

/**
 * Renders a reference pose and compares it.
 * @param {Scene} scene @param {Engine} engine on the whole ray grid @param {Float64Array} sample
 * @param {number} frame
 */
export async function compareFrame(scene, engine, sample, frame) {
  const pixels = await renderPose(scene, engine, scene.reference.poses[frame], scene.lens);
  const { channels } = scene;
  const count = scene.reference.pixels;
  const whole = pixels.length / 4;
  let squares = 0;
  let largest = 0;
  for (let index = 0; index < count; index++) {
    const at = count > 1 ? Math.floor((index * (whole - 1)) / (count - 1)) : 0;
    for (let channel = 0; channel < channels; channel++) {
      const wanted = sample[(frame * count + index) * channels + channel];
      const error = Math.abs(pixels[4 * at + channel] - wanted);
      squares += error * error;
      // NaN is neither larger nor smaller.
      if (!(error <= largest)) largest = error;
    }
  }
  const mean = squares / (count * channels);
  const psnr = mean === 0 ? IDENTICAL_DB : Number.isFinite(mean) ? -10 * Math.log10(mean) : -IDENTICAL_DB;
  return { psnr_db: psnr, max_error: Number.isFinite(largest) ? largest : IDENTICAL_DB };
}

/**
 * [height, width, 4] of a pose.
 * @param {Scene} scene @param {Engine} engine @param {number[]} pose @param {Lens} lens on any grid
 */
export async function renderPose(scene, engine, pose, lens) {
  engine.setGrid(...scene.grid);
  engine.render(pose, lens);
  return engine.read();
}

/** What a frame must reach on an engine. @param {Scene} scene @param {Engine} engine */
export function demandedDb(scene, engine) {
  return engine.half ? scene.half_min_psnr_db : scene.min_psnr_db;
}
