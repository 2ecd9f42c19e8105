(() => {
  const STEPS = 16384, DISTANCE = 4, TILT = 0.31, SPEED = 0.5, REST = 2500;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const sprites = new Map();

  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

  // A lit ball of a colour, drawn once: colours are told apart to 16 levels of each channel.
  function sprite(red, green, blue) {
    const key = ((red >> 4) << 8) | ((green >> 4) << 4) | (blue >> 4);
    if (!sprites.has(key)) {
      const ball = document.createElement("canvas");
      ball.width = ball.height = 32;
      const pen = ball.getContext("2d"), light = pen.createRadialGradient(11, 9, 1, 16, 16, 16);
      const shade = (amount) => `rgb(${[red, green, blue].map((level) => Math.min(255, level * amount)).join()})`;
      light.addColorStop(0, shade(1.25));
      light.addColorStop(0.5, shade(0.95));
      light.addColorStop(1, shade(0.5));
      pen.fillStyle = light;
      pen.beginPath();
      pen.arc(16, 16, 15.5, 0, 2 * Math.PI);
      pen.fill();
      sprites.set(key, ball);
    }
    return sprites.get(key);
  }

  function show(canvas) {
    const raw = bytes(canvas.dataset.points), points = new Int16Array(raw.buffer);
    const colors = bytes(canvas.dataset.colors), ball = Number(canvas.dataset.ball), count = points.length / 3;
    const balls = Array.from({ length: count }, (_, i) => sprite(...colors.subarray(3 * i, 3 * i + 3)));
    const x = new Float32Array(count), y = new Float32Array(count), z = new Float32Array(count);
    const order = Uint32Array.from({ length: count }, (_, i) => i), pen = canvas.getContext("2d");
    let yaw = 0.52, pitch = TILT, visible = false, held = false, touched = -Infinity, before = 0;

    function draw() {
      const size = Math.round(canvas.clientWidth * devicePixelRatio);
      if (canvas.width !== size) canvas.width = canvas.height = size;
      const [sine, cosine, up, level] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
      for (let i = 0; i < count; i++) {
        const [px, py, pz] = [points[3 * i] / STEPS, points[3 * i + 1] / STEPS, points[3 * i + 2] / STEPS];
        const away = px * sine + pz * cosine;
        x[i] = px * cosine - pz * sine;
        y[i] = py * level - away * up;
        z[i] = py * up + away * level;
      }
      order.sort((one, other) => z[one] - z[other]);
      pen.clearRect(0, 0, size, size);
      for (const i of order) {
        const scale = (size / 2) * 0.95 * Math.sqrt(DISTANCE ** 2 - 1) / (DISTANCE - z[i]), r = ball * scale;
        pen.globalAlpha = Math.min(1, Math.max(0.45, 0.85 + 0.3 * z[i]));
        pen.drawImage(balls[i], size / 2 + x[i] * scale - r, size / 2 - y[i] * scale - r, 2 * r, 2 * r);
      }
    }

    function step(now) {
      if (!visible) return;
      const turning = !still && !held && now - touched > REST;
      if (turning) yaw += SPEED * Math.min(0.1, (now - before) / 1000);
      before = now;
      if (turning || held) draw();
      requestAnimationFrame(step);
    }

    function turn(right, down) {
      yaw += right;
      pitch = Math.min(1.5, Math.max(-1.5, pitch + down));
      touched = performance.now();
      draw();
    }

    canvas.addEventListener("pointerdown", (event) => { held = true; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => { if (held) turn(event.movementX / 100, event.movementY / 100); });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { held = false; });
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
      if (by) { event.preventDefault(); turn(...by); }
    });
    new ResizeObserver(draw).observe(canvas);
    new IntersectionObserver(([entry]) => {
      const shown = entry.isIntersecting && !visible;
      visible = entry.isIntersecting;
      if (shown) { before = performance.now(); draw(); requestAnimationFrame(step); }
    }).observe(canvas);
  }

  for (const canvas of document.querySelectorAll(".shapes canvas")) show(canvas);
})();
