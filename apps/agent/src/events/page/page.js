/** The page of the events job. The token lives in a variable of this module, nowhere else. */
const pollMs = 2000;
const lettersPage = 20;
const tones = {
  running: "good",
  standby: "good",
  starting: "",
  connecting: "",
  paused: "warn",
  stopped: "",
  retrying: "bad",
  blocked: "warn",
  failing: "bad",
  held: "bad",
  broken: "bad",
};
const meanings = {
  running: "Events are received and delivered.",
  standby:
    "Events are received; the other agent of the pair delivers them. This one takes over when that one is gone.",
  starting: "It is being started.",
  connecting: "The connection to the broker is being made.",
  retrying: "The broker cannot be reached; it is tried again for ever.",
  blocked: "Events are held back.",
  failing: "The receiver does not take events at the moment. They are kept on disk and tried again.",
  held: "The receiver refuses everything until somebody changes something there, or the key. Events are kept on disk.",
  paused: "Events are received and kept on disk; nothing is delivered.",
  stopped: "Nothing is received; what is on disk stays there.",
  broken: "It could not be started; it is tried again.",
};
const verbs = { running: ["pause", "stop", "restart"], paused: ["start", "stop"], stopped: ["start"] };

let token;
let timer;
let letters = [];
/** What the last thing that somebody did came to; shown until the next. */
let outcome;

const at = (id) => document.getElementById(id);

/** An element with text and children; texts are never read as HTML. */
function make(tag, options = {}, ...children) {
  const { text, ...attributes } = options;
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value);
  }
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(method, path, body) {
  const headers = {};
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(path, {
    method,
    headers,
    body: body && JSON.stringify(body),
    cache: "no-store",
  });
  if (response.ok) return response;
  const { message = response.statusText, hint } = await response.json().catch(() => ({}));
  throw new Refused(response.status, hint ? `${message}\n${hint}` : message);
}

const askJson = async (...request) => (await ask(...request)).json();

function tell(problem, tone = "bad") {
  at("notice").hidden = problem === undefined;
  at("notice").className = `notice ${tone}`;
  at("notice").textContent = problem ?? "";
}

function showLogin(problem) {
  token = undefined;
  clearTimeout(timer);
  at("board").hidden = true;
  at("leave").hidden = true;
  at("login").hidden = false;
  at("summary").textContent = "";
  tell(problem);
  at("token").focus();
}

/** Shows how things are, now and then again every two seconds. */
async function refresh() {
  clearTimeout(timer);
  try {
    const status = await askJson("GET", "subscriptions");
    at("login").hidden = true;
    at("board").hidden = false;
    at("leave").hidden = token === undefined;
    if (status.failure === undefined && outcome !== undefined) tell(outcome.text, outcome.tone);
    else tell(status.failure);
    show(status);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      return showLogin(token === undefined ? undefined : "This token is not the right one.");
    }
    tell(error instanceof Refused ? error.message : "The agent does not answer.");
  }
  timer = setTimeout(refresh, pollMs);
}

function show({ subscriptions, problems, deadLetters }) {
  const running = subscriptions.filter(({ state }) => state === "running").length;
  const count = deadLetters?.letters ?? 0;
  const readOnly = token === undefined ? " · read only: the configuration has no admin.token" : "";
  const standbys = subscriptions.filter(({ state }) => state === "standby").length;
  const standing = standbys === 0 ? "" : ` · ${standbys} standing by`;
  at("summary").textContent =
    `${running} of ${subscriptions.length} running${standing} · ${number(count)} dead ${count === 1 ? "letter" : "letters"} kept${readOnly}`;
  for (const element of document.querySelectorAll(".changing")) element.hidden = token === undefined;
  at("problems").hidden = problems.length === 0;
  at("problems").replaceChildren(...problems.map((text) => make("li", { text })));
  showCards(subscriptions);
  const names = ["", ...subscriptions.map(({ name }) => name)];
  const select = at("letters-of");
  if (names.join() !== [...select.options].map(({ value }) => value).join()) {
    const chosen = select.value;
    select.replaceChildren(
      ...names.map((value) => make("option", { value, text: value || "all subscriptions" })),
    );
    select.value = names.includes(chosen) ? chosen : "";
  }
  at("replay").hidden = at("drop").hidden = token === undefined || select.value === "";
}

