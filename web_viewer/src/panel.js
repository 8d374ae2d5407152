// The information panel: what this is, and buttons that check and measure.

/**
 * @param {string} name @param {Record<string, string>} [attributes] @param {(Node | string)[]} children
 * @returns {HTMLElement}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** @param {string} name of an element of the page @returns {HTMLElement} */
export function part(name) {
  const found = document.getElementById(name);
  if (!found) throw new Error(`the page has no element ${name}`);
  return found;
}

/** @param {Record<string, string>} facts */
export function showFacts(facts) {
  part("facts").replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
}

/** Tells people below the picture, and in the panel where that is open. @param {string} text */
export function say(text) {
  const open = /** @type {HTMLDialogElement} */ (part("panel")).open;
  part("told").textContent = open ? "" : text;
  part("doing").textContent = open ? text : "";
}

/** @param {import("./check.js").CheckResult} result */
export function showCheck(result) {
  const rows = result.frames.map((found, index) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, String(index)),
      element("td", {}, found.psnr_db.toFixed(1)),
      element("td", {}, found.max_error.toExponential(1)),
    ),
  );
  const heads = ["frame", "dB", "largest error"].map((text) => element("th", { scope: "col" }, text));
  const verdict = result.passed ? "passed" : "FAILED";
  part("result").replaceChildren(
    element("p", { class: result.passed ? "good" : "bad" }, `Check ${verdict}: worst frame ${result.worst_psnr_db.toFixed(1)} dB, required ${result.demanded_db} dB`),
    element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)),
  );
}

/** @param {any} result what `runBench` returns */
export function showBench(result) {
  const [run] = result.runs;
  const ms = (/** @type {number} */ value) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
  const latency = run.latency_ms;
  const [sustained] = run.sustained;
  const facts = {
    "median frame": ms(latency.p50),
    "9 of 10 frames": `within ${ms(latency.p90)}`,
    "99 of 100 frames": `within ${ms(latency.p99)}`,
    "frames a second": `${(1000 / latency.p50).toFixed(1)} one after the other, ${sustained.fps.toFixed(1)} for ${Math.round(sustained.seconds)} s`,
    "first frame": ms(run.first_frame_ms),
    check: run.self_check.passed ? `passed, ${run.self_check.worst_psnr_db.toFixed(1)} dB` : "FAILED",
  };
  part("result").replaceChildren(
    element("dl", {}, ...Object.entries(facts).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
  );
}

/**
 * Buttons that hand a result on.
 * @param {string} name of the file @param {object} result
 */
export function offer(name, result) {
  const text = `${JSON.stringify(result, null, 1)}\n`;
  const copy = element("button", { type: "button" }, "Copy");
  copy.addEventListener("click", async () => {
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    say(done ? "Copied." : "This browser does not allow copying here; use Download.");
  });
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const save = element("a", { href: address, download: name, class: "button" }, "Download");
  const buttons = [copy, save];
  const file = typeof File === "function" ? new File([text], name, { type: "application/json" }) : null;
  if (file && navigator.canShare?.({ files: [file] })) {
    const share = element("button", { type: "button" }, "Share");
    share.addEventListener("click", () => navigator.share({ files: [file] }).catch(() => {}));
    buttons.push(share);
  }
  part("hand-on").replaceChildren(...buttons);
}
