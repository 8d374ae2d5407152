// The object in the room: from where the phone is to the rays of its camera.
"use strict";
const math = require("./NelfMath");

const DISTANCE_CM = 100; // between phone and object at the start

/** @typedef {import("./NelfRays").Contract} Contract */
/** @typedef {import("./NelfRays").ModelSpec} ModelSpec */
/** @typedef {import("./NelfRays").Placement} Placement */
/** @typedef {import("./NelfRays").Rays} Rays */

/** @param {Contract} contract */
function createWorld(contract) {
    const middle = (contract.azimuth[0] + contract.azimuth[1]) / 2;
    return {
        anchored: false,
        middle: middle, // azimuth that faces the phone at the start
        unitsPerCm: (contract.radius[0] + contract.radius[1]) / 2 / DISTANCE_CM,
        axes: math.flat(contract.orbitAxes),
        place: new Float64Array(3), // of the target in the room, cm
        toWorld: new Float64Array(9), // rows: room axes x, y, z in the world of the photos
        phone: new Float64Array(9), // frame of the phone in the room
        seen: new Float64Array(9), // frame of a camera where the phone is, looking at the target
        away: new Float64Array(3), // from target to phone, world units
        local: new Float64Array(9),
        distance: 1,
        lens: { fx: 1, fy: 1, cx: 0, cy: 0 }
    };
}

/** @typedef {ReturnType<typeof createWorld>} World */

/** Axes of a rotation as rows. @param {Float64Array} out @param {quat} q */
function axesOf(out, q) {
    const w = q.w, x = q.x, y = q.y, z = q.z;
    out[0] = 1 - 2 * (y * y + z * z); out[1] = 2 * (x * y + w * z); out[2] = 2 * (x * z - w * y);
    out[3] = 2 * (x * y - w * z); out[4] = 1 - 2 * (x * x + z * z); out[5] = 2 * (y * z + w * x);
    out[6] = 2 * (x * z + w * y); out[7] = 2 * (y * z - w * x); out[8] = 1 - 2 * (x * x + y * y);
}

/** Puts the object in front of the phone, upright, the middle of the photos towards it.
 * @param {World} world @param {vec3} position cm @param {quat} rotation */
function anchor(world, position, rotation) {
    const phone = world.phone, frame = world.local, to = world.toWorld;
    axesOf(phone, rotation);
    world.place[0] = position.x - DISTANCE_CM * phone[6];
    world.place[1] = position.y - DISTANCE_CM * phone[7];
    world.place[2] = position.z - DISTANCE_CM * phone[8];
    // Level direction towards the viewer: the phone's back; if it looks straight down, opposite to
    // its top.
    let bx = phone[6], bz = phone[8];
    if (bx * bx + bz * bz < 1e-6) {
        bx = phone[7] > 0 ? -phone[3] : phone[3];
        bz = phone[7] > 0 ? -phone[5] : phone[5];
    }
    const length = Math.sqrt(bx * bx + bz * bz);
    bx /= length;
    bz /= length;
    math.lookAtFrame(frame, world.axes, world.middle, 0);
    // The room's right is (bz, 0, -bx), its back (bx, 0, bz): x = bz·right + bx·back, and so on.
    math.combine(to, 0, frame, 0, bz, frame, 6, bx);
    math.combine(to, 3, frame, 3, 1, frame, 3, 0);
    math.combine(to, 6, frame, 0, -bx, frame, 6, bz);
    world.anchored = true;
}

/** Writes a vector of the room into the world of the photos. @param {World} world @param {Float64Array}
 * out @param {number} o @param {number} x @param {number} y @param {number} z */
function toWorld(world, out, o, x, y, z) {
    const to = world.toWorld;
    for (let k = 0; k < 3; k++) {
        out[o + k] = x * to[k] + y * to[3 + k] + z * to[6 + k];
    }
}

/** Sets the rays of the phone's camera. Returns whether the object can be seen.
 *
 * Seen from where no photo was taken, the object turns with the viewer and shows the nearest side.
 *
 * @param {World} world @param {Rays} rays @param {Contract} contract @param {ModelSpec} spec
 * @param {vec3} position cm @param {quat} rotation @param {number} fov vertical, radians
 * @param {number} aspect columns to rows of the screen */
