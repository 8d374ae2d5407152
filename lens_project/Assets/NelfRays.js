// The rays of a frame as an affine map: the ray of column u, row v starts at the origin and has
// direction d0 + u·du + v·dv, world frame. Pixel centres are at +0.5, rows go down. Which columns
// and rows those are is a placement: position i is first + i·step, kept within low and high.
"use strict";
const math = require("./NelfMath");

const ORIGIN = 0, D0 = 3, DU = 6, DV = 9;

function createRays() {
    return {
        map: new Float64Array(12), // origin, d0, du, dv
        lookAt: new Float64Array(9), // frame of a camera there that looks at the target
        frame: new Float64Array(9), // frame of the camera
        columns: { first: 0, step: 1, low: 0, high: 0 },
        rows: { first: 0, step: 1, low: 0, high: 0 }
    };
}

/** @typedef {ReturnType<typeof createRays>} Rays */
/** @typedef {{first: number, step: number, low: number, high: number}} Placement */
/** @typedef {typeof import("./NelfContract")} Contract */
/** @typedef {{name: string, shape: number[]}} Tensor */
/** @typedef {Omit<Contract["models"][number], "masked"> & {masked: Tensor[]}} ModelSpec */
/** @typedef {{fx: number, fy: number, cx: number, cy: number}} Lens in pixels of the ray grid */

/** Writes the rays of a frame into the model's inputs, by name; each layout has its own.
 * @typedef {(contract: Contract, rays: Rays, inputs: Object<string, Float32Array>,
 *     spec: ModelSpec) => void} FillInputs */

/** Sets the map for the camera `rays.frame` at a distance from the target.
 *
 * Photos were taken at distances of CONTRACT.radius. From elsewhere the camera stands there instead,
 * on the same line, and the part of each direction across that line is scaled: the plane through the
 * target looks as it should. Directions are scaled to reach that plane at the camera's distance, as
 * those of the photos do, whose cameras look at the target.
 *
 * @param {Rays} rays @param {Contract} contract @param {number} distance world units
 * @param {Lens} lens */
function setMap(rays, contract, distance, lens) {
    const map = rays.map, frame = rays.frame, back = rays.lookAt;
    const radius = math.clamp(distance, contract.radius[0], contract.radius[1]);
    const zoom = distance / radius;
    const towards = math.dot(frame, 6, back, 6);
    for (let k = 0; k < 3; k++) {
        map[ORIGIN + k] = contract.target[k] + radius * back[6 + k];
        map[DU + k] = frame[k] / lens.fx;
        map[DV + k] = -frame[3 + k] / lens.fy;
        map[D0 + k] = -frame[6 + k]
            + (0.5 - lens.cx) * map[DU + k] + (0.5 - lens.cy) * map[DV + k];
    }
    for (let vector = D0; vector <= DV; vector += 3) {
        const along = math.dot(map, vector, back, 6) * (1 - zoom);
        math.combine(map, vector, map, vector, zoom * towards, back, 6, along * towards);
    }
}

/** Places columns and rows so that the stretch to the screen cancels. Beyond the picture its border
 * is repeated: no ray leaves what the network was trained on.
 *
 * The output, which may have a border of background, is `shape` pixels of which each ray draws
 * `scale` × `scale`. @param {Rays} rays @param {ModelSpec} spec @param {number} aspect columns to
 * rows of the screen @param {boolean} whole whether all of the picture must be visible */
function placeForScreen(rays, spec, aspect, whole) {
    const shape = spec.output.shape;
    const ratio = aspect * shape[1] * spec.fx / (shape[0] * spec.fy);
    const choose = whole ? Math.max : Math.min;
    place(rays.columns, spec.rayWidth, choose(ratio, 1));
    place(rays.rows, spec.rayHeight, choose(1 / ratio, 1));
}

/** Places columns and rows as in training. @param {Rays} rays @param {ModelSpec} spec */
function placeAsTrained(rays, spec) {
    place(rays.columns, spec.rayWidth, 1);
    place(rays.rows, spec.rayHeight, 1);
}

/** Keeps rays to the picture that photos show, when it is made smaller than they are: its border is
 * repeated there as well. @param {Rays} rays @param {ModelSpec} spec @param {number} zoom how much
 * further away the object is seen than photographed */
function holdWithin(rays, spec, zoom) {
    if (zoom <= 1) {
        return;
    }
    hold(rays.columns, spec.rayWidth, spec.cx - 0.5, zoom);
    hold(rays.rows, spec.rayHeight, spec.cy - 0.5, zoom);
}

/** @param {Placement} placement @param {number} count @param {number} centre @param {number} zoom */
function hold(placement, count, centre, zoom) {
    placement.low = centre - centre / zoom;
    placement.high = centre + (count - 1 - centre) / zoom;
}

/** @param {Placement} placement @param {number} count @param {number} spacing */
function place(placement, count, spacing) {
    placement.first = (count - 1) / 2 * (1 - spacing);
    placement.step = spacing;
    placement.low = 0;
    placement.high = count - 1;
}

module.exports = {
    createRays: createRays,
    holdWithin: holdWithin,
    placeAsTrained: placeAsTrained,
    placeForScreen: placeForScreen,
    setMap: setMap
};
