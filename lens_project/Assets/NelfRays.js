// The rays of a frame as an affine map: the ray of column u, row v starts at the origin and has
// direction d0 + u·du + v·dv, world frame. Pixel centres are at +0.5, rows go down.
"use strict";
const math = require("./NelfMath");

const ORIGIN = 0, D0 = 3, DU = 6, DV = 9;

function createRays() {
    return {
        map: new Float64Array(12), // origin, d0, du, dv
        lookAt: new Float64Array(9), // frame of a camera there that looks at the target
        frame: new Float64Array(9) // frame of the camera
    };
}

/** @typedef {ReturnType<typeof createRays>} Rays */
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

module.exports = { createRays: createRays, setMap: setMap };
