// Draws the charts of #chart-data on their canvases. Colours and fonts are the page's own, read from its CSS
// variables, and drawn again when these change (dark mode, printing).
(function () {
  "use strict";
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const problems = [];
  let charts = [];

  const shapes = ["circle", "rect", "triangle", "rectRot", "rectRounded"];

  function theme() {
    const style = getComputedStyle(root), get = (name) => style.getPropertyValue("--" + name).trim();
    const series = [1, 2, 3, 4, 5, 6, 7].map((i) => get("c" + i));
    return { fg: get("fg"), muted: get("muted"), grid: get("grid"), line: get("line"), bg: get("bg"),
      accent: get("accent"), loss: get("loss"), series: series,
      font: getComputedStyle(document.body).fontFamily };
  }

  // A family is a variant and what fine-tuning made of it: one colour and one shape on all charts. Where there is a
  // tuned one, the variant it started from is hollow, and dashed.
  const known = new Map(data.variants.map((v) => [v.name, v]));
  const families = data.variants.filter((v) => !v.float && v.from === null).map((v) => v.name);
  const family = (name) => Math.max(0, families.indexOf(known.get(name).from ?? name));
  const isFloat = (name) => known.get(name).float;
  const hollow = (name) => isFloat(name) || data.variants.some((v) => v.from === name);
  const colour = (t, name) => isFloat(name) ? t.muted : t.series[family(name) % t.series.length];
  const fill = (t, name) => hollow(name) ? t.bg : colour(t, name);
  const shape = (name) => isFloat(name) ? "circle" : shapes[family(name) % shapes.length];

  function shown(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    const digits = size >= 100 ? 0 : Math.min(8, Math.max(0, 2 - Math.floor(Math.log10(size))));
    return String(Number(value.toFixed(digits))).replace("-", "\u2212");
  }

  // Powers of ten; between them 2 and 5 where the axis spans few.
  function logTick(value, index, ticks) {
    const digit = Number(value.toExponential(3).split("e")[0]);
    const decades = Math.log10(ticks[ticks.length - 1].value / ticks[0].value);
    return digit === 1 || (decades < 2.6 && (digit === 2 || digit === 5)) ? plain(value) : "";
  }
  function plain(value) {
    const digits = Math.max(0, -Math.floor(Math.log10(Math.abs(value)) + 1e-9));
    return value === 0 ? "0" : value.toFixed(Math.min(digits, 9));
  }

  function axis(t, title, log) {
    return {
      type: log ? "logarithmic" : "linear",
      title: { display: true, text: title, color: t.muted, font: { size: 12 } },
      grid: { color: t.grid, borderColor: t.line, tickColor: t.grid },
      ticks: Object.assign({ color: t.muted, font: { size: 12 }, maxRotation: 0 },
        log ? { callback: logTick } : { callback: (v) => shown(v), maxTicksLimit: 7 })
    };
  }

  // Ends of a logarithmic axis: the values with some air.
  function logEnds(axis, values) {
    const positive = values.filter((v) => v > 0);
    return positive.length ? Object.assign(axis, { min: Math.min(...positive) / 1.4, max: Math.max(...positive) * 1.4 }) : axis;
  }

  function options(t, x, y) {
    return {
      responsive: true, maintainAspectRatio: false, animation: false,
      font: { family: t.font }, layout: { padding: { top: 8, right: 12 } },
      scales: { x: x, y: y },
      plugins: {
        legend: { position: "top", align: "start",
          labels: { color: t.fg, usePointStyle: true, boxWidth: 10, boxHeight: 8, padding: 12, font: { size: 12 },
            filter: (item) => Boolean(item.text) && !item.text.startsWith("\u0000") } },
        tooltip: { backgroundColor: t.fg, titleColor: t.bg, bodyColor: t.bg, footerColor: t.bg,
          cornerRadius: 4, displayColors: false }
      }
    };
  }

  const overlap = (a, b) => Math.max(0, Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x)) *
    Math.max(0, Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y));

  // A free place for a label beside a mark: right, left, above, below, then the corners.
  function labelBox(mark, w, h, area, taken) {
    const gap = 8;
    const places = [[gap, -h / 2], [-gap - w, -h / 2], [-w / 2, -gap - h], [-w / 2, gap],
      [gap, gap / 2], [gap, -h - gap / 2], [-gap - w, gap / 2], [-gap - w, -h - gap / 2],
      [gap, gap * 2], [gap, -h - gap * 2], [-gap - w, gap * 2], [-gap - w, -h - gap * 2],
      [-w / 2, gap * 3], [-w / 2, -h - gap * 3]];
    let best = null;
    places.forEach(function (p, rank) {
      const box = { x: mark.x + p[0], y: mark.y + p[1], w: w, h: h };
      const inside = overlap(box, { x: area.left, y: area.top, w: area.right - area.left, h: area.bottom - area.top });
      let cost = 8 * (w * h - inside) + rank;
      taken.forEach((other) => { cost += 4 * overlap(box, other); });
      if (!best || cost < best.cost) best = { cost: cost, box: box };
    });
    return best.box;
  }

  const line = (ctx, x0, y0, x1, y1) => ctx.stroke(new Path2D(`M${x0} ${y0}L${x1} ${y1}`));

  function arrow(ctx, from, to) {
    const dx = to.x - from.x, dy = to.y - from.y, length = Math.hypot(dx, dy);
    if (length < 16) return;
    const ux = dx / length, uy = dy / length, x = to.x - 7 * ux, y = to.y - 7 * uy;
    line(ctx, from.x + 7 * ux, from.y + 7 * uy, x, y);
    ctx.fill(new Path2D(`M${x} ${y}L${x - 6 * ux + 3 * uy} ${y - 6 * uy - 3 * ux}` +
      `L${x - 6 * ux - 3 * uy} ${y - 6 * uy + 3 * ux}Z`));
  }

  // Behind the marks: the limit, intervals, arrows. In front: names.
  function tradeoffPlugin(spec, points, t) {
    const marks = (chart) => points.map((p) => (
      { point: p, x: chart.scales.x.getPixelForValue(p.beside), y: chart.scales.y.getPixelForValue(p.plot) }));
    return {
      id: "tradeoff",
      beforeDatasetsDraw(chart) {
        const ctx = chart.ctx, area = chart.chartArea, y = chart.scales.y, all = marks(chart);
        ctx.save();
        const box = new Path2D();
        box.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
        ctx.clip(box);
        ctx.strokeStyle = t.loss;
        ctx.setLineDash([5, 4]);
        const limit = y.getPixelForValue(spec.limit);
        line(ctx, area.left, limit, area.right, limit);
        ctx.setLineDash([]);
        ctx.lineWidth = 1.5;
        all.forEach(function (m) {
          if (m.point.low === null || m.point.high === null) return;
          ctx.strokeStyle = colour(t, m.point.name);
          const low = y.getPixelForValue(spec.log ? Math.max(m.point.low, y.min) : m.point.low);
          line(ctx, m.x, low, m.x, y.getPixelForValue(m.point.high));
        });
        Object.assign(ctx, { strokeStyle: t.muted, fillStyle: t.muted, lineWidth: 1 });
        all.forEach(function (m) {
          const start = all.find((other) => other.point.name === known.get(m.point.name).from);
          if (start) arrow(ctx, start, m);
        });
        ctx.restore();
      },
      afterDatasetsDraw(chart) {
        const ctx = chart.ctx, all = marks(chart), taken = all.map((m) => ({ x: m.x - 6, y: m.y - 6, w: 12, h: 12 }));
        ctx.save();
        ctx.textBaseline = "middle";
        all.sort((a, b) => Number(b.point.best) - Number(a.point.best)).forEach(function (m) {
          ctx.font = (m.point.best ? "600 " : "") + "12px " + t.font;
          let name = m.point.name + (spec.log && m.point.y === 0 ? " (0)" : "");
          if (name.length > 26) name = name.slice(0, 25) + "\u2026";
          const box = labelBox(m, ctx.measureText(name).width, 14, chart.chartArea, taken);
          taken.push(box);
          Object.assign(ctx, { lineWidth: 3, lineJoin: "round", strokeStyle: t.bg });
          ctx.strokeText(name, box.x, box.y + 7);
          ctx.fillStyle = colour(t, m.point.name);
          ctx.fillText(name, box.x, box.y + 7);
        });
        ctx.restore();
      }
    };
  }

  // Where to draw x: points of one cost (within 1.5 % of the largest) side by side, in order of y.
  function dodge(points) {
    const largest = Math.max(...points.map((p) => p.x));
    const left = points.slice().sort((a, b) => a.x - b.x);
    while (left.length) {
      const group = left.filter((p) => p.x - left[0].x <= 0.015 * largest);
      left.splice(0, group.length);
      group.sort((a, b) => a.plot - b.plot);
      group.forEach((p, i) => { p.beside = p.x + 0.022 * largest * (i - (group.length - 1) / 2); });
    }
  }

  function tradeoff(spec, t) {
    const positive = spec.points.map((p) => p.y).filter((v) => v > 0);
    const floor = (positive.length ? Math.min(...positive) : 1e-4) / 4;
    const points = spec.points.map((p) => Object.assign({ plot: spec.log && !(p.y > 0) ? floor : p.y }, p));
    dodge(points);
    const y = axis(t, spec.y, spec.log), x = Object.assign(axis(t, spec.x, false), { beginAtZero: true, grace: "12%" });
    if (spec.log) {
      y.min = floor / 1.5;
      y.suggestedMax = spec.limit * 2;
    } else {
      const ends = points.flatMap((p) => [p.y, p.low, p.high].filter((v) => v !== null));
      y.suggestedMin = Math.min(spec.limit, ...ends) * 1.1;
      y.suggestedMax = Math.max(0.1, ...ends) * 1.1;
    }
    const config = options(t, x, y), each = (pick) => points.map(pick);
    config.plugins.legend.display = false;
    config.plugins.tooltip.callbacks = { label(item) {
      const p = points[item.dataIndex];
      const interval = p.low === null || p.high === null ? "" : " [" + shown(p.low) + ", " + shown(p.high) + "]";
      return [p.name, spec.x + ": " + shown(p.x), spec.y + ": " + shown(p.y) + interval];
    } };
    return { type: "scatter", options: config, plugins: [tradeoffPlugin(spec, points, t)], data: { datasets: [{
      data: each((p) => ({ x: p.beside, y: p.plot })),
      pointStyle: each((p) => shape(p.name)),
      pointRadius: each((p) => p.best ? 7 : 5), pointHoverRadius: 8,
      pointBackgroundColor: each((p) => fill(t, p.name)),
      pointBorderColor: each((p) => colour(t, p.name)), pointBorderWidth: 2
    }] } };
  }

  function siteAxis(t, count) {
    return { type: "category", offset: true, grid: { display: false, borderColor: t.line },
      title: { display: true, text: count + " sites, from the first layer to the last", color: t.muted, font: { size: 12 } },
      ticks: { display: false } };
  }

  function series(t, name, values) {
    return { label: name, data: values, borderColor: colour(t, name), backgroundColor: fill(t, name),
      pointStyle: shape(name), pointRadius: values.length > 80 ? 2 : 3.5, borderWidth: 1.5,
      borderDash: hollow(name) ? [5, 3] : [], spanGaps: false };
  }

  function siteTooltip(config, unit) {
    config.interaction = { mode: "index", intersect: false };
    config.plugins.tooltip.callbacks = { label: (item) => item.raw === null || Array.isArray(item.raw) ? null
      : item.dataset.label + ": " + shown(item.raw) + unit };
  }

  function lines(spec, t) {
    const config = options(t, siteAxis(t, spec.labels.length), logEnds(axis(t, spec.y, true), spec.series.flatMap((s) => s.values)));
    siteTooltip(config, " %");
    return { type: "line", options: config, data: { labels: spec.labels,
      datasets: spec.series.map((s) => series(t, s.name, s.values)) } };
  }

  function ranges(spec, t) {
    const config = options(t, siteAxis(t, spec.labels.length), logEnds(axis(t, spec.y, true), spec.absmax.concat(spec.chosen)));
    siteTooltip(config, "");
    const marks = (label, values, style, color, fill) => ({ type: "line", label: label, data: values, showLine: false,
      pointStyle: style, pointRadius: values.length > 80 ? 2.5 : 4, pointBorderWidth: 1.5, borderColor: color, backgroundColor: fill });
    return { type: "bar", options: config, data: { labels: spec.labels, datasets: [
      marks("largest value seen", spec.absmax, "circle", t.series[1], t.bg),
      marks("range chosen", spec.chosen, "rect", t.series[0], t.series[0]),
      { label: "\u0000clipped", data: spec.absmax.map((v, i) => v === null || spec.chosen[i] === null ? null : [spec.chosen[i], v]),
        backgroundColor: t.line, maxBarThickness: 3, barPercentage: 0.5 }
    ] } };
  }

  function curves(spec, t) {
    const x = Object.assign(axis(t, spec.x, false), { beginAtZero: true }), y = axis(t, spec.y, spec.log);
    if (spec.log) logEnds(y, spec.series.flatMap((s) => s.points.concat(s.train).map((p) => p.y)));
    const config = options(t, x, y);
    config.plugins.tooltip.callbacks = { label: (item) => item.dataset.label.replace("\u0000", "") + ", step " +
      item.parsed.x + ": " + shown(item.parsed.y) + " nats" };
    const datasets = [];
    spec.series.forEach(function (s) {
      const color = colour(t, s.name);
      datasets.push(Object.assign(series(t, s.name, s.points), { showLine: true, borderWidth: 2,
        pointRadius: s.points.map((p, k) => k === s.best ? 7 : 3) }));
      datasets.push({ label: "\u0000" + s.name + ", training", data: s.train, showLine: true, borderColor: color + "66",
        borderWidth: 1, pointRadius: 0, pointHitRadius: 4 });
    });
    return { type: "scatter", options: config, data: { datasets: datasets } };
  }

  const kinds = { tradeoff: tradeoff, lines: lines, ranges: ranges, curves: curves };

  function draw() {
    const t = theme();
    charts.forEach((chart) => chart.destroy());
    Chart.defaults.font.family = t.font;
    charts = data.charts.map((spec) => new Chart(document.getElementById("chart-" + spec.id), kinds[spec.kind](spec, t)));
  }

  // What the browser test reads: how many charts there are, and how many canvases stayed empty.
  function selfTest() {
    let blank = 0;
    document.querySelectorAll("canvas").forEach(function (canvas) {
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      const seen = new Set();
      for (let i = 0; i < pixels.length; i += 4) {
        if (pixels[i + 3] > 200) seen.add((pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2]);
      }
      if (seen.size < 8) blank += 1;
    });
    root.dataset.charts = charts.length;
    root.dataset.blank = blank;
    root.dataset.problems = problems.join("; ");
  }

  window.addEventListener("error", (event) => problems.push(event.message));
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let closed = [];
  function printing(on) {
    root.dataset.theme = on ? "light" : "";
    if (on) closed = Array.from(document.querySelectorAll("details:not([open])"));
    closed.forEach((d) => { d.open = on; });
    draw();
  }
  window.addEventListener("beforeprint", () => printing(true));
  window.addEventListener("afterprint", () => printing(false));
  if (location.hash === "#self-test") selfTest();
})();
