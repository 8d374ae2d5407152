// Layout `camera`: origin, d0, du, dv; the model makes, samples and encodes the rays.
"use strict";

/** @type {import("./NelfRays").FillInputs} */
function fillInputs(contract, rays, inputs) {
    inputs.camera.set(rays.map);
}

module.exports = { fillInputs: fillInputs };
