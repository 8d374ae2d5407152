// Layout `factored`: sines and cosines of columns and of rows; the model multiplies and adds them.
"use strict";
const fillTables = require("./NelfTables").fillTables;

const WHOLE_PICTURE = true; // can be shown on any screen

/** @type {import("./NelfRays").FillInputs} */
function fillInputs(contract, rays, inputs) {
    fillTables(contract, rays.columns, rays.map, 0, 3, 6,
        inputs.point_columns, inputs.sin_columns, inputs.cos_columns);
    fillTables(contract, rays.rows, rays.map, -1, -1, 9,
        inputs.point_rows, inputs.sin_rows, inputs.cos_rows);
}

module.exports = { WHOLE_PICTURE: WHOLE_PICTURE, fillInputs: fillInputs };
