// The model: loading it, checking that it belongs to this project, running it, and changing to the
// smaller one when the phone is too slow.
"use strict";

const SLOW_FRAME = 1 / 15; // seconds; Lenses must reach 15 frames a second
const WATCHED_FRAMES = 30;

/** @typedef {import("./NelfRays").Contract} Contract */
/** @typedef {import("./NelfRays").ModelSpec} ModelSpec */
/** @typedef {BasePlaceholder[]} Placeholders */
/** @typedef {{model: MLAsset | null, smallModel: MLAsset | null, flipY: boolean,
 *     cameraTexture: Texture | null}} Assets of the controller */

/** @param {SceneObject} owner of the components @param {Contract} contract @param {Assets} assets
 * @param {{onReady: () => void, onDrawn: () => void, onFailed: (reason: string) => void}} callbacks */
function createModel(owner, contract, assets, callbacks) {
    return {
        owner: owner,
        contract: contract,
        assets: assets,
        callbacks: callbacks,
        /** @type {MLComponent | null} */ component: null, // that draws
        spec: contract.models[0], // its entry of CONTRACT.models
        /** @type {InputPlaceholder[]} */ placeholders: [], // of the inputs that scripts fill
        /** @type {Object<string, Float32Array>} */ inputs: {}, // their arrays, by name
        /** @type {Texture | null} */ texture: null, // what it drew
        loading: false,
        frames: 0,
        seconds: 0
    };
}

/** @typedef {ReturnType<typeof createModel>} Model */

/** @param {Placeholders} placeholders @param {string} name */
function find(placeholders, name) {
    for (let i = 0; i < placeholders.length; i++) {
        if (placeholders[i].name === name) {
            return placeholders[i];
        }
    }
    return null;
}

/** Says what is wrong with a tensor of the model, or nothing. @param {Placeholders} placeholders
 * @param {{name: string, shape: number[]}} spec */
function mismatch(placeholders, spec) {
    const placeholder = find(placeholders, spec.name);
    if (!placeholder) {
        return "the model has no tensor '" + spec.name + "'";
    }
    const found = [placeholder.shape.x, placeholder.shape.y, placeholder.shape.z].join(" x ");
    const expected = spec.shape.join(" x ");
    return found === expected
        ? "" : "tensor '" + spec.name + "' is " + found + ", expected " + expected;
}

/** @param {MLComponent} component @param {ModelSpec} spec */
function problemOf(component, spec) {
    for (let i = 0; i < spec.inputs.length; i++) {
        const problem = mismatch(component.getInputs(), spec.inputs[i]);
        if (problem) {
            return problem;
        }
    }
    return mismatch(component.getOutputs(), spec.output);
}

/** Placeholders that turn pictures over, on their way in and out. @param {ModelSpec} spec
 * @param {Texture | null} cameraTexture @returns {Placeholders} */
function flipped(spec, cameraTexture) {
    const turned = MachineLearning.createTransformerBuilder().setFlipY(true).build();
    const shape = spec.output.shape;
    const size = new vec3(shape[0], shape[1], shape[2]);
    /** @type {Placeholders} */
    const placeholders = [MachineLearning.createOutputBuilder()
        .setName(spec.output.name)
        .setShape(size)
        .setOutputMode(MachineLearning.OutputMode.Texture)
        .setTransformer(turned)
        .build()];
    if (spec.cameraImage && cameraTexture) {
        placeholders.push(MachineLearning.createInputBuilder()
            .setName(spec.cameraImage)
            .setShape(size)
            .setInputTexture(cameraTexture)
            .setTransformer(turned)
            .build());
    }
    return placeholders;
}

/** Loads one of CONTRACT.models; the one before draws until it is there.
 * @param {Model} model @param {number} index */
function load(model, index) {
    const spec = model.contract.models[index];
    if (spec.cameraImage && !model.assets.cameraTexture) {
        model.callbacks.onFailed("No camera picture. Drag Device Camera Texture from the Asset "
            + "Browser onto the field Camera Texture of NelfController.");
        return;
    }
    const component = model.owner.createComponent("Component.MLComponent");
    component.model = spec.input === "model" ? model.assets.model : model.assets.smallModel;
    component.inferenceMode = MachineLearning.InferenceMode.Accelerator;
    model.loading = true;
    component.onLoadingFinished = function () {
        const problem = problemOf(component, spec);
        if (problem) {
            model.callbacks.onFailed("This model does not belong to this project: " + problem
                + ". Put the .onnx file of the same bundle into its field of NelfController.");
            return;
        }
        use(model, component, spec);
    };
    component.onRunningFinished = function () {
        if (component === model.component) {
            model.texture = component.getOutput(spec.output.name).texture;
            model.callbacks.onDrawn();
        }
    };
    // Older versions of Lens Studio do not report failures.
    if ("onLoadingFailed" in component) {
        component.onLoadingFailed = function (/** @type {string} */ error) {
            model.callbacks.onFailed("The model could not be loaded: " + error);
        };
    }
    if ("onRunningFailed" in component) {
        component.onRunningFailed = function (/** @type {string} */ error) {
            model.callbacks.onFailed("The model could not run: " + error);
        };
    }
    // An empty list takes names, shapes and normalisation from the asset.
    component.build(model.assets.flipY ? flipped(spec, model.assets.cameraTexture) : []);
}

/** @param {Model} model @param {MLComponent} component @param {ModelSpec} spec */
function use(model, component, spec) {
    if (model.component) {
        model.component.enabled = false;
    }
    model.loading = false;
    model.component = component;
    model.spec = spec;
    model.placeholders = [];
    model.inputs = {};
    for (let i = 0; i < spec.inputs.length; i++) {
        const placeholder = component.getInput(spec.inputs[i].name);
        if (spec.inputs[i].name === spec.cameraImage) {
            placeholder.texture = model.assets.cameraTexture;
        } else {
            model.placeholders.push(placeholder);
        }
    }
    component.getOutput(spec.output.name).mode = MachineLearning.OutputMode.Texture;
    model.frames = 0;
    model.seconds = 0;
    model.callbacks.onReady();
}

/** Returns the arrays to fill for the next run, by name. @param {Model} model */
function inputsOf(model) {
    for (let i = 0; i < model.placeholders.length; i++) {
        model.inputs[model.placeholders[i].name] = model.placeholders[i].data;
    }
    return model.inputs;
}

/** Draws in this frame, after the scripts and before it is on the screen; onReady comes before.
 * @param {Model} model */
function run(model) {
    const timing = MachineLearning.FrameTiming.LateUpdate;
    /** @type {MLComponent} */ (model.component).runScheduled(false, timing, timing);
}

/** Takes the time of a frame in which the model ran, and changes to the smaller model once the mean is
 * too long. Returns whether it does. @param {Model} model @param {number} seconds */
function watch(model, seconds) {
    if (model.loading || model.spec !== model.contract.models[0]
        || model.contract.models.length < 2 || !model.assets.smallModel) {
        return false;
    }
    model.frames += 1;
    model.seconds += seconds;
    if (model.frames < WATCHED_FRAMES) {
        return false;
    }
    const slow = model.seconds / model.frames > SLOW_FRAME;
    model.frames = 0;
    model.seconds = 0;
    if (slow) {
        load(model, 1);
    }
    return slow;
}

module.exports = {
    createModel: createModel,
    inputsOf: inputsOf,
    load: load,
    run: run,
    watch: watch
};
