// The vectors of LRP against one implementation, in plain JavaScript: node runner.js FOLDER  (the one with v1 in it)
"use strict";
const { readFileSync } = require("fs"), { join } = require("path");
const TOLERANCE = 1e-9;   // of a case's largest number: a first look; `lrp-ref conform` judges by derived bounds
class Unsupported extends Error {}   // your implementation has no such rule or layer

// PUT YOUR OWN HERE: R_0, shaped like x. Here: one Linear layer under Epsilon, Flat or WSquare.
function relevance(net, x, R) {
  const [layer] = net, rule = layer.rule.name;
  if (net.length > 1 || layer.op !== "Linear" || !["Epsilon", "Flat", "WSquare"].includes(rule) || depth(x) > 2)
    throw new Unsupported();
  const weight = numbers(layer.weight), epsilon = number(layer.rule.epsilon ?? "0");
  const columns = weight[0].map((_, j) => weight.map(row => row[j]));
  const bias = layer.bias ? numbers(layer.bias) : columns.map(() => 0);
  if (x.length !== R.length || x.some(r => r.length !== weight.length) || R.some(r => r.length !== columns.length))
    throw new Error("x or R does not fit the weights");
  if (![epsilon, ...x.flat(), ...R.flat()].every(Number.isFinite) || epsilon < 0)
    throw new Error("needed finite numbers, and an epsilon of at least 0");
  return x.map((x_n, n) => oneSample(x_n, R[n], columns, bias, rule, epsilon));
}

function oneSample(x, R, columns, bias, rule, epsilon) {
  const out = x.map(() => 0);
  columns.forEach((w, j) => {
    const z = x.map((x_i, i) => ({ Epsilon: x_i * w[i], Flat: 1, WSquare: w[i] * w[i] })[rule]);
    let total = z.reduce((a, b) => a + b, 0) + (rule === "Epsilon" ? bias[j] : 0);
    total += total >= 0 ? epsilon : -epsilon;
    z.forEach((z_i, i) => { out[i] += total ? z_i / total * R[j] : 0; });
  });
  return out;
}

function number(text) {   // "3", "-17/90", "0x1.8p+3", "inf", "nan"
  const hex = /^([+-]?)0x([0-9a-f]+)\.?([0-9a-f]*)(?:p([+-]?\d+))?$/i.exec(text);
  const power = hex && Number(hex[4] ?? 0) - 4 * hex[3].length;
  if (hex) return (hex[1] === "-" ? -1 : 1) * parseInt(hex[2] + hex[3], 16) * 2 ** power;
  const named = { inf: Infinity, "-inf": -Infinity, nan: NaN }, [top, bottom] = text.split("/");
  return text in named ? named[text] : Number(top) / Number(bottom ?? 1);
}
const numbers = nested => Array.isArray(nested) ? nested.map(numbers) : number(nested);
const depth = nested => Array.isArray(nested) ? 1 + depth(nested[0]) : 0;

function status(c) {
  let got;
  try { got = relevance(c.net, numbers(c.x), numbers(c.R)); } catch (error) {
    return error instanceof Unsupported ? "unsupported" : c.level === "negative" ? "passed" : "failed";
  }
  if (["negative", "stress"].includes(c.level))   // numbers at the edges of the format need their own bounds
    return c.level === "negative" ? "failed" : "not judged";
  const flat = got.flat(Infinity), want = numbers(c.expect.f64).flat(Infinity);
  const near = TOLERANCE * Math.max(...want.map(Math.abs));
  return flat.length === want.length && flat.every((g, n) => Math.abs(g - want[n]) <= near) ? "passed" : "failed";
}

const read = path => JSON.parse(readFileSync(join(process.argv[2], "v1", path), "utf8"));
const manifest = read("manifest.json"), cases = Object.keys(manifest.files).flatMap(path => read(path).cases);
if (cases.length !== manifest.count) throw new Error("fewer cases than the manifest promises");
const found = cases.map(status), count = word => found.filter(what => what === word).length;
cases.forEach((c, n) => { if (found[n] === "failed") console.log("failed", c.id); });
const words = ["passed", "failed", "unsupported", "not judged"].map(word => `${count(word)} ${word}`);
console.log(`${words.join(", ")}, of ${cases.length}`);
process.exitCode = count("failed") ? 1 : 0;
