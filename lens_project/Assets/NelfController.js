// Shows a neural light field: an object that turns under the finger, or that stands in the room.
// Made by mobile-nelf; plain JavaScript. NelfContract.js holds what model and scripts agree on.
//
// The rays of a view go into the model's inputs, and the model draws a picture. With a material that
// picture is on a surface of its own, which the host scales and places. Without one an object in the room
// is cut out of what a second camera draws, by a mask. What has neither is what the camera's render
// target is cleared with, stretched to the screen; NelfRays spaces the rays so that the stretch cancels.

//@input Asset.MLAsset model {"hint":"model.onnx of this project"}
//@input Asset.MLAsset smallModel {"hint":"small.onnx of this project, for slow phones; else model.onnx"}
//@input Asset.Material material {"hint":"Image, or any material whose Base Texture is switched on"}
//@input Asset.Texture cameraTexture {"hint":"Device Camera Texture"}
//@input Component.Camera statusCamera {"hint":"Orthographic camera of this lens, for its messages"}
//@input Component.Camera pictureCamera {"hint":"Orthographic camera that shows the object without a material"}
//@input Asset.Texture colourCrop {"hint":"Nelf Colour, for a lens without a material"}
//@input Asset.Texture maskCrop {"hint":"Nelf Mask, for a lens without a material"}
//@input bool shadow = true {"hint":"A soft shadow below an object that was put on something in the room"}
//@input bool flipY = false {"hint":"Enable if the image appears upside down"}
//@input bool showFps = false {"hint":"Frames a second on the screen"}
"use strict";

const CONTRACT = require("./NelfContract");
const lenses = require("./NelfLens");
const masks = require("./NelfMask");
const math = require("./NelfMath");
const models = require("./NelfModel");
const orbits = require("./NelfOrbit");
const pictures = require("./NelfPicture");
const rayMaps = require("./NelfRays");
const rooms = require("./NelfRoom");
const statuses = require("./NelfStatus");
const surfaces = require("./NelfSurface");
const touches = require("./NelfTouch");
const uploads = require("./NelfUploads");
const worlds = require("./NelfWorld");

const MAX_STEP = 0.1; // seconds of motion in a frame, however long a pause was
// How far a pinch goes beyond the distances of the photos. A surface is larger or smaller on the
// screen. Without one the picture cannot come nearer, since it would be cut off at its border.
const NEARER = 0.5;
const FURTHER = 2;
const FURTHER_WITHOUT_SURFACE = 1.5;
const AHEAD = 10; // of the camera, where the surface is when it does not stand in a room

const owner = script.getSceneObject();
const camera = owner.getComponent("Component.Camera");
const transform = owner.getTransform();
const target = /** @type {RenderTargetProvider} */ (camera.renderTarget.control);
const axes = math.flat(CONTRACT.orbitAxes);
const inRoom = CONTRACT.experience === "world";
const cutOut = CONTRACT.cutOut;
const picture = script.material && (cutOut || !inRoom)
    ? pictures.createPicture(owner, script.material, cutOut, cutOut && script.shadow) : null;
const mask = !picture && script.pictureCamera && script.colourCrop && script.maskCrop
    ? masks.createMask(script.pictureCamera, script.colourCrop, script.maskCrop) : null;
const orbit = picture
    ? orbits.createOrbit(CONTRACT, NEARER, FURTHER)
    : orbits.createOrbit(CONTRACT, 1, uploads.WHOLE_PICTURE ? FURTHER_WITHOUT_SURFACE : 1);
const touch = touches.createTouch();
const room = inRoom ? rooms.createRoom(owner, CONTRACT.degreesAScreen) : null;
const hand = room ? room.hand : orbit; // what fingers move
const world = worlds.createWorld(CONTRACT);
const rays = rayMaps.createRays();
const lens = lenses.createLens(); // of the camera
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
    if (!picture && !mask) {
        target.inputTexture = model.texture;
    }
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
    } else if (model.texture) {
        target.clearColorOption = ClearColorOption.CustomTexture;
    }
}

// Nothing of the object is on the screen.
function hide() {
    visible = false;
    if (picture) {
        pictures.hide(picture);
    } else if (mask) {
        masks.hide(mask);
    } else {
        target.clearColorOption = ClearColorOption.Background;
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
    if (picture) {
        placeOnScreen(picture.surface);
    } else {
        rayMaps.setMap(rays, CONTRACT, orbit.distance, model.spec);
        rayMaps.placeForScreen(rays, model.spec, aspect, uploads.WHOLE_PICTURE);
        rayMaps.holdWithin(rays, model.spec, orbit.distance / CONTRACT.radius[1]);
    }
    draw();
}

/** The whole picture fits on the screen at the distances of the photos, and is larger or smaller
 * beyond. @param {import("./NelfSurface").Surface} surface */
function placeOnScreen(surface) {
    const spec = model.spec, screen = camera.getOrthographicSize();
    const radius = math.clamp(orbit.distance, CONTRACT.radius[0], CONTRACT.radius[1]);
    rayMaps.setMap(rays, CONTRACT, radius, spec);
    rayMaps.placeAsTrained(rays, spec);
    const wide = spec.rayWidth / spec.fx, high = spec.rayHeight / spec.fy;
    const scale = Math.min(screen.x / wide, screen.y / high) * radius / orbit.distance;
    world.centre[2] = -AHEAD;
    world.facing[0] = world.facing[4] = world.facing[8] = 1;
    // The output may have a border around the picture.
    surfaces.place(surface, world.centre, world.facing,
        scale * wide * spec.output.shape[0] / spec.pictureWidth,
        scale * high * spec.output.shape[1] / spec.pictureHeight);
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
    if (mask) {
        return masks.placeInRoom(
            mask, world, rays, CONTRACT, model, camera, position, rotation);
    }
    lenses.measure(lens, camera, position);
    if (!isFinite(lens.aspect) || !worlds.look(
        world, rays, CONTRACT, model.spec, position, rotation, lens.fov, lens.aspect)) {
        return false;
    }
    rayMaps.setMap(rays, CONTRACT, world.distance, world.lens);
    return true;
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
    if (cutOut && !picture && !mask) {
        onFailed("No material. In the Asset Browser choose + and the material Image, then drag it "
            + "onto the field Material of NelfController, which is on 'Nelf Camera'.");
        return;
    }
    if (room && !startInRoom(room)) {
        return;
    }
    if (mask) {
        onRemark("no material, so a mask cuts the object out");
    }
    // Touches stay with the lens, but for the one that turns the camera round.
    global.touchSystem.touchBlocking = true;
    global.touchSystem.enableTouchBlockingException("TouchTypeDoubleTap", true);
    models.load(model, 0);
}

script.createEvent("OnStartEvent").bind(onStart);
