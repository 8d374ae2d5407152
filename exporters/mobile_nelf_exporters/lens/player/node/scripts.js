// Loads the scripts of a project: components with `script`, modules by `require`.
"use strict";
const path = require("path").posix;
const vm = require("vm");
const { LensApiError, documented } = require("./documented");

class Scripts {
    // `sources`: text by path relative to the project. `globals`: the API.
    constructor(sources, globals) {
        this.sources = sources;
        this.context = vm.createContext(globals, { codeGeneration: { strings: false, wasm: false } });
        // V8's own console would swallow what Lens Studio's prints.
        vm.runInContext("delete globalThis.console", this.context);
        this.modules = new Map();
    }

    // Guide "Script Modules": CommonJS; a name that begins with ./ or ../ is a path from the calling
    // script, with or without its ending. Modules have no `script`.
    resolve(from, name) {
        if (!/^\.\.?\//.test(name)) {
            throw new LensApiError(`require("${name}") in ${from}: only paths from ./ are simulated`);
        }
        const wanted = path.join(path.dirname(from), name);
        const found = [wanted, `${wanted}.js`].find((file) => file in this.sources);
        if (!found) {
            throw new LensApiError(`require("${name}") in ${from}: there is no such script`);
        }
        return found;
    }

    require(from, name) {
        const file = this.resolve(from, name);
        if (!this.modules.has(file)) {
            const module = { exports: {} };
            // In place before it runs: modules may require each other.
            this.modules.set(file, module);
            this.run(file, ["module", "exports"], [module, module.exports]);
        }
        return this.modules.get(file).exports;
    }

    component(file, script) {
        this.run(file, ["script"], [script]);
    }

    run(file, names, values) {
        const compiled = vm.compileFunction(this.sources[file], ["require", ...names],
            { filename: file, parsingContext: this.context });
        compiled((name) => this.require(file, name), ...values);
    }
}

module.exports = { Scripts };
