// Draws the list as rows of a table. A product keeps its row, and the row moves to its place.

const MARK_MS = 60_000;
const MOVE = { duration: 500, easing: "cubic-bezier(0.2, 0, 0, 1)" };
const FLASH = { duration: 1_800, easing: "ease-out" };

const number = new Intl.NumberFormat();
const won = new Intl.NumberFormat(undefined, {
  style: "currency",
  currency: "KRW",
  currencyDisplay: "narrowSymbol",
});
const stillness = matchMedia("(prefers-reduced-motion: reduce)");

/** Make a table of a `tbody` and the template of its rows. */
export function createTable(body, template) {
  const rows = new Map();

  /** Show products in their order; what differs from before is marked, unless `isFresh`. */
  function show(products, isFresh) {
    const before = new Map([...rows.values()].map((row) => [row, row.top()]));
    const most = Math.max(1, ...products.map((product) => product.quantity));
    const shown = products.map((product) => {
      const row = rows.get(product.productId) ?? new Row(template);
      rows.set(product.productId, row);
      row.fill(product, most, isFresh);
      return row;
    });
    arrange(shown);
    shown.forEach((row) => row.settle());
    const after = shown.map((row) => row.top());
    if (!stillness.matches) {
      shown.forEach((row, index) => row.glide(before.get(row), after[index]));
    }
  }

  function arrange(shown) {
    const kept = new Set(shown);
    for (const [productId, row] of rows) {
      if (!kept.has(row)) {
        row.leave();
        rows.delete(productId);
      }
    }
    // Rows that stand where they belong are not touched: an animation would end there.
    shown.forEach((row, index) => {
      if (body.children[index] !== row.element) {
        body.insertBefore(row.element, body.children[index] ?? null);
      }
    });
  }

  return { show };
}

class Row {
  constructor(template) {
    this.element = template.content.firstElementChild.cloneNode(true);
    this.rank = null;
    this.quantity = null;
    this.markedFrom = null;
    this.markTimer = 0;
  }

  /** Put a product in. Names are text, whatever they look like. */
  fill(product, most, isFresh) {
    this.#write(".name", product.name);
    this.#write(".rank", number.format(product.rank));
    this.#write(".price", won.format(product.price));
    this.#write(".quantity", number.format(product.quantity));
    this.element.style.setProperty("--share", Math.max(0, product.quantity / most));
    const isNew = this.rank === null;
    if (!isFresh) {
      this.#mark(product.rank, isNew);
    }
    if (!isFresh && !isNew && product.quantity > this.quantity) {
      this.#flash();
    }
    this.rank = product.rank;
    this.quantity = product.quantity;
  }

  top() {
    return this.element.getBoundingClientRect().top;
  }

  /** End a move that is under way. */
  settle() {
    this.gliding?.cancel();
  }

  /** Move here from where the row was seen last; one that was not there appears. */
  glide(from, to) {
    if (from === undefined) {
      this.element.animate([{ opacity: 0 }, { opacity: 1 }], MOVE);
    } else if (Math.abs(from - to) >= 1) {
      // What climbs passes in front of what falls.
      const zIndex = from > to ? 1 : 0;
      const start = { transform: `translateY(${from - to}px)`, zIndex };
      this.gliding = this.element.animate([start, { transform: "none", zIndex }], MOVE);
    }
  }

  leave() {
    clearTimeout(this.markTimer);
    this.element.remove();
  }

  #write(selector, text) {
    const element = this.element.querySelector(selector);
    if (element.textContent !== text) {
      element.textContent = text;
    }
  }

  /** Say how far it moved; moves that follow within a minute are added up. */
  #mark(rank, isNew) {
    if (!isNew && rank === this.rank) {
      return;
    }
    this.markedFrom ??= isNew ? "new" : this.rank;
    this.#showChange(this.markedFrom === "new" ? "new" : this.markedFrom - rank);
    clearTimeout(this.markTimer);
    this.markTimer = setTimeout(() => {
      this.markedFrom = null;
      this.#showChange(0);
    }, MARK_MS);
  }

  #showChange(change) {
    const element = this.element.querySelector(".change");
    if (change === "new") {
      element.textContent = "new";
      element.dataset.way = "new";
      return;
    }
    const way = change > 0 ? "up" : "down";
    element.replaceChildren(...(change ? described(way, Math.abs(change)) : []));
    element.dataset.way = change ? way : "";
  }

  #flash() {
    const start = { backgroundColor: "var(--flash)" };
    const end = { backgroundColor: "transparent" };
    this.element.querySelector(".quantity").animate([start, end], FLASH);
  }
}

function described(way, places) {
  const seen = document.createElement("span");
  seen.ariaHidden = "true";
  seen.textContent = `${way === "up" ? "▲" : "▼"}\u2009${number.format(places)}`;
  const heard = document.createElement("span");
  heard.className = "unseen";
  heard.textContent = `${way} ${number.format(places)}`;
  return [seen, heard];
}
