"use strict";
{
  const $ = (id) => document.getElementById(id);
  const RESERVED = "krdsul";
  const GRID = 20; // classes that have a button each; more are found by name
  const PAUSE_MS = 250; // that a picture is in view before the model is asked about it
  const ASK_SECONDS = 5; // between two questions what others have decided

  let queue; // what the server knows of the data set and of the pictures to look at
  let decided = {}; // decisions by row
  let state = ""; // of the files in which they stand
  let current = null;
  let seen = null; // the decision about it when it was shown: whoever decides otherwise must have seen what holds
  let busy = false, sent = 0; // decisions on their way, and sent so far
  const skipped = new Set();
  const undone = []; // [row, before, after] of each decision of this page, the latest last

  // 1. Talking to the server.
  const ask = async (place, body, signal) => {
    const options = !body ? { signal } : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
    let answer;
    try {
      answer = await fetch(place, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("the command `darkroom review` has ended: start it again and open the address that it prints");
    }
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.error);
    return content;
  };
  const trouble = (text) => {
    $("trouble").textContent = text;
    $("trouble").hidden = !text;
  };
  const say = (text) => { $("said").textContent = text; };
  const tell = (text) => say(`${text} ${current ? `Next: ${$("verdict").textContent}` : $("end-title").textContent}`);

  // 2. Words.
  const pictures = (count) => `${count.toLocaleString("en")} picture${count === 1 ? "" : "s"}`;
  const words = (decision) => decision.kind === "relabel" ? `relabelled ${decision.label}`
    : decision.kind === "drop" ? "dropped" : `kept as ${decision.label}`;
  const whose = (decision) => {
    const when = decision.when && new Date(decision.when).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    return `${words(decision)}${decision.who ? ` by ${decision.who}` : ""}${when ? `, ${when}` : ""}`;
  };

  // 3. Which pictures, and which comes next.
  const passes = (item) => {
    const reason = $("reason").value, name = $("class").value;
    return (reason === "" || reason in item.reasons) && (name === "" || [item.label, item.suggested].includes(name));
  };
  const chosen = () => queue.items.filter(passes);
  const waits = (item) => {
    const which = $("which").value, done = item.row in decided;
    return which === "all" || (which === "decided") === done;
  };
  const step = (by) => {
    // Arrows go through all that the filters show; the picture in view stays among them when it is decided.
    const shown = queue.items.filter((item) => passes(item) && (waits(item) || item === current));
    const at = shown.indexOf(current) + by;
    if (shown[at]) show(shown[at]);
    else if (current) say(by > 0 ? "This is the last picture." : "This is the first picture.");
  };
  const advance = () => {
    const order = queue.items, from = order.indexOf(current) + 1;
    const open = (item) => passes(item) && !(item.row in decided) && !skipped.has(item.row);
    show([...order.slice(from), ...order.slice(0, from)].find(open) ?? null);
  };

  // 4. The page.
  const element = (name, content, attributes = {}) => {
    const made = document.createElement(name);
    made.append(...[content].flat());
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const smallPicture = (one, same) => {
    const image = element("img", [], { src: `packed/${one.row}`, alt: "", title: one.path });
    image.addEventListener("load", () => image.classList.toggle("squares", image.naturalWidth < 100));
    return element("li", [image, element("span", one.label || "no label", one.label === same ? { class: "same" } : {})]);
  };
  const progress = () => {
    const all = chosen(), done = all.filter((item) => item.row in decided).length;
    const left = all.filter((item) => skipped.has(item.row) && !(item.row in decided)).length;
    $("progress").max = Math.max(1, all.length);
    $("progress").value = done;
    $("progress-text").textContent = `${done.toLocaleString("en")} of ${pictures(all.length)} decided`
      + (left ? `, ${left} skipped` : "") + (queue.gone ? `; ${queue.gone} more are not in the data any more` : "")
      + ` · you are ${queue.who}`;
  };
  const show = (item) => {
    current = item;
    progress();
    $("item").hidden = !item;
    $("end").hidden = Boolean(item);
    if (!item) return ending();
    const held = decided[item.row];
    seen = held ?? null;
    $("verdict").textContent = item.suggested ? `${item.label} → ${item.suggested}?` : item.label;
    $("reasons").replaceChildren(...Object.entries(item.reasons).map(([kind, why]) =>
      element("li", [element("b", kind), `: ${why}`])));
    $("held").textContent = held ? `Decided: ${whose(held)}.` : skipped.has(item.row) ? "Skipped before." : "Not decided yet.";
    press(held);
    $("picture").alt = `Picture labelled ${item.label}`;
    $("picture-text").textContent = `${item.path}${item.split ? ` · ${item.split}` : ""}`;
    enlarge(item);
    $("beside").replaceChildren(...item.beside.map((one) => smallPicture(one, item.label)));
    $("beside-part").hidden = !item.beside.length;
    explain(item);
    scrollTo(0, 0);
  };
  const enlarge = (item) => {
    const image = $("picture");
    image.src = `packed/${item.row}`;
    const original = new Image();
    original.addEventListener("load", () => {
      if (current !== item) return;
      image.src = original.src;
      $("picture-text").textContent += ` · ${original.naturalWidth} × ${original.naturalHeight}, as found`;
    });
    if (item.original) original.src = `original/${item.row}`;
  };
  $("picture").addEventListener("load", () => $("picture").classList.toggle("squares", $("picture").naturalWidth < 100));
  let questions = new AbortController(); // about the picture in view: who goes on does not wait for them
  const explain = async (item) => {
    questions.abort();
    questions = new AbortController();
    const { signal } = questions;
    const near = (found, text) => {
      $("near").replaceChildren(...found.map((one) => smallPicture(one, item.suggested || item.label)));
      $("near-text").textContent = text;
    };
    const heat = $("heat");
    heat.hidden = true;
    heat.onload = heat.onerror = null;
    heat.removeAttribute("src");
    near(item.near, item.near.length ? "" : "The model is asked.");
    $("heat-text").textContent = "The model is asked.";
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (signal.aborted) return;
    try {
      if (!item.near.length) {
        const found = await ask(`nearest/${item.row}`, null, signal);
        item.near = found.rows;
        item.among = found.among < found.of ? `Among ${found.among.toLocaleString("en")} of ${found.of.toLocaleString("en")}.` : "";
      }
      near(item.near, item.near.length ? item.among ?? "" : "There is none.");
    } catch (error) {
      if (!signal.aborted) near([], `None is known: ${error.message}.`);
    }
    if (signal.aborted) return;
    const name = item.suggested || item.label;
    heat.onload = () => {
      heat.hidden = false;
      $("heat-text").textContent = `Bright: what speaks for ${name} (Grad-CAM).`;
    };
    heat.onerror = () => { $("heat-text").textContent = "This network has no map of it."; };
    heat.alt = `The picture, with what speaks for ${name} in bright colours`;
    heat.src = `heat/${item.row}/${queue.classes.indexOf(name)}`;
  };
  const ending = () => {
    const all = chosen(), left = all.filter((item) => !(item.row in decided));
    const count = (kind) => all.filter((item) => decided[item.row]?.kind === kind).length;
    $("end-title").textContent = left.length ? `${pictures(left.length)} skipped` : all.length ? "All decided" : "None to look at";
    $("end-text").textContent = `${count("keep")} kept, ${count("relabel")} relabelled, ${count("drop")} dropped of ${pictures(all.length)}`
      + (all.length < queue.items.length ? " that the filters show." : ".");
    $("end-next").hidden = !Object.values(decided).some((one) => one.kind !== "keep");
    $("again").textContent = "Look at the skipped ones again";
    $("again").hidden = !left.length;
    (left.length ? $("again") : $("end")).focus();
  };
  const press = (held) => {
    for (const button of document.querySelectorAll(".keys button")) {
      const { kind, label } = button.dataset;
      const on = held ? held.kind === kind && (kind !== "relabel" || held.label === (label ?? current.suggested)) : false;
      if (kind) button.setAttribute("aria-pressed", on);
      if (kind === "relabel" && !label) {
        button.disabled = !current.suggested;
        button.lastChild.textContent = current.suggested ? ` Relabel ${current.suggested}` : " Relabel";
      }
    }
  };

  // 5. Decisions.
  const send = async (item, wanted, before) => {
    if (busy) return false;
    busy = true;
    sent += 1;
    trouble("");
    try {
      const { now, conflict } = await ask("decision", { row: item.row, wanted, seen: before });
      if (now) decided[item.row] = now;
      else delete decided[item.row];
      if (!conflict) return true;
      trouble(`Not written: meanwhile this picture was ${now ? whose(now) : "made open again"}. The same key again overrules that.`);
    } catch (error) {
      trouble(`Not written: ${error.message}`);
    } finally {
      busy = false;
    }
    show(item);
    return false;
  };
  const decide = async (kind, label = "") => {
    const item = current, before = seen;
    if (kind === "relabel" && label === item.label) kind = "keep"; // the class that it has
    if (!(await send(item, { kind, label: kind === "keep" ? item.label : label }, before))) return;
    undone.push([item.row, before, decided[item.row] ?? null]);
    skipped.delete(item.row);
    advance();
    tell(`${item.path}: ${words(decided[item.row])}.`);
  };
  const undo = async () => {
    const [row, before, after] = undone.pop() ?? (current && decided[current.row] ? [current.row, null, decided[current.row]] : []);
    const item = queue.items.find((one) => one.row === row);
    if (!item) return say("There is nothing to undo.");
    if (!(await send(item, before, after))) return undefined;
    show(item);
    return say(`${item.path}: taken back${before ? `, ${words(before)} again` : ""}.`);
  };
  const skip = () => {
    const { row, path } = current;
    skipped.add(row);
    advance();
    tell(`${path}: skipped.`);
  };
  const again = () => {
    skipped.clear();
    advance();
  };

  // 6. Keys.
  const actions = {
    k: ["Keep", () => decide("keep"), "keep"],
    r: ["Relabel", () => current.suggested && decide("relabel", current.suggested), "relabel"],
    d: ["Drop", () => decide("drop"), "drop"],
    s: ["Skip", skip],
    u: ["Undo", undo],
  };
  const keysOf = (names) => {
    const distinct = new Set(names.map((name) => name.toLowerCase())).size === names.length;
    const single = distinct && names.every((name) => /^[0-9a-z]$/i.test(name));
    const free = [..."1234567890abcdefghijklmnopqrstuvwxyz"].filter((key) => !RESERVED.includes(key));
    const keys = single ? names.map((name) => name.toLowerCase()) : names.length <= GRID ? free : [];
    return Object.fromEntries(names.map((name, at) => [keys[at] ?? "", name]).filter(([key]) => key && !RESERVED.includes(key)));
  };
  let classKeys = {};
  const button = (key, text, action, data) => {
    const made = element("button", [...(key ? [element("kbd", key.toUpperCase())] : []), ` ${text}`], { type: "button" });
    if (key) made.setAttribute("aria-keyshortcuts", key);
    Object.assign(made.dataset, data);
    made.addEventListener("click", () => (current || text === "Undo") && action());
    return made;
  };
  const buttons = () => {
    $("decide").replaceChildren(...Object.entries(actions).map(([key, [text, action, kind]]) => button(key, text, action, kind ? { kind } : {})));
    classKeys = keysOf(queue.classes);
    const keyOf = Object.fromEntries(Object.entries(classKeys).map(([key, name]) => [name, key]));
    const grid = queue.classes.length <= GRID ? queue.classes : [];
    $("classes").replaceChildren(...grid.map((name) =>
      button(keyOf[name], keyOf[name] === name ? "" : name, () => decide("relabel", name), { kind: "relabel", label: name })));
    for (const one of $("classes").children) one.setAttribute("aria-label", `Relabel ${one.dataset.label}`);
    $("names").replaceChildren(...queue.classes.map((name) => element("option", [], { value: name })));
    const help = {
      K: "keep the label", R: "give the suggested label", "digit or letter": "give the class of that key", D: "drop the picture",
      S: "skip it, and come back later", U: "undo", "← →": "go back and on", L: "name a class, Enter gives it", Escape: "leave a field",
    };
    $("help-keys").replaceChildren(...Object.entries(help).map(([key, text]) =>
      element("div", [element("dt", element("kbd", key)), element("dd", ` ${text}`)])));
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") {
      document.activeElement.blur();
      return;
    }
    if (event.repeat || busy || !queue || event.target.matches("input:not([type=checkbox]), select")) return;
    const key = event.key.toLowerCase();
    const arrows = { arrowleft: -1, arrowright: 1 };
    let action;
    if (key in arrows) action = () => step(arrows[key]);
    else if (!$("keys-on").checked) return;
    else if (key === "u") action = undo;
    else if (!current) return;
    else if (key === "l") action = () => $("name").focus();
    else if (key in actions) action = actions[key][1];
    else if (key in classKeys) action = () => decide("relabel", classKeys[key]);
    if (!action) return;
    event.preventDefault();
    action();
  });
  $("name").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !current) return;
    event.preventDefault();
    const typed = $("name").value.trim().toLowerCase();
    const exact = queue.classes.filter((name) => name.trim().toLowerCase() === typed);
    const fits = exact.length ? exact : queue.classes.filter((name) => typed && name.toLowerCase().startsWith(typed));
    if (fits.length !== 1) {
      trouble(fits.length ? `${fits.length} classes begin so: ${fits.slice(0, 5).join(", ")}` : `There is no class ${typed}.`);
      return;
    }
    $("name").value = "";
    $("name").blur();
    decide("relabel", fits[0]);
  });

  // 7. The beginning, and what others decide meanwhile.
  const options = (select, all, names) => select.replaceChildren(
    element("option", all, { value: "" }), ...names.map((name) => element("option", name, { value: name })));
  const refresh = async () => {
    const before = sent;
    const found = await ask("decisions");
    if (JSON.stringify(found.state) === state || sent !== before) return;
    state = JSON.stringify(found.state);
    decided = found.decisions;
    if (!current) return;
    const held = decided[current.row];
    $("held").textContent = held ? `Decided: ${whose(held)}.` : "Not decided yet.";
    press(held);
    progress();
  };
  const begin = async () => {
    queue = await ask("queue");
    document.title = `Review: ${queue.dataset}`;
    document.querySelector("h1").textContent = document.title;
    const count = (kind) => queue.items.filter((item) => kind in item.reasons).length;
    options($("reason"), `all (${queue.items.length})`, queue.kinds.filter(count));
    for (const option of [...$("reason").options].slice(1)) option.textContent += ` (${count(option.value)})`;
    const named = queue.classes.filter((name) => queue.items.some((item) => [item.label, item.suggested].includes(name)));
    options($("class"), "all", named);
    buttons();
    await refresh();
    current = null;
    advance();
    setInterval(() => document.hidden || refresh().catch((error) => trouble(error.message)), ASK_SECONDS * 1000);
  };
  let byPointer = false;
  document.addEventListener("pointerdown", () => { byPointer = true; }, true);
  document.addEventListener("keydown", () => { byPointer = false; }, true);
  $("filter").addEventListener("change", () => {
    if (byPointer) document.activeElement.blur(); // so that the next key decides, and is no name of an option
    const first = queue.items.find((item) => passes(item) && waits(item));
    show(first ?? null);
  });
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  $("again").addEventListener("click", again);
  begin().catch((error) => trouble(error.message));
}
