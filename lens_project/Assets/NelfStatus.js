// Text on the screen: why nothing is shown, what to do, and frames a second for developers.
"use strict";

const FPS_SECONDS = 0.5; // between two readings

/** @param {Camera} camera orthographic: under any other, texts of the screen are not placed
 * @param {number[]} background */
function createStatus(camera, background) {
    return {
        owner: camera.getSceneObject(),
        shade: background[0] + background[1] + background[2] > 1.5 ? 0 : 1,
        /** @type {Text | null} */ text: null,
        failed: false,
        hint: "",
        frames: 0,
        seconds: 0,
        note: ""
    };
}

/** @typedef {ReturnType<typeof createStatus>} Status */

/** @param {Status} status @param {string} message */
function write(status, message) {
    if (!status.text) {
        const object = global.scene.createSceneObject("Status");
        object.setParent(status.owner);
        object.layer = status.owner.layer;
        const place = object.createComponent("Component.ScreenTransform");
        place.anchors = Rect.create(-0.9, 0.9, -0.9, 0.9);
        place.position = new vec3(0, 0, -10); // between the camera's near and far planes
        status.text = object.createComponent("Component.Text");
        status.text.size = 40;
        status.text.horizontalOverflow = HorizontalOverflow.Wrap;
        status.text.textFill.color = new vec4(status.shade, status.shade, status.shade, 1);
    }
    status.text.text = message;
}

/** Says why the lens does not work; the Logger gets the same line. @param {Status} status
 * @param {string} reason */
function fail(status, reason) {
    print("NelfController: " + reason);
    status.failed = true;
    write(status, reason);
}

/** Asks people for something, as long as it is needed; empty for nothing. @param {Status} status
 * @param {string} hint */
function ask(status, hint) {
    if (hint === status.hint) {
        return;
    }
    status.hint = hint;
    if (!status.failed) {
        write(status, hint);
    }
}

/** Adds something to the line of frames a second. @param {Status} status @param {string} note */
function remark(status, note) {
    print("NelfController: " + note);
    status.note = ", " + note;
}

/** Counts a frame and shows how many there are in a second. @param {Status} status
 * @param {number} seconds */
function count(status, seconds) {
    status.frames += 1;
    status.seconds += seconds;
    if (status.seconds < FPS_SECONDS || status.failed || status.hint) {
        return;
    }
    write(status, Math.round(status.frames / status.seconds) + " FPS" + status.note);
    status.frames = 0;
    status.seconds = 0;
}

module.exports = { ask: ask, count: count, createStatus: createStatus, fail: fail, remark: remark };
