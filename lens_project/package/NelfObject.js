// A neural light field in a lens that exists already: it stands where its scene object is, as a child of
// anything. Made by mobile-nelf; plain JavaScript. NelfContract.js holds what model and scripts agree on.
//
// Nothing of the lens around it is touched: no render target, no camera, no tracking, no touch blocking.
// Scripts can use what is listed in NelfObjectTypes.ts.

//@input Asset.MLAsset model {"hint":"model.onnx of this package"}
//@input Asset.MLAsset smallModel {"hint":"small.onnx of this package, for slow phones; else model.onnx"}
//@input Asset.Material material {"hint":"Image, or any material whose Base Texture is switched on"}
//@input Component.Camera camera {"hint":"Perspective camera of your lens that shows the object"}
//@input float sizeCm = 0.0 {"hint":"Height in centimetres; 0 for the one that it was made with"}
//@input string interaction = "turn" {"hint":"What fingers do","widget":"combobox","values":[{"label":"None","value":"none"},{"label":"Turn","value":"turn"},{"label":"Turn and size","value":"size"},{"label":"Place, turn and size","value":"place"}]}
//@input float idleTurn = 0.0 {"hint":"Degrees a second, after four seconds without a touch"}
//@input string quality = "auto" {"hint":"Auto follows the phone's pace","widget":"combobox","values":[{"label":"Auto","value":"auto"},{"label":"Full","value":"full"},{"label":"Small","value":"small"}]}
//@input bool shadow = true {"hint":"A soft shadow below the object; off where it stands on nothing"}
//@input bool flipY = false {"hint":"Enable if the image appears upside down"}
"use strict";

const CONTRACT = require("./NelfContract");
const models = require("./NelfModel");
const orbits = require("./NelfOrbit");
const pictures = require("./NelfPicture");
const rayMaps = require("./NelfRays");
const signals = require("./NelfSignal");
const touches = require("./NelfTouch");
const uploads = require("./NelfUploads");
const worlds = require("./NelfWorld");

const MAX_STEP = 0.1; // seconds of motion in a frame, however long a pause was
const SMALLEST = 0.25; // times its size
const LARGEST = 4;
const FURTHEST = 1000; // centimetres from the camera at which a tap still places
const LEVEL = 0.7; // of a surface: how much of its normal points up

const owner = script.getSceneObject();
const transform = owner.getTransform();
const sizes = script.interaction === "size" || script.interaction === "place";
const touch = touches.createTouch();
const hand = orbits.createOrbit({
    azimuth: [-180, 180], elevation: [0, 0], radius: [1, 1],
    degreesAScreen: script.interaction === "none" ? 0 : CONTRACT.degreesAScreen
}, sizes ? 1 / LARGEST : 1, sizes ? 1 / SMALLEST : 1);
const world = worlds.createWorld(CONTRACT);
const rays = rayMaps.createRays();
const drawn = new Float64Array(rays.map.length); // the map of the last run
const model = models.createModel(owner, CONTRACT, {
    model: script.model, smallModel: script.smallModel, flipY: script.flipY
}, { onReady: onReady, onDrawn: onDrawn, onFailed: onFailed, onRemark: onRemark });
/** @type {import("./NelfPicture").Picture | null} */ let picture = null;
let isCurrent = false; // the model's picture, of the model that draws now
let ranLast = false; // in the frame before
let visible = false;

hand.turntable = script.idleTurn;
// The size that was asked for, against the one that the package was made with.
const size = script.sizeCm > 0
    ? script.sizeCm * CONTRACT.room.unitsPerCm / CONTRACT.room.height : 1;

script.isReady = false;
script.onReady = signals.createSignal();
script.onFailed = signals.createSignal();
script.onPlaced = signals.createSignal();
script.onTapped = signals.createSignal();
script.place = place;

/** @param {string} reason */
function onFailed(reason) {
    print("NelfObject: " + reason);
    signals.sendOnce(script.onFailed, reason);
}

/** @param {string} note */
function onRemark(note) {
    print("NelfObject: " + note);
}

function onReady() {
    isCurrent = false;
    if (script.isReady) {
        return;
    }
    script.isReady = true;
    script.createEvent("TouchStartEvent").bind(function (event) {
        const at = event.getTouchPosition();
        // Touches elsewhere are none of its business.
        if (script.interaction === "place" || touch.first.id >= 0 || isAt(at.x, at.y)) {
            touches.onStart(touch, hand, event, aspectOfScreen());
        }
    });
    script.createEvent("TouchMoveEvent").bind(function (event) {
        if (touch.first.id >= 0) {
            touches.onMove(touch, hand, event, aspectOfScreen());
        }
    });
    script.createEvent("TouchEndEvent").bind(function (event) {
        if (touches.onEnd(touch, hand, event)) {
            tap(touch.first.x, touch.first.y);
        }
    });
    script.createEvent("OnPauseEvent").bind(forgetFingers);
    script.createEvent("TurnOffEvent").bind(forgetFingers);
    script.createEvent("UpdateEvent").bind(update);
    signals.sendOnce(script.onReady, undefined);
}

function forgetFingers() {
    touches.forget(touch, hand);
}

// The object may have left the screen since.
function onDrawn() {
    if (visible && picture) {
        pictures.show(picture, model.texture);
    }
}

