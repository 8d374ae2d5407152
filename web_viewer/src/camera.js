// From an orbit position to the tables of the factored encoding, in double precision.
// Frames are those of the bundle: OpenGL camera, world units of the scene, degrees.

/**
 * Rows right, up, back and the position of a camera on an orbit.
 * @param {Orbit} orbit
 * @param {number} azimuth
 * @param {number} elevation
 * @param {number} radius
 * @returns {number[]} [3, 4] cam_to_world, row by row
 */
export function orbitPose(orbit, azimuth, elevation, radius) {
  const a = (azimuth * Math.PI) / 180;
  const e = (elevation * Math.PI) / 180;
  const [first, second, up] = orbit.basis;
  const back = mix(Math.cos(e) * Math.cos(a), first, Math.cos(e) * Math.sin(a), second, Math.sin(e), up);
  const right = mix(-Math.sin(a), first, Math.cos(a), second, 0, up);
  const raised = cross(back, right);
  const pose = [];
  for (let axis = 0; axis < 3; axis++) {
    pose.push(right[axis], raised[axis], back[axis], orbit.target[axis] + radius * back[axis]);
  }
  return pose;
}

/**
 * @param {number} x @param {Vector} a @param {number} y @param {Vector} b
 * @param {number} z @param {Vector} c @returns {Vector}
 */
function mix(x, a, y, b, z, c) {
  return [x * a[0] + y * b[0] + z * c[0], x * a[1] + y * b[1] + z * c[1], x * a[2] + y * b[2] + z * c[2]];
}

/** @param {Vector} a @param {Vector} b @returns {Vector} */
function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/**
 * The same view on another pixel grid.
 * @param {Lens} lens @param {number} width @param {number} height @returns {Lens}
 */
export function resizedLens(lens, width, height) {
  const sx = width / lens.width;
  const sy = height / lens.height;
  return { width, height, fx: lens.fx * sx, fy: lens.fy * sy, cx: lens.cx * sx, cy: lens.cy * sy };
}

/**
 * Tables of sines and cosines over columns and over rows, and the points themselves.
 * @param {number[]} pose [3, 4] cam_to_world, row by row
 * @param {Lens} lens on the ray grid
 * @param {Scene["encoder"]} encoder
 * @param {Tables} tables is filled
 */
export function fillTables(pose, lens, encoder, tables) {
  const { samples, frequencies } = encoder;
  const coords = 3 * samples;
  const phases = coords * frequencies;
  const { width, height } = lens;
  for (let axis = 0; axis < 3; axis++) {
    const du = pose[4 * axis] / lens.fx;
    const dv = -pose[4 * axis + 1] / lens.fy;
    const d0 = (0.5 - lens.cx) * du + (0.5 - lens.cy) * dv - pose[4 * axis + 2];
    const origin = pose[4 * axis + 3];
    for (let sample = 0; sample < samples; sample++) {
      const depth = encoder.near + ((encoder.far - encoder.near) * sample) / (samples - 1);
      const coord = 3 * sample + axis;
      fillLine(tables.columns, width, coord, phases, coords, origin + depth * d0, depth * du);
      fillLine(tables.rows, height, coord, phases, coords, 0, depth * dv);
    }
  }
}

/**
 * One coordinate along one axis of the grid.
 * @param {Float32Array} table @param {number} size @param {number} coord @param {number} phases
 * @param {number} coords @param {number} start @param {number} step
 */
function fillLine(table, size, coord, phases, coords, start, step) {
  for (let index = 0; index < size; index++) {
    const value = start + step * index;
    table[(2 * phases + coord) * size + index] = value;
    for (let channel = coord, phase = value; channel < phases; channel += coords, phase *= 2) {
      table[channel * size + index] = Math.sin(phase);
      table[(phases + channel) * size + index] = Math.cos(phase);
    }
  }
}

/** @param {Scene["encoder"]} encoder @param {number} width @param {number} height @returns {Tables} */
export function newTables(encoder, width, height) {
  const lines = 3 * encoder.samples * (2 * encoder.frequencies + 1);
  return { columns: new Float32Array(lines * width), rows: new Float32Array(lines * height) };
}
