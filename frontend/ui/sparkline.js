/** Sparkline: the last prices of a symbol as a line on a small canvas, by hand. */

const WIDTH = 70;
const HEIGHT = 18;

/** Make a canvas for `drawSparkline`. It says nothing to who can't see it: the numbers beside it do. */
export function makeSparkline() {
  const canvas = document.createElement("canvas");
  const scale = Math.min(3, window.devicePixelRatio || 1);
  canvas.width = WIDTH * scale;
  canvas.height = HEIGHT * scale;
  canvas.setAttribute("aria-hidden", "true");
  canvas.getContext("2d")?.scale(scale, scale);
  return canvas;
}

/** @param {HTMLCanvasElement} canvas @param {number[]} points @param {string} colour */
export function drawSparkline(canvas, points, colour) {
  const context = canvas.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, WIDTH, HEIGHT);
  if (points.length < 2) return;
  const low = Math.min(...points);
  const span = Math.max(...points) - low || 1;
  const step = (WIDTH - 4) / (points.length - 1);
  context.beginPath();
  points.forEach((point, index) => {
    const x = 2 + index * step;
    const y = HEIGHT - 2.5 - ((point - low) / span) * (HEIGHT - 5);
    if (index) context.lineTo(x, y);
    else context.moveTo(x, y);
  });
  context.strokeStyle = colour;
  context.lineWidth = 1.3;
  context.lineJoin = "round";
  context.stroke();
}
