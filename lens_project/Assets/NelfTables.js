// Shares of points and phases of columns and of rows. A sampled point is o + z·(d0 + u·du + v·dv): its
// column share is o + z·d0 + u·z·du, its row share v·z·dv. Phases are shares times 1, 2, 4, …
"use strict";

/** @typedef {Float32Array | Float64Array} Floats */

/** Writes, for each column or row, the share of each coordinate (3·sample + xyz) and the sine and cosine
 * of each phase (level·coords + coord), channels innermost.
 *
 * They are equally spaced, so sines follow from the ones before by the angle sum, and higher
 * levels by the double angle: four sines a coordinate instead of hundreds. In double precision both
 * leave errors below 1e-12.
 *
 * @param {import("./NelfRays").Contract} contract @param {Float64Array} map rays @param {number} origin
 * where in `map` the origin is, or -1 for none @param {number} start where the first direction is, or -1
 * for none @param {number} step where the step is @param {Floats} points @param {Floats} sines
 * @param {Floats} cosines */
function fillTables(contract, map, origin, start, step, points, sines, cosines) {
    const depths = contract.depths, levels = contract.frequencies;
    const coords = 3 * depths.length, phases = coords * levels;
    const count = points.length / coords;
    for (let c = 0; c < coords; c++) {
        const axis = c % 3, depth = depths[(c - axis) / 3];
        let base = origin < 0 ? 0 : map[origin + axis];
        base += start < 0 ? 0 : depth * map[start + axis];
        const slope = depth * map[step + axis];
        const turnSine = Math.sin(slope), turnCosine = Math.cos(slope);
        let sine = Math.sin(base), cosine = Math.cos(base);
        for (let i = 0; i < count; i++) {
            points[i * coords + c] = base + i * slope;
            let s = sine, k = cosine;
            for (let level = 0, at = i * phases + c; level < levels; level++, at += coords) {
                sines[at] = s;
                cosines[at] = k;
                const twice = 2 * s * k;
                k = 1 - 2 * s * s;
                s = twice;
            }
            const turned = sine * turnCosine + cosine * turnSine;
            cosine = cosine * turnCosine - sine * turnSine;
            sine = turned;
        }
    }
}

module.exports = { fillTables: fillTables };
