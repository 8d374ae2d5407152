// Whether the phone keeps up: the middle of many frame times, so that one long frame (the first on a
// neural engine, a call, the start of a recording) changes nothing.
"use strict";

const SLOW_FRAME = 1 / 15; // seconds; Lenses must reach 15 frames a second
const EASY_FRAME = 1 / 28; // seconds; a phone that has time left
const WATCHED_FRAMES = 31;
const WARM_UP_SECONDS = 1; // after a model was loaded
const RETRY_SECONDS = 20; // of easy frames before the full picture is tried again
const RETRY_GROWTH = 3; // how much longer that takes each further time

function createPace() {
    return {
        times: new Float64Array(WATCHED_FRAMES),
        sorted: new Float64Array(WATCHED_FRAMES),
        count: 0,
        warm: 0, // seconds since the model was loaded
        easy: 0, // seconds of easy frames in a row
        retry: RETRY_SECONDS
    };
}

/** @typedef {ReturnType<typeof createPace>} Pace */

/** Another model draws from now on. @param {Pace} pace */
function restart(pace) {
    pace.count = 0;
    pace.warm = 0;
    pace.easy = 0;
}

/** @param {Pace} pace */
function medianOf(pace) {
    const sorted = pace.sorted;
    sorted.set(pace.times);
    for (let i = 1; i < WATCHED_FRAMES; i++) {
        const value = sorted[i];
        let at = i;
        for (; at > 0 && sorted[at - 1] > value; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = value;
    }
    return sorted[(WATCHED_FRAMES - 1) / 2];
}

/** Takes the time of a frame in which the model ran. Returns -1 if a smaller picture is needed, 1 if a
 * larger one can be tried, else 0. @param {Pace} pace @param {number} seconds */
function judge(pace, seconds) {
    pace.warm += seconds;
    if (pace.warm < WARM_UP_SECONDS) {
        return 0;
    }
    pace.times[pace.count] = seconds;
    pace.count += 1;
    if (pace.count < WATCHED_FRAMES) {
        return 0;
    }
    pace.count = 0;
    const median = medianOf(pace);
    if (median > SLOW_FRAME) {
        pace.easy = 0;
        return -1;
    }
    pace.easy = median < EASY_FRAME ? pace.easy + WATCHED_FRAMES * median : 0;
    if (pace.easy < pace.retry) {
        return 0;
    }
    pace.retry *= RETRY_GROWTH;
    pace.easy = 0;
    return 1;
}

module.exports = { createPace: createPace, judge: judge, restart: restart };
