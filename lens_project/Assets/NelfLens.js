// What a camera sees, measured where the borders of the screen are in the world: right with any device,
// crop and device property, whatever field of view the camera says it has.
"use strict";

const DEPTH = 100; // centimetres from the near plane, where borders are looked up

function createLens() {
    return {
        fov: 1, // vertical, radians
        aspect: 1, // columns to rows
        top: new vec2(0.5, 0),
        bottom: new vec2(0.5, 1),
        left: new vec2(0, 0.5),
        right: new vec2(1, 0.5)
    };
}

/** @typedef {ReturnType<typeof createLens>} Lens */

/** @param {vec3} a @param {vec3} b */
function distance(a, b) {
    const x = a.x - b.x, y = a.y - b.y, z = a.z - b.z;
    return Math.sqrt(x * x + y * y + z * z);
}

/** @param {Lens} lens @param {Camera} camera a perspective one @param {vec3} position of it */
function measure(lens, camera, position) {
    const top = camera.screenSpaceToWorldSpace(lens.top, DEPTH);
    const bottom = camera.screenSpaceToWorldSpace(lens.bottom, DEPTH);
    const high = distance(top, bottom);
    const wide = distance(camera.screenSpaceToWorldSpace(lens.left, DEPTH),
        camera.screenSpaceToWorldSpace(lens.right, DEPTH));
    const x = (top.x + bottom.x) / 2 - position.x, y = (top.y + bottom.y) / 2 - position.y;
    const z = (top.z + bottom.z) / 2 - position.z;
    lens.fov = 2 * Math.atan(high / 2 / Math.sqrt(x * x + y * y + z * z));
    lens.aspect = wide / high;
}

module.exports = { createLens: createLens, measure: measure };
