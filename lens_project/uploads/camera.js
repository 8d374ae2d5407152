// Layout `camera`: origin, d0, du, dv; the model makes, samples and encodes the rays.
"use strict";

// Showing all of the picture on any screen would need rays beyond its border, and the model, which
// makes the rays itself, cannot hold them there.
const WHOLE_PICTURE = false;

/** @type {import("./NelfRays").FillInputs} */
function fillInputs(contract, rays, inputs) {
    const map = rays.map, columns = rays.columns, rows = rays.rows;
    for (let axis = 0; axis < 3; axis++) {
        const du = map[6 + axis], dv = map[9 + axis];
        inputs.camera[axis] = map[axis];
        inputs.camera[3 + axis] = map[3 + axis] + columns.first * du + rows.first * dv;
        inputs.camera[6 + axis] = columns.step * du;
        inputs.camera[9 + axis] = rows.step * dv;
    }
}

module.exports = { WHOLE_PICTURE: WHOLE_PICTURE, fillInputs: fillInputs };
