// What model and scripts have to agree on. Vectors are in the world of the training photos, not in
// Lens Studio's. Lenses in pixels of the ray grid, angles in degrees, shapes as [width, height,
// channels].
"use strict";
module.exports = {
    "experience": "orbit",
    "models": [{"cx": 3.125, "cy": 2.375, "fx": 7.0, "fy": 6.5, "input": "model", "inputs": [{"name": "sin_columns", "shape": [6, 1, 36]}, {"name": "cos_columns", "shape": [6, 1, 36]}, {"name": "point_columns", "shape": [6, 1, 12]}, {"name": "sin_rows", "shape": [1, 5, 36]}, {"name": "cos_rows", "shape": [1, 5, 36]}, {"name": "point_rows", "shape": [1, 5, 12]}], "masked": [], "output": {"name": "output", "shape": [14, 12, 3]}, "pictureHeight": 10, "pictureWidth": 12, "rayHeight": 5, "rayWidth": 6}, {"cx": 3.125, "cy": 2.375, "fx": 7.0, "fy": 6.5, "input": "smallModel", "inputs": [{"name": "sin_columns", "shape": [6, 1, 36]}, {"name": "cos_columns", "shape": [6, 1, 36]}, {"name": "point_columns", "shape": [6, 1, 12]}, {"name": "sin_rows", "shape": [1, 5, 36]}, {"name": "cos_rows", "shape": [1, 5, 36]}, {"name": "point_rows", "shape": [1, 5, 12]}], "masked": [], "output": {"name": "output", "shape": [14, 12, 3]}, "pictureHeight": 10, "pictureWidth": 12, "rayHeight": 5, "rayWidth": 6}],
    "depths": [2.0, 3.166666666666667, 4.333333333333334, 5.5],
    "frequencies": 3,
    "target": [0.1, -0.2, 0.3],
    "orbitAxes": [[1.0, 0.0, 0.0], [0.0, 0.8, -0.6], [0.0, 0.6, 0.8]],
    "azimuth": [-40.0, 75.0],
    "elevation": [-10.0, 62.0],
    "radius": [3.5, 4.25],
    "ballRadius": 1.25,
    "background": [1.0, 1.0, 1.0],
    "degreesAScreen": 180.0,
    "room": {"distanceCm": 100.0, "foot": 1.25, "height": 2.5, "reach": 1.25, "unitsPerCm": 0.03875},
    "lensStudio": "5.15"
};
