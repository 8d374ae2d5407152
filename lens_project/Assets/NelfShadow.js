// A soft shadow where the object touches what it stands on: a disc that lies there, dark in the middle.
"use strict";
const surfaces = require("./NelfSurface");

const SIDE = 32; // pixels of its texture
const DARKEST = 0.45; // how much of the ground's light is gone in the middle
const WIDER = 1.25; // than the object, so that some of it is seen from above
const LIFT = 0.2; // centimetres above the ground, which may be a mesh in the same place
const BEFORE = -1; // order in which it is drawn; the picture has 0 and is not darkened

/** @typedef {import("./NelfWorld").World} World */

/** @param {SceneObject} parent whose layers it takes @param {Material} material of the picture */
function createShadow(parent, material) {
    return {
        surface: surfaces.createSurface(parent, material, true, BEFORE),
        texture: disc(),
        centre: new Float64Array(3),
        axes: new Float64Array(9)
    };
}

/** @typedef {ReturnType<typeof createShadow>} Shadow */

/** Black, and clear towards the border. */
function disc() {
    const texture = ProceduralTextureProvider.create(SIDE, SIDE, Colorspace.RGBA);
    const pixels = new Uint8Array(4 * SIDE * SIDE);
    for (let i = 0; i < SIDE * SIDE; i++) {
        const x = (i % SIDE + 0.5) / SIDE * 2 - 1, y = (Math.floor(i / SIDE) + 0.5) / SIDE * 2 - 1;
        const left = Math.max(1 - x * x - y * y, 0);
        pixels[4 * i + 3] = Math.round(255 * DARKEST * left * left);
    }
    const control = /** @type {ProceduralTextureProvider} */ (texture.control);
    control.setPixels(0, 0, SIDE, SIDE, pixels);
    return texture;
}

/** Lays it under the object, whose picture was placed for somebody at `position`; who is below the
 * ground does not see it. @param {Shadow} shadow @param {World} world @param {vec3} position cm
 * @param {number} share of the object that is there, from 0 to 1 */
function lay(shadow, world, position, share) {
    const up = world.up, foot = world.foot, axes = shadow.axes, facing = world.facing;
    const above = (position.x - foot[0]) * up[0] + (position.y - foot[1]) * up[1]
        + (position.z - foot[2]) * up[2];
    if (share <= 0 || above <= LIFT) {
        surfaces.hide(shadow.surface);
        return;
    }
    for (let k = 0; k < 3; k++) {
        const next = (k + 1) % 3, last = (k + 2) % 3;
        shadow.centre[k] = foot[k] + LIFT * up[k];
        // The picture's right is level.
        axes[k] = facing[k];
        axes[3 + k] = up[next] * facing[last] - up[last] * facing[next];
        axes[6 + k] = up[k];
    }
    const size = 2 * WIDER * world.room.reach / world.unitsPerCm;
    surfaces.place(shadow.surface, shadow.centre, axes, size, size);
    surfaces.fade(shadow.surface, share);
    surfaces.show(shadow.surface, shadow.texture);
}

/** @param {Shadow} shadow */
function hide(shadow) {
    surfaces.hide(shadow.surface);
}

module.exports = { createShadow: createShadow, hide: hide, lay: lay };
