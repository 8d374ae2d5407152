// Vectors and rotations without garbage: three numbers at an offset of a Float64Array. Frames hold
// right, up and back of a camera as rows of nine numbers, in the world of the training photos.
"use strict";

/** @typedef {Float64Array} Numbers */

const DEGREE = Math.PI / 180;

/** @param {Numbers} a @param {number} i @param {Numbers} b @param {number} j */
function dot(a, i, b, j) {
    return a[i] * b[j] + a[i + 1] * b[j + 1] + a[i + 2] * b[j + 2];
}

/** out = a·s + b·t. @param {Numbers} out @param {number} o @param {Numbers} a @param {number} i
 * @param {number} s @param {Numbers} b @param {number} j @param {number} t */
function combine(out, o, a, i, s, b, j, t) {
    out[o] = a[i] * s + b[j] * t;
    out[o + 1] = a[i + 1] * s + b[j + 1] * t;
    out[o + 2] = a[i + 2] * s + b[j + 2] * t;
}

/** @param {number} value @param {number} low @param {number} high */
function clamp(value, low, high) {
    return value < low ? low : value > high ? high : value;
}

/** The frame of a camera that looks at the target from a place on the orbit. @param {Numbers} out
 * @param {Numbers} axes of azimuth 0, of azimuth 90 degrees, up @param {number} azimuth degrees
 * @param {number} elevation degrees */
function lookAtFrame(out, axes, azimuth, elevation) {
    const a = azimuth * DEGREE, e = elevation * DEGREE;
    const cosA = Math.cos(a), sinA = Math.sin(a), cosE = Math.cos(e), sinE = Math.sin(e);
    for (let k = 0; k < 3; k++) {
        const level = cosA * axes[k] + sinA * axes[3 + k];
        out[k] = -sinA * axes[k] + cosA * axes[3 + k];
        out[3 + k] = cosE * axes[6 + k] - sinE * level;
        out[6 + k] = cosE * level + sinE * axes[6 + k];
    }
}

/** @param {number[][]} rows */
function flat(rows) {
    return new Float64Array(rows[0].concat(rows[1], rows[2]));
}

module.exports = {
    DEGREE: DEGREE,
    clamp: clamp,
    combine: combine,
    dot: dot,
    flat: flat,
    lookAtFrame: lookAtFrame
};