function look(world, rays, contract, spec, position, rotation, fov, aspect) {
    const away = world.away, unit = world.unitsPerCm, phone = world.phone, local = world.local;
    toWorld(world, away, 0, unit * (position.x - world.place[0]),
        unit * (position.y - world.place[1]), unit * (position.z - world.place[2]));
    const distance = Math.max(Math.sqrt(math.dot(away, 0, away, 0)), 1e-6);
    world.distance = distance;
    const up = math.dot(away, 0, world.axes, 6) / distance;
    const elevation = Math.asin(math.clamp(up, -1, 1)) / math.DEGREE;
    let azimuth = Math.atan2(
        math.dot(away, 0, world.axes, 3), math.dot(away, 0, world.axes, 0)) / math.DEGREE;
    azimuth -= 360 * Math.round((azimuth - world.middle) / 360);
    axesOf(phone, rotation);
    math.lookAtFrame(world.seen, world.axes, azimuth, elevation);
    for (let row = 0; row < 9; row += 3) {
        // In the frame that looks at the target from there …
        toWorld(world, rays.frame, row, phone[row], phone[row + 1], phone[row + 2]);
        for (let k = 0; k < 3; k++) {
            local[row + k] = math.dot(rays.frame, row, world.seen, 3 * k);
        }
    }
    math.lookAtFrame(rays.lookAt, world.axes,
        contract.azimuth[1] - contract.azimuth[0] >= 360
            ? azimuth : math.clamp(azimuth, contract.azimuth[0], contract.azimuth[1]),
        math.clamp(elevation, contract.elevation[0], contract.elevation[1]));
    for (let row = 0; row < 9; row += 3) {
        // … and out of the one that photos were taken in.
        for (let k = 0; k < 3; k++) {
            rays.frame[row + k] = local[row] * rays.lookAt[k] + local[row + 1] * rays.lookAt[3 + k]
                + local[row + 2] * rays.lookAt[6 + k];
        }
    }
    const lens = world.lens, tangent = Math.tan(fov / 2);
    lens.fy = spec.rayHeight / (2 * tangent);
    lens.fx = spec.rayWidth / (2 * tangent * aspect);
    lens.cx = spec.rayWidth / 2;
    lens.cy = spec.rayHeight / 2;
    return placeRound(world, rays, contract, spec);
}

/** Keeps rays to the rectangle around the ball that photos show. Returns whether any of it is on the
 * screen. @param {World} world @param {Rays} rays @param {Contract} contract @param {ModelSpec} spec */
function placeRound(world, rays, contract, spec) {
    const lens = world.lens, local = world.local, distance = world.distance;
    const radius = math.clamp(distance, contract.radius[0], contract.radius[1]);
    const ball = contract.ballRadius;
    // Half the angle under which the photos saw the ball; further away it looks smaller.
    const tangent = ball / Math.sqrt(radius * radius - ball * ball) * radius / distance;
    const size = distance * tangent / Math.sqrt(1 + tangent * tangent);
    // The target in the phone's frame: to the right, upwards, ahead.
    const right = -local[2] * distance, up = -local[5] * distance, ahead = local[8] * distance;
    if (ahead <= 1.01 * size) {
        return false;
    }
    const columns = between(rays.columns, right, ahead, size, lens.fx, lens.cx, spec.rayWidth);
    return between(rays.rows, -up, ahead, size, lens.fy, lens.cy, spec.rayHeight) && columns;
}

/** Where a ball lies along one axis of the picture: the tangents that touch it.
 * @param {Placement} placement @param {number} aside
 * @param {number} ahead @param {number} size @param {number} focal @param {number} centre
 * @param {number} count */
function between(placement, aside, ahead, size, focal, centre, count) {
    const root = size * Math.sqrt(aside * aside + ahead * ahead - size * size);
    const square = ahead * ahead - size * size;
    placement.first = 0;
    placement.step = 1;
    placement.low = focal * (aside * ahead - root) / square + centre - 0.5;
    placement.high = focal * (aside * ahead + root) / square + centre - 0.5;
    return placement.high > -0.5 && placement.low < count - 0.5;
}

module.exports = { anchor: anchor, createWorld: createWorld, look: look };
