// The inner end of the bridge: messages are text and arrays of float32 values, packed into one string.
"use strict";
const { LensApiError } = require("./documented");
const { bridge } = require("./outside");

// Kept from before any script runs: scripts may change what belongs to everybody.
const { Float32Array, Uint16Array } = globalThis;
const { parse, stringify } = JSON;
const { apply } = Reflect;
const { fromCharCode } = String;
const { indexOf, slice } = String.prototype;

// Code units that `fromCharCode` takes at once.
const AT_ONCE = 8192;
const UNITS_A_VALUE = 2;

function packed(array) {
    let text = "";
    for (let at = 0; at < UNITS_A_VALUE * array.length; at += AT_ONCE) {
        const count = Math.min(AT_ONCE, UNITS_A_VALUE * array.length - at);
        text += apply(fromCharCode, undefined,
            new Uint16Array(array.buffer, array.byteOffset + at * Uint16Array.BYTES_PER_ELEMENT, count));
    }
    return text;
}

function unpacked(text, at, length) {
    const units = new Uint16Array(UNITS_A_VALUE * length);
    for (let i = 0; i < units.length; i++) {
        units[i] = text.charCodeAt(at + i);
    }
    return new Float32Array(units.buffer);
}

// One string of a message.
function encode(header, arrays) {
    const text = stringify({ ...header, arrays: arrays.map((array) => array.length) });
    return `${text}\n${arrays.map(packed).join("")}`;
}

function decode(message) {
    const end = apply(indexOf, message, ["\n"]);
    const header = parse(apply(slice, message, [0, end]));
    let at = end + 1;
    const arrays = header.arrays.map((length) => {
        const array = unpacked(message, at, length);
        at += UNITS_A_VALUE * length;
        return array;
    });
    return { header, arrays };
}

// From here on scripts run, or the stand-in does: only their time counts.
const enter = () => bridge("enter");
const leave = () => bridge("leave");

// Sends a request to the Python side and returns its answer.
function ask(header, arrays) {
    const message = encode(header, arrays);
    let answer = null;
    try {
        answer = bridge(message);
    } catch {
        // An error of the other side must not come in.
    }
    if (typeof answer !== "string") {
        throw new LensApiError("the model could not be run");
    }
    return decode(answer);
}

module.exports = { ask, decode, encode, enter, leave };
