// A lens of three models, as Snap's published 360 template arranges a frame: the pose goes to a sampler,
// its points to an embedder, the embedding to the network. The first two run at once and the script
// copies each output to the next input; the network runs with the frame.

//@input Asset.MLAsset sampler
//@input Asset.MLAsset embedder
//@input Asset.MLAsset network
"use strict";

const SETTINGS = require("./ChainSettings");
const DEGREE = Math.PI / 180;

const owner = script.getSceneObject();
const camera = owner.getComponent("Component.Camera");
const rotation = new Float32Array(9), position = new Float32Array(3);
let azimuth = (SETTINGS.azimuth[0] + SETTINGS.azimuth[1]) / 2;
let elevation = (SETTINGS.elevation[0] + SETTINGS.elevation[1]) / 2;
const radius = (SETTINGS.radius[0] + SETTINGS.radius[1]) / 2;
let touched = null;
let waiting = 3; // models that are not loaded

const network = load(script.network, "output", MachineLearning.OutputMode.Texture);
const embedder = load(script.embedder, "embbrays", MachineLearning.OutputMode.Data);
const sampler = load(script.sampler, "pts", MachineLearning.OutputMode.Data);

/** @param {any} asset @param {string} output @param {number} mode */
function load(asset, output, mode) {
    const component = owner.createComponent("Component.MLComponent");
    component.model = asset;
    component.inferenceMode = MachineLearning.InferenceMode.Accelerator;
    component.onLoadingFinished = function () {
        component.getOutput(output).mode = mode;
        waiting -= 1;
        if (waiting === 0) {
            onReady();
        }
    };
    component.onLoadingFailed = function (/** @type {string} */ error) {
        throw new Error(error);
    };
    component.build([]);
    return component;
}

function onReady() {
    network.onRunningFinished = function () {
        camera.renderTarget.control.inputTexture = network.getOutput("output").texture;
        camera.renderTarget.control.clearColorOption = ClearColorOption.CustomTexture;
    };
    script.createEvent("TouchStartEvent").bind(function (event) {
        touched = event.getTouchPosition();
    });
    script.createEvent("TouchMoveEvent").bind(onMove);
    script.createEvent("UpdateEvent").bind(onUpdate);
}

function onMove(event) {
    const now = event.getTouchPosition();
    azimuth -= (now.x - touched.x) * SETTINGS.degreesAScreen;
    elevation += (now.y - touched.y) * SETTINGS.degreesAScreen;
    touched = now;
}

// Rows of `rotation` are those of camera to world: its columns are right, up, back.
function pose() {
    const axes = SETTINGS.orbitAxes;
    const cosA = Math.cos(azimuth * DEGREE), sinA = Math.sin(azimuth * DEGREE);
    const cosE = Math.cos(elevation * DEGREE), sinE = Math.sin(elevation * DEGREE);
    for (let k = 0; k < 3; k++) {
        const level = cosA * axes[0][k] + sinA * axes[1][k];
        rotation[3 * k] = -sinA * axes[0][k] + cosA * axes[1][k];
        rotation[3 * k + 1] = cosE * axes[2][k] - sinE * level;
        rotation[3 * k + 2] = cosE * level + sinE * axes[2][k];
        position[k] = SETTINGS.target[k] + radius * rotation[3 * k + 2];
    }
}

function onUpdate() {
    pose();
    sampler.getInput("c2w33").data.set(rotation);
    sampler.getInput("c2w13").data.set(position);
    sampler.runImmediate(true);
    embedder.getInput("rays").data.set(sampler.getOutput("pts").data);
    embedder.runImmediate(true);
    network.getInput("input").data.set(embedder.getOutput("embbrays").data);
    const timing = MachineLearning.FrameTiming.LateUpdate;
    network.runScheduled(false, timing, timing);
}
