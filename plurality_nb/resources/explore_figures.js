// The two figures of the panel. A click on a point of theirs shows the pairs behind it.

// ---- points by keyboard: one of a figure is a stop of the tab key, arrow keys lead to the others

const WAYS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

function pointTowards(points, from, [right, down]) { // the nearest one that way, undefined at the edge
  const middle = (point) => {
    const box = point.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };
  const [x, y] = middle(from);
  let nearest, least = Infinity;
  for (const point of points) {
    const across = middle(point)[0] - x, below = middle(point)[1] - y;
    const ahead = right * across + down * below;
    const distance = ahead + 2 * (Math.abs(right * below) + Math.abs(down * across));
    if (ahead > 0.5 && distance < least) [nearest, least] = [point, distance];
  }
  return nearest;
}

function movePoint(e) {
  if (e.altKey || e.ctrlKey || e.metaKey) return; // the browser's own, such as a page back
  const points = [...e.currentTarget.querySelectorAll("[data-point]")];
  const ends = { Home: points[0], End: points[points.length - 1] };
  if (!points.includes(e.target) || !(e.key in WAYS || e.key in ends)) return;
  e.preventDefault();
  e.stopPropagation(); // the list has the same keys
  const to = ends[e.key] || pointTowards(points, e.target, WAYS[e.key]);
  if (to) to.focus();
}

function keepStop(e) { // however a point was reached, the tab key and arrow keys go on from there
  if (!e.target.matches("[data-point]")) return;
  for (const point of e.currentTarget.querySelectorAll("[data-point]")) point.tabIndex = point === e.target ? 0 : -1;
}

// Draws a figure anew; whoever is at one of its points stays there.
function redraw(room, nodes) {
  const active = room.getRootNode().activeElement;
  const isInside = room.contains(active);
  const stop = room.querySelector("[data-point][tabindex='0']");
  room.replaceChildren(...nodes);
  const points = [...room.querySelectorAll("[data-point]")];
  const same = points.find((point) => stop && point.dataset.point === stop.dataset.point);
  const current = same || points.find((point) => point.ariaPressed === "true") || points[0];
  for (const point of points) point.tabIndex = point === current ? 0 : -1;
  if (isInside && current) current.focus({ preventScroll: true });
}

const MARKS = ["●", "▲", "■", "◆", "▼", "✚", "✖", "★"];

