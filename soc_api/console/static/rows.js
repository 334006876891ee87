// Rows: j and k move, Enter opens, / searches, Escape leaves; a click anywhere in a row opens it; event rows unfold.

const rows = () => [...document.querySelectorAll("tr.row")];
const typing = (element) => element.closest("input, textarea, select, [contenteditable]");

function choose(row) {
  document.querySelector("tr.row.chosen")?.classList.remove("chosen");
  if (!row) return;
  row.classList.add("chosen");
  row.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.classList.contains("chosen"));
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step));
  choose(all[next]);
  if (next === all.length - 1 && step > 0) document.querySelector(".more-row [hx-get]")?.click();
}

function unfold(row) {
  const button = row.querySelector(".expander");
  const open = row.nextElementSibling;
  if (open?.classList.contains("expansion")) {
    open.remove();
    button?.setAttribute("aria-expanded", "false");
    return;
  }
  const expansion = document.createElement("tr");
  expansion.className = "expansion";
  const cell = expansion.insertCell();
  cell.colSpan = row.cells.length;
  row.after(expansion);
  button?.setAttribute("aria-expanded", "true");
  window.htmx.ajax("GET", row.dataset.expand, { target: cell, swap: "innerHTML" });
}

function open(row, event) {
  if (row.dataset.expand) return unfold(row);
  const link = row.querySelector("a.title");
  if (!link) return undefined;
  if (event?.ctrlKey || event?.metaKey || event?.button === 1) window.open(link.href, "_blank", "noopener");
  else location.href = link.href;
  return undefined;
}

document.addEventListener("click", (event) => {
  const row = event.target.closest("tr.row");
  if (!row) return;
  if (event.target.closest(".expander")) return unfold(row);
  if (event.target.closest("a, button, input") || String(getSelection())) return undefined;
  choose(row);
  return open(row, event);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const search = document.querySelector("[data-search]");
  const chosen = document.querySelector("tr.row.chosen");
  if (event.key === "/" && search) search.focus(), search.select();
  else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "Enter" && chosen && !event.target.closest("a, button, summary")) open(chosen, event);
  else return;
  event.preventDefault();
});

// The chosen row stays chosen when the rows are drawn again.
let kept = "";
document.addEventListener("htmx:beforeSwap", () => {
  kept = document.querySelector("tr.row.chosen")?.dataset.id ?? "";
});
document.addEventListener("htmx:afterSettle", () => {
  if (kept) document.querySelector(`tr.row[data-id="${CSS.escape(kept)}"]`)?.classList.add("chosen");
});

// Back goes to the list as it was filtered, where that is where the reader came from.
document.querySelector("[data-back]")?.addEventListener("click", (event) => {
  const last = sessionStorage.getItem("alerts");
  if (!last) return;
  event.preventDefault();
  location.href = last;
});
if (location.pathname === "/alerts") {
  const keep = () => sessionStorage.setItem("alerts", `/alerts${location.search}`);
  keep();
  document.addEventListener("htmx:replacedInHistory", keep);
}
