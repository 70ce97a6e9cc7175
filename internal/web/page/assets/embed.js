// Opens an organiser's links <a class="turnout"> in a dialog on the page they
// stand on. Whatever cannot be opened there is followed, as if this file were
// not here. It writes no markup, style or handler as text, so that it works
// under a policy that allows no more than this file and frames from its origin.
(function () {
  "use strict";

  var script = document.currentScript;
  if (!script || !window.HTMLDialogElement) return;
  var home = new URL(script.src).origin;
  var embeddable = /^\/events\/[^/.]+(\/register)?$/;
  var panels = new WeakMap();

  // The organiser's page has no words of ours, so these are here.
  var closing = { de: "Schließen", en: "Close", es: "Cerrar", fr: "Fermer", it: "Chiudi", nl: "Sluiten" };

  function close(link) {
    var spoken = link.closest("[lang]");
    return link.dataset.close || closing[spoken ? spoken.lang.slice(0, 2).toLowerCase() : "en"] || closing.en;
  }

  // Times are in milliseconds: how long a page may take to load, and how long
  // after that it may take to say that it is one of ours. A browser does not
  // tell a page that framing was refused, so silence has to.
  var patience = 10000, grace = 1500;

  function make(tag, parent, style, values) {
    var element = document.createElement(tag);
    Object.assign(element.style, style);
    Object.assign(element, values);
    return parent.appendChild(element);
  }

  function build(link) {
    var title = link.textContent.trim() || link.getAttribute("aria-label") || "";
    var dialog = make("dialog", document.body, {
      boxSizing: "border-box", width: "46rem", maxWidth: "100vw", height: "54rem", maxHeight: "96vh",
      padding: "0", border: "0", borderRadius: "8px", overflow: "hidden",
      colorScheme: "light dark", background: "Canvas", color: "CanvasText"
    });
    dialog.setAttribute("aria-label", title);
    var column = make("div", dialog, { display: "flex", flexDirection: "column", height: "100%" });
    var bar = make("div", column, { display: "flex", alignItems: "center", gap: "1rem", padding: "8px 8px 8px 16px" });
    make("h2", bar, { flex: "1", margin: "0", font: "bold 1.1rem system-ui, sans-serif" }, { textContent: title });
    var button = make("button", bar, { font: "1rem system-ui, sans-serif", minWidth: "44px", minHeight: "44px", padding: "0 1rem" },
      { type: "button", textContent: close(link) });
    var frame = make("iframe", column, { flex: "1", width: "100%", border: "0" }, { title: title, src: link.href });
    return { link: link, dialog: dialog, button: button, frame: frame };
  }

  function run(panel) {
    var dialog = panel.dialog, frame = panel.frame, greeted = false, timer = setTimeout(follow, patience);

    function follow() {
      var seen = dialog.open;
      panels.delete(panel.link);
      dialog.close();
      removeEventListener("message", hear);
      dialog.remove();
      if (seen) location.assign(panel.link.href);
    }

    function hear(event) {
      if (event.source !== frame.contentWindow || event.origin !== home) return;
      if (event.data === "turnout:close") dialog.close();
      if (event.data !== "turnout:ready") return;
      greeted = !panel.loaded;
      panel.loaded = false;
      clearTimeout(timer);
      // Whoever has gone on to something else is not called back.
      if (document.activeElement === panel.button) frame.focus();
      panel.ready = true;
    }

    addEventListener("message", hear);
    // Each page that loads greets, a little before or a little after.
    frame.addEventListener("load", function () {
      clearTimeout(timer);
      panel.loaded = !greeted;
      if (!greeted) timer = setTimeout(follow, grace);
      greeted = false;
    });
    panel.button.addEventListener("click", function () { dialog.close(); });
    dialog.addEventListener("close", function () {
      document.documentElement.style.overflow = panel.overflow;
      panel.link.focus();
    });
  }

  function open(link) {
    var panel = panels.get(link);
    if (!panel) {
      panel = build(link);
      panels.set(link, panel);
      run(panel);
    }
    panel.overflow = document.documentElement.style.overflow;
    panel.dialog.showModal();
    document.documentElement.style.overflow = "hidden";
    if (panel.ready) panel.frame.focus(); // opened again: what was typed is still there
  }

  document.addEventListener("click", function (event) {
    var link = event.target.closest("a.turnout");
    if (!link || link.origin !== home || !embeddable.test(link.pathname)) return;
    if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    open(link);
    event.preventDefault(); // last: where opening failed, the link is followed
  });
})();
