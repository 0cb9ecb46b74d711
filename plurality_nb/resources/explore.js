// The panel of `plurality_nb.explore`: draws what Python sends, and asks Python for what is wanted.
// Texts of users and models only ever become text nodes.

const ROW = 58; // height of a row in the list, px; as in explore.css
const MARKS = ["●", "▲", "■", "◆", "▼", "✚", "✖", "★"];

function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (k.startsWith("on")) el.addEventListener(k.slice(2), v);
    else if (k in el && k !== "list") el[k] = v;
    else el.setAttribute(k, v);
  }
  el.append(...children.filter((c) => c !== null && c !== undefined));
  return el;
}
const num = (x, digits = 2) => (x === null || x === undefined ? "–" : x.toFixed(digits));
const words = (name) => name.replaceAll("_", ", ");
const votes = (x) => (Number.isInteger(x) ? `${x}` : x.toFixed(1));
const percent = (x) => `${Math.round(100 * x)}%`;

function said(v) {
  const [a, b, tie] = v.votes;
  const predicted = tie > 0 ? `${percent(a)} A · ${percent(tie)} tie · ${percent(b)} B` : `${percent(a)} A`;
  return v.kind === "model" ? predicted : `${votes(a)} A · ${votes(tie)} tie · ${votes(b)} B`;
}
function bar(v) {
  const [a, b, tie] = v.votes;
  const predicted = tie > 0 ? `${percent(a)} for A, ${percent(tie)} ties, ${percent(b)} for B` : `${percent(a)} for A`;
  const spoken = v.kind === "model" ? `${v.name} predicts ${predicted}` : `${v.name}: ${votes(a)} for A, ${votes(tie)} ties, ${votes(b)} for B`;
  const part = (name, x) => h("span", { className: `px-part px-${name}`, style: `flex-grow:${x}` });
  return h("span", { className: "px-bar", role: "img", title: spoken, "aria-label": spoken }, ...[["a", a], ["tie", tie], ["b", b]].filter(([, x]) => x > 0).map(([n, x]) => part(n, x)));
}

