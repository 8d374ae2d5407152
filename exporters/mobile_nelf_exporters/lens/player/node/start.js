// The first code in the context of the scripts; main.js calls it with `bridge` and keeps what it
// returns. Modules of the runtime come in compiled, since nothing can be compiled in here.
"use strict";
// V8's own console would swallow what Lens Studio's prints. The rest has no place in a lens: shared
// memory, and threads that wait for it.
for (const name of ["Atomics", "SharedArrayBuffer", "WebAssembly", "console"]) {
    delete globalThis[name];
}

const compiled = new Map();
const scripts = { component: new Map(), module: new Map() }; // {run, problem} by path
const modules = new Map([["./outside", { exports: { bridge, scripts } }]]);

function require(name) {
    if (!modules.has(name)) {
        const module = { exports: {} };
        modules.set(name, module);
        compiled.get(name)(require, module);
    }
    return modules.get(name).exports;
}

return Object.freeze({
    addModule(name, run) { compiled.set(name, run); },
    addScript(form, file, run, problem) { scripts[form].set(file, { run, problem }); },
    begin: () => require("./api").handle,
});
