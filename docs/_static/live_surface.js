// Draws what docs/live/surface.c computes: an optimizer's path over a loss.

(async () => {
  const page = document.querySelector("#lrcore-surface");
  const find = (each) => page.querySelector(each);
  const [surfaces, rules, rate, canvas, told, formula] = ["[name=surface]", "[name=rule]",
    "[name=rate]", "canvas", "[role=status]", ".formula"].map(find);

  // --- the module ---------------------------------------------------------------------

  const packed = Uint8Array.from(atob(SURFACE), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(stream).arrayBuffer();
  // The C library asks for these; surface.c neither prints nor reads.
  const wasi = new Proxy({}, { get: () => () => 0, has: () => true });
  const { instance } = await WebAssembly.instantiate(bytes, { wasi_snapshot_preview1: wasi });
  const core = instance.exports;
  core._initialize();

  function text(address) {
    const memory = new Uint8Array(core.memory.buffer, address);
    return new TextDecoder().decode(memory.subarray(0, memory.indexOf(0)));
  }
  const numbers = (address, n) => [...new Float64Array(core.memory.buffer, address, n)];

  // --- the run ------------------------------------------------------------------------

  const STEPS = 200; // of a path
  let start, path, contours;

  function begin() {
    const learned = core.begin(Number(surfaces.value), Number(rules.value), ...start, 10 ** rate.value);
    path = [start];
    find("output").value = learned.toPrecision(3);
    rate.setAttribute("aria-valuetext", learned.toPrecision(3));
  }

  function step(count) {
    for (let k = 0; k < count; k++) {
      if (core.step() < 0) break;
      const point = numbers(core.point(), 2);
      if (!point.every(Number.isFinite)) break;
      path.push(point);
    }
  }

  function run() {
    begin();
    step(STEPS);
    show();
  }

  // --- the picture --------------------------------------------------------------------

  const box = () => numbers(core.surface_place(Number(surfaces.value)), 4);

  // Where a point is on the canvas, and back.
  function pixel([x, y]) {
    const [left, right, bottom, top] = box();
    return [((x - left) / (right - left)) * canvas.width, ((top - y) / (top - bottom)) * canvas.height];
  }
  function point(px, py) {
    const [left, right, bottom, top] = box();
    return [left + (px / canvas.width) * (right - left), top - (py / canvas.height) * (top - bottom)];
  }

  // Shades by the logarithm of the loss over the least in the picture.
  function drawContours(paint, dark) {
    const cell = 2, SHADES = 14, kind = Number(surfaces.value);
    const [columns, rows] = [canvas.width / cell, canvas.height / cell];
    const losses = new Float64Array(columns * rows);
    for (let j = 0; j < rows; j++) {
      for (let i = 0; i < columns; i++) {
        losses[j * columns + i] = core.surface_loss(kind, ...point((i + 0.5) * cell, (j + 0.5) * cell));
      }
    }
    const least = losses.reduce((a, b) => Math.min(a, b));
    const most = losses.reduce((a, b) => Math.max(a, b)) - least;
    losses.forEach((loss, k) => {
      const decades = 1 + Math.log10(Math.max((loss - least) / most, 1e-4)) / 4;
      const shade = Math.round(decades * SHADES) / SHADES;
      const light = dark ? 12 + 28 * shade : 97 - 38 * shade;
      paint.fillStyle = `hsl(210 45% ${light}%)`;
      paint.fillRect((k % columns) * cell, Math.floor(k / columns) * cell, cell, cell);
    });
  }

  function draw() {
    const paint = canvas.getContext("2d");
    const dark = document.documentElement.dataset.theme === "dark";
    const key = `${surfaces.value} ${dark}`;
    if (contours?.key !== key) {
      drawContours(paint, dark);
      contours = { key, data: paint.getImageData(0, 0, canvas.width, canvas.height) };
    }
    paint.putImageData(contours.data, 0, 0);
    paint.strokeStyle = paint.fillStyle = dark ? "#ffb454" : "#b33a00";
    paint.lineWidth = 2;
    paint.beginPath();
    // Points far outside are moved nearer, as a canvas cannot draw huge numbers.
    const near = (value, size) => Math.min(Math.max(value, -9 * size), 10 * size);
    const places = path.map(pixel).map(([x, y]) => [near(x, canvas.width), near(y, canvas.height)]);
    places.forEach(([x, y], k) => (k ? paint.lineTo(x, y) : paint.moveTo(x, y)));
    paint.stroke();
    for (const [x, y] of places) paint.fillRect(x - 2.5, y - 2.5, 5, 5);
    paint.beginPath();
    paint.arc(...places[0], 7, 0, 2 * Math.PI);
    paint.fillStyle = "#fff";
    paint.strokeStyle = "#000";
    paint.fill();
    paint.stroke();
  }

  const figure = (value) =>
    value && Math.abs(value) < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(3)));

  function show() {
    draw();
    const kind = Number(surfaces.value), end = path.at(-1);
    const losses = [start, end].map((each) => core.surface_loss(kind, ...each));
    const [left, right, bottom, top] = box();
    const outside = path.findIndex(([x, y]) => x < left || x > right || y < bottom || y > top);
    const at = ([x, y]) => `(${figure(x)}, ${figure(y)})`;
    told.textContent = `${path.length - 1} steps of ${rules.selectedOptions[0].text} from ` +
      `${at(start)} to ${at(end)}; the loss went from ${figure(losses[0])} to ` +
      `${figure(losses[1])}.` + (outside > 0 ? ` The path leaves the picture at step ${outside}.` : "");
    canvas.setAttribute("aria-label", `The path of an optimizer over contours of the loss. ${told.textContent}`);
  }

  // --- what the reader does -----------------------------------------------------------

  function chooseSurface() {
    const kind = Number(surfaces.value);
    start = numbers(core.surface_place(kind), 6).slice(4);
    formula.textContent = text(core.surface_formula(kind));
    run();
  }

  canvas.addEventListener("click", (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    start = point(((event.clientX - left) / width) * canvas.width, ((event.clientY - top) / height) * canvas.height);
    run();
  });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (way) {
      const [left, right, bottom, top] = box();
      start = [start[0] + (way[0] * (right - left)) / 40, start[1] + (way[1] * (top - bottom)) / 40];
      run();
    } else if (event.key === "Enter") {
      step(1);
      show();
    } else return;
    event.preventDefault();
  });
  find("[name=again]").addEventListener("click", () => { begin(); show(); });
  find("[name=one]").addEventListener("click", () => { step(1); show(); });
  find("[name=many]").addEventListener("click", () => { step(STEPS); show(); });
  surfaces.addEventListener("change", chooseSurface);
  for (const each of [rules, rate]) each.addEventListener("input", run);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });

  for (let k = 0; k < core.surface_count(); k++) surfaces.add(new Option(text(core.surface_name(k)), k));
  for (let rule = 0; rule < core.rule_count(); rule++) {
    if (core.rule_is_usable(rule)) rules.add(new Option(text(core.rule_name(rule)), rule));
  }
  rules.value = [...rules.options].find(({ text }) => text === "adam").value;
  chooseSurface();
})();
