// Loads the scripts of a project: components with `script`, modules by `require`.
"use strict";
const { LensApiError } = require("./documented");
const { scripts } = require("./outside");

// The path that `name` is for a script in the folder of `from`.
function joined(from, name) {
    const parts = from.split("/").slice(0, -1);
    for (const part of name.split("/")) {
        if (part === ".." && parts.length > 0 && parts[parts.length - 1] !== "..") {
            parts.pop();
        } else if (part !== "." && part !== "") {
            parts.push(part);
        }
    }
    return parts.join("/");
}

class Scripts {
    constructor() {
        this.modules = new Map();
    }

    // Guide "Script Modules": CommonJS; a name that begins with ./ or ../ is a path from the calling
    // script, with or without its ending. Modules have no `script`.
    resolve(from, name) {
        if (!/^\.\.?\//.test(name)) {
            throw new LensApiError(`require("${name}") in ${from}: only paths from ./ are simulated`);
        }
        const wanted = joined(from, name);
        const found = [wanted, `${wanted}.js`].find((file) => scripts.module.has(file));
        if (!found) {
            throw new LensApiError(`require("${name}") in ${from}: no such script`);
        }
        return found;
    }

    require(from, name) {
        const file = this.resolve(from, name);
        if (!this.modules.has(file)) {
            const module = { exports: {} };
            // In place before it runs: modules may require each other.
            this.modules.set(file, module);
            this.run("module", file, module, module.exports);
        }
        return this.modules.get(file).exports;
    }

    component(file, script) {
        this.run("component", file, script);
    }

    run(form, file, ...values) {
        const { run, problem } = scripts[form].get(file);
        if (run === null) {
            throw new LensApiError(problem);
        }
        run((name) => this.require(file, name), ...values);
    }
}

module.exports = { Scripts };
