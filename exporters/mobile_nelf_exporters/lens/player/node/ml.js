// MLComponent and its placeholders. The model itself runs on the Python side.
//
// Each rule names its source: "declarations" are Lens Studio's own of its scripting API, "guide" is
// its guide to MLComponent; "guess" has an entry in guesses.json.
"use strict";
const { ask, enter, leave } = require("./bridge");
const { LensApiError, documented, enumeration, secretOf } = require("./documented");
const { vec3 } = require("./maths");
const textures = require("./textures");

// Declarations: names and order are theirs.
const DataLayout = enumeration("DataLayout", ["NCHW", "NHWC"]);
const FrameTiming = enumeration("FrameTiming", ["None", "Update", "LateUpdate", "OnRender"]);
const InferenceMode = enumeration("InferenceMode",
    ["CPU", "GPU", "Accelerator", "Auto", "NativeCPU", "NativeCPUAndNPU"]);
const ModelState = enumeration("ModelState",
    ["Loading", "Running", "Idle", "NotReady", "LoadingError"]);
const OutputMode = enumeration("OutputMode", ["Data", "Texture"]);

// Guess output-mode.
const TEXTURE_CHANNELS = 4;

function setters(name, built, keys, finish) {
    const members = { build: () => finish(built) };
    for (const key of keys) {
        members["set" + key[0].toUpperCase() + key.slice(1)] = (value) => {
            built[key] = value;
            return proxy;
        };
    }
    const proxy = documented(name, members);
    return proxy;
}

function createTransformerBuilder() {
    return setters("TransformerBuilder", { flipX: false, flipY: false }, ["flipX", "flipY"],
        (built) => documented("Transformer", {}, { secret: { ...built } }));
}

function createOutputBuilder() {
    return setters("OutputBuilder",
        { name: "", shape: null, outputMode: OutputMode.Texture, transformer: null },
        ["name", "shape", "outputMode", "transformer"],
        (built) => documented("OutputPlaceholder", { name: built.name },
            { readOnly: ["name"], secret: { ...built } }));
}

function createInputBuilder() {
    return setters("InputBuilder",
        { name: "", shape: null, inputTexture: null, transformer: null },
        ["name", "shape", "inputTexture", "transformer"],
        (built) => documented("InputPlaceholder", { name: built.name },
            { readOnly: ["name"], secret: { ...built } }));
}

const MachineLearning = documented("MachineLearning", {
    DataLayout, FrameTiming, InferenceMode, ModelState, OutputMode,
    createInputBuilder, createOutputBuilder, createTransformerBuilder,
}, { readOnly: ["DataLayout", "FrameTiming", "InferenceMode", "ModelState", "OutputMode"] });

function flipsOf({ flipX, flipY }) {
    return { flipX, flipY };
}

// Flips as the Python side reads them; scripts may have set anything.
function named({ flipX, flipY }) {
    return { flip_x: Boolean(flipX), flip_y: Boolean(flipY) };
}

// Declarations: a transformer applies to a placeholder's data; nobody says how to other than pictures.
function refuseFlips(name, flips) {
    if (flips.flipX || flips.flipY) {
        throw new LensApiError(`${name}: flips are simulated only for textures`);
    }
}

// Declarations: name, shape and data are read-only; the default layout is NHWC. Writing elements of
// `data` is what guides and templates do; assigning `data` "is not permitted" (guide).
function inputPlaceholder(spec, built) {
    const [width, height, channels] = spec.shape;
    const data = new Float32Array(width * height * channels);
    const members = {
        name: spec.name,
        shape: new vec3(width, height, channels),
        dataLayout: DataLayout.NHWC,
        texture: textures.of(spec.texture),
    };
    Object.defineProperty(members, "data", { get() { built(); return data; } });
    return documented(`InputPlaceholder ${spec.name}`, members,
        { readOnly: ["name", "shape", "data"], secret: { spec, data, members, flips: flipsOf(spec) } });
}

