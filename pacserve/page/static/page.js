// Keeps the status page up to date.  Data from the network is only ever set as text, as numbers, or as one of a few names.
"use strict";
(() => {
  const RETRY = 30000; // ms until the next try after the daemon refused to send events, as it does while many pages are open
  const MARKS = ["good", "fair", "bad", "quiet"];
  const ORIGINS = ["mirrors", "peers", "cache"];
  const TABLES = ["findings", "transfers", "peers", "peers-rest", "mirrors", "apt-mirrors", "recent", "recent-rest", "others", "hour", "day", "days"];
  const PLOTS = ["hour", "day", "days"];
  const PATH = /^[Mhvz0-9. -]*$/;
  const SVG = "http://www.w3.org/2000/svg";
  // The clock of this browser may differ from that of the host.
  const ahead = Date.now() / 1000 - Number(document.body.dataset.now);
  const live = document.getElementById("live");
  let source = null;
  let retrying = 0;

  const setText = (element, text) => {
    if (element && element.textContent !== text) element.textContent = text;
  };

  const duration = (seconds) => {
    if (seconds < 59.5) return `${Math.max(Math.round(seconds), 0)} s`;
    if (seconds < 3600) return `${Math.max(Math.floor(seconds / 60), 1)} min`;
    if (seconds < 2 * 86400) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} days`;
  };

  const age = (time) => {
    const at = Date.parse(time.dateTime) / 1000;
    if (!Number.isNaN(at)) setText(time, `${duration(Date.now() / 1000 - ahead - at)} ago`);
  };

  const fill = (element, cell) => {
    if (!element) return;
    const shown = JSON.stringify(cell);
    if (element.shown === shown) return;
    element.shown = shown;
    if (typeof cell === "string") {
      setText(element, cell);
      return;
    }
    const parts = [];
    if (typeof cell.bar === "string") {
      // A bar that stays the same element moves on smoothly instead of starting again.
      const bar = element.querySelector("progress") || document.createElement("progress");
      bar.max = 100;
      bar.setAttribute("aria-label", cell.bar);
      if (typeof cell.percent === "number") bar.value = cell.percent;
      else bar.removeAttribute("value");
      parts.push(bar);
    }
    if (typeof cell.at === "string") {
      const time = document.createElement("time");
      time.dateTime = cell.at;
      age(time);
      parts.push(time);
    }
    if (cell.text && parts.length) parts.push(" ");
    if (MARKS.includes(cell.mark)) {
      const mark = document.createElement("span");
      mark.className = cell.mark;
      mark.textContent = cell.text;
      parts.push(mark);
    } else if (cell.text) {
      parts.push(String(cell.text));
    }
    if (typeof cell.note === "string") {
      const note = document.createElement("small");
      note.textContent = cell.note;
      if (parts.length) parts.push(" ");
      parts.push(note);
    }
    element.replaceChildren(...parts);
  };

  const showTable = (id, { rows, more, summary }) => {
    const table = document.getElementById(id);
    if (!table) return;
    const headings = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    while (body.rows.length > rows.length) body.deleteRow(-1);
    rows.forEach((cells, number) => {
      const row = body.rows[number] || body.insertRow();
      headings.forEach((heading, place) => {
        let cell = row.cells[place];
        if (!cell) {
          cell = document.createElement(place ? "td" : "th");
          if (!place) cell.scope = "row";
          else cell.dataset.label = heading.textContent;
          cell.className = heading.className;
          row.append(cell);
        }
        fill(cell, cells[place]);
      });
    });
    const fold = document.getElementById(`${id}-fold`);
    if (fold) {
      fold.hidden = !rows.length;
      setText(document.getElementById(`${id}-summary`), summary);
    }
    table.hidden = !rows.length;
    document.getElementById(`${id}-empty`).hidden = rows.length > 0;
    const rest = document.getElementById(`${id}-more`);
    rest.hidden = !more;
    setText(rest, more);
  };

  const draw = (name, attributes, text) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text) element.textContent = text;
    return element;
  };

  const showPlot = (id, { top, grid, bars }) => {
    const plot = document.getElementById(`${id}-plot`);
    const scale = document.getElementById(`${id}-scale`);
    if (!plot || !scale) return;
    setText(document.getElementById(`${id}-top`), top);
    scale.replaceChildren(...grid.map(([y, text]) => draw("text", { x: "100%", y: `${Number(y)}%`, dy: ".35em" }, text)));
    const lines = grid.map(([y]) => draw("line", { x1: 0, x2: plot.viewBox.baseVal.width, y1: Number(y), y2: Number(y) }));
    const paths = ORIGINS.map((origin) => draw("path", { class: origin, d: PATH.test(bars[origin]) ? bars[origin] : "" }));
    plot.replaceChildren(...lines, ...paths);
  };

  const show = (parts) => {
    for (const [id, cell] of Object.entries(parts.values || {})) fill(document.getElementById(id), cell);
    for (const id of TABLES) if (parts[id]) showTable(id, parts[id]);
    for (const id of PLOTS) if (parts[`${id}-plot`]) showPlot(id, parts[`${id}-plot`]);
  };

  const say = (text) => {
    live.hidden = false;
    setText(live, text);
  };

  const close = () => {
    clearTimeout(retrying);
    if (source) source.close();
    source = null;
  };

  const open = () => {
    close();
    source = new EventSource("/events");
    source.onopen = () => say("This page is live.");
    source.onmessage = (event) => show(JSON.parse(event.data));
    source.onerror = () => {
      say("Not live: pacserve does not answer. Trying again.");
      if (source && source.readyState === EventSource.CLOSED) retrying = setTimeout(open, RETRY);
    };
  };

  // A page in the background asks for nothing.
  const look = () => (document.hidden ? close() : open());

  setInterval(() => document.querySelectorAll("time").forEach(age), 5000);
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && look());
  look();
})();
