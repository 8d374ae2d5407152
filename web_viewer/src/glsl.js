// Shaders of the WebGL2 engine. The rows of a feature map are cut into BANDS bands, one for each layer
// of an array of textures; in a layer, texel (group·rows + row)·columns + column holds four channels.
// A fragment makes the same four channels of one pixel in every band, with the same weights.

import { finished, joined } from "./program.js";

/** Layers that are drawn at once, the least that WebGL2 promises. */
export const BANDS = 4;

const each = (/** @type {(band: number) => string} */ line) => Array.from({ length: BANDS }, (_, band) => line(band)).join("\n");

export const VERTEX = `#version 300 es
void main() { gl_Position = vec4(float(gl_VertexID & 1) * 4.0 - 1.0, float(gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0); }`;

/** @param {number} bits log₂ of a texture's columns */
function head(bits) {
  return `#version 300 es
precision highp float; precision highp int; precision highp sampler2D; precision highp sampler2DArray;
ivec2 texel(int i) { return ivec2(i & ${(1 << bits) - 1}, i >> ${bits}); }
`;
}

const GELU = `
vec4 erf4(vec4 x) {  // Abramowitz and Stegun 7.1.26, to 1.5e-7
  vec4 a = abs(x);
  vec4 t = 1.0 / (1.0 + 0.3275911 * a);
  vec4 p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(x) * (1.0 - p * exp(-a * a));
}`;

/** @type {Record<Step["act"], string>} */
const ACTIVATIONS = {
  none: "vec4 act(vec4 x) { return x; }",
  relu: "vec4 act(vec4 x) { return max(x, vec4(0)); }",
  gelu: `${GELU}\nvec4 act(vec4 x) { return 0.5 * x * (1.0 + erf4(x * 0.7071067811865476)); }`,
  gelu_tanh:
    "vec4 act(vec4 x) { return 0.5 * x * (1.0 + tanh(clamp(0.7978845608028654 * (x + 0.044715 * x * x * x), vec4(-10), vec4(10)))); }",
  sigmoid: "vec4 act(vec4 x) { return 1.0 / (1.0 + exp(-x)); }",
};

/** Sizes of a layer, by the name of their uniform. */
export const LAYER_SIZES = ["columns", "rows", "band", "groups_in", "groups_out", "weights", "bias"];

/** @param {Step} step @param {number} bits */
export function layerShader(step, bits) {
  const taps = step.taps[0].length;
  const offsets = step.taps.flat().map(([dx, dy]) => `ivec2(${dx}, ${dy})`);
  const others = joined(step).map((_, n) => `r${n}`);
  return `${head(bits)}
uniform sampler2DArray x; uniform sampler2D w; uniform sampler2D b;
${others.map((name) => `uniform sampler2DArray ${name};`).join("\n")}
uniform int columns, rows, band, groups_in, groups_out, weights, bias;
${each((k) => `layout(location = ${k}) out vec4 y${k};`)}
const ivec2 OFFSETS[${offsets.length}] = ivec2[](${offsets.join(", ")});
${ACTIVATIONS[step.act]}
void main() {
  int i = (int(gl_FragCoord.y) << ${bits}) + int(gl_FragCoord.x);
  int wide = columns * ${step.up};
  int plane = wide * band * ${step.up};
  int o = i / plane;
  if (o >= groups_out) discard;
  int row = (i - o * plane) / wide;
  int column = i - o * plane - row * wide;
  int parity = (row % ${step.up}) * ${step.up} + column % ${step.up};
  vec4 start = texelFetch(b, texel(bias + o), 0);
${each((k) => `  vec4 a${k} = start;`)}
  for (int tap = 0; tap < ${taps}; tap++) {
    ivec2 offset = OFFSETS[parity * ${taps} + tap];
    int across = column / ${step.up} + offset.x;
    int down = row / ${step.up} + offset.y;
    bool inside = across >= 0 && across < columns;
    // The row above the first of a band is the last of the band before.
    int move = down < 0 ? -1 : down >= band ? 1 : 0;
    int at = inside ? (down - move * band) * columns + across : 0;
${each(
  (k) => `    int layer${k} = clamp(${k} + move, 0, ${BANDS - 1});
    float in${k} = inside && ${k} * band + down >= 0 && ${k} * band + down < rows ? 1.0 : 0.0;`,
)}
    int j = weights + ((parity * ${taps} + tap) * groups_in * groups_out + o) * 4;
    for (int g = 0; g < groups_in; g++) {
      mat4 m = mat4(texelFetch(w, texel(j), 0), texelFetch(w, texel(j + 1), 0), texelFetch(w, texel(j + 2), 0), texelFetch(w, texel(j + 3), 0));
      ivec2 t = texel(at);
${each((k) => `      a${k} += m * (in${k} * texelFetch(x, ivec3(t, layer${k}), 0));`)}
      at += columns * band;
      j += groups_out * 4;
    }
  }
  ivec2 own = ivec2(gl_FragCoord.xy);
${each((k) => `  y${k} = ${finished(step, `a${k}`, (n) => `texelFetch(${others[n]}, ivec3(own, ${k}), 0)`)};`)}
}`;
}

/** Sizes of the encoding, by the name of their uniform. */
export const ENCODE_SIZES = ["columns", "rows", "band", "channels"];

/** @param {number} phases @param {number} bits */
export function encodeShader(phases, bits) {
  return `${head(bits)}
uniform sampler2D across; uniform sampler2D down;
uniform int columns, rows, band, channels;
${each((k) => `layout(location = ${k}) out vec4 y${k};`)}
float u(int line, int column) { return texelFetch(across, ivec2(column, line), 0).r; }
float v(int line, int row) { return texelFetch(down, ivec2(row, line), 0).r; }
float value(int c, int column, int row) {
  if (c >= channels) return 0.0;
  if (c >= ${2 * phases}) return u(c, column) + v(c, row);
  int s = c % ${phases};
  int t = s + ${phases};
  return c < ${phases} ? u(s, column) * v(t, row) + u(t, column) * v(s, row) : u(t, column) * v(t, row) - u(s, column) * v(s, row);
}
vec4 four(int c, int column, int row) {
  return vec4(value(c, column, row), value(c + 1, column, row), value(c + 2, column, row), value(c + 3, column, row));
}
void main() {
  int i = (int(gl_FragCoord.y) << ${bits}) + int(gl_FragCoord.x);
  int plane = columns * band;
  int c = i / plane * 4;
  if (c >= channels) discard;
  int row = i % plane / columns;
  int column = i % columns;
${each((k) => `  y${k} = four(c, column, min(row + ${k} * band, rows - 1));`)}
}`;
}

/**
 * The picture to a canvas of its size, alpha premultiplied.
 * @param {3 | 4} channels @param {Vector} background that colours with alpha lie on @param {number} bits
 */
export function showShader(channels, background, bits) {
  const vector = `vec3(${background.map((value) => value.toFixed(6)).join(", ")})`;
  const shown = channels === 4 ? `vec4(clamp(c.rgb - (1.0 - c.a) * ${vector}, vec3(0), vec3(c.a)), c.a)` : "vec4(c.rgb, 1.0)";
  return `${head(bits)}
uniform sampler2DArray picture;
uniform int columns, rows, band;
out vec4 colour;
void main() {
  int row = rows - 1 - int(gl_FragCoord.y);
  vec4 c = texelFetch(picture, ivec3(texel(row % band * columns + int(gl_FragCoord.x)), row / band), 0);
  colour = ${shown};
}`;
}
