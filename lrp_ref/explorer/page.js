"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const KINDS = ["bias", "stabiliser", "dead"];
  const PERCENTILE = 0.995;   // of |R|, in the strongest colour

  // ---- Numbers: maps of 16 bits, high bytes before low ones, times a unit ----

  async function unpacked(text) {
    const packed = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  function numbers(bytes, first, count, all, unit) {   // `count` of them from the `first` of `all`
    const out = new Float64Array(count);
    for (let i = 0; i < count; i++) out[i] = ((bytes[first + i] << 24 | bytes[all + first + i] << 16) >> 16) * unit;
    return out;
  }

  async function read(strip) {
    const bytes = await unpacked(strip.data), all = bytes.length / 2;
    let first = 0;
    const maps = strip.maps.map(([rows, columns, unit]) => {
      const values = numbers(bytes, first, rows * columns, all, unit);
      first += rows * columns;
      return values;
    });
    return { ...strip, maps, data: null };
  }

  async function readMessages(message, count) {
    if (!message) return null;
    const bytes = await unpacked(message.data);
    return { steps: message.steps, of: bytes.subarray(0, count),
             amount: numbers(bytes.subarray(count), 0, count, count, message.unit) };
  }

  // ---- The walk below a cut-off: every unit gives each of the n inputs that it sees the n-th part, all channels together ----

  const grid = (view, t) => t < 0 ? view.size : view.layers[t].grid;

  function filled(view, n) {   // the layers that layer n is made of: these only spread
    const found = new Set(), look = [n];
    while (look.length)
      for (const t of view.layers[look.pop()].reads)
        if (t >= 0 && !found.has(t)) { found.add(t); look.push(t); }
    return found;
  }

  function each(axis, use) {
    axis.forEach(([first, count, apart], v) => { for (let k = 0; k < count; k++) use(v, first + k * apart, count); });
  }

  function spread(view, R, n) {   // from the grid of layer n to that of what it reads
    const [rows, columns, parts] = view.layers[n].spread;
    if (rows === null) return R.map(r => r / parts);
    const [, w] = grid(view, n), [H, W] = grid(view, view.layers[n].reads[0]);
    const tall = new Float64Array(H * w), out = new Float64Array(H * W);
    each(view.axes[rows], (v, y, count) => { for (let u = 0; u < w; u++) tall[y * w + u] += R[v * w + u] / count; });
    each(view.axes[columns], (u, x, count) => { for (let y = 0; y < H; y++) out[y * W + x] += tall[y * w + u] / count; });
    return out;
  }

  function gathered(view, part, n) {   // the other way: which part of what a unit of layer n has comes out there
    const [rows, columns, parts] = view.layers[n].spread;
    if (rows === null) return part.map(r => r / parts);
    const [h, w] = grid(view, n), [, W] = grid(view, view.layers[n].reads[0]);
    const flat = new Float64Array(h * W), out = new Float64Array(h * w);
    each(view.axes[rows], (v, y, count) => { for (let x = 0; x < W; x++) flat[v * W + x] += part[y * W + x] / count; });
    each(view.axes[columns], (u, x, count) => { for (let v = 0; v < h; v++) out[v * w + u] += flat[v * W + x] / count; });
    return out;
  }

  function added(all, t, values) {
    const there = all.get(t);
    if (there) values.forEach((value, i) => { there[i] += value; });
    else all.set(t, values.slice());
  }

  function down(view, there) {   // [[tensor, values], ..] at the cut-off -> values of the pixels
    const all = new Map();
    for (const [t, values] of there) added(all, t, values);
    for (let n = view.layers.length - 1; n >= 0; n--) {
      if (!all.has(n)) continue;
      const below = spread(view, all.get(n), n);
      for (const t of view.layers[n].reads) added(all, t, below);
    }
    return all.get(-1) || new Float64Array(view.size[0] * view.size[1]);
  }

  function smoothed(R, [H, W], size) {   // every pixel over the size x size pixels around it: for the picture alone
    const out = new Float64Array(H * W), tall = new Float64Array(H * W);
    const around = n => Array.from({ length: n }, (_, q) => {
      const first = Math.max(0, q - (size >> 1)), last = Math.min(n - 1, q - (size >> 1) + size - 1);
      return [first, last - first + 1, 1];
    });
    each(around(H), (q, y, count) => { for (let x = 0; x < W; x++) tall[y * W + x] += R[q * W + x] / count; });
    each(around(W), (q, x, count) => { for (let y = 0; y < H; y++) out[y * W + x] += tall[y * W + q] / count; });
    return out;
  }

  function up(view, under, pixel) {   // {tensor: which part of every unit's relevance arrives at the pixel}
    const all = new Map([[-1, new Float64Array(view.size[0] * view.size[1])]]);
    all.get(-1)[pixel] = 1;
    view.layers.forEach((layer, n) => {
      if (!under.has(n) || !layer.spread) return;
      for (const t of layer.reads) if (all.has(t)) added(all, n, gathered(view, all.get(t), n));
    });
    return all;
  }

  function field(view, t, place) {   // the pixels [top, bottom, left, right] that a unit of a tensor sees
    const boxes = new Map([[t, [place[0], place[0], place[1], place[1]]]]);
    const ends = (axis, first, last) => {
      const seen = axis.slice(first, last + 1).filter(one => one[1]);
      return [Math.min(...seen.map(one => one[0])), Math.max(...seen.map(one => one[0] + (one[1] - 1) * one[2]))];
    };
    for (let n = t; n >= 0; n--) {
      if (!boxes.has(n)) continue;
      const [rows, columns] = view.layers[n].spread, [top, bottom, left, right] = boxes.get(n);
      const box = rows === null ? [top, bottom, left, right] :
        [...ends(view.axes[rows], top, bottom), ...ends(view.axes[columns], left, right)];
      for (const r of view.layers[n].reads) {
        const old = boxes.get(r) || box;
        boxes.set(r, box.map((side, i) => i % 2 ? Math.max(side, old[i]) : Math.min(side, old[i])));
      }
    }
    return boxes.get(-1);
  }

  // ---- Small things ----

  function shown(value, digits = 4) {
    const small = value && Math.abs(value) < 1e-4, number = Number(value.toPrecision(digits)) || 0;
    const [main, power] = (small ? number.toExponential() : String(number)).split("e");
    return main.replace("-", "\u2212") + (power ? `e${power.replace("+", "")}` : "");
  }

  function element(name, attributes = {}, ...children) {
    const svg = /^(svg|path|rect|line|text|title|g)$/.test(name) && attributes.svg !== false;
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
    made.append(...children.filter(child => child !== null));
    return made;
  }

  const by = ([rows, columns]) => `${rows} \u00d7 ${columns}`;

  function colour(part) {   // of R / limit, -1 .. 1
    const stops = data.colours;
    let n = 1;
    while (n < stops.length - 1 && part > stops[n][0]) n++;
    const [from, to] = [stops[n - 1], stops[n]], f = Math.min(1, Math.max(0, (part - from[0]) / (to[0] - from[0])));
    return [1, 2, 3].map(i => from[i] + f * (to[i] - from[i]));
  }
  const COLOURS = Array.from({ length: 1025 }, (_, i) => colour(i / 512 - 1));

  // ---- One model's view of one photograph ----

  class View {
    constructor(facts, picture, name, number, page) {
      Object.assign(this, { facts, page, c: 0, r: 0, n: 0, pixel: null, turn: 0, number });
      this.under = facts.layers.map((_, n) => filled(facts, n));
      this.strips = new Map();
      this.build(picture, name);
    }

    build(picture, name) {
      const { facts } = this, id = part => `${part}-${this.number}`, [H, W] = facts.size;
      this.canvas = element("canvas", { width: W, height: H, tabindex: 0, role: "application",
        "aria-roledescription": "heatmap", "aria-describedby": id("told") });
      this.marks = element("svg", { viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", "aria-hidden": "true" });
      const image = element("img", { src: picture, alt: `${name}, the part that ${facts.model} sees` });
      this.stage = element("div", { class: "stage" }, image, this.canvas, this.marks);
      this.stage.style.aspectRatio = `${W} / ${H}`;
      image.style.height = "100%";
      this.ends = [element("span"), element("span"), element("span")];
      this.bar = element("canvas", { width: 257, height: 1, "aria-hidden": "true" });
      const smooth = element("input", { type: "checkbox" });
      smooth.checked = true;
      smooth.addEventListener("change", () => this.draw());
      this.comb = element("label", { class: "comb quiet" }, smooth,
        ` picture smoothed over ${facts.comb} \u00d7 ${facts.comb} pixels, without the comb of the lowest layer\u2019s stride`);
      this.told = element("div", { class: "told", id: id("told"), role: "status" });

      this.classes = element("fieldset", { class: "classes" }, element("legend", {}, "Class, and its score"));
      const top = Math.max(...facts.scores.map(one => Math.abs(one[1])), ...facts.classes.map(one => Math.abs(one.score)));
      const rows = facts.classes.map((one, c) => [one.name, one.score, c]);
      for (const [other, score] of facts.scores)
        if (!facts.classes.some(one => one.name === other && one.score === score)) rows.push([other, score, null]);
      rows.sort((a, b) => b[1] - a[1]);
      for (const [text, score, c] of rows) {
        const line = element("i", score < 0 ? { class: "negative" } : {});
        line.style.width = `${100 * Math.abs(score) / (top || 1)}%`;
        const radio = c === null ? element("span") :
          element("input", { type: "radio", name: id("class"), value: c });
        if (c !== null) radio.addEventListener("change", () => this.page.chooseClass(text, this, c));
        this.classes.append(element("label", c === null ? { class: "other" } : {}, radio,
          element("span", { class: "name" }, text), element("span", { class: "score" }, score.toFixed(2).replace("-", "\u2212")), line));
      }
      this.rule = element("select", { id: id("rule") }, ...facts.rules.map((one, r) => element("option", { value: r }, one.name)));
      this.rule.addEventListener("change", () => this.change({ r: Number(this.rule.value) }));
      this.layersOfRule = element("p");

      this.said = element("p", { class: "cut", id: id("cut") });
      this.flow = element("div", { class: "flow" });
      this.slider = element("input", { type: "range", min: 0, max: facts.layers.length - 1, step: 1, "aria-label":
        `Cut-off of ${facts.model}: layers to the left only spread relevance` });
      this.slider.addEventListener("input", () => { this.stop(); this.change({ n: Number(this.slider.value) }); });
      const button = (text, use) => {
        const made = element("button", { type: "button" }, text);
        made.addEventListener("click", use);
        return made;
      };
      this.play = button("\u25b6 Play all cut-offs", () => this.timer ? this.stop() : this.start());
      const to = n => () => { this.stop(); this.change({ n }); };
      const steps = element("div", { class: "steps" }, this.play, button("No cut-off", to(0)),
        facts.paper ? button("R(1), the paper\u2019s", to(facts.paper)) : null,
        button("Highest", to(facts.layers.length - 1)));
      this.sum = element("div", { class: "sum" });
      this.body = element("tbody");
      this.table = element("details", {}, element("summary", {}, "The ledger, layer by layer"),
        element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Ledger" }, element("table", {},
          element("thead", {}, element("tr", {}, ...["layer", "received", "handed on", ...KINDS].map(head =>
            element("th", { scope: "col" }, head)))), this.body)));
      this.table.addEventListener("toggle", () => this.drawTable());

      this.section = element("section", { class: "view", "aria-label": `${facts.model}, ${name}` },
        element("header", {}, element("h2", {}, facts.model), element("span", { class: "quiet", title: facts.about }, facts.about)),
        element("div", { class: "parts" },
          element("div", {},
            element("div", { class: "seen" }, this.stage, element("div", { class: "scale" }, this.bar, ...this.ends), this.comb),
            this.told),
          element("div", {},
            element("div", { class: "cutting" }, this.said, this.flow, this.slider, steps, this.sum),
            element("div", { class: "choices" }, this.classes, element("div", { class: "rule" },
              element("h3", {}, element("label", { for: id("rule") }, "Rule above the cut-off")), this.rule, this.layersOfRule)),
            this.table)));

      const bar = this.bar.getContext("2d"), strip = bar.createImageData(257, 1);
      for (let i = 0; i < 257; i++) strip.data.set([...COLOURS[4 * i], 255], 4 * i);
      bar.putImageData(strip, 0, 0);
      this.listen();
      new ResizeObserver(() => this.drawFlow()).observe(this.flow);
    }

    listen() {
      const { canvas, facts: { size: [H, W] } } = this;
      const point = event => {
        const box = canvas.getBoundingClientRect();
        const y = Math.floor((event.clientY - box.top) / box.height * H), x = Math.floor((event.clientX - box.left) / box.width * W);
        if (y >= 0 && y < H && x >= 0 && x < W) this.look(y, x);
      };
      canvas.addEventListener("pointermove", event => { if (event.pointerType === "mouse" || event.buttons) point(event); });
      canvas.addEventListener("pointerdown", point);
      canvas.addEventListener("focus", () => {
        if (this.pixel || !this.R || !canvas.matches(":focus-visible")) return;
        const best = this.R.reduce((most, r, i) => Math.abs(r) > Math.abs(this.R[most]) ? i : most, 0);
        this.look(Math.floor(best / W), best % W);
      });
      canvas.addEventListener("keydown", event => {
        const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }, move = moves[event.key];
        if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        const far = event.shiftKey ? 10 : 1, [y, x] = this.pixel || [H >> 1, W >> 1];
        this.look(Math.min(H - 1, Math.max(0, y + far * move[0])), Math.min(W - 1, Math.max(0, x + far * move[1])));
      });
    }

    start() {
      this.play.textContent = "\u25a0 Stop";
      let n = this.n === this.facts.layers.length - 1 ? 0 : this.n;
      this.timer = setInterval(() => {
        n++;
        if (n >= this.facts.layers.length) return this.stop();
        this.change({ n });
      }, Math.max(90, 6000 / this.facts.layers.length));
    }

    stop() {
      clearInterval(this.timer);
      this.timer = 0;
      this.play.textContent = "\u25b6 Play all cut-offs";
    }

    change(what) {
      Object.assign(this, what);
      return this.show();
    }

    async show() {   // what was asked last is shown, however long others take
      const turn = ++this.turn, { facts, c, r } = this, key = `${c} ${r}`;
      if (!this.strips.has(key)) this.strips.set(key, Promise.all([
        read(facts.strips[c][r]), readMessages(facts.messages[c][r], facts.size[0] * facts.size[1])]));
      const [strip, messages] = await this.strips.get(key);
      if (turn !== this.turn) return;
      Object.assign(this, { strip, messages });
      const cut = strip.cuts[this.n];
      this.there = cut.at.map(([t, map]) => [t, strip.maps[map]]);
      this.R = down(facts, this.there);
      this.canvas.relevance = this.R;
      this.draw();
      this.say();
      this.drawFlow();
      this.drawSum();
      this.drawTable();
      this.tell();
      this.section.dataset.shown = `${this.c} ${this.r} ${this.n}`;
    }

    draw() {
      const { facts } = this, combed = this.under[this.n].size && facts.comb > 1;
      this.comb.hidden = !combed;
      const seen = combed && this.comb.querySelector("input").checked ? smoothed(this.R, facts.size, facts.comb) : this.R;
      const sizes = Float64Array.from(seen, Math.abs).sort();
      this.limit = sizes[Math.floor(PERCENTILE * (sizes.length - 1))] || sizes[sizes.length - 1];
      this.canvas.drawn = seen;
      const [H, W] = facts.size, context = this.canvas.getContext("2d"), image = context.createImageData(W, H);
      const opacity = this.page.opacity, base = Math.max(0, 2 * opacity - 1), gain = Math.min(1, 2 * opacity);
      seen.forEach((r, i) => {
        const part = this.limit ? Math.min(1, Math.max(-1, r / this.limit)) : 0;
        const alpha = base + (1 - base) * gain * Math.sqrt(Math.abs(part));
        image.data.set([...COLOURS[Math.round(512 * (part + 1))], 255 * alpha], 4 * i);
      });
      context.putImageData(image, 0, 0);
      const limit = shown(this.limit, 3);
      ["\u2212" + limit + " and less", "relevance of a pixel", limit + " and more"].forEach((text, i) => { this.ends[i].textContent = text; });
    }

    cutText() {
      const { facts, n } = this, layer = facts.layers[n];
      if (!this.under[n].size) return ["No cut-off", "Every layer is explained by the rule, down to the pixels."];
      const tensors = [...new Set(this.there.map(([t]) => t))].filter(t => t >= 0);
      const places = tensors.length ? Math.max(...tensors.map(t => grid(facts, t)[0] * grid(facts, t)[1])) : 0;
      const many = this.under[n].size;
      return [`Cut-off below ${layer.name}` + (n === facts.paper ? ", the paper\u2019s R(1)" : ""),
        `${many === 1 ? "The layer below only spreads" : `The ${many} layers below only spread`}: each place at the cut shares what it has`
        + ` ${many === 1 ? "equally " : ""}among ${layer.over.replace(/^(the )?/, "the ")} it sees${many === 1 ? "" : ", equally at every layer"}`
        + (places ? `. The map is made of ${places === 1 ? "one place" : `${places.toLocaleString("en")} places`}.` : ".")];
    }

    say() {
      const [head, text] = this.cutText(), { facts, c, r, n } = this;
      this.said.replaceChildren(element("b", {}, head), element("span", {}, text));
      this.slider.value = n;
      this.slider.setAttribute("aria-valuetext", head);
      this.rule.value = r;
      this.layersOfRule.textContent = facts.rules[r].layers;
      for (const one of this.classes.querySelectorAll("input")) one.checked = Number(one.value) === c;
      this.canvas.setAttribute("aria-label", `Relevance of ${facts.classes[c].name} by ${facts.rules[r].name}, ${head}. `
        + "Arrow keys move from pixel to pixel, with Shift by ten.");
    }

    // ---- Where the score goes ----

    levels() {   // at every boundary between layers, from the pixels up: what is on its way, and what is lost above it
      const { strip, n } = this, under = this.under[n], N = strip.ledger.length, lost = [0, 0, 0], out = [];
      out[N] = [strip.start, 0, 0, 0];
      let open = strip.cuts[n].dead;   // what spreading finds no input for
      for (let k = N - 1; k >= 0; k--) {
        if (!under.has(k)) KINDS.forEach((_, i) => { lost[i] += strip.ledger[k][2 + i]; });
        else { lost[2] += open; open = 0; }
        out[k] = [strip.start - lost[0] - lost[1] - lost[2], ...lost];
      }
      return out;
    }

    drawFlow() {
      if (!this.strip || !this.flow.clientWidth) return;
      const W = this.flow.clientWidth, levels = this.levels(), N = levels.length - 1, TOP = 34, HEIGHT = 150;
      const x = b => 11 + b / N * (W - 22), sign = this.strip.start < 0 ? -1 : 1;
      const parts = [0, 1, 2, 3].map(i => levels.map(one => sign * one[i]));
      const sums = to => Math.max(...levels.map((_, b) => parts.reduce((sum, one) => sum + Math.max(0, to * one[b]), 0)));
      const [most, debt] = [sums(1), sums(-1)], scale = HEIGHT / ((most + debt) || 1), base = TOP + debt * scale;
      const svg = element("svg", { viewBox: `0 0 ${W} ${TOP + HEIGHT + 6}`, role: "img", "aria-label": this.equation() });
      const n = this.under[this.n].size ? this.n : 0;
      if (n) svg.append(element("rect", { class: "below", x: x(0), y: TOP - 14, width: x(n) - x(0), height: HEIGHT + 20 }));
      for (const to of [1, -1]) {
        const offset = levels.map(() => 0);
        ["pixels", ...KINDS].forEach((name, i) => {
          const size = levels.map((_, b) => Math.max(0, to * parts[i][b]) * scale);
          const near = offset.map(o => base + to * o), far = offset.map((o, b) => base + to * (o + size[b]));
          size.forEach((s, b) => { offset[b] += s; });
          if (Math.max(...size) < 0.05) return;
          const edge = (ys, order) => order.map((b, k) => {
            if (!k) return `${x(b)},${ys[b]}`;
            const a = order[k - 1], middle = (x(a) + x(b)) / 2;
            return `C${middle},${ys[a]} ${middle},${ys[b]} ${x(b)},${ys[b]}`;
          }).join(" ");
          const order = levels.map((_, b) => b);
          const negative = i === 0 && sign * to < 0;
          svg.append(element("path", { class: `${name}${negative ? " negative" : ""}${to < 0 && i ? " debt" : ""}`,
            d: `M${edge(near, order)} L${edge(far, order.reverse())} Z` }));
        });
      }
      svg.append(element("line", { class: "base", x1: x(0), x2: x(N), y1: base, y2: base }));
      this.annotate(svg, x, levels, TOP);
      svg.append(element("line", { class: "mark", x1: x(n), x2: x(n), y1: TOP - 14, y2: TOP + HEIGHT + 6 }));
      const left = element("text", { x: x(0), y: 12 }, n ? "\u2190 only spread" : "\u2190 pixels");
      const right = element("text", { x: x(N), y: 12, "text-anchor": "end" }, "the rule explains \u2190 score");
      svg.append(left, right);
      this.flow.replaceChildren(svg);
      this.slider.style.width = `${x(N - 1) - x(0) + 22}px`;
    }

    annotate(svg, x, levels, top) {   // the largest losses by name; every layer's numbers where the mouse rests
      const { facts, strip } = this, N = facts.layers.length, found = [];
      facts.layers.forEach((layer, k) => {
        const spreads = this.under[this.n].has(k), [received, handed, ...lost] = strip.ledger[k];
        const title = spreads ? `${layer.name}: only spreads` : `${layer.name} (${layer.kind}): received ${shown(received)}, handed on ${shown(handed)}`
          + KINDS.map((kind, i) => lost[i] ? `, ${kind} ${shown(lost[i])}` : "").join("");
        svg.append(element("rect", { x: x(k), y: top, width: x(k + 1) - x(k), height: 150, fill: "transparent" },
          element("title", {}, title)));
        if (!spreads) lost.forEach((amount, i) => found.push([Math.abs(amount), amount, KINDS[i], layer.name, (x(k) + x(k + 1)) / 2]));
      });
      const placed = [];
      for (const [size, amount, kind, name, at] of found.sort((a, b) => b[0] - a[0]).slice(0, 6)) {
        const text = `${kind} ${shown(amount, 3)} in ${name}`, half = 3.6 * text.length, end = x(N);
        const middle = Math.min(end - half, Math.max(half, at));
        if (size < 0.05 * Math.abs(strip.start) || placed.length > 2 || placed.some(([m, h]) => Math.abs(m - middle) < h + half + 8)) continue;
        placed.push([middle, half]);
        svg.append(element("text", { class: "name", x: middle, y: top - 3, "text-anchor": "middle" }, text),
          element("line", { class: "base", x1: at, x2: at, y1: top, y2: top + 150 }));
      }
    }

    amounts() {   // each by its own sum: what arrives at the pixels, and what went to biases, stabilisers and dead units
      const { strip, n } = this, under = this.under[n], cut = strip.cuts[n], lost = [0, 0, cut.dead];
      strip.ledger.forEach((row, k) => { if (!under.has(k)) KINDS.forEach((_, i) => { lost[i] += row[2 + i]; }); });
      return [cut.pixels, ...lost];
    }

    equation() {
      const [pixels, ...lost] = this.amounts();
      return `score ${shown(this.strip.start)} = pixels ${shown(pixels)}` + KINDS.map((kind, i) => ` + ${kind} ${shown(lost[i])}`).join("");
    }

    drawSum() {
      const { strip: { start } } = this, parts = this.amounts(), rest = start - parts.reduce((a, b) => a + b);
      const terms = ["pixels", ...KINDS].map((name, i) => {
        const term = element("span", { class: "term", "data-part": name, "data-amount": parts[i] });
        const percent = start ? ` (${shown(Math.round(100 * parts[i] / start))} %)` : "";
        term.append(i ? "+ " : "= ", element("span", { class: `swatch ${name}` }), element("b", {}, shown(parts[i])), ` ${name}${percent}`);
        return term;
      });
      const small = Math.abs(rest) <= 1e-5 * Math.max(Math.abs(start), ...parts.map(Math.abs));
      this.sum.replaceChildren(element("span", { class: "term", "data-part": "score", "data-amount": start },
        element("b", {}, shown(start)), " score"), ...terms,
        element("span", { class: "closes" }, small ? "\u2713 adds up" : `differs by ${shown(rest)}`));
      this.sum.title = `difference ${rest.toExponential(1)}, rounding`;
    }

    drawTable() {
      if (!this.table.open || !this.strip) return;
      const { facts, strip } = this, under = this.under[this.n];
      this.body.replaceChildren(...facts.layers.map((layer, k) => element("tr", under.has(k) ? { class: "filled" } : {},
        element("th", { scope: "row" }, layer.name), ...(under.has(k) ? [element("td", { colspan: 5 }, "only spreads")] :
          strip.ledger[k].map(value => element("td", {}, shown(value)))))).reverse());
    }

    // ---- A pixel, and the places above it: of a layer all channels at one row and column ----

    look(y, x) {
      this.pixel = [y, x];
      this.tell();
    }

    largest(y, x) {   // the places at the cut-off from which most arrives: [[amount, tensor, [row, column], held], ..]
      const { facts, size = facts.size } = this, pixel = y * size[1] + x, found = [];
      const parts = up(facts, this.under[this.n], pixel);
      for (const [t, values] of this.there) {
        const part = parts.get(t);
        if (part && t >= 0) part.forEach((p, i) => {
          if (p && values[i]) found.push([p * values[i], t, [Math.floor(i / grid(facts, t)[1]), i % grid(facts, t)[1]], values[i]]);
        });
      }
      return found.sort((a, b) => Math.abs(b[0]) - Math.abs(a[0]));
    }

    message(y, x) {   // without a cut-off: the window of the lowest layer whose message is largest
      const { facts, messages } = this, n = facts.layers.findIndex(layer => layer.reads.includes(-1));
      if (!messages || this.under[this.n].size) return null;
      const i = y * facts.size[1] + x, phase = messages.of[i], [rows, columns] = facts.layers[n].spread;
      const [a, b] = [Math.floor(phase / messages.steps[1]), phase % messages.steps[1]];
      const holds = (axis, step, first, at) => axis.findIndex(([start, count, apart], v) =>
        v % step === first && at >= start && at <= start + (count - 1) * apart);
      const place = [holds(facts.axes[rows], messages.steps[0], a, y), holds(facts.axes[columns], messages.steps[1], b, x)];
      return { amount: messages.amount[i], n, place };
    }

    tell() {
      const { facts, told, marks } = this;
      if (!this.pixel || !this.R) {
        told.replaceChildren(element("p", { class: "quiet" }, "Point at a pixel of the picture, tap it, or move there with the arrow keys: "
          + "its relevance, and the places in the network that it comes from."));
        marks.replaceChildren();
        return;
      }
      const [y, x] = this.pixel, R = this.R[y * facts.size[1] + x], places = this.largest(y, x), message = this.message(y, x);
      const name = facts.classes[this.c].name, boxes = [];
      const lines = [element("p", {}, element("b", {}, `Pixel in row ${y}, column ${x}: relevance ${shown(R)}`),
        R ? ` \u2014 it speaks ${R > 0 ? "for" : "against"} ${name}.` : ".")];
      Object.assign(told.dataset, { row: y, column: x, value: R });
      const where = ([top, bottom, left, right]) => `rows ${top}\u2013${bottom}, columns ${left}\u2013${right}`;
      if (places.length) {
        const many = places.length;
        lines.push(element("p", {}, many === 1 ? "All of it comes from one place:" :
          `It is the sum of what ${many} places give it${many > 3 ? ", of which the largest are" : ""}:`));
        lines.push(element("ol", {}, ...places.slice(0, 3).map(([amount, t, place, held], i) => {
          const box = field(facts, t, place);
          if (!i) boxes.push(box);
          return element("li", { "data-amount": amount }, element("b", {}, shown(amount)), ` from ${facts.layers[t].name}`
            + ` (${place.join(", ")}), which has ${shown(held)} and sees ${where(box)}`);
        })));
      } else if (message && message.place[0] >= 0 && message.place[1] >= 0) {
        const box = field(facts, message.n, message.place);
        boxes.push(box);
        lines.push(element("p", {}, "The largest of the messages it gets: "), element("ol", {}, element("li", { "data-amount": message.amount },
          element("b", {}, shown(message.amount)), ` from ${facts.layers[message.n].name} (${message.place.join(", ")}), which sees ${where(box)}`)));
      } else lines.push(element("p", { class: "quiet" }, this.under[this.n].size ?
        `What is cut off here sees ${facts.layers[this.n].over}, which overlap and have no rows and columns: it is not told apart.` :
        "No layer spreads anything here: this is what the lowest layer hands down."));
      told.replaceChildren(...lines);
      boxes.push([y, y, x, x]);
      marks.replaceChildren(...boxes.flatMap(([top, bottom, left, right]) => [0, 1].map(() =>
        element("rect", { x: left, y: top, width: right - left + 1, height: bottom - top + 1 }))));
    }
  }

  // ---- The page ----

  class Page {
    constructor() {
      this.opacity = 0.6;
      this.main = document.getElementById("main");
      this.views = [];
      this.photographs = element("fieldset", { class: "photographs", role: "radiogroup" });
      data.photographs.forEach((one, p) => {
        const radio = element("input", { type: "radio", name: "photograph", value: p });
        radio.checked = p === 0;
        radio.addEventListener("change", () => this.show(p));
        this.photographs.append(element("label", {}, radio, element("img", { src: one.pictures[0], alt: one.name }), element("span", {}, one.name)));
      });
      const slider = element("input", { type: "range", min: 0, max: 100, value: 100 * this.opacity, id: "opacity" });
      slider.addEventListener("input", () => {
        this.opacity = slider.value / 100;
        for (const view of this.views) if (view.R) view.draw();
      });
      const ends = element("span", { class: "ends", "aria-hidden": "true" }, element("span", {}, "photograph"), element("span", {}, "both"), element("span", {}, "heatmap"));
      const bar = element("div", { class: "bar" }, element("div", {}, element("h3", {}, "Photograph"), this.photographs),
        element("div", { class: "opacity" }, element("h3", {}, element("label", { for: "opacity" }, "Heatmap on the photograph")), slider, ends));
      this.box = element("div", { class: "views" });
      this.main.append(bar, this.box);
      document.getElementById("foot").textContent = `Made by lrp-ref ${data.version}. Every map's numbers are rounded to the 65534th part of its `
        + "largest; sums are exact to twelve digits. The page loads nothing."
        + (data.left_out.length ? ` To stay under ${shown(data.most / 1e6)} megabytes per photograph something is left out: ${data.left_out.join("; ")}.` : "");
      this.show(0);
    }

    show(p) {
      const one = data.photographs[p];
      for (const view of this.views) view.stop();
      document.body.classList.toggle("many", one.views.length > 1);
      this.views = one.views.map((facts, n) => new View(facts, one.pictures[n], one.name, n, this));
      this.box.replaceChildren(...this.views.map(view => view.section));
      for (const view of this.views) view.show();
    }

    chooseClass(name, chosen, c) {   // in every view that knows a class of that name
      chosen.change({ c });
      for (const view of this.views) {
        const same = view.facts.classes.findIndex(one => one.name === name);
        if (view !== chosen && same >= 0) view.change({ c: same });
      }
    }
  }

  if ("DecompressionStream" in window) new Page();
  else document.getElementById("main").textContent = "This page needs a browser of 2023 or newer.";
})();