// Correlations by quadrant: `f` is Python's message, `pick` gets the row that is clicked.
function forestFigure(f, pick) {
  if (!f.rows.length) return [h("p", { className: "px-quiet" }, f.why)];
  const ends = f.rows.flatMap((row) => [row.low, row.high, row.value]).filter(isKnown);
  const low = Math.max(-1, Math.floor(4 * Math.min(0, ...ends)) / 4);
  const high = Math.min(1, Math.ceil(4 * Math.max(0, ...ends)) / 4);
  const place = (x) => `${(100 * (x - low)) / (high - low || 1)}%`;
  const models = [...new Set(f.rows.map((row) => row.model))];

  const line = (row, isLater) => {
    const k = models.indexOf(row.model) % 8;
    const first = isLater ? "" : " px-first";
    const between = isKnown(row.low) ? ` [${num(row.low)}, ${num(row.high)}]` : "";
    const value = isKnown(row.value) ? `${num(row.value)}${between}` : row.reason;
    const text = `${words(row.quadrant)}, ${row.model}: ${value}, ${counted(row.n, "pair")}`;
    const track = h("button", {
      type: "button", className: `px-track px-m${k}${first}`, title: `${text}: show them`,
      "aria-label": text, "data-point": `${row.quadrant} ${row.model}`, onclick: () => pick(row),
    }, h("i", { className: "px-zero", style: `left:${place(0)}` }));
    const span = `left:${place(row.low)};right:calc(100% - ${place(row.high)})`;
    if (isKnown(row.low)) track.append(h("i", { className: "px-span", style: span }));
    const point = { className: "px-point", style: `left:${place(row.value)}` };
    if (isKnown(row.value)) track.append(h("i", point, MARKS[k]));
    return [track, h("span", { className: `px-value${first}`, "aria-hidden": "true" }, num(row.value))];
  };
  const rows = [...new Set(f.rows.map((row) => row.quadrant))].flatMap((quadrant) => {
    const own = f.rows.filter((row) => row.quadrant === quadrant);
    const name = h("div", { className: "px-slice", style: `grid-row:span ${own.length}` },
      words(quadrant), h("small", {}, `n=${own[0].n}`));
    return [name, ...own.flatMap((row, k) => line(row, k > 0))];
  });

  const ticks = [];
  const step = high - low > 0.75 ? 0.5 : 0.25;
  for (let x = Math.ceil(low / step) * step; x <= high + 1e-9; x += step) {
    ticks.push(h("span", { style: `left:${place(x)}` }, num(x)));
  }
  const whose = f.votes === "judge" ? "the judge" : f.votes;
  const statistic = f.statistic[0].toUpperCase() + f.statistic.slice(1);
  const leftOut = Object.entries(f.left_out || {}).map(([why, n]) => `${n} ${why}`).join(", ");
  const names = models.map((name, k) => h("span", { className: `px-m${k % 8}` }, h("i", {}, MARKS[k % 8]), ` ${name}`));
  const lacking = new Set(f.rows.filter((row) => !isKnown(row.value)).map((row) => row.reason));
  const notes = [
    f.rows.some((row) => isKnown(row.low)) ? `95% intervals over prompts, ${f.n_boot} resamples` : "",
    leftOut ? `left out: ${leftOut}` : "",
    ...[...lacking].map((why) => `–: ${why}`),
  ].filter((note) => note);
  return [
    h("p", { className: "px-legend" }, h("b", {}, `${statistic} correlation with the votes of ${whose}`), ...names),
    h("div", { className: "px-rows" }, ...rows, h("span"), h("div", { className: "px-axis", "aria-hidden": "true" }, ...ticks)),
    h("p", { className: "px-quiet" }, notes.join("; ")),
  ];
}

// Predictions of one model against the votes: `s` is Python's message, `spot` the point that is
// chosen, [model, share, prediction] in steps, and `pick` gets the one that is clicked.
function scatterFigure(s, name, spot, pick) {
  const points = s.points[name] || [];
  const most = Math.max(1, ...points.map(([, , n]) => n));
  const whose = s.voice === "judge" ? "the judge" : s.voice;
  const buttons = points.map(([share, predicted, n]) => {
    const size = 7 + 15 * Math.sqrt(n / most);
    const isChosen = spot.length > 0 && spot[0] === name && spot[1] === share && spot[2] === predicted;
    const text = `${counted(n, "pair")}: ${percent(share / s.steps)} of ${whose} for A, ${name} ${percent(predicted / s.steps)}`;
    return h("button", {
      type: "button", className: "px-spot", title: `${text}: show them`,
      "aria-label": text, "data-point": `${name} ${share} ${predicted}`, "aria-pressed": isChosen, onclick: () => pick(isChosen ? [] : [name, share, predicted]),
      style: `left:${(100 * share) / s.steps}%;bottom:${(100 * predicted) / s.steps}%;width:${size}px;height:${size}px`,
    });
  });
  const total = points.reduce((sum, [, , n]) => sum + n, 0);
  const keys = "arrow keys lead from point to point, Enter shows the pairs behind one";
  const label = `Predictions of ${name} against the share of ${whose} for A, ${counted(total, "pair")}: ${keys}`;
  return [
    h("div", { className: "px-predicted", "aria-hidden": "true" }, "predicted for A"),
    h("div", { className: "px-plot", role: "group", "aria-label": label }, ...buttons),
    h("div", { className: "px-axis px-shares", "aria-hidden": "true" },
      h("span", { style: "left:0" }, "0"), h("span", { style: "left:50%" }, `share of ${whose} for A`), h("span", { style: "left:100%" }, "1")),
  ];
}