function outputPlaceholder(spec, built) {
    const [width, height, channels] = spec.shape;
    const state = { spec, data: new Float32Array(width * height * channels), texture: null,
        flips: flipsOf(spec), members: null };
    const members = {
        name: spec.name,
        shape: new vec3(width, height, channels),
        dataLayout: DataLayout.NHWC,
        mode: channels <= TEXTURE_CHANNELS ? OutputMode.Texture : OutputMode.Data,
    };
    state.members = members;
    const demandMode = (mode, name) => {
        built();
        if (members.mode !== mode) {
            throw new LensApiError(
                `OutputPlaceholder ${spec.name}: ${name} is usable only in mode ${name}`);
        }
    };
    Object.defineProperty(members, "data", {
        get() { demandMode(OutputMode.Data, "Data"); return state.data; },
    });
    // Declarations: the texture is not there before the first run.
    Object.defineProperty(members, "texture", {
        get() {
            demandMode(OutputMode.Texture, "Texture");
            if (state.texture === null) {
                throw new LensApiError(`OutputPlaceholder ${spec.name}: its texture does not exist `
                    + "before the first run");
            }
            return state.texture;
        },
    });
    return documented(`OutputPlaceholder ${spec.name}`, members,
        { readOnly: ["name", "shape", "data", "texture"], secret: state });
}

