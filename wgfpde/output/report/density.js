// Draws the density at one time on the canvas: a line with its axes in 1D, a picture with its colour bar in 2D.
// What is drawn comes from the JSON element #animation; density_animation.py and grey_frames.py say how it is encoded.
"use strict";

const animation = JSON.parse(document.getElementById("animation").textContent);
const canvas = document.getElementById("density");
const log = document.getElementById("log");
const pen = canvas.getContext("2d");

const SHARP = 2;                 // canvas pixels per drawn unit
const FONT = "13px system-ui, sans-serif";
const INK = "#1f2933", SOFT = "#5b6773", LINE = "#d8dee4", ZERO = "#c3ccd6";

// ---- scales and axes --------------------------------------------------------------------------------------

function niceTicks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= 0.75 * raw);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) ticks.push(k * step);
  return ticks;
}

function decades(low, high) {
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  if (last - first < 1) return [low, Math.sqrt(low * high), high];
  const step = Math.ceil((last - first) / 6), ticks = [];
  for (let k = last; k >= first; k -= step) ticks.push(10 ** k);
  return ticks;
}

function label(value) {
  const raised = (digits) => digits.replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).replace("-", "⁻").replace("+", "");
  const size = Math.abs(value), plain = Number(value.toPrecision(4));
  if (size === 0 || (size >= 1e-3 && size < 1e5)) return String(plain).replace("-", "−");
  const [mantissa, power] = plain.toExponential().split("e");
  return `${mantissa === "1" ? "" : `${mantissa}·`}10${raised(power)}`.replace(/^-/, "−");
}

// The density scale in force for snapshot k: share(rho) is 0 at its lower end and 1 at its upper.
function densityScale(k) {
  const top = animation.tops ? animation.tops[k] : animation.top;
  if (!log.checked) return { ticks: niceTicks(0, top, 5), share: (rho) => rho / top };
  const span = Math.log(animation.high / animation.low);
  return { ticks: decades(animation.low, animation.high), share: (rho) => Math.log(rho / animation.low) / span };
}

function text(words, x, y, align, baseline, colour) {
  pen.font = FONT;
  pen.fillStyle = colour || SOFT;
  pen.textAlign = align;
  pen.textBaseline = baseline;
  pen.fillText(words, x, y);
}

function line(x0, y0, x1, y1, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

function xAxis(box) {
  for (const x of niceTicks(animation.x[0], animation.x[1], Math.max(2, Math.min(6, box.width / 70)))) {
    const place = box.left + box.width * (x - animation.x[0]) / (animation.x[1] - animation.x[0]);
    line(place, box.top + box.height, place, box.top + box.height + 5, SOFT);
    text(label(x), place, box.top + box.height + 8, "center", "top");
  }
  text(animation.across, box.left + box.width / 2, box.top + box.height + 26, "center", "top", INK);
}

function yAxis(box, ticks, share, name) {
  for (const y of ticks) {
    const place = box.top + box.height * (1 - share(y));
    line(box.left - 5, place, box.left, place, SOFT);
    text(label(y), box.left - 8, place, "right", "middle");
  }
  text(name, 4, box.top + box.height / 2, "left", "middle", INK);
}

function start(width, height) {
  if (canvas.width !== SHARP * width || canvas.height !== SHARP * height) {
    canvas.width = SHARP * width;
    canvas.height = SHARP * height;
    canvas.style.width = `${width}px`;
  }
  pen.setTransform(SHARP, 0, 0, SHARP, 0, 0);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, width, height);
}

// ---- lines ------------------------------------------------------------------------------------------------

