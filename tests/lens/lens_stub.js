// Runs a generated controller script against a stand-in for the part of the Lens Studio scripting
// API that it uses, and prints what it did as JSON. The stand-in has the documented members and no
// others: reading or writing anything else throws.
//
// usage: node lens_stub.js < scenario.json
// scenario: {script, screen: [width, height], hasModel, flipY, inputs, outputs, events, reportsErrors,
//            loadingError, runningError}
// events: list of ["start" | "move", touch id, x, y] and ["update"]

"use strict";
const vm = require("vm");

function documented(name, members) {
    return new Proxy(members, {
        get(target, key) {
            if (!(key in target) && typeof key !== "symbol") {
                throw new Error(`${name} has no documented member ${String(key)}`);
            }
            return target[key];
        },
        set(target, key, value) {
            const property = Object.getOwnPropertyDescriptor(target, key);
            if (!property || !property.writable) {
                throw new Error(`${name}.${String(key)} cannot be assigned`);
            }
            target[key] = value;
            return true;
        },
    });
}

function readOnly(members, values) {
    for (const [key, value] of Object.entries(values)) {
        Object.defineProperty(members, key, { value, writable: false, enumerable: true });
    }
    return members;
}

class Vec2 { constructor(x, y) { Object.assign(this, { x, y }); } }
class Vec3 { constructor(x, y, z) { Object.assign(this, { x, y, z }); } }
class Vec4 { constructor(x, y, z, w) { Object.assign(this, { x, y, z, w }); } }

const scenario = JSON.parse(require("fs").readFileSync(0, "utf8"));
const result = {
    printed: [], status: null, frames: [], built: null, clear: null, touchBlocking: false, view: null,
};
const handlers = {};
let scheduled = 0;
let runs = 0;

const placeholder = (spec, members) => documented(`placeholder ${spec.name}`,
    readOnly(members, { name: spec.name, shape: new Vec3(...spec.shape) }));
const inputs = scenario.inputs.map((spec) => placeholder(spec, readOnly({}, {
    data: new Float32Array(spec.shape[0] * spec.shape[1] * spec.shape[2]),
})));
const outputs = scenario.outputs.map((spec) => {
    const members = { mode: 1 };
    Object.defineProperty(members, "texture", {
        get() {
            if (runs === 0) {
                throw new Error("the output texture does not exist before the first run");
            }
            return `texture of ${spec.name}`;
        },
    });
    return placeholder(spec, members);
});
const byName = (list, name) => {
    const found = list.find((item) => item.name === name);
    if (!found) {
        throw new Error(`no placeholder ${name}`);
    }
    return found;
};

function createMLComponent() {
    const members = {
        model: null,
        inferenceMode: null,
        onLoadingFinished: null,
        onRunningFinished: null,
        getInputs: () => inputs,
        getOutputs: () => outputs,
        getInput: (name) => byName(inputs, name),
        getOutput: (name) => byName(outputs, name),
        build(list) {
            result.built = list.map((item) => ({ name: item.name, flipY: "flipY" in item }));
        },
        runScheduled(recurring, start, end) {
            if (recurring || start !== end) {
                throw new Error("expected one synchronous run");
            }
            scheduled += 1;
        },
    };
    if (scenario.reportsErrors) {
        members.onLoadingFailed = null;
        members.onRunningFailed = null;
    }
    return documented("MLComponent", members);
}

function createText() {
    const text = documented("Text", {
        text: "",
        size: 48,
        horizontalOverflow: 0,
        textFill: documented("TextFill", { color: new Vec4(1, 1, 1, 1) }),
    });
    result.status = text;
    return text;
}

