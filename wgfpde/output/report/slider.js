// The controls of the animation: a slider, a button, a switch between linear and logarithmic scales, and keys.
// `animation`, `canvas`, `log` and the two drawers come from density.js.

const slider = document.getElementById("slider");
const clock = document.getElementById("time");
const button = document.getElementById("play");
const FILM_SECONDS = 8;              // one showing takes about this long

const draw = animation.kind === "lines" ? lineDrawer() : pictureDrawer();
const count = animation.t.length;
const wait = Math.min(700, Math.max(40, 1000 * FILM_SECONDS / count));
let playing = false;
let turn = 0;                        // of playing or pausing; a showing ends when its turn is over

async function show(k) {
  slider.value = k;
  const words = `t = ${label(animation.t[k])}`;
  clock.textContent = words;
  slider.setAttribute("aria-valuetext", words);
  if (await draw(k)) canvas.dataset.shown = `${k} ${log.checked ? "log" : "linear"}`;
}

function pause() {
  turn += 1;
  playing = false;
  button.textContent = "▶ Play";
}

async function play() {
  const mine = turn += 1;
  playing = true;
  button.textContent = "❚❚ Pause";
  if (Number(slider.value) === count - 1) await show(0);
  while (turn === mine && Number(slider.value) < count - 1) {
    await new Promise((done) => setTimeout(done, wait));
    if (turn === mine) await show(Number(slider.value) + 1);
  }
  if (turn === mine) pause();
}

const toggle = () => (playing ? pause() : play());
const move = (by) => { pause(); show(Math.max(0, Math.min(count - 1, Number(slider.value) + by))); };

button.addEventListener("click", toggle);
slider.addEventListener("input", () => { pause(); show(Number(slider.value)); });
log.addEventListener("change", () => show(Number(slider.value)));
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, button, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = { ArrowLeft: () => move(-1), ArrowRight: () => move(1), " ": toggle }[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

slider.max = count - 1;
document.documentElement.classList.add("live");
show(count - 1);
