// Draws the tables of schedules that docs/_extensions/schedule_pictures.py has made.

(() => {
  const page = document.querySelector("#lrcore-schedules");
  const [select, sliders, svg, code, told] = ["select", ".lrcore-sliders", "svg", "code",
    "[role=status]"].map((each) => page.querySelector(each));
  const { steps, tables } = SCHEDULES;
  const last = steps.at(-1);
  // The box of the curve, in units of the picture.
  const [left, right, top, bottom] = [76, 630, 12, 276];

  // The curve at some settings of the sliders: the last one changes fastest.
  function curve(table, places) {
    const sizes = Object.values(table.sliders).map((values) => values.length);
    const row = places.reduce((sum, place, k) => sum * sizes[k] + place, 0);
    table.bytes ??= Uint8Array.from(atob(table.curves), (c) => c.charCodeAt(0));
    const view = new DataView(table.bytes.buffer, 4 * row * steps.length);
    return steps.map((_, k) => view.getFloat32(4 * k, true));
  }

  const x = (step) => left + ((right - left) * step) / last;
  const figure = (value) =>
    value && Math.abs(value) < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(3)));

  function element(name, attributes, text = "") {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  }

  function draw(table, values) {
    const y = (value) => bottom - ((bottom - top) * value) / table.top;
    const parts = [];
    for (let k = 0; k <= 4; k++) {
      const value = (table.top * k) / 4;
      parts.push(element("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }));
      parts.push(element("text", { x: left - 8, y: y(value) + 5, "text-anchor": "end" }, figure(value)));
    }
    for (let step = 0; step <= last; step += 200) {
      parts.push(element("text", { x: x(step), y: bottom + 20, "text-anchor": "middle" }, step));
    }
    parts.push(element("text", { x: right, y: bottom + 44, "text-anchor": "end" }, "step"));
    const points = values.map((value, k) => `${x(steps[k])},${y(value)}`).join(" ");
    parts.push(element("polyline", { class: "curve", points }));
    svg.replaceChildren(...parts);
  }

  function description(values) {
    const highest = values.indexOf(Math.max(...values));
    const lowest = values.indexOf(Math.min(...values));
    const half = Math.floor(values.length / 2);
    return `It begins at ${figure(values[0])}, is highest at step ${steps[highest]} with ` +
      `${figure(values[highest])}, lowest at step ${steps[lowest]} with ` +
      `${figure(values[lowest])}, has ${figure(values[half])} at step ${steps[half]}, and ends ` +
      `at ${figure(values.at(-1))}.`;
  }

  function show() {
    const table = tables[select.value];
    const inputs = [...sliders.querySelectorAll("input")];
    let words = table.words;
    for (const input of inputs) {
      const value = table.sliders[input.name][input.value];
      input.setAttribute("aria-valuetext", value);
      input.parentElement.querySelector("output").value = value;
      words = words.replace(`{${input.name}}`, value);
    }
    const values = curve(table, inputs.map((input) => Number(input.value)));
    draw(table, values);
    code.textContent = words;
    told.textContent = description(values);
    svg.setAttribute("aria-label", `The learning rate of ${words}. ${told.textContent}`);
  }

  function choose() {
    const table = tables[select.value];
    sliders.replaceChildren(...Object.entries(table.sliders).map(([name, values]) => {
      const label = document.createElement("label");
      const input = document.createElement("input");
      const middle = Math.floor((values.length - 1) / 2);
      Object.assign(input, { type: "range", name, min: 0, max: values.length - 1 });
      input.value = middle;
      input.addEventListener("input", show);
      label.append(`${name} `, document.createElement("output"), input);
      return label;
    }));
    show();
  }

  tables.forEach(({ words }, k) => select.add(new Option(words.split("(")[0], k)));
  select.addEventListener("change", choose);
  choose();
})();
