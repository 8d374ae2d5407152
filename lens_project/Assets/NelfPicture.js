// The object's picture and its shadow: they are placed, fade and go together.
"use strict";
const lenses = require("./NelfLens");
const math = require("./NelfMath");
const rayMaps = require("./NelfRays");
const shadows = require("./NelfShadow");
const surfaces = require("./NelfSurface");
const worlds = require("./NelfWorld");

/** @param {SceneObject} parent whose layers they take @param {Material} material
 * @param {boolean} clear whether the picture has an alpha @param {boolean} shaded whether it has a
 * shadow */
function createPicture(parent, material, clear, shaded) {
    return {
        surface: surfaces.createSurface(parent, material, clear, 0),
        shadow: shaded ? shadows.createShadow(parent, material) : null,
        lens: lenses.createLens() // of the camera
    };
}

/** @typedef {ReturnType<typeof createPicture>} Picture */

/** They go when a scene object goes. @param {Picture} picture @param {SceneObject} object */
function attach(picture, object) {
    picture.surface.object.setParent(object);
    if (picture.shadow) {
        picture.shadow.surface.object.setParent(object);
    }
}

/** Shows what the model drew; the shadow comes with the place in the room. @param {Picture} picture
 * @param {Texture | null} texture */
function show(picture, texture) {
    surfaces.show(picture.surface, texture);
}

/** Nothing of the object is on the screen. @param {Picture} picture */
function hide(picture) {
    surfaces.hide(picture.surface);
    if (picture.shadow) {
        shadows.hide(picture.shadow);
    }
}

/** Places both where the object stands in the room, and sets the rays of the picture. Returns whether
 * anything of it can be seen.
 *
 * @param {Picture} picture @param {import("./NelfWorld").World} world
 * @param {import("./NelfRays").Rays} rays @param {import("./NelfRays").Contract} contract
 * @param {import("./NelfModel").Model} model @param {Camera} camera @param {vec3} position of it, cm
 * @param {boolean} grounded whether there is something below the object's foot */
function placeInRoom(picture, world, rays, contract, model, camera, position, grounded) {
    const surface = picture.surface, lens = picture.lens, spec = model.spec;
    if (!worlds.pose(world, rays, contract, spec, position)) {
        return false;
    }
    surfaces.place(surface, world.centre, world.facing, world.width, world.height);
    lenses.measure(lens, camera, position);
    const share = contract.ballRadius / (world.distance * Math.tan(lens.fov / 2));
    const left = surfaces.fadeAway(surface, share);
    if (picture.shadow) {
        shadows.lay(picture.shadow, world, position, grounded && model.texture ? left : 0);
    }
    if (surfaces.isGone(share) || !camera.isSphereVisible(
        surface.position, Math.max(world.width, world.height) / 2)) {
        return false;
    }
    rayMaps.setMap(rays, contract,
        math.clamp(world.distance, contract.radius[0], contract.radius[1]), spec);
    return true;
}

module.exports = {
    attach: attach,
    createPicture: createPicture,
    hide: hide,
    placeInRoom: placeInRoom,
    show: show
};
