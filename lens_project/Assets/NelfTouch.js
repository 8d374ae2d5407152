// Fingers to gestures: one drags, two pinch. Positions are fractions of the screen, y downwards.
"use strict";
const orbits = require("./NelfOrbit");

const SPEED_SECONDS = 0.03; // over which the speed of a finger is averaged
const STILL_SECONDS = 0.1; // a finger held for so long sets nothing in motion
// Phones swallow the end of a touch when a call comes or another app is opened. After so long without
// a word of it, the next finger is the first; after so long again, nobody is there.
const TAP_SECONDS = 0.35; // a finger that is up again so soon, and did not move, taps
const TAP_WAY = 0.02; // in parts of the screen
const STALE_SECONDS = 1.5;
const LOST_SECONDS = 8;

function createTouch() {
    return {
        first: { id: -1, x: 0, y: 0 },
        second: { id: -1, x: 0, y: 0 },
        span: 0, // between two fingers when the second came, in heights of the screen
        distance: 0, // of the viewer then
        movedX: 0, // since the last frame
        movedY: 0,
        speedX: 0, // screens a second
        speedY: 0,
        still: 0, // seconds since a finger moved
        silent: 0, // seconds since any touch
        held: 0, // seconds since the first finger came
        way: Infinity // that it went; infinite once there were two
    };
}

/** @typedef {ReturnType<typeof createTouch>} Touch */
/** @typedef {import("./NelfOrbit").Orbit} Orbit */

/** @param {Touch} touch @param {number} aspect */
function spanOf(touch, aspect) {
    const dx = (touch.second.x - touch.first.x) * aspect, dy = touch.second.y - touch.first.y;
    return Math.max(Math.sqrt(dx * dx + dy * dy), 0.01);
}

/** @param {{id: number, x: number, y: number}} finger @param {number} id @param {vec2} position */
function place(finger, id, position) {
    finger.id = id;
    finger.x = position.x;
    finger.y = position.y;
}

/** @param {Touch} touch @param {Orbit} orbit @param {TouchStartEvent} event @param {number} aspect
 * columns to rows of the screen */
function onStart(touch, orbit, event, aspect) {
    const id = event.getTouchId();
    if (touch.first.id >= 0 && touch.silent > STALE_SECONDS) {
        forget(touch, orbit);
    }
    touch.silent = 0;
    if (touch.first.id < 0 || touch.first.id === id) {
        place(touch.first, id, event.getTouchPosition());
        touch.speedX = touch.speedY = touch.movedX = touch.movedY = 0;
        touch.held = touch.way = 0;
        orbits.hold(orbit);
    } else if (touch.second.id < 0 || touch.second.id === id) {
        place(touch.second, id, event.getTouchPosition());
        touch.span = spanOf(touch, aspect);
        touch.way = Infinity;
        touch.distance = orbit.distance;
    }
}

/** @param {Touch} touch @param {Orbit} orbit @param {TouchMoveEvent} event @param {number} aspect */
function onMove(touch, orbit, event, aspect) {
    const id = event.getTouchId();
    if (touch.first.id < 0) {
        onStart(touch, orbit, event, aspect); // it was taken for lost
        return;
    }
    if (id !== touch.first.id && id !== touch.second.id) {
        return;
    }
    touch.silent = 0;
    const finger = id === touch.first.id ? touch.first : touch.second;
    const position = event.getTouchPosition();
    const dx = position.x - finger.x, dy = position.y - finger.y;
    finger.x = position.x;
    finger.y = position.y;
    if (touch.second.id >= 0) {
        orbits.zoom(orbit, touch.distance * touch.span / spanOf(touch, aspect));
        return;
    }
    orbits.drag(orbit, dx, dy);
    touch.way += Math.abs(dx) + Math.abs(dy);
    touch.movedX += dx;
    touch.movedY += dy;
}

/** Returns whether that was a tap, at the place of the first finger. @param {Touch} touch
 * @param {Orbit} orbit @param {TouchEndEvent} event */
function onEnd(touch, orbit, event) {
    const id = event.getTouchId();
    const tapped = id === touch.first.id && touch.held < TAP_SECONDS && touch.way < TAP_WAY;
    if (id === touch.second.id) {
        touch.second.id = -1;
    } else if (id === touch.first.id && touch.second.id >= 0) {
        // The other finger continues as the only one.
        touch.first.id = touch.second.id;
        touch.first.x = touch.second.x;
        touch.first.y = touch.second.y;
        touch.second.id = -1;
    } else if (id === touch.first.id) {
        touch.first.id = -1;
        const moving = touch.still < STILL_SECONDS ? 1 : 0;
        orbits.release(orbit, moving * touch.speedX, moving * touch.speedY);
    }
    if (touch.first.id >= 0) {
        touch.speedX = touch.speedY = touch.movedX = touch.movedY = 0;
    }
    return tapped;
}

/** Takes all fingers for lifted, wherever they are. @param {Touch} touch @param {Orbit} orbit */
function forget(touch, orbit) {
    touch.first.id = touch.second.id = -1;
    orbits.release(orbit, 0, 0);
}

/** Measures the speed of a finger, and for how long it has been still. @param {Touch} touch
 * @param {Orbit} orbit @param {number} seconds of this frame */
function advance(touch, orbit, seconds) {
    touch.silent += seconds;
    touch.held += seconds;
    if (touch.first.id >= 0 && touch.silent > LOST_SECONDS) {
        forget(touch, orbit);
    }
    const kept = Math.exp(-seconds / SPEED_SECONDS);
    if (seconds > 0) {
        touch.speedX = kept * touch.speedX + (1 - kept) * touch.movedX / seconds;
        touch.speedY = kept * touch.speedY + (1 - kept) * touch.movedY / seconds;
    }
    touch.still = touch.movedX === 0 && touch.movedY === 0 ? touch.still + seconds : 0;
    touch.movedX = touch.movedY = 0;
}

module.exports = {
    advance: advance,
    createTouch: createTouch,
    forget: forget,
    onEnd: onEnd,
    onMove: onMove,
    onStart: onStart
};
