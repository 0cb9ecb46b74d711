// The panel of `plurality_nb.explore`: draws what Python sends, and asks Python for what is wanted.
// `explore_elements.js` and `explore_figures.js` come before it in the same module.

const ROW = 58; // height of a row in the list, px; as in explore.css
const LEAST_SHARED = 0.2; // texts with fewer words in common are not marked
const NO_FILTERS = {
  quadrants: [], sources: [], text: "", min_votes: 0, judged: false, tag: "",
  seen: "", contradicts: "", disagree: false, counted: false, spot: [],
};

function render({ model, el }) {
  const about = model.get("about");
  const id = `px-${Math.random().toString(36).slice(2)}`;
  let view = { ...model.get("view") };
  let n = model.get("page").n || 0; // asked so often; older answers do not move the controls
  let acts = 0; // notes and files
  let at = model.get("page").at;
  let row = null; // of the open pair; unknown while another one is on its way
  let timer = null, stay = true;
  let moving = false, calm = null; // while a slider moves, correlations wait for it to rest
  let draft = { pair_id: null, note: "", tags: [], dirty: false };
  let waiting = 0; // notes on their way to the file

  // ---- asking
  function send(start, position) {
    n += 1;
    model.set("ask", { n, view, start, at: position, row, forest: !moving });
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
    send(windowStart(), stay ? null : 0);
  }
  function go(position) {
    const total = model.get("page").total;
    if (!total) return;
    flush();
    keepNote();
    at = Math.max(0, Math.min(total - 1, position));
    row = null;
    const top = at * ROW, room = list.clientHeight;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW > list.scrollTop + room) list.scrollTop = top + ROW - room;
    mark();
    send(windowStart(), at);
  }

  // ---- the taxonomy: quadrants and thresholds
  const cells = {};
  function cell(quadrant) {
    const pairs = h("strong"), facts = h("small");
    const button = h("button", { type: "button", className: `px-cell px-${quadrant}`, onclick: () => toggle(quadrant) },
      h("span", { className: "px-name" }, words(quadrant)), pairs, facts);
    cells[quadrant] = { pairs, facts, button };
    return button;
  }
  function toggle(quadrant) {
    const others = view.quadrants.filter((x) => x !== quadrant);
    ask({ quadrants: others.length < view.quadrants.length ? others : [...others, quadrant] });
    drawCounts();
  }
  function slider(name, label) {
    const value = h("output", {}, num(view[name]));
    const rest = () => { moving = false; ask({}, 0, true); };
    const move = () => {
      value.textContent = num(+input.value);
      moving = true;
      ask({ [name]: +input.value }, 40, true);
      busy();
      clearTimeout(calm);
      calm = setTimeout(rest, 250);
    };
    const input = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: view[name], "aria-label": label, oninput: move });
    return { input, value, row: h("label", { className: "px-slider" }, h("span", {}, label), input, value) };
  }
  const sliders = { plural_at: slider("plural_at", "plural from"), alike_at: slider("alike_at", "alike from") };
  const restore = () => ask({ plural_at: about.plural_at, alike_at: about.alike_at }, 0, true);
  const reset = h("button", { type: "button", className: "px-link", onclick: restore }, "thresholds back");
  const none = cell("none");
  const quadrants = h("div", {},
    h("div", { className: "px-quadrants", role: "group", "aria-label": "Show only these quadrants" }, ...about.quadrants.map(cell)),
    none,
    about.scored ? h("div", { className: "px-sliders" }, sliders.plural_at.row, sliders.alike_at.row, reset) : null);

  function drawCounts() {
    const counts = model.get("counts");
    for (const facts of counts.quadrants) {
      const shown = cells[facts.quadrant];
      const isKnownSplit = isKnown(facts.split) || isKnown(facts.tie_rate);
      shown.pairs.textContent = facts.pairs.toLocaleString("en");
      shown.facts.textContent = isKnownSplit ? `split ${num(facts.split)} · ties ${num(facts.tie_rate)}` : "";
      shown.button.setAttribute("aria-pressed", view.quadrants.includes(facts.quadrant));
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

  // ---- the figures
  const forest = h("div", { className: "px-forest", role: "group", "aria-label": "Correlation with the votes by quadrant: arrow keys lead from point to point, Enter shows the pairs behind one", onkeydown: movePoint, onfocusin: keepStop });
  const rival = h("select", { "aria-label": "whose predictions", onchange: drawScatter }, ...about.rivals.map((m) => h("option", { value: m }, m)));
  if (about.rivals.includes(about.models[0])) rival.value = about.models[0];
  const plot = h("div", { className: "px-plot-room", onkeydown: movePoint, onfocusin: keepStop });
  const scatter = h("div", { className: "px-scatter" },
    h("p", { className: "px-legend" }, h("b", {}, "Prediction against votes"), about.rivals.length > 1 ? rival : h("span", {}, `of ${about.rivals[0]}`)), plot);
  const taxonomy = h("section", { className: "px-taxonomy", "aria-label": "Taxonomy and figures" },
    about.labelled ? quadrants : null, about.compared ? forest : null, about.rivals.length ? scatter : null);
  taxonomy.hidden = !taxonomy.children.length;

  function showPointOfForest(point) { // the pairs that a correlation rests on, the worst first
    const sort = `${point.model} against ${about.voice}`;
    const order = about.sorts.includes(sort) ? { sort, descending: true } : {};
    const only = point.quadrant === "overall" ? [] : [point.quadrant];
    ask({ ...NO_FILTERS, quadrants: only, counted: true, ...order });
    drawView();
    drawCounts();
  }
  function drawForest() {
    const f = model.get("forest");
    if (f.rows) redraw(forest, forestFigure(f, showPointOfForest));
    busy();
  }
  function busy() {
    const [plural, alike] = model.get("forest").at || [];
    forest.classList.toggle("px-busy", plural !== view.plural_at || alike !== view.alike_at);
  }
  function drawScatter() {
    redraw(plot, scatterFigure(model.get("scatter"), rival.value, view.spot, (spot) => ask({ spot })));
  }

  // ---- filters and order
  const field = (label, ...inputs) => h("label", { className: "px-field" }, h("span", {}, label), ...inputs);
  const check = (box, label) => h("label", { className: "px-field px-check" }, box, h("span", {}, label));
  const options = (pairs) => pairs.map(([value, text]) => h("option", { value }, text));
  const search = h("input", { type: "search", dir: "auto", placeholder: "in prompt or responses", oninput: () => ask({ text: search.value }, 250) });
  const askLeast = () => ask({ min_votes: Math.max(0, Math.round(+least.value) || 0) }, 250);
  const least = h("input", { type: "number", min: 0, step: 1, className: "px-short", oninput: askLeast });
  const judged = h("input", { type: "checkbox", onchange: () => ask({ judged: judged.checked }) });
  const tag = h("select", { "aria-label": "notes", onchange: () => ask({ tag: tag.value }) });
  const seen = h("select", { onchange: () => ask({ seen: seen.value }) },
    ...options([["", "all pairs"], ["unseen", "not trained on"], ["seen", "trained on"]]));
  const contradicts = h("select", { onchange: () => ask({ contradicts: contradicts.value }) },
    ...options([["", "no matter"], ...(about.models.length > 1 ? [["*", "any model"]] : []), ...about.rivals.map((m) => [m, m])]));
  const disagree = h("input", { type: "checkbox", onchange: () => ask({ disagree: disagree.checked }) });
  const inFigure = h("input", { type: "checkbox", onchange: () => ask({ counted: inFigure.checked }) });
  const spot = h("button", { type: "button", className: "px-spot-chip", onclick: () => ask({ spot: [] }) });
  const sort = h("select", { id: `${id}-sort`, onchange: () => ask({ sort: sort.value }) }, ...about.sorts.map((s) => h("option", { value: s }, s)));
  const turnOrder = () => { ask({ descending: !view.descending }); drawView(); };
  const turn = h("button", { type: "button", className: "px-button", onclick: turnOrder });
  const askSources = () => ask({ sources: sourceBoxes.filter((box) => box.checked).map((box) => box.value) });
  const sourceBoxes = about.sources.map((s) => h("input", { type: "checkbox", value: s, onchange: askSources }));
  const sourceTitle = h("summary");
  const sources = h("details", { className: "px-menu" }, sourceTitle,
    h("div", { role: "group", "aria-label": "Sources" }, ...about.sources.map((s, k) => h("label", {}, sourceBoxes[k], s || "unnamed"))));
  const clear = h("button", { type: "button", className: "px-button", onclick: () => ask(NO_FILTERS) }, "clear filters");
  const filters = h("section", { className: "px-filters", "aria-label": "Filters and order" },
    field("find", search),
    about.voices.includes("people") ? field("people's votes, at least", least) : null,
    about.rivals.length ? field(about.voice === "judge" ? "contradicts the judge" : "contradicts the majority", contradicts) : null,
    about.seen ? field("training", seen) : null,
    about.sources.length > 1 ? h("div", { className: "px-field" }, h("span", {}, "source"), sources) : null,
    field("notes", tag),
    h("div", { className: "px-field" }, h("label", { htmlFor: `${id}-sort` }, "sort by"), h("span", { className: "px-join" }, sort, turn)),
    about.voices.includes("judge") ? check(judged, "with judge's votes") : null,
    about.models.length > 1 ? check(disagree, "models disagree") : null,
    about.compared ? check(inFigure, "only pairs in correlations") : null,
    spot, clear);

  function drawView() {
    search.value = view.text;
    least.value = view.min_votes;
    judged.checked = view.judged;
    seen.value = view.seen;
    contradicts.value = view.contradicts;
    if (about.rivals.includes(view.contradicts)) rival.value = view.contradicts;
    disagree.checked = view.disagree;
    inFigure.checked = view.counted;
    sort.value = view.sort;
    tag.value = view.tag;
    spot.hidden = !view.spot.length;
    if (view.spot.length) {
      const [name, share, predicted] = view.spot, steps = model.get("scatter").steps;
      rival.value = name;
      spot.textContent = `${about.voice} ${percent(share / steps)}, ${name} ${percent(predicted / steps)} ×`;
      spot.setAttribute("aria-label", "all points");
    }
    for (const box of sourceBoxes) box.checked = view.sources.includes(box.value);
    sourceTitle.textContent = view.sources.length ? `${view.sources.length} of ${about.sources.length}` : "all";
    turn.textContent = view.descending ? "↓ high first" : "↑ low first";
    turn.disabled = view.sort === "file order";
    turn.setAttribute("aria-label", view.descending ? "high first; turn the order" : "low first; turn the order");
    for (const [name, { input, value }] of Object.entries(sliders)) {
      input.value = view[name];
      value.textContent = num(view[name]);
    }
    clear.disabled = Object.entries(NO_FILTERS).every(([name, x]) => `${view[name]}` === `${x}`);
  }

  // ---- the list: only the rows in sight exist
  const total = h("p", { className: "px-total", role: "status" });
  const inner = h("div", { className: "px-inner" });
  const list = h("div", { className: "px-list", role: "listbox", tabIndex: 0, "aria-label": "Pairs: arrow keys, or j and k" }, inner);
  const windowStart = () => Math.max(0, Math.floor(list.scrollTop / ROW) - 25);
  let scrolled = null;
  function fetchRows() {
    const page = model.get("page"), first = Math.floor(list.scrollTop / ROW);
    const last = Math.min(page.total, first + Math.ceil(list.clientHeight / ROW) + 1);
    if (first < page.start || last > page.start + page.rows.length) send(windowStart(), at >= 0 ? at : null);
  }
  list.addEventListener("scroll", () => {
    clearTimeout(scrolled);
    scrolled = setTimeout(fetchRows, 60);
  });
  function listRow(r, place, all) {
    const bars = r.voices.map((v) => h("span", { className: "px-mini" }, h("small", { title: v.name, "aria-hidden": "true" }, v.name), bar(v)));
    const dot = r.quadrant ? h("i", { className: `px-dot px-${r.quadrant}`, title: words(r.quadrant), role: "img", "aria-label": words(r.quadrant) }) : null;
    const open = () => { list.focus({ preventScroll: true }); go(place); };
    return h("div", { id: `${id}-${place}`, className: "px-row", role: "option", style: `top:${place * ROW}px`, "aria-setsize": all, "aria-posinset": place + 1, onclick: open },
      h("span", { className: "px-prompt", dir: "auto" }, r.prompt),
      h("span", { className: "px-line" }, dot, ...bars,
        r.seen ? h("span", { className: "px-seen", title: "a model was trained on this prompt" }, "seen") : null,
        r.noted ? h("span", { className: "px-noted", title: r.tags.join(", ") || "has a note" }, "✎") : null,
        isKnown(r.key) ? h("span", { className: "px-key", title: view.sort }, num(r.key)) : null));
  }
  function drawPage() {
    const page = model.get("page");
    inner.style.height = `${page.total * ROW}px`;
    total.replaceChildren(h("b", {}, page.total.toLocaleString("en")), ` of ${counted(about.rows, "pair")}`);
    inner.replaceChildren(...page.rows.map((r, k) => listRow(r, page.start + k, page.total)));
    if (!page.total) inner.append(h("p", { className: "px-quiet px-empty" }, "No pair passes the filters."));
    mark();
  }
  function mark() {
    for (const each of inner.querySelectorAll(".px-row")) each.setAttribute("aria-selected", each.id === `${id}-${at}`);
    if (at >= 0 && inner.querySelector(`#${id}-${at}`)) list.setAttribute("aria-activedescendant", `${id}-${at}`);
    else list.removeAttribute("aria-activedescendant");
    const all = model.get("page").total;
    where.textContent = all ? `${(at + 1).toLocaleString("en")} / ${all.toLocaleString("en")}` : "";
    previous.disabled = at <= 0;
    next.disabled = at >= all - 1;
  }

  // ---- the pair
  const previous = h("button", { type: "button", className: "px-button", "aria-label": "previous pair", onclick: () => go(at - 1) }, "←");
  const next = h("button", { type: "button", className: "px-button", "aria-label": "next pair", onclick: () => go(at + 1) }, "→");
  const where = h("span", { className: "px-where" });
  const marked = h("input", { type: "checkbox", checked: true, onchange: drawTexts });
  const raw = h("input", { type: "checkbox", onchange: drawTexts });
  const linked = h("input", { type: "checkbox", checked: true });
  const facts = h("ul", { className: "px-facts" });
  const talk = h("div", { className: "px-talk" });
  const sides = { a: h("div", { className: "px-text", dir: "auto", tabIndex: 0 }), b: h("div", { className: "px-text", dir: "auto", tabIndex: 0 }) };
  const differs = h("p", { className: "px-quiet" });
  const table = h("div", { className: "px-voices" });
  const voterTitle = h("summary");
  const voterRoom = h("div");
  const voters = h("details", { className: "px-who" }, voterTitle, voterRoom);
  const note = h("textarea", { rows: 2, dir: "auto", placeholder: "What did you see?", oninput: () => { draft.note = note.value; later(); }, onblur: keepNote });
  const chips = h("span", { className: "px-chips" });
  const suggestions = h("datalist", { id: `${id}-tags` });
  const endTag = (e) => { if (e.key === "Enter" || e.key === ",") { e.preventDefault(); addTag(); } };
  const newTag = h("input", { type: "text", list: `${id}-tags`, placeholder: "add a tag", "aria-label": "add a tag", className: "px-tag", onchange: addTag, onkeydown: endTag });
  const kept = h("span", { className: "px-quiet", role: "status" });
  const side = (k) => h("article", { className: `px-response px-side-${k}`, "aria-label": `Response ${k.toUpperCase()}` }, h("h4", {}, k.toUpperCase()), sides[k]);
  const reader = h("section", { className: "px-reader", "aria-label": "Pair" },
    h("div", { className: "px-head" }, previous, where, next, facts),
    talk, h("div", { className: "px-responses" }, side("a"), side("b")),
    h("div", { className: "px-under" }, differs,
      h("span", { className: "px-switches" }, check(marked, "mark differences"), check(raw, "raw text"), check(linked, "scroll together"))),
    table, voters,
    h("div", { className: "px-note" }, field("note", note), h("div", { className: "px-tags" }, chips, newTag, suggestions, kept)));

  let leading = null, still = null; // the response that is being scrolled, until it comes to rest
  function follow(from, to) {
    if (!linked.checked || (leading && leading !== from)) return;
    leading = from;
    const part = from.scrollTop / Math.max(1, from.scrollHeight - from.clientHeight);
    to.scrollTop = part * (to.scrollHeight - to.clientHeight);
    clearTimeout(still);
    still = setTimeout(() => { leading = null; }, 120);
  }
  sides.a.addEventListener("scroll", () => follow(sides.a, sides.b));
  sides.b.addEventListener("scroll", () => follow(sides.b, sides.a));

  function drawFacts(p) {
    const fact = (label, x) => (isKnown(x) ? h("li", {}, h("span", {}, label), ` ${typeof x === "number" ? num(x) : x}`) : null);
    const label = { 1: "A", 0: "B", 0.5: "tie" }[p.label];
    const quadrant = p.quadrant ? h("li", {}, h("i", { className: `px-dot px-${p.quadrant}` }), ` ${words(p.quadrant)}`) : null;
    const wasSeen = p.seen ? h("li", { className: "px-seen", title: "a model was trained on this prompt" }, "seen in training") : null;
    facts.replaceChildren(...[quadrant, fact("plurality", p.plurality), fact("indistinguishability", p.indistinguishability),
      fact("label", label), fact("source", p.source), wasSeen].filter(isKnown));
  }
  function drawTexts() {
    const p = model.get("pair");
    if (!p.pair_id) return;
    const isMarked = marked.checked && p.shared >= LEAST_SHARED;
    const isPlain = raw.checked || !p.formatted;
    for (const [k, name] of ["a", "b"].entries()) {
      const plain = () => p[name].map((part) => piece(part, isMarked));
      const nodes = isPlain ? plain() : p.formatted[k].children.map((node) => formatted(node, isMarked));
      sides[name].classList.toggle("px-plain", isPlain);
      sides[name].replaceChildren(...nodes);
      if (!p[name].length) sides[name].append(h("i", { className: "px-quiet" }, "empty"));
    }
    raw.disabled = !p.formatted;
    differs.textContent = `${percent(p.shared)} of the words in common${marked.checked && !isMarked ? ": too few to mark" : ""}`;
  }
  function drawPair() {
    const p = model.get("pair");
    reader.classList.toggle("px-nothing", !p.pair_id);
    if (!p.pair_id) return;
    row = p.row;
    drawFacts(p);
    talk.replaceChildren(...p.prompt.map((t) => h("div", { className: "px-turn" }, h("b", {}, t.role), h("div", { className: "px-text px-plain", dir: "auto" }, t.content))));
    drawTexts();
    table.replaceChildren(...p.voices.flatMap((v) => [h("span", { className: "px-voice" }, v.name), bar(v), h("span", { className: "px-said", "aria-hidden": "true" }, said(v))]));
    voters.hidden = !p.voters.length;
    voterTitle.textContent = `who voted what (${p.voters.length})`;
    voterRoom.replaceChildren(...voterTable(p));
    drawNote(p);
  }
  function drawNote(p) {
    const isOther = draft.pair_id !== p.pair_id;
    if (!isOther && (draft.dirty || waiting)) return;
    if (isOther) {
      for (const room of [talk, sides.a, sides.b]) room.scrollTop = 0;
      kept.textContent = "";
    }
    keepNote();
    draft = { pair_id: p.pair_id, note: p.note, tags: [...p.tags], dirty: false };
    if (note.value !== p.note) note.value = p.note;
    drawTags();
  }
  function changeTags(tags) {
    draft.tags = tags;
    draft.dirty = true;
    drawTags();
    keepNote();
  }
  function drawTags() {
    const remove = (t) => { changeTags(draft.tags.filter((x) => x !== t)); newTag.focus(); };
    chips.replaceChildren(...draft.tags.map((t) => h("button", { type: "button", className: "px-chip", "aria-label": `remove tag ${t}`, onclick: () => remove(t) }, t, h("span", { "aria-hidden": "true" }, " ×"))));
  }
  function addTag() {
    const t = newTag.value.replace(/,/g, " ").trim();
    newTag.value = "";
    if (t && !draft.tags.includes(t)) changeTags([...draft.tags, t]);
  }
  let soon = null;
  function later() {
    draft.dirty = true;
    clearTimeout(soon);
    soon = setTimeout(keepNote, 800);
  }
  function keepNote() {
    clearTimeout(soon);
    if (!draft.dirty) return;
    draft.dirty = false;
    waiting += 1;
    acts += 1;
    model.send({ kind: "note", n: acts, pair_id: draft.pair_id, note: draft.note, tags: draft.tags });
  }

  // ---- the way out
  const path = h("input", { type: "text", value: "selection.parquet", "aria-label": "file to save the selection to", spellcheck: false });
  const newQuadrants = h("input", { type: "checkbox", checked: about.scored });
  const withNotes = h("input", { type: "checkbox", checked: true });
  const saved = h("span", { className: "px-quiet", role: "status" });
  function saveSelection() {
    flush();
    keepNote();
    acts += 1;
    model.send({ kind: "save", n: acts, view, path: path.value, quadrants: newQuadrants.checked, notes: withNotes.checked });
  }
  const save = h("button", { type: "button", className: "px-button px-save", onclick: saveSelection }, "save selection");
  const out = h("section", { className: "px-out", "aria-label": "Save the selection" },
    h("label", { className: "px-field px-path" }, h("span", {}, "selection to"), path),
    about.scored ? check(newQuadrants, "quadrants at these thresholds") : null, check(withNotes, "notes and tags"), save, saved);
  function drawStatus() {
    const s = model.get("status");
    const box = s.kind === "note" ? kept : saved;
    if (s.kind === "note") waiting = Math.max(0, waiting - 1);
    box.textContent = s.text || "";
    box.classList.toggle("px-error", !!s.error);
  }

  // ---- all of it, and keys
  const fill = () => { if (document.fullscreenElement) document.exitFullscreen(); else root.requestFullscreen(); };
  const whole = h("button", { type: "button", className: "px-button", hidden: !document.fullscreenEnabled, onclick: fill }, "full screen");
  const root = h("div", { className: "px-root", "data-lm-suppress-shortcuts": "true" }, h("div", { className: "px" },
    h("div", { className: "px-top" }, total, about.simulated ? h("p", { className: "px-quiet" }, about.simulated) : null, whole),
    taxonomy, filters, h("div", { className: "px-main" }, list, reader), out));
  root.addEventListener("keydown", (e) => {
    if (e.altKey || e.ctrlKey || e.metaKey) return;
    if (e.key === "Escape") {
      if (sources.open) sources.open = false;
      else list.focus();
      return;
    }
    if (e.target.matches("input, textarea, select")) return;
    if (e.target.closest(".px-response, .px-talk") && !/^[jk]$/.test(e.key)) return; // they scroll
    const step = Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
    const to = {
      ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, PageDown: at + step, PageUp: at - step,
      Home: 0, End: model.get("page").total - 1,
    }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    go(to);
  });

  function takePage() {
    const page = model.get("page");
    if ((page.n || 0) >= n) {
      n = page.n || 0;
      at = page.at;
    }
    drawPage();
  }
  function takeView() {
    if ((model.get("page").n || 0) < n) return;
    view = { ...model.get("view") };
    drawView();
    drawCounts();
    drawScatter();
    busy();
  }
  const on = {
    "change:page": takePage, "change:view": takeView, "change:pair": drawPair, "change:counts": drawCounts,
    "change:scatter": drawScatter, "change:forest": drawForest, "change:status": drawStatus,
  };
  for (const [event, draw] of Object.entries(on)) model.on(event, draw);
  el.append(root);
  drawView();
  drawCounts();
  drawForest();
  drawScatter();
  drawPage();
  drawPair();
  return () => {
    moving = false;
    clearTimeout(calm);
    flush();
    keepNote();
    clearTimeout(scrolled);
    for (const [event, draw] of Object.entries(on)) model.off(event, draw);
  };
}

export default { render };
