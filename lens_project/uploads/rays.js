// Layout `rays`: origin and unnormalised direction of each ray; the model samples and encodes them.
"use strict";
const clamp = require("./NelfMath").clamp;

const WHOLE_PICTURE = true; // can be shown on any screen

/** @param {import("./NelfRays").Placement} placement @param {number} i */
function positionOf(placement, i) {
    return clamp(placement.first + i * placement.step, placement.low, placement.high);
}

/** @type {import("./NelfRays").FillInputs} */
function fillInputs(contract, rays, inputs, spec) {
    const map = rays.map, input = inputs.rays;
    let at = 0;
    for (let j = 0; j < spec.rayHeight; j++) {
        const v = positionOf(rays.rows, j);
        for (let i = 0; i < spec.rayWidth; i++) {
            const u = positionOf(rays.columns, i);
            for (let axis = 0; axis < 3; axis++) {
                input[at + axis] = map[axis];
                input[at + 3 + axis] = map[3 + axis] + u * map[6 + axis] + v * map[9 + axis];
            }
            at += 6;
        }
    }
}

module.exports = { WHOLE_PICTURE: WHOLE_PICTURE, fillInputs: fillInputs };
