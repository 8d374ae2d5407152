// What scripts see, and what happens to the phone.
"use strict";
const { decode, encode, enter, leave } = require("./bridge");
const { described } = require("./described");
const { LensApiError, documented } = require("./documented");
const maths = require("./maths");
const { MachineLearning } = require("./ml");
const { ClearColorOption, HorizontalOverflow, Scene } = require("./scene");
const { Scripts } = require("./scripts");
const textures = require("./textures");
const tracking = require("./tracking");
const visuals = require("./visuals");

let scene = null;
let printed = [];

Object.assign(globalThis, maths, {
    BlendMode: visuals.BlendMode,
    ClearColorOption,
    Colorspace: textures.Colorspace,
    DeviceTrackingMode: tracking.DeviceTrackingMode,
    HorizontalOverflow,
    MachineLearning,
    MeshBuilder: visuals.MeshBuilder,
    MeshIndexType: visuals.MeshIndexType,
    MeshTopology: visuals.MeshTopology,
    NativePlaneTrackingType: tracking.NativePlaneTrackingType,
    ProceduralTextureProvider: textures.ProceduralTextureProvider,
    TrackedPlaneOrientation: tracking.TrackedPlaneOrientation,
    Rect: documented("Rect", {
        create: (left, right, bottom, top) => documented("Rect", { left, right, bottom, top }),
    }),
    print: (message) => { printed.push(String(message)); },
    getTime: () => scene.time,
    getDeltaTime: () => scene.delta,
    isNull: (value) => value === null || value === undefined,
    global: documented("global", {
        scene: documented("ScriptScene", {
            createSceneObject: (name) => scene.sceneObject({ name, components: [] }).proxy,
            // Declarations: "back", "front", or neither before the camera is there.
            getCameraType: () => (scene.isFront ? "front" : "back"),
        }),
        touchSystem: documented("TouchDataProvider", {
            touchBlocking: false,
            enableTouchBlockingException: (type, isOn) => {
                if (!/^TouchType(None|Touch|Tap|DoubleTap|Scale|Pan|Swipe)$/.test(type)) {
                    throw new LensApiError(`TouchDataProvider: ${type} is not a type of touch`);
                }
                scene.touchExceptions[isOn ? "add" : "delete"](type);
            },
        }),
    }),
});

const commands = {
    open({ project, screen, phone }) {
        scene = new Scene(project, screen, phone);
        const scripts = new Scripts();
        const components = scene.roots.flatMap((object) => object.scripts.map(
            (spec) => ({ ...spec, ...scene.scriptOf(object, spec) })));
        // A component can be an input of one that comes before it.
        for (const { inputs, give } of components) {
            give(Object.fromEntries(Object.entries(inputs).map(
                ([name, input]) => [name, scene.given(input)])));
        }
        for (const { script, proxy } of components) {
            scripts.component(script, proxy);
        }
    },
    start() {
        scene.dispatch("OnStartEvent", documented("OnStartEvent", {}));
        scene.runPending();
    },
    update({ delta }) {
        scene.frame(delta);
    },
    touch({ kind, finger, x, y }) {
        const type = `Touch${kind[0].toUpperCase()}${kind.slice(1)}Event`;
        // Declarations: (0, 0) is the top left of the screen.
        scene.dispatch(type, documented(type, {
            getTouchId: () => finger,
            getTouchPosition: () => new maths.vec2(x, y),
        }));
    },
    flip({ isFront }) {
        scene.isFront = isFront;
        const type = isFront ? "CameraFrontEvent" : "CameraBackEvent";
        scene.dispatch(type, documented(type, {}));
    },
    track({ isTracked }) {
        scene.phone.isTracked = isTracked;
    },
    plane({ pivot, size }) {
        // Declarations: planes are told of only to lenses that asked for them.
        const { options } = scene.phone;
        if (options.nativePlaneTrackingType === tracking.NativePlaneTrackingType.Horizontal) {
            const planes = [tracking.createPlane({ pivot, size })];
            scene.dispatch("WorldTrackingPlanesAddedEvent",
                documented("WorldTrackingPlanesAddedEvent", { getPlanes: () => planes }));
        }
    },
    pause() {
        scene.dispatch("OnPauseEvent", documented("OnPauseEvent", {}));
    },
    device({ position, rotation, fov }) {
        scene.device = { position, rotation, fov };
    },
};

function report() {
    const { runs, writtenBytes } = scene.cost;
    scene.cost = { runs: 0, writtenBytes: 0 };
    const said = printed;
    printed = [];
    return {
        printed: said, status: scene.status(), hints: [...scene.hints], shown: scene.shown(),
        painted: textures.takePainted(), surfaces: scene.surfaces(),
        masked: scene.masked(), view: scene.view(), runs, written_bytes: writtenBytes,
    };
}

// Takes a message of the Python side and returns the answer, both as strings.
function handle(message) {
    try {
        const { header } = decode(message);
        enter();
        try {
            commands[header.command](header);
        } finally {
            leave();
        }
        return encode(report(), []);
    } catch (error) {
        return encode({ error: described(error) }, []);
    }
}

module.exports = { handle };
