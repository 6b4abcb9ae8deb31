"use strict";
const put = (id, text) => { document.getElementById(id).textContent = text; };
const short = (v) => (v === null || v === undefined ? "–" : Number(v).toPrecision(6));

function line(canvas, x, y, bottom) {
  const c = canvas.getContext("2d"), w = canvas.width, h = canvas.height, m = 8;
  c.clearRect(0, 0, w, h);
  const seen = y.filter((v) => v !== null);
  if (!seen.length) return;
  const low = bottom === null ? Math.min(...seen) : bottom, high = Math.max(...seen);
  const span = high - low || 1, first = x[0], width = x[x.length - 1] - first || 1;
  c.strokeStyle = "#d8dee4";
  c.strokeRect(0.5, 0.5, w - 1, h - 1);
  c.strokeStyle = "#1f3b63";
  c.lineWidth = 2;
  c.beginPath();
  y.forEach((v, k) => {
    if (v === null) return;
    c.lineTo(m + ((x[k] - first) / width) * (w - 2 * m), h - m - ((v - low) / span) * (h - 2 * m));
  });
  c.stroke();
}

function map(canvas, rho) {
  const rows = rho.length, columns = rho[0].length, c = canvas.getContext("2d");
  const high = Math.max(...rho.map((row) => Math.max(...row))) || 1;
  const small = document.createElement("canvas");
  small.width = columns;
  small.height = rows;
  const s = small.getContext("2d"), image = s.createImageData(columns, rows);
  for (let j = 0; j < rows; j++) {
    for (let i = 0; i < columns; i++) {
      const v = Math.max(0, rho[rows - 1 - j][i]) / high, at = 4 * (j * columns + i);  // y upwards
      image.data.set([255 * Math.min(1, 1.6 * v), 255 * v * v, 255 * (0.2 + 0.5 * Math.sin(3 * v)), 255], at);
    }
  }
  s.putImageData(image, 0, 0);
  c.clearRect(0, 0, canvas.width, canvas.height);
  c.imageSmoothingEnabled = false;
  const scale = Math.min(canvas.width / columns, canvas.height / rows);
  c.drawImage(small, 0, 0, columns * scale, rows * scale);
}

function show(now) {
  if (now.error) { put("message", now.error); return; }
  document.title = `${now.title} — wgfpde watch`;
  put("title", now.title);
  put("status", now.status);
  put("text", now.text);
  put("message", now.status === "failed" || now.status === "stopped" ? now.message || now.status : "");
  const bar = document.getElementById("share");
  if (now.share === null) bar.removeAttribute("value"); else bar.value = now.share;
  const more = now.more, run = now.kind === "run" && more.rho !== undefined;
  document.getElementById("run").hidden = !run;
  if (run) {
    const flat = more.rho.flat();
    put("at", short(more.at));
    put("low", short(flat.reduce((a, b) => Math.min(a, b), Infinity)));
    put("high", short(flat.reduce((a, b) => Math.max(a, b), -Infinity)));
    put("energy", short(more.energy[more.energy.length - 1]));
    const canvas = document.getElementById("density");
    if (more.y === undefined) line(canvas, more.x, more.rho, 0); else map(canvas, more.rho);
    line(document.getElementById("series"), more.t, more.energy, null);
  }
  const body = document.querySelector("#going tbody");
  body.replaceChildren(...(more.going || []).map(([name, share]) => {
    const row = document.createElement("tr");
    for (const words of [name, `${Math.round(100 * (share || 0))} %`]) {
      const cell = document.createElement("td");
      cell.textContent = words;
      row.append(cell);
    }
    return row;
  }));
}

async function look() {
  let over = false;
  try {
    const now = await (await fetch("now.json")).json();
    show(now);
    over = now.status !== "running";
  } catch (error) {
    put("message", "nobody answers: wgfpde watch was ended");
    over = true;
  }
  if (!over) setTimeout(look, 1000);
}
look();
