// Layout `embedded`: the whole encoding of each ray. Angle sums of two tables give it without a sine a
// pixel. Channel coord·(2L+1) + j: L sines, L cosines, the coordinate itself.
"use strict";
var fillTables = require("./NelfTables").fillTables;

var WHOLE_PICTURE = true; // can be shown on any screen

/** @typedef {{points: Float64Array, sines: Float64Array, cosines: Float64Array}} Tables */

/** @type {{columns: Tables, rows: Tables, of: any}} */
var tables = { columns: makeTables(0, 0, 0), rows: makeTables(0, 0, 0), of: null };

/** @param {number} count @param {number} coords @param {number} levels @returns {Tables} */
function makeTables(count, coords, levels) {
    return {
        points: new Float64Array(count * coords),
        sines: new Float64Array(count * coords * levels),
        cosines: new Float64Array(count * coords * levels)
    };
}

/** @param {any} contract @param {import("./NelfRays").Rays} rays
 * @param {Object<string, Float32Array>} inputs @param {any} model */
function fillInputs(contract, rays, inputs, model) {
    var coords = 3 * contract.depths.length, levels = contract.frequencies;
    if (tables.of !== model) { // once a model
        tables.columns = makeTables(model.rayWidth, coords, levels);
        tables.rows = makeTables(model.rayHeight, coords, levels);
        tables.of = model;
    }
    var u = tables.columns, v = tables.rows, input = inputs.input;
    fillTables(contract, rays.columns, rays.map, 0, 3, 6, u.points, u.sines, u.cosines);
    fillTables(contract, rays.rows, rays.map, -1, -1, 9, v.points, v.sines, v.cosines);
    var at = 0;
    for (var j = 0; j < model.rayHeight; j++) {
        for (var i = 0; i < model.rayWidth; i++) {
            for (var c = 0; c < coords; c++) {
                for (var level = 0; level < levels; level++) {
                    var p = (i * levels + level) * coords + c;
                    var q = (j * levels + level) * coords + c;
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

module.exports = { WHOLE_PICTURE: WHOLE_PICTURE, fillInputs: fillInputs };
