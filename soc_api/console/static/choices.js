// What holds on every page: language, theme and time zone of this browser, toasts, and what htmx could not get.

const YEAR_S = 365 * 24 * 3600;

function remember(name, value) {
  document.cookie = `${name}=${value};path=/;max-age=${YEAR_S};samesite=strict`;
}

function isLight(root) {
  return root.dataset.theme === "light" || (root.dataset.theme === "auto" && matchMedia("(prefers-color-scheme: light)").matches);
}

export function toast(title, text, { href = "", level = "", seconds = 8 } = {}) {
  const box = document.createElement(href ? "a" : "div");
  if (href) box.href = href;
  box.className = `toast${level ? ` level-${level}` : ""}`;
  const head = document.createElement("b");
  head.textContent = title;
  const body = document.createElement("span");
  body.textContent = text;
  box.append(head, body);
  const shelf = document.getElementById("toasts");
  shelf.append(box);
  while (shelf.children.length > 4) shelf.firstChild.remove();
  setTimeout(() => box.remove(), seconds * 1000);
}

// Characters that hide or reorder text become visible, as they do in what the server draws.
export function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

function reason(html) {
  const part = new DOMParser().parseFromString(html, "text/html").querySelector(".part-error");
  return part ? part.textContent.replace(/\s+/g, " ").trim() : "";
}

remember("zone", Intl.DateTimeFormat().resolvedOptions().timeZone);

document.addEventListener("click", (event) => {
  const language = event.target.closest("[data-language]");
  if (language) {
    remember("language", language.dataset.language);
    location.reload();
  }
  if (event.target.closest("[data-theme-toggle]")) {
    const root = document.documentElement;
    root.dataset.theme = isLight(root) ? "dark" : "light";
    remember("theme", root.dataset.theme);
    document.dispatchEvent(new CustomEvent("theme-changed"));
  }
});

document.addEventListener("htmx:sendError", () => toast(document.body.dataset.lost, "", { level: "high" }));
// A refusal that has something to say is shown where the answer was to go; anything else as a toast.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  if (xhr.status < 400) return;
  if (xhr.responseText.includes("part-error") && target.id !== "alert-head" && target.tagName !== "TR") {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
    event.detail.swapOverride = "innerHTML";
  } else {
    toast(document.body.dataset.failed, reason(xhr.responseText), { level: "high" });
  }
});
