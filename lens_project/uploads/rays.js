// Layout `rays`: origin and unnormalised direction of each ray; the model samples and encodes them.
"use strict";

var WHOLE_PICTURE = true; // can be shown on any screen

/** @param {{first: number, step: number, low: number, high: number}} placement @param {number} i */
function positionOf(placement, i) {
    return Math.min(Math.max(placement.first + i * placement.step, placement.low), placement.high);
}

/** @param {any} contract @param {import("./NelfRays").Rays} rays
 * @param {Object<string, Float32Array>} inputs @param {any} model */
function fillInputs(contract, rays, inputs, model) {
    var map = rays.map, at = 0;
    for (var j = 0; j < model.rayHeight; j++) {
        var v = positionOf(rays.rows, j);
        for (var i = 0; i < model.rayWidth; i++) {
            var u = positionOf(rays.columns, i);
            for (var axis = 0; axis < 3; axis++) {
                inputs.rays[at + axis] = map[axis];
                inputs.rays[at + 3 + axis] = map[3 + axis] + u * map[6 + axis] + v * map[9 + axis];
            }
            at += 6;
        }
    }
}

module.exports = { WHOLE_PICTURE: WHOLE_PICTURE, fillInputs: fillInputs };
