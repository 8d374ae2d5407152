// Keeps a picture on the screen: the best engine that works, and another one when that is lost.

/** Losses of engines after which a device is given up. */
const MAX_LOSSES = 4;

/**
 * @typedef {object} Hooks
 * @property {(names: string[]) => Promise<import("./engines.js").Opened>} open
 * @property {(engine: Engine, canvas: HTMLCanvasElement) => void} onShown once an engine drew its first picture
 * @property {(error: unknown) => void} onFail when no engine is left after a loss
 */

/**
 * Resolves with the first picture.
 * @param {import("./viewer.js").Viewer} viewer
 * @param {string[]} names of engines, the best first
 * @param {Hooks} hooks
 */
export async function keepShown(viewer, names, hooks) {
  let left = names;
  let losses = 0;

  async function openBest() {
    const { engine, name, canvas, passedOver } = await hooks.open(left);
    for (const reason of passedOver) console.info(`mnelf: ${reason}`);
    let lost = false;
    engine.onLost = (reason) => {
      lost = true;
      // A wrong promise of a driver would end in a circle: once more, then the next engine.
      console.warn(`mnelf: ${engine.name}: ${reason}`);
      engine.onLost = () => {};
      losses++;
      const next = left.slice(left.indexOf(name) + 1);
      if (losses > 1 && next.length) left = next;
      if (losses > MAX_LOSSES) hooks.onFail(new Error(reason));
      else openBest().catch(hooks.onFail);
    };
    viewer.use(engine, canvas);
    viewer.setView({});
    await viewer.settled();
    // One that was lost meanwhile has a successor, or there is none left and nothing new to show.
    if (!lost && viewer.engine() === engine) hooks.onShown(engine, canvas);
  }

  await openBest();
}
