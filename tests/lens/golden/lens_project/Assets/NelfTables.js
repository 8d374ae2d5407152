// Shares of points and phases of columns and of rows. A sampled point is o + z·(d0 + u·du + v·dv): its
// column share is o + z·d0 + u·z·du, its row share v·z·dv. Phases are shares times 1, 2, 4, …
"use strict";

/** Writes, for each position, the share of each coordinate (3·sample + xyz) and the sine and cosine
 * of each phase (level·coords + coord), channels innermost.
 *
 * Positions are equally spaced, so sines follow from the ones before by the angle sum, and higher
 * levels by the double angle: four sines a coordinate instead of hundreds. In double precision both
 * leave errors below 1e-12.
 *
 * @param {any} contract @param {{first: number, step: number, low: number, high: number}} placement
 * @param {Float64Array} map rays @param {number} origin where in `map` the origin is, or -1 for none
 * @param {number} start where the first direction is, or -1 for none @param {number} step where the
 * step is @param {ArrayLike<number> & {[i: number]: number}} points
 * @param {ArrayLike<number> & {[i: number]: number}} sines
 * @param {ArrayLike<number> & {[i: number]: number}} cosines */
function fillTables(contract, placement, map, origin, start, step, points, sines, cosines) {
    var depths = contract.depths, levels = contract.frequencies;
    var coords = 3 * depths.length, phases = coords * levels;
    var count = points.length / coords;
    for (var c = 0; c < coords; c++) {
        var axis = c % 3, depth = depths[(c - axis) / 3];
        var base = origin < 0 ? 0 : map[origin + axis];
        base += start < 0 ? 0 : depth * map[start + axis];
        var slope = depth * map[step + axis];
        var turnSine = Math.sin(slope * placement.step);
        var turnCosine = Math.cos(slope * placement.step);
        var sine = 0, cosine = 1, before = NaN, inside = false;
        for (var i = 0; i < count; i++) {
            var wanted = placement.first + i * placement.step;
            var position = Math.min(Math.max(wanted, placement.low), placement.high);
            var share = base + position * slope;
            if (inside && position === wanted) {
                var turned = sine * turnCosine + cosine * turnSine;
                cosine = cosine * turnCosine - sine * turnSine;
                sine = turned;
            } else if (position !== before) {
                sine = Math.sin(share);
                cosine = Math.cos(share);
            }
            inside = position === wanted;
            before = position;
            points[i * coords + c] = share;
            var s = sine, k = cosine;
            for (var level = 0, at = i * phases + c; level < levels; level++, at += coords) {
                sines[at] = s;
                cosines[at] = k;
                var twice = 2 * s * k;
                k = 1 - 2 * s * s;
                s = twice;
            }
        }
    }
}

module.exports = { fillTables: fillTables };