function floats(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

function lineDrawer() {
  const x = floats(animation.centers), rho = floats(animation.rho), n = x.length;
  const exact = animation.exact ? floats(animation.exact) : null, gibbs = animation.gibbs ? floats(animation.gibbs) : null;
  const box = { left: 70, top: 12, width: 660, height: 360 };
  const width = box.left + box.width + 16, height = box.top + box.height + 48;
  const DASHES = { solid: [], dashed: [7, 5], dotted: [2, 4] };

  const across = (k) => box.left + box.width * (x[k] - animation.x[0]) / (animation.x[1] - animation.x[0]);

  function curve(values, style, thickness, scale) {
    pen.strokeStyle = style.colour;
    pen.setLineDash(DASHES[style.dash]);
    pen.lineWidth = thickness;
    pen.beginPath();
    let down = false;             // a zero has no logarithm: the line ends there
    for (let k = 0; k < n; k++) {
      const drawn = !log.checked || values[k] > 0;
      if (drawn) {
        const share = Math.max(-0.02, Math.min(1.05, scale.share(values[k])));
        pen[down ? "lineTo" : "moveTo"](across(k), box.top + box.height * (1 - share));
      }
      down = drawn;
    }
    pen.stroke();
    pen.setLineDash([]);
  }

  // Cells that are exactly empty: a logarithmic scale cannot show them, a bar on its axis does.
  function empty(values) {
    pen.fillStyle = ZERO;
    for (let k = 0; k < n; k++) {
      const left = across(Math.max(0, k - 1)), right = across(Math.min(n - 1, k + 1));
      if (values[k] === 0) pen.fillRect(left, box.top + box.height - 6, right - left, 6);
    }
  }

  return async function draw(k) {    // true when snapshot k is on the canvas
    const scale = densityScale(k);
    start(width, height);
    for (const y of scale.ticks) {
      const place = box.top + box.height * (1 - scale.share(y));
      line(box.left, place, box.left + box.width, place, "#eef1f4");
    }
    pen.save();
    pen.beginPath();
    pen.rect(box.left, box.top - 6, box.width, box.height + 8);
    pen.clip();
    curve(rho.subarray(0, n), animation.style.start, 1.4, scale);
    curve(rho.subarray(k * n, (k + 1) * n), animation.style.rho, 2.2, scale);
    if (gibbs) curve(gibbs, animation.style.gibbs, 1.6, scale);
    if (exact) curve(exact.subarray(k * n, (k + 1) * n), animation.style.exact, 1.3, scale);
    if (log.checked) empty(rho.subarray(k * n, (k + 1) * n));
    pen.restore();
    line(box.left, box.top, box.left, box.top + box.height, SOFT);
    line(box.left, box.top + box.height, box.left + box.width, box.top + box.height, SOFT);
    xAxis(box);
    yAxis(box, scale.ticks, scale.share, "ρ");
    return true;
  };
}

// ---- pictures ---------------------------------------------------------------------------------------------

// Colours of the levels 0 … 255, red green blue; level 0 is empty, which only a logarithmic scale tells from faint.
function colourTable() {
  const nodes = animation.colours.match(/../g).map((byte) => parseInt(byte, 16)), last = nodes.length / 3 - 1;
  const table = new Uint8ClampedArray(3 * 256);
  for (let level = 0; level < 256; level++) {
    const place = last * level / 255, k = Math.min(last - 1, Math.floor(place)), part = place - k;
    for (let c = 0; c < 3; c++) {
      table[3 * level + c] = Math.round((1 - part) * nodes[3 * k + c] + part * nodes[3 * k + 3 + c]);
    }
  }
  return table;
}

function pictureDrawer() {
  const { width: nx, height: ny } = animation, table = colourTable();
  const aspect = (animation.y[1] - animation.y[0]) / (animation.x[1] - animation.x[0]);
  const size = Math.min(600, 520 / aspect);
  const box = { left: 62, top: 12, width: size, height: Math.max(90, size * aspect) };
  const width = box.left + box.width + 110, height = box.top + box.height + 48;
  const sheet = document.createElement("canvas"), sheetPen = sheet.getContext("2d", { willReadFrequently: true });
  const small = document.createElement("canvas"), smallPen = small.getContext("2d");
  sheet.width = small.width = nx;
  sheet.height = 2 * ny;
  small.height = ny;
  const read = new Map();

  async function levels(k) {       // 2·nx·ny bytes: the linear half, then the logarithmic one
    if (!read.has(k)) {
      const image = new Image();
      image.src = `data:image/png;base64,${animation.frames[k]}`;
      await image.decode();
      sheetPen.drawImage(image, 0, 0);
      const pixels = sheetPen.getImageData(0, 0, nx, 2 * ny).data, bytes = new Uint8Array(2 * nx * ny);
      for (let i = 0; i < bytes.length; i++) bytes[i] = pixels[4 * i];
      read.set(k, bytes);
    }
    return read.get(k);
  }

  function paint(bytes) {
    const pixels = smallPen.createImageData(nx, ny), offset = log.checked ? nx * ny : 0;
    const zero = [1, 3, 5].map((k) => parseInt(ZERO.slice(k, k + 2), 16));
    for (let i = 0; i < nx * ny; i++) {
      const level = bytes[offset + i];
      for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = log.checked && level === 0 ? zero[c] : table[3 * level + c];
      pixels.data[4 * i + 3] = 255;
    }
    smallPen.putImageData(pixels, 0, 0);
    pen.imageSmoothingEnabled = box.width < 3 * nx;     // few cells are shown as cells
    pen.drawImage(small, box.left, box.top, box.width, box.height);
    pen.strokeStyle = SOFT;
    pen.lineWidth = 1;
    pen.strokeRect(box.left, box.top, box.width, box.height);
  }

  function bar(k) {
    const scale = densityScale(k), left = box.left + box.width + 20, thick = 16;
    const empty = log.checked && animation.zero, length = box.height - (empty ? 26 : 0);
    for (let level = 1; level < 256; level++) {
      pen.fillStyle = `rgb(${table[3 * level]}, ${table[3 * level + 1]}, ${table[3 * level + 2]})`;
      pen.fillRect(left, box.top + length * (255 - level) / 255, thick, length / 255 + 0.6);
    }
    for (const rho of scale.ticks) {
      const place = box.top + length * (1 - scale.share(rho));
      line(left + thick, place, left + thick + 4, place, SOFT);
      text(label(rho), left + thick + 7, place, "left", "middle");
    }
    if (empty) {
      pen.fillStyle = ZERO;
      pen.fillRect(left, box.top + box.height - 16, thick, 16);
      text("0", left + thick + 7, box.top + box.height - 8, "left", "middle");
    }
    text("ρ", left + thick / 2, box.top + box.height + 8, "center", "top", INK);
  }

  let wanted = 0;
  return async function draw(k) {
    wanted = k;
    const bytes = await levels(k);
    if (wanted !== k) return false; // the slider has moved on meanwhile
    start(width, height);
    paint(bytes);
    bar(k);
    xAxis(box);
    const span = animation.y[1] - animation.y[0];
    yAxis(box, niceTicks(animation.y[0], animation.y[1], 5), (y) => (y - animation.y[0]) / span, "y");
    return true;
  };
}
