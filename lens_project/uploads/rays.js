// Layout `rays`: origin and unnormalised direction of each ray; the model samples and encodes them.
"use strict";

/** @type {import("./NelfRays").FillInputs} */
function fillInputs(contract, rays, inputs, spec) {
    const map = rays.map, input = inputs.rays;
    let at = 0;
    for (let j = 0; j < spec.rayHeight; j++) {
        for (let i = 0; i < spec.rayWidth; i++) {
            for (let axis = 0; axis < 3; axis++) {
                input[at + axis] = map[axis];
                input[at + 3 + axis] = map[3 + axis] + i * map[6 + axis] + j * map[9 + axis];
            }
            at += 6;
        }
    }
}

module.exports = { fillInputs: fillInputs };