function render({ model, el }) {
  const about = model.get("about");
  const id = `px-${Math.random().toString(36).slice(2)}`;
  let view = { ...model.get("view") };
  let n = model.get("page").n || 0; // asked so often; answers to older questions do not move the controls
  let acts = 0; // notes and files
  let at = model.get("page").at;
  let timer = null, stay = true;
  let moving = false, calm = null; // while a slider moves, the counts follow; correlations wait for it to rest
  let draft = { pair_id: null, note: "", tags: [], dirty: false };
  let waiting = 0; // notes on their way to the file

  // ---- asking
  function send(start, position) {
    n += 1;
    model.set("ask", { n, view, start, at: position, forest: !moving });
    model.save_changes();
  }
  function ask(changes, delay = 0, same = false) { // `same`: the pair that is read stays
    view = { ...view, ...changes };
    stay = (timer === null || stay) && same;
    clearTimeout(timer);
    timer = setTimeout(flush, delay);
  }
  function flush() {
    if (timer === null) return;
    clearTimeout(timer);
    timer = null;
    if (!stay) list.scrollTop = 0;
    send(window_start(), stay ? null : 0);
  }
  function go(position) {
    const total = model.get("page").total;
    if (!total) return;
    flush(); keepNote();
    at = Math.max(0, Math.min(total - 1, position));
    const top = at * ROW, room = list.clientHeight;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW > list.scrollTop + room) list.scrollTop = top + ROW - room;
    mark();
    send(window_start(), at);
  }

  // ---- the taxonomy: quadrants, thresholds, correlations
  const cells = {};
  function cell(q) {
    const pairs = h("strong"), facts = h("small");
    cells[q] = { pairs, facts, button: h("button", { type: "button", className: `px-cell px-${q}`, onclick: () => toggle(q) }, h("span", { className: "px-name" }, words(q)), pairs, facts) };
    return cells[q].button;
  }
  function toggle(q) {
    const on = view.quadrants.includes(q);
    ask({ quadrants: on ? view.quadrants.filter((x) => x !== q) : [...view.quadrants, q] });
    drawCounts();
  }
  function slider(name, label) {
    const value = h("output", {}, num(view[name]));
    const input = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: view[name], "aria-label": label, oninput: () => {
      value.textContent = num(+input.value);
      moving = true;
      ask({ [name]: +input.value }, 40, true);
      busy();
      clearTimeout(calm);
      calm = setTimeout(() => { moving = false; ask({}, 0, true); }, 250);
    } });
    return { input, value, row: h("label", { className: "px-slider" }, h("span", {}, label), input, value) };
  }
  const sliders = { plural_at: slider("plural_at", "plural from"), alike_at: slider("alike_at", "alike from") };
  const reset = h("button", { type: "button", className: "px-link", onclick: () => ask({ plural_at: about.plural_at, alike_at: about.alike_at }, 0, true) }, "thresholds back");
  const none = cell("none");
  const forest = h("div", { className: "px-forest", role: "group", "aria-label": "Correlation with the votes by quadrant" });
  const taxonomy = h("section", { className: "px-taxonomy", "aria-label": "Taxonomy" },
    about.labelled ? h("div", {}, h("div", { className: "px-quadrants", role: "group", "aria-label": "Show only these quadrants" }, ...about.quadrants.map(cell)), none,
      about.scored ? h("div", { className: "px-sliders" }, sliders.plural_at.row, sliders.alike_at.row, reset) : null) : null,
    about.compared ? forest : null);
  taxonomy.hidden = !about.labelled && !about.compared;

  function drawCounts() {
    const counts = model.get("counts");
    for (const c of about.labelled ? counts.quadrants : []) {
      const { pairs, facts, button } = cells[c.quadrant];
      pairs.textContent = c.pairs.toLocaleString("en");
      facts.textContent = c.split === null && c.tie_rate === null ? "" : `split ${num(c.split)} · ties ${num(c.tie_rate)}`;
      button.setAttribute("aria-pressed", view.quadrants.includes(c.quadrant));
    }
    none.hidden = !counts.none;
    cells.none.pairs.textContent = counts.none;
    none.setAttribute("aria-pressed", view.quadrants.includes("none"));
    reset.disabled = view.plural_at === about.plural_at && view.alike_at === about.alike_at;
    const known = counts.tags.map((t) => h("option", { value: t }, t));
    tag.replaceChildren(h("option", { value: "" }, "all pairs"), h("option", { value: "*" }, "any note or tag"), ...known);
    tag.value = view.tag;
    suggestions.replaceChildren(...counts.tags.map((t) => h("option", { value: t })));
  }
  function drawForest() {
    const f = model.get("forest");
    if (!f.rows) return;
    if (!f.rows.length) { forest.replaceChildren(h("p", { className: "px-quiet" }, f.why)); return; }
    const ends = f.rows.flatMap((r) => [r.low, r.high, r.value]).filter((x) => x !== null);
    const low = Math.max(-1, Math.floor(4 * Math.min(0, ...ends)) / 4), high = Math.min(1, Math.ceil(4 * Math.max(0, ...ends)) / 4);
    const place = (x) => `${(100 * (x - low)) / (high - low || 1)}%`;
    const models = [...new Set(f.rows.map((r) => r.model))];
    const slices = [...new Set(f.rows.map((r) => r.quadrant))];
    const zero = () => h("i", { className: "px-zero", style: `left:${place(0)}` });
    const line = (r, later) => {
      const k = models.indexOf(r.model);
      const between = r.low === null ? "" : ` [${num(r.low)}, ${num(r.high)}]`;
      const text = `${words(r.quadrant)}, ${r.model}: ${num(r.value)}${between}, ${r.n} pairs`;
      const track = h("div", { className: `px-track px-m${k % 8}${later ? "" : " px-first"}`, role: "img", title: text, "aria-label": text }, zero());
      if (r.low !== null) track.append(h("i", { className: "px-span", style: `left:${place(r.low)};right:calc(100% - ${place(r.high)})` }));
      if (r.value !== null) track.append(h("i", { className: "px-point", style: `left:${place(r.value)}` }, MARKS[k % 8]));
      return [track, h("span", { className: `px-value${later ? "" : " px-first"}`, "aria-hidden": "true" }, num(r.value))];
    };
    const rows = slices.flatMap((s) => {
      const of = f.rows.filter((r) => r.quadrant === s);
      return [h("div", { className: "px-slice", style: `grid-row:span ${of.length}` }, words(s), h("small", {}, `n=${of[0].n}`)), ...of.flatMap(line)];
    });
    const ticks = [];
    const step = high - low > 0.75 ? 0.5 : 0.25;
    for (let x = Math.ceil(low / step) * step; x <= high + 1e-9; x += step) ticks.push(h("span", { style: `left:${place(x)}` }, num(x)));
    const left = Object.entries(f.left_out || {}).map(([k, x]) => `${x} ${k}`).join(", ");
    forest.replaceChildren(
      h("p", { className: "px-legend" }, h("b", {}, `${f.statistic[0].toUpperCase()}${f.statistic.slice(1)} correlation with the votes of ${f.votes === "judge" ? "the judge" : f.votes}`), ...models.map((m, k) => h("span", { className: `px-m${k % 8}` }, h("i", {}, MARKS[k % 8]), ` ${m}`))),
      h("div", { className: "px-rows" }, ...rows, h("span"), h("div", { className: "px-axis", "aria-hidden": "true" }, ...ticks)),
      h("p", { className: "px-quiet" }, `95% intervals over prompts, ${f.n_boot} resamples${left ? `; left out: ${left}` : ""}`));
    busy();
  }
  function busy() {
    const [p, a] = model.get("forest").at || [];
    forest.classList.toggle("px-busy", p !== view.plural_at || a !== view.alike_at);
  }

  // ---- filters and order
  const field = (label, ...inputs) => h("label", { className: "px-field" }, h("span", {}, label), ...inputs);
  const search = h("input", { type: "search", placeholder: "in prompt or responses", oninput: () => ask({ text: search.value }, 250) });
  const least = h("input", { type: "number", min: 0, step: 1, className: "px-short", oninput: () => ask({ min_votes: Math.max(0, Math.round(+least.value) || 0) }, 250) });
  const judged = h("input", { type: "checkbox", onchange: () => ask({ judged: judged.checked }) });
  const tag = h("select", { "aria-label": "notes", onchange: () => ask({ tag: tag.value }) });
  const sort = h("select", { onchange: () => ask({ sort: sort.value }) }, ...about.sorts.map((s) => h("option", { value: s }, s)));
  const turn = h("button", { type: "button", className: "px-button", onclick: () => { ask({ descending: !view.descending }); drawView(); } });
  const sourceBoxes = about.sources.map((s) => h("input", { type: "checkbox", value: s, onchange: () => ask({ sources: sourceBoxes.filter((b) => b.checked).map((b) => b.value) }) }));
  const sourceTitle = h("summary");
  const sources = h("details", { className: "px-menu" }, sourceTitle, h("div", { role: "group", "aria-label": "Sources" }, ...about.sources.map((s, k) => h("label", {}, sourceBoxes[k], s || "unnamed"))));
  const clear = h("button", { type: "button", className: "px-button", onclick: () => ask({ quadrants: [], sources: [], text: "", min_votes: 0, judged: false, tag: "" }) }, "clear filters");
  const filters = h("section", { className: "px-filters", "aria-label": "Filters and order" },
    field("find", search),
    about.voices.includes("people") ? field("people's votes, at least", least) : null,
    about.voices.includes("judge") ? h("label", { className: "px-field px-check" }, judged, h("span", {}, "with judge's votes")) : null,
    about.sources.length > 1 ? h("div", { className: "px-field" }, h("span", {}, "source"), sources) : null,
    field("notes", tag),
    h("div", { className: "px-field" }, h("label", { htmlFor: `${id}-sort` }, "sort by"), h("span", { className: "px-join" }, sort, turn)), clear);
  sort.id = `${id}-sort`;

  function drawView() {
    search.value = view.text; least.value = view.min_votes; judged.checked = view.judged; sort.value = view.sort; tag.value = view.tag;
    sourceBoxes.forEach((b) => { b.checked = view.sources.includes(b.value); });
    sourceTitle.textContent = view.sources.length ? `${view.sources.length} of ${about.sources.length}` : "all";
    turn.textContent = view.descending ? "↓ high first" : "↑ low first";
    turn.disabled = view.sort === "file order";
    turn.setAttribute("aria-label", view.descending ? "high first; turn the order" : "low first; turn the order");
    for (const [name, s] of Object.entries(sliders)) { s.input.value = view[name]; s.value.textContent = num(view[name]); }
    clear.disabled = !(view.quadrants.length || view.sources.length || view.text || view.min_votes || view.judged || view.tag);
  }

  // ---- the list: only the rows in sight exist
  const total = h("p", { className: "px-total", role: "status" });
  const inner = h("div", { className: "px-inner" });
  const list = h("div", { className: "px-list", role: "listbox", tabIndex: 0, "aria-label": "Pairs: arrow keys, or j and k" }, inner);
  const window_start = () => Math.max(0, Math.floor(list.scrollTop / ROW) - 25);
  let scrolled = null;
  list.addEventListener("scroll", () => {
    clearTimeout(scrolled);
    scrolled = setTimeout(() => {
      const page = model.get("page"), first = Math.floor(list.scrollTop / ROW), last = Math.min(page.total, first + Math.ceil(list.clientHeight / ROW) + 1);
      if (first < page.start || last > page.start + page.rows.length) send(window_start(), at >= 0 ? at : null);
    }, 60);
  });
  function drawPage() {
    const page = model.get("page");
    inner.style.height = `${page.total * ROW}px`;
    total.replaceChildren(h("b", {}, page.total.toLocaleString("en")), ` of ${about.rows.toLocaleString("en")} pairs`);
    inner.replaceChildren(...page.rows.map((r, k) => {
      const i = page.start + k;
      const bars = r.voices.map((v) => h("span", { className: "px-mini" }, h("small", { "aria-hidden": "true" }, v.name), bar(v)));
      return h("div", { id: `${id}-${i}`, className: "px-row", role: "option", style: `top:${i * ROW}px`, "aria-setsize": page.total, "aria-posinset": i + 1, onclick: () => { list.focus({ preventScroll: true }); go(i); } },
        h("span", { className: "px-prompt" }, r.prompt),
        h("span", { className: "px-line" }, r.quadrant ? h("i", { className: `px-dot px-${r.quadrant}`, title: words(r.quadrant), role: "img", "aria-label": words(r.quadrant) }) : null, ...bars,
          r.noted ? h("span", { className: "px-noted", title: r.tags.join(", ") || "has a note" }, "✎") : null,
          r.key === null ? null : h("span", { className: "px-key", title: view.sort }, num(r.key))));
    }));
    if (!page.total) inner.append(h("p", { className: "px-quiet px-empty" }, "No pair passes the filters."));
    mark();
  }
  function mark() {
    for (const row of inner.querySelectorAll(".px-row")) row.setAttribute("aria-selected", row.id === `${id}-${at}`);
    if (at >= 0 && inner.querySelector(`#${id}-${at}`)) list.setAttribute("aria-activedescendant", `${id}-${at}`);
    else list.removeAttribute("aria-activedescendant");
    const all = model.get("page").total;
    where.textContent = all ? `${(at + 1).toLocaleString("en")} / ${all.toLocaleString("en")}` : "";
    previous.disabled = at <= 0; next.disabled = at >= all - 1;
  }

  // ---- the pair
  const previous = h("button", { type: "button", className: "px-button", "aria-label": "previous pair", onclick: () => go(at - 1) }, "←");
  const next = h("button", { type: "button", className: "px-button", "aria-label": "next pair", onclick: () => go(at + 1) }, "→");
  const where = h("span", { className: "px-where" });
  const marked = h("input", { type: "checkbox", checked: true, onchange: drawPair });
  const facts = h("ul", { className: "px-facts" });
  const talk = h("div", { className: "px-talk" });
  const sides = { a: h("div", { className: "px-text" }), b: h("div", { className: "px-text" }) };
  const differs = h("p", { className: "px-quiet" });
  const table = h("div", { className: "px-voices" });
  const note = h("textarea", { rows: 2, placeholder: "What did you see?", oninput: () => { draft.note = note.value; later(); }, onblur: keepNote });
  const chips = h("span", { className: "px-chips" });
  const suggestions = h("datalist", { id: `${id}-tags` });
  const newTag = h("input", { type: "text", list: `${id}-tags`, placeholder: "add a tag", "aria-label": "add a tag", className: "px-tag", onchange: addTag, onkeydown: (e) => { if (e.key === "Enter" || e.key === ",") { e.preventDefault(); addTag(); } } });
  const kept = h("span", { className: "px-quiet", role: "status" });
  const side = (k) => h("article", { className: `px-response px-side-${k}`, "aria-label": `Response ${k.toUpperCase()}` }, h("h4", {}, k.toUpperCase()), sides[k]);
  const reader = h("section", { className: "px-reader", "aria-label": "Pair" },
    h("div", { className: "px-head" }, previous, where, next, facts),
    talk, h("div", { className: "px-responses" }, side("a"), side("b")),
    h("div", { className: "px-under" }, differs, h("label", { className: "px-check" }, marked, h("span", {}, "mark differences"))), table,
    h("div", { className: "px-note" }, h("label", { className: "px-field" }, h("span", {}, "note"), note), h("div", { className: "px-tags" }, chips, newTag, suggestions, kept)));

  function drawPair() {
    const p = model.get("pair");
    reader.classList.toggle("px-nothing", !p.pair_id);
    if (!p.pair_id) return;
    const fact = (label, x) => (x === null || x === undefined ? null : h("li", {}, h("span", {}, label), ` ${typeof x === "number" ? num(x) : x}`));
    facts.replaceChildren(...[p.quadrant ? h("li", {}, h("i", { className: `px-dot px-${p.quadrant}` }), ` ${words(p.quadrant)}`) : null,
      fact("plurality", p.plurality), fact("indistinguishability", p.indistinguishability), fact("label", p.label === 1 ? "A" : p.label === 0 ? "B" : p.label === 0.5 ? "tie" : null), fact("source", p.source)].filter((x) => x));
    talk.replaceChildren(...p.prompt.map((t) => h("div", { className: "px-turn" }, h("b", {}, t.role), h("div", { className: "px-text" }, t.content))));
    const show = marked.checked && p.shared >= 0.2;
    for (const k of ["a", "b"]) {
      sides[k].replaceChildren(...p[k].map(([text, other]) => (other && show ? h("mark", {}, text) : document.createTextNode(text))));
      if (!p[k].length) sides[k].append(h("i", { className: "px-quiet" }, "empty"));
    }
    differs.textContent = `${Math.round(100 * p.shared)}% of the words in common${marked.checked && !show ? ": too few to mark" : ""}`;
    table.replaceChildren(...p.voices.flatMap((v) => [h("span", { className: "px-voice" }, v.name), bar(v), h("span", { className: "px-said", "aria-hidden": "true" }, said(v))]));
    if (draft.pair_id !== p.pair_id || (!draft.dirty && !waiting)) {
      if (draft.pair_id !== p.pair_id) { talk.scrollTop = 0; sides.a.scrollTop = 0; sides.b.scrollTop = 0; kept.textContent = ""; }
      keepNote();
      draft = { pair_id: p.pair_id, note: p.note, tags: [...p.tags], dirty: false };
      if (note.value !== p.note) note.value = p.note;
      drawTags();
    }
  }
  function drawTags() {
    chips.replaceChildren(...draft.tags.map((t) => h("button", { type: "button", className: "px-chip", "aria-label": `remove tag ${t}`, onclick: () => { draft.tags = draft.tags.filter((x) => x !== t); draft.dirty = true; drawTags(); keepNote(); newTag.focus(); } }, t, h("span", { "aria-hidden": "true" }, " ×"))));
  }
  function addTag() {
    const t = newTag.value.replace(/,/g, " ").trim();
    newTag.value = "";
    if (!t || draft.tags.includes(t)) return;
    draft.tags.push(t); draft.dirty = true; drawTags(); keepNote();
  }
  let soon = null;
  function later() { draft.dirty = true; clearTimeout(soon); soon = setTimeout(keepNote, 800); }
  function keepNote() {
    clearTimeout(soon);
    if (!draft.dirty) return;
    draft.dirty = false; waiting += 1; acts += 1;
    model.send({ kind: "note", n: acts, pair_id: draft.pair_id, note: draft.note, tags: draft.tags });
  }

  // ---- the way out
  const path = h("input", { type: "text", value: "selection.parquet", "aria-label": "file to save the selection to", spellcheck: false });
  const newQuadrants = h("input", { type: "checkbox", checked: about.scored });
  const withNotes = h("input", { type: "checkbox", checked: true });
  const saved = h("span", { className: "px-quiet", role: "status" });
  const save = h("button", { type: "button", className: "px-button px-save", onclick: () => { flush(); keepNote(); acts += 1; model.send({ kind: "save", n: acts, path: path.value, quadrants: newQuadrants.checked, notes: withNotes.checked }); } }, "save selection");
  const out = h("section", { className: "px-out", "aria-label": "Save the selection" }, h("label", { className: "px-field px-path" }, h("span", {}, "selection to"), path),
    about.scored ? h("label", { className: "px-check" }, newQuadrants, h("span", {}, "quadrants at these thresholds")) : null, h("label", { className: "px-check" }, withNotes, h("span", {}, "notes and tags")), save, saved);
  function drawStatus() {
    const s = model.get("status");
    const box = s.kind === "note" ? kept : saved;
    if (s.kind === "note") waiting = Math.max(0, waiting - 1);
    box.textContent = s.text || "";
    box.classList.toggle("px-error", !!s.error);
  }

  // ---- keys
  const root = h("div", { className: "px-root", "data-lm-suppress-shortcuts": "true" }, h("div", { className: "px" },
    h("div", { className: "px-top" }, total, about.simulated ? h("p", { className: "px-quiet" }, about.simulated) : null), taxonomy, filters, h("div", { className: "px-main" }, list, reader), out));
  root.addEventListener("keydown", (e) => {
    if (e.altKey || e.ctrlKey || e.metaKey) return;
    if (e.key === "Escape") { if (sources.open) sources.open = false; else list.focus(); return; }
    if (e.target.matches("input, textarea, select")) return;
    const step = Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
    const to = { ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, PageDown: at + step, PageUp: at - step, Home: 0, End: model.get("page").total - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    go(to);
  });

  const on = {
    "change:page": () => { const page = model.get("page"); if ((page.n || 0) >= n) { n = page.n || 0; at = page.at; } drawPage(); },
    "change:view": () => { if ((model.get("page").n || 0) >= n) { view = { ...model.get("view") }; drawView(); drawCounts(); busy(); } },
    "change:pair": drawPair, "change:counts": drawCounts, "change:forest": drawForest, "change:status": drawStatus,
  };
  for (const [event, f] of Object.entries(on)) model.on(event, f);
  el.append(root);
  drawView(); drawCounts(); drawForest(); drawPage(); drawPair();
  return () => { moving = false; clearTimeout(calm); flush(); keepNote(); clearTimeout(scrolled); for (const [event, f] of Object.entries(on)) model.off(event, f); };
}

export default { render };
