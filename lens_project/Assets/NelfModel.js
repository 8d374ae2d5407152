// The model: loading it, checking that it belongs to this project, running it, and changing to the
// smaller one while the phone is too slow.
"use strict";
const paces = require("./NelfPace");

/** @typedef {import("./NelfRays").Contract} Contract */
/** @typedef {import("./NelfRays").ModelSpec} ModelSpec */
/** @typedef {BasePlaceholder[]} Placeholders */
/** @typedef {{model: MLAsset | null, smallModel: MLAsset | null, flipY: boolean}} Assets of the
 * controller */

/** @param {SceneObject} owner of the components @param {Contract} contract @param {Assets} assets
 * @param {{onReady: () => void, onDrawn: () => void, onFailed: (reason: string) => void,
 *     onRemark: (note: string) => void}} callbacks */
function createModel(owner, contract, assets, callbacks) {
    return {
        owner: owner,
        contract: contract,
        assets: assets,
        callbacks: callbacks,
        /** @type {MLComponent | null} */ component: null, // that draws
        spec: /** @type {ModelSpec} */ (contract.models[0]), // its entry of CONTRACT.models
        /** @type {Object<string, Float32Array>} */ inputs: {}, // arrays to fill for a run, by name
        /** @type {OutputPlaceholder | null} */ output: null,
        /** @type {OutputPlaceholder[]} */ maskedOutputs: [],
        /** @type {Texture | null} */ texture: null, // what it drew
        /** @type {Texture[]} */ masked: [], // the same as colour and mask, if it draws them
        loading: false,
        alone: false, // the other model does not work, or is not wanted
        pace: paces.createPace()
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
    for (let i = 0; i < spec.masked.length; i++) {
        const problem = mismatch(component.getOutputs(), spec.masked[i]);
        if (problem) {
            return problem;
        }
    }
    return mismatch(component.getOutputs(), spec.output);
}

/** Placeholders that turn pictures over. @param {ModelSpec} spec @returns {Placeholders} */
function flipped(spec) {
    const turned = MachineLearning.createTransformerBuilder().setFlipY(true).build();
    return [spec.output].concat(spec.masked).map(function (output) {
        return MachineLearning.createOutputBuilder()
            .setName(output.name)
            .setShape(new vec3(output.shape[0], output.shape[1], output.shape[2]))
            .setOutputMode(MachineLearning.OutputMode.Texture)
            .setTransformer(turned)
            .build();
    });
}

/** Says why a model does not work. The one before still draws, if there is one.
 * @param {Model} model @param {MLComponent} component @param {string} reason */
function giveUp(model, component, reason) {
    if (!model.component) {
        model.callbacks.onFailed(reason);
        return;
    }
    component.enabled = false;
    model.loading = false;
    model.alone = true;
    model.callbacks.onRemark("the other picture stays. " + reason);
}

/** Loads one of CONTRACT.models; the one before draws until it is there.
 * @param {Model} model @param {number} index */
function load(model, index) {
    const spec = model.contract.models[index];
    const component = model.owner.createComponent("Component.MLComponent");
    component.model = spec.input === "model" ? model.assets.model : model.assets.smallModel;
    component.inferenceMode = MachineLearning.InferenceMode.Accelerator;
    model.loading = true;
    component.onLoadingFinished = function () {
        const problem = problemOf(component, spec);
        if (problem) {
            giveUp(model, component, "This model does not belong to this project: " + problem
                + ". Put the .onnx file of the same bundle into its field in the Inspector.");
            return;
        }
        use(model, component, spec);
    };
    // It may come in a later frame than the run.
    component.onRunningFinished = function () {
        if (component === model.component && model.output) {
            model.texture = model.output.texture;
            for (let i = 0; i < model.maskedOutputs.length; i++) {
                model.masked[i] = model.maskedOutputs[i].texture;
            }
            model.callbacks.onDrawn();
        }
    };
    // Older versions of Lens Studio do not report failures.
    if ("onLoadingFailed" in component) {
        component.onLoadingFailed = function (/** @type {string} */ error) {
            giveUp(model, component, "The model could not be loaded: " + error);
        };
    }
    if ("onRunningFailed" in component) {
        component.onRunningFailed = function (/** @type {string} */ error) {
            model.callbacks.onFailed("The model could not run: " + error);
        };
    }
    // An empty list takes names, shapes and normalisation from the asset.
    component.build(model.assets.flipY ? flipped(spec) : []);
}

/** Draws with a model from now on, and releases the one before: two take twice the memory.
 * @param {Model} model @param {MLComponent} component @param {ModelSpec} spec */
function use(model, component, spec) {
    if (model.component) {
        model.component.destroy();
    }
    model.loading = false;
    model.component = component;
    model.spec = spec;
    model.inputs = {};
    for (let i = 0; i < spec.inputs.length; i++) {
        const placeholder = component.getInput(spec.inputs[i].name);
        // Kept, since each access crosses into Lens Studio.
        model.inputs[placeholder.name] = placeholder.data;
    }
    model.output = component.getOutput(spec.output.name);
    model.output.mode = MachineLearning.OutputMode.Texture;
    model.maskedOutputs = spec.masked.map(function (output) {
        const placeholder = component.getOutput(output.name);
        placeholder.mode = MachineLearning.OutputMode.Texture;
        return placeholder;
    });
    paces.restart(model.pace);
    model.callbacks.onReady();
}

/** Draws in this frame, after the scripts and before it is on the screen; onReady comes before.
 * @param {Model} model */
function run(model) {
    const timing = MachineLearning.FrameTiming.LateUpdate;
    /** @type {MLComponent} */ (model.component).runScheduled(false, timing, timing);
}

/** Takes the time of a frame in which the model ran, and changes to the smaller model or back.
 * @param {Model} model @param {number} seconds */
function watch(model, seconds) {
    if (model.loading || model.alone || model.contract.models.length < 2
        || !model.assets.smallModel) {
        return;
    }
    const judged = paces.judge(model.pace, seconds);
    const full = model.spec === model.contract.models[0];
    if (judged < 0 && full) {
        model.callbacks.onRemark("slow: smaller picture");
        load(model, 1);
    } else if (judged > 0 && !full) {
        model.callbacks.onRemark("fast again: full picture");
        load(model, 0);
    }
}

module.exports = { createModel: createModel, load: load, run: run, watch: watch };
