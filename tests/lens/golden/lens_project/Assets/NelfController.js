// Shows a neural light field that turns under the finger. Made by mobile-nelf; plain JavaScript.
//
// Whenever the view changes, the rays of the picture go into the model's input tensors, the model
// runs once, and its output texture is what the camera's render target is cleared with. That needs
// no material, and stretches the picture to the screen; the rays are spaced so that the stretch
// cancels.

//@input Asset.MLAsset model {"hint":"model.onnx of this project"}
//@input bool flipY = false {"hint":"Tick this if the picture stands on its head"}

// What model and script have to agree on. Vectors are in the world frame of the training photos, not
// in Lens Studio's. Lens in pixels of the ray grid, angles in degrees, shapes as [width, height,
// channels].
var CONTRACT = {
    inputs: [{"name": "sin_columns", "shape": [6, 1, 36]}, {"name": "cos_columns", "shape": [6, 1, 36]}, {"name": "point_columns", "shape": [6, 1, 12]}, {"name": "sin_rows", "shape": [1, 5, 36]}, {"name": "cos_rows", "shape": [1, 5, 36]}, {"name": "point_rows", "shape": [1, 5, 12]}],
    output: {"name": "output", "shape": [12, 10, 3]},
    rayWidth: 6,
    rayHeight: 5,
    fx: 7.0,
    fy: 6.5,
    cx: 3.125,
    cy: 2.375,
    depths: [2.0, 3.166666666666667, 4.333333333333334, 5.5],
    frequencies: 3,
    target: [0.1, -0.2, 0.3],
    orbitAxes: [[1.0, 0.0, 0.0], [0.0, 0.8, -0.6], [0.0, 0.6, 0.8]],
    azimuth: [-40.0, 75.0],
    elevation: [-10.0, 62.0],
    radius: 3.875,
    background: [1.0, 1.0, 1.0]
};

var DEGREES_A_SCREEN = 180; // turn for a drag from one edge of the screen to the other
var ZERO = [0, 0, 0];

var camera = script.getSceneObject().getComponent("Component.Camera");
var view = {
    azimuth: (CONTRACT.azimuth[0] + CONTRACT.azimuth[1]) / 2,
    elevation: (CONTRACT.elevation[0] + CONTRACT.elevation[1]) / 2
};
var drag = { id: null, x: 0, y: 0 };
var ml = null;
var tensors = {}; // what goes into the inputs, by name
var viewChanged = true;
var shownAspect = 0;
var statusText = null;

// ---- Status ------------------------------------------------------------------------------------

function createStatusText() {
    var parent = script.getSceneObject();
    var object = global.scene.createSceneObject("Status");
    object.setParent(parent);
    object.layer = parent.layer;
    var place = object.createComponent("Component.ScreenTransform");
    place.anchors = Rect.create(-0.9, 0.9, -0.9, 0.9);
    place.position = new vec3(0, 0, -10); // between the camera's near and far planes
    var text = object.createComponent("Component.Text");
    text.size = 40;
    text.horizontalOverflow = HorizontalOverflow.Wrap;
    var background = CONTRACT.background;
    var shade = background[0] + background[1] + background[2] > 1.5 ? 0 : 1;
    text.textFill.color = new vec4(shade, shade, shade, 1);
    return text;
}

function showStatus(message) {
    print("NelfController: " + message);
    if (!statusText) {
        statusText = createStatusText();
    }
    statusText.text = message;
}

// ---- Camera ------------------------------------------------------------------------------------

