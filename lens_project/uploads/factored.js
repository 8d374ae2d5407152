// Layout `factored`: sines and cosines of columns and of rows; the model multiplies and adds them.
"use strict";
const fillTables = require("./NelfTables").fillTables;

/** @type {import("./NelfRays").FillInputs} */
function fillInputs(contract, rays, inputs) {
    fillTables(contract, rays.map, 0, 3, 6,
        inputs.point_columns, inputs.sin_columns, inputs.cos_columns);
    fillTables(contract, rays.map, -1, -1, 9,
        inputs.point_rows, inputs.sin_rows, inputs.cos_rows);
}

module.exports = { fillInputs: fillInputs };
