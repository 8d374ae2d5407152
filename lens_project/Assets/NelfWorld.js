// The object in the room: from where the phone is to the rays of a camera as in training, whose picture
// stands in the room or lies in the plane of the screen.
"use strict";
const math = require("./NelfMath");

const INSIDE = 0.5; // of the ball that photos show; who is so near looks out of the object

/** @typedef {import("./NelfRays").Contract} Contract */
/** @typedef {import("./NelfRays").ModelSpec} ModelSpec */
/** @typedef {import("./NelfRays").Rays} Rays */

/** @param {Contract} contract */
function createWorld(contract) {
    const middle = (contract.azimuth[0] + contract.azimuth[1]) / 2;
    return {
        room: contract.room,
        placed: false,
        grounded: false, // whether there is something below its foot
        middle: middle, // azimuth that faces the phone at the start
        turn: 0, // degrees, by which people turned it on its foot
        unitsPerCm: contract.room.unitsPerCm,
        axes: math.flat(contract.orbitAxes),
        foot: new Float64Array(3), // below the target, where the object stands in the room, cm
        place: new Float64Array(3), // of the target in the room, cm
        up: new Float64Array([0, 1, 0]), // of the object in the room
        toWorld: new Float64Array(9), // rows: room axes x, y, z in the world of the photos
        phone: new Float64Array(9), // frame of the phone in the room
        seen: new Float64Array(9), // frame of a camera where the phone is, looking at the target
        away: new Float64Array(3), // from target to phone, world units
        local: new Float64Array(9),
        distance: 1,
        lens: { fx: 1, fy: 1, cx: 0, cy: 0 },
        facing: new Float64Array(9), // right, top and front of the picture in the room
        centre: new Float64Array(3), // of the picture, cm
        width: 1, // of the picture, cm
        height: 1
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

/** Sets the object up as large as it is or `size` times that; its foot stays. @param {World} world
 * @param {number} size */
function resize(world, size) {
    world.unitsPerCm = world.room.unitsPerCm / size;
    world.place[0] = world.foot[0];
    world.place[1] = world.foot[1] + world.room.foot / world.unitsPerCm;
    world.place[2] = world.foot[2];
}

/** Upright, the middle of the photos towards a level direction (x, z). @param {World} world
 * @param {number} x @param {number} z */
function face(world, x, z) {
    const frame = world.local, to = world.toWorld;
    const length = Math.sqrt(x * x + z * z);
    const bx = x / length, bz = z / length;
    math.lookAtFrame(frame, world.axes, world.middle, 0);
    // The room's right is (bz, 0, -bx), its back (bx, 0, bz): x = bz·right + bx·back, and so on.
    math.combine(to, 0, frame, 0, bz, frame, 6, bx);
    math.combine(to, 3, frame, 3, 1, frame, 3, 0);
    math.combine(to, 6, frame, 0, -bx, frame, 6, bz);
    world.placed = true;
}

/** Puts the object in front of the phone, the middle of the photos towards it.
 * @param {World} world @param {vec3} position cm @param {quat} rotation */
function anchor(world, position, rotation) {
    const phone = world.phone, ahead = world.room.distanceCm;
    axesOf(phone, rotation);
    world.grounded = false;
    world.foot[0] = position.x - ahead * phone[6];
    world.foot[1] = position.y - ahead * phone[7] - world.room.foot / world.unitsPerCm;
    world.foot[2] = position.z - ahead * phone[8];
    resize(world, world.room.unitsPerCm / world.unitsPerCm);
    // Level direction towards the viewer: the phone's back; if it looks straight down, opposite to
    // its top.
    if (phone[6] * phone[6] + phone[8] * phone[8] > 1e-6) {
        face(world, phone[6], phone[8]);
    } else if (phone[7] > 0) {
        face(world, -phone[3], -phone[5]);
    } else {
        face(world, phone[3], phone[5]);
    }
}

/** Puts the object's foot somewhere, the middle of the photos towards the phone.
 * @param {World} world @param {Float64Array} spot cm @param {vec3} position of the phone, cm
 * @param {boolean} grounded whether something is there */
function stand(world, spot, position, grounded) {
    const x = position.x - spot[0], z = position.z - spot[2];
    world.foot.set(spot);
    world.grounded = grounded;
    resize(world, world.room.unitsPerCm / world.unitsPerCm);
    // Who stands right above it sees it as it was.
    if (x * x + z * z > 1e-6) {
        face(world, x, z);
    }
}

/** Puts the object's foot where something else is, upright along its y and the middle of the photos along
 * its z. @param {World} world @param {vec3} position cm @param {quat} rotation
 * @param {number} size times its own */
function attach(world, position, rotation, size) {
    const own = world.phone, frame = world.local, to = world.toWorld, up = world.up;
    axesOf(own, rotation);
    world.unitsPerCm = world.room.unitsPerCm / size;
    const rise = world.room.foot / world.unitsPerCm;
    up[0] = own[3];
    up[1] = own[4];
    up[2] = own[5];
    world.foot[0] = position.x;
    world.foot[1] = position.y;
    world.foot[2] = position.z;
    math.combine(world.place, 0, world.foot, 0, 1, up, 0, rise);
    math.lookAtFrame(frame, world.axes, world.middle, 0);
    for (let axis = 0; axis < 3; axis++) {
        for (let k = 0; k < 3; k++) {
            to[3 * axis + k] = own[axis] * frame[k] + own[3 + axis] * frame[3 + k]
                + own[6 + axis] * frame[6 + k];
        }
    }
    world.placed = true;
}

/** Writes a vector of the room into the world of the photos. @param {World} world @param {Float64Array}
 * out @param {number} o @param {number} x @param {number} y @param {number} z */
function toWorld(world, out, o, x, y, z) {
    const to = world.toWorld;
    for (let k = 0; k < 3; k++) {
        out[o + k] = x * to[k] + y * to[3 + k] + z * to[6 + k];
    }
}

/** Sets where the phone is as seen from the object, and `rays.lookAt` to the camera there.
 *
 * Seen from where no photo was taken, the object turns with the viewer and shows the nearest side.
 *
 * @param {World} world @param {Rays} rays @param {Contract} contract @param {vec3} position cm */
function approach(world, rays, contract, position) {
    const away = world.away, unit = world.unitsPerCm;
    toWorld(world, away, 0, unit * (position.x - world.place[0]),
        unit * (position.y - world.place[1]), unit * (position.z - world.place[2]));
    const distance = Math.max(Math.sqrt(math.dot(away, 0, away, 0)), 1e-6);
    world.distance = distance;
    const up = math.dot(away, 0, world.axes, 6) / distance;
    const elevation = Math.asin(math.clamp(up, -1, 1)) / math.DEGREE;
    const bearing = Math.atan2(
        math.dot(away, 0, world.axes, 3), math.dot(away, 0, world.axes, 0)) / math.DEGREE;
    math.lookAtFrame(world.seen, world.axes, bearing, elevation);
    let azimuth = bearing + world.turn;
    azimuth -= 360 * Math.round((azimuth - world.middle) / 360);
    math.lookAtFrame(rays.lookAt, world.axes,
        contract.azimuth[1] - contract.azimuth[0] >= 360
            ? azimuth : math.clamp(azimuth, contract.azimuth[0], contract.azimuth[1]),
        math.clamp(elevation, contract.elevation[0], contract.elevation[1]));
}

/** Sets the rays of a camera as in training and the picture's place in the room: it faces the phone,
 * and the plane through the target is as large as it is there. Returns whether the phone is outside of
 * the object. @param {World} world @param {Rays} rays @param {Contract} contract
 * @param {ModelSpec} spec @param {vec3} position cm */
function pose(world, rays, contract, spec, position) {
    const facing = world.facing, seen = world.seen, to = world.toWorld, centre = world.centre;
    approach(world, rays, contract, position);
    rays.frame.set(rays.lookAt);
    const radius = math.clamp(world.distance, contract.radius[0], contract.radius[1]);
    const scale = radius / world.unitsPerCm;
    for (let row = 0; row < 9; row += 3) {
        for (let k = 0; k < 3; k++) {
            facing[row + k] = math.dot(seen, row, to, 3 * k);
        }
    }
    world.width = scale * spec.rayWidth / spec.fx;
    world.height = scale * spec.rayHeight / spec.fy;
    const right = scale * (spec.rayWidth / 2 - spec.cx) / spec.fx;
    const up = scale * (spec.cy - spec.rayHeight / 2) / spec.fy;
    for (let k = 0; k < 3; k++) {
        centre[k] = world.place[k] + right * facing[k] + up * facing[3 + k];
    }
    return world.distance > INSIDE * contract.ballRadius;
}

/** Sets the frame of a camera that is turned as the phone is, where the phone is.
 *
 * @param {World} world @param {Rays} rays @param {Contract} contract @param {vec3} position cm
 * @param {quat} rotation */
function turnTo(world, rays, contract, position, rotation) {
    const phone = world.phone, local = world.local;
    approach(world, rays, contract, position);
    axesOf(phone, rotation);
    for (let row = 0; row < 9; row += 3) {
        // In the frame that looks at the target from there …
        toWorld(world, rays.frame, row, phone[row], phone[row + 1], phone[row + 2]);
        for (let k = 0; k < 3; k++) {
            local[row + k] = math.dot(rays.frame, row, world.seen, 3 * k);
        }
    }
    for (let row = 0; row < 9; row += 3) {
        // … and out of the one that photos were taken in.
        for (let k = 0; k < 3; k++) {
            rays.frame[row + k] = local[row] * rays.lookAt[k] + local[row + 1] * rays.lookAt[3 + k]
                + local[row + 2] * rays.lookAt[6 + k];
        }
    }
}

/** Sets a part of what the phone's camera sees that has the rays of training: as far apart, where the
 * object is, as from the distance of the photos. Returns whether the object is ahead.
 *
 * @param {World} world @param {Rays} rays @param {Contract} contract @param {ModelSpec} spec
 * @param {vec3} position cm @param {quat} rotation */
function aim(world, rays, contract, spec, position, rotation) {
    const lens = world.lens, local = world.local;
    turnTo(world, rays, contract, position, rotation);
    // The target in the phone's frame: to the right, upwards, ahead.
    const distance = world.distance;
    const right = -local[2] * distance, up = -local[5] * distance, ahead = local[8] * distance;
    const radius = math.clamp(distance, contract.radius[0], contract.radius[1]);
    lens.fx = spec.fx * ahead / radius;
    lens.fy = spec.fy * ahead / radius;
    lens.cx = spec.cx - lens.fx * right / ahead;
    lens.cy = spec.cy + lens.fy * up / ahead;
    return ahead > INSIDE * contract.ballRadius;
}

module.exports = {
    aim: aim,
    anchor: anchor,
    attach: attach,
    createWorld: createWorld,
    pose: pose,
    resize: resize,
    stand: stand
};
