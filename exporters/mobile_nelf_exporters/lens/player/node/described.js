// Loaded on both sides: in main.js for scripts that cannot be compiled, in the context for the rest.
"use strict";

// What a script threw, with the first place in the project that it came from.
function described(error) {
    if (!(error && typeof error.message === "string")) {
        return `a script threw ${String(error)}`;
    }
    const found = String(error.stack).match(/(Assets\/[^):\n]*):(\d+)/);
    return `${found ? `${found[1]}, line ${found[2]}: ` : ""}${error.message}`;
}

module.exports = { described };
