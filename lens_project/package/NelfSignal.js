// What an object tells other scripts: they add functions that are called when it happens.
"use strict";

/** @returns {Signal} */
function createSignal() {
    /** @type {((value: any) => void)[]} */ const callbacks = [];
    /** @type {Signal} */ const signal = {
        add: function (callback) {
            callbacks.push(callback);
            if (signal.happened) {
                callback(signal.value);
            }
        },
        remove: function (callback) {
            const at = callbacks.indexOf(callback);
            if (at >= 0) {
                callbacks.splice(at, 1);
            }
        },
        callbacks: callbacks,
        happened: false,
        value: undefined
    };
    return signal;
}

/** @typedef {{add: (callback: (value: any) => void) => void,
 *     remove: (callback: (value: any) => void) => void,
 *     callbacks: ((value: any) => void)[], happened: boolean, value: any}} Signal */

/** @param {Signal} signal @param {any} value */
function send(signal, value) {
    signal.callbacks.slice().forEach(function (callback) {
        callback(value);
    });
}

/** Who comes later is told as well. @param {Signal} signal @param {any} value */
function sendOnce(signal, value) {
    signal.happened = true;
    signal.value = value;
    send(signal, value);
}

module.exports = { createSignal: createSignal, send: send, sendOnce: sendOnce };
