// Shows a neural light field: an object that turns under the finger, or that stands in the room.
// Made by mobile-nelf; plain JavaScript. NelfContract.js holds what model and scripts agree on.
//
// The rays of a view go into the model's inputs, the model draws a picture, and that picture is what
// the camera's render target is cleared with. This needs no material, and stretches the picture to
// the screen; NelfRays spaces the rays so that the stretch cancels.

//@input Asset.MLAsset model {"hint":"model.onnx of this project"}
//@input Asset.MLAsset smallModel {"hint":"small.onnx of this project, for slow phones; else model.onnx"}
//@input Asset.Texture cameraTexture {"hint":"Device Camera Texture"}
//@input Component.Camera statusCamera {"hint":"Orthographic camera of this lens, for its messages"}
//@input bool flipY = false {"hint":"Enable if the image appears upside down"}
//@input bool showFps = false {"hint":"Frames a second on the screen"}
"use strict";

const CONTRACT = require("./NelfContract");
const math = require("./NelfMath");
const models = require("./NelfModel");
const orbits = require("./NelfOrbit");
const rayMaps = require("./NelfRays");
const statuses = require("./NelfStatus");
const touches = require("./NelfTouch");
const uploads = require("./NelfUploads");
const worlds = require("./NelfWorld");

const owner = script.getSceneObject();
const camera = owner.getComponent("Component.Camera");
const axes = math.flat(CONTRACT.orbitAxes);
const transform = owner.getTransform();
const MAX_STEP = 0.1; // seconds of motion in a frame, however long a pause was
const inRoom = CONTRACT.experience === "world";
const orbit = orbits.createOrbit(CONTRACT, uploads.WHOLE_PICTURE);
const touch = touches.createTouch();
const world = worlds.createWorld(CONTRACT);
const rays = rayMaps.createRays();
const status = statuses.createStatus(script.statusCamera || camera, CONTRACT.background);
const model = models.createModel(owner, CONTRACT, script,
    { onReady: onReady, onDrawn: onDrawn, onFailed: onFailed, onRemark: onRemark });
/** @type {RenderTargetProvider} */
const target = /** @type {RenderTargetProvider} */ (camera.renderTarget.control);
let ready = false;
let shownAspect = 0;
let ranLast = false; // in the frame before
let visible = true; // whether the object is on the screen
let frontCamera = false;

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
    if (inRoom) {
        script.createEvent("UpdateEvent").bind(updateWorld);
        return;
    }
    script.createEvent("TouchStartEvent").bind(function (event) {
        touches.onStart(touch, orbit, event, aspectOfScreen());
    });
    script.createEvent("TouchMoveEvent").bind(function (event) {
        touches.onMove(touch, orbit, event, aspectOfScreen());
    });
    script.createEvent("TouchEndEvent").bind(function (event) {
        touches.onEnd(touch, orbit, event);
    });
    // What happens to fingers while the lens sleeps, it is not told.
    script.createEvent("OnPauseEvent").bind(forgetFingers);
    script.createEvent("TurnOffEvent").bind(forgetFingers);
    script.createEvent("UpdateEvent").bind(updateOrbit);
}

function forgetFingers() {
    touches.forget(touch, orbit);
}

// The texture exists only once the model has run, and the object may have left the screen since.
function onDrawn() {
    target.inputTexture = model.texture;
    if (visible) {
        target.clearColorOption = ClearColorOption.CustomTexture;
    }
}

// Nothing of the object is on the screen.
function hide() {
    visible = false;
    target.clearColorOption = ClearColorOption.Background;
}

function aspectOfScreen() {
    return camera.renderTarget.getWidth() / camera.renderTarget.getHeight();
}

function draw() {
    uploads.fillInputs(CONTRACT, rays, model.inputs, model.spec);
    models.run(model);
    ranLast = true;
}

/** Counts a frame, and lets the model follow the phone's pace. @param {number} seconds */
function tellTime(seconds) {
    if (ranLast) {
        models.watch(model, seconds);
    }
    if (script.showFps) {
        statuses.count(status, seconds);
    }
    ranLast = false;
}

/** @param {UpdateEvent} event */
function updateOrbit(event) {
    const aspect = aspectOfScreen();
    tellTime(event.getDeltaTime());
    const seconds = Math.min(event.getDeltaTime(), MAX_STEP);
    touches.advance(touch, orbit, seconds);
    orbits.advance(orbit, seconds);
    if (!isFinite(aspect) || (aspect === shownAspect && !orbit.changed)) {
        return;
    }
    shownAspect = aspect;
    orbit.changed = false;
    math.lookAtFrame(rays.lookAt, axes, orbit.azimuth, orbit.elevation);
    rays.frame.set(rays.lookAt);
    rayMaps.setMap(rays, CONTRACT, orbit.distance, model.spec);
    rayMaps.placeForScreen(rays, model.spec, aspect, uploads.WHOLE_PICTURE);
    rayMaps.holdWithin(rays, model.spec, orbit.distance / CONTRACT.radius[1]);
    draw();
}

/** @param {UpdateEvent} event */
function updateWorld(event) {
    const aspect = aspectOfScreen();
    tellTime(event.getDeltaTime());
    if (!isFinite(aspect)) {
        return;
    }
    if (frontCamera) {
        hide();
        return;
    }
    const position = transform.getWorldPosition(), rotation = transform.getWorldRotation();
    if (!world.anchored) {
        worlds.anchor(world, position, rotation);
    }
    if (!worlds.look(world, rays, CONTRACT, model.spec, position, rotation, camera.fov, aspect)) {
        hide();
        return;
    }
    if (!visible) {
        visible = true;
        if (model.texture) {
            target.clearColorOption = ClearColorOption.CustomTexture;
        }
    }
    rayMaps.setMap(rays, CONTRACT, world.distance, world.lens);
    draw();
}

function onFrontCamera() {
    frontCamera = true;
    statuses.ask(status, "Turn the camera round: the object stands in the room in front of you.");
}

// The object is placed anew, since the phone did not track the room meanwhile.
function onBackCamera() {
    frontCamera = false;
    world.anchored = false;
    statuses.ask(status, "");
}

function startInRoom() {
    const tracking = owner.getComponent("Component.DeviceTracking");
    if (!tracking || !tracking.isDeviceTrackingModeSupported(DeviceTrackingMode.World)) {
        onFailed("This phone cannot tell where it is in the room, which this lens needs.");
        return false;
    }
    tracking.requestDeviceTrackingMode(DeviceTrackingMode.World);
    script.createEvent("CameraFrontEvent").bind(onFrontCamera);
    script.createEvent("CameraBackEvent").bind(onBackCamera);
    if (global.scene.getCameraType() === "front") {
        onFrontCamera();
    }
    return true;
}

function startOnScreen() {
    // Touches stay with the lens, but for the one that turns the camera round.
    global.touchSystem.touchBlocking = true;
    global.touchSystem.enableTouchBlockingException("TouchTypeDoubleTap", true);
}

function onStart() {
    if (!script.model) {
        onFailed("No model. Select the object 'Nelf Camera' and drag model.onnx from the Asset "
            + "Browser onto the field Model of NelfController.");
        return;
    }
    if (inRoom) {
        if (!startInRoom()) {
            return;
        }
    } else {
        startOnScreen();
    }
    models.load(model, 0);
}

script.createEvent("OnStartEvent").bind(onStart);
