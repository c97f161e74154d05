// Moves in what the page already shows: the timeline's cursor, the flamegraph, the table of functions,
// the difference between two censuses.
// Without it everything stands still and is still there.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const data = (id) => (byId(id) ? JSON.parse(byId(id).textContent) : null);
  document.documentElement.classList.add("script");

  // What can be scrolled sideways can be reached by the keyboard; what fits is no stop on the way.
  const regions = [...document.querySelectorAll(".scroll, pre")];
  const reach = () => {
    for (const region of regions) {
      if (region.scrollWidth > region.clientWidth || region.scrollHeight > region.clientHeight) region.tabIndex = 0;
      else region.removeAttribute("tabindex");
    }
  };
  reach();
  addEventListener("resize", reach);
  for (const fold of document.querySelectorAll("details")) fold.addEventListener("toggle", reach);

  const three = (value) => {
    const size = Math.abs(value);
    if (size >= 99.95) return Math.round(value).toLocaleString("en");
    return String(Number(value.toPrecision(3)));
  };
  const bytes = (value) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let at = 0;
    while (Math.abs(value) >= 1023.5 && at < units.length - 1) { value /= 1024; at += 1; }
    return `${three(value)} ${units[at]}`;
  };
  const time = (ns) => {
    if (ns < 99950) return `${three(ns / 1e3)} µs`;
    if (ns < 99.95e6) return `${three(ns / 1e6)} ms`;
    return `${three(ns / 1e9)} s`;
  };
  const percent = (share) => {
    if (share !== 0 && share < 0.0001) return "<0.01%";
    return `${(share * 100).toFixed(share >= 0.0995 ? 1 : 2)}%`;
  };

  // Timeline: one cursor reads every line.
  const series = data("timeline-data");
  if (series) {
    const said = byId("timeline-said");
    const values = document.querySelectorAll("#timeline-card .key b");
    const boxes = ["wide", "narrow"].map((kind) => {
      const box = document.querySelector(`#timeline-card > .${kind}`);
      const line = document.createElement("div");
      line.className = "cursor";
      line.hidden = true;
      box.append(line);
      return { box, line, edges: series[kind] };
    });
    const valueAt = (points, t) => {
      let low = 0;
      let high = points.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (points[middle][0] <= t) low = middle + 1; else high = middle;
      }
      return low > 0 ? points[low - 1][1] : null;
    };
    let now = series.from;
    const read = (t) => {
      now = Math.min(series.to, Math.max(series.from, t));
      const share = (now - series.from) / (series.to - series.from);
      for (const { line, edges } of boxes) {
        line.hidden = false;
        line.style.left = `${(edges[0] + share * (edges[1] - edges[0])) * 100}%`;
      }
      const wave = series.waves.find((w) => w.begin <= now && now <= w.end);
      said.textContent = `${now.toFixed(1)} s · ${wave ? `${wave.scenario}, ${wave.wave ? `wave ${wave.wave}` : "warm-up"}` : "at rest"}`;
      series.lines.forEach(({ unit, points }, n) => {
        const value = valueAt(points, now);
        values[n].textContent = value === null ? "" : unit === "bytes" ? bytes(value) : three(value);
      });
    };
    for (const { box, edges } of boxes) {
      const point = (event) => {
        const { left, width } = box.getBoundingClientRect();
        const share = ((event.clientX - left) / width - edges[0]) / (edges[1] - edges[0]);
        if (share < -0.02 || share > 1.02) return;
        read(series.from + share * (series.to - series.from));
      };
      box.addEventListener("pointermove", point);
      box.addEventListener("pointerdown", point);
      box.addEventListener("keydown", (event) => {
        const step = (series.to - series.from) / (event.shiftKey ? 20 : 200);
        if (event.key === "ArrowRight") read(now + step);
        else if (event.key === "ArrowLeft") read(now - step);
        else if (event.key === "Home") read(series.from);
        else if (event.key === "End") read(series.to);
        else return;
        event.preventDefault();
      });
    }
    // Until somebody points elsewhere it stands where the first line is highest.
    read(series.lines[0].points.reduce((top, point) => (point[1] > top[1] ? point : top))[0]);
  }

  // Table of functions: sorted by any column, shares of wall or of busy time.
  const table = byId("functions");
  let showBusy = () => {};
  let filterTable = () => {};
  if (table) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const more = byId("functions-more");
    const shown = 12;
    let busy = false;
    let open = body.rows.length <= shown;
    let wanted = null;
    const key = (cell) => {
      if (cell.dataset.wall !== undefined) return Number(busy ? cell.dataset.busy : cell.dataset.wall);
      return cell.dataset.key === undefined ? cell.textContent.trim().toLowerCase() : Number(cell.dataset.key);
    };
    const layOut = () => {
      let seen = 0;
      for (const row of body.rows) {
        const fits = !wanted || wanted(row.cells[0].querySelector("code").textContent);
        row.classList.toggle("gone", !fits);
        row.classList.toggle("more", fits && !open && seen >= shown);
        seen += fits ? 1 : 0;
      }
      more.hidden = seen <= shown;
      more.textContent = open ? "Show fewer" : `Show all ${seen}`;
    };
    const sort = (column, direction) => {
      heads.forEach((head, at) => (at === column ? head.setAttribute("aria-sort", direction) : head.removeAttribute("aria-sort")));
      const sign = direction === "ascending" ? 1 : -1;
      const rows = [...body.rows].map((row) => ({ row, key: key(row.cells[column]) }));
      rows.sort((a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : 0));
      body.append(...rows.map(({ row }) => row));
      layOut();
    };
    const again = () => {
      const column = Math.max(0, heads.findIndex((head) => head.hasAttribute("aria-sort")));
      sort(column, heads[column].getAttribute("aria-sort") || "descending");
    };
    heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const first = column === 0 ? "ascending" : "descending";
      const other = column === 0 ? "descending" : "ascending";
      sort(column, now === first ? other : first);
    }));
    more.addEventListener("click", () => { open = !open; layOut(); });
    showBusy = (value) => {
      busy = value;
      const kind = busy ? "busy" : "wall";
      for (const cell of body.querySelectorAll("td[data-wall]")) {
        cell.querySelector(".v").textContent = cell.dataset[`${kind}Text`];
        const bar = cell.querySelector("i");
        if (bar) bar.style.width = `${cell.dataset[`${kind}Bar`]}%`;
      }
      again();
    };
    filterTable = (test) => { wanted = test; layOut(); };
    layOut();
  }

  // Censuses: the difference between any two, by kind.
  const censuses = data("census-data");
  if (censuses) {
    const pickers = [byId("census-from"), byId("census-to")];
    const bodies = byId("census-table").tBodies;
    const more = byId("census-more");
    let open = false;
    const element = (name, text, kind) => {
      const made = document.createElement(name);
      made.textContent = text;
      if (kind) made.className = kind;
      return made;
    };
    const signed = (value, print) => (value === null ? "" : `${value > 0 ? "+" : ""}${print(value)}`);
    const count = (value) => (value === null ? "" : value.toLocaleString("en"));
    const svg = (name, set) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(set)) made.setAttribute(key, value);
      return made;
    };
    const bars = (row, code, first, last) => {
      // Other processes' censuses lie between.
      const ends = [censuses.pids[first], censuses.pids[last]];
      const of = (values) => values.filter((_, at) => first <= at && at <= last && ends.includes(censuses.pids[at]));
      const counts = of(row.counts);
      const moves = code && counts.some((value) => value !== counts[0]) && !counts.includes(null);
      const line = moves ? counts : of(row.bytes);
      const highest = Math.max(1, ...line);
      const most = Math.min(16, line.length);
      const sheet = svg("svg", { class: "bars", width: 94, height: 18, viewBox: "0 0 94 18", preserveAspectRatio: "xMinYMid", "aria-hidden": "true" });
      for (let at = 0; at < most; at += 1) {
        const height = Math.max(1, ((line[Math.floor((at + 1) * line.length / most) - 1] || 0) / highest) * 18);
        sheet.append(svg("rect", { x: at * 6, y: 18 - height, width: 4, height }));
      }
      return sheet;
    };
    const name = (row, code) => {
      const cell = element("td", "", "l");
      const text = element(code ? "code" : "span", "");
      // It may break before an arrow and after a part of a namespace, and never inside an arrow.
      row.name.split(/(->|::)|(?<=\\)/).filter(Boolean).forEach((part, at, parts) => {
        const arrow = part === "->" || part === "::";
        if (arrow || (at > 0 && parts[at - 1].endsWith("\\"))) text.append(document.createElement("wbr"));
        text.append(arrow ? element("span", part) : part);
      });
      cell.append(text);
      if (row.of) {
        const of = element("span", " of ", "aside");
        of.append(element("code", row.of));
        cell.append(of);
      }
      return cell;
    };
    const show = () => {
      const [from, to] = pickers.map((picker) => picker.selectedIndex);
      const between = (values) => (values[from] === null || values[to] === null ? null : values[to] - values[from]);
      let hidden = 0;
      censuses.groups.forEach((group, number) => {
        const rows = group.rows.map((row) => ({ row, count: between(row.counts), bytes: between(row.bytes) }));
        const differing = group.code ? rows.filter(({ count, bytes }) => count || bytes) : rows;
        if (group.code) differing.sort((a, b) => (b.bytes - a.bytes) || (b.count - a.count));
        hidden += Math.max(0, differing.length - censuses.shown);
        const lines = differing.map(({ row, count: difference, bytes: size }, at) => {
          const line = element("tr", "", at >= censuses.shown && !open ? "more" : "");
          const drawing = element("td", "", "l");
          drawing.append(bars(row, group.code, Math.min(from, to), Math.max(from, to)));
          line.append(name(row, group.code), element("td", signed(difference, count)), element("td", signed(size, bytes)));
          line.append(drawing, element("td", count(row.counts[from])), element("td", count(row.counts[to])));
          return line;
        });
        if (lines.length === 0) {
          const line = element("tr", "");
          const cell = element("td", "nothing differs", "l aside");
          cell.colSpan = 6;
          line.append(cell);
          lines.push(line);
        }
        bodies[number].replaceChildren(bodies[number].rows[0], ...lines);
      });
      const restarted = censuses.pids[from] !== censuses.pids[to];
      byId("census-note").textContent = restarted ? "Two processes: what the second one holds did not grow from the first." : "";
      more.hidden = hidden === 0;
      more.textContent = open ? "Show fewer." : `Show ${hidden.toLocaleString("en")} more.`;
    };
    pickers.forEach((picker) => picker.addEventListener("change", show));
    more.addEventListener("click", () => { open = !open; show(); });
    byId("census-controls").hidden = false;
    show();
  }

  // A flamegraph: drawn for the width at hand, from the frames that the page carries. `onBusy` and `onSearch` are told
  // what else on the page is to follow.
  const flamegraph = (id, onBusy, onSearch) => {
    const graphs = data(`${id}-data`);
    const place = byId(id);
    if (!graphs || !place) return;
    const part = (name) => byId(`${id}-${name}`);
    const compared = graphs.difference || null;
    const card = place.parentElement;
    const said = { name: part("name"), figures: part("figures") };
    const aside = part("aside");
    const waits = aside.textContent;
    const reset = part("reset");
    const search = part("search");
    const shares = part("shares");
    const choice = { cost: graphs.first, busy: "false", order: "stacks", slice: graphs.slice || "all", side: "after", shape: "icicle" };
    // Of two profiles, what waits says little: how long it does goes by the load.
    if (compared && graphs.graphs.some((g) => g.busy)) choice.busy = "true";
    const buttons = [...part("controls").querySelectorAll("button[data-set]")];
    const svg = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);

    // What a frame was and is: its kind, how its calls changed, and calls, own cost and cost with callees, then and now.
    const changeOf = (graph, at) => {
      const { changes, calls, both } = compared.figures[graph.figures];
      return { kind: changes[at], calls: calls[at], figures: both.slice(at * 6, at * 6 + 6) };
    };
    // Frames in pre-order, each with its place; by function, the dearest stand first. What was left out below a frame
    // stands behind its callees as one grey bar.
    const tree = (graph) => {
      const roots = [];
      const open = [];
      const deeper = new Map();
      for (let n = 0; n < graph.deeper.length; n += 2) deeper.set(graph.deeper[n] * 4, graph.deeper[n + 1]);
      for (let at = 0; at < graph.frames.length; at += 4) {
        const [depth, name, value, rest] = graph.frames.slice(at, at + 4);
        const above = depth > 0 ? open[depth - 1] : null;
        const node = { depth: depth + 1, name, value, rest, deeper: deeper.get(at) || 0, start: 0, above, below: [] };
        if (compared) node.change = changeOf(graph, at / 4);
        (above ? above.below : roots).push(node);
        open[depth] = node;
      }
      const nodes = [];
      const waiting = [];
      const place = (siblings, start, above, rest) => {
        if (graph.order === "function") siblings.sort((a, b) => b.value - a.value);
        for (const node of siblings) { node.start = start; start += node.value; }
        if (rest > 0) waiting.push({ depth: above ? above.depth + 1 : 1, name: null, value: rest, rest: 0, deeper: above ? above.deeper : 0, start, above, below: [] });
        for (let at = siblings.length - 1; at >= 0; at -= 1) waiting.push(siblings[at]);
      };
      place(roots, 0, null, graph.total - roots.reduce((sum, node) => sum + node.value, 0));
      while (waiting.length) {
        const node = waiting.pop();
        nodes.push(node);
        place(node.below, node.start, node, node.rest);
      }
      return nodes;
    };
    // Allocation knows no waiting: the choice stays, and counts again with time.
    const find = (wish) => graphs.graphs.find((g) => g.cost === wish.cost && g.slice === wish.slice && g.order === wish.order
      && (g.side === undefined || g.side === wish.side) && (g.cost !== "time" || String(g.busy) === wish.busy));

    let graph = find(choice) || graphs.graphs[0];
    let nodes = [];
    let focus = null;
    let at = null;
    let wanted = null;
    let drawn = new Map();

    const name = (node) => {
      if (node.name !== null) return graphs.names[node.name];
      if (!node.deeper) return "Not drawn one by one";
      return `${node.deeper.toLocaleString("en")} level${node.deeper > 1 ? "s" : ""} deeper ${node.deeper > 1 ? "are" : "is"} not drawn`;
    };
    // Beyond 53 bits a number here is near what the file holds: its first 15 digits are right.
    const counted = (value) => (Number.isSafeInteger(value) ? value.toLocaleString("en") : `about ${Number(value.toPrecision(15)).toLocaleString("en")}`);
    const sum = (value) => (graph.cost !== "time" ? bytes(value) : graphs.events ? `${counted(value)} ${graphs.events}` : time(value));
    const cost = (value) => sum(compared ? value / compared.scale : value);
    const value = (node) => cost(node.value);
    const whole = () => (graphs.whole ? graphs.whole : compared ? "the width" : graph.cost === "allocation" ? "what was allocated" : graphs.events ? `all ${graphs.events}` : graph.busy ? "busy time" : "wall time");
    // Of two profiles: words of what became of a frame, and each figure for a message then and now.
    const words = () => {
      const [more, less] = graph.cost === "time" ? ["slower", "faster"] : ["allocates more", "allocates less"];
      return { 0: "same", 1: more, 2: more, 3: more, 4: less, 5: less, 6: less, n: "new", g: "gone", w: "waits", u: "in one profile alone, and the other is not whole", x: "" };
    };
    const marks = { 1: "▲ ", 2: "▲ ", 3: "▲ ", 4: "▼ ", 5: "▼ ", 6: "▼ ", n: "new: ", g: "gone: " };
    const each = (figure, side) => figure / compared.work[side];
    const sign = (by, print) => (by === 0 ? "no difference" : `${by > 0 ? "+" : "−"}${print(Math.abs(by))}`);
    const versus = (name, [was, is], print) => `${name} ${print(each(was, 0))} → ${print(each(is, 1))} (${sign(each(is, 1) - each(was, 0), print)})`;
    // Calls are exact: where they are no whole number for each message, what was counted is said.
    const callsOf = ([was, is]) => {
      const print = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : value >= 100 ? value.toLocaleString("en", { maximumFractionDigits: 1 }) : value.toPrecision(3));
      const even = Number.isInteger(each(was, 0)) && Number.isInteger(each(is, 1));
      const counted = even ? "" : `; ${was.toLocaleString("en")} in ${compared.work[0].toLocaleString("en")}, ${is.toLocaleString("en")} in ${compared.work[1].toLocaleString("en")}`;
      return `${versus(`calls per ${compared.per}`, [was, is], print)}${counted}`;
    };
    const sayBoth = (node) => {
      const frames = nodes.filter((one) => one.name !== null).length;
      let parts = [];
      if (!node) parts = [versus(`per ${compared.per}`, compared.figures[graph.figures].total, sum), `${frames.toLocaleString("en")} frames`];
      else if (!node.change) parts = [`${percent(node.value / graph.total)} of the width`];
      else {
        const [callsWas, callsIs, ownWas, ownIs, allWas, allIs] = node.change.figures;
        const more = { "+": "called more", "-": "called less" }[node.change.calls];
        parts = [[words()[node.change.kind], more].filter(Boolean).join(", "), callsOf([callsWas, callsIs]), versus("self", [ownWas, ownIs], sum)];
        if (graph.order === "stacks") parts.push(versus("inclusive", [allWas, allIs], sum));
      }
      said.name.textContent = node ? name(node) : "All";
      said.figures.replaceChildren(...parts.filter(Boolean).map((text) => {
        const made = document.createElement("span");
        made.textContent = text;
        return made;
      }));
    };
    const say = (node) => {
      if (compared) { sayBoth(node); return; }
      const frames = nodes.filter((one) => one.name !== null).length;
      const parts = node
        ? [value(node), `${percent(node.value / graph.total)} of ${whole()}`]
        : [cost(graph.total), `${frames.toLocaleString("en")} frames`];
      if (node && focus && focus !== node) parts.push(`${percent(node.value / focus.value)} of the zoom`);
      said.name.textContent = node ? name(node) : "All";
      said.figures.textContent = parts.join(" · ");
    };
    const isHit = (node) => wanted && node.name !== null && wanted(name(node));
    // A share counts a hit once, also where one lies under another.
    const hits = () => {
      let sum = 0;
      for (const node of nodes) {
        node.covered = Boolean(node.above && (node.above.covered || isHit(node.above)));
        if (isHit(node) && !node.covered) sum += node.value;
      }
      const small = { count: 0, value: 0 };
      for (let n = 0; n < graph.small.length; n += 2) {
        if (wanted(graphs.names[graph.small[n]])) { small.count += 1; small.value += graph.small[n + 1]; }
      }
      const found = sum > 0 || small.count === 0 ? [`matches ${percent(sum / graph.total)} of ${whole()}`] : [];
      if (small.count) found.push(`${small.count} function${small.count > 1 ? "s that are" : " that is"} not drawn match${small.count > 1 ? "" : "es"}: ${percent(small.value / graph.total)}`);
      if (graph.unknown) found.push(`${graph.unknown.toLocaleString("en")} more that are not drawn are not searched`);
      return found.join("; ");
    };

    // What stands in a frame: of two profiles with its mark, and with the calls that a message makes more or less.
    const labelOf = (node) => {
      if (!node.change) return name(node);
      const [was, is] = node.change.figures;
      const by = each(is, 1) - each(was, 0);
      const calls = "ng".includes(node.change.kind) || !"+-".includes(node.change.calls) ? "" : `  ${sign(by, String)} call${Math.abs(by) === 1 ? "" : "s"}`;
      return `${marks[node.change.kind] || ""}${name(node)}${calls}`;
    };

    let character = 6.6;
    const draw = () => {
      const width = place.clientWidth || card.clientWidth - 32;
      const narrow = width < 600;
      const row = narrow ? 24 : 20;
      const from = focus ? focus.start : 0;
      const span = focus ? focus.value : graph.total;
      const scale = width / span;
      const sheet = svg("svg");
      drawn = new Map();
      const path = new Set();
      for (let node = focus; node; node = node.above) path.add(node);
      const seen = [];
      // Neighbours that are too narrow for this screen stand as one grey bar: below a pixel the edge of a frame is all of it.
      const least = 1;
      const crowd = (row) => {
        const node = { depth: row.depth, name: null, value: row.value, deeper: 0, start: row.start, above: row.above, below: [] };
        const wide = row.value * scale;
        if (wide >= least) seen.push({ node, above: false, left: (row.start - from) * scale, wide });
      };
      const crowds = new Map();
      const narrower = new Set();
      for (const node of nodes) {
        const above = path.has(node) && node !== focus;
        if (!above && (node.start < from || node.start + node.value > from + span)) continue;
        const left = above ? 0 : (node.start - from) * scale;
        const wide = above ? width : node.value * scale;
        if (wide >= least) { seen.push({ node, above, left, wide }); continue; }
        narrower.add(node);
        if (narrower.has(node.above)) continue;
        const row = crowds.get(node.above);
        if (row && Math.abs(row.start + row.value - node.start) * scale < 0.01) { row.value += node.value; continue; }
        if (row) crowd(row);
        crowds.set(node.above, { depth: node.depth, value: node.value, start: node.start, above: node.above });
      }
      for (const row of crowds.values()) crowd(row);
      const deepest = seen.reduce((most, { node }) => Math.max(most, node.depth), 0);
      const top = (node) => (choice.shape === "flame" ? deepest - node.depth : node.depth - 1) * row;
      for (const { node, above, left, wide } of seen) {
        const group = svg("g");
        const rect = svg("rect");
        rect.setAttribute("class", node.name === null ? "k rest" : `k k${node.change ? node.change.kind : graphs.kinds[node.name]}`);
        rect.setAttribute("x", left.toFixed(2));
        rect.setAttribute("y", top(node));
        rect.setAttribute("width", Math.max(wide, 0.4).toFixed(2));
        rect.setAttribute("height", row - 1);
        group.append(rect);
        const room = Math.floor((wide - 8) / character);
        if (room >= 3) {
          const text = svg("text");
          const full = node.name === null ? `${name(node)}, ${percent(node.value / graph.total)}` : labelOf(node);
          text.setAttribute("x", (left + 4).toFixed(2));
          text.setAttribute("y", top(node) + row / 2 + 3.5);
          text.textContent = full.length <= room ? full : `${full.slice(0, room - 1)}…`;
          group.append(text);
        }
        group.classList.toggle("above", above);
        group.classList.toggle("hit", Boolean(isHit(node)));
        group.classList.toggle("at", node === at);
        group.addEventListener("pointerenter", () => say(node));
        if (node.name !== null) group.addEventListener("click", () => zoom(node === focus ? null : node));
        drawn.set(node, group);
        sheet.append(group);
      }
      sheet.setAttribute("viewBox", `0 0 ${width} ${deepest * row}`);
      sheet.setAttribute("width", width);
      sheet.setAttribute("height", deepest * row);
      sheet.setAttribute("aria-hidden", "true");
      place.classList.toggle("searching", Boolean(wanted));
      place.replaceChildren(sheet);
      reset.hidden = !focus;
      aside.textContent = wanted ? hits() : graph.note ? graph.note : graph.busy || graph.cost !== "time" || graph.slice !== "all" ? "" : waits;
    };

    // The state of the graph stands behind the page's address, so that a link shows what its sender saw.
    const stacked = (node) => {
      const names = [];
      for (let one = node; one; one = one.above) names.unshift(name(one));
      return names;
    };
    const remember = () => {
      const state = new URLSearchParams();
      for (const [set, chosen] of Object.entries(choice)) if (chosen !== first[set]) state.set(set, chosen);
      if (focus) state.set("zoom", stacked(focus).join("\n"));
      if (search.value) state.set("search", search.value);
      const link = state.toString();
      const hash = link ? `#${id}?${link}` : location.hash.startsWith(`#${id}?`) ? `#${anchor.id}` : location.hash;
      // A page in a sandbox may not write its address.
      try { history.replaceState(null, "", hash || location.pathname); } catch { return; }
    };
    const first = { ...choice };
    const anchor = part("part") || place.closest("section");

    const zoom = (node) => {
      focus = node;
      at = node;
      draw();
      say(node);
      remember();
    };
    const move = (node) => {
      if (!node || !drawn.has(node)) return;
      if (at && drawn.has(at)) drawn.get(at).classList.remove("at");
      at = node;
      drawn.get(node).classList.add("at");
      say(node);
    };
    // The same path in another graph; where the order differs, the function's largest frame; else nothing.
    const again = (path, sameOrder) => {
      if (!path.length) return null;
      const last = path[path.length - 1];
      const named = nodes.filter((node) => node.name !== null && name(node) === last);
      const same = named.find((node) => node.value > 0 && stacked(node).join("\n") === path.join("\n"));
      if (same || sameOrder) return same || null;
      return named.reduce((best, node) => (!best || node.value > best.value ? node : best), null);
    };
    const show = (path) => {
      const order = graph.order;
      graph = find(choice) || graph;
      nodes = tree(graph);
      focus = again(path, order === graph.order);
      at = focus;
      for (const button of buttons) {
        const { set, value: own } = button.dataset;
        const timeless = set === "busy" && choice.cost !== "time";
        button.setAttribute("aria-pressed", String(choice[set] === own));
        button.disabled = timeless || !find({ ...choice, [set]: own });
        button.title = timeless ? "Allocation has no waiting in it" : button.disabled ? "Not recorded for what else is chosen" : "";
      }
      if (shares) shares.textContent = `Shares are of ${whole()}.`;
      onBusy(graph.busy && graph.cost === "time");
      draw();
      say(focus);
      if (path.length && !focus) said.figures.textContent += " · the frame that was zoomed is not in this graph";
    };

    for (const button of buttons) {
      button.addEventListener("click", () => {
        choice[button.dataset.set] = button.dataset.value;
        show(stacked(focus));
        remember();
      });
    }
    // Text as it stands in a name; where no name has it, a regular expression. A backslash before a letter is PHP's.
    const matcher = (text) => {
      const plain = text.toLowerCase();
      const literal = (full) => full.toLowerCase().includes(plain);
      if (!plain || !/[.*+?^$()[\]{}|]/.test(plain) || graphs.names.some(literal)) return literal;
      try {
        const pattern = new RegExp(text.replace(/\\(?=[A-Za-z])/g, "\\\\"), "i");
        return (full) => pattern.test(full);
      } catch {
        return literal;
      }
    };
    const look = () => {
      const text = search.value.trim();
      wanted = text ? matcher(text) : null;
      onSearch(wanted);
      draw();
    };
    search.addEventListener("input", () => { look(); remember(); });
    reset.addEventListener("click", () => { zoom(null); place.focus(); });
    place.addEventListener("pointerleave", () => say(at || focus));
    place.addEventListener("keydown", (event) => {
      const real = (n) => n.name !== null && drawn.has(n);
      const beside = (step) => {
        const row = (at && at.above ? at.above.below : nodes.filter((n) => !n.above)).filter(real);
        return row[row.indexOf(at) + step];
      };
      const down = choice.shape === "flame" ? "ArrowUp" : "ArrowDown";
      const up = choice.shape === "flame" ? "ArrowDown" : "ArrowUp";
      const begin = focus || nodes.find(real);
      if (event.key === down) move(at ? at.below.filter(real).sort((a, b) => b.value - a.value)[0] : begin);
      else if (event.key === up) move(at && at.above);
      else if (event.key === "ArrowRight") move(at ? beside(1) : begin);
      else if (event.key === "ArrowLeft") move(at ? beside(-1) : begin);
      else if (event.key === "Enter" && at) zoom(at === focus ? null : at);
      else if (event.key === "Escape" && focus) zoom(focus.above);
      else return;
      event.preventDefault();
    });
    part("controls").hidden = false;
    part("bar").hidden = false;
    card.classList.add("drawn");
    const probe = svg("svg");
    const sample = svg("text");
    sample.textContent = "M".repeat(50);
    probe.append(sample);
    place.append(probe);
    character = sample.getComputedTextLength() / 50 || character;
    const link = () => {
      if (!location.hash.startsWith(`#${id}?`)) return [];
      const state = new URLSearchParams(location.hash.slice(id.length + 2));
      for (const set of Object.keys(choice)) {
        if (buttons.some((b) => b.dataset.set === set && b.dataset.value === state.get(set))) choice[set] = state.get(set);
      }
      search.value = state.get("search") || "";
      return (state.get("zoom") || "").split("\n").filter(Boolean);
    };
    const arrive = () => {
      const path = link();
      show(path);
      look();
      if (location.hash.startsWith(`#${id}?`)) anchor.scrollIntoView();
    };
    arrive();
    addEventListener("hashchange", () => { if (location.hash.startsWith(`#${id}?`)) arrive(); });
    let before = 0;
    new ResizeObserver(() => {
      const width = place.clientWidth;
      if (width && width !== before) { before = width; draw(); }
    }).observe(card);
  };
  flamegraph("flame", showBusy, filterTable);
  flamegraph("message", () => {}, () => {});
  flamegraph("difference", () => {}, () => {});
})();