/** Cards stay the same elements, so that focus and open details stay. */
function showCards(subscriptions) {
  const list = at("subscriptions");
  const known = new Map([...list.children].map((card) => [card.dataset.name, card]));
  if (subscriptions.length === 0) {
    list.replaceChildren(make("p", { class: "empty", text: "There are no subscriptions yet." }));
    return;
  }
  list.replaceChildren(
    ...subscriptions.map((each) => {
      const card = known.get(each.name) ?? makeCard(each);
      fillCard(card, each);
      return card;
    }),
  );
}

function makeCard({ name, settings }) {
  const card = make(
    "article",
    { class: "card", "data-name": name },
    make("div", { class: "title" }, make("h3", { text: name }), make("span", { class: "badge" })),
    make("p", { class: "hint" }),
    make("p", { class: "notice bad", hidden: "" }),
    make("dl", { class: "figures" }),
    make("dl", { class: "way" }),
    make("div", { class: "buttons" }),
    make(
      "details",
      {},
      make("summary", { text: "Settings" }),
      make("pre", { text: JSON.stringify(settings, null, 2) }),
    ),
  );
  return card;
}

function fillCard(card, subscription) {
  const { name, state, wanted, origin, lastError, rates, lagSeconds, spool, broker, target, events } =
    subscription;
  const { blockedBy } = subscription;
  const why = blockedBy ? ` By the ${blockedBy.by}: ${blockedBy.message}.` : "";
  const [badge, hint, error] = [".badge", ".hint", ".notice"].map((each) => card.querySelector(each));
  badge.textContent = state;
  badge.className = `badge ${tones[state] ?? ""}`;
  hint.textContent = `${meanings[state] ?? ""}${why} From: ${origin}.`;
  error.hidden = lastError === undefined;
  error.className = `notice ${tones[state] === "bad" ? "bad" : "warn"}`;
  error.textContent = lastError
    ? `${tones[state] === "bad" ? "" : "Last error: "}${lastError.message} (${when(lastError.at)})`
    : "";
  const dead = Object.values(events?.dead ?? {}).reduce((sum, each) => sum + each, 0);
  card.querySelector(".figures").replaceChildren(
    ...figures({
      "in, messages/s": number(rates.messagesIn),
      "out, events/s": number(rates.eventsOut),
      waiting: number(spool.records),
      "oldest of them": duration(lagSeconds),
      [`on disk, of ${bytes(spool.limitBytes)}`]: bytes(spool.bytes),
      delivered: number(events?.out ?? 0),
      duplicates: number(events?.duplicates ?? 0),
      "dead so far": number(dead),
    }),
  );
  card.querySelector(".way").replaceChildren(
    ...figures({
      broker: broker
        ? `${broker.broker} · ${broker.state}${broker.gaps ? ` · ${broker.gaps} gaps` : ""}`
        : "–",
      receiver: target ? `${target.address} · ${state === "standby" ? "standing by" : target.state}` : "–",
      ...(broker?.pair && { pair: pairText(broker.pair) }),
    }),
  );
  const buttons = card.querySelector(".buttons");
  const wantedVerbs =
    token === undefined ? [] : [...verbs[wanted], ...(origin === "added" ? ["remove"] : [])];
  if (buttons.dataset.verbs === wantedVerbs.join()) return;
  buttons.dataset.verbs = wantedVerbs.join();
  buttons.replaceChildren(
    ...wantedVerbs.map((verb) =>
      make("button", {
        text: verb[0].toUpperCase() + verb.slice(1),
        class: verb === "remove" ? "danger" : undefined,
        click: (event) =>
          verb === "remove"
            ? askToRemove(event.currentTarget, subscription)
            : act(event.currentTarget, name, verb),
      }),
    ),
  );
}

