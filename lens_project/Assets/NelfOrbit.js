// Where the viewer is: azimuth and elevation in degrees, distance in world units, within what the
// photos showed. Drags turn the object, a flick spins it, after four idle seconds it rotates.
"use strict";
const clamp = require("./NelfMath").clamp;

const SPIN_SECONDS = 0.35; // in which inertia falls to a third
const SLOWEST_SPIN = 2; // degrees a second; slower is standing still
const IDLE_SECONDS = 4;
const TURNTABLE = 15; // degrees a second

/** @typedef {{azimuth: number[], elevation: number[], radius: number[], degreesAScreen: number}}
 * Limits degrees and world units */

/** @param {Limits} limits @param {number} nearer @param {number} further how far pinches go beyond the
 * distances of the photos, times them */
function createOrbit(limits, nearer, further) {
    return {
        azimuth: (limits.azimuth[0] + limits.azimuth[1]) / 2,
        elevation: (limits.elevation[0] + limits.elevation[1]) / 2,
        distance: (limits.radius[0] + limits.radius[1]) / 2,
        limits: limits,
        nearest: nearer * limits.radius[0],
        furthest: further * limits.radius[1],
        spinAzimuth: 0,
        spinElevation: 0,
        idle: 0,
        turntable: TURNTABLE,
        held: false,
        changed: true
    };
}

/** @typedef {ReturnType<typeof createOrbit>} Orbit */

/** @param {Orbit} orbit @param {number} azimuth degrees @param {number} elevation degrees */
function turn(orbit, azimuth, elevation) {
    const low = orbit.limits.azimuth[0], high = orbit.limits.azimuth[1];
    const azimuthBefore = orbit.azimuth, elevationBefore = orbit.elevation;
    orbit.azimuth += azimuth;
    if (high - low >= 360) {
        orbit.azimuth -= 360 * Math.floor((orbit.azimuth - low) / 360);
    } else {
        orbit.azimuth = clamp(orbit.azimuth, low, high);
    }
    orbit.elevation = clamp(
        orbit.elevation + elevation, orbit.limits.elevation[0], orbit.limits.elevation[1]);
    if (orbit.azimuth !== azimuthBefore || orbit.elevation !== elevationBefore) {
        orbit.changed = true;
    }
}

/** A finger moved by a part of the screen. The object follows it, so the camera goes the other way
 * round. @param {Orbit} orbit @param {number} dx @param {number} dy downwards */
function drag(orbit, dx, dy) {
    turn(orbit, -dx * orbit.limits.degreesAScreen, dy * orbit.limits.degreesAScreen);
}

/** Fingers touched the screen. @param {Orbit} orbit */
function hold(orbit) {
    orbit.held = true;
    orbit.idle = 0;
    orbit.spinAzimuth = 0;
    orbit.spinElevation = 0;
}

/** The last finger left at a speed in screens a second. @param {Orbit} orbit @param {number} dx
 * @param {number} dy */
function release(orbit, dx, dy) {
    orbit.held = false;
    orbit.spinAzimuth = -dx * orbit.limits.degreesAScreen;
    orbit.spinElevation = dy * orbit.limits.degreesAScreen;
}

/** @param {Orbit} orbit @param {number} distance world units */
function zoom(orbit, distance) {
    const before = orbit.distance;
    orbit.distance = clamp(distance, orbit.nearest, orbit.furthest);
    if (orbit.distance !== before) {
        orbit.changed = true;
    }
}

/** Lets time pass. @param {Orbit} orbit @param {number} seconds */
function advance(orbit, seconds) {
    if (orbit.held) {
        return;
    }
    const speed = Math.abs(orbit.spinAzimuth) + Math.abs(orbit.spinElevation);
    if (speed > SLOWEST_SPIN) {
        turn(orbit, orbit.spinAzimuth * seconds, orbit.spinElevation * seconds);
        const left = Math.exp(-seconds / SPIN_SECONDS);
        orbit.spinAzimuth *= left;
        orbit.spinElevation *= left;
        return;
    }
    orbit.idle += seconds;
    if (orbit.idle > IDLE_SECONDS) {
        const before = orbit.azimuth;
        turn(orbit, orbit.turntable * seconds, 0);
        if (orbit.azimuth === before) { // at a limit of the photos
            orbit.turntable = -orbit.turntable;
        }
    }
}

module.exports = {
    advance: advance,
    createOrbit: createOrbit,
    drag: drag,
    hold: hold,
    release: release,
    zoom: zoom
};
