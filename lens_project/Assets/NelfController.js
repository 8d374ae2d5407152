// Shows a neural light field: an object that turns under the finger, or that stands in the room.
// Made by mobile-nelf; plain JavaScript. NelfContract.js holds what model and scripts agree on.
//
// The rays of a view go into the model's inputs, and the model draws a picture, always as it was trained to.
// With a material that picture is on a surface of its own, which the host scales and places. Without one an
// object in the room is cut out of what a second camera draws, by a mask, and an object on the screen is what
// the camera's render target is cleared with.

//@input Asset.MLAsset model {"hint":"model.onnx of this project"}
//@input Asset.MLAsset smallModel {"hint":"small.onnx of this project, for slow phones; else model.onnx"}
//@input Asset.Material material {"hint":"Image, or any material whose Base Texture is switched on"}
//@input Component.Camera statusCamera {"hint":"Orthographic camera of this lens, for its messages"}
//@input Component.Camera pictureCamera {"hint":"Orthographic camera that shows the object without a material"}
//@input Asset.Texture colourCrop {"hint":"Nelf Colour, for a lens without a material"}
//@input Asset.Texture maskCrop {"hint":"Nelf Mask, for a lens without a material"}
//@input bool shadow = true {"hint":"A soft shadow below an object that was put on something in the room"}
//@input bool flipY = false {"hint":"Enable if the image appears upside down"}
//@input bool showFps = false {"hint":"Frames a second on the screen"}
"use strict";

const CONTRACT = require("./NelfContract");
const masks = require("./NelfMask");
const math = require("./NelfMath");
const models = require("./NelfModel");
const orbits = require("./NelfOrbit");
const pictures = require("./NelfPicture");
const rayMaps = require("./NelfRays");
const rooms = require("./NelfRoom");
const screens = require("./NelfScreen");
const statuses = require("./NelfStatus");
const surfaces = require("./NelfSurface");
const touches = require("./NelfTouch");
const uploads = require("./NelfUploads");
const worlds = require("./NelfWorld");

const MAX_STEP = 0.1; // seconds of motion in a frame, however long a pause was
// How far a pinch goes beyond the distances of the photos; the picture is larger or smaller there.
const NEARER = 0.5;
const FURTHER = 2;
const AHEAD = 10; // of the camera, where the surface is when it does not stand in a room

const owner = script.getSceneObject();
const camera = owner.getComponent("Component.Camera");
const transform = owner.getTransform();
const target = /** @type {RenderTargetProvider} */ (camera.renderTarget.control);
const axes = math.flat(CONTRACT.orbitAxes);
const inRoom = CONTRACT.experience === "world";
const picture = script.material
    ? pictures.createPicture(owner, script.material, inRoom, inRoom && script.shadow) : null;
const mask = !picture && inRoom && script.pictureCamera && script.colourCrop && script.maskCrop
    ? masks.createMask(script.pictureCamera, script.colourCrop, script.maskCrop) : null;
const screen = !picture && !inRoom && script.colourCrop
    ? screens.createScreen(target, script.colourCrop) : null;
const orbit = orbits.createOrbit(CONTRACT, NEARER, FURTHER);
const touch = touches.createTouch();
const room = inRoom ? rooms.createRoom(owner, CONTRACT.degreesAScreen) : null;
const hand = room ? room.hand : orbit; // what fingers move
const world = worlds.createWorld(CONTRACT);
const rays = rayMaps.createRays();
const status = statuses.createStatus(script.statusCamera || camera, CONTRACT.background);
const model = models.createModel(owner, CONTRACT, script,
    { onReady: onReady, onDrawn: onDrawn, onFailed: onFailed, onRemark: onRemark });
let ready = false;
let shownAspect = 0;
let ranLast = false; // in the frame before
let visible = true; // whether the object is on the screen

/** @param {string} reason */
function onFailed(reason) {
    statuses.fail(status, reason);
}

/** @param {string} note */
function onRemark(note) {
    statuses.remark(status, note);
}

// The view is drawn anew whenever another model is there.
function onReady() {
    shownAspect = 0;
    if (ready) {
        return;
    }
    ready = true;
    script.createEvent("TouchStartEvent").bind(function (event) {
        touches.onStart(touch, hand, event, aspectOfScreen());
    });
    script.createEvent("TouchMoveEvent").bind(function (event) {
        touches.onMove(touch, hand, event, aspectOfScreen());
    });
    script.createEvent("TouchEndEvent").bind(function (event) {
        if (touches.onEnd(touch, hand, event) && room) {
            rooms.tap(room, world, touch.first.x, touch.first.y, transform.getWorldPosition());
        }
    });
    // What happens to fingers while the lens sleeps, it is not told.
    script.createEvent("OnPauseEvent").bind(forgetFingers);
    script.createEvent("TurnOffEvent").bind(forgetFingers);
    script.createEvent("UpdateEvent").bind(inRoom ? updateWorld : updateOrbit);
}

function forgetFingers() {
    touches.forget(touch, hand);
}

