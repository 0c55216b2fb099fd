// A link from the ledger leads to a verdict that may lie in a closed block: open it.
(function () {
  function reveal() {
    const id = decodeURIComponent(window.location.hash.slice(1));
    const target = id && document.getElementById(id);
    if (!target) return;
    for (let box = target.closest("details"); box; box = box.parentElement.closest("details")) {
      box.open = true;
    }
    // Solutions of exercises are folded by a button of their own.
    for (let box = target.closest(".toggle-hidden"); box; box = box.parentElement.closest(".toggle-hidden")) {
      const button = box.querySelector(".toggle-button");
      if (!button) break;
      button.click();
    }
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", reveal);
  window.addEventListener("DOMContentLoaded", reveal);
  window.addEventListener("load", reveal);
})();
