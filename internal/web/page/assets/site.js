// Everything works without this file. It moves the focus to the error summary,
// hides questions that do not count, and says times in the visitor's own zone.
(function () {
  "use strict";

  var summary = document.querySelector("[data-focus]");
  if (summary) summary.focus();

  // What was done just now is said once, and is no part of the address to keep.
  if (/^\?(saved|left)$/.test(location.search)) history.replaceState(null, "", location.pathname);

  function answers(form, name) {
    return new FormData(form).getAll(name);
  }

  function show(form) {
    form.querySelectorAll("[data-if]").forEach(function (field) {
      var on = form.querySelector('[name="' + CSS.escape(field.dataset.if) + '"]');
      var parent = on && on.closest("[data-if]");
      var wanted = JSON.parse(field.dataset.is);
      field.hidden = Boolean(parent && parent.hidden) || !answers(form, field.dataset.if).some(function (a) {
        return wanted.indexOf(a) >= 0;
      });
    });
  }

  document.querySelectorAll("form").forEach(function (form) {
    if (!form.querySelector("[data-if]")) return;
    form.classList.add("scripted");
    form.addEventListener("input", function () { show(form); });
    show(form);
  });

  // Back brings values back, but not always into sight.
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form").forEach(show);
    document.querySelectorAll("details").forEach(function (part) {
      part.open = part.open || Array.from(part.querySelectorAll("input")).some(function (input) { return input.value; });
    });
  });

  // In a frame on an organiser's site (embed.js) each page says that it is there,
  // and Esc is passed on. What may not be framed opens outside, and the form says
  // that it is framed, so that its answer may be, too.
  if (window.parent !== window) {
    var tell = function (word) { window.parent.postMessage("turnout:" + word, "*"); };
    document.querySelectorAll("a[href]").forEach(function (a) {
      if (!/^\/events\/[^/.]+(\/register)?$/.test(a.pathname)) a.target = "_top";
    });
    document.querySelectorAll("form").forEach(function (form) {
      var field = form.appendChild(document.createElement("input"));
      field.type = "hidden";
      field.name = "framed";
      field.value = "yes";
    });
    document.addEventListener("keydown", function (event) {
      if (event.key === "Escape" && !event.isComposing && !event.defaultPrevented) tell("close");
    });
    tell("ready");
  }

  document.querySelectorAll(".visitor").forEach(function (el) {
    var start = new Date(el.dataset.start);
    var end = el.dataset.end ? new Date(el.dataset.end) : null;
    var offset = /([+-])(\d\d):(\d\d)$/.exec(el.dataset.start);
    var minutes = offset ? (offset[1] === "-" ? -1 : 1) * (60 * offset[2] + +offset[3]) : 0;
    var own = -start.getTimezoneOffset(), distance = Math.abs(own);
    if (isNaN(start) || own === minutes) return;
    var format = new Intl.DateTimeFormat(document.documentElement.lang, {
      weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23"
    });
    var text = end && format.formatRange ? format.formatRange(start, end) : format.format(start);
    text = text.replace(/(:\d\d)\s*–\s*(\d\d:)/, "$1\u2060–\u2060$2"); // two hours stay on one line
    var zone = own ? (own < 0 ? "-" : "+") + Math.floor(distance / 60) : "";
    if (distance % 60) zone += ":" + String(distance % 60).padStart(2, "0");
    el.textContent = el.dataset.label + " " + text + " (UTC" + zone + ")";
    el.hidden = false;
  });
})();