function aspectOfScreen() {
    return eye().renderTarget.getWidth() / eye().renderTarget.getHeight();
}

/** The camera; onStart makes sure that there is one. */
function eye() {
    return /** @type {Camera} */ (script.camera);
}

function eyePosition() {
    return eye().getSceneObject().getTransform().getWorldPosition();
}

/** @param {UpdateEvent} event */
function update(event) {
    const seconds = event.getDeltaTime(), step = Math.min(seconds, MAX_STEP);
    if (ranLast) {
        models.watch(model, seconds);
    }
    ranLast = false;
    touches.advance(touch, hand, step);
    orbits.advance(hand, step);
    stand();
    if (picture) {
        show(picture);
    }
}

/** @param {import("./NelfPicture").Picture} picture */
function show(picture) {
    visible = pictures.placeInRoom(
        picture, world, rays, CONTRACT, model, eye(), eyePosition(), true);
    if (!visible) {
        pictures.hide(picture);
        return;
    }
    pictures.show(picture, model.texture);
    if (!isCurrent || differs(drawn, rays.map)) {
        drawn.set(rays.map);
        isCurrent = true;
        ranLast = true;
        uploads.fillInputs(CONTRACT, rays, model.inputs, model.spec);
        models.run(model);
    }
}

/** Follows its scene object. */
function stand() {
    world.turn = hand.azimuth;
    worlds.attach(world, transform.getWorldPosition(), transform.getWorldRotation(),
        size * transform.getWorldScale().y / hand.distance);
}

/** @param {Float64Array} a @param {Float64Array} b */
function differs(a, b) {
    for (let i = 0; i < a.length; i++) {
        if (a[i] !== b[i]) {
            return true;
        }
    }
    return false;
}

/** Whether a point of the screen is on the object, taken for a ball of its height.
 * @param {number} x @param {number} y */
function isAt(x, y) {
    stand();
    const from = eyePosition(), to = eye().screenSpaceToWorldSpace(new vec2(x, y), 100);
    const dx = to.x - from.x, dy = to.y - from.y, dz = to.z - from.z;
    const half = CONTRACT.room.height / 2 / world.unitsPerCm;
    const rise = half - CONTRACT.room.foot / world.unitsPerCm; // of its middle above the target
    const px = world.place[0] + rise * world.up[0] - from.x;
    const py = world.place[1] + rise * world.up[1] - from.y;
    const pz = world.place[2] + rise * world.up[2] - from.z;
    const way = (px * dx + py * dy + pz * dz) / (dx * dx + dy * dy + dz * dz);
    const ox = px - way * dx, oy = py - way * dy, oz = pz - way * dz;
    return visible && way > 0 && ox * ox + oy * oy + oz * oz <= half * half;
}

/** @param {number} x @param {number} y */
function tap(x, y) {
    if (isAt(x, y)) {
        signals.send(script.onTapped, undefined);
        return;
    }
    const spot = script.interaction === "place" ? spotAt(x, y) : null;
    if (spot) {
        place(spot);
    }
}

/** Where somebody tapped: on the mesh of the room, if the lens around has one, or at the height on which
 * the object stands. @param {number} x @param {number} y */
function spotAt(x, y) {
    const tracking = eye().getSceneObject().getComponent("Component.DeviceTracking");
    if (tracking && tracking.worldOptions.enableWorldMeshesTracking
        && tracking.worldTrackingCapabilities.sceneReconstructionSupported) {
        const found = tracking.hitTestWorldMesh(new vec2(x, y));
        if (found.length > 0 && found[0].normal.y > LEVEL) {
            return found[0].position;
        }
    }
    const from = eyePosition(), to = eye().screenSpaceToWorldSpace(new vec2(x, y), 100);
    const dx = to.x - from.x, dy = to.y - from.y, dz = to.z - from.z;
    const way = (transform.getWorldPosition().y - from.y) / dy;
    return way > 0 && way * Math.sqrt(dx * dx + dy * dy + dz * dz) < FURTHEST
        ? new vec3(from.x + way * dx, from.y + way * dy, from.z + way * dz) : null;
}

/** Puts the scene object somewhere, upright, the middle of the photos towards the camera.
 * @param {vec3} position of its foot, cm */
function place(position) {
    transform.setWorldPosition(position);
    if (script.camera) {
        const from = eyePosition();
        const half = Math.atan2(from.x - position.x, from.z - position.z) / 2;
        transform.setWorldRotation(new quat(Math.cos(half), 0, Math.sin(half), 0));
    }
    hand.azimuth = 0;
    signals.send(script.onPlaced, position);
}

function onStart() {
    if (!script.model) {
        onFailed("No model. Drag model.onnx of this package onto the field Model of NelfObject.");
        return;
    }
    if (!script.camera) {
        onFailed("No camera. Drag the camera of your lens onto the field Camera of NelfObject.");
        return;
    }
    if (!script.material) {
        onFailed("No material. In the Asset Browser choose + and the material Image, then drag it "
            + "onto the field Material of NelfObject.");
        return;
    }
    picture = pictures.createPicture(owner, script.material, true, script.shadow);
    pictures.attach(picture, owner);
    model.alone = script.quality !== "auto";
    models.load(model, script.quality === "small" && CONTRACT.models.length > 1 ? 1 : 0);
}

script.createEvent("OnStartEvent").bind(onStart);