const control = documented("RenderTargetProvider", { inputTexture: null, clearColorOption: null });
const renderTarget = documented("Texture", {
    control,
    getWidth: () => scenario.screen[0],
    getHeight: () => scenario.screen[1],
});
let mlComponent = null;
const createComponent = (type) => {
    switch (type) {
        case "Component.MLComponent":
            mlComponent = createMLComponent();
            return mlComponent;
        case "Component.Text":
            return createText();
        case "Component.ScreenTransform":
            return documented(type, { anchors: null, position: null });
        default:
            throw new Error(`no component ${type}`);
    }
};
const sceneObject = () => documented("SceneObject", {
    layer: "layer 1",
    setParent() {},
    createComponent,
    getComponent(type) {
        if (type !== "Component.Camera") {
            throw new Error(`no component ${type}`);
        }
        return documented("Camera", { renderTarget });
    },
});
const cameraObject = sceneObject();

// A fluent builder: every setter stores its value under its name without `set`.
const builder = (setters) => {
    const built = {};
    const members = { build: () => built };
    for (const setter of setters) {
        const key = setter[0].toLowerCase() + setter.slice(1);
        members[`set${setter}`] = (value) => {
            Object.assign(built, setter === "Transformer" ? value : { [key]: value });
            return proxy;
        };
    }
    const proxy = documented("builder", members);
    return proxy;
};

const api = {
    script: documented("script", {
        model: scenario.hasModel ? "the model" : null,
        flipY: scenario.flipY,
        getSceneObject: () => cameraObject,
        createEvent: (type) => documented(type, { bind(handler) { handlers[type] = handler; } }),
    }),
    global: documented("global", {
        scene: documented("scene", { createSceneObject: sceneObject }),
        touchSystem: Object.defineProperty({}, "touchBlocking", {
            set(value) { result.touchBlocking = value; },
        }),
    }),
    print: (message) => result.printed.push(message),
    vec3: Vec3,
    vec4: Vec4,
    Rect: documented("Rect", { create: (...sides) => sides }),
    HorizontalOverflow: documented("HorizontalOverflow", { Wrap: 2 }),
    ClearColorOption: documented("ClearColorOption", {
        None: 0, Background: 1, CustomColor: 2, CustomTexture: 3,
    }),
    MachineLearning: documented("MachineLearning", {
        InferenceMode: documented("InferenceMode", { CPU: 0, GPU: 1, Accelerator: 2, Auto: 3 }),
        FrameTiming: documented("FrameTiming", { None: 0, Update: 1, LateUpdate: 2, OnRender: 3 }),
        OutputMode: documented("OutputMode", { Data: 0, Texture: 1 }),
        createOutputBuilder: () => builder(["Name", "Shape", "OutputMode", "Transformer"]),
        createTransformerBuilder: () => builder(["FlipX", "FlipY"]),
    }),
};
const context = vm.createContext(api);
vm.runInContext(scenario.script, context, { filename: "NelfController.js" });

function update() {
    if (!handlers.UpdateEvent) {
        return;
    }
    handlers.UpdateEvent({});
    while (scheduled > 0) {
        scheduled -= 1;
        if (scenario.runningError) {
            mlComponent.onRunningFailed(scenario.runningError);
            continue;
        }
        runs += 1;
        result.frames.push(Object.fromEntries(
            inputs.map((item) => [item.name, Array.from(item.data)])));
        mlComponent.onRunningFinished();
    }
}

handlers.OnStartEvent({});
if (result.built) {
    if (scenario.loadingError) {
        mlComponent.onLoadingFailed(scenario.loadingError);
    } else {
        mlComponent.onLoadingFinished();
    }
}
for (const [kind, id, x, y] of scenario.events) {
    if (kind === "update") {
        update();
        continue;
    }
    const handler = handlers[kind === "start" ? "TouchStartEvent" : "TouchMoveEvent"];
    handler(documented("touch event", {
        getTouchId: () => id, getTouchPosition: () => new Vec2(x, y),
    }));
}
result.status = result.status && result.status.text;
result.clear = { texture: control.inputTexture, option: control.clearColorOption };
result.view = context.view;
process.stdout.write(JSON.stringify(result));