function pairText({ isLeading, held, overlap, takeovers }) {
  const role = isLeading
    ? "this agent delivers"
    : `the other one delivers · ${number(held)} held for a takeover`;
  if (takeovers === 0) return role;
  const times = takeovers === 1 ? "took over once" : `took over ${number(takeovers)} times`;
  return `${role} · ${times} · ${number(overlap)} perhaps delivered twice`;
}

const figures = (all) =>
  Object.entries(all).map(([name, value]) =>
    make("div", {}, make("dt", { text: name }), make("dd", { text: value })),
  );

const path = (name) => `subscriptions/${encodeURIComponent(name)}`;

/** Does something, with its button out of use meanwhile, and shows what became of it: what `work` returns, or why it failed. */
async function during(button, work) {
  button.disabled = true;
  outcome = undefined;
  try {
    const text = await work();
    outcome = text === undefined ? undefined : { text, tone: "warn" };
    await refresh();
  } catch (error) {
    const text = error instanceof Refused ? error.message : "The agent does not answer.";
    outcome = { text, tone: "bad" };
    tell(text);
  } finally {
    button.disabled = false;
  }
}

function act(button, name, verb) {
  const question = `Stop ${name}? While it is stopped, Redis keeps nothing for it; RabbitMQ keeps what its queue may hold.`;
  if (verb === "stop" && !confirm(question)) return;
  void during(button, async () => {
    await ask("POST", `${path(name)}/${verb}`);
  });
}

function askToRemove(button, { name, brokerKind, settings }) {
  at("removing-title").textContent = `Remove ${name}?`;
  at("removing-queue").hidden = brokerKind !== "amqp";
  at("removing-name").textContent = settings.queue;
  at("removing-delete").checked = false;
  at("removing-confirm").onclick = () => {
    const query = at("removing-delete").checked ? "?queue=delete" : "";
    void during(button, async () => {
      const { queue } = await askJson("DELETE", path(name) + query);
      if (queue === undefined) return undefined;
      return queue.isDeleted
        ? `${name} is removed, and its queue ${queue.name} with ${number(queue.messages)} messages.`
        : `${name} is removed. Its queue ${queue.name}: ${queue.note}.`;
    });
  };
  at("removing").showModal();
}

async function showLetters(isMore) {
  const of = at("letters-of").value;
  const after = isMore ? (letters.at(-1)?.id ?? 0) : 0;
  const query = new URLSearchParams({ after, limit: lettersPage, ...(of && { subscription: of }) });
  const { deadLetters } = await askJson("GET", `dead-letters?${query}`);
  letters = isMore ? [...letters, ...deadLetters] : deadLetters;
  at("more").hidden = deadLetters.length < lettersPage;
  at("letters").replaceChildren(
    ...(letters.length === 0
      ? [make("p", { class: "empty", text: "There are none." })]
      : letters.map(makeLetter)),
  );
}

function makeLetter(letter) {
  const { id, subscription, reason, detail, count, lastAt, text, base64, isShortened, cannotReplay } = letter;
  const body = text ?? `base64: ${base64}`;
  const changes = [...(cannotReplay ? [] : [["Replay", "replay", ""]]), ["Drop", "drop", "danger"]];
  return make(
    "article",
    { class: "card" },
    make(
      "div",
      { class: "title" },
      make("h3", { text: `${reason}: ${detail}` }),
      make(
        "span",
        { class: "buttons" },
        ...(token === undefined ? [] : changes).map(([label, verb, tone]) =>
          make("button", {
            text: label,
            class: tone,
            click: ({ currentTarget }) => changeLetters(currentTarget, verb, { ids: [id] }),
          }),
        ),
      ),
    ),
    make("p", {
      class: "hint",
      text: `${subscription} · no. ${id} · ${when(lastAt)}${count > 1 ? ` · ${count} times` : ""}${
        cannotReplay ? ` · cannot be replayed: ${cannotReplay}` : ""
      }`,
    }),
    make(
      "details",
      {},
      make("summary", { text: "What was received" }),
      make("pre", { text: isShortened ? `${body}…` : body }),
    ),
  );
}