// The texture exists only once the model has run, and the object may have left the screen since.
function onDrawn() {
    if (visible) {
        show();
    }
}

function show() {
    visible = true;
    if (picture) {
        pictures.show(picture, model.texture);
    } else if (mask) {
        masks.show(mask, model);
    } else if (screen) {
        screens.show(screen, model.texture);
    }
}

// Nothing of the object is on the screen.
function hide() {
    visible = false;
    if (picture) {
        pictures.hide(picture);
    } else if (mask) {
        masks.hide(mask);
    }
}

function aspectOfScreen() {
    return camera.renderTarget.getWidth() / camera.renderTarget.getHeight();
}

function draw() {
    uploads.fillInputs(CONTRACT, rays, model.inputs, model.spec);
    models.run(model);
    ranLast = true;
}

/** Counts a frame, lets the model follow the phone's pace, and moves what fingers set in motion.
 * Returns the seconds of motion. @param {number} seconds */
function begin(seconds) {
    if (ranLast) {
        models.watch(model, seconds);
    }
    if (script.showFps) {
        statuses.count(status, seconds);
    }
    ranLast = false;
    const step = Math.min(seconds, MAX_STEP);
    touches.advance(touch, hand, step);
    return step;
}

/** @param {UpdateEvent} event */
function updateOrbit(event) {
    const aspect = aspectOfScreen();
    orbits.advance(orbit, begin(event.getDeltaTime()));
    if (!isFinite(aspect) || (aspect === shownAspect && !orbit.changed)) {
        return;
    }
    shownAspect = aspect;
    orbit.changed = false;
    math.lookAtFrame(rays.lookAt, axes, orbit.azimuth, orbit.elevation);
    rays.frame.set(rays.lookAt);
    placeOnScreen();
    draw();
}

/** The whole picture fits on the screen at the distances of the photos, and is larger or smaller
 * beyond. */
function placeOnScreen() {
    const spec = model.spec, size = camera.getOrthographicSize();
    const radius = math.clamp(orbit.distance, CONTRACT.radius[0], CONTRACT.radius[1]);
    rayMaps.setMap(rays, CONTRACT, radius, spec);
    const wide = spec.rayWidth / spec.fx, high = spec.rayHeight / spec.fy;
    const scale = Math.min(size.x / wide, size.y / high) * radius / orbit.distance;
    // The output has a border around the picture.
    const width = scale * wide * spec.output.shape[0] / spec.pictureWidth;
    const height = scale * high * spec.output.shape[1] / spec.pictureHeight;
    if (picture) {
        world.centre[2] = -AHEAD;
        world.facing[0] = world.facing[4] = world.facing[8] = 1;
        surfaces.place(picture.surface, world.centre, world.facing, width, height);
    } else if (screen) {
        screens.place(screen, width / size.x, height / size.y);
    }
}

/** @param {UpdateEvent} event */
function updateWorld(event) {
    const step = begin(event.getDeltaTime());
    const position = transform.getWorldPosition(), rotation = transform.getWorldRotation();
    const seen = room !== null && rooms.advance(room, world, position, rotation, step)
        && findInRoom(position, rotation);
    if (!seen) {
        hide();
        return;
    }
    if (!visible) {
        show();
    }
    draw();
}

/** Returns whether it can be seen. @param {vec3} position of the phone @param {quat} rotation */
function findInRoom(position, rotation) {
    if (picture) {
        return pictures.placeInRoom(
            picture, world, rays, CONTRACT, model, camera, position, world.grounded);
    }
    return mask !== null && masks.placeInRoom(
        mask, world, rays, CONTRACT, model, camera, position, rotation);
}

/** Returns whether the phone can. @param {import("./NelfRoom").Room} room */
function startInRoom(room) {
    if (!rooms.start(room, script)) {
        onFailed("This phone cannot tell where it is in the room, which this lens needs.");
        return false;
    }
    script.createEvent("CameraFrontEvent").bind(function () {
        rooms.toFront(room);
    });
    script.createEvent("CameraBackEvent").bind(function () {
        rooms.toBack(room, world);
    });
    if (global.scene.getCameraType() === "front") {
        rooms.toFront(room);
    }
    return true;
}

function onStart() {
    if (!script.model) {
        onFailed("No model. Select the object 'Nelf Camera' and drag model.onnx from the Asset "
            + "Browser onto the field Model of NelfController.");
        return;
    }
    if (!picture && !mask && !screen) {
        onFailed("No material. In the Asset Browser choose + and the material Image, then drag it "
            + "onto the field Material of NelfController, which is on 'Nelf Camera'.");
        return;
    }
    if (room && !startInRoom(room)) {
        return;
    }
    onRemark(picture ? "the picture is on a surface with the material"
        : mask ? "no material, so a mask cuts the object out"
            : "no material, so the picture fills the screen");
    // Touches stay with the lens, but for the one that turns the camera round.
    global.touchSystem.touchBlocking = true;
    global.touchSystem.enableTouchBlockingException("TouchTypeDoubleTap", true);
    models.load(model, 0);
}

script.createEvent("OnStartEvent").bind(onStart);
