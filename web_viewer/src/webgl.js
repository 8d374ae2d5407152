// The network on WebGL2. Everything is allocated when a ray grid is chosen, nothing for a frame.

import { BANDS, ENCODE_SIZES, LAYER_SIZES, VERTEX, encodeShader, layerShader, showShader } from "./glsl.js";
import { fillTables, newTables, resizedLens } from "./camera.js";
import { imageScale, joined, slotSizes } from "./program.js";

/** log₂ of the columns of every texture: 2048, which all devices have. */
const BITS = 11;

/**
 * @param {Scene} scene @param {Weights} weights
 * @param {HTMLCanvasElement} canvas shows frames
 * @param {boolean} half stores every result in 16 bits, for devices that cannot draw 32
 * @returns {Engine}
 */
export function createWebGL2(scene, weights, canvas, half) {
  const gl = openContext(canvas, scene.channels === 4);
  const floats = gl.getExtension("EXT_color_buffer_float");
  if (!floats && !(half && gl.getExtension("EXT_color_buffer_half_float"))) {
    throw new Error(`WebGL2 cannot draw ${half ? "16" : "32"}-bit floats`);
  }
  const { program } = scene;
  const { encoder } = scene;
  const phases = 3 * encoder.samples * encoder.frequencies;
  const channels = 3 * encoder.samples * (2 * encoder.frequencies + 1);
  const scale = imageScale(program);
  let disposed = false;
  canvas.addEventListener("webglcontextlost", (event) => {
    event.preventDefault();
    if (!disposed) engine.onLost("the graphics context was lost");
  });

  /** @param {number} kind */
  const texture = (kind) => {
    const made = gl.createTexture();
    gl.bindTexture(kind, made);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(kind, filter, gl.NEAREST);
    return made;
  };
  /** A list of vectors of four. @param {Uint16Array | Float32Array} data */
  const list = (data) => {
    const rows = Math.max(1, Math.ceil(data.length / (4 << BITS)));
    if (rows > gl.getParameter(gl.MAX_TEXTURE_SIZE)) throw new Error("the weights are larger than a texture of WebGL2");
    const made = texture(gl.TEXTURE_2D);
    const halves = data instanceof Uint16Array;
    const padded = halves ? new Uint16Array(rows * (4 << BITS)) : new Float32Array(rows * (4 << BITS));
    padded.set(data);
    const [format, type] = halves ? [gl.RGBA16F, gl.HALF_FLOAT] : [gl.RGBA32F, gl.FLOAT];
    gl.texImage2D(gl.TEXTURE_2D, 0, format, 1 << BITS, rows, 0, gl.RGBA, type, padded);
    return made;
  };
  const weightTexture = list(weights.weights);
  const biasTexture = list(weights.biases);

  /** @typedef {{ program: WebGLProgram, sizes: Record<string, WebGLUniformLocation | null> }} Shader */
  const vertex = shader(gl, gl.VERTEX_SHADER, VERTEX);
  /** @type {Map<string, { program: WebGLProgram, fragment: WebGLShader }>} */
  const programs = new Map();
  // All are compiled before any is asked for, so that the driver can work on several at once.
  /** @param {string} code */
  const compile = (code) => {
    if (programs.has(code)) return;
    const made = gl.createProgram();
    const fragment = shader(gl, gl.FRAGMENT_SHADER, code);
    gl.attachShader(made, vertex);
    gl.attachShader(made, fragment);
    gl.linkProgram(made);
    programs.set(code, { program: made, fragment });
  };
  const codes = program.steps.map((step) => layerShader(step, BITS));
  const encodeCode = encodeShader(phases, BITS);
  const showCode = showShader(scene.channels, scene.background, BITS);
  for (const code of new Set([encodeCode, ...codes, showCode])) compile(code);
  /** @type {Map<string, Shader>} */
  const linked = new Map();
  /** @param {string} code @param {string[]} sizes @param {string[]} samplers in the order of texture units */
  const use = (code, sizes, samplers) => {
    let found = linked.get(code);
    if (!found) {
      const made = /** @type {{ program: WebGLProgram, fragment: WebGLShader }} */ (programs.get(code));
      if (!gl.getProgramParameter(made.program, gl.LINK_STATUS)) {
        const log = gl.getShaderInfoLog(made.fragment) || gl.getProgramInfoLog(made.program);
        throw new Error(`WebGL2 cannot compile a layer: ${log}`);
      }
      gl.useProgram(made.program);
      samplers.forEach((name, unit) => gl.uniform1i(gl.getUniformLocation(made.program, name), unit));
      const places = sizes.map((name) => [name, gl.getUniformLocation(made.program, name)]);
      found = { program: made.program, sizes: Object.fromEntries(places) };
      linked.set(code, found);
    }
    return found;
  };

  /** @typedef {{ made: WebGLTexture, framebuffer: WebGLFramebuffer }} Slot */
  /** @param {number} texels of a layer @returns {Slot} */
  function makeSlot(texels) {
    const made = texture(gl.TEXTURE_2D_ARRAY);
    gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, half ? gl.RGBA16F : gl.RGBA32F, 1 << BITS, Math.max(1, Math.ceil(texels / (1 << BITS))), BANDS);
    const framebuffer = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    const attachments = Array.from({ length: BANDS }, (_, k) => gl.COLOR_ATTACHMENT0 + k);
    attachments.forEach((attachment, k) => gl.framebufferTextureLayer(gl.FRAMEBUFFER, attachment, made, 0, k));
    gl.drawBuffers(attachments);
    if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) {
      throw new Error("WebGL2 cannot draw into four textures of floats");
    }
    return { made, framebuffer };
  }

  /** What one ray grid needs. @param {number} width @param {number} height */
  function makePlan(width, height) {
    const band = Math.ceil(height / BANDS);
    const slots = slotSizes(program, channels).map((size) => makeSlot(width * band * size));
    const lines = [width, height].map((size) => {
      const made = texture(gl.TEXTURE_2D);
      gl.texStorage2D(gl.TEXTURE_2D, 1, gl.R32F, size, channels);
      return made;
    });
    const encode = use(encodeCode, ENCODE_SIZES, ["across", "down"]);
    const groups = Math.ceil(channels / 4);
    /** @type {{ shader: Shader, values: [string, number][], inputs: [number, WebGLTexture][], target: WebGLFramebuffer, rows: number }[]} */
    const draws = [
      {
        shader: encode,
        values: [["columns", width], ["rows", height], ["band", band], ["channels", channels]],
        inputs: [[gl.TEXTURE_2D, lines[0]], [gl.TEXTURE_2D, lines[1]]],
        target: slots[program.input].framebuffer,
        rows: Math.ceil((width * band * groups) / (1 << BITS)),
      },
    ];
    program.steps.forEach((step, index) => {
      const names = ["x", "w", "b", ...joined(step).map((_, k) => `r${k}`)];
      const [columns, rows] = [width * step.scale, height * step.scale];
      const [groupsIn, groupsOut] = [Math.ceil(step.inputs / 4), Math.ceil(step.outputs / 4)];
      const values = [columns, rows, band * step.scale, groupsIn, groupsOut, step.weights, step.bias];
      draws.push({
        shader: use(codes[index], LAYER_SIZES, names),
        values: LAYER_SIZES.map((name, k) => [name, values[k]]),
        inputs: [
          [gl.TEXTURE_2D_ARRAY, slots[step.src].made],
          [gl.TEXTURE_2D, weightTexture],
          [gl.TEXTURE_2D, biasTexture],
          ...joined(step).map((slot) => /** @type {[number, WebGLTexture]} */ ([gl.TEXTURE_2D_ARRAY, slots[slot].made])),
        ],
        target: slots[step.dst].framebuffer,
        rows: Math.ceil((columns * band * step.scale * step.up ** 2 * groupsOut) / (1 << BITS)),
      });
    });
    const rows = Math.ceil((width * scale * band * scale) / (1 << BITS));
    return { band, slots, lines, draws, rows, tables: newTables(encoder, width, height) };
  }

  /** @param {Shader} chosen @param {[string, number][]} values @param {[number, WebGLTexture][]} inputs */
  function bind(chosen, values, inputs) {
    gl.useProgram(chosen.program);
    for (const [name, value] of values) gl.uniform1i(chosen.sizes[name], value);
    for (let unit = 0; unit < inputs.length; unit++) {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(inputs[unit][0], inputs[unit][1]);
    }
  }

  /** @type {Map<string, ReturnType<typeof makePlan>>} */
  const plans = new Map();
  let current = makePlan(...scene.grid);
  plans.set(scene.grid.join(), current);

  /** @param {number} width @param {number} height */
  function setGrid(width, height) {
    const key = [width, height].join();
    current = plans.get(key) ?? makePlan(width, height);
    plans.set(key, current);
    engine.grid = [width, height];
    [canvas.width, canvas.height] = [width * scale, height * scale];
  }

  /** @type {Engine} */
  const engine = {
    name: half ? "WebGL2, half floats" : "WebGL2",
    adapter: adapterName(gl),
    half,
    grid: [0, 0],
    setGrid,
    render(pose, lens) {
      const { tables } = current;
      fillTables(pose, resizedLens(lens, ...engine.grid), encoder, tables);
      gl.activeTexture(gl.TEXTURE0);
      for (let k = 0; k < 2; k++) {
        gl.bindTexture(gl.TEXTURE_2D, current.lines[k]);
        gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, engine.grid[k], channels, gl.RED, gl.FLOAT, k ? tables.rows : tables.columns);
      }
      for (const draw of current.draws) {
        gl.bindFramebuffer(gl.FRAMEBUFFER, draw.target);
        gl.viewport(0, 0, 1 << BITS, draw.rows);
        bind(draw.shader, draw.values, draw.inputs);
        gl.drawArrays(gl.TRIANGLES, 0, 3);
      }
    },
    show() {
      gl.bindFramebuffer(gl.FRAMEBUFFER, null);
      gl.viewport(0, 0, canvas.width, canvas.height);
      const sizes = /** @type {[string, number][]} */ ([["columns", canvas.width], ["rows", canvas.height], ["band", current.band * scale]]);
      bind(use(showCode, sizes.map(([name]) => name), ["picture"]), sizes, [[gl.TEXTURE_2D_ARRAY, current.slots[program.output].made]]);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    },
    async read() {
      const [width, height] = [engine.grid[0] * scale, engine.grid[1] * scale];
      const { band, slots, rows } = current;
      const part = new Float32Array((4 * rows) << BITS);
      const pixels = new Float32Array(4 * width * height);
      gl.bindFramebuffer(gl.FRAMEBUFFER, slots[program.output].framebuffer);
      for (let k = 0; k < BANDS; k++) {
        gl.readBuffer(gl.COLOR_ATTACHMENT0 + k);
        gl.readPixels(0, 0, 1 << BITS, rows, gl.RGBA, gl.FLOAT, part);
        const first = k * band * scale * width * 4;
        const length = Math.max(0, Math.min(band * scale * width * 4, pixels.length - first));
        if (length) pixels.set(part.subarray(0, length), first);
      }
      const error = gl.getError();
      if (error && error !== gl.CONTEXT_LOST_WEBGL) throw new Error(`WebGL2 failed with error ${error}`);
      return pixels;
    },
    async finish() {
      const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
      gl.flush();
      while (fence && gl.clientWaitSync(fence, 0, 0) === gl.TIMEOUT_EXPIRED) {
        await new Promise((resolve) => setTimeout(resolve));
      }
      gl.deleteSync(fence);
    },
    dispose() {
      disposed = true;
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
    onLost: () => {},
  };
  setGrid(...scene.grid);
  return engine;
}

/** @param {HTMLCanvasElement} canvas @param {boolean} alpha */
function openContext(canvas, alpha) {
  const options = { alpha, antialias: false, depth: false, premultipliedAlpha: true, preserveDrawingBuffer: true };
  const gl = canvas.getContext("webgl2", options);
  if (!gl) throw new Error("WebGL2 is missing");
  return /** @type {WebGL2RenderingContext} */ (gl);
}

/** @param {WebGL2RenderingContext} gl @param {number} kind @param {string} code */
function shader(gl, kind, code) {
  const made = /** @type {WebGLShader} */ (gl.createShader(kind));
  gl.shaderSource(made, code);
  gl.compileShader(made);
  return made;
}

/** @param {WebGL2RenderingContext} gl */
function adapterName(gl) {
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  return String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}
