// Messages to and from the Python side over stdin and stdout: the length of a JSON header, the
// header, then the Float32Arrays whose lengths it lists. Reading blocks, so that a script which runs
// a model synchronously gets its result on the next line, as in Lens Studio.
"use strict";
const fs = require("fs");

const IN = 0;
const OUT = 1;

function readExactly(size) {
    const buffer = Buffer.alloc(size);
    let at = 0;
    while (at < size) {
        const count = fs.readSync(IN, buffer, at, size - at, null);
        if (count === 0) {
            process.exit(0); // the Python side is gone
        }
        at += count;
    }
    return buffer;
}

function read() {
    const header = JSON.parse(readExactly(readExactly(4).readUInt32LE(0)).toString("utf8"));
    const arrays = (header.arrays || []).map((length) => {
        const bytes = readExactly(4 * length);
        return new Float32Array(bytes.buffer, bytes.byteOffset, length);
    });
    return { header, arrays };
}

function writeAll(buffer) {
    let at = 0;
    while (at < buffer.length) {
        at += fs.writeSync(OUT, buffer, at, buffer.length - at);
    }
}

function write(header, arrays = []) {
    const text = Buffer.from(JSON.stringify({ ...header, arrays: arrays.map((a) => a.length) }));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(text.length, 0);
    writeAll(size);
    writeAll(text);
    for (const array of arrays) {
        writeAll(Buffer.from(array.buffer, array.byteOffset, array.byteLength));
    }
}

// Sends a request and waits for its answer.
function ask(header, arrays) {
    write(header, arrays);
    return read();
}

module.exports = { ask, read, write };
