// Runs a Lens Studio project without Lens Studio: the Python side sends what happens to the phone,
// this side answers with what the lens did.
//
// usage: node main.js, talking in the messages of pipe.js
"use strict";
const { documented } = require("./documented");
const maths = require("./maths");
const { MachineLearning } = require("./ml");
const pipe = require("./pipe");
const { ClearColorOption, DeviceTrackingMode, HorizontalOverflow, Scene } = require("./scene");
const { Scripts } = require("./scripts");

let scene = null;
let printed = [];
let scriptNanos = 0n;

function api() {
    const globals = {
        ...maths,
        ClearColorOption,
        DeviceTrackingMode,
        HorizontalOverflow,
        MachineLearning,
        Rect: documented("Rect", {
            create: (left, right, bottom, top) =>
                documented("Rect", { left, right, bottom, top }),
        }),
        print: (message) => { printed.push(String(message)); },
        getTime: () => scene.time,
        getDeltaTime: () => scene.delta,
        isNull: (value) => value === null || value === undefined,
    };
    globals.global = documented("global", {
        scene: documented("ScriptScene", {
            createSceneObject: (name) => scene.sceneObject({ name, components: [] }).proxy,
        }),
        touchSystem: documented("TouchDataProvider", { touchBlocking: false }),
    });
    return globals;
}

const commands = {
    open({ project, screen }) {
        scene = new Scene(project, screen);
        const scripts = new Scripts(project.sources, api());
        for (const object of scene.roots) {
            for (const { script, inputs, enabled } of object.scripts) {
                const values = {};
                for (const [name, input] of Object.entries(inputs)) {
                    values[name] = input.asset === undefined
                        ? input.value : scene.asset(input.asset);
                }
                scripts.component(script, scene.scriptOf(object, values, enabled));
            }
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
    device({ position, rotation, fov }) {
        scene.device = { position, rotation, fov };
    },
};

function report() {
    const { pixels, ...shown } = scene.shown();
    const { runs, writtenBytes, modelNanos } = scene.cost;
    scene.cost = { runs: 0, writtenBytes: 0, modelNanos: 0n };
    const answer = {
        printed,
        status: scene.status(),
        shown,
        runs,
        writtenBytes,
        scriptSeconds: Number(scriptNanos - modelNanos) / 1e9,
        modelSeconds: Number(modelNanos) / 1e9,
    };
    printed = [];
    return [answer, pixels ? [pixels] : []];
}

// What a script threw, with the first place in the project that it came from.
function described(error) {
    if (!(error && typeof error.message === "string")) {
        return `a script threw ${String(error)}`;
    }
    const found = String(error.stack).match(/(Assets\/[^):\n]*):(\d+)/);
    return `${found ? `${found[1]}, line ${found[2]}: ` : ""}${error.message}`;
}

for (;;) {
    const { header } = pipe.read();
    const begin = process.hrtime.bigint();
    try {
        commands[header.command](header);
        scriptNanos = process.hrtime.bigint() - begin;
        pipe.write(...report());
    } catch (error) {
        pipe.write({ error: described(error) });
    }
}
