// What HTML cannot say by itself: light and dark, the dialog, the search key, and whether the dashboard still answers.
"use strict";
(() => {
  const root = document.documentElement;
  const kept = () => { try { return localStorage.getItem("certward-theme"); } catch { return null; } };
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  if (kept() === "dark" || kept() === "light") root.dataset.theme = kept();

  document.addEventListener("DOMContentLoaded", () => {
    const theme = document.getElementById("theme");
    const dialog = document.getElementById("dialog");
    const lost = document.getElementById("lost");
    const news = document.getElementById("news");
    // A browser never sends this name of the run, so whoever takes the port after the command cannot answer with it.
    const run = document.querySelector("meta[name=certward-run]").content;
    const isOurs = (event) => event.detail.xhr.getResponseHeader("Certward-Run") === run;
    let said = headline();
    let opener = null;

    function headline() {
      const trouble = document.querySelector("#content [data-trouble] strong");
      const found = document.querySelector("#content [data-headline]");
      return [trouble && trouble.textContent, found && found.dataset.headline].filter(Boolean).join(" ");
    }

    theme.hidden = false;
    theme.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("certward-theme", root.dataset.theme); } catch { /* for this page only */ }
    });

    document.addEventListener("keydown", (event) => {
      const at = event.target;
      const isTyping = at.matches("input, textarea, select") || dialog.open;
      if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        document.getElementById("q").focus();
      }
      // A link that acts as a button is pressed by the space bar as well.
      if (event.key === " " && at.matches("a[role=button]")) {
        event.preventDefault();
        at.click();
      }
    });

    document.getElementById("q").addEventListener("input", () => {
      const page = document.querySelector("#filters input[name=page]");
      if (page) page.value = "1";
    });

    document.addEventListener("click", (event) => {
      const at = event.target.closest("[data-close]");
      if (at && dialog.open) {
        event.preventDefault();
        dialog.close();
      }
    });
    dialog.addEventListener("close", () => {
      dialog.replaceChildren();
      // The page beneath may have been replaced meanwhile.
      const back = opener && document.getElementById(opener);
      if (back) back.focus();
    });

    document.body.addEventListener("htmx:afterSwap", (event) => {
      lost.hidden = true;
      if (event.detail.target === dialog) {
        if (!dialog.open) {
          opener = document.activeElement && document.activeElement.id;
          dialog.showModal();
        }
        return;
      }
      const now = headline();
      if (now !== said) news.textContent = said = now;
    });
    document.body.addEventListener("htmx:beforeOnLoad", (event) => {
      if (isOurs(event)) return;
      event.preventDefault(); // nothing of it is shown or followed
      lost.hidden = false;
    });
    document.body.addEventListener("htmx:afterRequest", (event) => {
      if (event.detail.successful && isOurs(event)) lost.hidden = true;
    });
    for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
      document.body.addEventListener(name, () => { lost.hidden = false; });
    }
  });
})();