function cross(a, b) {
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function scaled(a, factor) {
    return [a[0] * factor, a[1] * factor, a[2] * factor];
}

function sum(a, b) {
    return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}

// The rays of the trained picture as an affine map: the ray of column u, row v of the ray grid
// starts at `origin` and has direction d0 + u·du + v·dv. Pixel centres are at +0.5, rows go down.
function rayMap() {
    var azimuth = view.azimuth * Math.PI / 180;
    var elevation = view.elevation * Math.PI / 180;
    var axes = CONTRACT.orbitAxes; // of azimuth 0, of azimuth 90 degrees, up
    var level = sum(scaled(axes[0], Math.cos(azimuth)), scaled(axes[1], Math.sin(azimuth)));
    var right = sum(scaled(axes[0], -Math.sin(azimuth)), scaled(axes[1], Math.cos(azimuth)));
    var back = sum(scaled(level, Math.cos(elevation)), scaled(axes[2], Math.sin(elevation)));
    var du = scaled(right, 1 / CONTRACT.fx);
    var dv = scaled(cross(back, right), -1 / CONTRACT.fy);
    var corner = sum(scaled(du, 0.5 - CONTRACT.cx), scaled(dv, 0.5 - CONTRACT.cy));
    return {
        origin: sum(CONTRACT.target, scaled(back, CONTRACT.radius)),
        d0: sum(corner, scaled(back, -1)),
        du: du,
        dv: dv
    };
}

// Distance of neighbouring rays in units of the trained grid's, for a screen of the given aspect.
function raySpacing(screenAspect) {
    var pictureAspect =
        (CONTRACT.rayWidth * CONTRACT.fy) / (CONTRACT.rayHeight * CONTRACT.fx);
    var ratio = screenAspect / pictureAspect;
    return { x: chooseSpacing(ratio, 1), y: chooseSpacing(1 / ratio, 1) };
}

// ---- Input tensors -----------------------------------------------------------------------------

// The whole picture is visible: the screen may show more than the picture along one axis, never less.
var chooseSpacing = Math.max;
var columns = new Float64Array(CONTRACT.rayWidth);
var rows = new Float64Array(CONTRACT.rayHeight);

// Where the screen's evenly spaced rays lie in the trained ray grid. Beyond the picture its border
// ray is repeated: the border colour goes on, and no ray leaves what the network was trained on.
function placeRays(positions, spacing) {
    var last = positions.length - 1;
    for (var i = 0; i <= last; i++) {
        var position = last / 2 + (i - last / 2) * spacing;
        positions[i] = Math.min(Math.max(position, 0), last);
    }
}

// A sampled point is o + z·(d0 + u·du + v·dv). Its column share is o + z·d0 + u·z·du, its row share
// v·z·dv. Writes, for each position, the share of each coordinate (3·sample + xyz) and the sine and
// cosine of each phase (level·coords + coord), channels innermost.
function fillTables(positions, origin, start, step, points, sines, cosines) {
    var coords = 3 * CONTRACT.depths.length;
    var phases = coords * CONTRACT.frequencies;
    for (var i = 0; i < positions.length; i++) {
        for (var c = 0; c < coords; c++) {
            var axis = c % 3;
            var depth = CONTRACT.depths[(c - axis) / 3];
            var share = origin[axis] + depth * (start[axis] + positions[i] * step[axis]);
            points[i * coords + c] = share;
            for (var level = 0; level < CONTRACT.frequencies; level++) {
                var phase = share * Math.pow(2, level);
                sines[i * phases + level * coords + c] = Math.sin(phase);
                cosines[i * phases + level * coords + c] = Math.cos(phase);
            }
        }
    }
}

// Layout `factored`: sines and cosines of columns and of rows; the model multiplies and adds them.
function fillInputs(rays, spacing, tensors) {
    placeRays(columns, spacing.x);
    placeRays(rows, spacing.y);
    fillTables(columns, rays.origin, rays.d0, rays.du,
        tensors.point_columns, tensors.sin_columns, tensors.cos_columns);
    fillTables(rows, ZERO, ZERO, rays.dv,
        tensors.point_rows, tensors.sin_rows, tensors.cos_rows);
}

// ---- Orbit -------------------------------------------------------------------------------------

function turn(azimuth, elevation) {
    view.azimuth += azimuth;
    var low = CONTRACT.azimuth[0];
    var high = CONTRACT.azimuth[1];
    if (high - low >= 360) {
        view.azimuth -= 360 * Math.floor((view.azimuth - low) / 360);
    } else {
        view.azimuth = Math.min(Math.max(view.azimuth, low), high);
    }
    view.elevation = Math.min(
        Math.max(view.elevation + elevation, CONTRACT.elevation[0]), CONTRACT.elevation[1]);
    viewChanged = true;
}

function onTouchStart(event) {
    var position = event.getTouchPosition();
    drag = { id: event.getTouchId(), x: position.x, y: position.y };
}

// The object follows the finger, so the camera goes the other way round it.
function onTouchMove(event) {
    if (event.getTouchId() !== drag.id) {
        return;
    }
    var position = event.getTouchPosition();
    turn((drag.x - position.x) * DEGREES_A_SCREEN, (position.y - drag.y) * DEGREES_A_SCREEN);
    drag.x = position.x;
    drag.y = position.y;
}

// ---- Model -------------------------------------------------------------------------------------

function find(placeholders, name) {
    for (var i = 0; i < placeholders.length; i++) {
        if (placeholders[i].name === name) {
            return placeholders[i];
        }
    }
    return null;
}

// Says what is wrong with a tensor of the model, or nothing.
function mismatch(placeholders, spec) {
    var placeholder = find(placeholders, spec.name);
    if (!placeholder) {
        return "the model has no tensor '" + spec.name + "'";
    }
    var shape = placeholder.shape;
    var found = [shape.x, shape.y, shape.z].join(" x ");
    var expected = spec.shape.join(" x ");
    return found === expected
        ? ""
        : "tensor '" + spec.name + "' is " + found + ", expected " + expected;
}

function modelProblem() {
    for (var i = 0; i < CONTRACT.inputs.length; i++) {
        var problem = mismatch(ml.getInputs(), CONTRACT.inputs[i]);
        if (problem) {
            return problem;
        }
    }
    return mismatch(ml.getOutputs(), CONTRACT.output);
}

function flippedOutput() {
    var shape = CONTRACT.output.shape;
    return MachineLearning.createOutputBuilder()
        .setName(CONTRACT.output.name)
        .setShape(new vec3(shape[0], shape[1], shape[2]))
        .setOutputMode(MachineLearning.OutputMode.Texture)
        .setTransformer(MachineLearning.createTransformerBuilder().setFlipY(true).build())
        .build();
}

function onModelLoaded() {
    var problem = modelProblem();
    if (problem) {
        showStatus("This model does not belong to this script: " + problem
            + ". Put the model.onnx of the same bundle into the field Model of NelfController.");
        return;
    }
    CONTRACT.inputs.forEach(function (spec) {
        tensors[spec.name] = new Float32Array(spec.shape[0] * spec.shape[1] * spec.shape[2]);
    });
    ml.getOutput(CONTRACT.output.name).mode = MachineLearning.OutputMode.Texture;
    script.createEvent("TouchStartEvent").bind(onTouchStart);
    script.createEvent("TouchMoveEvent").bind(onTouchMove);
    script.createEvent("UpdateEvent").bind(onUpdate);
}

// The texture exists only once the model has run.
function onModelRan() {
    var control = camera.renderTarget.control;
    control.inputTexture = ml.getOutput(CONTRACT.output.name).texture;
    control.clearColorOption = ClearColorOption.CustomTexture;
}

function onUpdate() {
    var aspect = camera.renderTarget.getWidth() / camera.renderTarget.getHeight();
    if (!isFinite(aspect) || (aspect === shownAspect && !viewChanged)) {
        return;
    }
    shownAspect = aspect;
    viewChanged = false;
    fillInputs(rayMap(), raySpacing(aspect), tensors);
    CONTRACT.inputs.forEach(function (spec) {
        ml.getInput(spec.name).data.set(tensors[spec.name]);
    });
    // In this frame, after the scripts and before it is drawn.
    var timing = MachineLearning.FrameTiming.LateUpdate;
    ml.runScheduled(false, timing, timing);
}

function onStart() {
    global.touchSystem.touchBlocking = true;
    if (!script.model) {
        showStatus("No model. Select the object 'Nelf Camera' and drag model.onnx from the Asset "
            + "Browser onto the field Model of NelfController.");
        return;
    }
    ml = script.getSceneObject().createComponent("Component.MLComponent");
    ml.model = script.model;
    ml.inferenceMode = MachineLearning.InferenceMode.Accelerator;
    ml.onLoadingFinished = onModelLoaded;
    ml.onRunningFinished = onModelRan;
    // Older versions of Lens Studio do not report failures.
    if ("onLoadingFailed" in ml) {
        ml.onLoadingFailed = function (error) {
            showStatus("The model could not be loaded: " + error);
        };
    }
    if ("onRunningFailed" in ml) {
        ml.onRunningFailed = function (error) {
            showStatus("The model could not run: " + error);
        };
    }
    // An empty list takes names, shapes and normalisation from the asset.
    ml.build(script.flipY ? ml.getInputs().concat([flippedOutput()]) : []);
}

script.createEvent("OnStartEvent").bind(onStart);