function changeLetters(button, verb, selection) {
  void during(button, async () => {
    const { left = [] } = await askJson("POST", `dead-letters/${verb}`, selection);
    await showLetters(false);
    if (left.length === 0) return undefined;
    return `Not replayed: ${left.map(({ letters, reason }) => `${number(letters)}, because ${reason}`).join("; ")}.`;
  });
}

function changeAll({ currentTarget }) {
  const subscription = at("letters-of").value;
  const verb = currentTarget.id;
  if (!confirm(`${verb === "drop" ? "Drop" : "Replay"} all dead letters of ${subscription}?`)) return;
  changeLetters(currentTarget, verb, { subscription });
}

async function exportLetters() {
  const of = at("letters-of").value;
  const response = await ask(
    "GET",
    `dead-letters/export${of ? `?subscription=${encodeURIComponent(of)}` : ""}`,
  );
  const url = URL.createObjectURL(await response.blob());
  make("a", { href: url, download: `dead-letters${of ? `-${of}` : ""}.ndjson` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

async function add(event) {
  event.preventDefault();
  const form = new FormData(event.target);
  const problem = at("adding-problem");
  problem.hidden = true;
  at("confirm").disabled = true;
  try {
    const { sink, url, key, more, ...settings } = Object.fromEntries(form);
    const receiver =
      sink === "webhook" ? { webhook: { url, ...(key && { secret: key }) } } : { api_url: url, app_key: key };
    await ask("POST", "subscriptions", { ...settings, ...receiver, ...(more.trim() && JSON.parse(more)) });
    at("adding").close();
    event.target.reset();
    await refresh();
  } catch (error) {
    problem.hidden = false;
    problem.textContent = error instanceof SyntaxError ? "The further settings are not JSON." : error.message;
  } finally {
    at("confirm").disabled = false;
  }
}

const number = (value) => new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 }).format(value);
const when = (time) => new Date(time).toLocaleString();

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB"];
  const power = Math.min(3, Math.floor(Math.log2(Math.max(1, value)) / 10));
  return `${number(value / 1024 ** power)} ${units[power]}`;
}

function duration(seconds) {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 360) / 10} h`;
}

const orTell = (work) => (event) =>
  Promise.resolve(work(event)).catch((error) =>
    tell(error instanceof Refused ? error.message : String(error)),
  );

at("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token").value.trim();
  at("token").value = "";
  refresh().then(
    () => token !== undefined && showLetters(false),
    () => {},
  );
});
at("leave").addEventListener("click", () => showLogin());
at("add").addEventListener("click", () => at("adding").showModal());
at("cancel").addEventListener("click", () => at("adding").close());
at("removing-cancel").addEventListener("click", () => at("removing").close());
at("adding").addEventListener("submit", add);
at("adding").addEventListener("change", ({ target }) => {
  if (target.name === "sink")
    at("key-label").textContent =
      target.value === "webhook" ? "Secret that signs (optional)" : "Application key";
});
at("letters-of").addEventListener(
  "change",
  orTell(async () => {
    await showLetters(false);
    await refresh();
  }),
);
at("more").addEventListener(
  "click",
  orTell(() => showLetters(true)),
);
at("export").addEventListener("click", orTell(exportLetters));
at("replay").addEventListener("click", changeAll);
at("drop").addEventListener("click", changeAll);
await refresh();
if (at("login").hidden) await orTell(() => showLetters(false))();
