// Layout `embedded`: the whole encoding of each ray. Angle sums of two tables give it without a sine a
// pixel. Channel coord·(2L+1) + j: L sines, L cosines, the coordinate itself.
"use strict";
const fillTables = require("./NelfTables").fillTables;

/** @typedef {import("./NelfRays").ModelSpec} ModelSpec */
/** @typedef {{points: Float64Array, sines: Float64Array, cosines: Float64Array}} Tables */

/** @type {{columns: Tables, rows: Tables, of: ModelSpec | null}} */
const tables = { columns: makeTables(0, 0, 0), rows: makeTables(0, 0, 0), of: null };

/** @param {number} count @param {number} coords @param {number} levels @returns {Tables} */
function makeTables(count, coords, levels) {
    return {
        points: new Float64Array(count * coords),
        sines: new Float64Array(count * coords * levels),
        cosines: new Float64Array(count * coords * levels)
    };
}

/** @type {import("./NelfRays").FillInputs} */
function fillInputs(contract, rays, inputs, spec) {
    const coords = 3 * contract.depths.length, levels = contract.frequencies;
    if (tables.of !== spec) { // once a model
        tables.columns = makeTables(spec.rayWidth, coords, levels);
        tables.rows = makeTables(spec.rayHeight, coords, levels);
        tables.of = spec;
    }
    const u = tables.columns, v = tables.rows, input = inputs.input;
    fillTables(contract, rays.map, 0, 3, 6, u.points, u.sines, u.cosines);
    fillTables(contract, rays.map, -1, -1, 9, v.points, v.sines, v.cosines);
    let at = 0;
    for (let j = 0; j < spec.rayHeight; j++) {
        for (let i = 0; i < spec.rayWidth; i++) {
            for (let c = 0; c < coords; c++) {
                for (let level = 0; level < levels; level++) {
                    const p = (i * levels + level) * coords + c;
                    const q = (j * levels + level) * coords + c;
                    input[at + level] = u.sines[p] * v.cosines[q] + u.cosines[p] * v.sines[q];
                    input[at + levels + level] =
                        u.cosines[p] * v.cosines[q] - u.sines[p] * v.sines[q];
                }
                input[at + 2 * levels] = u.points[i * coords + c] + v.points[j * coords + c];
                at += 2 * levels + 1;
            }
        }
    }
}

module.exports = { fillInputs: fillInputs };