// One component. `schedule(fn)` runs a function after the scripts of this frame, as callbacks come.
function createMLComponent(scene) {
    const number = scene.components.length;
    let inputs = [];
    let outputs = [];
    let asset = null;
    let isBuilt = false;
    let isDestroyed = false;
    let state = ModelState.NotReady;
    let request = null; // {recurring, timing}
    const demandBuilt = () => {
        if (!isBuilt) {
            throw new LensApiError("placeholders have no data before the model is built");
        }
    };
    const called = (name, ...args) => {
        if (!isDestroyed && typeof members[name] === "function") {
            members[name](...args);
        }
    };
    const find = (list, name) => {
        const found = list.find((item) => item.name === name);
        if (!found) {
            throw new LensApiError(`the model has no placeholder ${name}`);
        }
        return found;
    };

    function setModel(value) {
        const secret = secretOf(value);
        if (value !== null && !(secret && secret.kind === "MLAsset")) {
            throw new LensApiError("MLComponent.model takes an MLAsset");
        }
        asset = value === null ? null : secret.model;
        isBuilt = false;
        state = ModelState.NotReady;
        request = null;
        inputs = asset ? asset.inputs.map((spec) => inputPlaceholder(spec, demandBuilt)) : [];
        outputs = asset ? asset.outputs.map((spec) => outputPlaceholder(spec, demandBuilt)) : [];
    }

    // Guide: an empty list takes everything from the asset. Callbacks come later, never inside.
    function build(placeholders) {
        if (asset === null) {
            throw new LensApiError("MLComponent.build: no model is set");
        }
        state = ModelState.Loading;
        for (const item of placeholders) {
            const target = [...inputs, ...outputs].find((known) => known.name === item.name);
            const built = secretOf(item);
            if (!target) {
                throw new LensApiError(`MLComponent.build: the model has no tensor ${item.name}`);
            }
            if ("transformer" in built) {
                const { members: own, flips } = secretOf(target);
                Object.assign(flips, secretOf(built.transformer) || {});
                if ("outputMode" in built) {
                    own.mode = built.outputMode;
                } else {
                    own.texture = built.inputTexture;
                }
            }
        }
        scene.later(() => {
            if (asset.problem) {
                state = ModelState.LoadingError;
                called("onLoadingFailed", asset.problem);
            } else {
                isBuilt = true;
                state = ModelState.Idle;
                called("onLoadingFinished");
            }
        });
    }

    // Runs the model, and returns why it could not.
    function execute() {
        const sent = inputs.map((input) => {
            const { spec, data, members: given, flips } = secretOf(input);
            const isData = !given.texture;
            if (isData) {
                refuseFlips(`InputPlaceholder ${spec.name}`, flips);
            } else if (!textures.isCamera(given.texture)) {
                throw new LensApiError(`InputPlaceholder ${spec.name}: of the textures, only the `
                    + "device camera's is simulated");
            }
            return {
                layout: given.dataLayout === DataLayout.NCHW ? "NCHW" : "NHWC",
                ...named(flips),
                data: isData ? data : new Float32Array(0),
            };
        });
        scene.countRun(sent.reduce((sum, item) => sum + item.data.byteLength, 0));
        const isDrawn = (output) => secretOf(output).members.mode === OutputMode.Texture;
        const { header, arrays } = ask({
            request: "run",
            asset: asset.id,
            component: number,
            inputs: sent.map(({ data, ...rest }) => rest),
            // Pictures stay on the Python side; scripts cannot read them either.
            outputs: outputs.map((output) => (
                { is_drawn: isDrawn(output), ...named(secretOf(output).flips) })),
        }, sent.map((item) => item.data));
        if (header.error) {
            return header.error;
        }
        outputs.forEach((output, index) => {
            const secret = secretOf(output);
            const { width, height } = { width: secret.spec.shape[0], height: secret.spec.shape[1] };
            if (secret.members.dataLayout === DataLayout.NCHW) {
                throw new LensApiError("outputs in layout NCHW are not simulated");
            }
            if (isDrawn(output)) {
                secret.texture = secret.texture || textures.create(width, height);
                textures.draw(secret.texture, { component: number, output: index });
            } else {
                secret.data.set(arrays[index]);
                refuseFlips(`OutputPlaceholder ${secret.spec.name}`, secret.flips);
            }
        });
        return "";
    }

    function run() {
        let problem = "";
        leave();
        try {
            problem = execute();
        } finally {
            enter();
        }
        state = ModelState.Idle;
        if (problem) {
            called("onRunningFailed", problem);
            return;
        }
        // Guess callback: at once, or in the next frame, which is what the guide says of other runs.
        if (scene.isLate) {
            scene.later(() => called("onRunningFinished"));
        } else {
            called("onRunningFinished");
        }
    }

    const runnable = (what) => {
        if (isDestroyed) {
            throw new LensApiError(`MLComponent.${what}: the component was destroyed`);
        }
        if (!isBuilt) {
            throw new LensApiError(`MLComponent.${what}: the model is not built`);
        }
    };
    const members = {
        onLoadingFinished: null, onLoadingFailed: null,
        onRunningFinished: null, onRunningFailed: null,
        inferenceMode: InferenceMode.Auto,
        enabled: true,
        getInputs: () => inputs.slice(),
        getOutputs: () => outputs.slice(),
        getInput: (name) => find(inputs, name),
        getOutput: (name) => find(outputs, name),
        build,
        isRecurring: () => request !== null && request.recurring,
        stop() { request = null; },
        destroy() {
            isDestroyed = true;
            request = null;
        },
        runImmediate(sync) {
            runnable("runImmediate");
            if (!sync) {
                throw new LensApiError("MLComponent.runImmediate(false) is not simulated");
            }
            run();
        },
        // Guide: equal timings make the run synchronous.
        runScheduled(recurring, start, end) {
            runnable("runScheduled");
            if (start !== end || start === FrameTiming.None) {
                throw new LensApiError(
                    "MLComponent.runScheduled is simulated only with equal start and end");
            }
            request = { recurring, timing: start };
        },
    };
    Object.defineProperty(members, "model", {
        get: () => (asset === null ? null : scene.asset(asset.id)),
        set: setModel,
        enumerable: true,
    });
    Object.defineProperty(members, "state", { get: () => state, enumerable: true });
    scene.components.push({
        atTiming(timing) {
            if (members.enabled && request !== null && request.timing === timing) {
                if (!request.recurring) {
                    request = null;
                }
                run();
            }
        },
    });
    return documented("MLComponent", members, { readOnly: ["state"] });
}

module.exports = { FrameTiming, MachineLearning, createMLComponent };
