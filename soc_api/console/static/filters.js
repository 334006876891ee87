// The filter bar: custom times, removable filters, sorting by a column's head. The form is the state; htmx sends it.

const form = document.getElementById("filters");

export function apply() {
  form.dispatchEvent(new CustomEvent("refresh"));
}

function showCustom(on) {
  const box = form.querySelector("[data-custom-range]");
  box.hidden = !on;
  for (const input of box.querySelectorAll("input")) input.disabled = !on;
}

// From and to in ms; written in the browser's own zone, which the server knows by cookie.
export function chooseTimes(since, until) {
  form.elements.range.value = "custom";
  showCustom(true);
  for (const [name, ms] of [["since", since], ["until", until]]) {
    const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60000);
    form.elements[name].value = local.toISOString().slice(0, 19);
  }
  apply();
}

// Before htmx sees the change: text is sent as it is typed or by Enter, and not a second time when the field is left;
// choosing "from – to" opens the two fields and waits for them.
form.addEventListener("change", (event) => {
  if (event.target.id === "text") event.stopPropagation();
  if (event.target.name !== "range") return;
  const custom = event.target.value === "custom";
  showCustom(custom);
  if (custom) event.stopPropagation();
}, true);

document.addEventListener("click", (event) => {
  const sort = event.target.closest("[data-sort]");
  if (sort && form.elements.sort) {
    form.elements.sort.value = sort.dataset.sort;
    apply();
  }
  const unpick = event.target.closest("[data-unpick]");
  if (unpick) {
    unpick.closest(".picked").remove();
    apply();
  }
});
