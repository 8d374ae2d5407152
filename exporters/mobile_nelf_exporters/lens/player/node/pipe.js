// Messages to and from the Python side over stdin and stdout. Reading blocks, so that a script which
// runs a model synchronously gets its result on the next line, as in Lens Studio.
//
// From Python: two lengths, JSON text, and bytes of float32 values. To Python: three lengths, what
// main.js measured as JSON text, then text and bytes as the context gave them. Towards the context
// both are one string: the text, a line break, and the bytes as UTF-16 code units.
"use strict";
const fs = require("fs");

const { Buffer } = globalThis;
const exit = process.reallyExit.bind(process);
const IN = 0;
const OUT = 1;
const LENGTH = 4;

function readExactly(size) {
    const buffer = Buffer.alloc(size);
    let at = 0;
    while (at < size) {
        const count = fs.readSync(IN, buffer, at, size - at, null);
        if (count === 0) {
            exit(0); // the Python side is gone
        }
        at += count;
    }
    return buffer;
}

function read() {
    const lengths = readExactly(2 * LENGTH);
    const text = readExactly(lengths.readUInt32LE(0)).toString("utf8");
    return `${text}\n${readExactly(lengths.readUInt32LE(LENGTH)).toString("utf16le")}`;
}

function writeAll(buffer) {
    let at = 0;
    while (at < buffer.length) {
        at += fs.writeSync(OUT, buffer, at, buffer.length - at);
    }
}

function write(measured, message) {
    const end = message.indexOf("\n");
    const text = end < 0 ? message : message.slice(0, end);
    const parts = [Buffer.from(measured), Buffer.from(text),
        Buffer.from(end < 0 ? "" : message.slice(end + 1), "utf16le")];
    const lengths = Buffer.alloc(parts.length * LENGTH);
    parts.forEach((part, index) => lengths.writeUInt32LE(part.length, index * LENGTH));
    [lengths, ...parts].forEach(writeAll);
}

// Sends a request and waits for its answer.
function ask(message) {
    write("{}", message);
    return read();
}

module.exports = { ask, read, write };
