"use strict";
(() => {
  const all = selector => [...document.querySelectorAll(selector)];
  const form = document.getElementById("filter"), cases = all("[data-rule]");
  const groups = all("details.cause, #cases > section > details, #cases > details, #cases tbody");

  function filter() {
    const { subject, status, rule } = form.elements;
    let shown = new Set();
    for (const one of cases) {
      const every = one.dataset.status.split(" ");
      const seen = subject && subject.value ? [every[subject.value]] : every;
      const right = !status.value || seen.some(s => status.value === "!" ? s && s !== "passed" : s === status.value);
      one.hidden = !right || (rule.value !== "" && rule.value !== one.dataset.rule);
      if (!one.hidden && one.tagName === "TR") shown.add(one);
    }
    for (const group of groups) group.hidden = !group.querySelector("[data-rule]:not([hidden])");
    const rows = cases.filter(one => one.tagName === "TR").length;
    form.querySelector("output").textContent = `${shown.size} of ${rows} cases`;
  }

  function reveal() {   // what a link leads to, though it be folded or filtered away
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("[hidden]")) { form.reset(); filter(); }
    for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
    const box = target.closest(".many .wide");
    (box || target).scrollIntoView();
    if (!box) return;   // a box that scrolls by itself keeps its heads in sight
    const [here, there] = [target, box].map(e => e.getBoundingClientRect());
    box.scrollTop += here.top - there.top - box.clientHeight / 2;
    box.scrollLeft += here.left - there.left - box.clientWidth / 2;
  }

  let folded = [];
  addEventListener("beforeprint", () => { folded = all("details:not([open])"); folded.forEach(e => { e.open = true; }); });
  addEventListener("afterprint", () => { folded.forEach(e => { e.open = false; }); folded = []; });
  addEventListener("hashchange", reveal);
  form.addEventListener("change", filter);
  form.addEventListener("submit", event => event.preventDefault());
  form.elements.unfold.addEventListener("click", () => all("details.cause, details.case").forEach(e => { e.open = true; }));
  form.elements.fold.addEventListener("click", () => all("details.cause, details.case").forEach(e => { e.open = false; }));
  form.hidden = false;
  filter();
  if (location.hash) { reveal(); addEventListener("load", reveal); }
})();
