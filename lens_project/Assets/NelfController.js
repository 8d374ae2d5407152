// Shows a neural light field: an object that turns under the finger, or that stands in the room.
// Made by mobile-nelf; plain JavaScript. NelfContract.js holds what model and scripts agree on.
//
// The rays of a view go into the model's inputs, the model draws a picture, and that picture is what
// the camera's render target is cleared with. This needs no material, and stretches the picture to
// the screen; NelfRays spaces the rays so that the stretch cancels.

//@input Asset.MLAsset model {"hint":"model.onnx of this project"}
//@input Asset.MLAsset smallModel {"hint":"small.onnx of this project, for slow phones; else model.onnx"}
//@input Asset.Texture cameraTexture {"hint":"Device Camera Texture"}
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
const inRoom = CONTRACT.experience === "world";
const orbit = orbits.createOrbit(CONTRACT);
const touch = touches.createTouch();
const world = worlds.createWorld(CONTRACT);
const rays = rayMaps.createRays();
const status = statuses.createStatus(owner, CONTRACT.background);
const model = models.createModel(owner, CONTRACT, script,
    { onReady: onReady, onDrawn: onDrawn, onFailed: onFailed });
let ready = false;
let shownAspect = 0;
let ranLast = false; // in the frame before

/** @param {string} reason */
function onFailed(reason) {
    statuses.fail(status, reason);
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
    script.createEvent("UpdateEvent").bind(updateOrbit);
}

// The texture exists only once the model has run.
function onDrawn() {
    const control = /** @type {RenderTargetProvider} */ (camera.renderTarget.control);
    control.inputTexture = model.texture;
    control.clearColorOption = ClearColorOption.CustomTexture;
}

function aspectOfScreen() {
    return camera.renderTarget.getWidth() / camera.renderTarget.getHeight();
}

function draw() {
    uploads.fillInputs(CONTRACT, rays, models.inputsOf(model), model.spec);
    models.run(model);
    ranLast = true;
}

/** Counts a frame, and switches a slow phone to the smaller model. @param {number} seconds */
function tellTime(seconds) {
    if (ranLast && models.watch(model, seconds)) {
        statuses.remark(status, "slow: smaller picture");
    }
    if (script.showFps) {
        statuses.count(status, seconds);
    }
    ranLast = false;
}

/** @param {UpdateEvent} event */
function updateOrbit(event) {
    const seconds = event.getDeltaTime();
    const aspect = aspectOfScreen();
    tellTime(seconds);
    touches.advance(touch, seconds);
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
    draw();
}

/** @param {UpdateEvent} event */
function updateWorld(event) {
    const aspect = aspectOfScreen();
    tellTime(event.getDeltaTime());
    if (!isFinite(aspect)) {
        return;
    }
    const transform = owner.getTransform();
    const position = transform.getWorldPosition(), rotation = transform.getWorldRotation();
    if (!world.anchored) {
        worlds.anchor(world, position, rotation);
    }
    if (!worlds.look(world, rays, CONTRACT, model.spec, position, rotation, camera.fov, aspect)) {
        // Nothing of the object is on the screen.
        /** @type {RenderTargetProvider} */ (camera.renderTarget.control).clearColorOption =
            ClearColorOption.Background;
        return;
    }
    rayMaps.setMap(rays, CONTRACT, world.distance, world.lens);
    draw();
}

function onStart() {
    if (!script.model) {
        onFailed("No model. Select the object 'Nelf Camera' and drag model.onnx from the Asset "
            + "Browser onto the field Model of NelfController.");
        return;
    }
    if (inRoom) {
        const tracking = owner.createComponent("Component.DeviceTracking");
        if (!tracking.isDeviceTrackingModeSupported(DeviceTrackingMode.World)) {
            onFailed("This phone cannot tell where it is in the room, which this lens needs.");
            return;
        }
        tracking.requestDeviceTrackingMode(DeviceTrackingMode.World);
    } else {
        global.touchSystem.touchBlocking = true;
    }
    models.load(model, 0);
}

script.createEvent("OnStartEvent").bind(onStart);
