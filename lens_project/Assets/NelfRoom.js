// Where the object stands: waits until the phone knows where it is, puts the object where somebody taps,
// and takes turns and sizes from the fingers.
"use strict";
const orbits = require("./NelfOrbit");
const worlds = require("./NelfWorld");

const STEADY_FRAMES = 3; // in which the room is tracked, before the object is placed
const HINT_SECONDS = 3;
const SMALLEST = 0.25; // times its size
const LARGEST = 4;
const LEVEL = 0.7; // of a surface: how much of its normal points up
// Hints of Snapchat itself, in the language of the phone.
const MOVE = "lens_hint_look_around";
const TAP = "lens_hint_tap_surface_to_place";
const TURN_ROUND = "lens_hint_try_rear_camera";

/** @typedef {import("./NelfWorld").World} World */

/** @param {SceneObject} owner with the camera and its tracking @param {number} degreesAScreen */
function createRoom(owner, degreesAScreen) {
    const tracking = owner.getComponent("Component.DeviceTracking");
    const hand = orbits.createOrbit({
        azimuth: [-180, 180], elevation: [0, 0], radius: [1, 1], degreesAScreen: degreesAScreen
    }, 1 / LARGEST, 1 / SMALLEST);
    hand.turntable = 0; // it stands where it was put
    return {
        tracking: tracking,
        camera: owner.getComponent("Component.Camera"),
        hints: owner.createComponent("Component.HintsComponent"),
        hint: "",
        hand: hand,
        /** @type {TrackedPlane[]} */ planes: [],
        steady: 0,
        front: false, // camera of the phone
        spot: new Float64Array(3)
    };
}

/** @typedef {ReturnType<typeof createRoom>} Room */

/** Asks the phone to track the room. Returns whether it can. @param {Room} room
 * @param {typeof script} component that gets the events */
function start(room, component) {
    const tracking = room.tracking;
    if (!tracking || !tracking.isDeviceTrackingModeSupported(DeviceTrackingMode.World)) {
        return false;
    }
    const able = tracking.worldTrackingCapabilities, options = tracking.worldOptions;
    if (able.planesTrackingSupported) {
        options.nativePlaneTrackingType = NativePlaneTrackingType.Horizontal;
        component.createEvent("WorldTrackingPlanesAddedEvent").bind(function (event) {
            room.planes = room.planes.concat(event.getPlanes());
        });
    }
    if (able.sceneReconstructionSupported) {
        options.enableWorldMeshesTracking = true;
    }
    tracking.requestDeviceTrackingMode(DeviceTrackingMode.World);
    return true;
}

/** Shows a hint of Snapchat's as long as it is needed; empty for none. @param {Room} room
 * @param {string} hint @param {number} seconds -1 for as long as it takes */
function suggest(room, hint, seconds) {
    if (hint === room.hint) {
        return;
    }
    if (room.hint) {
        room.hints.hideHint(room.hint);
    }
    if (hint) {
        room.hints.showHint(hint, seconds);
    }
    room.hint = hint;
}

/** The object goes, since the phone does not track the room with its front camera.
 * @param {Room} room */
function toFront(room) {
    room.front = true;
    suggest(room, TURN_ROUND, -1);
}

/** The object is placed anew. @param {Room} room @param {World} world */
function toBack(room, world) {
    room.front = false;
    room.steady = 0;
    world.placed = false;
    suggest(room, "", 0);
}

/** Returns whether the object stands in the room, and where its place and size are up to date.
 * @param {Room} room @param {World} world @param {vec3} position of the phone, cm @param {quat} rotation
 * @param {number} seconds */
function advance(room, world, position, rotation, seconds) {
    if (room.front || !room.tracking) {
        return false;
    }
    orbits.advance(room.hand, seconds);
    if (!world.placed) {
        const tracked = room.tracking.getActualDeviceTrackingMode() === DeviceTrackingMode.World;
        room.steady = tracked ? room.steady + 1 : 0;
        if (room.steady < STEADY_FRAMES) {
            suggest(room, tracked ? room.hint : MOVE, -1);
            return false;
        }
        room.hand.azimuth = 0;
        worlds.anchor(world, position, rotation);
        suggest(room, TAP, HINT_SECONDS);
    }
    world.turn = room.hand.azimuth;
    worlds.resize(world, 1 / room.hand.distance);
    return true;
}

/** Puts the object where somebody tapped: on a surface, or else as far away as at the start.
 * @param {Room} room @param {World} world @param {number} x @param {number} y @param {vec3} position */
function tap(room, world, x, y, position) {
    if (room.front || !world.placed) {
        return;
    }
    const grounded = hit(room, x, y, position);
    if (!grounded) {
        const ahead = room.camera.screenSpaceToWorldSpace(new vec2(x, y), world.room.distanceCm);
        room.spot[0] = ahead.x;
        room.spot[1] = ahead.y - world.room.foot / world.unitsPerCm;
        room.spot[2] = ahead.z;
    }
    room.hand.azimuth = 0;
    worlds.stand(world, room.spot, position, grounded);
}

/** Finds the surface below a point of the screen. @param {Room} room @param {number} x
 * @param {number} y @param {vec3} position */
function hit(room, x, y, position) {
    const spot = room.spot, tracking = room.tracking;
    if (!tracking) {
        return false;
    }
    if (tracking.worldTrackingCapabilities.sceneReconstructionSupported) {
        const found = tracking.hitTestWorldMesh(new vec2(x, y));
        if (found.length > 0 && found[0].normal.y > LEVEL) {
            spot[0] = found[0].position.x;
            spot[1] = found[0].position.y;
            spot[2] = found[0].position.z;
            return true;
        }
    }
    const far = room.camera.screenSpaceToWorldSpace(new vec2(x, y), 100);
    const dx = far.x - position.x, dy = far.y - position.y, dz = far.z - position.z;
    let nearest = Infinity;
    for (let i = 0; i < room.planes.length; i++) {
        const plane = room.planes[i];
        if (!plane.isValid) {
            continue;
        }
        const pivot = plane.pivot, size = plane.size;
        const way = (pivot.y - position.y) / dy;
        const aside = position.x + way * dx - pivot.x, ahead = position.z + way * dz - pivot.z;
        // How the plane is turned about its normal does not matter to the circle around it.
        const reach = size.x * size.x + size.z * size.z;
        if (way > 0 && way < nearest && 4 * (aside * aside + ahead * ahead) <= reach) {
            nearest = way;
            spot[0] = position.x + way * dx;
            spot[1] = pivot.y;
            spot[2] = position.z + way * dz;
        }
    }
    return nearest < Infinity;
}

module.exports = {
    advance: advance,
    createRoom: createRoom,
    start: start,
    tap: tap,
    toBack: toBack,
    toFront: toFront
};
