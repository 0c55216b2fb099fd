// Small mends of what the theme makes, for screen readers and for paper.
(function () {
  const all = (selector, root) => [...(root || document).querySelectorAll(selector)];

  // The arrows of the menu have no words of their own.
  function nameToggles() {
    for (const summary of all(".bd-sidebar-primary li > details > summary")) {
      const link = summary.closest("li").querySelector("a");
      if (link) summary.setAttribute("aria-label", `Pages below ${link.textContent.trim()}`);
    }
  }

  // A Markdown table without words in its head has its heads in the first column.
  function headRows() {
    for (const table of all("article table:not(.dataframe)")) {
      if (!table.tHead || table.tHead.textContent.trim() || table.tHead.querySelector("img")) continue;
      table.tHead.remove();
      table.classList.add("book-pairs");
      for (const cell of all("tbody > tr > td:first-child", table)) {
        const head = document.createElement("th");
        head.scope = "row";
        head.append(...cell.childNodes);
        cell.replaceWith(head);
      }
    }
  }

  // On paper nothing can be opened: print folded verdicts, then fold them again.
  // Folded code stays out, as on the page: the notebook has it.
  let opened = [];
  function unfold() {
    opened = all("article details:not(.hide):not([open])");
    for (const box of opened) box.open = true;
  }
  function fold() {
    for (const box of opened) box.open = false;
    opened = [];
  }

  window.addEventListener("DOMContentLoaded", () => {
    nameToggles();
    headRows();
  });
  window.addEventListener("beforeprint", unfold);
  window.addEventListener("afterprint", fold);
})();
