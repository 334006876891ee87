// The stacked histogram of alerts. Colours come from the design tokens; a click or a drag narrows the time.

import { chooseTimes } from "./filters.js";

const box = document.getElementById("histogram");
const chart = window.echarts.init(box, null, { renderer: "canvas" });
const LEVELS = ["informational", "low", "medium", "high", "critical"];
let shown = null;

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function label(ms, step) {
  const at = new Date(ms);
  const two = (n) => String(n).padStart(2, "0");
  const day = `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}${step < 60000 ? `:${two(at.getSeconds())}` : ""}`;
  if (step >= 86400000) return day;
  return step >= 1200000 ? `${day} ${time}` : time;
}

function draw() {
  const data = document.getElementById("histogram-data");
  const found = JSON.parse(data.dataset.histogram);
  const names = JSON.parse(data.dataset.names);
  shown = found;
  const total = LEVELS.reduce((sum, level) => sum + (found.series[level] ?? []).reduce((a, b) => a + b, 0), 0);
  const text = { color: token("muted"), fontFamily: token("sans"), fontSize: 11 };
  chart.setOption({
    animationDuration: 200,
    grid: { left: 8, right: 14, top: 16, bottom: 6, containLabel: true },
    // Rich text is drawn on the canvas; HTML tooltips would need inline styles, which the policy forbids.
    tooltip: {
      trigger: "axis", renderMode: "richText", confine: true, axisPointer: { type: "shadow", shadowStyle: { color: token("line-strong"), opacity: 0.35 } },
      backgroundColor: token("raised"), borderColor: token("line-strong"), textStyle: { ...text, color: token("text"), fontSize: 12 },
      formatter: (items) => {
        const lines = items.filter((item) => item.value > 0).reverse().map((item) => `${item.marker} ${item.seriesName}  ${item.value}`);
        return [`${label(found.starts[items[0].dataIndex], found.step)} – ${label(found.starts[items[0].dataIndex] + found.step, found.step)}`, ...lines].join("\n");
      },
    },
    xAxis: {
      type: "category", data: found.starts.map((ms) => label(ms, found.step)), axisTick: { show: false },
      axisLine: { lineStyle: { color: token("line-strong") } }, axisLabel: { ...text, hideOverlap: true },
    },
    yAxis: { type: "value", minInterval: 1, splitNumber: 3, splitLine: { lineStyle: { color: token("line") } }, axisLabel: text },
    graphic: { type: "text", left: "center", top: "middle", silent: true, style: { text: total ? "" : data.dataset.empty, fill: token("muted"), font: `12px ${token("sans")}` } },
    series: LEVELS.map((level) => ({
      id: level, name: names[level], type: "bar", stack: "alerts", barCategoryGap: "22%", barMaxWidth: 28,
      itemStyle: { color: token(`${level}-fill`) }, data: found.series[level] ?? [], emphasis: { disabled: true },
    })),
  });
}

let from = null;
const bucket = (event) => {
  const at = chart.convertFromPixel({ xAxisIndex: 0 }, event.offsetX);
  return Math.min(shown.starts.length - 1, Math.max(0, at));
};
chart.getZr().on("mousedown", (event) => { from = shown.starts.length ? bucket(event) : null; });
chart.getZr().on("mouseup", (event) => {
  if (from === null) return;
  const [first, last] = [from, bucket(event)].sort((a, b) => a - b);
  from = null;
  chooseTimes(shown.starts[first], shown.starts[last] + shown.step);
});

draw();
document.addEventListener("htmx:oobAfterSwap", (event) => { if (event.detail.target.id === "histogram-data") draw(); });
document.addEventListener("theme-changed", draw);
matchMedia("(prefers-color-scheme: light)").addEventListener("change", draw);
new ResizeObserver(() => chart.resize()).observe(box);
