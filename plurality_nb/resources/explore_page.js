// The page of `plurality explore`: carries messages between the panel and the command by HTTP.

import panel from "./panel.js";

const fields = await (await fetch("state")).json();
const handlers = {}; // event to functions
let queue = []; // messages that are not sent yet
let isSending = false;

function take(changes) {
  Object.assign(fields, changes);
  for (const name of Object.keys(changes)) {
    for (const draw of handlers[`change:${name}`] || []) draw();
  }
}

// The answer has a line for each set of changes; correlations come last.
async function post({ name, body }) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(name, { method: "POST", headers, body, keepalive: body.length < 60_000 });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    lines.map((line) => JSON.parse(line)).forEach(take);
  }
}

async function sendAll() {
  if (isSending) return;
  isSending = true;
  try {
    while (queue.length) await post(queue.shift());
  } catch {
    document.getElementById("ended").hidden = false;
  }
  isSending = false;
}

const model = {
  get: (name) => fields[name],
  set: (name, value) => { fields[name] = value; },
  on: (event, draw) => { handlers[event] = [...(handlers[event] || []), draw]; },
  off: (event, draw) => { handlers[event] = (handlers[event] || []).filter((x) => x !== draw); },
  send: (message) => {
    queue.push({ name: "act", body: JSON.stringify(message) });
    sendAll();
  },
  save_changes: () => { // what was asked for and not yet sent is no longer wanted
    queue = queue.filter(({ name }) => name !== "ask");
    queue.push({ name: "ask", body: JSON.stringify(fields.ask) });
    sendAll();
  },
};

const end = panel.render({ model, el: document.getElementById("panel") });
addEventListener("pagehide", () => { // nothing waits for an answer any more
  end();
  for (const message of queue.splice(0)) post(message).catch(() => {});
});
