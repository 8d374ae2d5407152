// Pictures that the process rendered which serves this page, such as those of a teacher.

const NOT_READY = 503;

/** @param {Scene} scene @param {HTMLCanvasElement} canvas @returns {Engine} */
export function createRemote(scene, canvas) {
  const draw = canvas.getContext("2d");
  if (!draw) throw new Error("this browser cannot draw");
  /** @type {Promise<void>} */
  let pending = Promise.resolve();

  /** @param {number[]} pose */
  async function fetchFrame(pose) {
    const [width, height] = engine.grid;
    const address = `frame.jpg?width=${width}&height=${height}&pose=${pose.join()}`;
    const ask = () => fetch(address).catch(() => null);
    let response = await ask();
    // A training that does something else than steps has no picture yet.
    while (response?.status === NOT_READY) response = await ask();
    if (!response?.ok) throw new Error(scene.changes ? "the training has ended" : "mnelf view no longer answers; start it again");
    const picture = await createImageBitmap(await response.blob());
    [canvas.width, canvas.height] = [picture.width, picture.height];
    draw?.drawImage(picture, 0, 0);
    picture.close();
  }

  /** @type {Engine} */
  const engine = {
    name: "server",
    adapter: "this page shows pictures of the process that serves it",
    half: false,
    grid: scene.grid,
    setGrid(width, height) {
      engine.grid = [width, height];
    },
    // The server knows the lens, and fits it to the grid.
    render(pose) {
      pending = fetchFrame(pose);
    },
    show() {},
    read: () => Promise.reject(new Error("a picture of the server has no numbers to compare")),
    finish: () => pending,
    dispose() {},
    onLost: () => {},
  };
  return engine;
}
