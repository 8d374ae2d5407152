// The picture without a material: a second camera clears the screen with it, through a mask. The network
// draws the same square as for a surface, seen along the phone's own line of sight, so that a crop of two
// textures brings it to its place and size on the screen, however near the object is.
"use strict";
const isGone = require("./NelfSurface").isGone;
const lenses = require("./NelfLens");
const rayMaps = require("./NelfRays");
const worlds = require("./NelfWorld");

/** @typedef {import("./NelfModel").Model} Model */
/** @typedef {import("./NelfRays").ModelSpec} ModelSpec */

/** @param {Camera} camera that draws after the one of the room, and nothing but this
 * @param {Texture} colour a Screen Crop Texture @param {Texture} mask another */
function createMask(camera, colour, mask) {
    camera.enabled = false;
    camera.enableClearColor = true;
    camera.inputTexture = colour;
    camera.maskTexture = mask;
    return {
        camera: camera,
        colour: /** @type {RectCropTextureProvider} */ (colour.control),
        mask: /** @type {RectCropTextureProvider} */ (mask.control),
        lens: lenses.createLens(), // of the camera of the room
        // Written anew for each frame, so that none leaves garbage.
        rect: Rect.create(-1, 1, -1, 1),
        middle: new vec3(0, 0, 0)
    };
}

/** @typedef {ReturnType<typeof createMask>} Mask */

/** Shows what the model drew. @param {Mask} mask @param {Model} model */
function show(mask, model) {
    if (model.masked.length === 2) {
        mask.colour.inputTexture = model.masked[0];
        mask.mask.inputTexture = model.masked[1];
        mask.camera.enabled = true;
    }
}

/** @param {Mask} mask */
function hide(mask) {
    mask.camera.enabled = false;
}

/** Sets the rays of the picture, and where it is on the screen. Returns whether anything of it can be seen.
 *
 * @param {Mask} mask @param {import("./NelfWorld").World} world
 * @param {import("./NelfRays").Rays} rays @param {import("./NelfRays").Contract} contract
 * @param {Model} model @param {Camera} camera of the room @param {vec3} position of it, cm
 * @param {quat} rotation */
function placeInRoom(mask, world, rays, contract, model, camera, position, rotation) {
    const lens = mask.lens, middle = mask.middle, spec = model.spec;
    if (!worlds.aim(world, rays, contract, spec, position, rotation)) {
        return false;
    }
    lenses.measure(lens, camera, position);
    const tangent = Math.tan(lens.fov / 2);
    middle.x = world.place[0];
    middle.y = world.place[1];
    middle.z = world.place[2];
    if (!isFinite(lens.aspect) || isGone(contract.ballRadius / (world.distance * tangent))
        || !camera.isSphereVisible(middle, contract.ballRadius / world.unitsPerCm)) {
        return false;
    }
    rayMaps.setMap(rays, contract, world.distance, world.lens);
    crop(mask, world.lens, spec, tangent);
    return true;
}

/** Where the screen's borders are in the textures, which have a clear border of a pixel: -1 and 1 are their
 * own. @param {Mask} mask @param {import("./NelfRays").Lens} window lens of the picture
 * @param {ModelSpec} spec @param {number} tangent half the height of the screen, at distance 1 */
function crop(mask, window, spec, tangent) {
    const rect = mask.rect, shape = spec.masked[0].shape;
    const columns = spec.pictureWidth / spec.rayWidth, rows = spec.pictureHeight / spec.rayHeight;
    const half = tangent * mask.lens.aspect * window.fx, high = tangent * window.fy;
    rect.left = 2 * ((window.cx - half) * columns + 1) / shape[0] - 1;
    rect.right = 2 * ((window.cx + half) * columns + 1) / shape[0] - 1;
    rect.top = 1 - 2 * ((window.cy - high) * rows + 1) / shape[1];
    rect.bottom = 1 - 2 * ((window.cy + high) * rows + 1) / shape[1];
    mask.colour.cropRect = rect;
    mask.mask.cropRect = rect;
}

module.exports = { createMask: createMask, hide: hide, placeInRoom: placeInRoom, show: show };
