// Elements of the panel of `plurality_nb.explore`.
// Texts of users and models only ever become text nodes, and their addresses only titles.

function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (name in el && name !== "list") el[name] = value;
    else el.setAttribute(name, value);
  }
  el.append(...children.filter((child) => child !== null && child !== undefined));
  return el;
}

const isKnown = (x) => x !== null && x !== undefined;
const num = (x, digits = 2) => (isKnown(x) ? x.toFixed(digits) : "–");
const words = (name) => name.replaceAll("_", ", ");
const votes = (x) => (Number.isInteger(x) ? `${x}` : x.toFixed(1));
const percent = (x) => `${Math.round(100 * x)}%`;
const counted = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

// ---- votes as bars

function said(voice) {
  const [a, b, tie] = voice.votes;
  if (voice.kind !== "model") return `${votes(a)} A · ${votes(tie)} tie · ${votes(b)} B`;
  return tie > 0 ? `${percent(a)} A · ${percent(tie)} tie · ${percent(b)} B` : `${percent(a)} A`;
}

function spoken(voice) {
  const [a, b, tie] = voice.votes;
  const of = voice.kind === "model" ? percent : votes;
  const sides = `${of(a)} for A, ${of(tie)} ties, ${of(b)} for B`;
  if (voice.kind !== "model") return `${voice.name}: ${sides}`;
  return `${voice.name} predicts ${tie > 0 ? sides : `${percent(a)} for A`}`;
}

function bar(voice) {
  const [a, b, tie] = voice.votes;
  const parts = [["a", a], ["tie", tie], ["b", b]].filter(([, x]) => x > 0);
  const blocks = parts.map(([name, x]) =>
    h("span", { className: `px-part px-${name}`, style: `flex-grow:${x}` }));
  const label = spoken(voice);
  return h("span", { className: "px-bar", role: "img", title: label, "aria-label": label }, ...blocks);
}

// ---- texts, plain and formatted

const ELEMENTS = new Set([
  "p", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s", "br", "hr",
  "table", "thead", "tbody", "tr", "th", "td",
]);

function piece([text, differs], isMarked) {
  return differs && isMarked ? h("mark", {}, text) : document.createTextNode(text);
}

// An element of a formatted text, of the few that there are; everything else is a `span`.
function formatted(node, isMarked) {
  if (Array.isArray(node)) return piece(node, isMarked);
  const children = node.children.map((child) => formatted(child, isMarked));
  if (node.tag === "image") children.unshift("picture: ");
  if (node.tag === "ol") return h("ol", { start: node.start }, ...children);
  if (ELEMENTS.has(node.tag)) return h(node.tag, node.title ? { title: node.title } : {}, ...children);
  if (/^h[1-6]$/.test(node.tag)) return h("p", { className: `px-h px-${node.tag}` }, ...children);
  const kinds = { link: "px-address", image: "px-image" };
  return h("span", { className: kinds[node.tag] || "", title: node.title || "" }, ...children);
}

// ---- who voted what

function voterTable(pair) {
  const rows = [];
  let trait = null;
  for (const group of pair.groups) {
    const [name, value, cast] = group;
    if (name !== trait) rows.push(h("b", { className: "px-trait" }, name));
    trait = name;
    const voice = { name: value, kind: "people", votes: cast };
    rows.push(h("span", { className: "px-voice" }, value), bar(voice));
    rows.push(h("span", { className: "px-said", "aria-hidden": "true" }, said(voice)));
  }
  const names = { a: "A", b: "B", tie: "tie" };
  const one = (voter) => h("li", {}, h("b", { className: `px-cast px-cast-${voter.vote}` }, names[voter.vote]),
    ` ${voter.annotator || "unnamed"}`, voter.traits ? h("small", {}, ` ${voter.traits}`) : null);
  return [h("div", { className: "px-voices" }, ...rows), h("ul", { className: "px-voters" }, ...pair.voters.map(one))];
}
