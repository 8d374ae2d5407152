// Layout `camera`: origin, d0, du, dv; the model makes, samples and encodes the rays.
"use strict";

// Showing all of the picture on any screen would need rays beyond its border, and the model, which
// makes the rays itself, cannot hold them there.
var WHOLE_PICTURE = false;

/** @param {any} contract @param {import("./NelfRays").Rays} rays
 * @param {Object<string, Float32Array>} inputs */
function fillInputs(contract, rays, inputs) {
    var map = rays.map, columns = rays.columns, rows = rays.rows;
    for (var axis = 0; axis < 3; axis++) {
        var du = map[6 + axis], dv = map[9 + axis];
        inputs.camera[axis] = map[axis];
        inputs.camera[3 + axis] = map[3 + axis] + columns.first * du + rows.first * dv;
        inputs.camera[6 + axis] = columns.step * du;
        inputs.camera[9 + axis] = rows.step * dv;
    }
}

module.exports = { WHOLE_PICTURE: WHOLE_PICTURE, fillInputs: fillInputs };
