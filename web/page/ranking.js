// The page: the live list, how many of it, when it was so, and whether it still moves.

import { createStream } from "./stream.js";
import { createTable } from "./table.js";

const LIMITS = [5, 10, 50, 100];
const LIMIT_DEFAULT = 10;
const HOUR_MS = 3_600_000;
// Whoever listens instead of looking hears of a new leader, but not of every one in a rush.
const ANNOUNCE_MS = 15_000;
const SAID_BY_STATE = {
  connecting: "Connecting",
  live: "Live",
  waiting: "Waiting for the list",
  reconnecting: "Reconnecting",
  lost: "No connection",
};

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const hours = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

const find = (id) => document.getElementById(id);
const table = createTable(find("top").tBodies[0], find("row"));
const stream = createStream({ onTop: receive, onState: showState });

let latest = null;
// Whether nothing was seen that a list could differ from.
let isFresh = true;
let leader = null;
let announcing = 0;
let announced = "";

/** Keep a list for the next frame: of several between two frames only the last is drawn. */
function receive(top) {
  if (latest === null) {
    requestAnimationFrame(draw);
  }
  latest = top;
}

function draw() {
  if (latest === null) {
    return;
  }
  const { products, asOf, window: counted } = latest;
  latest = null;
  table.show(products, isFresh);
  isFresh = products.length === 0;
  find("top").hidden = products.length === 0;
  find("empty").hidden = products.length > 0;
  showTimes(new Date(asOf), new Date(counted.from), new Date(counted.to));
  noteLeader(products[0]);
}

function showTimes(asOf, from, to) {
  const many = Math.round((to - from) / HOUR_MS);
  find("counted").textContent = `Last ${many} hours, ${hours.formatRange(from, to)}`;
  find("as-of").textContent = `as of ${clock.format(asOf)}`;
  find("as-of").title = asOf.toLocaleString();
}

function noteLeader(first) {
  if (first !== undefined && leader !== null && first.productId !== leader) {
    announce(`${first.name} is first now, with ${first.quantity.toLocaleString()} sold`);
  }
  leader = first?.productId ?? leader;
}

function announce(text) {
  announced = text;
  if (!announcing) {
    find("announcer").textContent = text;
    announcing = setTimeout(() => {
      announcing = 0;
      if (announced !== text) {
        announce(announced);
      }
    }, ANNOUNCE_MS);
  }
}

function showState(state) {
  const element = find("state");
  document.body.dataset.state = state;
  element.dataset.state = state;
  if (element.textContent !== SAID_BY_STATE[state]) {
    element.textContent = SAID_BY_STATE[state];
  }
}

/** Follow a list of this length. Rows that come with a longer list are not news. */
function choose(limit) {
  latest = null;
  isFresh = true;
  stream.follow(new URL(`api/v1/products/top/stream?limit=${limit}`, document.baseURI));
}

function start() {
  const asked = Number(new URLSearchParams(location.search).get("limit"));
  const limit = LIMITS.includes(asked) ? asked : LIMIT_DEFAULT;
  const form = document.forms[0];
  form.elements.limit.value = limit;
  form.addEventListener("change", () => {
    const { value } = form.elements.limit;
    history.replaceState(null, "", `?limit=${value}`);
    choose(value);
  });
  find("zone").textContent = `Times are in ${clock.resolvedOptions().timeZone}.`;
  find("live").hidden = false;
  find("state").hidden = false;
  showState("connecting");
  choose(limit);
}

start();
